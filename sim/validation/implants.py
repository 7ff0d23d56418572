"""Acceptance figures of ALS as a schedule of drift, D-ALS; how decoders fare under it is not asked here.

Neurons of a recorded population die with survival e^(-t / 600 d), and the mu rhythm fades likewise. The schedule is
compared with that law, and what an array records with the schedule: which neurons, and how many crossings of tuned
neurons that all fire alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from sim.validation import Check, Row, holds, near

LAW = "e^(-t / τ), identity"
DAYS = (0.0, 100.0, 300.0, 600.0, 1200.0)
SEED = 17


def schedule() -> Iterator[Row]:
    """Yield the schedule's values, that it only falls, and that nothing happens before onset."""
    from sim.disease.als import ALS

    als = ALS()
    for name in ("survival", "mu_amplitude"):
        tau = als.survival_days if name == "survival" else als.mu_days
        off = max(abs(_value(als, name, als.from_day + t) - math.exp(-t / tau)) for t in DAYS)
        yield near("D-ALS", f"{name} 0 to 1200 days after onset, largest difference", 0.0, off, 1e-12, source=LAW)
        course = np.array([_value(als, name, day) for day in np.arange(als.from_day, 2000.0)])
        rising = int((np.diff(course) >= 0.0).sum())
        yield holds("D-ALS", f"{name}: days on which it does not fall", "0", str(rising), rising == 0, source=LAW)
        before = {_value(als, name, day) for day in np.arange(-10.0, als.from_day + 0.5)}
        yield holds(
            "D-ALS", f"{name} up to onset", "1", ", ".join(f"{v:g}" for v in sorted(before)), before == {1.0},
            source="the healthy value, to the last bit",
        )  # fmt: skip


def _value(schedule: object, name: str, day: float) -> float:
    return float(schedule.at(day)[name])  # type: ignore[attr-defined]


def recorded() -> Iterator[Row]:
    """Yield the share of recorded tuned neurons alive, who they are, and their crossings."""
    from sim.disease.als import ALS
    from sim.sensors.array import Array

    n, tuned = 1500, np.arange(1200)
    array = Array(common_hz=0.0)
    array.bind(SEED, n_neurons=n, active=tuned, tuned=tuned)
    als = ALS(from_day=0.0)
    counts = (np.random.default_rng(SEED).random((3000, 10, n)) < 0.008).astype(np.float32)
    false_hz = float(array.heard().false_hz.mean())
    lost: set[int] = set()
    spike_hz, returned = 0.0, 0
    for day in DAYS:
        survival = _value(als, "survival", day)
        array.receive("survival", survival)
        heard = array.heard()
        gone = set(np.flatnonzero((heard.neuron < 0).ravel()).tolist())
        returned, lost = returned + len(lost - gone), gone
        alive = 1.0 - len(gone) / heard.neuron.size
        spread = 3.0 * math.sqrt(survival * (1.0 - survival) / heard.neuron.size)
        yield near(
            "D-ALS", f"recorded tuned neurons alive {day:g} days after onset", survival, alive, spread + 1e-12,
            source="schedule; 288 drawn from 1200 of which exactly the share survives, 3 SD",
        )  # fmt: skip
        hz = 1000.0 * float(np.mean([array.take(block).mean() for block in counts])) - false_hz
        expected = float(heard.detected.sum())
        if day == 0.0:
            spike_hz = hz / expected
            continue
        yield near(
            "D-ALS", f"their crossings {day:g} days after onset", spike_hz * expected, hz, 0.05, relative=True,
            unit="Hz a channel", source="detection probabilities of those alive, times what one gave on day 0; 30 s",
        )  # fmt: skip
    yield holds("D-ALS", "lost neurons that came back", "0", str(returned), returned == 0, source="nested")


CHECKS: tuple[Check, ...] = (
    Check("D-ALS", "survival and mu amplitude over days", 0.1, schedule),
    Check("D-ALS", "what an array still records", 3.0, recorded),
)
