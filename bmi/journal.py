"""What one step needs to be repeated, as one fixed-size record.

Every field is eight bytes wide, little-endian. A record holds all inputs of the step (which samples, the
single ``now``, parameter version, goal, assist, arming, STOP, effector before) and its outputs (what was
decoded, intended, commanded, applied), so that a replay feeds the first and compares the second bit by bit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from bmi.signals import F64, I64, Bundle, Command, Event, Goal, Intent


def step_dtype(n_streams: int, n_dims: int) -> np.dtype[np.void]:
    """Return the record type of the ``/steps`` ring for ``n_streams`` inlets and ``n_dims`` dimensions."""
    s, d = (n_streams,), (n_dims,)
    return np.dtype(
        [
            # --- integers -------------------------------------------------------------------------
            ("step", "<i8"),
            ("block", "<i8"),  # index into the recipe's blocks
            ("trial", "<i8"),  # goal.trial
            ("goal_active", "<i8"),
            ("params_version", "<i8"),
            ("has_intent", "<i8"),  # 1 if the decoder spoke in this step
            ("abstains", "<i8"),
            ("arm_word", "<i8"),  # input: operator wants it armed
            ("stop_word", "<i8"),  # input: STOP is pressed
            ("gate_state", "<i8"),  # GateState after the step
            ("gate_flags", "<i8"),  # GateFlag bits of this step's command
            ("command_seq", "<i8"),  # -1 if no command was written in this step
            ("decode_ns", "<i8"),  # chunk in hand -> intent
            ("gate_ns", "<i8"),  # -> command
            ("write_ns", "<i8"),  # -> device.write returned
            ("select", "<i8"),  # 1 in the step whose command selects
            ("n_samples", "<i8", s),  # per stream, samples consumed in this step
            ("seq", "<i8", s),  # per stream, number of the first of them
            ("n_lost", "<i8", s),  # per stream, lost before it
            # --- times, s, LSL clock --------------------------------------------------------------
            ("now", "<f8"),
            ("t", "<f8"),  # newest sample the command rests on
            ("t_arrival", "<f8"),
            ("t_written", "<f8"),  # when device.write returned; t_written - min(t, t_arrival) is the age
            ("goal_onset", "<f8"),
            ("arrival", "<f8", s),  # per stream
            ("clock_offset", "<f8", s),  # per stream, already added to t
            # --- kinematics -----------------------------------------------------------------------
            ("assist", "<f8"),
            ("goal_radius", "<f8"),
            ("decoded_select", "<f8"),  # probability of an intended click, as decoded
            ("intended_select", "<f8"),  # after assist
            ("goal", "<f8", d),
            ("position", "<f8", d),  # effector before the step
            ("velocity", "<f8", d),
            ("decoded", "<f8", d),  # what the decoder said
            ("intended", "<f8", d),  # after assist, before the gate
            ("command", "<f8", d),  # after the gate
            ("applied", "<f8", d),  # what the device says it did
            ("cov", "<f8", (n_dims, n_dims)),
        ]
    )


def sample_dtype(n_channels: int) -> np.dtype[np.void]:
    """Return the record type of a ``/samples/<stream>`` ring: one row a sample."""
    return np.dtype([("t", "<f8"), ("arrival", "<f8"), ("seq", "<i8"), ("data", "<f4", (n_channels,))])


def feature_dtype(n_features: int, n_dims: int) -> np.dtype[np.void]:
    """Return the record type of the ``/features`` ring, what the learner sees."""
    return np.dtype(
        [
            ("step", "<i8"),
            ("block", "<i8"),
            ("learn", "<i8"),  # 1 if the label may be learned from
            ("asked", "<i8"),  # 1 if there was a goal, and time to react to it
            ("select", "<i8"),  # label: 1 a click was intended, 0 none, -1 not known
            ("t", "<f8"),
            ("radius", "<f8"),  # of the goal, mm
            ("intended", "<f8", (n_dims,)),  # goal-directed intention
            ("goal", "<f8", (n_dims,)),
            ("position", "<f8", (n_dims,)),  # effector before the step
            ("decoded", "<f8", (n_dims,)),  # what the decoder said
            ("y", "<f8", (n_features,)),
        ]
    )


EVENT_DTYPE = np.dtype([("t", "<f8"), ("text", "S1016")])
"""Record type of an event ring: time and one JSON object ``{"kind": …, …}``, NUL padded."""


def event_text(event: Event) -> bytes:
    """Return what an event ring keeps of an event: whole JSON, of which too many words are cut (``cut`` says so)."""
    data = {"kind": event.kind, **event.data}
    text = json.dumps(data).encode()
    while (over := len(text) - EVENT_DTYPE["text"].itemsize) > 0:
        data["cut"] = True
        key = max((k for k in data if k not in ("kind", "cut")), key=lambda k: len(json.dumps(data[k])))
        value = data[key]
        size = len(json.dumps(value))
        keep = int(len(value) * (1.0 - (over + 16) / size)) if isinstance(value, str) else 0
        data[key] = value[:keep] if keep > 0 else None
        text = json.dumps(data).encode()
    return text


class StepRecord:
    """The journal record of one step and views into it, made once: filling it does not allocate.

    Every field is eight bytes wide, so the record is one row of int64 and the same row of float64.

    Attributes
    ----------
    row : (1,) structured array of ``step_dtype``
        What the ring takes.
    position, velocity, decoded, intended, command, applied, goal : (n_dims,) float64 views
        Vector fields of the record.
    """

    def __init__(self, n_streams: int, n_dims: int) -> None:
        self.row = np.zeros(1, step_dtype(n_streams, n_dims))
        self._i: I64 = self.row.view("<i8")
        self._f: F64 = self.row.view("<f8")
        fields = self.row.dtype.fields
        assert fields is not None  # noqa: S101 - a structured type has fields
        self._at = {name: fields[name][1] // 8 for name in fields}
        self.n_streams = n_streams
        for name in ("position", "velocity", "decoded", "intended", "command", "applied", "goal"):
            setattr(self, name, self._f[self._at[name] : self._at[name] + n_dims])
        self.cov = self._f[self._at["cov"] : self._at["cov"] + n_dims * n_dims].reshape(n_dims, n_dims)
        self._streams = self._at["n_samples"]
        self._arrival = self._at["arrival"]
        self._now = self._at["now"]
        self._assist = self._at["assist"]
        self._i[0] = -1

    position: F64
    velocity: F64
    decoded: F64
    intended: F64
    command: F64
    applied: F64
    goal: F64

    def begin(self, now: float, block: int, assist: float, arm: bool, stop: bool, goal: Goal) -> None:
        """Enter what the step is given besides samples, and clear what it may leave empty."""
        i, f = self._i, self._f
        i[0] += 1
        i[1] = block
        i[2] = goal.trial
        i[3] = goal.active
        i[5] = 0
        i[6] = 0
        i[7] = arm
        i[8] = stop
        i[11] = -1
        i[15] = 0
        f[self._now] = now
        f[self._now + 4] = goal.t_onset
        f[self._assist] = assist
        f[self._assist + 1] = goal.radius
        f[self._assist + 2 : self._assist + 4] = 0.0
        self.goal[:] = goal.position
        self.command[:] = 0.0
        self.applied[:] = 0.0

    def heard(self, bundle: Bundle) -> None:
        """Enter which samples the step consumed."""
        i, f, s, a, n = self._i, self._f, self._streams, self._arrival, self.n_streams
        for k, chunk in enumerate(bundle):
            if chunk is None:
                i[s + k] = 0
            else:
                i[s + k] = len(chunk)
                i[s + n + k] = chunk.seq
                i[s + 2 * n + k] = chunk.n_lost_before
                f[a + k] = chunk.t_arrival

    def offsets(self, offsets: Sequence[float]) -> None:
        """Enter the clock offset of each stream, s."""
        at = self._arrival + self.n_streams
        self._f[at : at + self.n_streams] = offsets

    def spoke(self, decoded: Intent, intended: Intent) -> None:
        """Enter what was decoded and what was intended after assist."""
        self._f[self._assist + 2] = decoded.select
        self._f[self._assist + 3] = intended.select
        self._i[4] = decoded.params_version
        self._i[5] = 1
        self._i[6] = decoded.abstains
        self.decoded[:] = decoded.mean
        self.cov[:] = decoded.cov
        self.intended[:] = intended.mean

    def sent(self, command: Command, t_written: float) -> None:
        """Enter the command that left, and when."""
        i, f, n = self._i, self._f, self._now
        i[11] = command.seq
        i[15] = command.select
        self.command[:] = command.values
        f[n + 1] = command.t
        f[n + 2] = command.t_arrival
        f[n + 3] = t_written

    def end(self, state: int, flags: int, decode_ns: int, gate_ns: int, write_ns: int) -> None:
        """Enter the state of the gate after the step and what each part took, ns."""
        i = self._i
        i[9] = state
        i[10] = flags
        i[12] = decode_ns
        i[13] = gate_ns
        i[14] = write_ns

    @property
    def goal_active(self) -> bool:
        """Whether the step had a goal."""
        return bool(self._i[3])

    @property
    def goal_age_s(self) -> float:
        """How long the goal had been there, s."""
        return float(self._f[self._now] - self._f[self._now + 4])

    @property
    def step(self) -> int:
        """Number of the step, from 0."""
        return int(self._i[0])
