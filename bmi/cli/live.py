"""Commands with real streams and real time: ``demo`` and ``run``."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bmi.cli.options import Json, Out, RecipeArg, Seed, Set, overrides, show_summary
from bmi.registry import nearest

if TYPE_CHECKING:
    from bmi.session import Session

NOTICE = "Research use only; not a medical device."
SUBJECTS = {"population": "center_out", "tissue": "circuit_center_out", "vp01": "patient_center_out"}
"""Participants of the demo and the recipe each is in: neurons alone, a spiking circuit, the virtual patient."""


def demo(
    subject: Annotated[
        str, typer.Option(help=f"Who takes part: {', '.join(SUBJECTS)}.", autocompletion=lambda: list(SUBJECTS))
    ] = "population",
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Length of the scored block; 32 trials by default.")
    ] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Trials in the scored block.")] = None,
    seed: Seed = None,
    permute_channels: Annotated[
        bool, typer.Option("--permute-channels", help="Negative control: decode with permuted channels; must fail.")
    ] = False,
    set_: Set = None,
    out: Out = None,
    svg: Annotated[Path | None, typer.Option(help="Save the last picture of the terminal view as SVG.")] = None,
    as_json: Json = False,
) -> None:
    """Show the whole loop: a simulated participant over real LSL, calibration, then reaching without help.

    No hardware, no display, no download. Everything is recorded; the summary says where and how to replay it.

    Examples:  [bold]bmi demo[/bold]   [bold]bmi demo --subject vp01[/bold]   [bold]bmi demo --permute-channels[/bold]
    """
    if subject not in SUBJECTS:
        near = nearest(subject, list(SUBJECTS))
        raise typer.BadParameter(f"nobody is called {subject!r}{near}; there are {', '.join(SUBJECTS)}")
    more = overrides(set_, session__seed=seed) | _length(trials, minutes)
    if permute_channels:
        more["session.permute_channels"] = True
    _run(SUBJECTS[subject], more, out, svg, as_json)


def run(
    recipe: RecipeArg,
    seed: Seed = None,
    set_: Set = None,
    out: Out = None,
    svg: Annotated[Path | None, typer.Option(help="Save the last picture of the terminal view as SVG.")] = None,
    as_json: Json = False,
) -> None:
    """Run a live session from a recipe: streams in, commands out, everything recorded.

    Keys: [bold]space[/bold] STOP, [bold]a[/bold] arm, [bold]q[/bold] quit. Hardware waits for an explicit arm.

    Example:  [bold]bmi run configs/center_out.yaml[/bold]
    """
    _run(recipe, overrides(set_, session__seed=seed), out, svg, as_json)


def _length(trials: int | None, minutes: float | None) -> dict[str, Any]:
    """Overrides of the scored block's length; minutes without trials mean as many trials as fit."""
    if minutes is None:
        return {} if trials is None else {"blocks.1.trials": trials}
    return {"blocks.1.trials": trials, "blocks.1.seconds": minutes * 60.0}


def _run(recipe: str, more: dict[str, Any], out: Path | None, svg: Path | None, as_json: bool) -> None:
    from bmi.session import Session

    show_summary(asyncio.run(session_summary(Session.open(recipe, more, out=out), svg, as_json=as_json)), as_json)


async def session_summary(session: Session, svg: Path | None = None, *, as_json: bool = False) -> dict[str, Any]:
    """Run a session in front of the terminal view and return its summary."""
    from rich.console import Console

    from bmi.view import View, export_svg

    console = Console(stderr=True)
    console.print(NOTICE, style="dim")
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        if console.is_terminal:
            with console.status("checking the recipe") as status:
                session.progress = status.update
                s = await stack.enter_async_context(session)
        else:
            session.progress = console.print
            s = await stack.enter_async_context(session)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, s.quit)
        view = View(on_quit=s.quit, on_stop=s.stop, on_arm=s.arm, console=Console(stderr=as_json))
        with view:
            summary = await s.run(view.show)
        if svg is not None and s.picture is not None:
            export_svg(s.picture, svg)
    return summary
