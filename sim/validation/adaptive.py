"""Acceptance figures of adaptive deep brain stimulation, C9.

The signal is the synaptic output of the internal pallidum with an electrode's noise, the feature its beta power, 13 to
35 Hz, in relation to its gamma power, 60 to 120 Hz, the loop that of ``sim.disease.closed_loop``: features and
controllers by name, the gate's ramp of the whole amplitude in 250 ms, blocks of 10 ms. 100 µA/cm² of the published
stimulus stand for 1 mA.

**What makes sensing honest.** Stimulation at 130 Hz changes the very signal it is steered by: it silences the beta of
the pallidum in health and illness, and its on- and offset ring in every band. So features count only where the
stimulator has been silent for 0.65 s, 0.15 s for tissue and filter and 0.5 s for the window of the power, and the
controller pauses every 10 s to look. Beyond the first look it averages, up to 3 s, so that a healthy network is seldom
taken for an ill one twice. Beta alone was tried first: its windows of half a second overlap so much between health and
illness (d' 1.4, the ratio 2.6) that looks had to be long, and seeds not seen before missed (i) with 0.068.

Band, windows, thresholds and times were chosen on seeds 1 to 10 and 101 to 105 and written down here; the rows report
seeds 201 to 205. The landscape's tolerances are three standard errors of the difference of two means of six, 3 SD
sqrt(2 / 6), plus half the last printed digit; SD was measured over seeds 1 to 12 before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from bmi.signals import F64
from sim.validation import Check, Row, between, holds, near

SEEDS = tuple(range(201, 206))
CONSTANT_S, CYCLE_S, SHAM_S, CONTINUOUS_S = 30.0, 40.0, 24.0, 10.0
SHAM_PERIOD_S = 8.0
DBS_HZ, DBS_WIDTH_S, FULL_MA, DENSITY_PER_MA = 130.0, 300e-6, 3.0, 100.0
FEATURES = [("band-ratio", {"low_hz": 13.0, "high_hz": 35.0, "reference_low_hz": 60.0, "reference_high_hz": 120.0})]
FIELD_SD = 0.02
THRESHOLD = 0.35
"""ln of beta over gamma: a little beyond the middle between health (-0.14) and illness (0.67)."""
LOOK = {"amplitude_ma": FULL_MA, "on_s": 10.0, "blank_s": 0.65, "smooth_s": 3.0}
CONTROLLERS: dict[str, tuple[str, dict[str, Any]]] = {
    "threshold": ("beta-threshold", {**LOOK, "threshold": THRESHOLD}),
    "proportional": ("proportional", {**LOOK, "low": -0.15, "high": 0.6, "least_ma": 2.0}),
}
LANDSCAPE = "throwaway code on the model of So, Kent & Grill 2012, recomputed"
DUTY = {0.0: (0.33, 0.0726), 0.25: (0.273, 0.0359), 0.5: (0.202, 0.0167), 0.75: (0.081, 0.0221), 0.9: (0.040, 0.0128)}
"""Share of every 400 ms under 300 µA/cm² at 130 Hz: error index as stated, its SD over seeds."""
AMPLITUDE = {
    30.0: (0.287, 0.0432), 60.0: (0.163, 0.0181), 100.0: (0.157, 0.0283), 150.0: (0.133, 0.0185),
    200.0: (0.005, 0.0026), 300.0: (0.0, 0.0006),
}  # fmt: skip
"""Of continuous stimulation at 130 Hz, µA/cm²."""


class Figures(NamedTuple):
    """Of one loop, a value a seed."""

    error: F64
    """Relay error index."""
    on: F64
    """Share of the time under current."""
    energy: F64
    """Mean square of the amplitude, as a share of continuous stimulation's."""
    lag_s: F64
    """From the newest sample of the block that decided to the first current, the longest, and computing time (p99)."""


def pulses(ma: float) -> tuple[float, float, float]:
    """Return amplitude, rate and width of the published stimulus for a current, mA."""
    return (DENSITY_PER_MA * ma, DBS_HZ, DBS_WIDTH_S) if ma > 0.0 else (0.0, 0.0, 0.0)


def closed(seed: int, controller: tuple[str, dict[str, Any]]) -> Any:
    """Return a loop around the basal ganglia."""
    from bmi.stimulus import StimulusProgram
    from sim.basal_ganglia import BasalGanglia
    from sim.disease.closed_loop import ClosedLoop

    return ClosedLoop(
        component=BasalGanglia(), senses="gpi_synapse", stages=FEATURES, controller=controller, port="dbs",
        drive=pulses, amplitude_limit_ma=FULL_MA, field_sd=FIELD_SD, seed=seed,
        program=StimulusProgram(frequency_hz=DBS_HZ, pulse_us=300.0, electrode_area_mm2=6.0),
    )  # fmt: skip


def ill(t: float) -> float:
    """Return the loss of dopamine of constant illness."""
    return 1.0


def medicated(t: float) -> float:
    """Return the loss of dopamine of a medication cycle: half of it with, half without."""
    return float(t % CYCLE_S >= 0.5 * CYCLE_S)


def figures(controller: tuple[str, dict[str, Any]], seconds: float, loss: Callable[[float], float]) -> Figures:
    """Run every seed."""
    from sim.relay import relay_error_index

    found = []
    for seed in SEEDS:
        loop = closed(seed, controller)
        course = loop.run(seconds, lambda t: {"dopamine_loss": loss(t)})
        out, ma = course.outputs, course.amplitude_ma
        error = relay_error_index(out["spikes"], out["smc"], dt_s=loop.component.dt_s, duration_s=seconds)
        looked = np.flatnonzero(np.isfinite(course.level))
        begins = np.flatnonzero((ma[1:] > 0.0) & (ma[:-1] == 0.0)) + 1
        lag = max((float(b - 1 - looked[looked < b].max()) for b in begins if (looked < b).any()), default=0.0)
        late = 0.01 * lag + float(np.quantile(course.wall_s, 0.99))
        found.append((error, (ma > 0.0).mean(), (ma**2).mean() / FULL_MA**2, late))
    return Figures(*(np.array(column) for column in zip(*found, strict=True)))


@cache
def constant(name: str) -> Figures:
    """Return figures of constant illness."""
    return figures(CONTROLLERS[name], CONSTANT_S, ill)


def steady() -> Iterator[Row]:
    """(i) Constant illness: adaptive stimulation does as continuous, and saves little."""
    for name in CONTROLLERS:
        found, about = constant(name), f"constant illness, {name}, mean of {len(SEEDS)} seeds x {CONSTANT_S:g} s"
        yield between("C9", f"{about}, relay error index", 0.0, 0.05, found.error.mean(), source="stated")
        yield between("C9", f"{about}, share of time on", 0.0, 0.95, found.on.mean(), source="stated")


def cycle() -> Iterator[Row]:
    """(ii) A medication cycle: on when it is needed."""
    continuous = figures(("constant", {"amplitude_ma": FULL_MA}), CONTINUOUS_S, lambda t: medicated(4.0 * t))
    worst = float(continuous.error.mean())
    for name, controller in CONTROLLERS.items():
        found = figures(controller, CYCLE_S, medicated)
        about = f"medication cycle, {name}, mean of {len(SEEDS)} seeds x {CYCLE_S:g} s"
        yield between("C9", f"{about}, share of time on", 0.0, 0.65, found.on.mean(), source="stated")
        yield between(
            "C9", f"{about}, relay error index; continuous {worst:.4f}", 0.0, worst + 0.05, found.error.mean(),
            source="continuous stimulation + 0.05, stated",
        )  # fmt: skip


def sham_ma(t: float) -> float:
    """Return the amplitude of sham stimulation, mA: 4 s on, 4 s off whatever the brain does, with the gate's ramp."""
    phase, ramp = t % SHAM_PERIOD_S, FULL_MA / 0.25
    return min(max(min(phase * ramp, (4.0 - phase) * ramp), 0.0), FULL_MA)


def sham() -> Iterator[Row]:
    """(iii) A healthy network that is stimulated anyway must not look ill."""
    blanked, naive = [], []
    name, settings = CONTROLLERS["threshold"]
    for seed in SEEDS:
        for controller, levels in (
            ((name, {**settings, "threshold": 1e3}), blanked), (("constant", {"amplitude_ma": 0.0}), naive),
        ):  # fmt: skip
            course = closed(seed, controller).run(SHAM_S, lambda t: {"dopamine_loss": 0.0}, open_loop=sham_ma)
            levels.append(course.level.reshape(-1, round(SHAM_PERIOD_S / 0.01)))
    looks, switched = np.concatenate(blanked).ravel(), np.concatenate(naive)[1:, :60].ravel()
    looks, switched = looks[np.isfinite(looks)], switched[np.isfinite(switched)]
    about = f"healthy, sham stimulation 4 s in 8, {len(SEEDS)} seeds x {SHAM_S:g} s, share above threshold"
    crossed = float((looks >= THRESHOLD).mean())
    yield between("C9", f"{about}, where the controller looks ({len(looks)} rows)", 0.0, 0.05, crossed, source="stated")
    trap = float((switched >= THRESHOLD).mean())
    what = f"{about}, 0.6 s after switching on, if it did look there"
    yield holds("C9", what, "more than 0.05: the trap", f"{trap:.3f}", trap > 0.05, source="own twin")


def latency() -> Iterator[Row]:
    """(v) From sample to current."""
    worst = float(constant("threshold").lag_s.max())
    what = "from the oldest sample of the block that decided to the first current, with computing time (p99)"
    yield between("C9", what, 0.0, 20.0, 1e3 * (worst + 0.01), unit="ms", source="block + 10 ms, stated")


def error(seed: int, density: float, duty: float, *, seconds: float = 5.0, dt_s: float = 25e-6) -> float:
    """Return the error index of an open loop: a share of each 400 ms under a current density, µA/cm²."""
    from sim.basal_ganglia import BasalGanglia
    from sim.relay import relay_error_index

    circuit, shown = BasalGanglia(dt_s=dt_s), []
    circuit.bind(seed)
    circuit.receive("dopamine_loss", np.array(1.0))
    for k in range(round(seconds / 0.02)):
        on = k % 20 < round(20.0 * duty) and density > 0.0
        circuit.receive("dbs", np.array([density, DBS_HZ, DBS_WIDTH_S]) if on else np.zeros(3))
        shown.append([rows.copy() for rows in circuit.step(round(0.02 / dt_s))[:2]])
    spikes, smc = (np.concatenate(rows) for rows in zip(*shown, strict=True))
    return relay_error_index(spikes, smc, dt_s=dt_s, duration_s=seconds)


def landscape() -> Iterator[Row]:
    """What stimulation that does not listen would give."""
    seeds = range(101, 107)
    for what, density, duty, (target, spread) in (
        *((f"{100 * duty:g} % of each 400 ms at 300 µA/cm²", 300.0, duty, t) for duty, t in DUTY.items()),
        *((f"{density:g} µA/cm² all the time", density, 1.0, t) for density, t in AMPLITUDE.items()),
    ):
        obtained = float(np.mean([error(seed, density, duty) for seed in seeds]))
        allowed = 3.0 * spread * (2.0 / 6.0) ** 0.5 + 0.0005
        yield near(
            "C9", f"relay error index, 130 Hz, {what}, 6 seeds x 5 s", target, obtained, allowed, source=LANDSCAPE
        )


CHECKS: tuple[Check, ...] = (
    Check("C9", "adaptive stimulation, constant illness", 20.0, steady),
    Check("C9", "adaptive stimulation, medication cycle", 30.0, cycle),
    Check("C9", "sham stimulation of a healthy network", 17.0, sham),
    Check("C9", "latency of the loop", 1.0, latency),
    Check("C9", "duty and amplitude of stimulation that does not listen", 20.0, landscape),
)
