"""Disease, ageing and recovery: trajectories of parameters over patient days, on the same stages as health."""
