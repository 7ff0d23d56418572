"""Devices: adapters that realise commands, simulated and real."""
