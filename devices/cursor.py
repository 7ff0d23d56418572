"""A cursor: the simulated device on which every closed loop can be tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.compiled import entry, vector
from bmi.contracts import State
from bmi.errors import DeviceError
from bmi.signals import F64, Command, DeviceSpec, EffectorState
from devices import _cursor_kernels as kernels

DIMS = ("x", "y", "z")
HOLD_S = 0.080
"""Own dead-man: a command is held for this long, then the cursor rests."""


@dataclass(kw_only=True, eq=False)
class Cursor:
    """A point without mass that moves as it is told.

    A velocity is held until the next one (zero-order hold), at most 80 ms; exactly then the cursor rests.
    Where it is depends on the sequence of (now, command) alone, not on how often it is read.

    States: closed, idle (open), armed. ``write`` while idle moves nothing, so that a late command from before
    ``stop`` is dropped; while closed it raises DeviceError. ``open`` starts at the origin.
    """

    n_dims: Annotated[int, Ge(1), Le(3)] = 2
    """Dimensions: x, then y, then z."""
    speed_limit_mm_s: Annotated[float, Gt(0)] = 500.0
    """Norm of the velocity; faster commands are slowed to it."""

    def __post_init__(self) -> None:
        n = self.n_dims
        self._spec = DeviceSpec(
            name="cursor", dims=DIMS[:n], unit="mm/s", speed_limit=float(self.speed_limit_mm_s), stop_ms=1.0
        )
        self._limit = float(self.speed_limit_mm_s)
        self._head = np.zeros(3)
        self._body: F64 = np.zeros((4, n))
        self._applied: F64 = self._body[kernels.V0]
        self._effector = EffectorState(self._body[kernels.P], self._body[kernels.V], 0.0)
        self._open = False
        self.n_refused = 0
        """Commands that moved nothing: not armed, or not finite."""

    @property
    def spec(self) -> DeviceSpec:
        """What it can do."""
        return self._spec

    @property
    def effector(self) -> EffectorState:
        """Where it was when last read or written."""
        return self._effector

    def open(self) -> None:
        """Put the cursor to rest at the origin; nothing moves until armed."""
        self._head[:] = 0.0
        self._body[:] = 0.0
        rest = np.zeros(self.n_dims)
        self._command = entry(kernels.command, 0.0, HOLD_S, self._limit, rest, self._head, self._body)
        self._look = entry(kernels.look, 0.0, HOLD_S, self._head, self._body)
        self._effector.t = 0.0
        self.n_refused = 0
        self._open = True

    def calibrate(self) -> Mapping[str, Any]:
        """Return nothing: there is nothing to calibrate."""
        return {}

    def arm(self) -> None:
        """Let commands through. Raises DeviceError while closed."""
        if not self._open:
            raise DeviceError("cursor: arm() while closed; call open() first")
        self._head[kernels.ARMED] = 1.0

    def write(self, command: Command, now: float) -> F64:
        """Move until ``now``, then take the command; return the velocity applied (n_dims,), borrowed."""
        if not self._open:
            raise DeviceError("cursor: write() while closed; call open() and arm() first")
        head = self._head
        self.n_refused += self._command(now, HOLD_S, self._limit, vector(command.values), head, self._body)
        if head[2] == 0.0:  # stop() may have come from another thread in between
            self._body[1::2] = 0.0
        self._effector.t = now
        return self._applied

    def read(self, now: float) -> EffectorState:
        """Return where it is at ``now``; one object, updated in place."""
        self._look(now, HOLD_S, self._head, self._body)
        self._effector.t = now
        return self._effector

    def stop(self, reason: str) -> None:
        """Rest where last seen and disarm; never raises, from any thread."""
        self._head[kernels.ARMED] = 0.0
        self._body[kernels.P0] = self._body[kernels.P]
        self._body[1::2] = 0.0

    def recover(self) -> None:
        """Do nothing: the cursor has no faults; ``arm`` again to move."""

    def close(self) -> None:
        """Stop and close; idempotent."""
        self.stop("close")
        self._open = False

    def state(self) -> State:
        """Return times and arming (3,), and positions and velocities (4, n_dims)."""
        return (self._head, self._body)
