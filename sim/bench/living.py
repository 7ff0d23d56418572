"""``bmi bench patient``: the whole patient in real time beside the pipeline, against a sleeper on the same processors.

A session as any other runs the recipe: the patient in its own process over LSL, lane, recorder, learner. Beside them,
in processes of their own, a sleeper and a listener (``sim.bench.beside``). What of a push's lateness the machine is to
blame for, the sleeper shows. Of a block's processor time two measurements show it: blocks that took longer than they
last are computed once more, to the same bits (``sim.bench.again``), and fixed work of a block's length runs alone
(``sim.bench.fixed``).
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from bmi.bench.load import PIDS, cpu_s
from bmi.control import Word
from bmi.errors import ContractError
from bmi.recipe import build, read
from bmi.session import Session
from bmi.signals import F64, AnyArray
from bmi.streams import sent
from bmi.world import TIMES
from sim import GRID_S
from sim.bench import beside
from sim.bench.again import Again, lived_again, rows
from sim.bench.fixed import measured

CORE_S_S, BLOCK_MS = 0.55, 1e3 * GRID_S
"""Asked: core-seconds of the patient's process per second it lived, and processor time of its slowest block, ms."""
SPARE_S = 120.0
"""Rows are laid for so much longer than is asked, s: starting takes some of them."""
SHORTEST_S = 2.0
"""The last block lasts so long at least, s."""
SECOND = round(1.0 / GRID_S)


class Lived(NamedTuple):
    """What was measured while the patient lived."""

    session: Session
    wall_s: float
    cost: dict[str, float]
    """Core-seconds a second of every process."""
    times: F64
    """The file ``TIMES``, from its first row."""
    kept: slice
    """Rows of it in which all was running."""
    slept: F64
    """In these, lateness of the sleeper and its processor time, s."""
    summary: dict[str, Any]
    heard: dict[str, Any]

    @property
    def pushes(self) -> F64:
        """Rows of the patient in which all was running."""
        return self.times[self.kept]


def patient(
    seconds: Annotated[float, typer.Option(min=5.0, help="How long it runs live.")] = 600.0,
    recipe: Annotated[str, typer.Option(help="A recipe whose world pushes every 10 ms.")] = "patient_center_out",
    again: Annotated[bool, typer.Option(help="Live up to the last block over 10 ms once more, if any.")] = True,
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
        result = live(recipe, seconds, lambda share: bar.update(task, completed=share), again=again, control_s=control)
    if as_json:
        typer.echo(json.dumps(result, indent=1))
    else:
        show(result)
    if not all(bar["reached"] for bar in result["bars"].values()):
        raise typer.Exit(1)


def live(
    recipe: str, seconds: float, progress: Callable[[float], object] = lambda share: None, *, again: bool = False,
    control_s: float = 0.0,
) -> dict[str, Any]:  # fmt: skip
    """Run a recipe live for so long and measure the patient; then what the machine added to its blocks.

    Its learning blocks run as shipped; the last block is made as long as what is left. With ``again``, who met blocks
    over 10 ms lives up to the last of them once more, unless a therapy stimulated: what reached the patient from it is
    not recorded block by block. Fixed work runs for ``control_s`` at the end.

    Raises
    ------
    ContractError
        If the recipe's world does not push every 10 ms.
    """
    raw = read(recipe)
    before = sum(b.get("seconds") or 0.0 for b in raw["blocks"][:-1])
    raw["blocks"][-1] |= {"trials": None, "seconds": max(seconds - before, SHORTEST_S)}
    built = build(raw, recipe)
    specs = () if built.world is None else sent(built.world)
    if not specs or abs(specs[0].max_samples / specs[0].rate_hz - GRID_S) > 1e-9:
        raise ContractError(f"bench patient: {recipe} has no world that pushes every {BLOCK_MS:g} ms")
    with tempfile.TemporaryDirectory(prefix="bmi-living-") as folder:
        session = Session.open(built, out=Path(folder) / "session")
        seconds, cpu = max(seconds, before + SHORTEST_S), built.lane.cpu
        whole, done = (1.0 + again) * seconds + control_s, 0.0

        def share_of(part_s: float) -> Callable[[float], object]:
            return lambda share: progress(min(1.0, (done + share * part_s) / whole))

        lived = asyncio.run(_live(session, Path(folder), seconds, share_of(seconds)))
        told, done = _told(lived), seconds
        if again and built.therapy is None and (last := last_over(lived)):
            (second := Path(folder) / "again").mkdir()
            streams, times = [spec.name for spec in specs], lived.times[: last + 1]
            once_more(told, lived, lived_again(session.out, times, second, streams, cpu, share_of(seconds)))
        if control_s:
            done = whole - control_s
            usual = told["block_cpu_ms"]["patient"]["p50"]
            against(told, measured(control_s, usual, cpu, Path(folder), share_of(control_s)))
        return told


async def _live(session: Session, folder: Path, seconds: float, progress: Callable[[float], object]) -> Lived:
    n = round((seconds + SPARE_S) / GRID_S)

    def lay(_: str) -> None:
        """Lay the file at the first word of what is waited for: the runtime folder is there, the world is not."""
        if not (session.runtime / TIMES).exists():
            np.save(session.runtime / TIMES, np.full((n, 4), np.nan))

    session.progress = lay
    async with session as s:
        specs, cpu = sent(s.recipe.world), s.recipe.lane.cpu  # type: ignore[arg-type]
        unread = [spec.name for i, spec in enumerate(specs) if i not in s.recipe.world_streams]
        others = {role: beside.start(role, s.runtime, folder, cpu, unread) for role in beside.WRITES}
        try:
            since = time.monotonic()
            while not all(beside.begun(folder, role) for role in others):
                beside.late(since)
                await asyncio.sleep(0.05)
            pids = {role: s.control.get(word) for role, word in PIDS.items() if s.control.get(word)}
            pids |= {"service": os.getpid()} | {role: p.pid for role, p in others.items()}
            began, used = time.monotonic(), {role: cpu_s(pid) for role, pid in pids.items()}
            from_row = rows(s.runtime / TIMES)
            running, taken = asyncio.create_task(s.run()), dict(used)
            while not running.done():
                wall = time.monotonic() - began
                progress(min(wall / seconds, 1.0))
                taken = {role: max(taken[role], cpu_s(pid)) for role, pid in pids.items()}
                to_row = rows(s.runtime / TIMES)
                await asyncio.sleep(0.5)
            summary = await running
            times = np.load(s.runtime / TIMES, allow_pickle=False)
        finally:
            s.control.set(Word.QUIT, 1)
            for process in others.values():
                beside.end(process)
    slept, heard = np.load(folder / beside.SLEPT, allow_pickle=False), (folder / beside.HEARD).read_text("utf-8")
    kept = slice(from_row + 1, min(to_row, rows(folder / beside.SLEPT)))
    cost = {role: (taken[role] - used[role]) / wall for role in pids}
    return Lived(session, wall, cost, times, kept, slept[kept], summary, json.loads(heard))


def _told(lived: Lived) -> dict[str, Any]:
    """Put together what was measured; of two rows that follow each other the processor time is one block's."""
    session, wall, cost, summary = lived.session, lived.wall_s, lived.cost, lived.summary
    pushes, slept = lived.pushes, lived.slept
    both = np.isfinite(pushes[:, 1]) & np.isfinite(slept[:, 1])
    late = [1e3 * x[both, 0] for x in (pushes, slept)]
    own = [1e3 * np.diff(x[both, 1]) for x in (pushes, slept)]
    of_session = sum(c for role, c in cost.items() if role not in ("sleeper", "listener"))
    over = int((own[0] > BLOCK_MS).sum())
    ratio = ratios(*late)
    lived_s = len(pushes) * GRID_S  # less than passed, if the machine was too busy for real time
    world = cost["world"] * wall / lived_s
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
        "lived_s": round(lived_s, 1),
        "cores": len(os.sched_getaffinity(0)),
        "core_s_s": {role: round(c, 4) for role, c in cost.items()} | {"session": round(of_session, 4)},
        "block_cpu_ms": {"patient": quantiles(own[0]), "sleeper": quantiles(own[1])},
        "slowest_blocks": slowest(lived.kept.start + np.flatnonzero(both), own[0], *late),
        "late_ms": {"patient": quantiles(late[0]), "sleeper": quantiles(late[1])},
        "late_ratio": ratio,
        "streams": {"decoded": [s.label for s in session.recipe.sources], "heard": lived.heard},
        **{k: summary[k] for k in wanted if k in summary},
        "bars": bars,
    }


def last_over(lived: Lived) -> int:
    """Return the number of the last push whose block took longer than it lasts, 0 if none did."""
    over = np.flatnonzero(1e3 * np.diff(lived.pushes[:, 1]) > BLOCK_MS)
    return lived.kept.start + int(over[-1]) + 1 if len(over) else 0


def once_more(told: dict[str, Any], lived: Lived, again: Again) -> None:
    """Put beside the blocks what the same blocks took when computed again; the bar stays on what was lived.

    Own work is the same both times and in both readings whole, so the less of both is never below it. A block that was
    not the same the second time, or comes after one that was not, is told as it was lived.
    """
    first, n = lived.kept.start, len(again.own_ms)
    took, second, same = 1e3 * np.diff(lived.times[:, 1])[first:n], again.own_ms[first:], again.same[first:]
    less = np.where(same, np.minimum(took, second), took)
    for block in told["slowest_blocks"]:
        if (k := round(block["at_s"] / GRID_S)) < n:
            block["again_ms"] = float(again.own_ms[k])
    told["block_cpu_ms"] |= {"the same blocks again": quantiles(second), "the less of both": quantiles(less)}
    told["bars"]["blocks over 10 ms"]["again"] = {
        "got": int((second > BLOCK_MS).sum()), "both": int((less > BLOCK_MS).sum()), "of": len(second),
        "identical": int(same.sum()),
    }  # fmt: skip


def against(told: dict[str, Any], fixed: F64) -> None:
    """Put beside the patient's blocks what fixed work of the same length took, (n,) ms."""
    told["block_cpu_ms"]["fixed work, alone"] = quantiles(fixed)
    told["bars"]["blocks over 10 ms"]["control"] = {"got": int((fixed > BLOCK_MS).sum()), "of": len(fixed)}


def slowest(row: AnyArray, own: F64, late: F64, slept: F64, n: int = 10) -> list[dict[str, float]]:
    """Return the ``n`` blocks that took longest, in order of time, and how late the sleeper was just then.

    Parameters
    ----------
    row : (n_rows,) int64
        Which push each is, from the patient's first on.
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
        more = ""
        if "again" in bar:
            more += "; again {got}, both times {both}, {identical} of {of} the same to the last bit".format(
                **bar["again"])  # fmt: skip
        if "control" in bar:
            more += "; fixed work, alone: {got} of {of}".format(**bar["control"])
        typer.echo(f"{name}: asked {bar['asked']:g}, got {bar['got']:.3g}{of}: {verdict}{more}")
