"""``bmi sim``: what the simulator's models give, as figures and as pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sim.validation import Row

app = typer.Typer(no_args_is_help=True, help="The simulated patient: check its models, look at its parts.")


@app.command()
def validate(
    rows: Annotated[list[str] | None, typer.Argument(help="Models to check (M1, C3 …); all by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
    markdown: Annotated[Path | None, typer.Option(help="Write the table to this file as well.")] = None,
) -> None:
    """Run every acceptance figure of the models: target, obtained, tolerance, source, verdict.

    Example:  [bold]bmi sim validate M1 M7[/bold]   Exit code 1 if a figure is out of its tolerance.
    """
    from rich.console import Console
    from rich.progress import Progress

    from sim.validation import checks

    wanted = checks(rows or ())
    console = Console(stderr=True)
    found: list[Row] = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("validate", total=sum(c.seconds for c in wanted))
        for check in wanted:
            bar.update(task, description=f"{check.row} {check.about}")
            found += check.run()
            bar.advance(task, check.seconds)
    if markdown is not None:
        markdown.write_text(_markdown(found), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps([row._asdict() for row in found], ensure_ascii=False, indent=1))
    else:
        _print(found)
    if not all(row.passed for row in found):
        raise typer.Exit(1)


@app.command()
def show(
    component: Annotated[str | None, typer.Argument(help="What to draw; without it, what there is.")] = None,
    out: Annotated[Path | None, typer.Option(help="Picture: png, svg or pdf; COMPONENT.png by default.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Draw a component: traces, f-I curves, rasters, tuning, what a drug or a pulse does. Needs extra 'plot'.

    Example:  [bold]bmi sim show basal-ganglia --out ganglia.png[/bold]
    """
    from sim import pictures

    if component is None:
        names = pictures.names()
        typer.echo(json.dumps(names) if as_json else "\n".join(names))
        return
    path = pictures.page(out or Path(component))
    about = pictures.show(component, path, seed=seed)
    typer.echo(json.dumps({"component": component, "file": str(path), "shows": about, "seed": seed},
                          ensure_ascii=False) if as_json else f"{path}: {about}")  # fmt: skip


@app.command()
def story(
    name: Annotated[str | None, typer.Argument(help="Which demonstration; without it, what there is.")] = None,
    seeds: Annotated[str, typer.Option(help="Participants, e.g. 0:10 or 3,5,8.")] = "0:10",
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    share: Annotated[float, typer.Option(min=0.05, max=1.0, help="Length of the sessions, of the shipped one.")] = 1.0,
    out: Annotated[Path | None, typer.Option(help="Page: png, svg or pdf; NAME.png by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Run a demonstration on several simulated participants and draw its page. Needs extra 'plot'.

    Example:  [bold]bmi sim story three-patients --jobs 2 --out three_patients.png[/bold]
    """
    from rich.console import Console
    from rich.progress import Progress

    from sim import stories
    from sim.pictures import page

    if name is None:
        known = {k: v.about for k, v in stories.stories().items()}
        lines = [f"{k}: {about}" for k, about in known.items()]
        typer.echo(json.dumps(known) if as_json else "\n".join(lines))
        return
    wanted, path = several(seeds), page(out or Path(name))
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=len(wanted))
        done = stories.live(name, wanted, jobs=jobs, share=share, progress=lambda n: bar.update(task, completed=n))
    stories.draw(done, path)
    typer.echo(json.dumps({**done, "file": str(path)}, ensure_ascii=False) if as_json else
               f"{path}: {done['about']}; {len(wanted)} simulated participants. {stories.said(done)}")  # fmt: skip


@app.command()
def theta(
    scenario: Annotated[str, typer.Argument(help="Course of illness or ageing; 'healthy' by default.")] = "healthy",
    day: Annotated[float, typer.Option(help="Day since implantation.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Print the patient's slow parameters on a day: value, baseline, range, and what a sensor shows of them.

    Example:  [bold]bmi sim theta year --day 200[/bold]
    """
    from rich.console import Console
    from rich.table import Table

    from sim.brain.generated import generated
    from sim.disease.options import timeline
    from sim.patient.theta import THETA

    values = timeline(scenario, generated()).at(day)
    told = {
        name: {
            "value": round(float(values[name].mean()), 4), "baseline": p.baseline, "low": p.low, "high": p.high,
            "about": p.about, "effects": [f"{e.sensor}: {e.statistic} {'up' if e.sign > 0 else 'down'}"
                                          for e in p.effects],
        }
        for name, p in THETA.items()
    }  # fmt: skip
    if as_json:
        typer.echo(json.dumps({"scenario": scenario, "day": day, "theta": told}, ensure_ascii=False, indent=1))
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("parameter", "value", "healthy", "range", "what it is", "what moves when it is ill"):
        table.add_column(head, overflow="fold")
    for name, p in told.items():
        moved = "[bold]" if p["value"] != p["baseline"] else ""
        table.add_row(name, f"{moved}{p['value']:g}", f"{p['baseline']:g}", f"{p['low']:g} to {p['high']:g}",
                      str(p["about"]), "; ".join(p["effects"]))  # fmt: skip
    Console().print(table)


def several(text: str) -> list[int]:
    """Return the seeds meant by ``0:10`` or ``3,5,8``. Raises BadParameter."""
    try:
        if ":" in text:
            first, last = text.split(":")
            found = list(range(int(first), int(last)))
        else:
            found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 0:
        raise typer.BadParameter(f"--seeds {text!r}: expected seeds from 0 up, as 0:10 or 3,5,8")
    return found


def _print(rows: list[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("model", "what", "target", "obtained", "tolerance", "source", ""):
        table.add_column(name, overflow="fold")
    for r in rows:
        mark = "[green]✓[/green]" if r.passed else "[bold red]✗[/bold red]"
        table.add_row(r.row, r.what, r.target, r.obtained, r.tolerance, r.source, mark)
    Console().print(table)
    n = sum(r.passed for r in rows)
    typer.echo(f"{n} of {len(rows)} figures within tolerance. A model; research use only.")


def _markdown(rows: list[Row]) -> str:
    lines = [
        "# Models, checked",
        "",
        "Written by `bmi sim validate --markdown docs/validation.md`: every acceptance figure of the simulator.",
        "",
        "| model | what | target | obtained | tolerance | source | |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        cells = [r.row, r.what, r.target, r.obtained, r.tolerance, r.source, "✓" if r.passed else "**✗**"]
        lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    return "\n".join(lines) + "\n"
