"""What no configuration may exceed, and the limiter that keeps a moving device inside it.

The limiter works on *commanded* velocity, which the device holds until the next command (zero-order
hold). With elapsed times :math:`h_k` between commands it keeps, for every axis *i*,

.. math:: a_k = (v_k - v_{k-1}) / h_k, \\quad |a_{k,i}| \\le A, \\quad |a_k - a_{k-1}|_i \\le J h_k,

the Euclidean norm :math:`|v_k| \\le V`, and the position inside the workspace. It looks ahead: a
clamp of velocity, then acceleration, then jerk overshoots the velocity bound by 13 % on a square wave.

* **Velocity.** An acceleration *a* toward a goal ``gap`` away is taken only if bringing it to zero at full
  jerk stays short of the goal, :math:`a^2/2J + a h \\le gap`, so :math:`a = J(\\sqrt{h^2 + 2\\,gap/J} - h)`.
* **Speed.** The velocities reached while all accelerations are brought to zero stay in the ball of radius
  *V*; where the wish would leave it, the step is shortened toward braking.
* **Workspace.** The way to rest under braking, with every coming command held for the longest time a
  device holds one (80 ms), stays shorter than the way to the wall. The same braking is always possible
  in the next step, so the argument closes by induction; an effector outside may only move inward.

The profiles are those of S-curve planning (Biagiotti & Melchiorri, *Trajectory Planning for Automatic
Machines and Robots*, 2008, ch. 3), for a step length not known beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F64

SPEED_LIMIT_MM_S = 250.0
"""Reduced speed near people (ISO 10218-1)."""
ACCELERATION_LIMIT_MM_S2 = 8_000.0
"""A cursor reaches 250 mm/s within three 20 ms bins."""
JERK_LIMIT_MM_S3 = 400_000.0
"""Full acceleration within one 20 ms bin."""
WORKSPACE_MM = 300.0
"""Full width of every axis, centred on the origin."""
MAX_AGE_S = 0.150
"""Age of the newest sample a command may rest on."""
FUTURE_TOLERANCE_S = 0.005
"""How far ahead of our clock a sample may be stamped."""
DEADMAN_S = 0.080
"""No command for this long: rest. Devices hold a command no longer than this."""
DISARM_S = 0.500
"""No command for this long: disarmed."""
WATCHDOG_CHUNKS = 5
WATCHDOG_S = 0.100
"""A source is silent after max(5 chunks, 100 ms)."""
REPEAT_S = 0.020
"""Neutral commands repeat this often while nothing else is said."""
SELECT_REFRACTORY_S = 0.100
"""Two selections are at least this far apart."""
STIMULUS_AMPLITUDE_MA = 5.0
"""Largest current of a phase."""
STIMULUS_RAMP_S = 0.250
"""An amplitude takes at least this long from zero to its limit, and back while nothing is wrong with time."""
STIMULUS_CHARGE_UC = 1.0
"""Charge of a phase, µC."""
STIMULUS_DENSITY_UC_CM2 = 30.0
"""Charge of a phase on the area of the contact, µC/cm²: what labels of brain stimulators warn of."""
SHANNON_K = 1.5
"""Shannon's line, for macro-electrodes; micro-electrodes need caps of their own."""
STIMULUS_FREQUENCY_HZ = 250.0
STIMULUS_PULSE_US = 450.0
"""Duration of either phase."""
STIMULUS_IMBALANCE = 0.01
"""Share of a phase's charge that may stay in the tissue."""
NEUTRAL_FRACTION = 0.1
"""An intent below this share of the largest command counts as the neutral command arming waits for."""


def check_stricter(part: str, name: str, value: float, limit: float, unit: str) -> None:
    """Raise ContractError unless ``0 < value <= limit``."""
    if not 0.0 < value <= limit:
        raise ContractError(
            f"{part}: {name}={value:g} {unit} must lie in (0, {limit:g}] {unit}; "
            f"configuration can only make the house's limit stricter. Lower it or leave it out."
        )


class Limits(NamedTuple):
    """What one device may receive."""

    speed: float
    """Norm of the velocity, mm/s."""
    acceleration: float
    """Every axis, mm/s²."""
    jerk: float
    """Every axis, mm/s³."""
    half_width: tuple[float, ...]
    """Workspace: ``|position| <= half_width`` on every axis, mm."""
    hold_s: float = DEADMAN_S
    """Longest time the device holds a command."""

    def pack(self) -> F64:
        """Return them as the kernel wants them."""
        return np.array([self.speed, self.acceleration, self.jerk, self.hold_s, *self.half_width])


class Limiter:
    """The limiter alone: desired velocity in, permitted velocity out.

    Parameters
    ----------
    limits : Limits
        What must hold; ``len(limits.half_width)`` is the number of axes.
    """

    def __init__(self, limits: Limits) -> None:
        from bmi import _gate_kernels as kernels

        n = len(limits.half_width)
        self._kernel = kernels.limit_motion
        self._limits = limits.pack()
        self._motion: F64 = np.zeros((2, n))
        self._work: F64 = np.zeros((6, n))
        self._rows: tuple[F64, ...] = (self._motion[0], self._motion[1], self._work[3])
        self.flags = 0

    def step(self, desired: Sequence[float] | F64, position: Sequence[float] | F64, dt_s: float) -> F64:
        """Return the velocity (n,) to command now; the last one was held for ``dt_s``. Borrowed."""
        self._work[0] = desired
        self._work[1] = position
        self.flags = self._kernel(float(dt_s), self._limits, self._motion, self._work)
        return self._rows[2]

    @property
    def velocity(self) -> F64:
        """Commanded velocity (n,), mm/s."""
        return self._rows[0]

    @property
    def acceleration(self) -> F64:
        """Acceleration (n,) the last step was made with, mm/s²."""
        return self._rows[1]

    def state(self) -> tuple[F64]:
        """Return the array ``step`` mutates."""
        return (self._motion,)

    def reset(self) -> None:
        """Forget the motion."""
        self._motion[:] = 0.0
