"""From a mutation to a circuit (M2): Nav1.1 with 65 % of its conductance, in the membrane and in motor cortex.

Low-frequency synchrony is the power of the excitatory rate from 1 to 9 Hz. It rises with the square of a rate that
rises, whatever the neurons do together, so two figures that know nothing of the rate stand beside it: that power as a
multiple of independent neurons', and the correlation of counts of pairs. Both rise with a moderate loss (×0.82) and are
about where they were at ×0.65, where neurons fire at 20 Hz and regularly: a negative result, told in the row.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

from sim.validation import Check, Row, holds

SEEDS, SHARES, SECONDS = 10, (1.0, 0.82, 0.65), 25
BIN_MS = 100
"""Counts of 100 ms: correlated by fluctuations slower than about 5 Hz."""
SOURCE = "design target, models' table M2; sign test"


class Found(NamedTuple):
    """What a tissue at rest does."""

    rate_hz: float
    """Mean of the excitatory neurons."""
    power: float
    """Of their rate, 1 to 9 Hz, Hz²/Hz."""
    multiple: float
    """The power over that of independent Poisson neurons, 2 rate / n."""
    correlation: float
    """Mean correlation of two excitatory neurons' counts."""


def reaches() -> Iterator[Row]:
    """One loss, two scales of description: f-I curve of the cell, rate and synchrony of the tissue."""
    import numpy as np

    from sim.cells import firing_rate

    drive = np.array([0.2, 0.3, 0.5, 0.7, 1.0])
    f, g = (firing_rate("pv", drive, scales={"na": scale}) for scale in (1.0, 0.65))
    told = f"{' '.join(f'{x:.0f}' for x in f)} → {' '.join(f'{x:.0f}' for x in g)} Hz"
    what = "pv, sodium ×1 → ×0.65: rate at 0.2, 0.3, 0.5, 0.7, 1 µA/cm²"
    yield holds("M2", what, "lower at each", told, bool((g < f).all()), source="Wang-Buzsáki membrane")

    found = np.array([[at_rest(seed, share) for share in SHARES] for seed in range(SEEDS)])
    mean = [" → ".join(f"{m:.3g}" for m in found[:, :, k].mean(axis=0)) for k in range(4)]
    rises = (found[:, :, 2:].mean(axis=0)[1:] > found[:, :, 2:].mean(axis=0)[:-1]).all()
    told = "" if rises else ": not monotone"
    beside = f"; without the rate: × independent {mean[2]}, correlation {mean[3]}{told}"
    steps = " → ".join(f"×{s:g}" for s in SHARES)
    for k, (name, unit) in enumerate((("mean excitatory rate", "Hz"), ("power of it, 1 to 9 Hz,", "Hz²/Hz"))):
        up = sum(all(a < b for a, b in itertools.pairwise(row)) for row in found[:, :, k])
        p = sum(math.comb(SEEDS, i) for i in range(up, SEEDS + 1)) / 2.0**SEEDS
        yield holds(
            "M2", f"PV sodium {steps} in the tissue: {name} rises at both steps", f"p < 0.01 over {SEEDS} seeds",
            f"{up} of {SEEDS}, p = {p:.2g}; {mean[k]} {unit}{beside if k else ''}", p < 0.01, source=SOURCE,
        )  # fmt: skip


def at_rest(seed: int, share: float, seconds: int = SECONDS) -> Found:
    """Run a tissue that does not learn with a ``share`` of its inhibitory neurons' sodium conductance."""
    import numpy as np

    from sim.circuits.tissue import Tissue

    tissue = Tissue(plastic=False)
    tissue.bind(seed)
    tissue.receive("nav11", np.array(share))
    second = round(1.0 / tissue.dt_s)
    tissue.step(second)
    _, counts, rates = tissue.step(seconds * second)
    n = tissue.anatomy_.n_exc
    rate = rates[:, 0].astype(float).reshape(seconds, 1000)
    spectrum = np.abs(np.fft.rfft(rate - rate.mean(axis=1, keepdims=True))) ** 2 * 2.0 / 1000.0**2
    power = float(spectrum[:, 1:10].mean())
    bins = counts[:, :n].reshape(-1, BIN_MS, n).sum(axis=1, dtype=float)
    active = bins[:, bins.var(axis=0) > 0.0]
    z = (active - active.mean(axis=0)) / active.std(axis=0)
    m = z.shape[1]
    correlation = ((z.sum(axis=1) ** 2).mean() / m - 1.0) / (m - 1.0)
    return Found(float(rate.mean()), power, power / (2.0 * float(rate.mean()) / n), float(correlation))


CHECKS: tuple[Check, ...] = (Check("M2", "Nav1.1 from the membrane to the circuit", 45.0, reaches),)
