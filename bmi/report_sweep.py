"""A sweep on one page: every figure against the values that were tried, with its interval and every seed.

The page needs nothing but itself: pictures are inline SVG, there is no script. The same sweep gives the same bytes.
"""

from __future__ import annotations

import io
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rich.table import Table
from rich.text import Text

from bmi.bootstrap import Estimate
from bmi.extras import extra
from bmi.report import TARGET_COLOURS
from bmi.sweep.plan import NOTICE, Axis, Plan
from bmi.sweep.table import SEED, PointFigures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABELS = {
    "success_rate": "trials reached, share",
    "acquisition_s": "acquisition (median of a run), s",
    "bits_s": "achieved bit rate, bit/s",
    "fitts_bits_s": "throughput (Fitts), bit/s",
    "path_efficiency": "path efficiency",
}
_SHORT = {"success_rate": "reached", "acquisition_s": "acquired, s", "bits_s": "bit/s", "fitts_bits_s": "Fitts, bit/s",
          "path_efficiency": "path"}  # fmt: skip
_KEY_WIDTH, _METRIC_WIDTH = 20, 14
_SHARES = ("success_rate", "path_efficiency")
_MARKERS = "osD^vPX"
_ACROSS = 3
"""Small multiples side by side."""
_STYLE = """body{font:15px/1.45 system-ui,sans-serif;color:#222;background:#fff}
body{margin:2em auto;max-width:75em;padding:0 1em}
h1{font-size:1.4em}figure{display:inline-block;margin:0 1em 1em 0;vertical-align:top;max-width:100%}
svg{max-width:100%;height:auto}table{border-collapse:collapse;margin:1em 0;font-variant-numeric:tabular-nums}
th,td{padding:.2em .8em;text-align:right;border-bottom:1px solid #ddd}th{font-weight:600}
.notice{border:2px solid #D55E00;padding:.4em .8em;font-weight:600}.wide{overflow-x:auto}code{overflow-wrap:anywhere}"""


def label(value: Any) -> str:
    """Return a value of the grid in few words."""
    if isinstance(value, Mapping):
        rest = ", ".join(f"{k} {label(v)}" for k, v in value.items() if k != "use")
        return ", ".join(part for part in (str(value.get("use", "")), rest) if part)
    return value if isinstance(value, str) else json.dumps(value)


def _text(e: Estimate, gap: str) -> str:
    if not math.isfinite(e.value):
        return "–"
    return f"{e.value:.3g}" + (f"{gap}{e.low:.3g}–{e.high:.3g}" if math.isfinite(e.low) else "")


def _cells(point: PointFigures, metrics: Sequence[str], gap: str) -> list[str]:
    cells = [label(value) for value in point.values.values()]
    cells.append(f"{point.n}" + (f"{gap}{point.n_failed} failed" if point.n_failed else ""))
    for name in metrics:
        seen = len(point.seen[name])
        cells.append(_text(point.metrics[name], gap) + (f"{gap}(n = {seen})" if 0 < seen < point.n else ""))
    return cells


def points_table(points: Sequence[PointFigures], width: int) -> Table:
    """Return what each point came to, for a terminal of ``width`` columns: mean over seeds, 95 % interval below.

    Metrics for which there is no room are left to the page.
    """
    table = Table(box=None, padding=(0, 2, 0, 0))
    keys, metrics = list(points[0].values), list(points[0].metrics)
    last = [key.rpartition(".")[2] for key in keys]
    heads = [short if last.count(short) == 1 else key for key, short in zip(keys, last, strict=True)]
    for key, head in zip(keys, heads, strict=True):
        room = min(max(len(head), *[len(label(point.values[key])) for point in points]), _KEY_WIDTH)
        table.add_column(Text(head), style="bold", overflow="fold", width=room)
        width -= room + 2
    table.add_column("seeds", no_wrap=True)
    shown = metrics[: max((width - 10) // _METRIC_WIDTH, 1)]
    for name in shown:
        table.add_column(_SHORT[name], no_wrap=True)
    for point in points:
        table.add_row(*map(Text, _cells(point, shown, "\n")))
    return table


# --- the page ---------------------------------------------------------------------------------------


def page(plan: Plan, points: Sequence[PointFigures], errors: Mapping[int, str]) -> bytes:
    """Return the page as HTML.

    Parameters
    ----------
    plan : Plan
    points : sequence of PointFigures
        In the order of the plan.
    errors : mapping
        What became of the runs that failed, by number.

    Raises
    ------
    PluginError
        If matplotlib is not installed.
    """
    name = escape(f"{plan.raw.get('session', {}).get('name', '?')}, {plan.recipe}")
    metrics = list(points[0].metrics)
    pictures = "".join(f"<figure>{_picture(plan, points, metric)}</figure>\n" for metric in metrics)
    n = len(plan.seeds)
    failed = "".join(f"<li>run {i} ({escape(_of(plan, i))}): {escape(e)}</li>\n" for i, e in errors.items())
    notes = "".join(f"<li>{escape(note)}</li>\n" for note in plan.notes)
    head = "".join(f"<th>{escape(key)}</th>" for key in [*points[0].values, "seeds", *metrics])
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(point, metrics, "; ")) + "</tr>\n"
        for point in points
    )
    versions = ", ".join(f"{k} {v}" for k, v in plan.versions.items())
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Sweep of {name}</title>
<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>
<h1>Sweep of {name}</h1>
<p class="notice">{escape(NOTICE[0].upper() + NOTICE[1:])}.</p>
<p>{len(plan)} runs: {len(points)} point{"s" * (len(points) != 1)} × {n} seed{"s" * (n != 1)} ({escape(_seeds(plan))});
{len(errors)} failed. Marks are means over seeds, bars their 95 % bootstrap intervals (percentile, 2000 resamples of the
seeds, generator seeded with {SEED}), faint dots the seeds one by one, dashes what chance alone reaches, where known.
Acquisition, throughput and path efficiency are of trials that were reached; a run without one has no such figure and
is left out, and then n is given beside the mean.</p>
{f"<h2>Left out where another part was put in</h2><ul>{notes}</ul>" if notes else ""}
{f"<h2>Failed</h2><ul>{failed}</ul>" if failed else ""}
{pictures or "<p>No run has a figure to show.</p>"}
<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>
{body}</tbody></table></div>
<p>Plan <code>{plan.sha256}</code>. {escape(versions)}.</p>
</body></html>
""".encode()


def _of(plan: Plan, index: int) -> str:
    point, seed = plan.run(index)
    return ", ".join([*[f"{key} = {label(value)}" for key, value in point.values.items()], f"seed {seed}"])


def _seeds(plan: Plan) -> str:
    seeds = plan.seeds
    if len(seeds) > 2 and seeds == tuple(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


# --- the pictures -----------------------------------------------------------------------------------


class _Layout(NamedTuple):
    """Which key goes along, which has colours, and which have pictures of their own."""

    along: Axis
    colour: Axis
    rest: list[Axis]
    at: list[float]
    """Place of each value of ``along``."""
    scale: str
    """``linear`` or ``log`` where the values are numbers, ``names`` where they are not."""


def _layout(plan: Plan) -> _Layout:
    axes = list(plan.axes)
    numeric = [axis for axis in axes if len(axis.values) > 1 and all(type(v) in (int, float) for v in axis.values)]
    along = max(numeric or axes, key=lambda axis: len(axis.values), default=Axis("", [None]))
    others = [axis for axis in axes if axis is not along]
    colour = others.pop(0) if others else Axis("", [None])
    if along not in numeric:
        return _Layout(along, colour, others, list(map(float, range(len(along.values)))), "names")
    at = [float(v) for v in along.values]
    wide = min(at) > 0 and max(at) / min(at) >= 8
    return _Layout(along, colour, others, at, "log" if wide else "linear")


def _picture(plan: Plan, points: Sequence[PointFigures], metric: str) -> str:
    """Return one figure as SVG; several panels where more than two keys vary."""
    rc_context = extra("matplotlib", "sweep.html").rc_context
    new_figure = extra("matplotlib.figure", "sweep.html").Figure
    layout = _layout(plan)
    by_values = {json.dumps(point.values): point for point in points}
    panels = list(itertools.product(*[axis.values for axis in layout.rest]))
    columns = min(len(panels), _ACROSS)
    n_rows = math.ceil(len(panels) / columns)
    settings: Any = {"svg.hashsalt": metric, "svg.fonttype": "path", "font.size": 9}
    with rc_context(settings):  # no clock and no chance in the file
        width = 4.4 + 0.35 * max(len(layout.along.values) - 6, 0) if columns == 1 else 3.4 * columns
        figure = new_figure(figsize=(width, 2.6 * n_rows + 0.8), layout="constrained")
        axes = figure.subplots(n_rows, columns, squeeze=False, sharex=True, sharey=True)
        for ax, choice in itertools.zip_longest(axes.flat, panels):
            if choice is None:
                ax.set_visible(False)
                continue
            fixed = dict(zip([axis.key for axis in layout.rest], choice, strict=True))
            _panel(ax, plan, layout, metric, fixed, by_values)
            ax.set_title(", ".join(f"{k} = {label(v)}" for k, v in fixed.items()), fontsize=8)
        _dress(axes[0, 0], layout, metric)
        figure.supxlabel(layout.along.key or f"{len(plan.seeds)} seeds", fontsize=9)
        figure.supylabel(LABELS[metric], fontsize=9)
        handles, names = axes[0, 0].get_legend_handles_labels()
        if handles:
            figure.legend(handles, names, title=layout.colour.key, loc="outside upper center", frameon=False,
                          fontsize=8, title_fontsize=8, ncols=min(len(names), 3))  # fmt: skip
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Title": f"{metric}, simulated"})
    svg = out.getvalue()
    return svg[svg.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{escape(LABELS[metric])}"', 1)


def _panel(
    ax: Axes, plan: Plan, layout: _Layout, metric: str, fixed: Mapping[str, Any], by_values: Mapping[str, PointFigures]
) -> None:
    """Draw the points of one panel, one colour and mark for each value of the second key."""
    n_colours = len(layout.colour.values)
    for c, second in enumerate(layout.colour.values):
        colour, marker = TARGET_COLOURS[c % len(TARGET_COLOURS)], _MARKERS[c % len(_MARKERS)]
        found = []
        for value in layout.along.values:
            chosen = {layout.along.key: value, layout.colour.key: second, **fixed}
            found.append(by_values[json.dumps({axis.key: chosen[axis.key] for axis in plan.axes})])
        x = [_shift(layout, i, (c + 0.5) / n_colours - 0.5) for i in range(len(found))]
        for i, point in enumerate(found):
            dots = point.seen[metric]
            apart = [0.2 + 0.6 * (k + 0.5) / len(dots) for k in range(len(dots))]
            ax.plot(
                [_shift(layout, i, (c + share) / n_colours - 0.5) for share in apart],
                dots,
                ".",
                ms=4,
                mew=0,
                color=colour,
                alpha=0.3,
            )
            if metric == "success_rate" and math.isfinite(point.chance):
                ends = [_shift(layout, i, (c + edge) / n_colours - 0.5) for edge in (0, 1)]
                ax.plot(ends, [point.chance] * 2, "--", lw=1, color=colour)
        estimates = [point.metrics[metric] for point in found]
        y = np.array([e.value for e in estimates])
        bars = np.nan_to_num([[e.value - e.low for e in estimates], [e.high - e.value for e in estimates]])
        ax.errorbar(x, y, np.maximum(bars, 0.0), fmt=marker, ms=5, color=colour, capsize=3, lw=1.4, zorder=3,
                    ls="none" if layout.scale == "names" else "-",
                    label=label(second) if layout.colour.key else None)  # fmt: skip


def _shift(layout: _Layout, i: int, share: float) -> float:
    """Return the place of value ``i``, moved by a share of the room it has, so that nothing hides another."""
    if layout.scale == "log":
        at = np.sort(np.log(layout.at))
        return float(layout.at[i] * math.exp(0.5 * share * float(np.diff(at).min(initial=math.inf))))
    at = np.sort(layout.at)
    room = float(np.diff(at).min()) if len(at) > 1 else 1.0
    return layout.at[i] + 0.5 * share * room


def _dress(ax: Axes, layout: _Layout, metric: str) -> None:
    """Give the shared axes of a figure their ticks and limits."""
    from matplotlib.ticker import NullFormatter, NullLocator

    if layout.scale == "log":
        ax.set_xscale("log")
    ax.set_xticks(layout.at, [label(v) if layout.along.key else "" for v in layout.along.values])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    if len(layout.at) == 1:
        ax.set_xlim(layout.at[0] - 1, layout.at[0] + 1)
    ax.set_ylim(bottom=0.0)
    if metric in _SHARES:
        ax.set_ylim(-0.02, 1.05)
    for each in ax.figure.axes:
        each.spines[["top", "right"]].set_visible(False)
        each.tick_params(labelsize=8)
        longest = max(len(label(v)) for v in layout.along.values)
        if longest * len(layout.at) > 40:
            each.tick_params(axis="x", labelrotation=30)
