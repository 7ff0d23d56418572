"""Relay error of our own ill basal ganglia under every programme of a grid: what a search is measured against.

    nice -n 10 python tests/oracles/own_dbs_landscape.py      # in the product's environment; six core-minutes

No independent simulator: the row C8 compares the model with the published one.
"""

from __future__ import annotations

from importlib.metadata import version
from itertools import product
from time import perf_counter

import numpy as np
from store import save

from sim.validation.adaptive_search import Programme, trial

FREQUENCY_HZ = (20.0, 45.0, 60.0, 80.0, 100.0, 130.0, 160.0, 185.0)
DENSITY_UA_CM2 = (30.0, 60.0, 100.0, 150.0, 200.0, 250.0, 300.0)
WIDTH_S = (60e-6, 150e-6, 300e-6, 450e-6)
SEEDS, SECONDS = tuple(range(301, 309)), 3.0

begin = perf_counter()
shape = (len(FREQUENCY_HZ), len(DENSITY_UA_CM2), len(WIDTH_S))
errors = np.array([
    [trial(Programme(*setting), seed, seconds=SECONDS) for seed in SEEDS]
    for setting in product(FREQUENCY_HZ, DENSITY_UA_CM2, WIDTH_S)
]).reshape(*shape, len(SEEDS))  # fmt: skip
print(f"{perf_counter() - begin:.0f} s")
save(
    "dbs_landscape", f"multiscale-bmi {version('multiscale-bmi')}, sim.basal_ganglia",
    f"relay error index, dopamine loss 1, {SECONDS:g} s a run, step 0.025 ms; axes: frequency, density, width, seed",
    error=errors.astype(np.float32), frequency_hz=np.array(FREQUENCY_HZ), density_ua_cm2=np.array(DENSITY_UA_CM2),
    width_s=np.array(WIDTH_S), seeds=np.array(SEEDS), seconds=SECONDS,
    off=np.array([trial(Programme(130.0, 0.0, 300e-6), seed, seconds=SECONDS) for seed in SEEDS], np.float32),
)  # fmt: skip
