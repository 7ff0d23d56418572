"""Acceptance figures of EEG and MEG, S1.

The printed table is of a dipole of 10 nA·m on the axis below the electrode at the top, and of one at 0.3 rad beside
it. RDM is the distance of two topographies of unit length, after the average reference. Reciprocity is tested against
fields that know nothing of the lead field: the potential of a current fed through electrodes, carried from the middle
of the head outwards, and the electric field around a changing magnetic dipole, which in a sphere meets no charge if
the dipole is radial.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from bmi.signals import F64
from sim.validation import Check, Row, between, near, stored

RADII_MM = np.array([79.0, 80.0, 85.0, 90.0])
SIGMA_S_M = np.array([0.3, 1.5, 0.015, 0.3])
DEPTHS_MM = (78.0, 70.0, 60.0, 40.0)
TABLE_UV = {
    "radial, at the top": (10.62, 5.955, 3.707, 1.963),
    "radial, at 0.3 rad": (3.078, 2.885, 2.445, 1.651),
    "tangential, at 0.3 rad": (3.648, 2.609, 1.695, 0.790),
}


def rdm(a: F64, b: F64) -> float:
    """Return the relative difference of two topographies, 0 to 2."""
    a, b = a - a.mean(), b - b.mean()
    return float(np.sqrt(((a / np.sqrt(a @ a) - b / np.sqrt(b @ b)) ** 2).sum()))


def worst(a: F64, b: F64) -> float:
    """Return the largest RDM over sources and directions of two lead fields (n, m, 3)."""
    return max(rdm(a[:, i, k], b[:, i, k]) for i in range(a.shape[1]) for k in range(3))


def table() -> Iterator[Row]:
    """Yield the potentials of a dipole at four depths."""
    from sim.sensors.spheres import surface_potential

    electrodes = 90.0 * np.array([[0.0, 0.0, 1.0], [math.sin(0.3), 0.0, math.cos(0.3)]])
    places = np.array([[0.0, 0.0, z] for z in DEPTHS_MM])
    found = 10.0 * surface_potential(electrodes, places, RADII_MM, SIGMA_S_M)
    columns = (found[0, :, 2], found[1, :, 2], found[1, :, 0])
    for (what, printed), values in zip(TABLE_UV.items(), columns, strict=True):
        for z, target, value in zip(DEPTHS_MM, printed, values, strict=True):
            yield near(
                "S1", f"10 nA·m at {z:g} mm, {what}", target, value, 1e-3, unit="µV", relative=True,
                source="Næss et al. (2017) Front Hum Neurosci 11:490, by LFPykit",
            )  # fmt: skip


def shells() -> Iterator[Row]:
    """Yield what is left of the four shells when all conduct alike, and what LFPykit and MNE make of them."""
    from sim.sensors.montage import montage
    from sim.sensors.spheres import homogeneous_potential, surface_potential

    kit, mne = stored("lfpykit_spheres"), stored("mne_sphere")
    a = kit.arrays
    cap = montage(64).positions_mm
    ours = surface_potential(cap, a["sources_mm"], RADII_MM, np.full(4, 0.33))
    closed = homogeneous_potential(cap, a["sources_mm"], 0.33)
    yield between(
        "S1", "four equal conductivities against one sphere, largest RDM", -math.inf, 1e-3, worst(ours, closed),
        source="closed form, Yao (2000) IEEE Trans Biomed Eng 47:964",
    )  # fmt: skip
    ours = surface_potential(a["electrodes_mm"], a["sources_mm"], RADII_MM, SIGMA_S_M)
    yield between(
        "S1", "12 dipoles in all directions, 20 electrodes: largest error against LFPykit", -math.inf, 1e-3,
        float(np.abs(ours / a["field"] - 1.0).max()), source=kit.source,
    )  # fmt: skip
    b = mne.arrays
    ours = surface_potential(b["electrodes_mm"], b["sources_mm"], RADII_MM, SIGMA_S_M)
    yield between(
        "S1", f"EEG, cap of {len(ours)}, {ours.shape[1]} sources: largest RDM against MNE", -math.inf, 0.05,
        worst(ours, b["eeg"]), source=mne.source,
    )  # fmt: skip


def injected(electrode: F64, places: F64) -> F64:
    """Return the potential at ``places`` (m, 3) in the brain while 1 nA enters at ``electrode`` (3,), mV.

    Regular solutions r^n are carried from the middle through the shells to the scalp, where they meet the current.
    """
    r0 = np.sqrt((places**2).sum(axis=1))
    x = places @ electrode / (r0 * np.sqrt(electrode @ electrode))
    total, before, now = np.zeros_like(x), np.ones_like(x), x
    for n in range(1, 400):
        potential, current = 1.0, SIGMA_S_M[0] * n / RADII_MM[0]  # r^n / r_1^n and its radial current
        for j in range(1, 4):
            step, inner = RADII_MM[j] / RADII_MM[j - 1], RADII_MM[j - 1]
            slope = current / SIGMA_S_M[j] * inner
            grows, falls = ((n + 1) * potential + slope) / (2 * n + 1), (n * potential - slope) / (2 * n + 1)
            grows, falls = grows * step**n, falls * step ** -(n + 1)
            potential = grows + falls
            current = SIGMA_S_M[j] * (n * grows - (n + 1) * falls) / RADII_MM[j]
        total += (2 * n + 1) / (4.0 * math.pi * RADII_MM[-1] ** 2) / current * (r0 / RADII_MM[0]) ** n * now
        before, now = now, ((2 * n + 1) * x * now - n * before) / (n + 1)
    return total


def reciprocity() -> Iterator[Row]:
    """Yield lead fields against the fields of currents sent through the sensors themselves."""
    from sim.sensors.meg import field_ft
    from sim.sensors.spheres import surface_potential

    a = stored("lfpykit_spheres").arrays
    places, pair, h = a["sources_mm"], 90.0 * np.array([[0.6, 0.0, 0.8], [-0.48, 0.8, 0.36]]), 1e-3
    gradient = np.stack([
        sum(sign * end * (injected(e, places + end * h * axis)) / (2.0 * h)
            for sign, e in zip((1.0, -1.0), pair, strict=True) for end in (1.0, -1.0))
        for axis in np.eye(3)
    ], axis=-1)  # fmt: skip
    potential = surface_potential(pair, places, RADII_MM, SIGMA_S_M)
    bipolar = potential[0] - potential[1]
    # A current of 1 nA, places in mm and conductivities in S/m give mV; by the dipole's 1 nA·m, µV.
    yield between(
        "S1", "EEG of a pair of electrodes against the field of a current through them, largest error", -math.inf, 1e-6,
        float(np.abs(1e3 * gradient - bipolar).max() / np.abs(bipolar).max()), source="reciprocity, identity",
    )  # fmt: skip
    b = stored("mne_sphere").arrays
    apart = b["sources_mm"][None, :, :] - b["coils_mm"][:, None, :]
    induced = np.cross(b["directions"][:, None, :], apart) / np.sqrt((apart**2).sum(axis=2, keepdims=True)) ** 3
    ours = field_ft(b["coils_mm"], b["directions"], b["sources_mm"])
    yield between(
        "S1", "MEG of radial coils against the electric field around them, largest error", -math.inf, 1e-12,
        float(np.abs(1e5 * induced - ours).max() / np.abs(ours).max()), source="reciprocity, identity",
    )  # fmt: skip


def magnetic() -> Iterator[Row]:
    """Yield the field of a radial dipole, and all fields against MNE's."""
    from sim.sensors.meg import field_ft

    b = stored("mne_sphere")
    places = b.arrays["sources_mm"]
    rng = np.random.default_rng(2)
    ways = rng.standard_normal(b.arrays["coils_mm"].shape)
    ways /= np.sqrt((ways**2).sum(axis=1, keepdims=True))
    field = field_ft(b.arrays["coils_mm"], ways, places)
    radial = places / np.sqrt((places**2).sum(axis=1, keepdims=True))
    across = np.cross(radial, np.array([0.6, 0.0, 0.8]))
    across /= np.sqrt((across**2).sum(axis=1, keepdims=True))
    silent = np.abs((field * radial).sum(axis=2)).max(axis=0)
    heard = np.abs((field * across).sum(axis=2)).max(axis=0)
    yield between(
        "S1", "MEG of a radial dipole over that of a tangential one, largest", -math.inf, 1e-12,
        float((silent / heard).max()), source="Sarvas (1987) Phys Med Biol 32:11, identity",
    )  # fmt: skip
    ours = field_ft(b.arrays["coils_mm"], b.arrays["directions"], places)
    yield between(
        "S1", f"MEG, {len(ours)} magnetometers: largest RDM against MNE", -math.inf, 0.05,
        worst(ours, b.arrays["meg"]), source=b.source,
    )  # fmt: skip


def reference() -> Iterator[Row]:
    """Yield what the channels add up to against their mean."""
    from sim.sensors.head import Head
    from sim.sensors.montage import montage

    field = Head().eeg(montage(64), stored("lfpykit_spheres").arrays["sources_mm"]).average_reference().matrix
    yield near(
        "S1", "average reference: sum over 64 channels, over the largest", 0.0,
        float(np.abs(field.sum(axis=0)).max() / np.abs(field).max()), 1e-12, source="identity",
    )  # fmt: skip


CHECKS: tuple[Check, ...] = (
    Check("S1", "potentials of a dipole in four spheres", 0.1, table),
    Check("S1", "four spheres against one, LFPykit and MNE", 0.3, shells),
    Check("S1", "reciprocity", 0.3, reciprocity),
    Check("S1", "magnetic fields", 0.1, magnetic),
    Check("S1", "average reference", 0.1, reference),
)
