"""Acceptance figures of the search for a stimulation programme, C9 (iv).

The cost of a programme is the relay error index plus λ times its energy, frequency * amplitude² * width as a multiple
of the published programme's (130 Hz, 300 µA/cm², 300 µs). λ = 0.1 was chosen before the landscape was computed: along
the amplitudes stated for 130 Hz and 300 µs, 200 µA/cm² is best for λ between 0.009 and 0.39, and 0.1 is the round
number between.

The landscape is our own model's (``tests/oracles/own_dbs_landscape.py``): 8 frequencies, 7 amplitudes, 4 widths, 8
seeds of 3 s. The truth is the mean over its seeds; a trial returns the value of one of them, drawn anew. Trials give
the error; energy is computed. Programmes count as alike by frequency, charge a pulse and energy. Errors are counted,
so a trial's variance grows with its errors.

**What is optimal.** On the whole grid 100 Hz, 150 µA/cm², 450 µs, for every λ from 0.0009 to 0.27: a longer pulse does
with less amplitude. 200 µA/cm² is optimal only where the published width is given: with frequency free for λ from
0.003 to 0.67 (at 100 Hz, which takes less energy than 130, from 0.003 to 0.26), and at 130 Hz for λ from 0.003 to 0.37.
So the statement "finds about 200 µA/cm²" is tested at that width.

**What 5 % are of.** The best cost is 0.029, a twentieth of the range of costs, and the second best programme is 22 %
dearer: within 5 % of the best cost means the one best of 224. Within 5 % of the range means one of the best ten. Both
are reported, for searches 201 to 210. Of searches 2001 to 2100, run once when all was settled, 90 found the best, 99
one within 5 % of the range, and at the published width 100 found 200 µA/cm².

What a search needs to know was settled on searches 1 to 80 and 1001 to 1060 on this landscape, and could be less good
on another. Searches 201 to 210 had been looked at once before errors were counted: 9 and 10 of 10 then, and 8 at the
published width. Without features 21 of 40 found the best, with them and all trials as noisy 72 of 100; to repeat
trials, to end with repetitions, a floor at no error, roots and clipped errors did not help.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bmi.signals import F64, I64
from sim.validation import Check, Row, between, holds, near, stored

if TYPE_CHECKING:
    from sim.disease.search import Found

ENERGY_WEIGHT = 0.1
"""λ: what the energy of the published programme is worth in relay error."""
SEARCHES, TRIALS = tuple(range(201, 211)), 30
ONE_ERROR = 1.0 / 392.0
"""Of ten cells and the 39 pulses that the cortex sends in the 2.8 s that count."""
LIVE_SEED = 401
"""Of the patients of a search on the model itself, a new one a trial; none of them is in the landscape."""


class Programme(NamedTuple):
    """What a programmer sets."""

    frequency_hz: float
    density_ua_cm2: float
    width_s: float


PUBLISHED = Programme(130.0, 300.0, 300e-6)


def energy(programme: Programme) -> float:
    """Return frequency * amplitude² * width as a multiple of the published programme's."""
    f, density, width = (a / b for a, b in zip(programme, PUBLISHED, strict=True))
    return f * density**2 * width


def trial(programme: Programme, seed: int, *, seconds: float = 3.0) -> float:
    """Run the ill basal ganglia of ``seed`` under ``programme`` from the first step on; return the relay error."""
    from sim.basal_ganglia import DT_LIMIT_S, BasalGanglia
    from sim.relay import relay_error_index

    circuit = BasalGanglia()
    circuit.bind(seed)
    circuit.receive("dopamine_loss", np.array(1.0))
    circuit.receive("dbs", np.array([programme.density_ua_cm2, programme.frequency_hz, programme.width_s]))
    spikes, pulses, _, _ = circuit.step(round(seconds / DT_LIMIT_S))
    return relay_error_index(spikes, pulses, dt_s=DT_LIMIT_S, duration_s=seconds)


class Landscape(NamedTuple):
    """What every programme of a grid gives."""

    grid: F64
    """(n_rows, 3) programmes."""
    error: F64
    """(n_rows, n_seeds) relay error index."""
    seeds: I64
    """(n_seeds,)"""

    @property
    def energy(self) -> F64:
        """(n_rows,) as a multiple of the published programme's."""
        return np.array([energy(Programme(*row)) for row in self.grid])

    @property
    def cost(self) -> F64:
        """(n_rows,) of the mean over seeds."""
        found: F64 = self.error.mean(1) + ENERGY_WEIGHT * self.energy
        return found

    @property
    def features(self) -> F64:
        """(n_rows, 3) in what programmes are alike: place of the frequency, logarithms of charge and energy."""
        frequency, density, width = self.grid.T
        place = np.unique(frequency, return_inverse=True)[1]
        return np.column_stack([place, np.log(density * width), np.log(self.energy)])

    def only(self, kept: F64) -> Landscape:
        """Return the rows for which ``kept`` (n_rows,) is true."""
        return Landscape(self.grid[kept], self.error[kept], self.seeds)

    def search(self, seed: int, n: int, evaluate: Callable[[F64], float] | None = None) -> Found:
        """Search in ``n`` trials; a trial gives one of the stored seeds' errors, or what ``evaluate`` does."""
        from sim.disease.search import search

        rng = np.random.default_rng([seed, 1])

        def stored_error(row: F64) -> float:
            at = int(np.flatnonzero((self.grid == row).all(1))[0])
            return float(self.error[at, rng.integers(len(self.seeds))])

        return search(
            evaluate or stored_error, self.grid, n, seed, known=ENERGY_WEIGHT * self.energy, features=self.features,
            one=ONE_ERROR,
        )  # fmt: skip


@cache
def landscape() -> Landscape:
    """Return the stored landscape."""
    arrays = stored("dbs_landscape").arrays
    axes = np.meshgrid(*(arrays[k] for k in ("frequency_hz", "density_ua_cm2", "width_s")), indexing="ij")
    error = arrays["error"].astype(np.float64)
    return Landscape(np.column_stack([a.ravel() for a in axes]), error.reshape(-1, error.shape[-1]), arrays["seeds"])


def best() -> Iterator[Row]:
    """What there is to be found."""
    whole, own = landscape(), stored("dbs_landscape").source
    pulse = whole.only((whole.grid[:, [0, 2]] == [130.0, 300e-6]).all(1))
    k = int(pulse.cost.argmin())
    about = f"landscape, λ = {ENERGY_WEIGHT:g}, best amplitude at 130 Hz, 300 µs"
    density = pulse.grid[k, 1]
    yield near("C9", f"{about}, µA/cm²", 200.0, density, 0.0, source="stated")
    yield near("C9", f"{about}, energy", 0.44, pulse.energy[k], 0.005, source="stated; tolerance a half digit")
    error = pulse.error[k].mean()
    allowed = 3.0 * 0.0026 * (1 / 6 + 1 / 8) ** 0.5 + 0.0005
    what = f"{about}, relay error index, {len(whole.seeds)} seeds"
    yield near("C9", what, 0.005, error, allowed, source="stated; 3 standard errors of the difference, 6 and 8 seeds")
    k = int(whole.cost.argmin())
    error, fast = whole.error[k].mean(), bool(whole.grid[k, 0] >= 60.0)
    found = f"{said(whole.grid[k])}; cost {whole.cost[k]:.4f}, error {error:.4f}, energy {whole.energy[k]:.3f}"
    about = f"landscape, λ = {ENERGY_WEIGHT:g}, best of {len(whole.grid)}"
    yield holds("C9", about, "neither 20 nor 45 Hz", found, fast, source=own)


def said(programme: F64) -> str:
    """Return a programme in words."""
    frequency, density, width = programme
    return f"{frequency:g} Hz, {density:g} µA/cm², {1e6 * width:g} µs"


def searched() -> Iterator[Row]:
    """(iv) Ten searches of thirty trials."""
    whole = landscape()
    rows = [whole.search(seed, TRIALS).index for seed in SEARCHES]
    cost, least, span = whole.cost, float(whole.cost.min()), float(np.ptp(whole.cost))
    about = f"search, {TRIALS} of {len(whole.grid)} programmes tried, λ = {ENERGY_WEIGHT:g}"
    for what, share in (
        (f"cost at most 1.05 x the best, {least:.4f}: the one best programme", cost[rows] <= 1.05 * least),
        (f"cost at most the best + 5 % of the range, {span:.3f}", cost[rows] <= least + 0.05 * span),
    ):
        yield between("C9", f"{about}, searches of 10 with {what}", 9.0, 10.0, float(share.sum()), source="stated")
    slowest = float(whole.grid[rows, 0].min())
    yield between("C9", f"{about}, lowest frequency returned", 60.0, 185.0, slowest, unit="Hz", source="stated")
    worst = max(rows, key=lambda k: cost[k])
    cheap = float(whole.energy[rows].max())
    what = f"{about}, most energy returned; dearest returned: {said(whole.grid[worst])}, cost {cost[worst]:.4f}"
    yield between("C9", what, 0.0, 0.5, cheap, source="about 0.44, stated")


def published_width() -> Iterator[Row]:
    """Frequency and amplitude at the published width: there 200 µA/cm² are to be found."""
    whole = landscape()
    plane = whole.only(whole.grid[:, 2] == 300e-6)
    rows = [plane.search(seed, TRIALS).index for seed in SEARCHES]
    about = f"search at 300 µs, {TRIALS} of {len(plane.grid)} programmes tried, λ = {ENERGY_WEIGHT:g}"
    hits = float((plane.grid[rows, 1] == 200.0).sum())
    yield between("C9", f"{about}, searches of 10 that return 200 µA/cm²", 9.0, 10.0, hits, source="stated")
    slowest = float(plane.grid[rows, 0].min())
    yield between("C9", f"{about}, lowest frequency returned", 60.0, 185.0, slowest, unit="Hz", source="stated")


def live() -> Iterator[Row]:
    """One search in which every trial is a run of the model, on a patient of its own."""
    whole = landscape()
    patients = iter(range(LIVE_SEED, LIVE_SEED + TRIALS))
    found = whole.search(LIVE_SEED, TRIALS, lambda row: trial(Programme(*row), next(patients)))
    returned = said(whole.grid[found.index])
    about = f"search on the model itself, {TRIALS} patients x 3 s, λ = {ENERGY_WEIGHT:g}, returns {returned}"
    excess = float((whole.cost[found.index] - whole.cost.min()) / np.ptp(whole.cost))
    what = f"{about}, cost on the landscape above the best, as a share of the range"
    yield between("C9", what, 0.0, 0.05, excess, source="stated")
    frequency = float(whole.grid[found.index, 0])
    yield between("C9", f"{about}, frequency", 60.0, 185.0, frequency, unit="Hz", source="stated")


CHECKS: tuple[Check, ...] = (
    Check("C9", "the landscape a search is measured against", 0.1, best),
    Check("C9", "search for a programme", 8.0, searched),
    Check("C9", "search at the published width", 8.0, published_width),
    Check("C9", "search on the model itself", 8.0, live),
)
