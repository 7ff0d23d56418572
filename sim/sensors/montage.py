"""Where scalp electrodes sit: the international 10-10 system on a sphere.

Ten per cent steps along arcs, as the system is defined [1]_: a ring through Fpz, T7, Oz and T8 on the equator, a
midline through the vertex, and rows between ring and midline, each the circle through its two ends and its middle,
parted in equal steps. Electrodes numbered 9 and 10, and Iz, are an eighth of the midline below the ring. The sphere
takes the ring as its equator, as head models of spheres do; on a real head, nasion and inion lie below it.

References
----------
.. [1] Oostenveld & Praamstra (2001) The five percent electrode system. Clin Neurophysiol 112:713.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F64

RADIUS_MM = 90.0
MIDLINE_DEG = {"Fpz": 90.0, "AFz": 67.5, "Fz": 45.0, "FCz": 22.5, "Cz": 0.0, "CPz": -22.5, "Pz": -45.0, "POz": -67.5,
               "Oz": -90.0, "Iz": -112.5}  # fmt: skip
"""Angle from the vertex, towards the front."""
RING = ("Fp", "AF", "F", "FT", "T", "TP", "P", "PO", "O")
"""Rows as the ring meets them on its way from front to back, 18° apart, the first at 18° from Fpz."""
ROWS = {"AF": ("AF", "AF"), "F": ("F", "F"), "FC": ("FT", "FC"), "C": ("T", "C"), "CP": ("TP", "CP"), "P": ("P", "P"),
        "PO": ("PO", "PO")}  # fmt: skip
"""What the ends of a row are called, and its middle."""
BCI_2000 = (
    "FC5 FC3 FC1 FCz FC2 FC4 FC6 C5 C3 C1 Cz C2 C4 C6 CP5 CP3 CP1 CPz CP2 CP4 CP6 Fp1 Fpz Fp2 AF7 AF3 AFz AF4 AF8 "
    "F7 F5 F3 F1 Fz F2 F4 F6 F8 FT7 FT8 T7 T8 T9 T10 TP7 TP8 P7 P5 P3 P1 Pz P2 P4 P6 P8 PO7 PO3 POz PO4 PO8 O1 Oz O2 Iz"
)
"""64 channels in the order in which BCI2000 records them."""
CAPS = {
    19: "Fp1 Fp2 F7 F3 Fz F4 F8 T7 C3 Cz C4 T8 P7 P3 Pz P4 P8 O1 O2",
    32: "Fp1 Fp2 AF3 AF4 F7 F3 Fz F4 F8 FC5 FC1 FC2 FC6 T7 C3 Cz C4 T8 CP5 CP1 CP2 CP6 P7 P3 Pz P4 P8 PO3 PO4 O1 Oz "
        "O2",
    64: BCI_2000,
}  # fmt: skip


class Montage(NamedTuple):
    """Named places on the head."""

    labels: tuple[str, ...]
    positions_mm: F64
    """(n, 3): x to the right, y to the front, z upward, about the middle of the head."""


def montage(n: Literal[19, 32, 64] = 64, *, radius_mm: float = RADIUS_MM) -> Montage:
    """Return ``n`` electrodes of the 10-10 system. Raises ContractError if there is no such cap."""
    if n not in CAPS:
        raise ContractError(
            f"montage: there is no cap of {n} electrodes, expected one of {', '.join(map(str, CAPS))}; "
            "for others name them: place(('C3', 'Cz', 'C4'))"
        )
    return place(tuple(CAPS[n].split()), radius_mm=radius_mm)


def place(labels: tuple[str, ...], *, radius_mm: float = RADIUS_MM) -> Montage:
    """Return the places of the electrodes called ``labels`` on a sphere.

    Raises
    ------
    ContractError
        If a name is not of the 10-10 system or comes twice.
    """
    known = _directions()
    lower = {k.lower(): k for k in known}
    wrong = [name for name in labels if name.lower() not in lower]
    if wrong:
        raise ContractError(
            f"montage: {', '.join(wrong)}: expected names of the 10-10 system, such as C3, Cz, FC5, PO8, T7 (not T3)"
        )
    if len({name.lower() for name in labels}) < len(labels):
        raise ContractError(f"montage: expected every electrode once, given {', '.join(labels)}")
    names = tuple(lower[name.lower()] for name in labels)
    return Montage(names, radius_mm * np.array([known[name] for name in names]))


def direction(inclination_deg: float, azimuth_deg: float) -> F64:
    """Return the unit vector ``inclination_deg`` from the vertex, ``azimuth_deg`` from the right towards the front."""
    theta, phi = np.radians(inclination_deg), np.radians(azimuth_deg)
    return np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])


def _directions() -> dict[str, F64]:
    """Return the unit vector of every electrode of the system."""
    found = {name: direction(deg, 90.0) for name, deg in MIDLINE_DEG.items()}
    left = (1, 7, 7, 7, 7, 7, 7, 7, 1)
    for k, (row, number) in enumerate(zip(RING, left, strict=True), start=1):
        for side, name in ((1, f"{row}{number}"), (-1, f"{row}{number + 1}")):
            found[name] = direction(90.0, 90.0 + side * 18.0 * k)
            if number == 7:
                found[f"{row}{9 if side > 0 else 10}"] = direction(112.5, 90.0 + side * 18.0 * k)
    for end, middle in ROWS.values():
        arc = _arc(found[f"{end}7"], found[f"{middle}z"], found[f"{end}8"])
        for k, number in enumerate((5, 3, 1), start=1):
            found[f"{middle}{number}"] = arc(k / 8.0)
            found[f"{middle}{number + 1}"] = arc(1.0 - k / 8.0)
    return found


def _arc(start: F64, middle: F64, end: F64) -> Callable[[float], F64]:
    """Return the way from ``start`` by ``middle`` to ``end`` on their circle, as a function of the share covered."""
    axis = np.cross(middle - start, end - start)
    axis /= np.sqrt(axis @ axis)
    centre = (axis @ start) * axis
    u = start - centre
    v = np.cross(axis, u)
    whole = np.arctan2((end - centre) @ v, (end - centre) @ u) % (2.0 * np.pi)
    return lambda share: centre + np.cos(share * whole) * u + np.sin(share * whole) * v
