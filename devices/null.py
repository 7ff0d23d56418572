"""A device that accepts every command and does nothing: for timing, and for recipes without an effector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt

from bmi.contracts import State
from bmi.errors import DeviceError
from bmi.signals import F64, Command, DeviceSpec, EffectorState


@dataclass(kw_only=True, eq=False)
class Null:
    """Counts commands and shows the last one as its velocity; its position never changes.

    Values beyond ``speed_limit`` are slowed to it. What is not finite, or comes while not armed, is refused
    and counted; it then reports rest.
    """

    n_dims: Annotated[int, Ge(1)] = 2
    """Dimensions, named ``x``, ``y``, ``z``, then ``d3`` and so on."""
    unit: str = "mm/s"
    """Unit of a command."""
    speed_limit: Annotated[float, Gt(0)] = float("inf")
    """Norm of a command, in ``unit``."""

    def __post_init__(self) -> None:
        dims = tuple("xyz"[i] if i < 3 else f"d{i}" for i in range(self.n_dims))
        self._spec = DeviceSpec(
            name="null", dims=dims, unit=self.unit, speed_limit=float(self.speed_limit), stop_ms=1.0
        )
        self._effector = EffectorState.at_rest(self.n_dims)
        self._counts = np.zeros(3, np.int64)  # written, refused, armed
        self._open = False

    @property
    def spec(self) -> DeviceSpec:
        """What it can do."""
        return self._spec

    @property
    def effector(self) -> EffectorState:
        """The last command as velocity."""
        return self._effector

    @property
    def n_written(self) -> int:
        """Commands accepted since ``open``."""
        return int(self._counts[0])

    @property
    def n_refused(self) -> int:
        """Commands refused since ``open``."""
        return int(self._counts[1])

    def open(self) -> None:
        """Forget the counts."""
        self._counts[:] = 0
        self._effector.velocity[:] = 0.0
        self._open = True

    def calibrate(self) -> Mapping[str, Any]:
        """Return nothing: there is nothing to calibrate."""
        return {}

    def arm(self) -> None:
        """Accept commands. Raises DeviceError while closed."""
        if not self._open:
            raise DeviceError("null: arm() while closed; call open() first")
        self._counts[2] = 1

    def write(self, command: Command, now: float) -> F64:
        """Take the command; return the velocity applied (n_dims,), borrowed."""
        if not self._open:
            raise DeviceError("null: write() while closed; call open() and arm() first")
        velocity, counts = self._effector.velocity, self._counts
        values = command.values
        speed = float(np.sqrt(values @ values))
        if speed < np.inf and counts[2]:
            velocity[:] = values
            if speed > self.speed_limit:
                velocity *= self.speed_limit / speed
            counts[0] += 1
        else:
            velocity[:] = 0.0
            counts[1] += 1
        if not counts[2]:  # stop() may have come from another thread in between
            velocity[:] = 0.0
        self._effector.t = now
        return velocity

    def read(self, now: float) -> EffectorState:
        """Return the last command as velocity; one object, updated in place."""
        self._effector.t = now
        return self._effector

    def stop(self, reason: str) -> None:
        """Rest and disarm; never raises, from any thread."""
        self._counts[2] = 0
        self._effector.velocity[:] = 0.0

    def recover(self) -> None:
        """Do nothing: there are no faults; ``arm`` again."""

    def close(self) -> None:
        """Stop and close; idempotent."""
        self.stop("close")
        self._open = False

    def state(self) -> State:
        """Return position, velocity (n_dims,) and the counts (written, refused, armed)."""
        return (self._effector.position, self._effector.velocity, self._counts)
