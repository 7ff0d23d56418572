"""The magnetic field of a current dipole outside a sphere.

Whatever the conductivities of its shells, the field outside is that of Sarvas [1]_: with a = r - r0 and
F = a (r a + r² - r0·r),

    B = µ0 / (4π F²) (F q × r0 - (q × r0 · r) ∇F),
    ∇F = (a² / r + a·r / a + 2 a + 2 r) r - (a + 2 r + a·r / a) r0

A radial dipole is silent.

References
----------
.. [1] Sarvas (1987) Basic mathematical and electromagnetic concepts of the biomagnetic inverse problem. Phys Med Biol
   32:11.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bmi.signals import F64

MU0_4PI = 1e-7
"""Vacuum permeability over 4π, T·m/A."""


class Helmet(NamedTuple):
    """Magnetometers around the head."""

    labels: tuple[str, ...]
    positions_mm: F64
    """(n, 3)"""
    directions: F64
    """(n, 3) unit vectors along which each measures."""


def helmet(n: int = 102, *, radius_mm: float = 120.0) -> Helmet:
    """Return ``n`` radial magnetometers spread evenly over the upper two thirds of a sphere."""
    z = 1.0 - (np.arange(n) + 0.5) / n * 4.0 / 3.0
    turn = np.arange(n) * np.pi * (3.0 - np.sqrt(5.0))
    e = np.stack([np.sqrt(1.0 - z**2) * np.cos(turn), np.sqrt(1.0 - z**2) * np.sin(turn), z], axis=1)
    return Helmet(tuple(f"meg{i:03d}" for i in range(n)), radius_mm * e, e)


def field_ft(sensors_mm: F64, directions: F64, sources_mm: F64) -> F64:
    """Return the field at ``sensors_mm`` along ``directions`` of unit dipoles along x, y and z, fT/(nA·m).

    Parameters
    ----------
    sensors_mm, directions : (n, 3) float64
        Outside the sphere.
    sources_mm : (m, 3) float64
        Inside.

    Returns
    -------
    (n, m, 3) float64
    """
    r = sensors_mm[:, None, :]
    r0 = sources_mm[None, :, :]
    a = r - r0
    size_a = np.sqrt((a * a).sum(axis=2))
    size_r = np.sqrt((r * r).sum(axis=2))
    a_r = (a * r).sum(axis=2)
    f = size_a * (size_r * size_a + size_r**2 - (r0 * r).sum(axis=2))
    towards_r = size_a**2 / size_r + a_r / size_a + 2.0 * size_a + 2.0 * size_r
    towards_r0 = size_a + 2.0 * size_r + a_r / size_a
    gradient = towards_r[..., None] * r - towards_r0[..., None] * r0
    slope = (gradient * directions[:, None, :]).sum(axis=2)
    # q × r0 · v = q · (r0 × v): linear in q, so that its three components are the three columns.
    found = f[..., None] * np.cross(r0, directions[:, None, :]) - slope[..., None] * np.cross(r0, r)
    # nA·m / mm² in T are 1e-7 × 1e-9 × 1e6; 1e15 fT are a tesla.
    return np.asarray(1e12 * MU0_4PI * found / f[..., None] ** 2, np.float64)
