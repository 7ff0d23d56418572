"""A whole brain drawn: regions and tracts on the head from above, what is wired, and what goes together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bmi.signals import F64, I64, AnyArray
from sim.pictures import COLOURS, grid, label, small
from sim.preparation import Preparation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sim.brain.connectome import Connectome

SCALP_MM = 90.0
LOBES = ("frontal", "parietal", "temporal", "occipital", "limbic", "deep")
TONES = ("#7FA8C9", "#E0A77E", "#8CBFA3", "#D7C27A", "#C9A0BC", "#A9A9A9")
"""Of each lobe: the palette, paler, so that marks stand out."""


class Mark(NamedTuple):
    """Regions that are told apart on the head."""

    colour: str
    symbol: str
    regions: tuple[str, ...]
    named: tuple[str, ...] = ()
    """Those whose name is written."""


def lobes(brain: Connectome) -> I64:
    """Return the lobe of every region, as its place in LOBES, (n,)."""
    from sim.brain.atlas import AREAS

    of = {a.name: LOBES.index(a.lobe) for a in AREAS}
    return np.array([of[name.split(".")[1]] for name in brain.labels])


def outline(axes: Axes, radius: float = SCALP_MM) -> None:
    """Draw a head from above, its nose up."""
    turn = np.linspace(0.0, 2.0 * np.pi, 200)
    axes.plot(radius * np.cos(turn), radius * np.sin(turn), color="#444444", lw=1.2, zorder=5)
    nose = radius * np.array([[-0.10, 0.995], [0.0, 1.10], [0.10, 0.995]])
    axes.plot(nose[:, 0], nose[:, 1], color="#444444", lw=1.2, zorder=5)
    ear = np.linspace(-0.45 * np.pi, 0.45 * np.pi, 40)
    for side in (-1.0, 1.0):
        x = side * radius * (0.995 + 0.05 * np.cos(ear))
        axes.plot(x, 0.16 * radius * np.sin(ear), color="#444444", lw=1.2, zorder=5)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_xlim(-1.14 * radius, 1.14 * radius)
    axes.set_ylim(-1.05 * radius, 1.14 * radius)


def head_from_above(axes: Axes, brain: Connectome, marks: Mapping[str, Mark], *, share: float = 0.3) -> None:
    """Draw regions and their strongest tracts on the head from above, and mark some regions.

    Parameters
    ----------
    axes : Axes
    brain : Connectome
        With places.
    marks : mapping
        By what the legend calls them.
    share : float
        Of all tracts, the strongest that are drawn.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.patheffects import withStroke

    centres, _ = brain.require_places("head_from_above")
    there = np.argwhere(np.triu(brain.weights > 0.0, 1))
    weight = brain.weights[there[:, 0], there[:, 1]]
    order = np.argsort(weight)[-max(1, round(share * len(weight))) :]
    rank = np.linspace(0.0, 1.0, len(order))
    colours = np.zeros((len(order), 4))
    colours[:, :3] = (0.16, 0.27, 0.40)
    colours[:, 3] = 0.06 + 0.6 * rank**3
    tracts = LineCollection(list(centres[there[order], :2]), colors=colours, linewidths=0.4 + 2.6 * rank**5, zorder=1)
    axes.add_collection(tracts)
    outline(axes)
    axes.set_ylim(-1.3 * SCALP_MM, 1.14 * SCALP_MM)
    strength = brain.weights.sum(axis=1)
    kind = lobes(brain)
    for i in np.argsort(centres[:, 2], kind="stable"):
        size = 26.0 + 130.0 * strength[i] / strength.max()
        axes.scatter(*centres[i, :2], s=size, color=TONES[kind[i]], edgecolor="white", lw=0.6, zorder=2)
    for told, mark in marks.items():
        at = centres[brain.indices(mark.regions)]
        size = 420 if mark.symbol == "*" else 130
        axes.scatter(at[:, 0], at[:, 1], s=size, facecolor=mark.colour, marker=mark.symbol, edgecolor="white", lw=0.9,
                     zorder=4, label=told)  # fmt: skip
        for name in mark.named:
            x, y = centres[brain.index(name), :2]
            axes.annotate(name, (x, y), xytext=(7, 5), textcoords="offset points", fontsize=8, fontweight="bold",
                          color=mark.colour, zorder=6,
                          path_effects=[withStroke(linewidth=2.5, foreground="white")])  # fmt: skip
    handles = [axes.scatter([], [], s=30, color=tone, edgecolor="white") for tone in TONES]
    first = axes.legend(handles, LOBES, loc="lower right", frameon=False, fontsize=8, handletextpad=0.2,
                        borderpad=0.0, labelspacing=0.3)  # fmt: skip
    if marks:
        axes.add_artist(first)
        axes.legend(loc="lower left", frameon=False, fontsize=7, handletextpad=0.2, borderpad=0.0, labelspacing=0.5,
                    markerscale=0.6)  # fmt: skip


def matrix(
    axes: Axes, values: AnyArray, brain: Connectome, *, cmap: str, limits: tuple[float, float], unit: str
) -> None:
    """Draw a value for each pair of regions, left then right hemisphere, by lobe in each."""
    half = brain.n // 2
    kind = lobes(brain)
    order = np.lexsort((np.arange(brain.n), kind, np.arange(brain.n) >= half))
    low, high = limits
    drawn = axes.imshow(values[np.ix_(order, order)], cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
    edges = np.flatnonzero(np.diff(kind[order])) + 0.5
    for edge in edges:
        axes.axhline(edge, color="white", lw=0.3)
        axes.axvline(edge, color="white", lw=0.3)
    for line in (axes.axhline, axes.axvline):
        line(half - 0.5, color="k", lw=0.8)
    axes.set_xticks([half / 2, 1.5 * half], ["left", "right"])
    axes.set_yticks([half / 2, 1.5 * half], ["left", "right"], rotation=90, va="center")
    axes.tick_params(length=0)
    bar = axes.figure.colorbar(drawn, ax=axes, shrink=0.8, pad=0.02)
    bar.set_label(unit, fontsize=8)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)


def connectome(figure: Figure, seed: int) -> str:
    """A generated brain: on the head, as a matrix, and the rules it follows."""
    from sim.brain.generated import generated

    figure.set_size_inches(13.0, 7.6)
    brain = generated(seed=seed)
    there = np.triu(brain.weights > 0.0, 1)
    weight, length = brain.weights[there], brain.lengths_mm[there]
    left, right = figure.subfigures(1, 2, width_ratios=(1.0, 1.15))
    head_from_above(left.subplots(), brain, {})
    left.suptitle(f"{brain.n} regions, the strongest third of {int(there.sum())} tracts", fontsize=9)
    axes = grid(right, 2, 2)
    matrix(axes[0], np.log10(np.where(brain.weights > 0.0, brain.weights, np.nan)), brain, cmap="viridis",
           limits=(-4.0, 0.0), unit="log10 weight")  # fmt: skip
    label(axes[0], f"weights; {100 * brain.density:.0f} % of the pairs are wired", "from", "to")
    axes[1].plot(length, np.log10(weight), ".", ms=2, color=COLOURS[0], alpha=0.4, rasterized=True)
    slope = np.polyfit(length, np.log(weight), 1)
    at = np.array([length.min(), length.max()])
    axes[1].plot(at, np.polyval(slope, at) / np.log(10.0), color=COLOURS[1], lw=2,
                 label=f"of the tracts there are: e-fold in {-1.0 / slope[0]:.0f} mm")  # fmt: skip
    small(axes[1], loc="lower left")
    label(axes[1], "strength falls with length", "length of the tract, mm", "log10 weight")
    axes[2].hist(1e3 * brain.delays_s(4.0)[there], bins=40, color=COLOURS[2])
    label(axes[2], "delays at 4 m/s", "ms", "tracts")
    order = np.argsort(brain.weights.sum(axis=1))[::-1][:14]
    axes[3].barh(np.arange(14), brain.weights.sum(axis=1)[order], color=[TONES[k] for k in lobes(brain)[order]])
    axes[3].set_yticks(range(14), [brain.labels[i] for i in order], fontsize=7)
    axes[3].invert_yaxis()
    label(axes[3], "regions wired most strongly", "sum of weights", "")
    return "a generated connectome: no person's, from rules that were measured"



def connectivity(figure: Figure, seed: int, *, seconds: float = 400.0) -> str:
    """What goes together in a brain: slow activity as a scanner sees it, and phases of alpha, by the tracts between."""
    from sim.brain.functional import dynamics, pearson
    from sim.brain.generated import generated

    figure.set_size_inches(13.0, 7.6)
    brain = generated(seed=seed)
    bold = _bold(brain, seed, seconds)
    together = pearson(bold)
    pairs = np.triu_indices(brain.n, 1)
    wired, found = brain.weights[pairs], together[pairs]
    axes = grid(figure, 2, 3)
    matrix(axes[0], np.log10(np.where(brain.weights > 0.0, brain.weights, np.nan)), brain, cmap="viridis",
           limits=(-3.0, 0.0), unit="log10 weight")  # fmt: skip
    label(axes[0], "what is wired", "", "")
    shown = together.copy()
    np.fill_diagonal(shown, np.nan)
    most = float(np.nanpercentile(np.abs(shown), 99.5))
    matrix(axes[1], shown, brain, cmap="RdBu_r", limits=(-most, most), unit="correlation")
    alike = float(np.corrcoef(wired, found)[0, 1])
    label(axes[1], f"what goes together: BOLD of {len(bold)} s; r {alike:.2f} with weights", "", "")
    _by_strength(axes[2], wired, found, COLOURS[0])
    label(axes[2], "correlation of BOLD by the tract between", "tracts by weight", "correlation")
    order = np.argsort(-brain.weights.sum(axis=1), kind="stable")[:8]
    spread = 6.0 * float(bold.std(axis=0).mean())
    for k, i in enumerate(order):
        axes[3].plot(bold[:, i] - bold[:, i].mean() + spread * k, lw=1, color=COLOURS[k % 7])
    axes[3].set_yticks(spread * np.arange(len(order)), [brain.labels[i] for i in order])
    label(axes[3], f"BOLD of the regions wired most strongly; {spread:.2g} % apart", "time, s", "")
    extent = (0.0, float(len(bold)), float(len(bold)), 0.0)
    window = max(10, len(bold) // 8)
    drawn = axes[4].imshow(dynamics(bold, window, max(1, window // 15)), cmap="viridis", extent=extent, vmin=0.0)
    bar = figure.colorbar(drawn, ax=axes[4], shrink=0.8, pad=0.02)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_visible(False)
    bar.set_label("correlation", fontsize=8)
    label(axes[4], f"how alike the correlations of any two windows of {window} s are", "time, s", "time, s")
    _by_strength(axes[5], wired, _phases(brain, seed, 0.15 * seconds)[pairs], COLOURS[4])
    label(axes[5], f"phases of alpha, Jansen-Rit, {0.15 * seconds:g} s", "tracts by weight", "weighted phase lag index")
    return f"functional connectivity of {brain.n} regions"


def _bold(brain: Connectome, seed: int, seconds: float) -> F64:
    """Return BOLD (n_s, n), %, of balanced Wong-Wang regions at 0.8 of the gain at which their balance is lost."""
    from sim.brain.balance import BALANCED_GATE, balanced, critical_gain
    from sim.brain.wong_wang import WongWang
    from sim.sensors.bold import BOLD

    gain = 0.8 * critical_gain(brain)
    part = WongWang(connectome=brain, gain=gain, inhibition_na=tuple(balanced(brain, gain=gain)), noise=0.02,
                    dt_s=1e-3)  # fmt: skip
    part.bind(seed)
    scanner = BOLD(labels=brain.labels, rest=BALANCED_GATE)
    scanner.bind(seed)
    rows = [scanner.take(part.step(10)[2]).copy() for _ in range(round(100 * (seconds + 20.0)))]
    return np.concatenate(rows)[20:].astype(np.float64)


def _phases(brain: Connectome, seed: int, seconds: float) -> F64:
    """Return how steadily one region's alpha leads another's, (n, n), in the masses a patient has."""
    from sim.brain.functional import analytic, wpli
    from sim.brain.jansen_rit import JansenRit

    gain = 10.0 / float(brain.weights.sum(axis=1).mean())
    run = Preparation(JansenRit(connectome=brain, gain=gain, drive_hz=200.0, noise_hz=60.0), seed)
    run.advance_s(2.0)
    psp = run.advance_s(seconds)["psp"]
    return wpli(analytic(psp[::4] - psp.mean(axis=0), 250.0, 8.0, 13.0)[::5])


def _by_strength(axes: Axes, wired: AnyArray, values: AnyArray, colour: str) -> None:
    """Draw what pairs without a tract show, and pairs with ever stronger ones, as boxes."""
    there = wired > 0.0
    parts = np.array_split(np.argsort(wired[there], kind="stable"), 4)
    groups = [values[~there], *(values[there][part] for part in parts)]
    boxes = axes.boxplot(groups, widths=0.6, whis=(5, 95), showfliers=False, patch_artist=True,
                         medianprops={"color": "k"})  # fmt: skip
    for k, box in enumerate(boxes["boxes"]):
        box.set(facecolor=colour, alpha=0.15 + 0.2 * k, edgecolor="#444444")
    axes.set_xticks(range(1, 6), ["none", "weakest\nquarter", "2nd", "3rd", "strongest"])
