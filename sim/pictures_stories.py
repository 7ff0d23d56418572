"""The three demonstrations drawn: three patients, a year, a molecule. Bars are means with 95 % intervals over seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bmi.bootstrap import interval
from bmi.errors import ContractError, PluginError
from bmi.signals import F64
from sim.pictures import COLOURS, grid, label, small

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TONES = (COLOURS[2], COLOURS[1], COLOURS[0], COLOURS[4], COLOURS[3], COLOURS[5], COLOURS[6])
"""Of healthy, ill, treated, and further conditions."""
Result = Mapping[str, Any]


def three_patients(path: Path, result: Result) -> str:
    """Draw bit rate, success, fidelity of the relay and time stimulated of each condition, and cursor paths.

    Parameters
    ----------
    path : Path
        png, svg or pdf.
    result : mapping
        ``conditions`` (names), ``bits_s``, ``success``, ``fidelity``, ``time_on`` (n_conditions, n_seeds; shares from
        0 to 1), ``seeds``, ``traces``: by condition a list of paths (n, 2), mm, of one seed; ``targets`` (n, 2), mm,
        may be there.

    Raises
    ------
    ContractError
        If something is missing, or the file cannot be written.
    """
    names = [str(name) for name in _of(result, "three_patients", "conditions")]
    seeds = _of(result, "three_patients", "seeds")

    def draw(figure: Figure) -> None:
        figure.set_size_inches(13.0, 7.6)
        top, bottom = figure.subfigures(2, 1, height_ratios=(1.15, 1.0))
        traces = _of(result, "three_patients", "traces")
        axes = grid(top, 1, len(names), sharex=True, sharey=True)
        for panel, name, colour in zip(axes, names, TONES, strict=False):
            _paths(panel, traces.get(name, ()), colour, result.get("targets"))
            label(panel, f"{name}: cursor, seed {result.get('traced', seeds[0])}", "mm", "mm")
        axes = grid(bottom, 1, 4)
        for panel, (key, told, unit, scale) in zip(axes, (
            ("bits_s", "bit rate", "bit/s", 1.0), ("success", "success", "% of the trials", 100.0),
            ("fidelity", "fidelity of the thalamic relay", "%", 100.0), ("time_on", "stimulated", "% of the time", 100.0),
        ), strict=True):  # fmt: skip
            columns(panel, scale * np.asarray(_of(result, "three_patients", key), np.float64), names)
            label(panel, told, "", unit)
            if scale > 1.0:
                panel.set_ylim(-2.0, 104.0)

    _page(path, draw, f"one decoder's hand, three patients; {len(seeds)} seeds, lines join a seed", seeds)
    return f"{len(names)} conditions, {len(seeds)} seeds"


def year(path: Path, result: Result) -> str:
    """Draw bit rate, success, yield and what happens to the patient over a year.

    Parameters
    ----------
    path : Path
    result : mapping
        ``days`` (n_days,), ``bits_s``, ``success`` and ``yield`` (n_seeds, n_days), ``theta``: by name (n_days,),
        ``events``: pairs of day and what happened.
    """
    days = np.asarray(_of(result, "year", "days"), np.float64)
    n = len(_of(result, "year", "bits_s"))

    def draw(figure: Figure) -> None:
        figure.set_size_inches(13.0, 9.0)
        axes = grid(figure, 4, 1, sharex=True, height_ratios=(1.2, 0.9, 0.7, 1.3))
        for panel, (key, told, unit, scale, colour) in zip(axes, (
            ("bits_s", "bit rate", "bit/s", 1.0, COLOURS[0]), ("success", "success", "% of the trials", 100.0, COLOURS[2]),
            ("yield", "electrodes with a neuron", "%", 100.0, COLOURS[6]),
        ), strict=False):  # fmt: skip
            course(panel, days, scale * np.asarray(_of(result, "year", key), np.float64), colour)
            panel.set_ylim(0.0, 104.0 if scale > 1.0 else None)
            label(panel, f"{told}: mean and 95 % interval over seeds, thin: each seed", "", unit)
        illness(axes[3], days, _of(result, "year", "theta"))
        events = sorted((float(day), str(told)) for day, told in _of(result, "year", "events"))
        for panel in axes:
            for day, _ in events:
                panel.axvline(day, color="#888888", lw=0.7, ls=(0, (2, 2)), zorder=0)
        for day, told in events:
            axes[0].annotate(told, (day, 1.0), xycoords=("data", "axes fraction"), xytext=(2, -2), fontsize=7,
                             textcoords="offset points", rotation=90, va="top", color="#555555")  # fmt: skip
        axes[3].set_xlabel("patient day", fontsize=8)

    _page(path, draw, f"a year with an implant; {n} seeds", result.get("seeds", ()))
    return f"{len(days)} days, {n} seeds"


def molecule(path: Path, result: Result) -> str:
    """Draw what a sodium channel's loss does, from the f-I curve to seizures, and a stimulator against them.

    Parameters
    ----------
    path : Path
    result : mapping
        ``nav11``; ``f_i``: by name of a cell (currents, rates), µA/cm² and Hz; ``rates``: by name (n_seeds,) Hz;
        ``seizures``: by ``without`` and ``with`` a list a seed of durations, s; ``example``: by ``without`` and
        ``with`` a mapping of ``t``, s, ``eeg``, µV, ``seizing``, 0 to 1, and ``amplitude_ma``; ``false_per_hour``.
    """
    share = float(_of(result, "molecule", "nav11"))
    seizures = _of(result, "molecule", "seizures")
    n = len(seizures["without"])

    def draw(figure: Figure) -> None:
        figure.set_size_inches(13.0, 9.0)
        top, bottom = figure.subfigures(2, 1, height_ratios=(0.85, 1.15))
        axes = grid(top, 1, 4)
        for (name, (current, rate)), colour in zip(_of(result, "molecule", "f_i").items(), TONES, strict=False):
            axes[0].plot(current, rate, color=colour, lw=2, label=name)
        small(axes[0])
        label(axes[0], "fast-spiking cell", "current, µA/cm²", "Hz")
        rates = _of(result, "molecule", "rates")
        columns(axes[1], np.array([np.atleast_1d(v) for v in rates.values()], np.float64), list(rates))
        label(axes[1], "rates of the tissue", "", "Hz")
        both = ("without", "with")
        total = np.array([[float(np.sum(d)) for d in seizures[k]] for k in both])
        columns(axes[2], total, ["no stimulator", "stimulator"])
        label(axes[2], f"in seizure; {_false(result)}", "", "s of a session")
        _durations(axes[3], [np.concatenate([np.ravel(d) for d in seizures[k]]) for k in both])
        for panel, key, told in zip(bottom.subfigures(2, 1), both, ("no stimulator", "stimulator"), strict=True):
            _example(panel, _of(result, "molecule", "example")[key], told)

    _page(path, draw, f"from a molecule to seizures: Nav1.1 at {share:g}; {n} seeds", result.get("seeds", ()))
    return f"Nav1.1 {share:g}, {n} seeds"


PAGES: Mapping[str, Callable[[Path, Result], str]] = {
    "three_patients": three_patients, "year": year, "molecule": molecule,
}  # fmt: skip
"""By the name of a demonstration."""


def columns(axes: Axes, values: F64, names: Sequence[str]) -> None:
    """Draw (n_conditions, n_seeds) as dots, a line a seed, with mean and 95 % interval over seeds beside."""
    at = np.arange(len(values))
    if values.shape[1] > 1:
        axes.plot(at, values, color="#BBBBBB", lw=0.7, zorder=1)
    for k, (row, colour) in enumerate(zip(values, TONES, strict=False)):
        axes.plot(np.full(len(row), k), row, "o", ms=4, color=colour, alpha=0.55, mew=0, zorder=2)
        found = interval(row)
        if np.isfinite(found.low):
            axes.plot([k + 0.2] * 2, [found.low, found.high], color=colour, lw=2.4, solid_capstyle="butt", zorder=3)
        axes.plot(k + 0.2, found.value, "D", ms=6, color=colour, mec="white", zorder=4)
        axes.annotate(f"{found.value:.3g}", (k + 0.2, found.value), xytext=(6, 0), textcoords="offset points",
                      fontsize=8, va="center", color=colour)  # fmt: skip
    axes.set_xticks(at, [name.replace(" + ", "\n+ ") for name in names])
    axes.set_xlim(-0.4, len(values) - 0.2)


def course(axes: Axes, t: F64, values: F64, colour: str) -> None:
    """Draw (n_seeds, n) over time: each seed thin, the mean, and its 95 % interval."""
    axes.plot(t, values.T, color=colour, lw=0.6, alpha=0.35)
    found = [interval(column) for column in values.T]
    axes.fill_between(t, [x.low for x in found], [x.high for x in found], color=colour, alpha=0.22, lw=0)
    axes.plot(t, [x.value for x in found], "o-", ms=3, color=colour, lw=2)
    axes.set_xlim(t.min(), t.max())


def illness(axes: Axes, days: F64, theta: Mapping[str, npt.ArrayLike]) -> None:
    """Draw slow parameters (n_days,) by name, from their baseline (0) to a value of clear illness (1)."""
    from sim.patient.theta import THETA

    rows, names = [], []
    for name, values in theta.items():
        slow = THETA[name]
        ill = (np.asarray(values, np.float64) - slow.baseline) / (slow.ill - slow.baseline)
        if np.abs(ill).max() > 1e-9:
            rows.append(ill)
            names.append(name)
    if not rows:
        axes.text(0.5, 0.5, "every slow parameter at its baseline", transform=axes.transAxes, ha="center", fontsize=9)
        return
    edges = np.concatenate([days[:1], 0.5 * (days[1:] + days[:-1]), days[-1:]])
    drawn = axes.pcolormesh(edges, np.arange(len(rows) + 1), np.array(rows), cmap="YlOrRd", vmin=0.0, vmax=1.0)
    axes.set_yticks(np.arange(len(rows)) + 0.5, names, fontsize=7)
    axes.invert_yaxis()
    for edge in range(1, len(rows)):
        axes.axhline(edge, color="white", lw=1.2)
    bar = axes.figure.colorbar(drawn, ax=axes, pad=0.01, aspect=12)
    bar.set_label("0 healthy, 1 clearly ill", fontsize=7)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)
    label(axes, "slow parameters", "patient day", "")


def _paths(axes: Axes, paths: Sequence[npt.ArrayLike], colour: str, targets: npt.ArrayLike | None) -> None:
    """Draw cursor paths, mm, each from a ring to a dot."""
    for path in paths:
        x, y = np.asarray(path, np.float64).T
        axes.plot(x, y, color=colour, lw=0.9, alpha=0.65)
        axes.plot(x[-1:], y[-1:], "o", ms=3.5, color=colour)
    if targets is not None:
        axes.plot(*np.asarray(targets, np.float64).T, "o", ms=12, mfc="none", mec="#999999", mew=1.0)
    axes.set_aspect("equal", adjustable="datalim")


def _durations(axes: Axes, both: Sequence[F64]) -> None:
    """Draw every seizure's duration without and with the stimulator, sorted: a share that lasts longer."""
    for values, name, colour in zip(both, ("no stimulator", "stimulator"), (COLOURS[1], COLOURS[0]), strict=True):
        ordered = np.sort(values)
        share = 100.0 * (1.0 - np.arange(len(ordered) + 1) / max(1, len(ordered)))
        axes.step(np.concatenate([[0.0], ordered]), share, where="post", color=colour, lw=2,
                  label=f"{name}: {len(ordered)} seizures")  # fmt: skip
    axes.set_xlim(0.0, None)
    axes.set_ylim(0.0, 104.0)
    small(axes)
    label(axes, "how long they last", "s", "% that last longer")


def _example(figure: Figure, shown: Mapping[str, npt.ArrayLike], told: str) -> None:
    """Draw the scalp, how far the focus seizes, and the stimulator's amplitude."""
    axes = grid(figure, 2, 1, sharex=True, height_ratios=(1.0, 0.45))
    t = np.asarray(shown["t"], np.float64)
    axes[0].plot(t, np.asarray(shown["eeg"], np.float64), color="k", lw=0.35, rasterized=True)
    label(axes[0], f"{told}: scalp near the focus", "", "µV")
    axes[1].fill_between(t, np.asarray(shown["seizing"], np.float64), color=COLOURS[1], alpha=0.45, lw=0)
    axes[1].set_ylim(0.0, 1.05)
    label(axes[1], "", "time, s", "seizing")
    other = axes[1].twinx()
    other.plot(t, np.asarray(shown["amplitude_ma"], np.float64), color=COLOURS[0], lw=1.2)
    other.set_ylim(0.0, max(1.0, 1.1 * float(np.max(shown["amplitude_ma"]))))
    other.set_ylabel("stimulator, mA", fontsize=8, color=COLOURS[0])
    other.spines["top"].set_visible(False)
    other.tick_params(labelsize=8)
    axes[0].set_xlim(t.min(), t.max())


def _false(result: Result) -> str:
    values = np.atleast_1d(np.asarray(_of(result, "molecule", "false_per_hour"), np.float64))
    return f"{values.mean():.2g} false alarms an hour"


def _of(result: Result, story: str, key: str) -> Any:
    """Return ``result[key]``. Raises ContractError naming what there is."""
    if key not in result:
        raise ContractError(f"pictures_stories.{story}: expected {key!r} in the result, there are {', '.join(result)}")
    return result[key]


def _page(path: Path, draw: Callable[[Figure], None], about: str, seeds: Sequence[Any]) -> None:
    """Draw a page and write it."""
    try:
        from matplotlib.figure import Figure
    except ImportError as e:
        raise PluginError("stories: matplotlib is missing; pip install 'multiscale-bmi[plot]'") from e
    figure = Figure(layout="constrained")
    draw(figure)
    told = f", seeds {', '.join(map(str, seeds))}" if 0 < len(seeds) <= 12 else ""
    figure.suptitle(f"{about}   ·   simulated{told}; research use only", fontsize=10)
    try:
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as e:
        raise ContractError(f"cannot write {path}: {e}; give a png, svg or pdf in a folder there is") from e
