"""Many runs on few processors: hand out numbers, take answers, survive what becomes of the workers."""

from __future__ import annotations

import json
import os
import platform
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from bmi.errors import BMIError
from bmi.sweep.folder import log, read_run, run_path, write
from bmi.sweep.plan import Plan
from bmi.sweep.worker import record

_THREADS = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "MKL", "OMP", "NUMBA")}
_GRACE_S = 5.0
MOST_STILLBORN = 3
"""Workers that may die before they are ready until the sweep gives up."""


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


class SweepError(BMIError):
    """The sweep itself cannot go on; what is done stays done."""

    exit_code = 3


# concurrent.futures gives up its whole pool when one worker dies and does not say in which run; joblib likewise.
class _Worker:
    """A process that runs one run at a time."""

    def __init__(self, out: Path) -> None:
        command = [sys.executable, "-P", "-m", "bmi.sweep.worker", str(out), str(os.getpid())]
        self.process = subprocess.Popen(
            command, env={**os.environ, **_THREADS}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            process_group=0,  # Ctrl-C is for who started the sweep
        )  # fmt: skip
        assert self.process.stdin is not None  # noqa: S101 - asked for above
        assert self.process.stdout is not None  # noqa: S101 - likewise
        self.asked, self.answers = self.process.stdin, self.process.stdout
        self.ready, self.last_words = False, ""
        self.run: int | None = None

    def give(self, index: int) -> None:
        self.run = index
        with suppress(BrokenPipeError):  # it died: its answers end, and that is seen
            self.asked.write(b"%d\n" % index)
            self.asked.flush()

    def fate(self) -> str:
        """Say how it ended."""
        code = self.process.wait()
        if code < 0:
            return f"the worker got {signal.Signals(-code).name}"
        return self.last_words or f"the worker ended with exit code {code}"

    def close(self) -> None:
        with suppress(BrokenPipeError):
            self.asked.close()
        self.answers.close()
        self.process.wait()


class Runs:
    """Brings a sweep's folder from where it is to where every run has its file.

    Parameters
    ----------
    plan : Plan
    out : Path
        Folder, held by the caller.
    jobs : int
        Workers at a time.
    told : callable, optional
        Called with each run's answer when it is over.
    say : callable, optional
        Called with what a person should know.
    """

    def __init__(
        self,
        plan: Plan,
        out: Path,
        *,
        jobs: int,
        told: Callable[[dict[str, Any]], object] = lambda _: None,
        say: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.plan, self.out, self.jobs = plan, out, jobs
        self.told, self._say = told, say
        self.todo = [i for i in range(len(plan)) if not self._done(i)]
        """Runs without a result; failed ones are done again."""
        self._again: set[int] = set()
        self._stillborn = 0

    def _done(self, index: int) -> bool:
        found = read_run(self.out, index, self.plan.sha256)
        return found is not None and found["status"] == "ok"

    def __call__(self) -> None:
        """Run what is to do. Workers are gone afterwards, however this ends."""
        todo = self.todo[::-1]
        workers: set[_Worker] = set()
        with selectors.DefaultSelector() as waiting:
            try:
                while todo or workers:
                    while len(workers) < self.jobs and sum(w.run is None for w in workers) < len(todo):
                        self._start(workers, waiting)
                    for key, _ in waiting.select():
                        self._hear(key.data, todo, workers, waiting)
            finally:
                _end(workers)

    def _start(self, workers: set[_Worker], waiting: selectors.BaseSelector) -> None:
        worker = _Worker(self.out)
        workers.add(worker)
        waiting.register(worker.answers, selectors.EVENT_READ, worker)

    def _hear(self, worker: _Worker, todo: list[int], workers: set[_Worker], waiting: selectors.BaseSelector) -> None:
        """Take one answer, or the end of a worker, and give it the next run."""
        line = worker.answers.readline()
        if not line.endswith(b"\n"):
            waiting.unregister(worker.answers)
            workers.remove(worker)
            self._lost(worker, todo)
            worker.close()
            return
        answer = json.loads(line)
        if "last_words" in answer:
            worker.last_words = answer["last_words"]
            return
        if worker.run is not None:
            self._over(answer)
        worker.ready, worker.run = True, None
        if todo:
            worker.give(todo.pop())
        else:
            waiting.unregister(worker.answers)
            workers.remove(worker)
            worker.close()

    def _over(self, answer: dict[str, Any]) -> None:
        finished = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        log(self.out, {**answer, "finished": finished, "host": platform.node()})
        self.told(answer)

    def _lost(self, worker: _Worker, todo: list[int]) -> None:
        """Begin a run whose worker was killed once more, and say so; what kills twice has failed."""
        fate = worker.fate()
        if not worker.ready:
            self._stillborn += 1
            if worker.process.returncode >= 0 or self._stillborn > MOST_STILLBORN:
                raise SweepError(f"a worker did not start: {fate}; what it said stands above")
            return
        index = worker.run
        if index is None:
            return
        if worker.process.returncode < 0 and index not in self._again:
            self._again.add(index)
            todo.append(index)
            self._say(f"run {index}: {fate}; it is begun again")
            log(self.out, {"run": index, "status": "begun again", "error": fate})
            return
        write(run_path(self.out, index), record(self.plan, index, error=fate))
        self._over({"run": index, "status": "failed", "error": fate})


def _end(workers: set[_Worker]) -> None:
    """End every worker; the runs they were at have no file and are done when the sweep is resumed."""
    for worker in workers:
        worker.process.terminate()
    deadline = time.monotonic() + _GRACE_S
    for worker in workers:
        try:
            worker.process.wait(max(deadline - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            worker.process.kill()
        worker.close()
