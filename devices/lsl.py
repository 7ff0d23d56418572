"""Commands as an LSL stream: for any program that speaks LSL, and for recording beside the signals.

Channels, irregular rate, stamped with the time the gate issued the command:

=============================== ========= =====================================================
label                           unit      meaning
=============================== ========= =====================================================
``x`` ``y`` ``z``               mm/s      velocity, after every limit
``position_x`` …                mm        where the effector is reckoned to be
``seq``                         1         number of the command modulo 2**24
``state``                       1         state of the gate: 0 disarmed … 2 active … 4 stopped
``flags``                       1         which limits acted (``bmi.signals.GateFlag`` bits); 65536
                                          more if the command selects (a click)
``age``                         s         age of the newest sample it rests on when issued
``bmi:seq``                     1         number of the row, for exact loss counts
=============================== ========= =====================================================
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.clock import LSLClock
from bmi.contracts import State
from bmi.errors import DeviceError, StreamError
from bmi.lsl.outlet import Outlet
from bmi.signals import F64, SEQ_MODULO, Command, DeviceSpec, EffectorState, GateState, StreamSpec
from devices.cursor import DIMS, Cursor
from devices.flags import flags_word


@dataclass(kw_only=True, eq=False)
class LSLDevice:
    """Publish velocities as an LSL stream; where the effector is, is reckoned from what was sent.

    The reckoning follows the cursor: a velocity is held until the next one, at most 80 ms. A receiver that
    moves anything must do the same by itself. Nothing is published while not armed.

    Notes
    -----
    *Realtime*: ``write`` hands over to liblsl's own thread, so that a slow receiver cannot hold up the
    sender.
    """

    stream_name: str = "bmi-commands"
    """Name of the stream; its type is ``command``."""
    n_dims: Annotated[int, Ge(1), Le(3)] = 2
    """Dimensions: x, then y, then z."""
    speed_limit_mm_s: Annotated[float, Gt(0)] = 500.0
    """Norm of the velocity, mm/s; faster commands are slowed to it."""

    def __post_init__(self) -> None:
        n = self.n_dims
        self._spec = DeviceSpec(
            name="lsl", dims=DIMS[:n], unit="mm/s", speed_limit=float(self.speed_limit_mm_s), stop_ms=80.0
        )
        self._reckoned = Cursor(n_dims=n, speed_limit_mm_s=self.speed_limit_mm_s)
        self._row = np.zeros((1, 2 * n + 4), np.float32)
        self._outlet: Outlet | None = None
        self._seq, self._armed = -1, threading.Event()
        self._sending = threading.Lock()
        self._clock = LSLClock()

    @property
    def spec(self) -> DeviceSpec:
        """What it can do."""
        return self._spec

    @property
    def effector(self) -> EffectorState:
        """Where the effector should be, had every command arrived."""
        return self._reckoned.effector

    def open(self) -> None:
        """Put the stream on the network. Raises DeviceError if liblsl cannot."""
        self.close()
        n = self.n_dims
        labels = (*DIMS[:n], *(f"position_{d}" for d in DIMS[:n]), "seq", "state", "flags", "age")
        units = ("mm/s",) * n + ("mm",) * n + ("1", "1", "1", "s")
        spec = StreamSpec(
            name=self.stream_name,
            n_channels=len(labels),
            rate_hz=0.0,
            unit="mixed",
            type="command",
            labels=labels,
        )
        try:
            self._outlet = Outlet(spec, sync=False, units=units)
        except StreamError as e:
            raise DeviceError(f"lsl device: {e}") from e
        self._seq = -1
        self._reckoned.open()

    def calibrate(self) -> Mapping[str, Any]:
        """Return nothing: there is nothing to calibrate."""
        return {}

    def arm(self) -> None:
        """Let commands through. Raises DeviceError while closed."""
        if self._outlet is None:
            raise DeviceError("lsl device: arm() while closed; call open() first")
        self._reckoned.arm()
        self._armed.set()

    def write(self, command: Command, now: float) -> F64:
        """Publish the command; return the velocity published (n_dims,), mm/s, borrowed."""
        if self._outlet is None:
            raise DeviceError("lsl device: write() while closed; call open() and arm() first")
        applied = self._reckoned.write(command, now)
        with self._sending:
            if self._armed.is_set():  # asked under the lock: nothing follows a stop
                self._seq = command.seq
                self._publish(
                    applied, command.state, flags_word(command), command.age_s(command.t_command), command.t_command
                )
        return applied

    def read(self, now: float) -> EffectorState:
        """Return where the effector should be at ``now``; one object, updated in place."""
        return self._reckoned.read(now)

    def stop(self, reason: str) -> None:
        """Publish rest with state 4 and disarm; never raises, idempotent, from any thread."""
        self._armed.clear()
        self._reckoned.stop(reason)
        if not self._sending.acquire(timeout=0.05):
            return  # a write is stuck; receivers rest by their own dead-man
        try:
            if self._outlet is not None:
                self._publish(np.zeros(self.n_dims), GateState.STOPPED, 0, 0.0, self._clock.now())
        except StreamError:
            pass  # the outlet is beyond reach; receivers rest by their own dead-man
        finally:
            self._sending.release()

    def recover(self) -> None:
        """Do nothing: there are no faults to clear; ``arm`` again to move."""

    def close(self) -> None:
        """Stop and leave the network; idempotent."""
        self.stop("close")
        self._reckoned.close()
        outlet, self._outlet = self._outlet, None
        if outlet is not None:
            outlet.close()

    def state(self) -> State:
        """Return the arrays of the reckoning: times and arming, positions and velocities."""
        return self._reckoned.state()

    def _publish(self, values: F64, state: int, flags: int, age_s: float, t: float) -> None:
        outlet, row, n = self._outlet, self._row, self.n_dims
        assert outlet is not None  # noqa: S101  (callers have looked)
        row[0, :n] = values
        row[0, n : 2 * n] = self._reckoned.effector.position
        row[0, 2 * n :] = self._seq % SEQ_MODULO, state, flags, age_s
        outlet.push(row, t)
