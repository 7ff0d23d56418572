"""Circuits: neurons with connections, from a statistical yard-stick to the tissue an implant records from."""
