"""A receiver as ``devices.udp`` asks for: decodes bytes, rests by itself after 80 ms, obeys every stop."""

from __future__ import annotations

import json
import math
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

STOPPED = 4
SELECT = 65536


class Frame(NamedTuple):
    """One datagram, decoded."""

    seq: int
    t: float
    """Time of the newest sample it rests on, s; NaN in a stop."""
    t_command: float
    """When it was issued, s; NaN in a stop."""
    state: int
    flags: int
    """Which limits acted."""
    values: tuple[float, ...]
    """Velocity, mm/s."""
    t_received: float = math.nan
    """When it arrived here, s, ``time.monotonic``."""
    select: bool = False
    """Whether it selects (a click)."""


def decode(datagram: bytes) -> Frame:
    """Return the frame in a datagram of either format. Raises ValueError if it is not one."""
    if datagram[:1] == b"{":
        return _decode_json(datagram)
    if len(datagram) < 40 or datagram[:4] != b"BMI1":
        raise ValueError(f"not a command: {len(datagram)} bytes beginning with {datagram[:4]!r}")
    (n,) = struct.unpack_from("<I", datagram, 4)
    if len(datagram) != 40 + 8 * n:
        raise ValueError(f"{n} values need {40 + 8 * n} bytes, got {len(datagram)}")
    seq, t, t_command, state, flags = struct.unpack_from("<qddii", datagram, 8)
    values = struct.unpack_from(f"<{n}d", datagram, 40)
    if not all(map(math.isfinite, values)):
        raise ValueError(f"values that are not finite: {values}")
    return Frame(seq, t, t_command, state, flags & ~SELECT, values, select=bool(flags & SELECT))


def _decode_json(datagram: bytes) -> Frame:
    try:
        d = json.loads(datagram)
        if d["bmi"] != 1:
            raise ValueError(f"protocol {d['bmi']!r}, expected 1")
        t, t_command = (math.nan if d[key] is None else float(d[key]) for key in ("t", "t_command"))
        values = tuple(map(float, d["values"]))
        click = bool(d.get("select", False))
        return Frame(int(d["seq"]), t, t_command, int(d["state"]), int(d["flags"]), values, select=click)
    except (KeyError, TypeError, UnicodeDecodeError) as e:
        raise ValueError(f"not a command: {datagram[:40]!r}") from e


class UDPEmulator:
    """A device on the other end of UDP, in a thread of its own; use it as a context manager.

    Parameters
    ----------
    n_dims : int
        Values it expects; other datagrams count as bad.
    host, port :
        Where it listens; port 0 takes a free one, see ``port``.
    hold_s : float
        Dead-man: how long a velocity is held without news, s.
    n_kept : int
        Newest frames kept in ``frames``.

    Attributes
    ----------
    n_good, n_bad, n_old, n_lost : int
        Datagrams obeyed, undecodable, not newer than one before, and missing by their numbers.
    n_deadman : int
        Times it came to rest because nothing came.
    n_selections : int
        Commands that selected.
    t_rest : float
        When it last came to rest, s, ``time.monotonic``; NaN while moving.
    """

    def __init__(
        self,
        n_dims: int = 2,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        hold_s: float = 0.080,
        n_kept: int = 10_000,
    ) -> None:
        self.n_dims, self.hold_s = n_dims, hold_s
        self.n_good = self.n_bad = self.n_old = self.n_lost = self.n_deadman = self.n_selections = 0
        self.t_rest = math.nan
        self.velocity = (0.0,) * n_dims
        """What it does now, mm/s."""
        self.position = (0.0,) * n_dims
        """Where it is at the newest datagram, mm."""
        self.frames: deque[Frame] = deque(maxlen=n_kept)
        """What it obeyed, oldest first."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self.port: int = self._socket.getsockname()[1]
        self._seq = -1
        self._t = math.nan
        self._news = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="udp-emulator", daemon=True)

    def __enter__(self) -> UDPEmulator:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing.set()
        self._thread.join()
        self._socket.close()

    def wait_for(self, happened: Callable[[UDPEmulator], bool], timeout_s: float = 2.0) -> bool:
        """Return True as soon as ``happened(self)``, False after ``timeout_s``."""
        with self._news:
            return self._news.wait_for(lambda: happened(self), timeout_s)

    def _listen(self) -> None:
        while not self._closing.is_set():
            moving = any(self.velocity)
            left = self._t + self.hold_s - time.monotonic() if moving else 0.05
            ready = select.select([self._socket], [], [], min(0.05, max(0.0, left)))[0]
            now = time.monotonic()
            with self._news:
                if ready:
                    self._take(self._socket.recv(65536), now)
                elif moving and now >= self._t + self.hold_s:
                    self._move(now)
                    self.n_deadman += 1
                    self._obey((0.0,) * self.n_dims, now)
                self._news.notify_all()

    def _take(self, datagram: bytes, now: float) -> None:
        try:
            frame = decode(datagram)
        except ValueError:
            self.n_bad += 1
            return
        stops = frame.state == STOPPED
        if len(frame.values) != self.n_dims:
            self.n_bad += 1
        elif frame.seq <= self._seq and not stops:
            self.n_old += 1
        else:
            if not stops:
                self.n_lost += frame.seq - self._seq - 1 if self._seq >= 0 else 0
                self._seq = frame.seq
            self.n_good += 1
            self.n_selections += frame.select and not stops
            self._move(now)
            self.frames.append(frame._replace(t_received=now))
            self._obey((0.0,) * self.n_dims if stops else frame.values, now)

    def _move(self, now: float) -> None:
        held = min(now - self._t, self.hold_s) if any(self.velocity) else 0.0
        self.position = tuple(p + v * held for p, v in zip(self.position, self.velocity, strict=True))

    def _obey(self, velocity: tuple[float, ...], now: float) -> None:
        self.velocity, self._t = velocity, now
        if any(velocity):
            self.t_rest = math.nan
        elif math.isnan(self.t_rest):
            self.t_rest = now
