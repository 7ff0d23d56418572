"""One patient, from molecules to sensors, on one clock."""
