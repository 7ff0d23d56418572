"""``bmi calibrate``: from a decoder that knows nothing to one that has proved itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from bmi.cli.options import Json, Out, RecipeArg, Seed, Set, overrides, print_json, show_summary


def calibrate(
    recipe: RecipeArg,
    save: Annotated[
        Path | None, typer.Option(help="Where the parameters go if the calibration passes, for decoder.params.")
    ] = None,
    lock_step: Annotated[
        bool, typer.Option("--lock-step", help="On the simulated participant, faster than real time.")
    ] = False,
    seed: Seed = None,
    set_: Set = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Calibrate a decoder in closed loop: watched, then helped less and less, then free, then judged.

    Phases end by rule, not by the clock alone; the last one learns nothing and decides. Exit 0 if it passed, 3 if
    not: then --save saves nothing, and the report says what fell short. Settings: node [bold]calibration[/bold].

    Examples:  [bold]bmi calibrate configs/center_out.yaml --save calib/day1.safetensors[/bold]
    [bold]bmi calibrate configs/center_out.yaml --lock-step --json[/bold]   then
    [bold]bmi run RECIPE --set decoder.params=calib/day1.safetensors[/bold]
    """
    from bmi.calibrate import calibrating, keep, report, run_lock_step
    from bmi.cli.live import session_summary
    from bmi.recipe import read

    checked, calibration = calibrating(read(recipe, overrides(set_, session__seed=seed)), recipe)
    if lock_step:
        summary = _with_bar(lambda progress: run_lock_step(checked, out, progress))
    else:
        from bmi.session import Session

        summary = asyncio.run(session_summary(Session.open(checked, out=out), as_json=as_json))
    told = report(summary, calibration)
    if save is not None and told["passed"] and "params" in told:
        told["saved"] = str(keep(Path(told["params"]), save))
    if as_json:
        print_json(told)
    else:
        show_summary(summary, False)
        _say(told)
    if not told["passed"]:
        raise typer.Exit(3)


def _with_bar(run: Any) -> dict[str, Any]:
    """Run with a bar that follows the phases."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("preparing", total=1.0)
        summary: dict[str, Any] = run(lambda name, share: bar.update(task, description=name, completed=share))
        return summary


def _say(told: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console()
    for phase in told.get("blocks", ()):
        trials = "".join("●" if won else "○" for won in phase["won"])
        console.print(f"{phase['name']:<10} {phase['seconds']:6.1f} s  {trials}", highlight=False)
    if told["passed"]:
        console.print("[green]✓ calibration passed[/green]", highlight=False)
        if "saved" in told:
            console.print(f"use it:  --set decoder.params={told['saved']}", highlight=False)
        return
    console.print("[red]✗ calibration did not pass[/red]", highlight=False)
    for line in told["fails"]:
        console.print(f"  {line}", highlight=False)
    console.print("  Look at the signals, ask whether the task was understood, and calibrate again.", highlight=False)
