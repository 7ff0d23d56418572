"""What a session came to: a table for people, the same figures for machines, and pictures for the paper.

Latency has two definitions everywhere. *Sample age*: when the device had the command, how old was the
newest sample it rests on. *Our own*: from the chunk in hand to ``device.write`` returned.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table
from rich.text import Text

from bmi.contracts import TrialResult
from bmi.extras import extra
from bmi.frame import FAINT, GREEN, RED, duration
from bmi.latency import LOW_NS, Histogram
from bmi.telemetry import Steps, age_ns, own_ns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TARGET_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6D00", "#5B5B5B")
"""Okabe and Ito's palette, its yellow darkened to be seen on white."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def _figure(value: Any, pattern: str, scale: float = 1.0) -> str | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return pattern.format(value * scale)


def _percentiles(values: Any, ns_per_unit: float) -> str | None:
    if not isinstance(values, Mapping):
        return None
    labels = {"p50": "p50", "p99": "p99", "p999": "p99.9", "max": "max"}
    known = [
        f"{labels[k]} {duration(values[k] * ns_per_unit)}"
        for k in labels
        if _figure(values.get(k), "{}") is not None
    ]
    return "   ".join(known) or None


def _success(summary: Mapping[str, Any]) -> str | None:
    rate = _figure(summary.get("success_rate"), "{:.0f} %", 100)
    if rate is None:
        return None
    ci = summary.get("success_ci")
    if isinstance(ci, Sequence) and len(ci) == 2:
        rate += f"   95 % interval {100 * ci[0]:.0f}–{100 * ci[1]:.0f} %"
    chance = _figure(summary.get("chance"), "{:.0f} %", 100)
    return rate + (f"   by chance {chance}" if chance else "")


def _inside(summary: Mapping[str, Any], *keys: str) -> Any:
    """Return a nested value, the first of a list; None where a key is missing."""
    value: Any = summary
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value[0] if isinstance(value, Sequence) and not isinstance(value, str) and value else value


def _bit_rate(summary: Mapping[str, Any]) -> str | None:
    text = _figure(summary.get("bits_s"), "{:.2f} bit/s")
    intervals = summary.get("intervals")
    bounds = intervals.get("bit_rate_bit_s") if isinstance(intervals, Mapping) else None
    if text and isinstance(bounds, Sequence) and len(bounds) == 2 and all(_figure(b, "{}") for b in bounds):
        text += f"   95 % interval {bounds[0]:.2f}–{bounds[1]:.2f}"
    return text


def _throughput(summary: Mapping[str, Any]) -> str | None:
    nominal = _figure(summary.get("fitts_bits_s"), "{:.2f} bit/s")
    effective = _figure(summary.get("effective_fitts_bits_s"), "{:.2f} by effective width")
    return nominal + (f"   {effective}" if effective else "") if nominal else None


def _selections(summary: Mapping[str, Any]) -> str | None:
    correct, wrong = _figure(summary.get("n_correct"), "{:.0f}"), _figure(summary.get("n_wrong"), "{:.0f}")
    return f"{correct} correct, {wrong} wrong" if correct and wrong else None


def summary_table(summary: Mapping[str, Any]) -> Table:
    """Return the end-of-session table; rows whose keys are missing are left out.

    Parameters
    ----------
    summary
        ``name, seed, block, n_trials, success_rate, success_ci, chance`` (fractions), ``acquisition_s``,
        ``path_efficiency``, ``fitts_bits_s``, ``bits_s``, ``age_ms`` and ``own_us``
        (``{p50, p99, p999, max}``), ``samples, lost, stale, commands, recording``.
    """
    s = summary
    title = "  ".join(str(s[k]) for k in ("name", "block") if s.get(k))
    table = Table(title=title or None, show_header=False, box=None, padding=(0, 2), title_justify="left")
    table.add_column(style=FAINT, no_wrap=True)
    table.add_column(overflow="fold")

    def row(label: str, text: str | None, style: str = "") -> None:
        if text is not None:
            table.add_row(label, Text(text, style))

    row("trials", _figure(s.get("n_trials"), "{:.0f}"))
    row("reached", _success(s), "bold")
    row("acquisition (median)", _figure(s.get("acquisition_s"), "{:.2f} s"))
    row("path efficiency", _figure(s.get("path_efficiency"), "{:.2f}"))
    row("movement error", _figure(_inside(s, "movement", "movement_error_mm"), "{:.1f} mm from the task axis"))
    row("throughput (Fitts)", _throughput(s))
    row("selections", _selections(s))
    row("achieved bit rate", _bit_rate(s), "bold" if "n_correct" in s else "")
    row("sample age", _percentiles(s.get("age_ms"), 1e6))
    row("our own", _percentiles(s.get("own_us"), 1e3))
    row("samples", _figure(s.get("samples"), "{:,.0f}"))
    for key, label in (("lost", "samples lost"), ("stale", "stale commands")):
        row(label, _figure(s.get(key), "{:,.0f}"), f"bold {RED}" if s.get(key) else GREEN)
    row("commands", _figure(s.get("commands"), "{:,.0f}"))
    for key, label in (("guard_trips", "stopped by the guard"), ("learner_rolled_back", "updates rolled back")):
        row(label, _figure(s.get(key) or None, "{:,.0f}"), f"bold {RED}")
    row("seed", _figure(s.get("seed"), "{:.0f}"))
    row("recording", str(s["recording"]) if s.get("recording") else None)
    row("replay with", str(s["replay"]) if s.get("replay") else None)
    row("learned", str(s["params"]) if s.get("params") else None)
    return table


def to_json(summary: Mapping[str, Any]) -> str:
    """Return ``summary`` as one JSON object; NaN and infinities become null, arrays lists, paths strings."""
    return json.dumps(_plain(summary), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)


def histogram_bars(histogram: Histogram, *, rows: int = 12, width: int = 40) -> Text:
    """Return a latency histogram as text: log-spaced rows, bars on a logarithmic count, so that one
    outlier in a million is still seen."""
    out = Text(no_wrap=True)
    groups = histogram.grouped(rows)
    if not groups:
        return out.append("nothing measured", FAINT)
    top = math.log1p(max(n for _, _, n in groups))
    for i, (low, high, n) in enumerate(groups):
        eighths = max(1, round(8 * width * math.log1p(n) / top)) if n else 0
        bar = "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
        out.append(("\n" if i else "") + f"{duration(low):>7} – {duration(high):>7}  ", FAINT)
        out.append(bar.ljust(width), GREEN).append(f" {n}")
    return out


def _new_figure(width_in: float, height_in: float, n_axes: int = 1) -> tuple[Figure, Sequence[Axes]]:
    # A Figure without pyplot has no global state and never looks for a display.
    figure = extra("matplotlib.figure", "plots").Figure(figsize=(width_in, height_in), layout="constrained")
    axes = figure.subplots(1, n_axes, squeeze=False)[0]
    return figure, list(axes)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    vector = path.suffix.lower() == ".svg"
    figure.savefig(path, dpi=150, metadata={"Date": None} if vector else {"Software": None})


def plot_reaches(steps: Steps, results: Sequence[TrialResult], path: Path, *, title: str = "") -> None:
    """Draw the cursor's way to each target, (n,) step records, one line a trial, to a PNG or SVG.

    Only the trials of ``results`` are drawn: hand over those of the scored block. Lines have the colour of
    their target; trials that were not reached are dashed.
    """
    figure, (ax,) = _new_figure(5.0, 5.0)
    from matplotlib.patches import Circle

    now = steps["now"]
    drawn: dict[int, tuple[float, float, float]] = {}
    for result in results:
        colour = TARGET_COLOURS[result.target % len(TARGET_COLOURS)]
        end = result.t_start_s + result.acquire_s
        part = steps[(steps["trial"] == result.trial) & (now >= result.t_start_s) & (now <= end)]
        part = part[part["goal_active"] != 0]
        if not len(part):
            continue
        x, y = part["position"][:, 0], part["position"][:, 1]
        ax.plot(x, y, color=colour, lw=1.1, alpha=0.75, ls="-" if result.success else (0, (3, 2)))
        goal = part["goal"][-1]
        drawn[result.target] = (float(goal[0]), float(goal[1]), float(part["goal_radius"][-1]))
    for target, (x0, y0, radius) in drawn.items():
        colour = TARGET_COLOURS[target % len(TARGET_COLOURS)]
        ax.add_patch(Circle((x0, y0), radius, fill=False, edgecolor=colour, lw=2.0))
    reached = sum(r.success for r in results)
    ax.set_title(title or f"{reached} of {len(results)} targets reached", fontsize=10)
    ax.set_xlabel("x, mm")
    ax.set_ylabel("y, mm")
    ax.set_aspect("equal", adjustable="datalim")
    ax.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def plot_latency(steps: Steps, path: Path) -> None:
    """Draw how old samples were when the device had the command, and what of it was our own making."""
    figure, axes = _new_figure(8.0, 3.2, 2)
    from matplotlib.ticker import LogLocator, NullFormatter

    sent = steps[steps["command_seq"] >= 0]
    if not len(sent):
        raise ValueError("plot_latency: expected steps with commands, given none; is the recording empty?")
    for ax, values, scale, unit, label, colour in (
        (axes[0], age_ns(sent), 1e6, "ms", "sample age", TARGET_COLOURS[0]),
        (axes[1], own_ns(sent), 1e3, "µs", "our own", TARGET_COLOURS[1]),
    ):
        histogram = Histogram()
        histogram.add(values)
        low, high, n = (np.array(column) for column in zip(*histogram.grouped(60), strict=True))
        low = np.maximum(low, LOW_NS / 2)  # the bin of everything below 1 µs has no place for 0 on a log axis
        ax.bar(low / scale, n, width=(high - low) / scale, align="edge", color=colour)
        for q in (50, 99, 99.9):
            at = max(histogram.percentile(q), LOW_NS / 2) / scale
            ax.axvline(at, color="0.3", lw=0.8, ls=":")
            ax.annotate(f"p{q:g}", (at, 1.0), xycoords=("data", "axes fraction"), fontsize=7, va="bottom")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlabel(f"{label}, {unit}")
        ax.set_ylabel("commands")
        ax.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def plot_speed(steps: Steps, results: Sequence[TrialResult], path: Path) -> None:
    """Draw the effector's speed from target onset, every trial and their mean."""
    figure, (ax,) = _new_figure(5.0, 3.2)
    grid = np.linspace(0.0, max((r.acquire_s for r in results), default=1.0), 200)
    curves = np.full((len(results), grid.size), np.nan)
    for curve, result in zip(curves, results, strict=True):
        part = steps[(steps["trial"] == result.trial) & (steps["now"] >= result.t_start_s)]
        t = part["now"] - result.t_start_s
        inside = t <= result.acquire_s
        if np.count_nonzero(inside) < 2:
            continue
        speed = np.linalg.norm(part["velocity"][inside], axis=1)
        curve[:] = np.interp(grid, t[inside], speed, right=np.nan)
        ax.plot(grid, curve, color="0.75", lw=0.6)
    n = np.isfinite(curves).sum(axis=0)
    enough = n >= max(1, len(results) // 4)  # the mean of the slowest few trials is not a profile
    if enough.any():
        ax.plot(grid[enough], np.nanmean(curves[:, enough], axis=0), color=TARGET_COLOURS[0], lw=2.0)
    ax.set_xlabel("time from target onset, s")
    ax.set_ylabel("speed, mm/s")
    ax.spines[["top", "right"]].set_visible(False)
    _save(figure, path)
