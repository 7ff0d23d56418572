"""A sweep on disk: its plan, a file for every run that is over, and a log of who did what when.

::

    OUT/plan.json         what will be done, and on what it rests
    OUT/runs/00012.json   run 12: written whole or not at all
    OUT/run-log.jsonl     wall times and hosts, which the table does not know
    OUT/table.csv, table.parquet, sweep.html

What is on disk after a kill at any moment is a set of whole runs; that is all there is to resuming.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bmi.errors import RecordingError
from bmi.sweep.plan import Plan

PLAN, RUNS, LOG = "plan.json", "runs", "run-log.jsonl"
_DRAFT = ".draft"


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, whoever is killed meanwhile. Raises RecordingError if it cannot be written."""
    draft = path.with_name(f"{path.name}.{os.getpid()}{_DRAFT}")
    with _writing(path):
        with draft.open("wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        draft.replace(path)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise RecordingError(f"{path}: cannot be written ({e}); see to the disk, then go on with --resume") from e


def run_path(out: Path, index: int) -> Path:
    """Return where the result of a run lies."""
    return out / RUNS / f"{index:05d}.json"


def read_run(out: Path, index: int, sha256: str) -> dict[str, Any] | None:
    """Return the result of a run, None if there is none of this plan."""
    try:
        record = json.loads(run_path(out, index).read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("plan") == sha256 else None


def read_plan(out: Path) -> Plan:
    """Return the plan of a sweep. Raises RecordingError if the folder holds none."""
    try:
        return Plan.from_dict(json.loads((out / PLAN).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise RecordingError(
            f"{out}: expected a new or empty folder, or one with the {PLAN} of a sweep; found neither ({e})"
        ) from e


@contextmanager
def opened(out: Path, plan: Plan, *, resume: bool) -> Iterator[None]:
    """Hold a sweep's folder, for one process at a time.

    Raises
    ------
    RecordingError
        If it is not empty and nothing is to be resumed, or holds another plan, or another process has it.
    """
    with _writing(out):
        out.mkdir(parents=True, exist_ok=True)
        folder = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise RecordingError(f"{out}: another sweep is running there; wait for it, or give another --out") from e
        for draft in [*out.glob(f"*{_DRAFT}"), *(out / RUNS).glob(f"*{_DRAFT}")]:  # of somebody killed while writing
            draft.unlink(missing_ok=True)
        if any(out.iterdir()):
            _compare(out, plan, resume)
        else:
            write(out / PLAN, (json.dumps(plan.to_dict(), indent=1) + "\n").encode())
        (out / RUNS).mkdir(exist_ok=True)
        yield
    finally:
        os.close(folder)


def _compare(out: Path, plan: Plan, resume: bool) -> None:
    if not resume:
        raise RecordingError(f"{out}: expected a new or empty folder; to go on with the sweep in it, add --resume")
    there = read_plan(out)
    if there.sha256 == plan.sha256:
        return
    lines = []
    for name, now in plan.rests_on.items():
        before = there.rests_on[name]
        lines += [f"  {line}" for line in _differences(name, before, now)]
    raise RecordingError(
        f"{out}: holds a sweep by another plan, and half of each would be neither; give another --out, or what differs "
        "as it was:\n" + "\n".join(lines)
    )


def _differences(name: str, before: Any, now: Any) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*before, *now]):
            yield from _differences(f"{name}.{key}", before.get(key), now.get(key))
    elif before != now:
        yield f"{name}: was {_short(before)}, is {_short(now)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:60]} … ({len(text)} characters)"


def log(out: Path, entry: Mapping[str, Any]) -> None:
    """Add a line to the log; one that a kill cut short is left as it is, on a line of its own."""
    with _writing(out / LOG), (out / LOG).open("ab+") as f:
        f.seek(0, os.SEEK_END)
        if f.tell():
            f.seek(-1, os.SEEK_END)
            if f.read(1) != b"\n":
                f.write(b"\n")
        f.write((json.dumps(entry) + "\n").encode())
