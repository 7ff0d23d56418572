"""Senders that misbehave on demand, each a process of its own, and a live lane in this one that is watched meanwhile.

Run as a program this file is such a sender: it imports everything, says ``ready``, and does what the lines on its
standard input say, one JSON object each; so a test need not wait for an interpreter to start.
"""

from __future__ import annotations

import json
import mmap
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from figures import measured

CI_SLACK = 3.0
"""Deadlines of the default suite, which shares its cores, are this many times the promised ones."""
NEUTRAL_S, RETURN_S, AGE_S = 0.2, 2.0, 0.15
OTHER_HOST = "another-host"


def spoil(data: np.ndarray, which: int, kind: str) -> None:
    """Make the first ``which`` columns of ``data`` (n, n_channels) what electrodes can become."""
    data[:, :which] = {"nan": np.nan, "inf": np.inf, "railed": 5000.0, "flat": 0.0}[kind]


def announce(c: dict[str, Any]) -> Any:
    """Put a stream on the network, say when that was, and wait for a reader if told to."""
    import pylsl

    from bmi.lsl.outlet import Outlet
    from bmi.signals import StreamSpec

    n, rate = c["n_channels"], c["rate_hz"]
    out: Any
    if c["stranger"]:
        out = pylsl.StreamOutlet(pylsl.StreamInfo(c["name"], c["type"], n, rate, "float32", c["source_id"]))
    else:
        spec = StreamSpec(name=c["name"], type=c["type"], n_channels=n, rate_hz=rate, unit=c["unit"],
                          labels=tuple(c["labels"]), source_id=c["source_id"])  # fmt: skip
        out = Outlet(spec, c["push"], sync=c["sync"])
    print(pylsl.local_clock(), flush=True)
    while c["wait"] and not out.wait_for_consumers(0.1):
        pass
    return out


def obey(orders: list[dict[str, Any]]) -> None:
    """Take orders; without anybody to give them, end."""
    orders.extend(map(json.loads, sys.stdin))
    os._exit(0)


def send() -> None:
    """Be a sender."""
    import pylsl

    import bmi.lsl.outlet  # noqa: F401  (before it says that it is ready)

    orders: list[dict[str, Any]] = []
    print("ready", flush=True)
    first = sys.stdin.readline()
    if not first:
        return
    threading.Thread(target=obey, args=(orders,), daemon=True).start()
    c = json.loads(first)
    sent = np.frombuffer(mmap.mmap(os.open(c["count"], os.O_RDWR), 8), np.int64)
    out = announce(c)
    rng = np.random.default_rng(c["seed"])
    now: dict[str, Any] = {"shift": 0.0, "drift": 0.0, "bad": None, "halt": c["halt"]}
    t = t0 = pylsl.local_clock()
    while True:
        t += c["push"] / c["rate_hz"]
        time.sleep(max(0.0, t - pylsl.local_clock()))
        while orders:
            order = orders.pop(0)
            now |= order
            if "zero" in order:
                now["shift"] = -t
            if "drift" in order:
                t0 = t
            if "become" in order:
                c |= order["become"]
                del out
                out, sent[0] = announce(c), 0
                t = pylsl.local_clock()
        if now["halt"]:
            continue
        shape = c["push"], c["n_channels"]
        data = rng.normal(0.0, 20.0, shape) if c["unit"] == "µV" else rng.poisson(0.05, shape)
        data = data.astype(np.float32)
        if now["bad"]:
            spoil(data, **now["bad"])
        stamp = t + now["shift"] + now["drift"] * (t - t0)
        if c["stranger"]:
            out.push_chunk(data.tolist(), stamp)
        else:
            out.push(data, stamp)
        sent[0] += c["push"]


PROMISES = {"n_channels": 8, "rate_hz": 1000.0, "push": 5, "unit": "count", "type": "test", "labels": [],
            "sync": True, "wait": False, "stranger": False, "halt": False, "seed": 0}  # fmt: skip


class Sender:
    """One sender, idle until ``go``."""

    def __init__(self, folder: Path, *, host: str = "", clock_s: int = 0) -> None:
        self._count = folder / f"sent-{time.monotonic_ns()}"
        self._count.write_bytes(bytes(8))
        argv = [sys.executable, str(Path(__file__).resolve())]
        if host:
            argv = ["unshare", "--uts", "sh", "-c", f'hostname {host} && exec "$0" "$1"', *argv]
        if clock_s:
            argv = ["unshare", "--time", "--monotonic", str(clock_s), *argv]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def go(self, name: str, **changes: Any) -> float:
        """Put the stream on the network and send; returns when that was, s, LSL clock."""
        return self._answer(**PROMISES | {"name": name, "source_id": f"id-{name}", "count": str(self._count)} | changes)

    def become(self, **changes: Any) -> float:
        """Leave the network and return as another stream; returns when that was, s, LSL clock."""
        return self._answer(become=changes)

    def wait(self) -> None:
        """Return once it only waits for ``go``."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def _answer(self, **order: Any) -> float:
        self.say(**order)
        assert self.process.stdout is not None
        return float(self.process.stdout.readline())

    def say(self, **order: Any) -> None:
        """Change what it does: ``shift`` s, ``drift`` s/s, ``zero``, ``bad`` (see `spoil`), ``halt``."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    @property
    def sent(self) -> int:
        """Samples it has pushed; known after its death too."""
        return int.from_bytes(self._count.read_bytes(), "little")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """End it and close its pipes."""
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class Senders:
    """A pool that always has the next sender started."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._used = folder, []
        self._spare = [Sender(folder), Sender(folder)]

    def take(self, **another: Any) -> Sender:
        """Return a sender of this machine, or of one called ``host``, or whose clock is ``clock_s`` ahead."""
        if another:
            sender = Sender(self._folder, **another)
        else:
            sender = self._spare.pop(0)
            self._spare.append(Sender(self._folder))
        self._used.append(sender)
        sender.wait()
        return sender

    def close(self, *, all_of_them: bool = True) -> None:
        """End those that were used, or all."""
        for sender in self._used + (self._spare if all_of_them else []):
            sender.close()
        self._used.clear()


def hosts_can_be_had() -> bool:
    """Whether a process may be given another host name here."""
    if shutil.which("unshare") is None:
        return False
    done = subprocess.run(["unshare", "--uts", "hostname", OTHER_HOST], capture_output=True)
    return done.returncode == 0


class LiveRig:
    """A lane with its line, fed by one LSL stream and driven from the test.

    Parameters
    ----------
    folder : Path
        For its rings.
    name : str
        Of the stream.
    stages : list, optional
        Instead of bins of 20 ms.
    source : mapping
        More keys of the source.
    """

    def __init__(self, folder: Path, name: str, *, stages: Any = None, device: str = "cursor", **source: Any) -> None:
        from bmi.clock import LSLClock
        from bmi.control import Control, Word
        from bmi.lane import Journal, Lane
        from bmi.process import bind_line, make_line
        from bmi.recipe import build

        self.clock = LSLClock()
        recipe = build(
            {
                "session": {"name": "faults", "seed": 1},
                "sources": [{"use": "lsl", "name": name, **source}],
                "stages": stages or [{"use": "bin", "bin_s": 0.02}],
                "decoder": {"use": "kalman", "q": "diagonal"},
                "device": {"use": device},
            },
            "faults",
        )
        self.recipe, self.source = recipe, recipe.sources[0]
        self.line = make_line(recipe)
        self.source.open()
        (spec,) = self.line.pipeline.meet((self.source.spec,))
        rng = np.random.default_rng(1)
        recipe.decoder.fit(
            rng.random((400, spec.n_channels)), 60.0 * rng.standard_normal((400, 2)), dt_s=1.0 / spec.rate_hz
        )
        recipe.device.open()
        bind_line(recipe, self.line, (self.source.spec,))
        self.journal = Journal(folder, self.line, ring_s=60.0, learns=False)
        self.control = Control.create(folder / "control")
        self.control.set(Word.ARM, 1)
        self.lane = Lane(self.line, [self.source], self.clock, self.control, self.journal)
        recipe.device.arm()

    def live(self, seconds: float) -> None:
        """Let the lane run."""
        t_end = self.clock.now() + seconds
        while self.clock.now() < t_end:
            self.lane.once()

    def until(self, met: Callable[[], bool], most_s: float) -> None:
        """Let the lane run until ``met``; fails after ``most_s``."""
        t_end = self.clock.now() + most_s
        while not met():
            assert self.clock.now() < t_end, f"not within {most_s:g} s; events {[e.kind for e in self.events()]}"
            self.lane.once()

    def steady(self) -> None:
        """Live until commands have passed for 0.3 s."""
        self.until(lambda: self.active, 10.0)
        self.live(0.3)
        assert self.active

    @property
    def active(self) -> bool:
        """Whether the gate lets commands pass."""
        return self.line.gate.status == 2

    def steps(self) -> np.ndarray:
        """Return the journal so far."""
        return self.journal.steps.reader("oldest").read()

    def events(self, kind: str = "") -> list[Any]:
        """Return the events of a kind so far."""
        from bmi.session import as_event

        events = [as_event(row) for row in self.journal.events.reader("oldest").read()]
        return [e for e in events if e.kind.startswith(kind)]

    def returned(self, *, new: bool) -> list[Any]:
        """Return the events in which the stream resumed: with a new sender, or the old one, longest away first."""
        found = [e for e in self.events("stream.resumed") if e.data["new_sender"] == new]
        return sorted(found, key=lambda e: -float(e.data["away_s"]))  # a busy machine is a short silence, too

    def heard(self, kind: str) -> bool:
        """Whether an event of this kind was written."""
        return bool(self.events(kind))

    def close(self) -> None:
        """Give everything back."""
        self.line.device.stop("the test is over")
        self.source.close()
        self.recipe.device.close()


def took(what: str, seconds: float) -> float:
    """Keep how long something took, and return it."""
    measured(f"{what}, ms", 1e3 * seconds)
    return seconds


def moving(steps: np.ndarray) -> np.ndarray:
    """Return the steps that let something move: a command passed, and it was not zero."""
    return steps[(steps["command_seq"] >= 0) & (steps["gate_state"] == 2) & steps["command"].any(1)]


def neutral_after(steps: np.ndarray, t_fault: float) -> float:
    """Return how long after ``t_fault`` the last command passed before the first rest, s."""
    later = steps[steps["now"] >= t_fault]
    resting = later["now"][later["gate_state"] != 2]
    assert len(resting), "it never came to rest"
    return took("at rest after", float(resting[0] - t_fault))


def moved_after(steps: np.ndarray, t_good: float) -> float:
    """Return how long after ``t_good`` commands passed again, s."""
    passed = moving(steps[steps["now"] >= t_good])
    assert len(passed), "it never moved again"
    return took("moves again after", float(passed["now"][0] - t_good))


def oldest_basis(steps: np.ndarray) -> float:
    """Return the greatest age of the newest sample that any passed command rested on when it was passed, s."""
    passed = moving(steps)
    return took("oldest sample", float((passed["now"] - np.minimum(passed["t"], passed["t_arrival"])).max()))


if __name__ == "__main__":
    send()
