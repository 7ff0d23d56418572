"""Where the regions of a hemisphere lie: a plain atlas of one's own, of a sphere instead of folds.

Places are those of the textbook, to about a centimetre, in the space of the MNI average brain, and then put into the
innermost of the spheres a head is modelled by: each axis is stretched until the brain is as round as that sphere. An
electrode over a region is so as far away as it would be, which matters more to a sensor than the distance of frontal
from occipital cortex. One shape serves all species, scaled.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F64

BRAIN_MM = 79.0
"""Radius of the sphere around the human brain, mm."""
DEPTH_MM = 72.0
"""No region's centre is farther from the middle than this, of ``BRAIN_MM``."""
MIDDLE = (0.0, -18.0, 10.0)
HALF_AXES = (70.0, 88.0, 68.0)
"""Middle of the average brain and its half extent to the side, front and top, mm."""
GOLDEN = math.pi * (3.0 - math.sqrt(5.0))
LEAST = 8
"""Regions that a hemisphere has at least: those a patient's parts refer to."""


class Area(NamedTuple):
    """A region of the left hemisphere; the right one mirrors it."""

    name: str
    lobe: Literal["frontal", "parietal", "temporal", "occipital", "limbic", "deep"]
    x: float
    """To the side, mm; away from the midline."""
    y: float
    """To the front, mm."""
    z: float
    """Up, mm."""
    wall: Literal["", "front", "back"] = ""
    """The wall of a sulcus it lies in, whose cortex looks to the front or back; else it looks outward."""


AREAS = (
    Area("M1", "frontal", 37, -23, 56, "back"), Area("S1", "parietal", 42, -28, 54, "front"),
    Area("PMd", "frontal", 28, -8, 60), Area("SMA", "frontal", 6, -5, 62),
    Area("V1", "occipital", 10, -88, 4), Area("TH", "deep", 11, -18, 8),
    Area("HC", "deep", 26, -20, -16), Area("TP", "temporal", 40, 14, -32),
    Area("PMv", "frontal", 54, 4, 28), Area("DLPFC", "frontal", 40, 34, 32),
    Area("SPL", "parietal", 24, -60, 60), Area("SMG", "parietal", 54, -38, 34),
    Area("ANG", "parietal", 46, -60, 36), Area("PCUN", "parietal", 8, -62, 44),
    Area("PCC", "limbic", 7, -48, 28), Area("ACC", "limbic", 6, 32, 20),
    Area("INS", "limbic", 38, 4, 0), Area("A1", "temporal", 46, -20, 8),
    Area("ERC", "temporal", 24, -10, -28), Area("LOC", "occipital", 42, -76, 2),
    Area("PUT", "deep", 26, 3, 1), Area("CAU", "deep", 13, 12, 10),
    Area("STG", "temporal", 60, -20, 4), Area("MTG", "temporal", 60, -32, -8),
    Area("ITG", "temporal", 54, -34, -24), Area("FUS", "temporal", 36, -50, -18),
    Area("V2", "occipital", 16, -92, 20), Area("LING", "occipital", 14, -70, -4),
    Area("MT", "occipital", 48, -66, 6), Area("OFC", "frontal", 26, 34, -18),
    Area("VMPFC", "frontal", 8, 44, -10), Area("DMPFC", "frontal", 8, 42, 38),
    Area("FP", "frontal", 20, 62, 4), Area("IFGop", "frontal", 52, 12, 16),
    Area("IFGtri", "frontal", 48, 30, 8), Area("FEF", "frontal", 34, 2, 50),
    Area("S2", "parietal", 52, -22, 18), Area("MCC", "limbic", 6, -4, 40),
    Area("PHG", "temporal", 24, -32, -18), Area("AMY", "deep", 24, -4, -20),
    Area("PAL", "deep", 20, -4, 0), Area("CB", "deep", 28, -62, -34),
)  # fmt: skip
"""The 42 regions of a hemisphere; a coarser atlas has the first of them."""


class Atlas(NamedTuple):
    """Regions of the whole brain: all of the left, then all of the right in the same order."""

    labels: tuple[str, ...]
    centres_mm: F64
    """(n, 3), mm, human."""
    normals: F64
    """(n, 3) unit vectors."""
    deep: F64
    """(n,) 1 for a nucleus below the cortex."""


def atlas(n: int) -> Atlas:
    """Return ``n`` regions: the first of ``AREAS``, and beyond 84 parts of them, called ``l.M1.2`` and on.

    Raises
    ------
    ContractError
        If ``n`` is odd or below 16.
    """
    if n % 2 or n < 2 * LEAST:
        raise ContractError(f"atlas: expected an even number of at least {2 * LEAST} regions, given {n}")
    picked = [(AREAS[i % len(AREAS)], i // len(AREAS)) for i in range(n // 2)]
    names = [a.name + (f".{k + 1}" if k else "") for a, k in picked]
    left = np.array([_place(a, k) for a, k in picked])
    facing = np.array([_normal(a, c) for (a, _), c in zip(picked, left, strict=True)])
    mirror = np.array([-1.0, 1.0, 1.0])
    deep = np.array([float(a.lobe == "deep") for a, _ in picked])
    return Atlas(
        labels=tuple(f"{side}.{x}" for side in "lr" for x in names),
        centres_mm=np.concatenate([left, left * mirror]), normals=np.concatenate([facing, facing * mirror]),
        deep=np.tile(deep, 2),
    )  # fmt: skip


def _place(area: Area, part: int) -> F64:
    """Return the centre of a region or, in a spiral around it, of a further part of it, left hemisphere."""
    way = (np.array([area.x, area.y, area.z]) - MIDDLE) / HALF_AXES * BRAIN_MM
    radius = min(DEPTH_MM, float(np.linalg.norm(way)))
    way = way / np.linalg.norm(way)
    if part:
        across = np.cross(way, [0.0, 0.0, 1.0])
        across /= np.linalg.norm(across)
        angle = 0.07 * math.sqrt(part)
        turned = math.cos(part * GOLDEN) * across + math.sin(part * GOLDEN) * np.cross(way, across)
        way = math.cos(angle) * way + math.sin(angle) * turned
        way[0] = abs(way[0])
    place: F64 = way * radius * np.array([-1.0, 1.0, 1.0])
    return place


def _normal(area: Area, centre: F64) -> F64:
    """Return where the cortex looks: outward, or along the head to the front or back in the wall of a sulcus."""
    outward: F64 = centre / np.linalg.norm(centre)
    if not area.wall:
        return outward
    way = np.array([0.0, 1.0 if area.wall == "front" else -1.0, 0.0])
    along: F64 = way - (way @ outward) * outward
    along /= np.linalg.norm(along)
    return along
