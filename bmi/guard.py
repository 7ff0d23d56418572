"""The guard: stops the device when the live process cannot.

A process of its own, small, and with nothing to do but look: every 5 ms it reads when the live lane last turned,
whether STOP was pressed, and whether the lane's process still exists (a process descriptor wakes it at once). Silence
of 80 ms, a gone lane or STOP send the device's own stop message over a link of its own; it needs neither lane nor
session nor anybody's interpreter lock for that. What it stopped stays stopped: the lane, should it come back, finds a
trip counted and is disarmed for a step (`Heed`), and hardware waits for an explicit arm.

Timers of 80 ms stop a device within 84 ms on an idle machine and 98 ms under load (measured, ten trips each), which
leaves room to the 120 ms promised.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path

from bmi.control import Control, LaneState, ProcessState, Word
from bmi.links import GuardLink

PERIOD_MS = 5
REPEAT_S = 0.020
"""While the lane is silent the stop is said again this often: datagrams may be lost."""
AFTER_S = 0.5
"""A lane that is gone is followed by stops for this long."""
HEARD_NS = 200_000_000
"""Hardware is not driven while the guard has been silent for this long."""
PRIORITY = 20
"""SCHED_FIFO, above the lane's 10: a lane that runs wild must not keep its guard from running."""
_TRIPS, _BEAT = int(Word.GUARD_TRIPS), int(Word.GUARD_BEAT_NS)  # plain numbers: an enum member is looked up
LINK_FILE, LOG_FILE = "guard.link", "guard.log"


class Heed:
    """What the lane does about its guard, asked in every turn.

    After a trip the gate sees one step without arm: what went on meanwhile is unknown, so motion begins anew. Simulated
    devices re-arm by themselves; for hardware the operator's word is taken back as well.
    """

    def __init__(self, control: Control, *, hardware: bool) -> None:
        self._control, self._words, self._hardware = control, control.words, hardware
        self._trips = control.get(Word.GUARD_TRIPS)
        self._watched = False

    def arms(self, now_ns: int) -> bool:
        """Return whether this step may be armed. *Realtime*: 0.3 µs."""
        trips = self._words[_TRIPS]
        if trips != self._trips:
            self._trips = trips
            if self._hardware:
                self._control.set(Word.ARM, 0)
            return False
        if not self._hardware:
            return True
        beat = self._words[_BEAT]
        return bool(beat) and now_ns - beat < HEARD_NS


def offer(runtime: Path) -> socket.socket:
    """Listen for the lane's link; in the session's own process, which keeps it for every guard it starts."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(runtime / LINK_FILE))
    listener.listen(1)
    listener.setblocking(False)
    return listener


def hand_over(runtime: Path, link: GuardLink) -> None:
    """Give the device's link away; in the lane. Without anybody listening nothing happens."""
    path = runtime / LINK_FILE
    if not path.exists():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.connect(str(path))
        head = json.dumps({"repeat": link.repeat, "stop": link.stop.hex()}).encode()
        s.sendmsg([head], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [link.fd]).tobytes())])


def accept(listener: socket.socket) -> GuardLink | None:
    """Return the link the lane handed over, or None if it has not yet; its descriptor is ours to keep."""
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        return None
    with connection:
        connection.settimeout(2.0)
        data, descriptors, _, _ = socket.recv_fds(connection, 65536, 1)
    head = json.loads(data)
    return GuardLink(descriptors[0], bytes.fromhex(head["stop"]), int(head["repeat"]))


class Guard:
    """The watch itself.

    Parameters
    ----------
    control : Control
    link : GuardLink
    deadman_s : float
        Silence after which the device is stopped, s.
    log : Path
        One JSON object a line: trips and their ends, for the session to pass on.
    """

    def __init__(self, control: Control, link: GuardLink, deadman_s: float, log: Path) -> None:
        self.control, self.link, self._deadman_ns = control, link, int(deadman_s * 1e9)
        self._log = log.open("a", buffering=1, encoding="utf-8")
        self._poll = select.poll()
        self._tripped = ""
        self._sent_ns = self._gone_ns = 0
        self._stop_seen = False
        self._lane = -1
        with contextlib.suppress(ProcessLookupError):
            self._lane = os.pidfd_open(control.get(Word.LANE_PID))
            self._poll.register(self._lane, select.POLLIN)

    def run(self) -> None:
        """Watch until the lane has ended in order, or is gone and its device was told to stop for half a second."""
        control = self.control
        control.set(Word.GUARD_STATE, ProcessState.RUNNING)
        while self.once(PERIOD_MS):
            pass
        control.set(Word.GUARD_STATE, ProcessState.DONE)

    def close(self) -> None:
        """Let go of the lane's process descriptor and of the log."""
        if self._lane >= 0:
            os.close(self._lane)
            self._lane = -1
        self._log.close()

    def once(self, wait_ms: int) -> bool:
        """Look once, after waiting; return False when there is nothing left to guard."""
        if self._lane >= 0 and not self._gone_ns:
            gone = bool(self._poll.poll(wait_ms))
        else:
            time.sleep(wait_ms / 1e3)
            gone = True
        now = time.perf_counter_ns()
        control = self.control
        control.set(Word.GUARD_BEAT_NS, now)
        state = control.get(Word.LANE_STATE)
        if gone and not self._gone_ns:
            self._gone_ns = now
            if state == LaneState.DONE:
                return False
            self._trip("gone", now)
        elif state == LaneState.RUNNING and not self._gone_ns:
            self._mind(now)
        if self._tripped and now - self._sent_ns >= REPEAT_S * 1e9:
            self._say(now)
        return not (self._gone_ns and now - self._gone_ns > AFTER_S * 1e9)

    def _mind(self, now: int) -> None:
        """The lane's process exists: is it turning, and was STOP pressed?"""
        control = self.control
        beat = control.get(Word.LANE_BEAT_NS)
        if beat and now - beat > self._deadman_ns:
            if not self._tripped:
                self._trip("silent", now, silent_ms=round((now - beat) / 1e6, 1))
        elif self._tripped:
            self._note("guard.clear", reason=self._tripped)
            self._tripped = ""
        stop = control.stopped
        if stop and not self._stop_seen:
            self._say(now)
        self._stop_seen = stop

    def _trip(self, reason: str, now: int, **data: float) -> None:
        self._say(now)
        self._tripped = reason
        self.control.add(Word.GUARD_TRIPS)
        self._note("guard.trip", reason=reason, **data)

    def _say(self, now: int) -> None:
        """Send the stop; a link that is broken is the device's own dead-man's business."""
        self._sent_ns = now
        for _ in range(self.link.repeat):
            with contextlib.suppress(OSError):
                os.write(self.link.fd, self.link.stop)

    def _note(self, kind: str, **data: object) -> None:
        self._log.write(json.dumps({"kind": kind, **data}) + "\n")


def settle() -> str:
    """Take real-time priority and keep memory resident where permitted; return what came of it."""
    said = []
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
        said.append(f"SCHED_FIFO {PRIORITY}")
    except OSError as e:
        said.append(f"SCHED_FIFO refused ({e.strerror})")
    locked = ctypes.CDLL(None, use_errno=True).mlockall(3) == 0
    said.append("memory locked" if locked else "memory not locked")
    gc.collect()
    gc.freeze()
    gc.disable()
    return ", ".join(said)


def main(argv: list[str]) -> int:
    """Guard one session: ``python -m bmi.guard RUNTIME FD REPEAT DEADMAN_S STOP_HEX``."""
    runtime, fd, repeat, deadman_s, stop = Path(argv[0]), int(argv[1]), int(argv[2]), float(argv[3]), argv[4]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it leaves when there is nothing left to guard, not before
    control = Control.open(runtime / "control")
    control.set(Word.GUARD_PID, os.getpid())
    guard = Guard(control, GuardLink(fd, bytes.fromhex(stop), repeat), deadman_s, runtime / LOG_FILE)
    (runtime / "guard.txt").write_text(settle(), encoding="utf-8")
    guard.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
