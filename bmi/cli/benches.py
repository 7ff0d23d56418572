"""``bmi bench``: the figures this machine reaches, against a floor measured in the same run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bmi.cli.options import Json, RecipeArg, Set, overrides, print_json

app = typer.Typer(no_args_is_help=True, help="Measure this machine: latency of the live lane, time of a decoder step.")


@app.command()
def latency(
    channels: Annotated[int, typer.Option(min=1, help="Channels of the stream.")] = 256,
    rate: Annotated[float, typer.Option(min=1, help="Sampling rate, Hz.")] = 1000.0,
    chunk_ms: Annotated[float, typer.Option(min=0.01, help="One push holds this much signal, ms.")] = 1.0,
    seconds: Annotated[float, typer.Option(min=2, help="Measured time, s, floor and pipeline together.")] = 60.0,
    fifo: Annotated[bool, typer.Option("--fifo/--no-fifo", help="Ask for SCHED_FIFO.")] = True,
    pin: Annotated[bool, typer.Option("--pin/--no-pin", help="Give the lane a processor of its own.")] = True,
    quiet_floor: Annotated[
        bool, typer.Option("--quiet-floor", help="Recorder and telemetry idle beside the floor.")
    ] = False,
    as_json: Json = False,
) -> None:
    """From the sender's stamp to the command datagram received, against bare LSL → UDP in the same run.

    Example:  [bold]bmi bench latency --channels 256 --rate 1000 --json[/bold]
    """
    from bmi.bench.latency import bench_latency

    result = bench_latency(
        channels=channels,
        rate_hz=rate,
        chunk_s=chunk_ms / 1000.0,
        seconds=seconds,
        fifo=fifo,
        pin=pin,
        quiet_floor=quiet_floor,
    )
    if as_json:
        print_json(result)
        return
    _rows("what", {k: result[k] for k in ("floor", "pipeline", "ratio")})
    typer.echo("  ".join(f"{k} {v}" for k, v in result["counts"].items()))


@app.command()
def decoders(
    states: Annotated[int, typer.Option(min=1, help="States of the Kalman filter.")] = 10,
    channels: Annotated[int, typer.Option(min=1, help="Features a step.")] = 256,
    steps: Annotated[int, typer.Option(min=100, help="Steps a form.")] = 20000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Time of one decoder step, called from Python, and how closely the forms agree.

    Example:  [bold]bmi bench decoders --json[/bold]
    """
    from bmi.bench.decoders import bench_decoders

    result = bench_decoders(n_states=states, n_channels=channels, n_steps=steps, seed=seed)
    if as_json:
        print_json(result)
        return
    _rows("form", {k: v for k, v in result.items() if isinstance(v, dict) and "p50" in v})
    for key, value in result.items():
        if not isinstance(value, dict):
            typer.echo(f"{key}: {value}")


@app.command()
def swap(
    swaps: Annotated[int, typer.Option(min=20, help="Parameter exchanges in all.")] = 10_000,
    blocks: Annotated[int, typer.Option(min=2, help="Blocks with swaps, and as many without, alternating.")] = 100,
    channels: Annotated[int, typer.Option(min=1, help="Features a step.")] = 256,
    states: Annotated[int, typer.Option(min=2, help="States of the Kalman filter.")] = 10,
    q: Annotated[str, typer.Option(help="Encoding noise exchanged: full or diagonal.")] = "full",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Exchange a decoder's parameters after every step at 1 kHz: is any torn, and what does the step notice?

    Example:  [bold]bmi bench swap --json[/bold]
    """
    from bmi.bench.swap import bench_swap

    result = bench_swap(swaps, blocks, n_channels=channels, n_states=states, q=q, seed=seed)
    if as_json:
        print_json(result)
        return
    _rows("µs", {**{f"step, {k} swaps": v for k, v in result["step_us"].items()}, "swap": result["swap_us"]})
    ratio = result["p99_ratio"]
    typer.echo(f"p99 of the step, with over without: {ratio['value']:.3f} [{ratio['low']:.3f}, {ratio['high']:.3f}]")
    typer.echo(f"{result['swaps']} swaps, {result['torn']} torn, {result['rejected']} rejected")


@app.command()
def load(
    recipe: RecipeArg = "broadband",
    minutes: Annotated[float, typer.Option(min=0.2, help="How long it runs live.")] = 10.0,
    set_: Set = None,
    out: Annotated[Path | None, typer.Option(help="Keep the recording here; deleted by default.")] = None,
    as_json: Json = False,
) -> None:
    """Run a recipe live and say what each process costs, in percent of one core, and whether anything was lost.

    Example:  [bold]bmi bench load broadband --minutes 10 --json[/bold]
    """
    from rich.console import Console
    from rich.progress import Progress

    from bmi.bench.load import bench_load

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(recipe, total=1.0)
        told = overrides(set_)
        result = bench_load(recipe, 60.0 * minutes, told, out=out, progress=lambda s: bar.update(task, completed=s))
    if as_json:
        print_json(result)
        return
    _rows("process", {role: {"% of a core": cpu} for role, cpu in result["cpu_percent"].items()})
    for key in ("seconds", "samples", "lost", "recorder_dropped", "world_overruns"):
        typer.echo(f"{key}: {result[key]}")


@app.command()
def adaptation(
    seeds: Annotated[str, typer.Option(metavar="FROM:TO", help="Simulated participants, one a seed.")] = "0:20",
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    as_json: Json = False,
) -> None:
    """ReFIT against its Kalman filter, learning from a random decoder, and poisoned labels; simulated, with intervals.

    Example:  [bold]bmi bench adaptation --seeds 0:20 --json[/bold]
    """
    from rich.console import Console
    from rich.progress import Progress

    from bmi.bench.adaptation import bench_adaptation

    first, _, end = seeds.partition(":")
    if not (first.isdecimal() and end.isdecimal() and int(first) < int(end)):
        raise typer.BadParameter(f"expected FROM:TO with FROM below TO (e.g. 0:20), given {seeds!r}")
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("adaptation", total=1.0)
        result = bench_adaptation(range(int(first), int(end)), jobs, lambda share: bar.update(task, completed=share))
    if as_json:
        print_json(result)
        return
    for part in ("refit", "random"):
        told = result[part]
        rows = {k: {name: _said(figures[k]) for name, figures in told.items()} for k in _SHOWN[part]}
        _rows(part, rows)
        typer.echo()
    _rows("poison", {lie: {k: _said(told[k]) for k in _SHOWN["poison"]} for lie, told in result["poison"].items()})
    typer.echo()
    for name, bar_ in result["bars"].items():
        typer.echo(f"{name}: asked {bar_['asked']}, measured {_said(bar_['measured'])}: {_YES[bar_['reached']]}")
    typer.echo(f"simulated participants: {len(result['seeds'])}; [95 % bootstrap intervals over them]")


_YES = {True: "reached", False: "not reached"}
_SHOWN = {
    "refit": ("ratio", "kalman_s", "refit_s", "kalman_success", "refit_success", "lag_s", "r2"),
    "random": ("to_80_s", "to_80_s_worst", "mean_to_80_s", "first_minute_1_min", "asymptote_1_min"),
    "poison": ("unharmed", "n", "after_over_before"),
}


def _said(value: Any) -> str:
    """Return a figure, or a figure with its interval, in three digits."""
    if isinstance(value, list):
        return f"{value[0]:.3g} [{value[1]:.3g}, {value[2]:.3g}]"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _rows(title: str, rows: dict[str, dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    keys = list(dict.fromkeys(k for row in rows.values() for k in row))
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(title, style="bold")
    for key in keys:
        table.add_column(key, justify="right")
    for name, row in rows.items():
        table.add_row(name, *[f"{row[k]:.4g}" if isinstance(row.get(k), float) else str(row.get(k, "")) for k in keys])
    Console().print(table)
