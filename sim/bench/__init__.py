"""What ``bmi bench simulator`` measures: speed beside other simulators in the same run, growth, memory, costs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer

from bmi.errors import ContractError

PEERS = ("brian2", "jaxley", "tvb", "vbi", "cubnm", "tvboptim")
PARTS = ("networks", "cable", "brains", "scaling", "costs")


def simulator(
    peer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PYTHON", help="An interpreter that has a peer; this one's by default."),
    ] = None,
    part: Annotated[list[str] | None, typer.Option(help=f"Only this: {', '.join(PARTS)}.")] = None,
    seeds: Annotated[int, typer.Option(min=2, help="Seeds of each network, ours and the peer's in turn.")] = 10,
    quick: Annotated[bool, typer.Option("--quick", help="Shorter and coarser.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Networks, cables and whole brains beside other simulators, growth with size, and what every component costs.

    Peers: brian2 for networks, jaxley for cables, tvb, vbi, cubnm and tvboptim for whole brains.

    Example:  [bold]bmi bench simulator --peer brian2=~/brian2/bin/python --peer jaxley=~/jaxley/bin/python[/bold]
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    found = interpreters(peer or ())
    parts = chosen(part or ())
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("")
        result = measure(found, parts, seeds, quick, lambda what: bar.update(task, description=what))
    if as_json:
        typer.echo(json.dumps(result, indent=1))
    else:
        show(result)


def interpreters(told: list[str] | tuple[str, ...]) -> dict[str, str]:
    """Return which interpreter has which peer: those told, and this one for what can be imported here.

    Raises
    ------
    ContractError
        If a peer is unknown or its interpreter no file.
    """
    import importlib.util
    import shutil
    import sys
    from pathlib import Path

    found = {p: sys.executable for p in PEERS if importlib.util.find_spec(p)}
    for pair in told:
        name, sep, python = pair.partition("=")
        if not sep or name not in PEERS:
            raise ContractError(f"bench simulator: --peer {pair!r}, expected NAME=PYTHON, NAME {' or '.join(PEERS)}")
        path = shutil.which(str(Path(python).expanduser()))
        if path is None:
            raise ContractError(f"bench simulator: --peer {pair!r}: {python!r} is no program; give an interpreter")
        found[name] = path
    return found


def chosen(told: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Return which parts to measure, all by default. Raises ContractError for one there is not."""
    for part in told:
        if part not in PARTS:
            raise ContractError(f"bench simulator: --part {part!r}; there are {', '.join(PARTS)}")
    return tuple(p for p in PARTS if p in told or not told)


def measure(
    peers: dict[str, str],
    parts: tuple[str, ...],
    seeds: int,
    quick: bool,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Measure ``parts`` on one core and return them by name, with what the machine is and which peers there were."""
    import os
    import platform

    from sim.bench.brains import brains
    from sim.bench.cable import cable
    from sim.bench.costs import costs
    from sim.bench.networks import networks
    from sim.bench.scaling import scaling

    measured: dict[str, Callable[[], Any]] = {
        "networks": lambda: networks(peers, 2 if quick else seeds, quick, progress),
        "cable": lambda: cable(peers, quick),
        "brains": lambda: brains(peers, quick, progress),
        "scaling": lambda: scaling(quick, progress),
        "costs": lambda: costs(quick, progress),
    }
    allowed = os.sched_getaffinity(0)
    result: dict[str, Any] = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": len(allowed), "used": 1},
        "peers": {p: "measured" if p in peers else "not installed" for p in PEERS},
    }
    os.sched_setaffinity(0, {max(allowed)})
    try:
        for part in parts:
            progress(part)
            result[part] = measured[part]()
    finally:
        os.sched_setaffinity(0, allowed)
    return result


def show(result: dict[str, Any]) -> None:
    """Print tables."""
    for peer, found in result["peers"].items():
        if found != "measured":
            typer.echo(f"{peer}: {found}; only ours is measured (give --peer {peer}=PYTHON)")
    for name, told in result.get("networks", {}).items():
        rows = {told[k]["simulator"] + (" (single)" if "single" in k else ""): _flat(told[k])
                for k in ("ours", "brian2", "brian2_single") if k in told}  # fmt: skip
        _table(f"{name.upper()}, {told['what']}", rows)
        if "bar" in told:
            verdict = "reached" if told["reached"] else "not reached"
            typer.echo(f"{name.upper()}: asked {told['bar']:g} times as fast as Brian2: {verdict}\n")
    if "cable" in result:
        figures = {k: v for k, v in result["cable"].items() if isinstance(v, int | float)}
        _table(result["cable"].get("what", "cable"), {"multiscale-bmi": figures})
    if "brains" in result:
        from sim.bench.brains import tables, verdicts

        for title, rows in tables(result["brains"]):
            _table(title, rows)
        for verdict in verdicts(result["brains"]):
            typer.echo(verdict)
    if "scaling" in result:
        _table("neurons", {f"{r['neurons']:,}": {k: v for k, v in r.items() if k != "neurons"}
                           for r in result["scaling"]})  # fmt: skip
    if "costs" in result:
        _table("component, core-s a simulated s", result["costs"])


def _flat(told: dict[str, Any]) -> dict[str, Any]:
    flat = {k: v for k, v in told.items() if k not in ("simulator", "times")}
    if "times" in told:
        t = told["times"]
        flat["ours is faster by"] = f"{t['median']:.2f} [{t['low']:.2f}, {t['high']:.2f}]"
    return flat


def _table(title: str, rows: dict[str, dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    keys = list(dict.fromkeys(k for row in rows.values() for k in row))
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(title, style="bold", overflow="fold")
    for key in keys:
        table.add_column(key.replace("_", " "), justify="right", overflow="fold")
    for name, row in rows.items():
        told = [row.get(k, "") for k in keys]
        table.add_row(name, *[f"{v:.3g}" if isinstance(v, float) else "" if v is None else str(v) for v in told])
    Console().print(table)
