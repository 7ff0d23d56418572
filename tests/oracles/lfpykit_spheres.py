"""Potentials of dipoles in four concentric spheres, in LFPykit: dipoles of every direction at electrodes all around.

    <env>/bin/python tests/oracles/lfpykit_spheres.py
"""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
from lfpykit.eegmegcalc import FourSphereVolumeConductor
from store import save

RADII_MM = np.array([79.0, 80.0, 85.0, 90.0])
SIGMAS_S_M = np.array([0.3, 1.5, 0.015, 0.3])
DEPTHS_MM = np.array([78.0, 70.0, 60.0, 40.0])

rng = np.random.default_rng(4)
directions = rng.standard_normal((20, 3))
electrodes_mm = (90.0 - 1e-9) * directions / np.linalg.norm(directions, axis=1, keepdims=True)
bearings = rng.standard_normal((12, 3))
bearings /= np.linalg.norm(bearings, axis=1, keepdims=True)
sources_mm = bearings * rng.uniform(10.0, 76.0, (12, 1))


def potentials_uv(electrodes: np.ndarray, source: np.ndarray, moment_na_m: np.ndarray) -> np.ndarray:
    """Return the potential of one dipole at every electrode, µV."""
    model = FourSphereVolumeConductor(1e3 * electrodes, radii=1e3 * RADII_MM, sigmas=SIGMAS_S_M)
    # LFPykit: moments in nA·µm, potentials in mV.
    found = model.get_dipole_potential(1e6 * moment_na_m.reshape(3, 1), 1e3 * source)
    return 1e3 * found[:, 0]


places = (90.0 - 1e-9) * np.array([[0.0, 0.0, 1.0], [np.sin(0.3), 0.0, np.cos(0.3)]])
up, aside = np.array([0.0, 0.0, 10.0]), np.array([10.0, 0.0, 0.0])
table = np.array([
    [*potentials_uv(places, np.array([0.0, 0.0, z]), up), potentials_uv(places, np.array([0.0, 0.0, z]), aside)[1]]
    for z in DEPTHS_MM
])  # fmt: skip
field = np.stack([
    np.stack([potentials_uv(electrodes_mm, s, m) for m in np.eye(3)], axis=-1) for s in sources_mm
], axis=1)  # fmt: skip
save(
    "lfpykit_spheres", f"LFPykit {version('LFPykit')}", "potentials of dipoles in four spheres, µV/(nA·m)",
    electrodes_mm=electrodes_mm, sources_mm=sources_mm, field=field, radii_mm=RADII_MM, sigmas_s_m=SIGMAS_S_M,
    depths_mm=DEPTHS_MM, table_uv=table, table_na_m=10.0, table_angle_rad=0.3,
)  # fmt: skip
print(table)
