"""Potentials of point sources in a homogeneous medium, in LFPykit.

    <env>/bin/python tests/oracles/lfpykit_points.py
"""

from __future__ import annotations

from importlib.metadata import version

import lfpykit
import numpy as np
from store import save

rng = np.random.default_rng(6)
sources = rng.uniform(-300.0, 300.0, (12, 3))
electrodes = rng.uniform(-600.0, 600.0, (8, 3))
ends = [np.stack([axis, axis], axis=1) for axis in sources.T]
cell = lfpykit.CellGeometry(x=ends[0], y=ends[1], z=ends[2], d=np.full(12, 20.0))
model = lfpykit.PointSourcePotential(cell, *electrodes.T, sigma=0.3)
save(
    "lfpykit_points", f"LFPykit {version('LFPykit')}", "potential of unit currents, µV/nA",
    sources_um=sources, electrodes_um=electrodes, uv_na=1e3 * model.get_transformation_matrix(),
)  # fmt: skip
