"""Discovery: two streams of one process are looked for by another, as ``bmi run`` looks for an amplifier's.

Two, because with multicast off liblsl still asks 127.0.0.1, and there only one outlet hears the question.
Both are fresh processes, since liblsl reads its configuration once, and their log stays with them.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys

from bmi.doctor.finding import Finding, State
from bmi.doctor.multicast import how_to_be_found
from bmi.lsl.settings import LSLSettings, settings_in_force

TIMEOUT_S = 2.0
_START_S = 8.0  # a process that imports numpy and liblsl on a busy machine
_SLOW_MS = 500.0
_N = 2


def discovery() -> Finding:
    """Open two outlets in one process and time how long another takes to find them."""
    lsl = settings_in_force()
    name = f"bmi-doctor-{secrets.token_hex(6)}"
    with subprocess.Popen(
        [*_SELF, "send", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as sender:
        try:
            seeker = subprocess.run(
                [*_SELF, "seek", name], capture_output=True, timeout=TIMEOUT_S + _START_S, check=False
            )
            told, _ = sender.communicate("", timeout=_START_S)
        except (OSError, subprocess.TimeoutExpired) as e:
            sender.kill()
            return _finding(lsl, State.FAIL, f"the two processes of this check did not end: {e}", 0, None)
    if told != "up":
        return _finding(lsl, State.FAIL, f"no stream can be opened: {told or 'the sender died'}", 0, None)
    try:
        n, ms = json.loads(seeker.stdout)
    except ValueError:
        return _finding(lsl, State.FAIL, "the process that looks for streams died", 0, None)
    if n < _N:
        found = f"{n} of {_N} streams of this machine were found within {TIMEOUT_S:g} s"
        return _finding(lsl, State.FAIL, found, n, None)
    state = State.WARN if ms > _SLOW_MS else State.OK
    return _finding(lsl, state, f"another process found {_N} streams of this machine after {ms:.3g} ms", n, ms)


_SELF = (sys.executable, "-m", "bmi.doctor.discovery")


def _finding(lsl: LSLSettings, state: State, found: str, n: int, ms: float | None) -> Finding:
    fix = "" if state == State.OK else how_to_be_found(lsl)
    figures = {"n_sent": _N, "n_found": n, "found_after_ms": ms}
    return Finding(check="discovery", state=state, found=found, fix=fix, figures=figures)


def _send(name: str) -> None:
    """Open the outlets, say so, and keep them until standard input ends."""
    from contextlib import ExitStack

    from bmi.errors import StreamError
    from bmi.lsl.outlet import Outlet
    from bmi.signals import StreamSpec

    with ExitStack() as outlets:
        try:
            for k in range(_N):
                spec = StreamSpec(name=f"{name}-{k}", n_channels=1, rate_hz=0.0, unit="1", type=name)
                outlets.enter_context(Outlet(spec))
        except StreamError as e:
            sys.stdout.write(str(e))
            return
        sys.stdout.write("up")
        sys.stdout.flush()
        sys.stdin.read()


def _seek(name: str) -> None:
    """Wait for a first stream, which may still be starting; then write how many are found, and after how many ms."""
    from bmi.clock import LSLClock
    from bmi.lsl.info import find

    now = LSLClock().now
    found = find({"type": name}, TIMEOUT_S)
    t0 = now()
    if found:
        found = find({"type": name}, TIMEOUT_S, minimum=_N)
    sys.stdout.write(json.dumps([len(found), 1000.0 * (now() - t0)]))


if __name__ == "__main__":
    {"send": _send, "seek": _seek}[sys.argv[1]](sys.argv[2])
