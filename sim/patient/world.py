"""The patient as a simulated participant: what a session reads, steers and stimulates.

Four streams leave: spikes, field potentials and EEG of the motor cortex's side, and the field at the deep lead.
A stream is an output of the patient that a sensor measures; a privileged one is refused. The user intends, the
patient's brain does with it what its health allows, and reward follows progress as in ``sim.tissue_world``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.registry import nearest
from bmi.signals import F32, F64, EffectorState, Goal, StreamSpec
from bmi.stimulus import StimulusProgram
from sim import GRID_S
from sim.circuits.fast_spiking import with_sodium
from sim.disease.options import OPTIONS, PRESETS, timeline
from sim.patient.patient import Patient
from sim.patient.theta import slow
from sim.preparation import Preparation
from sim.tissue_world import Progress
from sim.user import User

SETTLE_S = 2.0
"""The patient lives for so long before a session, and forgets how it was started."""
STREAMS = {"m1": ("spikes", "spikes"), "lfp": ("lfp", "lfp"), "eeg": ("eeg", "EEG"), "bg": ("field", "lfp")}
"""Name of each stream: the patient's output, and its content type."""
SITES = ("stn", "focus")
LATE = 64
"""Blocks a stream that nobody draws may lie behind the others; older ones are forgotten."""


@dataclass(kw_only=True)
class PatientWorld:
    """VP-01 with a task in mind.

    *Realtime*: a block of 10 ms takes some 3 ms of one core.
    """

    chunk_s: Annotated[float, Gt(0)] = 0.01
    """Samples of every stream pushed together, s: a whole number of 10 ms."""
    patient: Patient = field(default_factory=Patient)
    user: User = field(default_factory=User)
    """The person."""
    reward: Annotated[float, Ge(0)] = 0.05
    """Reward per unexpected progress, in units of the user's speed; 0 leaves synapses to homeostasis."""
    theta: dict[str, float] = field(default_factory=dict)
    """Slow parameters that are not at their baseline."""
    theta_from_s: Annotated[float, Ge(0)] = 0.0
    """Since when in the session, s; until then they are what ``scenario`` says."""
    scenario: str = "healthy"
    """Course of illness and ageing: an option of ``sim.disease.options``."""
    day: Annotated[float, Ge(0)] = 0.0
    """Days since implantation at the session's begin."""
    days_per_s: Annotated[float, Ge(0)] = 0.0
    """How fast patient days pass during it; slow parameters follow once a second."""

    def __post_init__(self) -> None:
        known = [*PRESETS, *OPTIONS]
        if self.scenario not in known:
            raise ContractError(
                f"scenario: there is none called {self.scenario!r}{nearest(self.scenario, known)}; there are "
                f"{', '.join(dict.fromkeys(known))}"
            )
        for name in self.theta:
            slow(name)

    @property
    def name(self) -> str:
        """Of the first stream."""
        return next(iter(STREAMS))

    @property
    def n_dims(self) -> int:
        """Dimensions of the movement."""
        return self.patient.n_dims

    @property
    def sites(self) -> tuple[str, ...]:
        """Where the patient can be stimulated."""
        return SITES

    @property
    def spec(self) -> StreamSpec:
        """What the first stream promises."""
        return self.specs[0]

    @property
    def specs(self) -> tuple[StreamSpec, ...]:
        """What every stream promises.

        Raises
        ------
        ContractError
            If a push is no whole number of blocks.
        """
        if abs(self.chunk_s / GRID_S - round(self.chunk_s / GRID_S)) > 1e-9:
            raise ContractError(f"PatientWorld: chunk_s is {self.chunk_s:g} s, expected a whole number of 0.01 s")
        return tuple(stream(self.patient, name, *of, self.chunk_s) for name, of in STREAMS.items())

    def bind(self, rng: np.random.Generator, t0: float) -> None:
        """Begin a session whose first sample is at ``t0``, s.

        Raises
        ------
        ContractError
            If the patient cannot be drawn, or a slow parameter is not sound.
        """
        person, session = rng.spawn(2)
        seed = int(session.integers(2**31))
        self._rows = [p.name for p in self.patient.outputs]
        self._specs = self.specs
        self.preparation = Preparation(self.patient, seed)
        self._timeline = timeline(self.scenario, self.patient.brain.connectome_)
        if "nav11" in self.theta:  # fitted now, not in the middle of the session
            fast_spiking_at(self.patient, self.theta["nav11"])
        self._waits = self.theta_from_s > 0.0
        self._age(self.day, given=not self._waits)
        self.preparation.advance_s(SETTLE_S)
        self._t0_s = self.preparation.t_s
        self.user.bind(person, n_dims=self.n_dims, t0=t0)
        self._progress = Progress(self.user.speed_mm_s)
        self._kept: list[deque[F32]] = [deque(maxlen=LATE) for _ in self._specs]
        self._at = [0] * len(self._specs)
        self.truth: dict[str, F32] = {}
        """What the last 10 ms of every output were, privileged ones as well: for an experimenter, never a stream."""

    def _age(self, day: float, *, given: bool) -> None:
        """Set the slow parameters to those of ``day``: the scenario's and, if ``given``, ``theta`` over them."""
        wanted = self._timeline.at(day)
        for name, value in self.theta.items() if given else ():
            wanted[name] = np.broadcast_to(np.asarray(value, np.float64), wanted[name].shape)
        for name, value in wanted.items():
            self.preparation.give(name, self.preparation.t_s, value)

    @property
    def intended(self) -> F64:
        """Velocity the user intends now, (n_dims,), mm/s: what a decoder would ideally say; borrowed."""
        return self.user.intended

    @property
    def intended_click(self) -> float:
        """1 while the user intends a click, else 0."""
        return self.user.intended_click

    def see(self, t: float, effector: EffectorState, goal: Goal) -> None:
        """Show the user the effector and the goal as they are at ``t``, s."""
        self.user.see(t, effector, goal)

    def stimulate(self, t: float, site: str, amplitude_ma: float, program: StimulusProgram) -> None:
        """Let a stimulator do so from the next block on.

        Raises
        ------
        ContractError
            If there is no such site.
        """
        if site not in SITES:
            near = nearest(site, list(SITES))
            raise ContractError(f"PatientWorld: has no site {site!r}{near}; its sites are {', '.join(SITES)}")
        now = self.preparation.t_s
        if site == "stn":
            train = np.array([amplitude_ma, program.frequency_hz, 1e-6 * program.pulse_us])
            self.preparation.give("stn", now, train if amplitude_ma else np.zeros(3))
        else:
            sign = 1.0 if program.polarity == "cathodic" else -1.0
            self.preparation.give("focus", now, sign * amplitude_ma)

    def draw(self, n_samples: int) -> F32:
        """Return the next samples of the first stream, (n_samples, n_channels) float32; the caller's to keep."""
        return self.draw_from(0, n_samples)

    def draw_from(self, stream: int, n_samples: int) -> F32:
        """Return the next samples of the stream at that place in ``specs``; the caller's to keep."""
        out = np.empty((n_samples, self._specs[stream].n_channels), np.float32)
        kept, done = self._kept[stream], 0
        while done < n_samples:
            if not kept:
                self._block()
            rows, at = kept[0], self._at[stream]
            n = min(n_samples - done, len(rows) - at)
            out[done : done + n] = rows[at : at + n]
            done += n
            self._at[stream] = at + n
            if at + n == len(rows):
                kept.popleft()
                self._at[stream] = 0
        return out

    def _block(self) -> None:
        """Let the user intend and the patient live for 10 ms."""
        preparation, user = self.preparation, self.user
        now = preparation.t_s
        passed = round(now - self._t0_s, 6)
        begins = self._waits and passed >= self.theta_from_s
        self._waits = self._waits and not begins
        if begins or (self.days_per_s and passed == round(passed)):
            self._age(self.day + self.days_per_s * passed, given=not self._waits)
        preparation.give("velocity", now, user.step())
        preparation.give("click", now, user.intended_click)
        if self.reward:
            preparation.give("reward", now, self.reward * self._progress.step(user.seen, user.asked))
        self.truth = preparation.advance_s(GRID_S)
        for kept, (output, _) in zip(self._kept, STREAMS.values(), strict=True):
            kept.append(self.truth[output])


def fast_spiking_at(patient: Patient, sodium: float) -> None:
    """Fit the tissue's fast-spiking neurons for a sodium conductance, which takes a second; it is remembered."""
    with_sodium(patient.tissue.inhibitory, sodium)


def stream(patient: Any, name: str, output: str, kind: str, chunk_s: float) -> StreamSpec:
    """Return what a stream of the patient's ``output`` promises.

    Raises
    ------
    ContractError
        If there is no such output, or no sensor measures it: truth never becomes a stream.
    """
    ports: Mapping[str, Any] = {p.name: p for p in patient.outputs}
    sensed = ", ".join(p.name for p in ports.values() if p.sensed)
    if output not in ports:
        raise ContractError(f"{patient.name}: has no output {output!r}; sensors measure {sensed}")
    port = ports[output]
    if not port.sensed:
        raise ContractError(
            f"{patient.name}.{output} is privileged: no sensor measures it, so no decoder may see it; publish one of "
            f"{sensed}"
        )
    n = port.shape[0]
    return StreamSpec(
        name=name, type=kind, n_channels=n, rate_hz=port.rate_hz, unit=port.unit, labels=patient.labels(output),
        max_samples=round(chunk_s * port.rate_hz), source_id=f"sim-patient-{patient.name}-{name}",
    )  # fmt: skip
