"""``bmi simulate`` with ``--grid`` or ``--seeds``: many runs, one table, one page."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bmi.errors import PluginError, Problem, RecipeError

if TYPE_CHECKING:
    from rich.console import Console

    from bmi.sweep.plan import Plan
    from bmi.sweep.run import Runs


def refuse(recipe: str, **given: Any) -> None:
    """Refuse options that belong to the other kind of simulation."""
    wrong = [f"--{name}" for name, value in given.items() if value]
    if wrong:
        raise RecipeError(recipe, [Problem(option, _WHY[option]) for option in wrong])


_TOLD = 5
"""Failures told while the sweep goes on; the table has them all."""
_WHY = {
    "--jobs": "is for a sweep; give --grid or --seeds as well",
    "--resume": "is for a sweep; give --grid or --seeds as well",
    "--out": "is for a sweep; give --grid or --seeds as well",
    "--plot": "is for one run; a sweep draws its own page",
    "--seed": "is for one run; give --seeds, e.g. --seeds 0:20",
}


def sweep(
    raw: Any,
    recipe: str,
    *,
    grid: Sequence[str],
    seeds: str | None,
    jobs: int | None,
    resume: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Plan, check, run and report a sweep; exit code 3 if a run failed, 130 if interrupted."""
    from rich.console import Console

    from bmi.sweep.check import check
    from bmi.sweep.folder import opened
    from bmi.sweep.plan import make_plan
    from bmi.sweep.run import Runs, cores

    plan = make_plan(raw, grid, seeds, recipe)
    console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    with console.status("checking every point") if console.is_terminal else contextlib.nullcontext():
        check(plan)
    folder = out if out is not None else Path("sweeps") / f"{plan.raw['session']['name']}-{plan.sha256[:8]}"
    with opened(folder, plan, resume=resume):
        runs = Runs(plan, folder, jobs=jobs or cores(), say=lambda text: console.print(text))
        _announce(console, plan, runs, folder)
        try:
            with _bar(console, plan, runs):
                runs()
        except KeyboardInterrupt:
            _interrupted(folder, plan)
        _report(console, plan, folder, as_json)


def _announce(console: Console, plan: Plan, runs: Runs, folder: Path) -> None:
    for note in plan.notes:
        console.print(note)
    todo = len(runs.todo)
    there = f", {len(plan) - todo} are there" if todo < len(plan) else ""
    console.print(
        f"{len(plan)} runs: {len(plan.points)} points x {len(plan.seeds)} seeds{there}; to {folder}", markup=False
    )


@contextlib.contextmanager
def _bar(console: Console, plan: Plan, runs: Runs) -> Iterator[None]:
    """Show how many runs are over and when the rest will be, on a terminal; name those that fail anywhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        failures: list[int] = []
        task = bar.add_task("runs", total=len(plan), completed=len(plan) - len(runs.todo))

        def told(answer: dict[str, Any]) -> None:
            bar.advance(task)
            if answer["status"] == "failed":
                failures.append(answer["run"])
                if len(failures) <= _TOLD:
                    console.print(f"run {answer['run']} failed: {answer['error']}")

        runs.told = told
        yield


def _interrupted(folder: Path, plan: Plan) -> None:
    """Say what is kept and how to go on."""
    from bmi.sweep.folder import read_run

    done = sum(read_run(folder, i, plan.sha256) is not None for i in range(len(plan)))
    again = shlex.join(["bmi", *sys.argv[1:], *([] if "--resume" in sys.argv else ["--resume"])])
    sys.stderr.write(f"bmi: interrupted; {done} of {len(plan)} runs are kept in {folder}. Go on with:\n  {again}\n")
    raise typer.Exit(130)


def _report(console: Console, plan: Plan, folder: Path, as_json: bool) -> None:
    """Write table and page, show the points, and end as the runs ended."""
    from rich.console import Console as Screen

    from bmi.report import to_json
    from bmi.report_sweep import page, points_table
    from bmi.sweep.folder import write
    from bmi.sweep.plan import NOTICE
    from bmi.sweep.table import figures, rows, save

    table = rows(plan, folder)
    missing = save(table, plan, folder)
    points = figures(plan, table)
    errors = {row["run"]: row["error"] for row in table if row["status"] == "failed"}
    try:
        write(folder / "sweep.html", page(plan, points, errors))
    except PluginError as e:
        missing.append(str(e))
    for text in missing:
        console.print(text)
    if as_json:
        sys.stdout.write(to_json({
            "out": folder, "plan_sha256": plan.sha256, "n_runs": len(plan), "n_failed": len(errors),
            "seeds": plan.seeds, "notes": plan.notes, "points": [point.as_dict() for point in points],
            "notice": NOTICE,
        }) + "\n")  # fmt: skip
    else:
        screen = Screen(highlight=False, markup=False, emoji=False)
        screen.print(points_table(points, screen.width))
        screen.print("\nmean over seeds and its 95 % bootstrap interval; " + NOTICE, style="dim")
        screen.print(f"{folder}: " + ", ".join(sorted(p.name for p in folder.iterdir() if p.is_file())), style="dim")
    if errors:
        console.print(
            f"{len(errors)} of {len(plan)} runs failed; --resume does them again", markup=False, soft_wrap=True
        )
        raise typer.Exit(3)
