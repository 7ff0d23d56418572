"""The law: what each part of the framework promises the others.

Protocols, not base classes: nothing here is inherited, everything is checked. The type checker reads
these; ``bmi.testing.check_*`` proves the behaviour; ``bind`` compares shapes, units and rates once, so
that ``step`` may trust everything afterwards.

Every part has the same life: the constructor says what it is (keyword-only, units in the names; it is
the schema of the recipe), ``bind`` says what it meets, ``step`` does, ``reset`` forgets state and keeps
parameters.

**State lives in arrays.** ``state()`` of anything bound returns the very arrays it mutates, in fixed order
and of fixed shape. Snapshot, restore and bit-exact replay follow from that without further code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np

from bmi.links import GuardLink
from bmi.signals import (
    F32,
    F64,
    AnyArray,
    Bundle,
    Chunk,
    Command,
    DeviceSpec,
    EffectorState,
    Event,
    Goal,
    Intent,
    IntentSpec,
    StreamSpec,
)
from bmi.stimulus import StimulusProgram

State: TypeAlias = "tuple[AnyArray, ...]"


@runtime_checkable
class Clock(Protocol):
    """The only place that asks what time it is."""

    def now(self) -> float:
        """Return seconds on the LSL clock, float64."""
        ...

    def sleep_until(self, t: float) -> None:
        """Return once ``now() >= t``; a manual clock jumps there."""
        ...


@runtime_checkable
class Source(Protocol):
    """Where chunks enter the program. A context manager: ``open`` acquires, ``close`` releases.

    A source that has something to tell has ``events() -> Sequence[Event]`` as well: what happened to the stream since
    the last call. Whoever reads the source writes it down.
    """

    @property
    def spec(self) -> StreamSpec:
        """What the stream promises; valid once open."""
        ...

    def open(self) -> None:
        """Find and connect the stream. Raises StreamNotFound with what *was* found."""
        ...

    def read(self, timeout_s: float) -> Chunk | None:
        """Return the next chunk in order, or None after ``timeout_s``. Raises StreamLost, StreamChanged."""
        ...

    def close(self) -> None:
        """Release the stream; idempotent."""
        ...


@runtime_checkable
class Stage(Protocol):
    """Chunk in, chunk out. No I/O, no clock, no await.

    At a gap (``chunk.n_lost_before > 0``) a stage resets, holds or masks, and its class attribute
    ``at_gap`` says which. A NaN of one channel stays with that channel; a stage that mixes channels (a common
    reference) says so with a class attribute ``mixes_channels = True``, and still makes no other channel NaN.
    """

    at_gap: str

    def bind(self, spec: StreamSpec) -> StreamSpec:
        """Fix channels, dtype and rate; allocate; call every kernel once. Raises ContractError."""
        ...

    def step(self, chunk: Chunk) -> Chunk | None:
        """Return the transformed chunk, or None while nothing is due (a bin not yet full)."""
        ...

    def state(self) -> State:
        """Return the arrays ``step`` mutates and depends on, always the same objects."""
        ...

    def reset(self) -> None:
        """Forget state, keep parameters: afterwards equal to freshly bound."""
        ...


Params: TypeAlias = "Any"
"""Learned values of a decoder: one immutable NamedTuple of float64 arrays of fixed shapes."""


@runtime_checkable
class Decoder(Protocol):
    """Features in, intent out.

    ``params_`` is one NamedTuple of arrays with shapes fixed by the constructor and the number of
    features. Replacing it between two steps is the whole hot-swap story.
    """

    params_: Params | None
    params_version: int
    y_: F64
    """Feature vector (n_features,) the last ``step`` used, all streams concatenated; for the learner."""

    def fit(self, Y: F64, X: F64, *, dt_s: float, groups: AnyArray | None = None) -> Decoder:
        """Calibrate offline on features ``Y`` (n, n_features) and kinematics ``X`` (n, n_dims).

        ``groups`` numbers the contiguous pieces (trials), so that nothing is learned across their seams.
        """
        ...

    def params_like(self, n_features: int) -> Params:
        """Return parameters of the shapes these settings have for ``n_features``; the values say nothing."""
        ...

    def cold_start(self, specs: Sequence[StreamSpec]) -> None:
        """Set parameters that decode to rest, for a learner to begin from."""
        ...

    def bind(self, specs: Sequence[StreamSpec]) -> IntentSpec:
        """Fix shapes for one feature stream each, primary first. Raises NotFittedError, ContractError."""
        ...

    def step(self, bundle: Bundle) -> Intent | None:
        """Decode one bundle: every row of the primary chunk in turn; return the newest intent."""
        ...

    def state(self) -> State: ...

    def reset(self) -> None: ...


@runtime_checkable
class Learner(Protocol):
    """Adapts a decoder's parameters during the session, in a process of its own."""

    def bind(self, decoder: Decoder, n_features: int, n_dims: int, dt_s: float) -> None:
        """Start from the decoder's parameters."""
        ...

    def observe(self, y: F64, intended: F64, t: float, position: F64 | None = None) -> None:
        """Take one feature vector (n_features,) with the intention estimated for it, (n_dims,) mm/s.

        ``position`` is where the effector was, (n_dims,) mm, for decoders whose features may be tuned to it.
        """
        ...

    def update(self) -> Params | None:
        """Return new parameters when a batch is complete, else None; ``bmi.guarding`` decides about them."""
        ...

    def revert(self, params: Params) -> None:
        """Go on from ``params``, the last good ones, and forget what was learned since they were made."""
        ...

    def finish(self) -> Params | None:
        """Return the parameters after what remains of the last batch, or None if nothing is left to learn from."""
        ...


@runtime_checkable
class Prior(Protocol):
    """Generative model the decoder may consult: dynamics and encoder. Pure functions."""

    def transition(self, x: F64, dt_s: float) -> F64: ...
    def rates(self, x: F64) -> F64: ...
    def linearize(self, x: F64) -> tuple[F64, F64]: ...
    def draw_session(self, rng: np.random.Generator, spec: StreamSpec) -> Any: ...
    def condition(self, recording: Any) -> Prior: ...


@runtime_checkable
class Device(Protocol):
    """Adapter that realises commands.

    ``state`` is one EffectorState updated in place. ``write`` returns what was really applied. ``stop``
    never raises, is idempotent and may be called from any thread.
    """

    @property
    def spec(self) -> DeviceSpec: ...
    @property
    def effector(self) -> EffectorState: ...
    def open(self) -> None: ...
    def calibrate(self) -> Mapping[str, Any]: ...
    def arm(self) -> None: ...
    def write(self, command: Command, now: float) -> F64: ...
    def read(self, now: float) -> EffectorState: ...
    def stop(self, reason: str) -> None: ...
    def recover(self) -> None: ...
    def close(self) -> None: ...
    def state(self) -> State:
        """Return the arrays a replay must restore (position, velocity, time ...)."""
        ...


@runtime_checkable
class Guarded(Protocol):
    """A Device that the guard process can stop alone; hardware must be one."""

    def guard_link(self) -> GuardLink:
        """Return an own link, valid from ``open`` to ``close``."""
        ...


@runtime_checkable
class ClickDecoder(Protocol):
    """Features in, probability of an intended selection out; runs beside the decoder on the same features."""

    params_: Params | None
    params_version: int

    def fit(self, Y: F64, clicked: AnyArray, *, dt_s: float, groups: AnyArray | None = None) -> ClickDecoder:
        """Calibrate on features ``Y`` (n, n_features) and whether a click was intended, (n,) bool."""
        ...

    def params_like(self, n_features: int) -> Params: ...
    def cold_start(self, specs: Sequence[StreamSpec]) -> None:
        """Set parameters that never select, for a learner to begin from."""
        ...

    def bind(self, specs: Sequence[StreamSpec]) -> None: ...
    def step(self, y: F64) -> float:
        """Take one feature vector (n_features,), NaN where missing; return the probability, 0 to 1."""
        ...

    def state(self) -> State: ...
    def reset(self) -> None: ...


@runtime_checkable
class Intention(Protocol):
    """What the user intended, estimated afterwards from what was asked and what happened: the learner's label."""

    def bind(self, n_dims: int) -> None: ...
    def estimate(self, goal: F64, radius: float, position: F64, decoded: F64, out: F64) -> F64:
        """Write the intended velocity (n_dims,), mm/s, into ``out`` and return it.

        Parameters
        ----------
        goal, position : (n_dims,) float64
            Centre of the target and effector, mm, at the time of the feature.
        radius : float
            Acceptance radius, mm.
        decoded : (n_dims,) float64
            What the decoder said, mm/s.
        """
        ...


@runtime_checkable
class Controller(Protocol):
    """Features of one stream in, the amplitude of a stimulus out: decides how much is wanted, never what is safe.

    A function of what it was told and shown. The stimulator does what the gate admits, not what is wanted: who leaves
    out what stimulation feeds into features (blanking) rests on what it is ``told``.
    """

    level_: float
    """What the last ``step`` measured, in a scale of its own; NaN if nothing. For the journal and for people."""

    def bind(self, spec: StreamSpec) -> IntentSpec:
        """Return ``IntentSpec(kind="level", dims=(name,), unit="mA", rate_hz=…)``; more than 12.5 a second."""
        ...

    def told(self, amplitude_ma: float, now: float) -> None:
        """Hear what the stimulator does at ``now``, mA. Called in every step before ``step``, and without one too."""
        ...

    def step(self, chunk: Chunk) -> Intent | None:
        """Take every row of the chunk in turn; return the newest intent, mean (1,) float64, mA, from 0 up.

        It has the times of the newest row. Without an opinion (warming up, NaN) it abstains, and the gate ramps down
        to zero; who wants things to stay says the same again.
        """
        ...

    def state(self) -> State: ...
    def reset(self) -> None: ...


class TrialResult(NamedTuple):
    """How one trial ended."""

    trial: int
    success: bool
    t_start_s: float
    acquire_s: float
    """From target onset to the entry that was held (success) or to the time-out."""
    path_mm: float
    distance_mm: float
    width_mm: float
    target: int


@runtime_checkable
class Task(Protocol):
    """Gives goals and scores them; serves live participants and simulated ones.

    A task whose attribute ``selects`` is True waits for clicks: a line without a click decoder refuses it, assist
    clicks for the participant, and what is seen of clicks can be learned from.
    """

    @property
    def goal(self) -> Goal: ...
    @property
    def n_targets(self) -> int: ...
    def bind(self, n_dims: int, rng: np.random.Generator) -> None: ...
    def step(self, now: float, position: F64, selected: bool = False) -> Goal:
        """Advance to ``now`` with the effector at ``position`` (n_dims,), mm; ``selected`` if a click passed."""
        ...

    def events(self) -> Sequence[Event]:
        """Return what happened since the last call, and forget it."""
        ...

    def results(self) -> Sequence[TrialResult]:
        """Return every trial ended since ``reset``."""
        ...

    def reset(self) -> None: ...


@runtime_checkable
class World(Protocol):
    """A simulated participant with electrodes: subject, user and their senses.

    Time is its own: it advances by whole samples. ``see`` may be called at any time and takes effect with
    the feedback delay of the user. Deterministic: chunking of ``draw`` never changes the samples.
    """

    @property
    def spec(self) -> StreamSpec: ...
    def bind(self, rng: np.random.Generator, t0: float) -> None: ...
    def see(self, t: float, effector: EffectorState, goal: Goal) -> None: ...
    def draw(self, n_samples: int) -> F32:
        """Return the next samples, (n_samples, n_channels) float32, in the stream's unit."""
        ...


@runtime_checkable
class ManyStreams(Protocol):
    """A World heard by several sensors at once: spikes, field potentials, EEG.

    All streams are pushed together; a session binds those its recipe names. A stream that nobody draws costs nothing
    and changes no other.
    """

    @property
    def specs(self) -> tuple[StreamSpec, ...]:
        """What each stream promises; the first is ``spec``, and pushes of all last the same time."""
        ...

    def draw_from(self, stream: int, n_samples: int) -> F32:
        """Return the next samples of the stream at that place in ``specs``, (n_samples, n_channels) float32."""
        ...


@runtime_checkable
class Stimulated(Protocol):
    """A World whose subject can be stimulated: the other end of a stimulator."""

    @property
    def sites(self) -> tuple[str, ...]:
        """Where current can be passed, e.g. ``("stn",)``; known before ``bind``."""
        ...

    def stimulate(self, t: float, site: str, amplitude_ma: float, program: StimulusProgram) -> None:
        """From ``t`` on pass pulses of ``amplitude_ma``, 0 for silence; told often, acts on what is not yet drawn."""
        ...


@runtime_checkable
class Sink(Protocol):
    """Where chunks leave the program; ``write`` returns at once and counts what it had to drop."""

    def write(self, stream: str, chunk: Chunk) -> None: ...
