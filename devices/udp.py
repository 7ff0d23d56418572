"""Commands as UDP datagrams: to a robot controller, a game engine, a microcontroller, another program.

One datagram per command, little-endian, 40 bytes and 8 for each dimension:

====== ====== ==========================================================================
offset type   meaning
====== ====== ==========================================================================
0      4 B    ``BMI1``
4      u32    n, number of values
8      i64    number of the command; rises by one, a receiver drops what is not newer
16     f64    time of the newest sample the command rests on, s, LSL clock of the sender
24     f64    time the gate issued the command, s, same clock
32     i32    state of the gate: 0 disarmed, 1 neutral, 2 active, 3 tripped, 4 stopped
36     i32    which limits acted (``bmi.signals.GateFlag`` bits); 65536 if it selects (a click)
40     n f64  velocity, mm/s, after every limit
====== ====== ==========================================================================

``format: json`` sends the same as one line: ``{"bmi": 1, "seq": …, "t": …, "t_command": …, "state": …,
"flags": …, "select": false, "values": […]}``, where ``flags`` are the limits alone.

A selection travels in one datagram and is not repeated: one that is lost was not made.

What a receiver owes: **rest by itself when nothing came for 80 ms**, and obey a stop (state 4, values 0)
whatever its number. ``devices.emulators.udp.UDPEmulator`` is such a receiver to test against.
"""

from __future__ import annotations

import json
import logging
import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.contracts import State
from bmi.errors import DeviceError
from bmi.links import GuardLink
from bmi.signals import F64, Command, DeviceSpec, EffectorState, GateState
from devices.cursor import DIMS, Cursor
from devices.flags import flags_word

MAGIC = b"BMI1"
HEADER = struct.Struct("<4sIqddii")
N_STOPS = 3
"""A stop is sent this often: datagrams may be lost."""

_log = logging.getLogger(__name__)


@dataclass(kw_only=True, eq=False)
class UDPDevice:
    """Send velocities as datagrams; where the effector is, is reckoned from what was sent.

    UDP has no way back, so ``effector`` is dead reckoning by the rules of the cursor: a velocity is held
    until the next one, at most 80 ms, as the receiver must do too.

    Nothing is sent while not armed. A send that fails is counted (``n_send_errors``), never raised: the
    receiver's own dead-man is what then stops it.

    Notes
    -----
    *Realtime*: ``write`` never blocks; 3 µs (json 7 µs), most of it the kernel's.
    """

    host: str = "127.0.0.1"
    """Name or address of the receiver."""
    port: Annotated[int, Ge(1), Le(65535)]
    """Its UDP port."""
    n_dims: Annotated[int, Ge(1), Le(3)] = 2
    """Dimensions: x, then y, then z."""
    speed_limit_mm_s: Annotated[float, Gt(0)] = 500.0
    """Norm of the velocity, mm/s; faster commands are slowed to it."""
    format: Literal["binary", "json"] = "binary"
    """Layout of a datagram."""
    hardware: bool = False
    """True if what listens can hurt: the gate then waits for an explicit arm."""

    def __post_init__(self) -> None:
        self._spec = DeviceSpec(
            name="udp",
            dims=DIMS[: self.n_dims],
            unit="mm/s",
            speed_limit=float(self.speed_limit_mm_s),
            hardware=self.hardware,
            stop_ms=80.0,
        )
        self._reckoned = Cursor(n_dims=self.n_dims, speed_limit_mm_s=self.speed_limit_mm_s)
        self._datagram = bytearray(HEADER.size + 8 * self.n_dims)
        self._values = np.frombuffer(self._datagram, "<f8", offset=HEADER.size)
        self._socket: socket.socket | None = None
        self._guard_socket: socket.socket | None = None
        self._binary = self.format == "binary"
        self._seq, self._armed = -1, threading.Event()
        self.n_sent = 0
        """Datagrams handed to the kernel."""
        self.n_send_errors = 0
        """Datagrams the kernel did not take: nobody listens, or its buffer is full."""

    @property
    def spec(self) -> DeviceSpec:
        """What it can do."""
        return self._spec

    @property
    def effector(self) -> EffectorState:
        """Where the effector should be, had every datagram arrived."""
        return self._reckoned.effector

    def open(self) -> None:
        """Connect a socket and send a first stop. Raises DeviceError if there is no way to the host."""
        self.close()
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)[0]
            self._socket, self._guard_socket = _connected(*found), _connected(*found)
        except OSError as e:
            self.close()
            raise DeviceError(
                f"udp device: no way to {self.host}:{self.port}: {e}. "
                "Check host, port and network, then open again."
            ) from e
        self._seq, self.n_sent, self.n_send_errors = -1, 0, 0
        self._reckoned.open()
        self._send_stops()
        if self.n_send_errors:
            _log.warning("udp device: nobody listens on %s:%d yet", self.host, self.port)

    def calibrate(self) -> Mapping[str, Any]:
        """Return nothing: there is nothing to calibrate."""
        return {}

    def arm(self) -> None:
        """Let commands through. Raises DeviceError while closed."""
        if self._socket is None:
            raise DeviceError("udp device: arm() while closed; call open() first")
        self._reckoned.arm()
        self._armed.set()

    def write(self, command: Command, now: float) -> F64:
        """Send the command; return the velocity sent (n_dims,), mm/s, borrowed."""
        if self._socket is None:
            raise DeviceError("udp device: write() while closed; call open() and arm() first")
        applied = self._reckoned.write(command, now)
        if not self._armed.is_set():
            return applied
        self._seq = command.seq
        if self._binary:
            HEADER.pack_into(
                self._datagram, 0, MAGIC, self.n_dims,
                command.seq, command.t, command.t_command, command.state, flags_word(command),
            )  # fmt: skip
            self._values[:] = applied
            try:
                self._socket.send(self._datagram)
                self.n_sent += 1
            except OSError:  # as in `_send`
                self.n_send_errors += 1
        else:
            c = command
            self._send(_as_json(c.seq, c.t, c.t_command, c.state, c.flags, applied, c.select))
        if not self._armed.is_set():  # stop() came from another thread while this was on its way
            self._send_stops()
        return applied

    def read(self, now: float) -> EffectorState:
        """Return where the effector should be at ``now``; one object, updated in place."""
        return self._reckoned.read(now)

    def stop(self, reason: str) -> None:
        """Send a stop several times and disarm; never raises, idempotent, from any thread."""
        self._armed.clear()
        self._reckoned.stop(reason)
        self._send_stops()

    def recover(self) -> None:
        """Do nothing: there are no faults to clear from here; ``arm`` again to move."""

    def close(self) -> None:
        """Stop and close the socket; idempotent."""
        self.stop("close")
        self._reckoned.close()
        for link in (self._socket, self._guard_socket):
            if link is not None:
                link.close()
        self._socket = self._guard_socket = None

    def state(self) -> State:
        """Return the arrays of the reckoning: times and arming, positions and velocities."""
        return self._reckoned.state()

    def guard_link(self) -> GuardLink:
        """Return a second socket to the receiver, and the stop to send over it."""
        if self._guard_socket is None:
            raise DeviceError("udp device: guard_link() while closed; call open() first")
        return GuardLink(self._guard_socket.fileno(), self._stop_datagram(), N_STOPS)

    def _stop_datagram(self) -> bytes:
        zeros = np.zeros(self.n_dims)
        if self.format == "binary":
            # t stays NaN: a stop rests on no sample
            head = HEADER.pack(MAGIC, self.n_dims, self._seq, np.nan, np.nan, int(GateState.STOPPED), 0)
            return head + zeros.tobytes()
        return _as_json(self._seq, None, None, int(GateState.STOPPED), 0, zeros)

    def _send_stops(self) -> None:
        datagram = self._stop_datagram()
        for _ in range(N_STOPS):
            self._send(datagram)

    def _send(self, datagram: bytes | bytearray) -> None:
        link = self._socket
        if link is None:
            return
        try:
            link.send(datagram)
            self.n_sent += 1
        except OSError:  # refused, unreachable, full, or closed by another thread
            self.n_send_errors += 1


def _connected(family: int, kind: int, protocol: int, name: str, address: Any) -> socket.socket:
    """Return a socket that sends there and never waits."""
    link = socket.socket(family, kind, protocol)
    try:
        link.setblocking(False)
        link.connect(address)
    except OSError:
        link.close()
        raise
    return link


def _as_json(
    seq: int, t: float | None, t_command: float | None, state: int, flags: int, values: F64, select: bool = False
) -> bytes:
    frame = {"bmi": 1, "seq": seq, "t": t, "t_command": t_command, "state": int(state), "flags": int(flags)}
    return json.dumps(frame | {"select": bool(select), "values": values.tolist()}).encode() + b"\n"
