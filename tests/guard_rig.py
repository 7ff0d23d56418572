"""A live lane that drives a datagram device, its guard, and a receiver that knows when each datagram arrived.

Run as a program it is the lane: ``python guard_rig.py RUNTIME PORT``; a line on its standard input makes it hold the
interpreter lock for so many milliseconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from bmi.assist import GoalDirected
from bmi.blocks import Block, Blocks
from bmi.clock import LSLClock
from bmi.control import Control, LaneState, ProcessState, Word
from bmi.gate import Gate
from bmi.guard import accept, hand_over, offer
from bmi.lane import Lane
from bmi.line import Line
from bmi.pipeline import Pipeline
from bmi.process import real_time
from bmi.signals import Chunk, Intent, IntentSpec, StreamSpec
from bmi.tasks.centre_out import CentreOut
from devices.emulators.udp import STOPPED, decode
from devices.udp import UDPDevice

SO_TIMESTAMPNS = 35
PERIOD_S = 0.005


class Ramp:
    """A decoder that always wants to go the same way."""

    params_, params_version, y_ = None, 0, np.zeros(1)

    def bind(self, specs):
        self._intent = Intent(np.array([60.0, 0.0]), np.eye(2), 0.0, 0.0)
        return IntentSpec(dims=("x", "y"), unit="mm/s", rate_hz=200.0)

    def step(self, bundle):
        chunk = bundle[0]
        if chunk is None:
            return None
        self._intent.t, self._intent.t_arrival = float(chunk.t[-1]), chunk.t_arrival
        # away from the wall and back, so that it never has to rest
        self._intent.mean[0] = 60.0 if int(chunk.t[-1]) % 2 else -60.0
        return self._intent

    def state(self):
        return ()

    def reset(self):
        pass


class Ticks:
    """A source that gives a sample every 5 ms."""

    spec = StreamSpec(name="ticks", n_channels=1, rate_hz=200.0, unit="1")

    def __init__(self):
        self._clock, self._t, self._n = LSLClock(), LSLClock().now(), 0

    def read(self, timeout_s):
        self._t = max(self._t + PERIOD_S, self._clock.now() - 0.02)
        self._clock.sleep_until(self._t)
        self._n += 1
        return Chunk(np.zeros((1, 1), np.float32), np.array([self._t]), self._clock.now(), self._n)


def lane(runtime: Path, port: int) -> None:
    """Drive until killed."""
    control = Control.open(runtime / "control")
    control.set(Word.LANE_PID, os.getpid())
    device, source = UDPDevice(port=port), Ticks()
    device.open()
    hand_over(runtime, device.guard_link())
    line = Line(pipeline=Pipeline({}, Ramp()), gate=Gate(), device=device, task=CentreOut(),
                blocks=Blocks([Block(name="run")]), assist=GoalDirected())  # fmt: skip
    line.bind((source.spec,), np.random.default_rng(0))

    def obey() -> None:
        for word in sys.stdin:
            ctypes.PyDLL(None).usleep(int(float(word) * 1000))  # PyDLL keeps the interpreter lock

    threading.Thread(target=obey, daemon=True).start()
    real_time(None, os.environ.get("BMI_TEST_FIFO", "1") == "1")
    control.set(Word.ARM, 1)
    Lane(line, [source], LSLClock(), control).run()


class Rig:
    """The lane, its guard and the receiver; a context manager."""

    def __init__(self, folder: Path, *, deadman_s: float = 0.08) -> None:
        self.runtime, self._deadman_s = folder, deadman_s
        self.control = Control.create(folder / "control")
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.05)
        self.port = self.socket.getsockname()[1]
        self._procs: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Rig:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        for process in self._procs:
            process.kill()
            process.communicate()
        self.socket.close()

    def start(self) -> None:
        """Start a lane and a guard for it; return once the device moves."""
        control = self.control
        control.set(Word.LANE_STATE, LaneState.STARTING)
        control.set(Word.GUARD_STATE, ProcessState.STARTING)
        control.set(Word.LANE_BEAT_NS, 0)
        with offer(self.runtime) as listener:
            self.lane = self._spawn([__file__, str(self.runtime), str(self.port)])
            self.wait_for(lambda: setattr(self, "link", accept(listener)) or self.link is not None, 60.0)
        (self.runtime / "guard.link").unlink()
        link = self.link
        told = [str(self.runtime), str(link.fd), str(link.repeat), str(self._deadman_s), link.stop.hex()]
        self.guard = self._spawn(["-m", "bmi.guard", *told], (link.fd,))
        os.close(link.fd)
        self.wait_for(lambda: control.get(Word.GUARD_STATE) == ProcessState.RUNNING, 30.0)
        self.wait_moving()

    def _spawn(self, words: list[str], fds: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
        self._procs.append(subprocess.Popen([sys.executable, *words], stdin=subprocess.PIPE, pass_fds=fds))
        return self._procs[-1]

    def wait_for(self, true, timeout_s: float) -> None:
        """Return once ``true()``; fail after ``timeout_s`` or when a process died."""
        t_end = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < t_end, "waited in vain"
            time.sleep(0.002)

    def receive(self):
        """Return (arrival at the kernel, s, realtime clock; frame) of the next datagram, or None."""
        try:
            data, ancillary, _, _ = self.socket.recvmsg(4096, 256)
        except TimeoutError:
            return None
        ((_, _, stamp),) = ancillary
        seconds, ns = struct.unpack("qq", stamp)
        return seconds + ns * 1e-9, decode(data)

    def drain(self) -> None:
        """Forget what has arrived."""
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.socket.recvmsg(4096, 256)
        self.socket.settimeout(0.05)

    def wait_moving(self, timeout_s: float = 5.0) -> None:
        """Return once commands that move arrive again."""
        self.drain()
        t_end, moving = time.monotonic() + timeout_s, 0
        while moving < 5:
            assert time.monotonic() < t_end, "the device does not move"
            got = self.receive()
            if got is not None:
                moving = moving + 1 if got[1].state != STOPPED and any(got[1].values) else 0

    def stopped_after(self, since: float, timeout_s: float = 2.0) -> float:
        """Return the time from ``since`` (realtime clock, s) to the first stop on the wire, s."""
        t_end = time.monotonic() + timeout_s
        while time.monotonic() < t_end:
            got = self.receive()
            if got is not None and got[1].state == STOPPED and got[0] >= since:
                return got[0] - since
        return float("inf")

    def last_moving_before(self, seconds: float) -> list[float]:
        """Return when commands that move arrived during the next ``seconds``, s after now (realtime clock)."""
        began, out = time.time(), []
        while time.time() - began < seconds:
            got = self.receive()
            if got is not None and got[1].state != STOPPED and any(got[1].values):
                out.append(got[0] - began)
        return out


@contextlib.contextmanager
def paused(busy):
    """Let the hogs rest for a while."""
    for process in busy:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in busy:
            process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def hogs(n: int):
    """Keep ``n`` processes busy with nothing; yield them."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n)]
    try:
        yield busy
    finally:
        for process in busy:
            process.kill()
            process.wait()


if __name__ == "__main__":
    lane(Path(sys.argv[1]), int(sys.argv[2]))
