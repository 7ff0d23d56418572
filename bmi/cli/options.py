"""Options that several commands share, and what they have in common at the end."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bmi.errors import Problem, RecipeError

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output, nothing else.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a recipe value, e.g. [bold]--set gate.max_age_s=0.1[/bold]."
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of everything random; the recipe's by default.")]
RecipeArg = Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of a shipped recipe.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for the recording; must be new or empty.")]


def overrides(pairs: list[str] | None, **more: Any) -> dict[str, Any]:
    """Turn ``--set key=value`` and named options into overrides of a recipe."""
    from bmi.recipe import parse_value

    out: dict[str, Any] = {}
    for pair in pairs or []:
        key, sep, value = pair.partition("=")
        if not sep or not key:
            raise RecipeError("--set", [Problem(pair, "expected KEY=VALUE, e.g. gate.max_age_s=0.1")])
        out[key.strip()] = parse_value(value)
    out.update({k.replace("__", "."): v for k, v in more.items() if v is not None})
    return out


def print_json(value: Any) -> None:
    """Write JSON to standard output, in fixed key order of insertion."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
    sys.stdout.flush()


def show_summary(summary: dict[str, Any], as_json: bool) -> None:
    """Print the end of a session as a table, or as JSON."""
    from bmi.latency import Histogram
    from bmi.report import histogram_bars, summary_table, to_json

    if as_json:
        sys.stdout.write(to_json(summary) + "\n")
        return
    from rich.console import Console

    console = Console()
    console.print(summary_table(summary))
    if "age_histogram" in summary:
        console.print("\nsample age when the device had the command (log scales: a short bar is few)", style="dim")
        console.print(histogram_bars(Histogram.from_dict(summary["age_histogram"])))
    console.print("\n" + summary["notice"], style="dim")
