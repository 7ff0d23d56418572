"""The battery of simulated participants: neurons, the user they belong to, and the world that holds both."""

GRID_S = 0.010
"""Intentions and common fluctuations change on this grid, s; samples are drawn in blocks of it."""

SLOT_S = 0.001
"""Samples of a broadband stream are drawn in slots of it, s; a neuron's spike counts as well."""
