"""Who is wired to whom in a whole brain, how strongly, and over what distance."""

from __future__ import annotations

from dataclasses import dataclass

from bmi.signals import F64


@dataclass(frozen=True, kw_only=True, eq=False)
class Connectome:
    """Regions and the tracts between them; arrays are read, never written."""

    labels: tuple[str, ...]
    """Name of each region, unique."""
    weights: F64
    """(n, n) strength of the tract to region i (row) from region j (column); not negative, diagonal zero or a
    self-loop."""
    lengths_mm: F64
    """(n, n) length of that tract, mm."""
    centres_mm: F64
    """(n, 3) centre of each region, mm: x to the right, y to the front, z upward, about the middle of the head."""
    normals: F64
    """(n, 3) unit vectors in which a region's dipoles point."""
