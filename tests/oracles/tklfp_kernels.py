"""Field potential of a train of spikes by Teleńczuk's kernels, in tklfp: electrodes at the height of the somata.

    <env>/bin/python tests/oracles/tklfp_kernels.py
"""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
from store import save
from tklfp import TKLFP

N, N_EXC = 20, 14
rng = np.random.default_rng(3)
positions = rng.uniform(0.0, 1000.0, (N, 2))
electrodes = np.array([[250.0, 250.0], [750.0, 250.0], [500.0, 800.0]])
spikes = np.stack([rng.integers(0, N, 60), rng.integers(0, 150, 60)], axis=1)
model = TKLFP(*(1e-3 * positions.T), np.zeros(N), np.arange(N) < N_EXC, np.c_[1e-3 * electrodes, np.zeros(3)])
field = model.compute(spikes[:, 0], spikes[:, 1].astype(float), np.arange(200.0))
save(
    "tklfp_kernels", f"tklfp {version('tklfp')}", "potential each ms, µV, of 60 spikes",
    positions_um=positions, n_exc=N_EXC, electrodes_um=electrodes, spikes=spikes, soma_uv=field,
)  # fmt: skip
