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
    path = out or Path(f"{component}.png")
    about = pictures.show(component, path, seed=seed)
    typer.echo(json.dumps({"component": component, "file": str(path), "shows": about, "seed": seed},
                          ensure_ascii=False) if as_json else f"{path}: {about}")  # fmt: skip


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
