"""The three demonstrations drawn: three patients, a year, a molecule. Bars are means with 95 % intervals over seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bmi.bootstrap import interval
from bmi.errors import ContractError
from bmi.registry import nearest
from bmi.signals import F64
from sim.pictures import COLOURS, blank, grid, label, save, small

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TONES = (COLOURS[2], COLOURS[1], COLOURS[0], COLOURS[4], COLOURS[3], COLOURS[5], COLOURS[6])
"""Of healthy, ill, treated, and further conditions."""
Result = Mapping[str, Any]


def page(path: Path, result: Result) -> None:
    """Draw the page of a demonstration.

    Parameters
    ----------
    path : Path
        png, svg or pdf.
    result : mapping
        What ``sim.stories.live`` returned, or the same read from JSON.

    Raises
    ------
    ContractError
        If there is no page for it, something is missing, or the file cannot be written.
    PluginError
        If matplotlib is missing.
    """
    name = _of(result, "story")
    if name not in PAGES:
        raise ContractError(f"stories: no page for {name!r}{nearest(str(name), list(PAGES))}; {', '.join(PAGES)}")
    figure = blank()
    about = PAGES[name](figure, result)
    seeds = list(_of(result, "seeds"))
    told = f"{len(seeds)} seeds" if len(seeds) > 8 else f"seeds {', '.join(map(str, seeds))}"
    figure.suptitle(f"{about}   ·   simulated, {told}; research use only", fontsize=10)
    save(figure, path)


def three_patients(figure: Figure, result: Result) -> str:
    """Draw cursor paths of one seed, then figures of every seed and condition."""
    names = [str(name) for name in _of(result, "conditions")]
    figure.set_size_inches(13.0, 8.2)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.2, 1.0))
    axes = grid(top, 1, len(names), sharex=True, sharey=True)
    for panel, name, tone in zip(axes, names, TONES, strict=False):
        _path(panel, np.asarray(_of(result, "traces")[name], np.float64), tone)
        label(panel, name, "mm", "mm")
    top.suptitle(f"cursor of seed {result['seeds'][0]}, ○ to ●", fontsize=9)
    told = (
        ("bits_s", "bit rate", "bit/s", 1.0), ("success", "success", "% of the trials", 100.0),
        ("acquisition_s", "time to the target", "s", 1.0),
        ("fidelity", "the thalamus relays", "% of the pulses", 100.0),
        ("time_on", "stimulated", "% of the time", 100.0),
    )  # fmt: skip
    for panel, (key, what, unit, scale) in zip(grid(bottom, 1, len(told)), told, strict=True):
        columns(panel, scale * _table(result, key), names)
        label(panel, what, "", unit)
        panel.set_ylim(*((-4.0, 108.0) if scale > 1.0 else (0.0, 1.06 * panel.get_ylim()[1])))
    return "one frozen decoder, three patients: ◆ mean, 95 % interval over seeds"


def sensors(figure: Figure, result: Result) -> str:
    """Draw how well each sense is read, every seed beside its own chance."""
    names = [str(name) for name in _of(result, "conditions")]
    figure.set_size_inches(8.0, 5.0)
    (axes,) = grid(figure, 1, 1)
    columns(axes, _table(result, "r"), names)
    for k, row in enumerate(_table(result, "chance")):
        told = "" if k else "95 % of chance, each seed"
        axes.plot(np.full(len(row), k), row, "_", ms=12, color="#777777", label=told)
    axes.axhline(0.0, color="#999999", lw=0.8)
    axes.set_ylim(-0.05, 1.0)
    axes.legend(frameon=False, fontsize=8, loc="upper right")
    label(axes, "velocity intended, read from one sense alone", "", "correlation, second half of the session")
    return "spikes, fields and EEG of one patient: ◆ mean, 95 % interval over seeds"


def year(figure: Figure, result: Result) -> str:
    """Draw performance and what the electrodes hear over a year, above what happens to the patient."""
    days = np.asarray(_of(result, "days"), np.float64)
    known = (
        ("bits_s", "bit rate", "bit/s", 1.0, COLOURS[0]), ("targets_per_s", "targets", "a second", 1.0, COLOURS[0]),
        ("success", "success", "% of the trials", 100.0, COLOURS[2]),
        ("yield", "what the array hears", "crossings, Hz", 1.0, COLOURS[6]),
    )  # fmt: skip
    shown = [of for of in known if of[0] in result]
    figure.set_size_inches(13.0, 9.0)
    axes = grid(figure, len(shown) + 1, 1, sharex=True, height_ratios=(*[1.0] * len(shown), 0.9))
    for panel, (key, what, unit, scale, tone) in zip(axes, shown, strict=False):
        course(panel, days, scale * _table(result, key), tone)
        panel.set_ylim(0.0, 104.0 if scale > 1.0 else None)
        label(panel, f"{what}: mean, 95 % interval over seeds, each seed thin", "", unit)
    illness(axes[-1], days, _of(result, "theta"))
    for day, what in _of(result, "events"):
        for panel in axes:
            panel.axvline(day, color="#777777", lw=0.8, ls=(0, (2, 2)), zorder=0)
        axes[0].annotate(str(what), (day, 0.0), xycoords=("data", "axes fraction"), xytext=(3, 3), fontsize=8,
                         textcoords="offset points", color="#555555")  # fmt: skip
    axes[-1].set_xlim(min([days.min(), *(day for day, _ in result["events"])]), days.max())
    axes[-1].set_xlabel("patient day", fontsize=8)
    return "a year with an ageing implant, the decoder as it was calibrated"


def molecule(figure: Figure, result: Result) -> str:
    """Draw what a sodium channel's loss does, scale by scale, and a stimulator against it."""
    share = float(_of(result, "nav11"))
    natural, aborted = ([np.asarray(d, np.float64) for d in _of(result, key)] for key in ("natural_s", "aborted_s"))
    example = _of(result, "example")
    figure.set_size_inches(14.0, 9.6)
    top, bottom = figure.subfigures(2, 1, height_ratios=(0.75, 1.25))
    axes = grid(top, 1, 5)
    _sodium(axes[0], share)
    _rates(axes[1], example["without"])
    _excitability(axes[2], example["without"])
    _durations(axes[3], natural, aborted)
    delays = np.array([d for d in _of(result, "delays_s") if d is not None], np.float64)
    delays = delays[np.isfinite(delays)]
    if len(delays):
        axes[4].hist(delays, bins=20, color=COLOURS[0])
        axes[4].axvline(float(np.median(delays)), color="k", lw=1)
    label(axes[4], f"first pulse after onset\n{float(_of(result, 'false_per_hour')):.2g} false an hour",
          "delay, s", "seizures")  # fmt: skip
    both = (("without", "without the stimulator"), ("with", "with it"))
    rows = grid(bottom, 4, 1, sharex=True, height_ratios=(1.0, 0.45, 1.0, 0.45))
    for k, (key, told) in enumerate(both):
        _example(rows[2 * k : 2 * k + 2], example[key], f"{told}, seed {result['seeds'][0]}: scalp over the focus")
    return f"from a molecule to a pulse: Nav1.1 at {share:g} of the healthy"


PAGES: Mapping[str, Callable[[Figure, Result], str]] = {
    "three-patients": three_patients, "year": year, "molecule": molecule, "sensors": sensors,
}  # fmt: skip
"""By the name of a demonstration."""


def _sodium(axes: Axes, share: float) -> None:
    """Draw the f-I curve of fast-spiking cells near onset, whole and with a share of their sodium."""
    from sim.refit import fi_curve

    for of, tone in ((1.0, COLOURS[2]), (share, COLOURS[1])):
        curve = fi_curve("pv", {"na": of})
        axes.plot([0.0, curve.rheobase_ua_cm2, *curve.current_ua_cm2], [0.0, 0.0, *curve.rate_hz], color=tone, lw=2,
                  label=f"Nav1.1 {of:g}")  # fmt: skip
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 80.0)
    small(axes)
    label(axes, "a fast-spiking cell", "current, µA/cm²", "Hz")


def _rates(axes: Axes, shown: Result) -> None:
    """Draw the tissue's excitatory and inhibitory rate, a value each 0.5 s."""
    rates = np.asarray(shown["rates_hz"], np.float64)
    for k, (told, tone) in enumerate((("excitatory", COLOURS[0]), ("inhibitory", COLOURS[1]))):
        smooth = np.convolve(np.pad(rates[:, k], 4, mode="edge"), np.ones(9) / 9.0, "valid")
        axes.plot(0.5 * np.arange(len(rates)), rates[:, k], color=tone, lw=0.4, alpha=0.4)
        axes.plot(0.5 * np.arange(len(rates)), smooth, color=tone, lw=1.8, label=told)
    axes.set_ylim(0.0, 1.2 * float(np.percentile(rates, 99.0)))
    small(axes, loc="upper left", ncols=2, fontsize=7)
    label(axes, "the tissue", "time, s", "Hz")


def _excitability(axes: Axes, shown: Result) -> None:
    """Draw the focus's x0, a value each 0.5 s, with the threshold of seizures."""
    x0 = np.asarray(shown["x0"], np.float64)
    axes.plot(0.5 * np.arange(len(x0)), x0, color=COLOURS[4], lw=1.6)
    axes.axhline(-2.0625, color="k", lw=0.8, ls=":")
    axes.annotate("seizures above", (0.0, -2.0625), xytext=(2, 3), textcoords="offset points", fontsize=8)
    label(axes, "excitability of the focus", "time, s", "x0")


def _durations(axes: Axes, natural: Sequence[F64], aborted: Sequence[F64]) -> None:
    """Draw every seizure as a dot, and means of seeds with their interval."""
    rng = np.random.default_rng(0)
    means = np.array([[float(d.mean()) if len(d) else np.nan for d in of] for of in (natural, aborted)])
    for k, of in enumerate((natural, aborted)):
        every = np.concatenate(of)
        axes.plot(k - 0.25 + 0.08 * rng.standard_normal(len(every)), every, ".", ms=3, color="#AAAAAA", zorder=0)
    columns(axes, means, ["without", "with"], TONES[1:])
    axes.set_xlim(-0.6, 1.8)
    axes.set_ylim(0.0, None)
    n = [sum(map(len, of)) for of in (natural, aborted)]
    label(axes, f"{n[0]} and {n[1]} seizures; coloured: seeds", "stimulator", "duration, s")


def _example(axes: Sequence[Axes], shown: Result, told: str) -> None:
    """Draw a scalp channel with its seizures shaded, how far the focus seizes, and the stimulator's amplitude."""
    scalp, level = axes
    eeg, seizing, dose = (np.asarray(shown[key], np.float64) for key in ("eeg_uv", "level", "amplitude_ma"))
    eeg, end = eeg - np.median(eeg), 0.05 * len(seizing)
    scalp.plot(np.linspace(0.0, end, len(eeg), endpoint=False), eeg, color="k", lw=0.3, rasterized=True)
    for begin, stop in shown["seizures"]:
        for panel in axes:
            panel.axvspan(begin, stop, color=COLOURS[1], alpha=0.16, lw=0)
    most = float(np.percentile(np.abs(eeg), 99.95))
    scalp.set_ylim(-1.15 * most, 1.15 * most)
    label(scalp, told, "", "µV")
    t = 0.05 * np.arange(len(seizing))
    level.fill_between(t, seizing, color=COLOURS[1], alpha=0.7, lw=0)
    level.set_ylim(0.0, 1.05)
    label(level, "", "time, s", "seizing")
    if dose.any():
        other = level.twinx()
        other.fill_between(t, dose, color=COLOURS[0], alpha=0.55, lw=0, step="post")
        other.set_ylim(0.0, 2.2 * float(dose.max()))
        other.set_ylabel("stimulator, mA", fontsize=8, color=COLOURS[0])
        other.spines["top"].set_visible(False)
        other.tick_params(labelsize=8)
    level.set_xlim(0.0, end)


def _path(axes: Axes, path: F64, tone: str) -> None:
    """Draw where a cursor was, (n, 2) mm, each 20 ms."""
    axes.plot(path[:, 0], path[:, 1], color=tone, lw=1.2, alpha=0.85)
    axes.plot(*path[0], "o", ms=6, mfc="white", mec=tone)
    axes.plot(*path[-1], "o", ms=6, color=tone)
    way = float(np.hypot(*np.diff(path, axis=0).T).sum())
    axes.annotate(f"{way / (0.02 * len(path)):.0f} mm/s", (0.02, 0.02), xycoords="axes fraction", fontsize=8,
                  color=tone)
    axes.set_aspect("equal", adjustable="box")


def columns(axes: Axes, values: F64, names: Sequence[str], tones: Sequence[str] = TONES) -> None:
    """Draw (n_conditions, n_seeds) as dots, a line a seed, with mean and 95 % interval over seeds beside."""
    at = np.arange(len(values))
    if values.shape[1] > 1:
        axes.plot(at, values, color="#BBBBBB", lw=0.7, zorder=1)
    for k, (row, colour) in enumerate(zip(values, tones, strict=False)):
        axes.plot(np.full(len(row), k), row, "o", ms=4, color=colour, alpha=0.55, mew=0, zorder=2)
        found = interval(row, 0)
        if np.isfinite(found.low):
            axes.plot([k + 0.2] * 2, [found.low, found.high], color=colour, lw=1.6, marker="_", ms=7, zorder=3)
        axes.plot(k + 0.2, found.value, "D", ms=5, color=colour, mew=0, zorder=4)
        axes.annotate(f"{found.value:.3g}", (k + 0.2, found.value), xytext=(6, 0), textcoords="offset points",
                      fontsize=8, va="center", color=colour)  # fmt: skip
    axes.set_xticks(at, [name.replace(" + ", "\n+ ") for name in names])
    axes.set_xlim(-0.4, len(values) - 0.2)


def course(axes: Axes, t: F64, values: F64, colour: str) -> None:
    """Draw (n_seeds, n) over time: each seed thin, the mean, and its 95 % interval."""
    axes.plot(t, values.T, color=colour, lw=0.6, alpha=0.35)
    found = [interval(column, 0) for column in values.T]
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


def _table(result: Result, key: str) -> F64:
    """Return ``result[key]``, a list of lists, with NaN where there is nothing."""
    return np.array([[np.nan if x is None else float(x) for x in row] for row in _of(result, key)])


def _of(result: Result, key: str) -> Any:
    """Return ``result[key]``. Raises ContractError naming what there is."""
    if key not in result:
        raise ContractError(f"stories: expected {key!r} in the result, there are {', '.join(result)}")
    return result[key]
