"""What is measured drawn: how the head spreads a dipole, what electrodes hear and how they age, a patient's year."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bmi.signals import F64
from sim.pictures import COLOURS, grid, label, small
from sim.pictures_brain import outline
from sim.pictures_patient import theta
from sim.preparation import Preparation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sim.brain.connectome import Connectome
    from sim.sensors.array import Array
    from sim.sensors.montage import Montage

SEEN = 1.05
"""How far below the ear line a topography goes, in quarter turns from the vertex."""
BLIND_FT = 1e-9
"""A smaller field of 1 nA·m is what rounding leaves, fT."""


def head(figure: Figure, seed: int) -> str:
    """Lead fields of EEG and MEG: topographies of some regions, depth, and which regions a channel hears."""
    from sim.brain.atlas import atlas
    from sim.sensors.head import Head
    from sim.sensors.meg import helmet
    from sim.sensors.montage import Montage, montage

    figure.set_size_inches(13.0, 8.2)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.45, 1.0))
    places = atlas(84)
    shown = ("l.M1", "l.S1", "r.V1", "l.TH")
    at = np.array([places.labels.index(name) for name in shown])
    seen, directions = _scalp()
    grid_mm = Montage(tuple(map(str, range(len(directions)))), 90.0 * directions)
    eeg = Head().eeg(grid_mm, places.centres_mm[at], normals=places.normals[at]).matrix
    cap = montage(64)
    own = Head().eeg(cap, places.centres_mm[at], normals=places.normals[at]).matrix
    eeg = eeg - own.mean(axis=0)
    coils = helmet()._replace(labels=grid_mm.labels, positions_mm=120.0 * directions, directions=directions)
    meg = Head().meg(coils, places.centres_mm[at], normals=places.normals[at]).matrix
    axes = grid(top, 2, 4)
    for k, name in enumerate(shown):
        _topography(axes[k], seen, eeg[:, k], cap.positions_mm)
        axes[k].set_title(f"{name}: EEG, ± {np.abs(eeg[:, k]).max():.2g} µV/(nA·m)", fontsize=9)
        most = float(np.abs(meg[:, k]).max())
        if most > BLIND_FT:
            _topography(axes[4 + k], seen, meg[:, k], helmet().positions_mm)
            axes[4 + k].set_title(f"MEG, ± {most:.2g} fT/(nA·m)", fontsize=9)
        else:
            outline(axes[4 + k], SEEN)
            axes[4 + k].text(0.0, 0.0, "silent:\nits dipole\npoints outward", ha="center", va="center", fontsize=9)
            axes[4 + k].set_title("MEG", fontsize=9)
    axes = grid(bottom, 1, 3)
    _depth(axes[0], cap)
    field = Head().eeg(cap, places.centres_mm, normals=places.normals, labels=places.labels).average_reference()
    power = field.matrix**2
    rank = np.cumsum(np.linalg.svd(field.matrix, compute_uv=False) ** 2)
    axes[1].plot(np.arange(1, 41), 100.0 * rank[:40] / rank[-1], "o-", ms=3, color=COLOURS[0])
    axes[1].axhline(99.0, color="#999999", lw=0.8, ls=":")
    axes[1].set_ylim(0.0, 103.0)
    label(axes[1], "84 regions look like fewer: power of the lead field", "patterns over the scalp", "%")
    names = ("C3", "Cz", "Oz", "T8")
    for k, name in enumerate(names):
        share = np.sort(power[cap.labels.index(name)] / power[cap.labels.index(name)].sum())[::-1]
        axes[2].plot(np.arange(1, 85), 100.0 * np.cumsum(share), color=COLOURS[k], lw=1.6, label=name)
    axes[2].set_ylim(0.0, 103.0)
    small(axes[2], loc="lower right")
    label(axes[2], "how many regions a channel hears, of equal dipoles", "regions, loudest first", "% of its power")
    return "the head: four spheres between 84 regions, 64 electrodes and magnetometers"


def _scalp(n: int = 121) -> tuple[F64, F64]:
    """Return a round picture's places (k, 2), 1 a quarter turn from the vertex, and their directions (k, 3)."""
    line = np.linspace(-SEEN, SEEN, n)
    x, y = np.meshgrid(line, line)
    inside = np.hypot(x, y) <= SEEN
    seen = np.column_stack([x[inside], y[inside]])
    away = np.hypot(seen[:, 0], seen[:, 1])
    turn = 0.5 * np.pi * away
    flat = seen / np.maximum(away, 1e-12)[:, None]
    return seen, np.column_stack([flat * np.sin(turn)[:, None], np.cos(turn)])


def _topography(axes: Axes, seen: F64, values: F64, sensors_mm: F64) -> None:
    """Draw a field over the head from above, unrolled from the vertex, with the sensors."""
    most = float(np.abs(values).max())
    axes.tricontourf(seen[:, 0], seen[:, 1], values, levels=np.linspace(-most, most, 22), cmap="RdBu_r")
    levels = np.linspace(-most, most, 8)
    axes.tricontour(seen[:, 0], seen[:, 1], values, levels=levels, colors="k", linewidths=0.35, linestyles="solid")
    way = sensors_mm / np.linalg.norm(sensors_mm, axis=1, keepdims=True)
    away = np.arccos(np.clip(way[:, 2], -1.0, 1.0)) / (0.5 * np.pi)
    flat = way[:, :2] / np.maximum(np.hypot(way[:, 0], way[:, 1]), 1e-9)[:, None]
    on = away <= SEEN
    axes.plot(*(away[on, None] * flat[on]).T, ".", ms=2.2, color="#222222")
    outline(axes, SEEN)


def _depth(axes: Axes, cap: Montage) -> None:
    """Draw the largest potential and field of a dipole by its depth and direction."""
    from sim.sensors.head import Head
    from sim.sensors.meg import helmet

    radius = np.linspace(5.0, 77.0, 40)
    places = np.column_stack([np.zeros(40), np.zeros(40), radius])
    out = np.tile([0.0, 0.0, 1.0], (40, 1))
    along = np.tile([1.0, 0.0, 0.0], (40, 1))
    for way, colour, told in ((out, COLOURS[0], "outward"), (along, COLOURS[5], "along the scalp")):
        found = Head().eeg(cap, places, normals=way).matrix
        axes.semilogy(79.0 - radius, np.ptp(found, axis=0), color=colour, lw=1.8, label=f"EEG, {told}")
    axes.set_yticks([0.2, 0.5, 1.0], ["0.2", "0.5", "1"])
    axes.minorticks_off()
    axes.set_ylabel("EEG, µV/(nA·m), peak to peak", fontsize=8)
    other = axes.twinx()
    other.spines["top"].set_visible(False)
    other.tick_params(labelsize=8)
    found = Head().meg(helmet(), places, normals=along).matrix
    other.semilogy(79.0 - radius, np.ptp(found, axis=0), color=COLOURS[1], lw=1.8, ls="--")
    axes.plot([], [], color=COLOURS[1], ls="--", lw=1.8, label="MEG, along the scalp")
    other.set_yticks([1.0, 3.0, 10.0, 30.0], ["1", "3", "10", "30"])
    other.minorticks_off()
    other.set_ylabel("MEG, fT/(nA·m)", fontsize=8)
    small(axes, loc="lower left")
    axes.set_xlabel("depth below the brain's surface, mm", fontsize=8)
    axes.set_title("below the vertex; MEG is blind to outward dipoles", fontsize=9, loc="left")


def array(figure: Figure, seed: int, *, seconds: float = 4.0) -> str:
    """An array: where it lies, whom it hears and how loudly, what that looks like, and how it ages over a year."""
    from sim.circuits.tissue import Tissue
    from sim.sensors.array import Array

    figure.set_size_inches(13.0, 7.6)
    axes = grid(figure, 2, 3)
    part = Tissue()
    run = Preparation(part, seed)
    run.advance_s(1.0)
    counts = run.advance_s(seconds)["counts"].astype(np.float32)
    at = part.anatomy_
    sheet = Array()
    sheet.bind(seed, n_neurons=len(at.baselines_hz), active=np.flatnonzero(at.baselines_hz > 1.0),
               tuned=np.arange(at.n_exc), positions_um=at.positions_um)  # fmt: skip
    heard = sheet.heard()
    axes[0].scatter(*at.positions_um[: at.n_exc].T, s=2, color="#BBBBBB", lw=0, label="neurons")
    best = heard.snr.max(axis=1)
    dots = axes[0].scatter(*sheet.places_um_.T, s=22, c=best, cmap="viridis", marker="s", vmin=2.0, vmax=14.0)
    bar = figure.colorbar(dots, ax=axes[0], pad=0.02)
    bar.set_label("loudest neuron, SD of the noise", fontsize=7)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)
    axes[0].set_aspect("equal")
    label(axes[0], f"{sheet.n_channels} electrodes among {len(at.baselines_hz)} neurons", "µm", "µm")
    _amplitudes(axes[1], sheet)
    crossings = np.concatenate([sheet.take(block).copy() for block in counts.reshape(-1, 10, counts.shape[1])])
    when, channel = np.nonzero(crossings[: round(1e3 * min(2.0, seconds))])
    axes[2].plot(when / 1e3, channel, "|", ms=2.4, mew=0.7, color="#222222", rasterized=True)
    label(axes[2], f"crossings at rest; {1e3 * crossings.mean():.0f} Hz an electrode", "time, s", "electrode")
    _aged(axes[3:], sheet)
    return "an array of electrodes: what it hears, and how it ages"


def _amplitudes(axes: Axes, sheet: Array) -> None:
    """Draw the depth of troughs by distance, and how sure a spike of such a neuron is to be counted."""
    from sim.sensors.crossings import detected

    heard = sheet.heard()
    axes.scatter(sheet.distances_um_[0].ravel(), heard.snr.ravel(), s=7, lw=0, c=heard.detected.ravel(), cmap="viridis",
                 vmin=0.5, vmax=1.0)  # fmt: skip
    axes.axhline(sheet.threshold, color=COLOURS[1], lw=1.2)
    axes.text(sheet.reach_um, sheet.threshold + 0.2, "threshold", fontsize=8, color=COLOURS[1], ha="right")
    axes.set_ylim(0.0, None)
    label(axes, "neurons heard; blue: half their spikes count, yellow: all", "distance, µm", "trough, SD of noise")
    inset = axes.inset_axes((0.62, 0.62, 0.36, 0.34))
    snr = np.linspace(0.0, 10.0, 100)
    inset.plot(snr, 100.0 * np.asarray(detected(snr, sheet.threshold)), color=COLOURS[0], lw=1.4)
    inset.set_title("detected, %, by trough", fontsize=7)
    inset.tick_params(labelsize=6, length=2)


def _aged(axes: list[Axes], sheet: Array) -> None:
    """Draw what a year of ageing does: yield, noise and amplitude, and who is still the same."""
    from sim.disease.ageing import Ageing

    course, days = Ageing(), np.arange(0.0, 366.0, 5.0)
    first = sheet.heard().neuron
    rows = []
    for day in days:
        for name, value in course.at(float(day)).items():
            sheet.receive(name, np.asarray(value))
        now = sheet.heard()
        works = now.detected.max(axis=1) > 0.5
        rows.append((
            100.0 * now.live.mean(), 100.0 * works.mean(), float((now.detected > 0.5).sum()), now.noise_uv.mean(),
            float(np.median(now.snr[now.live].max(axis=1))), 100.0 * (now.neuron == first).mean(),
        ))  # fmt: skip
    live, works, cells, noise, loud, same = np.array(rows).T
    axes[0].plot(days, live, color=COLOURS[6], lw=1.8, label="alive")
    axes[0].plot(days, works, color=COLOURS[0], lw=2.2, label="with a neuron detected by half")
    axes[0].set_ylim(0.0, 104.0)
    small(axes[0], loc="lower left")
    label(axes[0], "yield", "patient day", "% of the electrodes")
    axes[1].plot(days, loud, color=COLOURS[0], lw=2.2, label="loudest neuron, median, SD of the noise")
    axes[1].plot(days, noise, color=COLOURS[1], lw=1.8, label="noise, mean, µV")
    axes[1].axhline(sheet.threshold, color="#999999", lw=0.8, ls=":")
    axes[1].set_ylim(0.0, None)
    small(axes[1], loc="lower left")
    label(axes[1], "spikes shrink, noise grows; dotted: threshold", "patient day", "SD, µV")
    axes[2].plot(days, same, color=COLOURS[2], lw=2.2, label="the neurons of the first day")
    axes[2].plot(days, 100.0 * cells / cells[0], color=COLOURS[4], lw=1.8, label="detected by half, whoever they are")
    axes[2].set_ylim(0.0, 104.0)
    small(axes[2], loc="lower left", bbox_to_anchor=(0.0, 0.1))
    label(axes[2], "whom the electrodes hear", "patient day", "% of the neurons heard at first")


def year(figure: Figure, seed: int) -> str:
    """Slow parameters over a year in every scenario: how far each is from healthy towards clearly ill."""
    from sim.brain.generated import generated
    from sim.disease.options import PRESETS

    figure.set_size_inches(15.0, 9.0)
    brain = generated(seed=seed)
    names = [name for name in PRESETS if name not in ("healthy", "year")]
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.0, 0.8))
    for axes, name in zip(grid(top, 2, 4), [*names, *[""] * (8 - len(names))], strict=True):
        if name:
            _course(axes, brain, name)
        else:
            axes.set_axis_off()
            axes.text(0.5, 0.5, "healthy:\neverything at its baseline", fontsize=9, ha="center", color="#555555")
    theta(bottom.subplots(), brain)
    return "a patient's year, by scenario: days and depths are choices, no clinical claims"


def _course(axes: Axes, brain: Connectome, scenario: str) -> None:
    """Draw the parameters that a scenario moves, each from its baseline (0) to a value of clear illness (1)."""
    from sim.disease.options import timeline
    from sim.patient.theta import THETA

    within = np.arange(8) / 8.0
    days = np.arange(0.0, 366.0, 4.0)
    table = timeline(scenario, brain).table((days[:, None] + within).ravel())
    moved = {}
    for name, slow in THETA.items():
        ill = ((table[name] - slow.baseline) / (slow.ill - slow.baseline)).reshape(len(days), len(within), -1)
        if np.abs(ill).max() > 1e-9:
            moved[name] = ill
    for k, (name, ill) in enumerate(moved.items()):
        colour = COLOURS[k % len(COLOURS)]
        worst = ill.max(axis=2)
        axes.fill_between(days, worst.min(axis=1), worst.max(axis=1), color=colour, alpha=0.25, lw=0)
        axes.plot(days, worst.mean(axis=1), color=colour, lw=1.8, label=name)
        if ill.shape[2] > 1:
            axes.plot(days, ill.mean(axis=(1, 2)), color=colour, lw=1.0, ls=":")
    axes.axhline(1.0, color="#999999", lw=0.7, ls=(0, (2, 2)))
    axes.axhline(0.0, color="#999999", lw=0.7)
    axes.set_xlim(0.0, 366.0)
    small(axes, fontsize=7)
    label(axes, scenario + ("; dotted: mean of regions" if any(v.shape[2] > 1 for v in moved.values()) else ""),
          "patient day", "0 healthy, 1 clearly ill")  # fmt: skip
