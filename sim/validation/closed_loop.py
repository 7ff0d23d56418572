"""Acceptance figures of seizures that are detected and aborted, the closed-loop half of D-EP3.

One Epileptor, 0.01 s a unit, rests at x0 = -2.2; twice, 25 s apart, x0 is raised to -1.6 for 3 s, which sets off
one seizure each. Detector and train of pulses are those a recipe would name; what they may know is the local field
potential with an electrode's noise. The twin without stimulation has the same seed. When a seizure begins and ends is
read from the permittivity z, whose slope gives x1 without error: an experimenter's knowledge that no part of the loop
has. Settings were chosen on seeds 1 to 4; the rows report seeds 101 to 110.

Current of a cathodic train is taken as a negative addition to x1', one unit a milliampere: a convention, the model has
no electrode.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from bmi.signals import F64, AnyArray
from sim.validation import Check, Row, between, holds

SEEDS = tuple(range(101, 111))
PROVOKED_S, RAISED_S, SECONDS = (20.0, 45.0), 3.0, 70.0
RESTING, RAISED = -2.2, -1.6
NOISE, FIELD_SD = 0.03, 0.01
DETECTOR = {"on_z": 2.5, "off_z": 1.5, "on_s": 0.8, "off_s": 0.5, "votes": 2, "warmup_s": 15.0}
ABORT = {"amplitude_ma": 2.0, "train_s": 0.4, "rest_s": 2.0, "blank_s": 0.6, "detector": DETECTOR}
ON = ("abort-pulse", ABORT)
TWIN = "the same seed without stimulation"


class Bout(NamedTuple):
    """One seizure, s."""

    begin: float
    end: float


class Run(NamedTuple):
    """What one loop gave."""

    bouts: list[Bout]
    trains_s: F64
    """Onsets of the trains."""


def excitability(t: float) -> float:
    """Return x0 at a time, s."""
    return RAISED if any(p <= t < p + RAISED_S for p in PROVOKED_S) else RESTING


def run(seed: int, controller: tuple[str, Any] | None, seconds: float, x0: Callable[[float], float]) -> Run:
    """Run one loop and find its seizures and its trains."""
    from bmi.stimulus import StimulusProgram
    from sim.brain.epileptor import Epileptor
    from sim.disease.closed_loop import ClosedLoop

    component = Epileptor(noise=NOISE)
    loop = ClosedLoop(
        component=component, senses="lfp", stages=[("ictal", {})], controller=controller, port="stimulus",
        drive=lambda ma: [-ma], amplitude_limit_ma=4.0, field_sd=FIELD_SD, seed=seed,
        program=StimulusProgram(frequency_hz=130.0, pulse_us=200.0, electrode_area_mm2=6.0),
    )  # fmt: skip
    found = loop.run(seconds, lambda t: {"x0": [x0(t)]})
    held = np.repeat([x0(0.01 * k) for k in range(len(found.amplitude_ma))], 10)
    on = found.amplitude_ma > 0.0
    began = on & ~np.append(False, on[:-1])
    return Run(seizures(found.outputs["slow"][:, 0], held, component.unit_s), np.flatnonzero(began) * 0.01)


def seizures(z: AnyArray, x0: AnyArray, unit_s: float, *, apart_s: float = 1.0) -> list[Bout]:
    """Return when x1 = x0 + (z + 2857 z') / 4 was above 0, at 1 kHz; pauses shorter than ``apart_s`` do not count."""
    x1 = x0 + (z + 2857.0 * np.gradient(z, 1e-3 / unit_s)) / 4.0
    up = np.flatnonzero(x1 > 0.0) * 1e-3
    if not len(up):
        return []
    gaps = np.flatnonzero(np.diff(up) > apart_s)
    begins, ends = np.append(up[0], up[gaps + 1]), np.append(up[gaps], up[-1])
    return [Bout(float(a), float(b)) for a, b in zip(begins, ends, strict=True)]


def lengths(found: Run) -> list[float]:
    """Return time in seizure after each provocation, s."""
    edges = (*PROVOKED_S, SECONDS)
    return [sum(b.end - b.begin for b in found.bouts if low <= b.begin < high) for low, high in pairwise(edges)]


def false_trains(found: Run) -> int:
    """Count trains that began outside any seizure, half a second's grace after its end."""
    return sum(not any(b.begin <= t <= b.end + 0.5 for b in found.bouts) for t in found.trains_s)


def aborts() -> Iterator[Row]:
    """Provoked seizures with and without the loop."""
    pairs = [(run(s, None, SECONDS, excitability), run(s, ON, SECONDS, excitability)) for s in SEEDS]
    natural = np.array([lengths(free) for free, _ in pairs])
    treated = np.array([lengths(closed) for _, closed in pairs])
    about = f"{natural.size} provoked seizures, {len(SEEDS)} seeds"
    every = bool((natural > 2.0).all())
    yield holds("D-EP3", f"{about}, without stimulation each lasts", "over 2 s", f"{natural.min():.2f} s or more, "
                f"mean {natural.mean():.2f} s", every, source=TWIN)  # fmt: skip
    share = float((treated <= 0.5 * natural).mean())
    yield between("D-EP3", f"{about}, share shortened by half or more", 0.8, float("inf"), share, source=TWIN)
    left = treated.sum() / natural.sum()
    yield between("D-EP3", f"{about}, time in seizure, stimulated / not", 0.0, 0.5, left, unit="x", source=TWIN)
    delays = [
        t - b.begin for _, closed in pairs for b in closed.bouts for t in closed.trains_s if b.begin <= t <= b.end + 0.5
    ]
    yield between(
        "D-EP3", f"delay from onset to the train, the longest of {len(delays)}", 0.0, 2.0, max(delays), unit="s",
        source="onset by x1, see the module",
    )  # fmt: skip
    hours = len(SEEDS) * SECONDS / 3600.0
    wrong = sum(false_trains(closed) for _, closed in pairs)
    what = f"trains outside seizures, an hour, in {hours:.2f} simulated hours with seizures ({wrong})"
    yield between("D-EP3", what, 0.0, 1.0, wrong / hours, unit="/h", source="onset by x1, see the module")


def lasting() -> Iterator[Row]:
    """Seizures that come by themselves: each is cut short, and comes back the sooner."""
    seconds, seeds = 60.0, SEEDS[:5]

    def x0(t: float) -> float:
        return RESTING if t < PROVOKED_S[0] else RAISED

    pairs = [(run(s, None, seconds, x0), run(s, ON, seconds, x0)) for s in seeds]
    whole = np.mean([b.end - b.begin for free, _ in pairs for b in free.bouts if b.end < seconds - 1.0])
    cut = np.array([b.end - b.begin for _, closed in pairs for b in closed.bouts])
    about = f"x0 {RAISED:g} for good, {len(seeds)} seeds"
    yield between(
        "D-EP3", f"{about}, share of {len(cut)} seizures half as long as the natural {whole:.1f} s, or less", 0.8,
        float("inf"), float((cut <= 0.5 * whole).mean()), source="mean of the same seeds without stimulation",
    )  # fmt: skip
    free, closed = (sum(b.end - b.begin for pair in pairs for b in pair[k].bouts) for k in (0, 1))
    yield between(
        "D-EP3", f"{about}, time in seizure, stimulated / not", 0.0, 1.0, closed / free, unit="x", source=TWIN
    )
    wrong = sum(false_trains(found) for _, found in pairs)
    hours = len(seeds) * seconds / 3600.0
    what = f"{about}, trains outside seizures, an hour, in {hours:.3f} simulated hours ({wrong})"
    yield between("D-EP3", what, 0.0, 1.0, wrong / hours, unit="/h", source="onset by x1, see the module")


def quiet() -> Iterator[Row]:
    """False triggers of a region that has no seizures: nothing is stimulated until the first, so the loop is open."""
    from bmi.schema import make
    from bmi.signals import Chunk, StreamSpec
    from sim.brain.epileptor import Epileptor
    from sim.component import Noise
    from sim.disease.closed_loop import bound

    minutes, wrong = 7, 0
    for seed in SEEDS:
        component = Epileptor(noise=NOISE)
        component.bind(seed)
        n, steps = 60_000, round(60.0 / component.dt_s)
        stages, spec = bound(
            [("ictal", {})], StreamSpec(name="lfp", n_channels=1, rate_hz=1000.0, unit="1", max_samples=n)
        )
        control, field = make("controllers", *ON, "D-EP3"), Noise(seed, "field", n)
        control.bind(spec)
        for k in range(minutes):
            lfp = component.step(steps)[0] + FIELD_SD * field.normal(0, k)[:, None]
            t = (k * n + np.arange(1, n + 1)) / 1000.0
            chunk: Chunk | None = Chunk(np.ascontiguousarray(lfp, np.float32), t, float(t[-1]), k * n)
            for stage in stages:
                chunk = None if chunk is None else stage.step(chunk)
            if chunk is not None:
                control.told(0.0, float(t[0]))
                control.step(chunk)
        wrong += control.count_
    hours = len(SEEDS) * minutes / 60.0
    what = f"false triggers an hour at x0 = {RESTING:g}, noise {NOISE:g}, in {hours:.2f} simulated hours ({wrong})"
    yield between("D-EP3", what, 0.0, 1.0, wrong / hours, unit="/h", source="no seizure at this x0 (D-EP1)")


CHECKS: tuple[Check, ...] = (
    Check("D-EP3", "seizures detected and aborted", 14.0, aborts),
    Check("D-EP3", "seizures of a region that stays excitable", 6.0, lasting),
    Check("D-EP3", "false triggers without seizures", 20.0, quiet),
)
