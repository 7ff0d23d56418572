"""BOLD of fluctuating activity in neurolib: Friston 2003, a step of 1 ms and one of 0.1 ms, from its own start.

neurolib's BOLDModel starts with the vessels' signal at 1 like everything else; ours is at rest. So look after the
transient only.

    <env>/bin/python tests/oracles/neurolib_bold.py
"""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
from neurolib.models.bold.timeIntegration import simulateBOLD
from store import save

SECONDS, N = 60, 3
rng = np.random.default_rng(11)
t = np.arange(1000 * SECONDS) / 1000.0
slow = np.repeat(rng.uniform(0.0, 1.0, (N, 2 * SECONDS)), 500, axis=1)
activity = 0.3 * slow + 0.1 * (1.0 + np.sin(2 * np.pi * np.array([[0.03], [0.1], [0.2]]) * t))
found = {}
for name, finer in (("coarse", 1), ("fine", 10)):
    ones = [np.ones(N) for _ in range(4)]
    bold, *_ = simulateBOLD(np.repeat(activity, finer, axis=1), 0.001 / finer, np.ones(N), *ones)
    found[name] = bold[:, 500 * finer - 1 :: 500 * finer].T
save(
    "neurolib_bold", f"neurolib {version('neurolib')}", "BOLD every 0.5 s of activity that changes every 0.5 s",
    slow=slow[:, ::500], frequencies_hz=[0.03, 0.1, 0.2], seconds=SECONDS, bold=found["coarse"], fine=found["fine"],
)  # fmt: skip
