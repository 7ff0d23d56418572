"""``bmi doctor``: is this machine fit for a session, and what is to be done if not?"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bmi.cli.options import Json, print_json

if TYPE_CHECKING:
    from bmi.doctor import Finding

_MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}


def doctor(
    checks: Annotated[
        list[str] | None, typer.Argument(metavar="[CHECK]...", help="Make only these, e.g. [bold]disk ports[/bold].")
    ] = None,
    folder: Annotated[
        Path, typer.Option("--dir", metavar="RECORDINGS", help="Where recordings are to go.")
    ] = Path("recordings"),
    as_json: Json = False,
) -> None:
    """Examine this machine: software, LSL, clock, rights, disk; say what is wrong and how to mend it.

    Exits with 0 if nothing failed (warnings are allowed), with 3 if something did.

    Examples:  [bold]bmi doctor[/bold]   [bold]bmi doctor disk --dir /data/recordings[/bold]
    """
    from rich.console import Console

    from bmi.doctor import CHECKS, examine

    begun = time.perf_counter()
    console = Console(stderr=True)
    n = len(checks or CHECKS)
    with console.status("") as status:
        done: list[str] = []

        def progress(name: str) -> None:
            done.append(name)
            status.update(f"{len(done)} of {n}: {name} …")

        findings = examine(folder, checks or (), progress)
    counts = {state: sum(f.state == state for f in findings) for state in _MARKS}
    seconds = time.perf_counter() - begun
    if as_json:
        print_json({"checks": [asdict(f) for f in findings], **counts, "seconds": round(seconds, 2)})
    else:
        _show(findings, counts, seconds)
    if counts["fail"]:
        raise typer.Exit(3)


def _show(findings: list[Finding], counts: dict[str, Any], seconds: float) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for finding in findings:
        mark, colour = _MARKS[finding.state]
        said = Text(finding.found)
        if finding.fix:
            said.append(f"\n→ {finding.fix}", style=colour)
        table.add_row(Text(f"{mark} {finding.state}", style=colour), finding.check, said)
    console = Console()
    console.print(table)
    console.print(
        f"\n{counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} failed; {seconds:.1f} s", highlight=False
    )
