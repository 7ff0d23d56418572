"""``bmi record``: signals to disk, nothing decoded, nothing moved."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bmi.cli.options import Json, Out, RecipeArg, Set, overrides, print_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from bmi.tape import Tape, TapeState


def record(
    recipe: RecipeArg,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after so long; until Ctrl-C by default.")] = None,
    set_: Set = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Record the streams and markers of a recipe, and nothing else: no decoder runs, no device moves.

    Only the nodes session, sources, markers, world, record and lane are looked at; a recipe may hold nothing more.

    Examples:  [bold]bmi record configs/center_out.yaml --seconds 60[/bold]   [bold]bmi record rig.yaml[/bold]
    """
    from rich.console import Console

    from bmi.recipe import build, read, signals_of
    from bmi.tape import Tape

    checked = build(signals_of(read(recipe, overrides(set_))), recipe, signals=True)
    console = Console(stderr=True)
    console.print("Research use only; not a medical device.", style="dim")
    summary = asyncio.run(_record(Tape(checked, out), seconds, console))
    if as_json:
        print_json(summary)
        return
    for s in summary["streams"]:
        sys.stdout.write(f"{s['name']}: {s['samples']} samples, {s['channels']} channels, {s['lost']} lost\n")
    sys.stdout.write(f"recording  {summary['recording']}\ninspect    bmi inspect {summary['recording']}\n")


async def _record(tape: Tape, seconds: float | None, console: Console) -> dict[str, Any]:
    from rich.live import Live

    loop = asyncio.get_running_loop()
    tape.progress = lambda text: console.print(text, style="dim")
    async with tape:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, tape.quit)
        if not console.is_terminal:
            return await tape.run(seconds)
        with Live(console=console, refresh_per_second=4) as live:
            return await tape.run(seconds, lambda state: live.update(_table(state, seconds)))


def _table(state: TapeState, seconds: float | None) -> Table:
    """Return the recording as a table: is every stream coming in, is it reaching the disk, for how long yet."""
    from rich.table import Table

    left = f"{state.minutes_left:.0f} min until the disk is full" if state.minutes_left < 1e5 else ""
    length = f" of {seconds:g}" if seconds else ""
    title = f"● REC {state.elapsed_s:.0f}{length} s   {state.bytes / 1e6:.1f} MB   {left}   Ctrl-C ends"
    if state.dropped:
        title += f"   {state.dropped} rows not recorded"
    caption = f"{state.event.kind}: {state.event.data}" if state.event else None
    table = Table(title=title, caption=caption, box=None, padding=(0, 2, 0, 0), title_justify="left")
    for column in ("stream", "channels", "Hz", "nominal", "samples", "lost", ""):
        table.add_column(column, justify="left" if column in ("stream", "") else "right")
    for r in state.reels:
        silent = f"silent {r.silent_s:.0f} s" if r.silent_s > max(1.0, 5.0 / (r.rate_hz or 1e9)) and r.rate_hz else "ok"
        nominal = f"{r.rate_hz:g}" if r.rate_hz else "irregular"
        table.add_row(r.name, str(r.n_channels), f"{r.measured_hz:.1f}", nominal, str(r.samples), str(r.lost), silent)
    return table
