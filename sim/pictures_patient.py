"""The whole patient drawn on one page: brain, recordings, rhythms, tuning, a molecule's effect, and a year."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bmi.signals import F64, I64, AnyArray
from sim import GRID_S
from sim.patient.patient import Patient
from sim.pictures import COLOURS, grid, label, small
from sim.pictures_brain import Mark, head_from_above
from sim.preparation import Preparation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sim.brain.connectome import Connectome

SPEED_MM_S = 300.0
"""Peak of the intended speed, a raised cosine."""
REACH_S = 0.75
SHOWN_S = 4.0
"""Of rest and of reaches, in the traces."""
SCALP = ("FC3", "C3", "C4", "Oz")
"""Channels whose traces are shown."""


class Lived(NamedTuple):
    """Some seconds of a patient's life: at rest, then reaches in all directions."""

    patient: Patient
    rest: dict[str, AnyArray]
    reach: dict[str, AnyArray]
    angles: F64
    """(n,) direction of each reach, rad."""

    @property
    def velocity(self) -> F64:
        """Return the intended velocity (n, 2), mm/s, each 10 ms of the reaches."""
        t = np.arange(round(REACH_S / GRID_S)) * GRID_S
        speed = SPEED_MM_S * np.sin(np.pi * t / REACH_S) ** 2
        ways = np.column_stack([np.cos(self.angles), np.sin(self.angles)])
        return (speed[:, None] * ways[:, None, :]).reshape(-1, 2)


def live(seed: int, rest_s: float = 8.0, reaches: int = 16) -> Lived:
    """Return a patient who rests for ``rest_s`` and then reaches in as many directions, once each."""
    part = Patient()
    run = Preparation(part, seed)
    run.advance_s(2.0)
    rest = run.advance_s(rest_s)
    order = np.random.default_rng(seed).permutation(reaches)
    lived = Lived(part, rest, {}, 2.0 * np.pi * order / reaches)
    begin = run.t_s
    for k, wanted in enumerate(lived.velocity):
        run.give("velocity", begin + k * GRID_S, wanted)
    return lived._replace(reach=run.advance_s(reaches * REACH_S))


def patient(figure: Figure, seed: int, *, rest_s: float = 8.0, reaches: int = 16) -> str:
    """VP-01 on one page."""
    lived = live(seed, rest_s, reaches)
    draw(figure, lived, seed)
    n = lived.patient
    return (
        f"VP-01: {n.tissue.n_neurons} neurons, {n.brain.n_regions} regions, {n.implants.n_spikes} + "
        f"{n.implants.n_lfp} + {n.implants.n_eeg} + 1 channels"
    )


def draw(figure: Figure, lived: Lived, seed: int) -> None:
    """Draw ``lived`` and what belongs to it."""
    figure.set_size_inches(17.0, 11.0)
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)  # type: ignore[union-attr, call-arg]
    top, middle, bottom = figure.subfigures(3, 1, height_ratios=(1.12, 0.5, 0.52))
    left, right = top.subfigures(1, 2, width_ratios=(0.36, 0.64))
    brain = lived.patient.brain
    head = left.subplots()
    head_from_above(head, brain.connectome_, _marks(lived.patient))
    label(head, f"{brain.n_regions} regions, the strongest third of their tracts", "", "")
    _recordings(right, lived)
    panels = grid(middle, 1, 4, width_ratios=(1.0, 1.0, 0.58, 1.05))
    panels += grid(bottom, 1, 3, width_ratios=(1.0, 1.0, 1.9))
    _scalp(panels[0], lived)
    _ganglia(panels[1], seed)
    _together(panels[2], lived)
    _sodium(panels[3])
    _spike_tuning(panels[4], lived)
    _field_tuning(panels[5], lived)
    theta(panels[6], brain.connectome_)


def _marks(part: Patient) -> dict[str, Mark]:
    from sim.patient.whole_brain import ALPHA, MU

    brain = part.brain
    focus = tuple(brain.connectome_.labels[i] for i in brain.focus_)
    return {
        "rhythm of the eyes": Mark(COLOURS[3], "h", ALPHA, ALPHA[:1]),
        "rhythms of the hands": Mark(COLOURS[0], "h", tuple(r for r in MU if r != brain.motor), MU[1:2]),
        "the tissue and its implants": Mark(COLOURS[1], "*", (brain.motor,), (brain.motor,)),
        "may be drawn in": Mark(COLOURS[4], "v", focus[1:]),
        "focus of seizures": Mark("#8E1B4E", "X", focus[:1], focus[:1]),
    }


def hue(angle: F64 | float) -> AnyArray:
    """Return the colour of a direction, rad: every hue once around."""
    from matplotlib.colors import hsv_to_rgb

    turn = np.mod(np.asarray(angle) / (2.0 * np.pi), 1.0)
    return np.asarray(hsv_to_rgb(np.stack([turn, np.full_like(turn, 0.85), np.full_like(turn, 0.78)], axis=-1)))


def _recordings(figure: Figure, lived: Lived) -> None:
    """Draw what every sensor shows while the patient rests and then reaches, on one clock."""
    axes = figure.subplots(5, 1, sharex=True, height_ratios=(0.3, 1.5, 0.6, 0.75, 0.3))
    intended, raster, lfp, eeg, field = axes
    seconds = min(SHOWN_S, len(lived.rest["spikes"]) / 1e3, len(lived.reach["spikes"]) / 1e3)
    shown = {k: _around(lived, k, seconds) for k in ("spikes", "lfp", "eeg", "field")}
    _intended(intended, lived, seconds)
    direction, depth, _ = tuned(lived)
    order = np.argsort(direction)
    at, row = np.nonzero(shown["spikes"][:, order])
    colours = np.where((depth[order] > np.median(depth))[:, None], hue(direction[order]), 0.72)
    raster.scatter(at / 1e3 - seconds, row, s=2.2, c=colours[row], marker="|", lw=0.8, rasterized=True)
    raster.set_ylim(-1, len(order))
    raster.set_yticks([])
    label(raster, "", "", f"{len(order)} electrodes by\npreferred direction")
    labels = lived.patient.labels
    scalp = [labels("eeg").index(name) for name in SCALP]
    _traces(lfp, shown["lfp"][:, ::5], labels("lfp")[::5], (COLOURS[2],), seconds, 150.0)
    _traces(eeg, shown["eeg"][:, scalp], SCALP, (COLOURS[0], COLOURS[5], COLOURS[5], COLOURS[3]), seconds, 100.0)
    _traces(field, shown["field"], ("deep",), (COLOURS[4],), seconds, 20.0)
    for drawn, told in ((lfp, "in cortex"), (eeg, "scalp"), (field, "ganglia")):
        label(drawn, "", "", told)
    for panel in axes:
        panel.spines[["top", "right", "bottom"]].set_visible(False)
        panel.tick_params(labelsize=7, length=2, bottom=panel is field)
        panel.axvline(0.0, color="#999999", lw=0.8, zorder=0)
    field.spines["bottom"].set_visible(True)
    field.set_xlim(-seconds, seconds)
    field.set_xlabel("time, s; reaches begin at 0", fontsize=8)
    figure.align_ylabels(list(axes))


def _around(lived: Lived, name: str, seconds: float) -> AnyArray:
    """Return the last seconds of rest and the first of reaching, of one output."""
    rest, reach = lived.rest[name], lived.reach[name]
    n = round(seconds * len(reach) / (REACH_S * len(lived.angles)))
    return np.concatenate([rest[-n:], reach[:n]])


def _traces(
    axes: Axes, rows: AnyArray, names: Sequence[str], colours: Sequence[str], seconds: float, apart_uv: float
) -> None:
    """Draw channels one below the other, with a bar of ``apart_uv``."""
    t = np.linspace(-seconds, seconds, len(rows), endpoint=False)
    at = [-apart_uv * k for k in range(len(names))]
    for k, y in enumerate(at):
        axes.plot(t, rows[:, k] - np.median(rows[:, k]) + y, lw=0.55, color=colours[k % len(colours)])
    axes.set_yticks(at, names)
    axes.plot([1.006 * seconds] * 2, [at[-1], at[-1] + apart_uv], color="k", lw=1.6, clip_on=False)
    axes.annotate(f"{apart_uv:g} µV", (1.006 * seconds, at[-1] + 0.5 * apart_uv), xytext=(3, 0), fontsize=7,
                  textcoords="offset points", rotation=90, va="center", annotation_clip=False)  # fmt: skip


def _intended(axes: Axes, lived: Lived, seconds: float) -> None:
    """Draw the speed of each reach in the colour of its direction, with an arrow."""
    t = np.linspace(0.0, REACH_S, 60)
    speed = SPEED_MM_S * np.sin(np.pi * t / REACH_S) ** 2
    for k, angle in enumerate(lived.angles[: int(seconds / REACH_S + 1e-9)]):
        axes.fill_between(t + k * REACH_S, speed, color=hue(angle), lw=0, alpha=0.85)
        way = 11.0 * np.array([np.cos(angle), np.sin(angle)])
        middle = (REACH_S * (k + 0.5), 0.42 * SPEED_MM_S)
        axes.annotate("", middle, xytext=tuple(-way), textcoords="offset points", annotation_clip=False,
                      arrowprops={"arrowstyle": "-|>", "color": "white", "lw": 1.4, "shrinkA": 0, "shrinkB": 0})
    axes.text(-0.99 * seconds, 0.3 * SPEED_MM_S, "at rest", fontsize=8, color="#555555")
    axes.set_yticks([0, SPEED_MM_S])
    label(axes, "", "", "intended,\nmm/s")


def tuned(lived: Lived) -> tuple[F64, F64, F64]:
    """Return preferred direction, rad, modulation, Hz, and rate (n_reaches, n), Hz, of every electrode."""
    n = len(lived.angles)
    each = lived.reach["spikes"].reshape(n, -1, lived.reach["spikes"].shape[1])
    middle = slice(each.shape[1] // 5, -each.shape[1] // 10)
    rate = 1e3 * each[:, middle].mean(axis=1)
    weights = cosine(lived.angles, rate)
    return np.arctan2(weights[1], weights[0]), np.hypot(weights[0], weights[1]), rate


def cosine(angles: F64, values: AnyArray) -> F64:
    """Return cosine, sine and constant (3, k) of a tuning curve, by least squares."""
    regressors = np.column_stack([np.cos(angles), np.sin(angles), np.ones_like(angles)])
    found: F64 = np.linalg.lstsq(regressors, values, rcond=None)[0]
    return found


def _curves(axes: Axes, angles: F64, values: AnyArray, picked: AnyArray, names: Sequence[str]) -> None:
    """Draw tuning curves: a dot a reach, a cosine a channel, in the colour of its preferred direction."""
    turn = np.linspace(0.0, 2.0 * np.pi, 181)
    for i in picked:
        a, b, c = cosine(angles, values[:, i])
        colour = hue(np.arctan2(b, a))
        axes.plot(np.degrees(angles), values[:, i], "o", ms=3.5, color=colour, mew=0)
        axes.plot(np.degrees(turn), a * np.cos(turn) + b * np.sin(turn) + c, color=colour, lw=1.6, label=names[i])
    axes.set_xticks(range(0, 361, 90))
    axes.set_xlim(-5, 365)


def _spread(direction: F64, depth: F64, n: int = 4) -> I64:
    """Return ``n`` channels, or fewer, of strong tuning whose preferred directions lie around the circle."""
    sector = np.floor(np.mod(direction, 2.0 * np.pi) / (2.0 * np.pi) * n).astype(int)
    best = [int(np.where(sector == k, depth, -1.0).argmax()) for k in range(n)]
    return np.array([i for i in best if depth[i] > 0.4 * depth.max()])


def _spike_tuning(axes: Axes, lived: Lived) -> None:
    direction, depth, rate = tuned(lived)
    _curves(axes, lived.angles, rate, _spread(direction, depth), lived.patient.labels("spikes"))
    small(axes, fontsize=7, ncols=4, loc="upper center", handlelength=1.0, columnspacing=1.0)
    axes.set_ylim(0.0, 1.25 * axes.get_ylim()[1])
    label(axes, "tuning of four electrodes; a dot is one reach", "direction, degrees", "crossings, Hz")


def _field_tuning(axes: Axes, lived: Lived) -> None:
    n = len(lived.angles)
    each = lived.reach["lfp"].reshape(n, -1, lived.reach["lfp"].shape[1])
    mean = each[:, each.shape[1] // 5 : -each.shape[1] // 10].mean(axis=1) - lived.rest["lfp"].mean(axis=0)
    weights = cosine(lived.angles, mean)
    picked = _spread(np.arctan2(weights[1], weights[0]), np.hypot(weights[0], weights[1]))
    _curves(axes, lived.angles, mean, picked, lived.patient.labels("lfp"))
    axes.axhline(0.0, color="#999999", lw=0.8, zorder=0)
    label(axes, "tuning of the field in cortex, mean over a reach", "direction, degrees", "against rest, µV")


def _scalp(axes: Axes, lived: Lived) -> None:
    from scipy.signal import welch

    rate = lived.patient.implants.eeg_rate_hz
    names = lived.patient.labels("eeg")
    for name, colour in (("FC3", COLOURS[0]), ("Oz", COLOURS[3])):
        for rows, style, state in ((lived.rest, "-", "at rest"), (lived.reach, ":", "reaching")):
            signal = rows["eeg"][:, names.index(name)]
            f, power = welch(signal, rate, nperseg=min(len(signal), round(rate)))
            shown = (f >= 2.0) & (f <= 45.0)
            axes.semilogy(f[shown], power[shown], style, color=colour, lw=1.5, label=f"{name} {state}")
    axes.axvspan(8.0, 13.0, color="#000000", alpha=0.06, lw=0)
    small(axes, fontsize=7)
    label(axes, "scalp: mu of the hand (FC3), alpha of the eyes (Oz)", "Hz", "µV²/Hz")


def _ganglia(axes: Axes, seed: int, seconds: float = 10.0) -> None:
    from sim.basal_ganglia import BasalGanglia
    from sim.relay import spectrum
    from sim.sensors.depth import DepthLead

    for loss, colour, told in ((0.0, COLOURS[2], "healthy"), (1.0, COLOURS[1], "dopamine lost")):
        run = Preparation(BasalGanglia(), seed)
        run.give("dopamine_loss", 0.0, loss)
        lead = DepthLead()
        lead.bind(seed)
        activation = run.advance_s(seconds)["gpi_synapse"]
        record = np.concatenate([lead.take(block).copy() for block in activation.reshape(-1, 10)])[:, 0]
        f, power = spectrum(record, rate_hz=1000.0)
        shown = (f >= 2.0) & (f <= 60.0)
        axes.plot(f[shown], power[shown], color=colour, lw=1.5, label=told)
        axes.fill_between(f[shown], power[shown], color=colour, alpha=0.12, lw=0)
    axes.axvspan(13.0, 35.0, color="#000000", alpha=0.06, lw=0)
    axes.text(34.0, 0.0, "beta", fontsize=7, color="#555555", ha="right", va="bottom")
    axes.set_ylim(0.0, None)
    small(axes, fontsize=7)
    label(axes, "field at the lead in the basal ganglia", "Hz", "µV²/Hz")


def _together(axes: Axes, lived: Lived) -> None:
    """Draw coherence above, its imaginary part, which volume conduction cannot make, below the diagonal."""
    from sim.brain.functional import analytic, coherence, imaginary_coherence
    from sim.sensors.montage import montage

    place = montage(64).positions_mm
    side = np.digitize(place[:, 0], (-1.0, 1.0))
    order = np.lexsort((-place[:, 1], side))
    rate = lived.patient.implants.eeg_rate_hz
    band = analytic(lived.rest["eeg"][:, order].astype(np.float64), rate, 8.0, 13.0)
    both = np.triu(coherence(band), 1) + np.tril(np.abs(imaginary_coherence(band)), -1)
    np.fill_diagonal(both, np.nan)
    drawn = axes.imshow(both, cmap="magma", vmin=0.0, vmax=1.0, interpolation="nearest")
    edges = np.cumsum(np.bincount(side))
    middles = edges - np.bincount(side) / 2.0 - 0.5
    axes.set_xticks(middles, ["left", "mid", "right"])
    axes.set_yticks(middles, ["left", "mid", "right"], rotation=90, va="center")
    axes.tick_params(length=0, labelsize=7)
    bar = axes.figure.colorbar(drawn, ax=axes, pad=0.02)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)
    label(axes, "scalp at rest, 8 to 13 Hz: coherence above,\nits imaginary part below", "", "")


def _sodium(axes: Axes) -> None:
    from sim.refit import fi_curve

    onset = axes.inset_axes((0.56, 0.1, 0.42, 0.42))
    for share, colour in ((1.0, COLOURS[0]), (0.65, COLOURS[1])):
        curve = fi_curve("pv", {"na": share})
        axes.plot(curve.current_ua_cm2, curve.rate_hz, color=colour, lw=2, label=f"Nav1.1 {share:g}")
        axes.plot(curve.block_ua_cm2, curve.rate_hz[-1], "x", ms=6, mew=2, color=colour)
        onset.plot(curve.current_ua_cm2, curve.rate_hz, color=colour, lw=1.6)
        onset.plot([0.0, curve.rheobase_ua_cm2], [0.0, 0.0], color=colour, lw=1.6)
    onset.set_xlim(0.0, 1.0)
    onset.set_ylim(0.0, 80.0)
    onset.tick_params(labelsize=6, length=2, pad=1)
    axes.set_xlim(0.0, None)
    axes.set_ylim(0.0, None)
    small(axes, fontsize=7, loc="upper left")
    label(axes, "fast-spiking cells; × where they are blocked", "current, µA/cm²", "Hz")


def theta(axes: Axes, brain: Connectome, scenario: str = "year") -> None:
    """Draw how ill the patient is by each slow parameter over a year: 0 healthy, 1 a value of clear illness."""
    from sim.disease.options import PRESETS, timeline
    from sim.patient.theta import THETA

    days = np.arange(0.0, 366.0, 3.0)
    within = np.arange(5) / 5.0
    table = timeline(scenario, brain).table((days[:, None] + within).ravel())
    rows, names = [], []
    for name, slow in THETA.items():
        value = table[name].reshape(len(days), len(within), -1)
        ill = ((value - slow.baseline) / (slow.ill - slow.baseline)).mean(axis=1).max(axis=1)
        if np.abs(ill).max() > 1e-9:
            rows.append(ill)
            names.append(name)
    drawn = axes.imshow(np.array(rows), aspect="auto", cmap="YlOrRd", vmin=0.0, vmax=1.0, interpolation="nearest",
                        extent=(0.0, 366.0, len(rows) - 0.5, -0.5))  # fmt: skip
    axes.set_yticks(range(len(rows)), names)
    axes.tick_params(labelsize=7, length=2)
    for edge in range(1, len(rows)):
        axes.axhline(edge - 0.5, color="white", lw=1.2)
    begun: dict[float, list[str]] = {}
    for option in PRESETS[scenario]:
        begun.setdefault(_onset(option, brain, days), []).append(option)
    for onset, options in begun.items():
        axes.plot([onset] * 2, [-0.5, len(rows) - 0.5], color="#333333", lw=0.7, ls=(0, (2, 2)))
        axes.annotate(", ".join(options), (onset, -0.5), xytext=(1, 2), textcoords="offset points", fontsize=7,
                      rotation=24)
    bar = axes.figure.colorbar(drawn, ax=axes, pad=0.01)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)
    bar.set_label("0 healthy, 1 clearly ill", fontsize=7)
    label(axes, "", "patient day", "")
    axes.set_title(f"slow parameters of the scenario '{scenario}', worst region", fontsize=9, loc="right", pad=34)


def _onset(option: str, brain: Connectome, days: F64) -> float:
    """Return the first of ``days`` on which an option alone moves a parameter."""
    from sim.disease.options import timeline
    from sim.patient.theta import THETA

    alone = timeline(option, brain).table(days)
    moved = [np.abs(alone[k].reshape(len(days), -1) - p.baseline).max(axis=1) > 1e-9 for k, p in THETA.items()]
    return float(days[np.any(moved, axis=0).argmax()])
