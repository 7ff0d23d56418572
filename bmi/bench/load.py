"""What a recipe costs while it really runs: processor time of every process, losses, latencies."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bmi.control import Word
from bmi.recipe import build, read
from bmi.session import Session

PIDS = {
    "lane": Word.LANE_PID,
    "recorder": Word.RECORDER_PID,
    "learner": Word.LEARNER_PID,
    "world": Word.WORLD_PID,
    "guard": Word.GUARD_PID,
}


def cpu_s(pid: int) -> float:
    """Return the processor time a process and all its threads have used, s; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Return what a process keeps in memory of its own (rings and files it maps left out), MB; 0 if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024.0 for line in lines if line.startswith("RssAnon")), 0.0)


def bench_load(
    recipe: str,
    seconds: float,
    overrides: dict[str, Any] | None = None,
    *,
    out: Path | None = None,
    progress: Callable[[float], object] = lambda share: None,
) -> dict[str, Any]:
    """Run a recipe live for so long and measure what it takes.

    Its learning blocks run as shipped; the last block is made as long as what is left. The recording is deleted again
    unless ``out`` says where to keep it.

    Returns
    -------
    dict
        ``cpu_percent`` of one core for each process, its threads included; ``memory_mb`` at the beginning and at the
        end; ``samples``, ``lost``, ``recorder_dropped`` and the session's latencies.
    """
    raw = read(recipe, overrides)
    before = sum(b.get("seconds") or 0.0 for b in raw["blocks"][:-1])
    raw["blocks"][-1] |= {"trials": None, "seconds": max(seconds - before, 10.0)}
    folder = Path(tempfile.mkdtemp(prefix="bmi-load-")) if out is None else out
    try:
        return asyncio.run(_run(Session.open(build(raw, recipe), out=folder / "session"), seconds, progress))
    finally:
        if out is None:
            shutil.rmtree(folder, ignore_errors=True)


async def _run(session: Session, seconds: float, progress: Callable[[float], object]) -> dict[str, Any]:
    async with session as s:
        pids = {role: s.control.get(word) for role, word in PIDS.items() if s.control.get(word)}
        began, used = time.monotonic(), {role: cpu_s(pid) for role, pid in pids.items()}
        memory = {role: [round(memory_mb(pid), 1)] for role, pid in pids.items()}
        taken, wall = dict(used), 0.0

        def look(_: object) -> None:
            nonlocal wall
            wall = time.monotonic() - began
            progress(min(wall / seconds, 1.0))
            for role, pid in pids.items():
                taken[role] = max(taken[role], cpu_s(pid))

        running = asyncio.create_task(s.run(look))
        while not running.done():
            await asyncio.sleep(0.5)
            for role, pid in pids.items():
                if now := round(memory_mb(pid), 1):
                    memory[role][1:] = [now]
        summary = await running
    wanted = ("samples", "lost", "dropped", "recorder_dropped", "recorder_bytes", "world_overruns", "missed_deadlines",
              "commands", "n_trials", "n_success", "age_ms", "own_us")  # fmt: skip
    return {
        "recipe": session.recipe.where,
        "seconds": round(wall, 1),
        "cpu_percent": {role: round(100.0 * (taken[role] - used[role]) / wall, 1) for role in pids},
        "memory_mb": memory,
        **{k: summary[k] for k in wanted if k in summary},
    }
