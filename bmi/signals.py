"""The nouns on the wire: StreamSpec, Chunk, Intent, Command, and the state of the effector.

Time first: sample arrays are ``(n_samples, n_channels)``, C-order, float32; times are float64
seconds on the LSL clock of this machine. Arrays are borrowed: they belong to whoever made them and
hold until that part's next ``step``. Copy to keep, never write.

These classes are created on the live path, so they are plain slotted records: no validation, no
defaults computed, no hashing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from bmi.stimulus import StimulusProgram

F32: TypeAlias = npt.NDArray[np.float32]
F64: TypeAlias = npt.NDArray[np.float64]
I64: TypeAlias = npt.NDArray[np.int64]
AnyArray: TypeAlias = npt.NDArray[Any]

SEQ_LABEL = "bmi:seq"
"""Label of the sequence channel our own outlets append: sample number modulo 2**24, exact in float32."""
SEQ_MODULO = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSpec:
    """What a stream promises; fixed once a part is bound to it."""

    name: str
    """Name of the stream, unique in a recipe."""
    n_channels: int
    """Data channels; a sequence channel is not counted."""
    rate_hz: float
    """Nominal sampling rate; 0 for irregular streams."""
    unit: str
    """Unit of every channel, e.g. ``count``, ``µV``, ``z``, ``1``."""
    type: str = ""
    """LSL content type, e.g. ``spikes``, ``lfp``."""
    labels: tuple[str, ...] = ()
    """Channel labels; empty or ``n_channels`` long."""
    max_samples: int = 1
    """Longest chunk one ``step`` may bring; buffers are sized by it."""
    source_id: str = ""
    """LSL source id, stable across restarts of the sender."""
    hostname: str = ""
    """Where the stream comes from."""
    has_seq: bool = False
    """Whether samples are numbered by the sender, so that loss is counted exactly."""


@dataclass(slots=True, eq=False)
class Chunk:
    """Consecutive samples of one stream, travelling together.

    Attributes
    ----------
    data : (n_samples, n_channels) float32
        Samples in the stream's unit.
    t : (n_samples,) float64
        Time of each sample, s, LSL clock of this machine, not dejittered.
    t_arrival : float
        When the newest sample arrived here, s, same clock.
    seq : int
        Number of the first sample, counted since the stream was opened, lost samples included.
    n_lost_before : int
        Samples lost between the previous chunk and this one.
    """

    data: F32
    t: F64
    t_arrival: float
    seq: int = 0
    n_lost_before: int = 0

    def __len__(self) -> int:
        return len(self.data)


Bundle: TypeAlias = "tuple[Chunk | None, ...]"
"""What one step sees: one chunk or nothing for every bound stream, primary first."""

IntentKind: TypeAlias = Literal["continuous", "categorical", "level"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentSpec:
    """What a decoder promises to say."""

    dims: tuple[str, ...]
    """Name of each dimension, e.g. ``("x", "y")``."""
    unit: str
    """Unit of the mean, e.g. ``mm/s``."""
    kind: IntentKind = "continuous"
    """A point in a continuum, class log-probabilities, or a level: one amount from 0 up, in ``unit``."""
    rate_hz: float = 0.0
    """How often an intent comes, 1/s; 0 if irregular."""


@dataclass(slots=True, eq=False)
class Intent:
    """The decoder's estimate of what the user wants.

    Attributes
    ----------
    mean : (n_dims,) float64
        Expected value in the unit of the IntentSpec.
    cov : (n_dims, n_dims) float64
        Its covariance: how sure the decoder is.
    t : float
        Time of the newest sample it is based on, s.
    t_arrival : float
        When that sample arrived, s.
    params_version : int
        Version of the decoder parameters that made it.
    abstains : bool
        True if the decoder has no opinion; the gate then commands neutral.
    select : float
        Probability that the user intends to select what the effector points at (a click), 0 to 1; 0 without a
        click decoder.
    """

    mean: F64
    cov: F64
    t: float
    t_arrival: float
    params_version: int = 0
    abstains: bool = False
    select: float = 0.0


@dataclass(slots=True, eq=False)
class Goal:
    """What the task asks for right now; one object, updated in place by the task.

    Attributes
    ----------
    position : (n_dims,) float64
        Centre of the target in device units of position, mm.
    radius : float
        Acceptance radius, mm.
    active : bool
        False between trials: nothing is asked of the user.
    trial : int
        Number of the trial, from 0; -1 before the first.
    t_onset : float
        When this goal appeared, s.
    assist : float
        Share of the command that is not the user's now, 0 to 1: the user knows whether to steer or to watch.
    """

    position: F64
    radius: float = 0.0
    active: bool = False
    trial: int = -1
    t_onset: float = 0.0
    assist: float = 0.0


class GateState(IntEnum):
    """What the gate lets through."""

    DISARMED = 0
    """Nothing moves until armed."""
    NEUTRAL = 1
    """Armed, but the device is told to rest (stale, silent or abstaining)."""
    ACTIVE = 2
    """Commands pass, limited."""
    TRIPPED = 3
    """A safety rule latched; needs recovery and arming."""
    STOPPED = 4
    """STOP was pressed; latched."""


class GateFlag(IntFlag):
    """Why a command differs from its intent; a bit set."""

    NONE = 0
    STALE = 1
    """The newest sample was older than the limit."""
    SILENT = 2
    """No sample within the source watchdog."""
    FUTURE = 4
    """A sample was stamped in the future: a sender's clock jumped."""
    NOT_FINITE = 8
    """The intent held NaN or Inf."""
    ABSTAINED = 16
    """The decoder had no opinion."""
    SPEED = 32
    ACCELERATION = 64
    JERK = 128
    WORKSPACE = 256
    """Slowed to stay inside the workspace."""
    DEADMAN = 512
    """No command for the dead-man time."""
    STOP = 1024
    """STOP word or key."""
    NOT_ARMED = 2048
    AMPLITUDE = 4096
    """A stimulus was held to its amplitude limit, or to zero where less than nothing was wanted."""
    RAMP = 8192
    """Its amplitude goes no faster than the ramp."""
    CHARGE = 16384
    """It was held to what charge per phase, charge density or Shannon's line permit."""


@dataclass(slots=True, eq=False)
class Command:
    """What is sent to the effector after the gate.

    Attributes
    ----------
    values : (n_dims,) float64
        In the unit of the device's spec, inside every limit.
    t, t_arrival : float
        Time and arrival of the newest sample it rests on, s.
    t_command : float
        When the gate issued it, s.
    seq : int
        Number of the command, from 0.
    state : GateState
        State of the gate when it was issued.
    flags : int
        GateFlag bits: which limits acted.
    select : bool
        True in the one command that carries a selection (a click).
    """

    values: F64
    t: float
    t_arrival: float
    t_command: float
    seq: int
    state: int
    flags: int
    select: bool = False

    def age_s(self, now: float) -> float:
        """Age of the newest sample this command rests on, s: ``now - min(t, t_arrival)``."""
        return now - min(self.t, self.t_arrival)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSpec:
    """What a device can do; static, readable without hardware."""

    name: str
    dims: tuple[str, ...]
    """Name of each degree of freedom."""
    unit: str
    """Unit of a command, e.g. ``mm/s``."""
    position_unit: str = "mm"
    """Unit of the effector's position."""
    speed_limit: float = float("inf")
    """Largest command it takes, in ``unit``: a speed, or a stimulator's amplitude; the gate can only be stricter."""
    hardware: bool = False
    """True for things that can hurt: needs an explicit arm and a guard."""
    io: Literal["inline", "async", "thread", "process"] = "inline"
    """Where ``write`` may be called: inline on the live thread, or behind a latest-value mailbox."""
    stop_ms: float = 50.0
    """Worst-case time from ``stop`` to rest, ms."""
    program: StimulusProgram | None = None
    """What a stimulator's pulses are; its commands are amplitudes, mA. None: it moves something."""


@dataclass(slots=True, eq=False)
class EffectorState:
    """What the effector really does; one object, updated in place by the device.

    Attributes
    ----------
    position, velocity : (n_dims,) float64
        In the device's position unit and that unit per second. Of a device commanded in its position unit (a
        stimulator, mA) ``position`` is what it does now.
    t : float
        When it was so, s.
    """

    position: F64
    velocity: F64
    t: float = 0.0

    @classmethod
    def at_rest(cls, n_dims: int) -> EffectorState:
        """Return the state at the origin, not moving."""
        return cls(np.zeros(n_dims), np.zeros(n_dims), 0.0)


@dataclass(slots=True, eq=False)
class Event:
    """Something that happened once: a trial began, a limit tripped, a parameter changed."""

    t: float
    """LSL clock, s."""
    kind: str
    """Dotted name, e.g. ``trial.start``, ``trial.end``, ``block.start``, ``stream.lost``."""
    data: dict[str, Any] = field(default_factory=dict)
    """JSON-serialisable detail."""
