"""From a mutation to a circuit (M2): Nav1.1 with 65 % of its conductance, in the membrane and in motor cortex.

``sim.validation.tissue`` asks whether the excitatory rate and its slow power rise with the loss. Power rises with the
square of a rate that rises, whatever the neurons do together, so here synchrony is the correlation of counts of pairs,
which knows nothing of the rate. It rises with a moderate loss (×0.8) and is back where it was at ×0.65, where
neurons fire at 20 Hz and regularly: that the loss makes a circuit more synchronous holds for the first step only.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from sim.validation import Check, Row, holds

SEEDS, SHARES = 10, (1.0, 0.8, 0.65)
BIN_MS = 100
"""Counts of 100 ms: correlated by fluctuations slower than about 5 Hz."""


def reaches() -> Iterator[Row]:
    """One scale, two scales of description: f-I curve of the cell, rate and synchrony of the tissue."""
    import numpy as np

    from sim.cells import firing_rate

    drive = np.array([0.2, 0.3, 0.5, 0.7, 1.0])
    f, g = (firing_rate("pv", drive, scales={"na": scale}) for scale in (1.0, 0.65))
    told = f"{' '.join(f'{x:.0f}' for x in f)} → {' '.join(f'{x:.0f}' for x in g)} Hz"
    what = "pv, sodium ×1 → ×0.65: rate at 0.2, 0.3, 0.5, 0.7, 1 µA/cm²"
    yield holds("M2", what, "lower at each", told, bool((g < f).all()), source="Wang-Buzsáki membrane")

    found = np.array([[rate_and_correlation(seed, share) for share in SHARES] for seed in range(SEEDS)])
    for k, (name, unit) in enumerate((("mean excitatory rate", " Hz"), ("mean correlation of counts, 100 ms", ""))):
        source = "models' table M2; sign test"
        for step, (before, after) in enumerate(itertools.pairwise(SHARES)):
            x, y = found[:, step, k], found[:, step + 1, k]
            up = int((y > x).sum())
            p = sum(math.comb(SEEDS, i) for i in range(up, SEEDS + 1)) / 2.0**SEEDS
            told = f"{up} of {SEEDS}, p = {p:.2g}; {x.mean():.3g} → {y.mean():.3g}{unit}"
            what = f"PV sodium ×{before:g} → ×{after:g} in the tissue: {name} rises"
            yield holds("M2", what, f"p < 0.01 over {SEEDS} seeds", told, p < 0.01, source=source)


def rate_and_correlation(seed: int, share: float, seconds: int = 10) -> tuple[float, float]:
    """Return the mean excitatory rate, Hz, and the mean correlation of two excitatory neurons' counts."""
    import numpy as np

    from sim.circuits.tissue import Tissue
    from sim.preparation import Preparation

    tissue = Tissue(plastic=False)
    run = Preparation(tissue, seed)
    run.give("nav11", 0.0, share)
    run.advance_s(1.0)
    counts = run.advance_s(float(seconds))["counts"][:, : tissue.anatomy_.n_exc].astype(np.float64)
    bins = counts.reshape(-1, BIN_MS, counts.shape[1]).sum(axis=1)
    active = bins[:, bins.var(axis=0) > 0.0]
    z = (active - active.mean(axis=0)) / active.std(axis=0)
    n = z.shape[1]
    return float(counts.mean() * 1e3), float(((z.sum(axis=1) ** 2).mean() / n - 1.0) / (n - 1.0))


CHECKS: tuple[Check, ...] = (Check("M2", "Nav1.1 from the membrane to the circuit", 60.0, reaches),)
