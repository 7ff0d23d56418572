"""What one step needs to be repeated, as one fixed-size record.

Every field is eight bytes wide, little-endian. A record holds all inputs of the step (which samples, the
single ``now``, parameter version, goal, assist, arming, STOP, effector before) and its outputs (what was
decoded, intended, commanded, applied), so that a replay feeds the first and compares the second bit by bit.
"""

from __future__ import annotations

import numpy as np


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
            ("t", "<f8"),
            ("intended", "<f8", (n_dims,)),  # goal-directed intention
            ("y", "<f8", (n_features,)),
        ]
    )


EVENT_DTYPE = np.dtype([("t", "<f8"), ("text", "S1016")])
"""Record type of an event ring: time and one JSON object ``{"kind": …, …}``, NUL padded."""
