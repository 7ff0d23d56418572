"""``bmi bench patient``: the whole patient in real time beside the pipeline, against a sleeper on the same processors.

A session as any other runs the recipe: the patient in its own process over LSL, lane, recorder, learner. Beside them,
in processes of their own, a sleeper that only wakes every 10 ms, half a period off, and a listener that reads the
streams which the recipe leaves unread. What of a push's lateness the machine is to blame for, the sleeper shows; what
of a block's processor time, fixed work of the same length shows afterwards (``sim.bench.fixed``).
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from bmi.bench.load import PIDS, cpu_s
from bmi.clock import LSLClock
from bmi.control import CONTROL_FILE, Control, LaneState, Word
from bmi.errors import BMIError, ContractError
from bmi.process import keep_off
from bmi.recipe import build, read
from bmi.session import Session
from bmi.signals import F64, AnyArray
from bmi.streams import sent
from bmi.world import TIMES
from sim import GRID_S
from sim.bench.fixed import measured

CORE_S_S, BLOCK_MS = 0.55, 1e3 * GRID_S
"""Asked: core-seconds of the patient's process per second it lived, and processor time of its slowest block, ms."""
SPARE_S = 120.0
"""Rows are laid for so much longer than is asked, s: starting takes some of them."""
SHORTEST_S = 2.0
"""The last block lasts so long at least, s."""
SECOND = round(1.0 / GRID_S)
SLEPT, HEARD = "sleeper.npy", "heard.json"


def patient(
    seconds: Annotated[float, typer.Option(min=5.0, help="How long it runs live.")] = 600.0,
    recipe: Annotated[str, typer.Option(help="A recipe whose world pushes every 10 ms.")] = "patient_center_out",
    control: Annotated[float, typer.Option(min=0.0, help="How long fixed work is measured afterwards, s.")] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """The whole patient in real time beside the pipeline: processor time, slowest block, lateness; 1 if it misses.

    Example:  [bold]bmi bench patient --seconds 600 --json[/bold]
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(recipe, total=1.0)
        result = live(recipe, seconds, lambda share: bar.update(task, completed=share), control_s=control)
    if as_json:
        typer.echo(json.dumps(result, indent=1))
    else:
        show(result)
    if not all(bar["reached"] for bar in result["bars"].values()):
        raise typer.Exit(1)


def live(
    recipe: str, seconds: float, progress: Callable[[float], object] = lambda share: None, *, control_s: float = 0.0
) -> dict[str, Any]:
    """Run a recipe live for so long and measure the patient; then fixed work for ``control_s``.

    Its learning blocks run as shipped; the last block is made as long as what is left.

    Raises
    ------
    ContractError
        If the recipe's world does not push every 10 ms.
    """
    raw = read(recipe)
    before = sum(b.get("seconds") or 0.0 for b in raw["blocks"][:-1])
    raw["blocks"][-1] |= {"trials": None, "seconds": max(seconds - before, SHORTEST_S)}
    built = build(raw, recipe)
    first = None if built.world is None else sent(built.world)[0]
    if first is None or abs(first.max_samples / first.rate_hz - GRID_S) > 1e-9:
        raise ContractError(f"bench patient: {recipe} has no world that pushes every {BLOCK_MS:g} ms")
    with tempfile.TemporaryDirectory(prefix="bmi-living-") as folder:
        session = Session.open(built, out=Path(folder) / "session")
        seconds = max(seconds, before + SHORTEST_S)
        whole = seconds + control_s
        told = asyncio.run(_live(session, Path(folder), seconds, lambda share: progress(share * seconds / whole)))
        if control_s:
            usual, cpu = told["block_cpu_ms"]["patient"]["p50"], session.recipe.lane.cpu
            against(told, measured(control_s, usual, cpu, Path(folder),
                                   lambda share: progress((seconds + share * control_s) / whole)))  # fmt: skip
        return told


async def _live(
    session: Session, folder: Path, seconds: float, progress: Callable[[float], object]
) -> dict[str, Any]:
    n = round((seconds + SPARE_S) / GRID_S)

    def lay(_: str) -> None:
        """Lay the file at the first word of what is waited for: the runtime folder is there, the world is not."""
        if not (session.runtime / TIMES).exists():
            np.save(session.runtime / TIMES, np.full((n, 2), np.nan))

    session.progress = lay
    async with session as s:
        specs = sent(s.recipe.world)  # type: ignore[arg-type]
        unread = [spec.name for i, spec in enumerate(specs) if i not in s.recipe.world_streams]
        beside = {role: _beside(s, role, folder, unread) for role in ("sleeper", "listener")}
        try:
            await _until_there(folder / SLEPT, folder / HEARD)
            pids = {role: s.control.get(word) for role, word in PIDS.items() if s.control.get(word)}
            pids |= {"service": os.getpid()} | {role: p.pid for role, p in beside.items()}
            began, used = time.monotonic(), {role: cpu_s(pid) for role, pid in pids.items()}
            from_row = _rows(s.runtime / TIMES)
            running, taken = asyncio.create_task(s.run()), dict(used)
            while not running.done():
                wall = time.monotonic() - began
                progress(min(wall / seconds, 1.0))
                taken = {role: max(taken[role], cpu_s(pid)) for role, pid in pids.items()}
                to_row = _rows(s.runtime / TIMES)
                await asyncio.sleep(0.5)
            summary = await running
            times = np.load(s.runtime / TIMES, allow_pickle=False)
        finally:
            s.control.set(Word.QUIT, 1)
            for process in beside.values():
                _end(process)
    kept = slice(from_row + 1, min(to_row, _rows(folder / SLEPT)))
    cost = {role: (taken[role] - used[role]) / wall for role in pids}
    heard = json.loads((folder / HEARD).read_text(encoding="utf-8"))
    return _told(session, wall, cost, times[kept], np.load(folder / SLEPT, allow_pickle=False)[kept], summary, heard)


def _beside(session: Session, role: str, folder: Path, streams: list[str]) -> subprocess.Popen[bytes]:
    """Start this file as a process beside the session, on its network and on the processors its world may use."""
    env = {**os.environ, "LSLAPICFG": str(session.runtime / "lsl_api.cfg")}
    told = [role, str(session.runtime), str(folder), json.dumps(session.recipe.lane.cpu), *streams]
    return subprocess.Popen([sys.executable, "-m", "sim.bench.living", *told], env=env)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that was told to end; one that does not is killed."""
    try:
        process.wait(10.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


async def _until_there(*paths: Path) -> None:
    """Wait until the processes beside the session have begun to write."""
    end = time.monotonic() + 30.0
    while not all(p.exists() for p in paths):
        if time.monotonic() > end:
            raise BMIError("bench patient: what runs beside the session did not start")
        await asyncio.sleep(0.05)


def _rows(path: Path) -> int:
    """Return how many rows have been written."""
    return int(np.isfinite(np.load(path, allow_pickle=False)[:, 1]).sum())


def _told(session: Session, wall: float, cost: dict[str, float], pushes: F64, slept: F64, summary: dict[str, Any],
          heard: dict[str, Any]) -> dict[str, Any]:  # fmt: skip
    """Put together what was measured; of two rows that follow each other the processor time is one block's."""
    both = np.isfinite(pushes[:, 1]) & np.isfinite(slept[:, 1])
    late = [1e3 * x[both, 0] for x in (pushes, slept)]
    own = [1e3 * np.diff(x[both, 1]) for x in (pushes, slept)]
    of_session = sum(c for role, c in cost.items() if role not in ("sleeper", "listener"))
    over = int((own[0] > BLOCK_MS).sum())
    ratio = ratios(*late)
    lived = len(pushes) * GRID_S  # less than passed, if the machine was too busy for real time
    world = cost["world"] * wall / lived
    bars = {
        "core-s/s of the patient": {"asked": CORE_S_S, "got": world, "reached": world <= CORE_S_S},
        "blocks over 10 ms": {"asked": 0, "got": over, "of": len(own[0]), "reached": over == 0},
        "lateness, p99 over the sleeper's": {"asked": 1.0, "got": ratio["p99"]["value"], "low": ratio["p99"]["low"],
                                             "reached": ratio["p99"]["low"] <= 1.0},
    }  # fmt: skip
    wanted = ("samples", "lost", "world_overruns", "missed_deadlines", "recorder_dropped", "age_ms", "blocks")
    return {
        "recipe": session.recipe.where,
        "seconds": round(wall, 1),
        "lived_s": round(lived, 1),
        "cores": len(os.sched_getaffinity(0)),
        "core_s_s": {role: round(c, 4) for role, c in cost.items()} | {"session": round(of_session, 4)},
        "block_cpu_ms": {"patient": quantiles(own[0]), "sleeper": quantiles(own[1])},
        "slowest_blocks": slowest(np.flatnonzero(both), own[0], *late),
        "late_ms": {"patient": quantiles(late[0]), "sleeper": quantiles(late[1])},
        "late_ratio": ratio,
        "streams": {"decoded": [s.label for s in session.recipe.sources], "heard": heard},
        **{k: summary[k] for k in wanted if k in summary},
        "bars": bars,
    }


def against(told: dict[str, Any], fixed: F64) -> None:
    """Put beside the patient's blocks what fixed work of the same length took, (n,) ms."""
    told["block_cpu_ms"]["fixed work, alone"] = quantiles(fixed)
    told["bars"]["blocks over 10 ms"]["control"] = {"got": int((fixed > BLOCK_MS).sum()), "of": len(fixed)}


def slowest(row: AnyArray, own: F64, late: F64, slept: F64, n: int = 10) -> list[dict[str, float]]:
    """Return the ``n`` blocks that took longest, in order of time, and how late the sleeper was just then.

    Parameters
    ----------
    row : (n_rows,) int64
        Which push each is.
    own : (n_rows - 1,) float64
        Processor time between a push and the next one, ms.
    late, slept : (n_rows,) float64
        Lateness of pushes and of the sleeper, which wakes half a period after each, ms.
    """
    worst = np.sort(np.argsort(own)[-n:])
    return [
        {
            "at_s": round(float(row[k]) * GRID_S, 2),
            "own_ms": float(own[k]),
            "push_late_ms": float(late[k + 1]),
            "sleeper_late_ms": float(slept[max(0, k - 1) : k + 2].max()),
        }
        for k in worst
    ]


def quantiles(x: F64) -> dict[str, float]:
    """Return median, tail and worst."""
    p50, p99, p999 = np.percentile(x, [50, 99, 99.9])
    return {"p50": float(p50), "p99": float(p99), "p99.9": float(p999), "max": float(x.max()), "n": len(x)}


def ratios(late: F64, slept: F64, n: int = 400) -> dict[str, dict[str, float]]:
    """Return each quantile of lateness over the sleeper's, with its 95 % interval: seconds drawn anew, in pairs."""
    whole = len(late) // SECOND * SECOND
    seconds = np.stack([late[:whole], slept[:whole]]).reshape(2, -1, SECOND)
    levels, rng = (50.0, 99.0, 99.9), np.random.default_rng(0)
    drawn = []
    for _ in range(n):
        a, b = (np.percentile(x, levels) for x in seconds[:, rng.integers(seconds.shape[1], size=seconds.shape[1])])
        drawn.append(a / b)
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    value = np.percentile(late, levels) / np.percentile(slept, levels)
    return {f"p{q:g}": {"value": float(v), "low": float(a), "high": float(b)}
            for q, v, a, b in zip(levels, value, low, high, strict=True)}  # fmt: skip


def show(result: dict[str, Any]) -> None:
    """Print tables."""
    from sim.bench import _table

    _table("core-s a second", {role: {"": c} for role, c in result["core_s_s"].items()})
    _table("own CPU time of a block, ms", result["block_cpu_ms"])
    blocks = result["slowest_blocks"]
    _table("slowest blocks", {f"at {b['at_s']:g} s": {k: v for k, v in b.items() if k != "at_s"} for b in blocks})
    _table("lateness of a push, ms", result["late_ms"])
    _table("over the sleeper's", result["late_ratio"])
    won = [f"{b['name']} {sum(b['won'])}/{b['trials']}" for b in result["blocks"]]
    heard = ", ".join(f"{k} {v['samples']} ({v['lost']} lost)" for k, v in result["streams"]["heard"].items())
    typer.echo(f"decoded {', '.join(result['streams']['decoded'])} {result['samples']} ({result['lost']} lost); "
               f"besides {heard}; overruns {result['world_overruns']}; won {', '.join(won)}")  # fmt: skip
    for name, bar in result["bars"].items():
        verdict = "reached" if bar["reached"] else "not reached"
        of = f" of {bar['of']}" if "of" in bar else ""
        beside = "; fixed work, alone: {got} of {of}".format(**bar["control"]) if "control" in bar else ""
        typer.echo(f"{name}: asked {bar['asked']:g}, got {bar['got']:.3g}{of}: {verdict}{beside}")


def sleeper(runtime: Path, folder: Path, control: Control) -> None:
    """Wake half a period after each push and do nothing else, until QUIT."""
    clock, pushes = LSLClock(), np.load(runtime / TIMES, mmap_mode="r", allow_pickle=False)
    np.save(folder / SLEPT, np.full(pushes.shape, np.nan))
    times = np.load(folder / SLEPT, mmap_mode="r+", allow_pickle=False).view(np.ndarray)
    while np.isnan(pushes[0]).any() and not control.get(Word.QUIT):
        time.sleep(0.01)
    if control.get(Word.QUIT):
        return
    t0 = float(pushes[0, 0]) + 0.5 * GRID_S
    k = max(0, round((clock.now() - t0) / GRID_S)) + 1
    times[:k] = 0.0
    while not control.get(Word.QUIT) and k < len(times):
        t = t0 + k * GRID_S
        clock.sleep_until(t)
        times[k] = clock.now() - t, time.thread_time()
        k += 1


def listener(folder: Path, control: Control, streams: list[str]) -> None:
    """Read streams until the lane is done; say what came and what was lost."""
    from bmi.lsl.inlet import LSLSource

    sources = [LSLSource(name=name) for name in streams]
    told = {name: {"samples": 0, "lost": 0} for name in streams}
    for source in sources:
        source.open()
    path = folder / HEARD
    path.write_text(json.dumps(told), encoding="utf-8")
    while not control.get(Word.QUIT) and control.get(Word.LANE_STATE) < LaneState.DONE:
        time.sleep(2.0 * GRID_S)
        for source in sources:
            while (chunk := source.read(0.0)) is not None:
                told[source.name]["samples"] += len(chunk.data)
                told[source.name]["lost"] += chunk.n_lost_before
    for source in sources:
        source.close()
    path.write_text(json.dumps(told), encoding="utf-8")


def main(role: str, runtime: Path, folder: Path, cpu: str, *streams: str) -> None:
    """Be one of the two that run beside the session."""
    keep_off(json.loads(cpu))
    control = Control.open(runtime / CONTROL_FILE)
    gc.freeze()
    gc.disable()
    if role == "sleeper":
        sleeper(runtime, folder, control)
    else:
        listener(folder, control, list(streams))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
