"""Commands on recordings: ``replay``, ``inspect``, ``recover``, ``eval``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bmi.cli.options import Json, Set, overrides, print_json
from bmi.errors import RecordingError

Log = Annotated[Path, typer.Argument(metavar="LOG", help="Folder of a session, one .mcap file of it, or .xdf.")]
RawStamps = Annotated[
    bool, typer.Option("--raw-stamps", help=".xdf: leave stamps as written, neither synchronized nor dejittered.")
]
Partial = Annotated[bool, typer.Option("--partial", help=".xdf: read what is whole of a damaged file.")]


def replay(
    log: Annotated[
        Path, typer.Argument(metavar="LOG", help="Folder of a session, an .mcap file, or .xdf/.npz/.mat recording.")
    ],
    speed: Annotated[float, typer.Option(min=0.01, help="1 is real time.")] = 1.0,
    verify: Annotated[
        bool, typer.Option("--verify", help="Repeat every step and compare bit by bit; exit 3 if any differs.")
    ] = False,
    raw_stamps: RawStamps = False,
    partial: Partial = False,
    as_json: Json = False,
) -> None:
    """Repeat a session from its recording: watch it again, or prove that it repeats to the last bit.

    An .npz or .mat recording is published as an LSL stream instead, for ``bmi run`` to read, and an .xdf recording
    as all its streams and markers, with their times relative to each other.

    Examples:  [bold]bmi replay recordings/center-out-… --verify[/bold]   [bold]bmi replay day1.xdf --speed 4[/bold]
    """
    if log.suffix.lower() == ".xdf":
        from bmi.player import play_streams

        play_streams(log, speed, _progress_console(), raw_stamps=raw_stamps, partial=partial)
        return
    if log.suffix in (".npz", ".mat"):
        from bmi.player import play

        play(log, speed, _progress_console())
        return
    from bmi.replay import verify as verify_
    from bmi.replay import watch

    if not verify:
        watch(log, speed)
        return
    report = verify_(log)
    if as_json:
        print_json(report)
    else:
        for key, value in report.items():
            sys.stdout.write(f"{key}: {value}\n")
    if report["n_differing"] or not report["n_steps"]:
        raise typer.Exit(3)


def _progress_console() -> Any:
    from rich.console import Console

    return Console(stderr=True)


def inspect(log: Log, raw_stamps: RawStamps = False, partial: Partial = False, as_json: Json = False) -> None:
    """Say what a recording holds: streams, rows, gaps, duration, recipe, versions.

    Examples:  [bold]bmi inspect recordings/center-out-…[/bold]   [bold]bmi inspect day1.xdf[/bold]
    """
    if log.suffix.lower() == ".xdf":
        _inspect_streams(log, raw_stamps, partial, as_json)
        return
    from bmi.recording import Recording

    recording = Recording.open(log)
    topics = []
    for topic in recording.topics:
        rows = recording.read(topic)
        gaps = recording.gaps(topic)
        topics.append({"topic": topic, "rows": len(rows), "bytes": int(rows.nbytes), "gaps": len(gaps)})
    meta = {k: v for k, v in recording.metadata.items() if k != "recipe"}
    recipe = {k: v for k, v in recording.metadata.get("recipe", {}).items() if k != "json"}
    report = {
        "path": str(log),
        "duration_s": round(recording.duration_s, 3),
        "recipe": recipe,
        **meta,
        "topics": topics,
    }
    if as_json:
        print_json(report)
        return
    from bmi.cli.offline import _table

    sys.stdout.write(f"{log}: {recording.duration_s:.1f} s\n")
    for group, values in {"recipe": recipe, **meta}.items():
        sys.stdout.write(f"{group}: " + ", ".join(f"{k} {v}" for k, v in values.items()) + "\n")
    _table(topics, False)


def _inspect_streams(log: Path, raw_stamps: bool, partial: bool, as_json: bool) -> None:
    """Say what each stream of a recording is, how much of it there is, and how its clock was followed."""
    from bmi.formats import read_streams

    recording = read_streams(log, synchronize=not raw_stamps, dejitter=not raw_stamps, partial=partial)
    rows = [s.summary() for s in recording.streams]
    if as_json:
        print_json({
            "path": str(log), "duration_s": round(recording.duration_s, 3), "stamps": recording.stamps,
            "header": dict(recording.header), "notes": list(recording.notes), "streams": rows,
        })  # fmt: skip
        return
    sys.stdout.write(f"{log}: {len(rows)} streams, {recording.duration_s:.1f} s; stamps {recording.stamps}\n")
    for row in rows:
        sys.stdout.write(_told(row))
    for note in recording.notes:
        sys.stdout.write(f"note: {note}\n")


def _told(row: dict[str, Any]) -> str:
    """Return two lines on a stream: what it is, and how much there is of it."""
    unit = f", {row['unit']}" if row["unit"] else "" if row["format"] == "string" else ", no unit declared"
    labels = f" ({', '.join(row['labels'][:4])}{', …' if len(row['labels']) > 4 else ''})" if row["labels"] else ""
    plural = "" if row["channels"] == 1 else "s"
    rate = f"nominal {row['rate_hz']:g} Hz" if row["rate_hz"] else "irregular"
    rate += f", in fact {row['effective_hz']:g} Hz" if row["effective_hz"] else ""
    gaps = f"{row['gaps']} gaps of {row['gaps_s']:g} s together" if row["gaps"] else "no gaps"
    clock = "no clock offsets"
    if row["clock_offsets"]:
        clock = f"{row['clock_offsets']} clock offsets, median {row['clock_offset_ms']:g} ms"
    what = f"{row['name']}: {row['type'] or 'no type'}, {row['format']}, "
    what += f"{row['channels']} channel{plural}{labels}{unit}"
    what = "".join(c if c.isprintable() else "�" for c in what)  # a file may not write to a terminal what it likes
    much = f"{row['samples']} samples, {row['duration_s']:g} s; {rate}{f'; {gaps}' if row['rate_hz'] else ''}; {clock}"
    return f"  {row['id']}  {what}\n     {much}\n"


def recover(log: Log, as_json: Json = False) -> None:
    """Rebuild the files of a session whose recorder was killed; the damaged ones are kept beside them.

    Example:  [bold]bmi recover recordings/center-out-…[/bold]
    """
    from bmi.recover import recover as recover_

    report = recover_(log)
    parts = [{k: str(v) if isinstance(v, Path) else v for k, v in p._asdict().items()} for p in report.parts]
    total = {"rebuilt": report.rebuilt, "rows": report.rows, "seconds": report.seconds,
             "bytes_unreadable": report.bytes_unreadable}  # fmt: skip
    if as_json:
        print_json({**total, "parts": parts})
        return
    from bmi.cli.offline import _table

    _table(parts, False)
    sys.stdout.write("  ".join(f"{k} {v}" for k, v in total.items()) + "\n")


def evaluate(
    recording: Annotated[
        Path, typer.Argument(help="A .mat (trial_data) or .npz (counts, kinematics, bin_s) recording.")
    ],
    decoder: Annotated[str, typer.Option("--decoder", help="Name of a decoder; see [bold]bmi list decoders[/bold].")],
    set_: Set = None,
    train_fraction: Annotated[
        float, typer.Option(min=0.05, max=0.95, help="First share of the trials to fit on.")
    ] = 0.8,
    lsl: Annotated[
        bool, typer.Option("--lsl", help="Decode through real LSL and the live lane (bins under 80 ms).")
    ] = False,
    save: Annotated[
        Path | None, typer.Option(help="Save the fitted parameters (safetensors), for a recipe's decoder.params.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Fit a decoder on the first part of a recording and score it on the rest, step by step as live.

    Example:  [bold]bmi eval session.mat --decoder ridge --set history=10 --lsl --json[/bold]
    """
    if not recording.exists():
        raise RecordingError(f"{recording}: no such file; expected a .mat or .npz recording")
    if lsl:
        _private_network()
    from bmi.evaluate import evaluate as evaluate_

    settings = overrides(set_)
    result = evaluate_(recording, decoder, settings, train_fraction=train_fraction, lsl=lsl, save=save)
    if as_json:
        print_json(result)
        return
    for key, value in result.items():
        sys.stdout.write(f"{key}: {value}\n")


def _private_network() -> None:
    """Keep this command's stream on this machine and to itself; liblsl reads its settings once a process."""
    import atexit
    import os
    import tempfile

    from bmi.lsl.config import private_lsl_config

    if "LSLAPICFG" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="bmi-eval-")
        atexit.register(folder.cleanup)
        os.environ.update(private_lsl_config(Path(folder.name)))
