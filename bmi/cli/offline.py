"""Commands that need no stream: ``simulate``, ``check``, ``list``, ``version``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bmi.cli import sweeps
from bmi.cli.options import Json, RecipeArg, Seed, Set, overrides, print_json, show_summary
from bmi.extras import extra


def simulate(
    recipe: RecipeArg,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials in each scored block.")] = None,
    seed: Seed = None,
    set_: Set = None,
    plot: Annotated[Path | None, typer.Option(help="Save a plot of the decoded reaches (needs extra 'plot').")] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=V1,V2",
            help="Sweep: run with each of these values, e.g. [bold]stages.bin.bin_s=0.01,0.02[/bold].",
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="FROM:TO", help="Sweep: run with each of these seeds; 0:20, 0:20:5 or 1,4,7."),
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Sweep: runs at a time; as many as processors.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Sweep: go on with what OUT holds of this very plan.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Sweep: folder of runs, table and page; sweeps/NAME-PLAN by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a recipe on its simulated participant in lock-step: deterministic, faster than real time, headless.

    With --grid or --seeds, run it many times: one table, one page of plots with intervals. A sweep that was
    interrupted goes on with --resume, to the same bytes.

    Example:  [bold]bmi simulate configs/center_out.yaml --trials 50 --seed 1 --json[/bold]

    Example:  [bold]bmi simulate center_out --grid stages.bin.bin_s=0.01,0.02 --seeds 0:20 --resume[/bold]
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from bmi.recipe import build, read

    raw = read(recipe, overrides(set_, session__seed=seed))
    if trials is not None and isinstance(raw, dict) and isinstance(raw.get("blocks"), list):
        for block in raw["blocks"]:
            if isinstance(block, dict) and block.get("scored"):
                block["trials"] = trials
    if grid or seeds is not None:
        sweeps.refuse(recipe, plot=plot, seed=seed is not None and seeds is not None)
        sweeps.sweep(raw, recipe, grid=grid or [], seeds=seeds, jobs=jobs, resume=resume, out=out, as_json=as_json)
        return
    sweeps.refuse(recipe, jobs=jobs, resume=resume, out=out)
    checked = build(raw, recipe)
    if plot is not None:
        extra("matplotlib", "simulate --plot")
    from bmi.simulate import simulate as simulate_

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("preparing", total=1.0)
        done = simulate_(checked, lambda name, share: bar.update(task, description=name, completed=share))
    console.print(
        f"simulated {done.simulated_s:.1f} s in {done.wall_s:.2f} s ({done.simulated_s / done.wall_s:.0f} x real time)",
        highlight=False,
    )
    if plot is not None:
        from bmi.report import plot_reaches

        plot_reaches(done.score.scored_steps(), done.score.results(), plot, title=f"{checked.session.name}, simulated")
    show_summary(done.summary, as_json)


def check(recipe: RecipeArg, set_: Set = None, as_json: Json = False) -> None:
    """Construct and bind everything in a recipe without opening any hardware or stream.

    Example:  [bold]bmi check configs/center_out.yaml[/bold]
    """
    from bmi.check import check as check_
    from bmi.recipe import load

    report = check_(load(recipe, overrides(set_)))
    if as_json:
        print_json(report)
        return
    from rich.console import Console

    console = Console()
    for key, value in report.items():
        console.print(f"[green]✓[/green] {key}: {value}", highlight=False)


def list_(
    kind: Annotated[
        str | None, typer.Argument(help="sources, stages, decoders, … or [bold]streams[/bold] on the network.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List what is installed, by kind; ``bmi list streams`` looks for LSL streams.

    Examples:  [bold]bmi list[/bold]   [bold]bmi list decoders[/bold]   [bold]bmi list streams[/bold]
    """
    from bmi import registry

    if kind == "streams":
        _list_streams(as_json)
        return
    rows = []
    for k in [kind] if kind else registry.KINDS:
        for name in registry.names(k):
            value, dist = registry.origin(k, name)
            rows.append({"kind": k, "name": name, "object": value, "package": dist})
    _table(rows, as_json)


def _list_streams(as_json: bool) -> None:
    from bmi.lsl.info import discover

    rows: list[dict[str, Any]] = []
    for spec in discover(2.0):
        rows.append(
            {"name": spec.name, "type": spec.type, "channels": spec.n_channels, "rate_hz": spec.rate_hz,
             "unit": spec.unit, "host": spec.hostname, "source_id": spec.source_id}
        )  # fmt: skip
    _table(rows, as_json, empty="no LSL stream was found within 2 s")


def _table(rows: list[dict[str, Any]], as_json: bool, empty: str = "nothing") -> None:
    if as_json:
        print_json(rows)
        return
    from rich.console import Console
    from rich.table import Table

    if not rows:
        sys.stdout.write(empty + "\n")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for key in rows[0]:
        table.add_column(key, style="bold" if key == "name" else "")
    for row in rows:
        table.add_row(*[str(v) for v in row.values()])
    Console().print(table)


def version(as_json: Json = False) -> None:
    """Print the versions a result depends on."""
    from bmi.provenance import versions

    found = versions()
    if as_json:
        print_json(found)
        return
    for name, number in found.items():
        sys.stdout.write(f"{name} {number}\n")
