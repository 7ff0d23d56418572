"""One worker of a sweep: ``python -m bmi.sweep.worker OUT PARENT``.

It reads the plan from the folder and numbers of runs from standard input, one a line; it writes each run's file and
answers with a line of JSON. So a worker can be started, watched and killed alone.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from bmi.errors import BMIError
from bmi.report import to_json
from bmi.sweep.folder import read_plan, run_path, write
from bmi.sweep.plan import Plan

FAULTS = (ArithmeticError, AttributeError, BMIError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""What a part may raise and its worker go on; whatever else it raises are the worker's last words."""
_PR_SET_PDEATHSIG = 1


def record(plan: Plan, index: int, *, summary: dict[str, Any] | None = None, error: str | None = None) -> bytes:
    """Return the file of a run: its values and its summary, or why there is none; nothing of when and where."""
    point, seed = plan.run(index)
    told = {
        "plan": plan.sha256,
        "run": index,
        "values": point.values,
        "seed": seed,
        "status": "ok" if error is None else "failed",
        "error": error,
        "summary": summary or {},
    }
    return (to_json(told) + "\n").encode()


def run(plan: Plan, out: Path, index: int) -> dict[str, Any]:
    """Simulate one run, write its file, and return what is to be said of it besides."""
    from bmi.recipe import build
    from bmi.simulate import simulate

    start = time.perf_counter()
    said: dict[str, Any] = {"run": index, "status": "ok"}
    try:
        done = simulate(build(plan.recipe_of(index), plan.recipe))
        data = record(plan, index, summary=done.summary)
        said["simulated_s"] = done.simulated_s
    except FAULTS as e:
        error = in_words(e)
        data = record(plan, index, error=error)
        said |= {"status": "failed", "error": error, "trace": traceback.format_exc().splitlines()}
    write(run_path(out, index), data)
    return said | {"wall_s": time.perf_counter() - start}


def in_words(e: BaseException) -> str:
    """Return an exception as one line."""
    return " ".join(f"{type(e).__name__}: {e}".split())


def main(argv: list[str]) -> int:
    """Run what is asked for until nobody asks any more."""
    out, parent = Path(argv[0]), int(argv[1])
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return 0
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a part prints is no answer

    def last_words(kind: type[BaseException], e: BaseException, trace: TracebackType | None) -> None:
        sys.__excepthook__(kind, e, trace)
        answers.write(json.dumps({"last_words": in_words(e)}) + "\n")

    sys.excepthook = last_words
    plan = read_plan(out)
    answers.write("{}\n")  # ready
    for line in sys.stdin:
        answers.write(json.dumps(run(plan, out, int(line))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
