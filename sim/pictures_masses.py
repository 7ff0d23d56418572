"""Neural masses drawn: a column and its bifurcations, the rhythm of cortex and thalamus, seizures that spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bmi.signals import F64, AnyArray
from sim.pictures import COLOURS, grid, label, small
from sim.preparation import Preparation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def masses(figure: Figure, seed: int) -> str:
    """A Jansen-Rit column: fixed points and cycles over its drive, phase portraits, traces, spectra."""
    from scipy.signal import welch

    from sim.brain.connectome import Connectome
    from sim.brain.jansen_rit import JansenRit

    def run(drive: AnyArray, settle_s: float, seconds: float, noise_hz: float = 0.0) -> tuple[F64, F64]:
        n = len(drive)
        alone = Connectome(labels=tuple(map(str, range(n))), weights=np.zeros((n, n)), lengths_mm=np.zeros((n, n)))
        part = JansenRit(connectome=alone, drive_hz=np.asarray(drive), noise_hz=noise_hz)
        run = Preparation(part, seed)
        run.advance_s(settle_s)
        shown = run.advance_s(seconds)
        return shown["psp"], shown["rate"]

    figure.set_size_inches(13.0, 7.6)
    axes = grid(figure, 2, 3)
    drive = np.linspace(0.0, 360.0, 241)
    psp, _ = run(drive, 4.0, 2.0)
    swings = np.ptp(psp, axis=0) > 0.05
    _fixed_points(axes[0])
    axes[0].fill_between(drive, psp.min(axis=0), psp.max(axis=0), where=swings, color=COLOURS[0], alpha=0.25, lw=0,
                         label="cycle it falls into from 0")  # fmt: skip
    axes[0].set_xlim(-50.0, 360.0)
    small(axes[0], loc="lower right")
    label(axes[0], "rest and rhythm of one column", "drive p, 1/s", "y1 - y2, mV")
    hz = np.array([_hz(x) for x in psp.T])
    axes[1].plot(drive[swings], hz[swings], ".", ms=3, color=COLOURS[0])
    axes[1].axhspan(8.0, 12.0, color=COLOURS[2], alpha=0.12, lw=0)
    axes[1].text(15.0, 10.0, "alpha", fontsize=8, color=COLOURS[2], va="center")
    axes[1].set_xlim(0.0, 360.0)
    axes[1].set_ylim(0.0, 13.0)
    label(axes[1], "how fast it beats", "drive p, 1/s", "Hz")
    shown, _ = run(np.array([120.0, 150.0, 220.0, 300.0]), 5.0, 2.0)
    for k, (p, x, colour) in enumerate(zip((120, 150, 220, 300), shown.T, COLOURS, strict=False)):
        speed = np.gradient(x, 1e-3)
        axes[2].plot(x, speed, color=colour, lw=1.2, label=f"p {p}")
        axes[3].plot(np.arange(1500) / 1e3, x[:1500] + 14.0 * (3 - k), color=colour, lw=1)
        axes[3].text(1.52, 14.0 * (3 - k) + x.mean(), f"p {p}", fontsize=8, color=colour, va="center")
    small(axes[2])
    label(axes[2], "phase portrait", "y1 - y2, mV", "its slope, mV/s")
    axes[3].plot([1.6, 1.6], [48.0, 58.0], color="k", lw=2)
    axes[3].text(1.62, 53.0, "10 mV", fontsize=7, va="center")
    axes[3].set_yticks([])
    axes[3].set_xlim(-0.02, 1.8)
    label(axes[3], "traces", "time, s", "")
    noisy, rate = run(np.full(10, 220.0), 2.0, 30.0, noise_hz=57.7)
    axes[4].plot(np.arange(2000) / 1e3, noisy[:2000, 0], color=COLOURS[0], lw=0.9)
    label(axes[4], "p 220 ± 58 1/s, white", "time, s", "y1 - y2, mV")
    f, power = welch(noisy - noisy.mean(axis=0), 1000.0, nperseg=2000, axis=0)
    band = (f >= 1.0) & (f <= 50.0)
    axes[5].semilogy(f[band], power[band], color=COLOURS[0], lw=0.5, alpha=0.3)
    axes[5].semilogy(f[band], power[band].mean(axis=1), color=COLOURS[0], lw=2)
    label(axes[5], f"10 such columns for 30 s; they fire at {rate.mean():.1f} Hz", "Hz", "mV²/Hz")
    return "Jansen-Rit masses: a cortical column between rest, alpha and spikes"


def _fixed_points(axes: Axes) -> None:
    """Draw where one column rests, solid where that is stable, with its bifurcations."""
    from sim.validation.masses import at_rest, crossings, fixed_point, jacobian

    v = np.linspace(-3.0, 12.0, 1500)
    p = np.array([at_rest(x)[0] for x in v])
    stable = np.array([np.linalg.eigvals(jacobian(fixed_point(x))).real.max() < 0.0 for x in v])
    axes.plot(np.where(stable, p, np.nan), v, color="k", lw=1.6, label="rest, stable")
    axes.plot(np.where(stable, np.nan, p), v, color="k", lw=0.9, ls=(0, (4, 3)), label="rest, unstable")
    for kind, colour, symbol in (("fold", COLOURS[1], "s"), ("Hopf", COLOURS[2], "o")):
        at, _, where = np.array(crossings()[kind]).T
        axes.plot(at, where, symbol, ms=5, color=colour, mec="white", mew=0.6, zorder=4, label=kind)


def _hz(psp: F64) -> float:
    """Return how often a trace a millisecond apart rises through the middle of its swing, Hz."""
    x = psp - 0.5 * (psp.min() + psp.max())
    up = np.flatnonzero((x[:-1] < 0.0) & (x[1:] >= 0.0))
    return float("nan") if len(up) < 2 else 1e3 * (len(up) - 1) / (up[-1] - up[0])


def rhythm(figure: Figure, seed: int, *, seconds: float = 40.0) -> str:
    """Alpha and mu: closed and open gate, spectra, how power falls, a wave over nodes."""
    from scipy.signal import welch

    from sim.brain.thalamocortical import Rhythm

    def run(gate: float, n: int = 6, **settings: object) -> F64:
        run = Preparation(Rhythm(n=n, **settings), seed)  # type: ignore[arg-type]
        run.give("gate", 0.0, np.full(n, gate))
        run.advance_s(3.0)
        shown: F64 = run.advance_s(seconds)["psp"]
        return shown

    figure.set_size_inches(13.0, 7.6)
    axes = grid(figure, 2, 3)
    gates = np.linspace(0.0, 1.0, 5)
    tones = [(0.0, 0.30 + 0.09 * k, 0.70 - 0.1 * k) for k in range(5)]
    power_8_12, peaks = [], []
    for k, (gate, tone) in enumerate(zip(gates, tones, strict=True)):
        psp = run(gate)
        f, power = welch(psp, 1000.0, nperseg=4000, axis=0)
        band, alpha = (f >= 1.0) & (f <= 45.0), (f >= 8.0) & (f <= 12.0)
        axes[2].semilogy(f[band], power[band].mean(axis=1), color=tone, lw=1.4, label=f"{gate:g}")
        power_8_12.append(power[alpha].sum(axis=0) * (f[1] - f[0]))
        peaks.append(f[(f > 5.0) & (f < 15.0)][power[(f > 5.0) & (f < 15.0)].argmax(axis=0)])
        if k in (0, 4):
            row = axes[k // 4]
            for node in range(3):
                row.plot(np.arange(3000) / 1e3, psp[:3000, node] + 6.0 * node, color=tone, lw=0.9)
            row.set_yticks(6.0 * np.arange(3), ["node 1", "2", "3"])
            row.set_ylim(-5.0, 17.0)
            label(row, ("gate closed: eyes shut, hands at rest", "gate open: eyes open, hands about to move")[k // 4]
                  + "; 6 mV apart", "time, s", "")  # fmt: skip
    small(axes[2], title="gate", title_fontsize=8)
    label(axes[2], f"spectra, mean of 6 nodes, {seconds:g} s", "Hz", "mV²/Hz")
    table = np.array(power_8_12)
    axes[3].plot(gates, 100.0 * table / table[0], color=COLOURS[6], lw=0.6, alpha=0.6)
    axes[3].plot(gates, 100.0 * table.mean(axis=1) / table[0].mean(), "o-", color=COLOURS[0], lw=2)
    axes[3].set_ylim(0.0, None)
    label(axes[3], "power of 8 to 12 Hz falls", "gate", "% of closed")
    axes[4].plot(gates, np.array(peaks), ".", color=COLOURS[6], ms=4)
    axes[4].plot(gates, np.mean(peaks, axis=1), "o-", color=COLOURS[0], lw=2)
    axes[4].axhspan(8.0, 12.0, color=COLOURS[2], alpha=0.1, lw=0)
    axes[4].set_ylim(5.0, 15.0)
    label(axes[4], "and its peak hardly moves", "gate", "Hz")
    _wave(axes[5], run(0.0, 12, shared=0.8, lag_s=tuple(0.005 * np.arange(12))))
    return "the rhythm of the loop between cortex and thalamus"


def _wave(axes: Axes, psp: F64) -> None:
    """Draw 1 s of the alpha of twelve nodes whose common input reaches each 5 ms after the one before."""
    from sim.brain.functional import analytic

    seen = psp[: 1000 * (len(psp) // 1000)]
    turn = np.exp(2j * np.pi * 9.5 * np.arange(len(seen)) / 1000.0)
    shown = (turn[:, None] * analytic(seen, 1000.0, 7.0, 12.0)).real
    first = int(np.abs(shown).sum(axis=1)[500:-1500].argmax())
    most = float(np.abs(shown[first : first + 1000]).max())
    axes.imshow(shown[first : first + 1000].T, aspect="auto", origin="lower", cmap="RdBu_r", vmin=-most, vmax=most,
                extent=(0.0, 1.0, 0.0, 180.0), interpolation="bilinear")  # fmt: skip
    label(axes, "a wave of 3 m/s: nodes share 80 % of their input", "time, s", "along the cortex, mm")


def seizures(figure: Figure, seed: int, *, seconds: float = 100.0) -> str:
    """Epileptors: one seizure and its phase portrait, how often seizures come, and how they spread."""
    from sim.brain.epileptor import Epileptor

    figure.set_size_inches(13.0, 7.6)
    top, bottom = figure.subfigures(2, 1)
    axes = grid(top, 1, 3)
    run = Preparation(Epileptor(x0=-1.6, noise=0.02), seed)
    shown = run.advance_s(60.0)
    t, lfp, slow = np.arange(len(shown["lfp"])) / 1e3, -shown["lfp"][:, 0], shown["slow"][:, 0]
    axes[0].plot(t, lfp, color="k", lw=0.35, rasterized=True)
    axes[0].plot(t, slow - 8.0, color=COLOURS[1], lw=1.6)
    axes[0].text(60.5, slow[-1] - 8.0, "z - 8", color=COLOURS[1], fontsize=8)
    label(axes[0], "one region, x0 -1.6: seizures and the slow permittivity z", "time, s", "field x1 - x2")
    axes[1].plot(slow, lfp, color="k", lw=0.25, alpha=0.7, rasterized=True)
    label(axes[1], "the same: rest, onset where z is low, end where it is high", "z", "field")
    x0 = np.linspace(-2.4, -1.4, 21)
    _rates(axes[2], x0, seed)
    axes = grid(bottom, 1, 2)
    _propagation(axes, seed, seconds)
    return "seizures: Epileptors alone and on a connectome"


def _rates(axes: Axes, x0: F64, seed: int) -> None:
    """Draw how much of the time single regions of different excitability seize."""
    from sim.brain.connectome import Connectome
    from sim.brain.epileptor import Epileptor

    n = len(x0)
    alone = Connectome(labels=tuple(map(str, range(n))), weights=np.zeros((n, n)), lengths_mm=np.zeros((n, n)))
    for noise, colour in ((0.0, COLOURS[0]), (0.1, COLOURS[1])):
        run = Preparation(Epileptor(connectome=alone, x0=x0, noise=noise), seed)
        run.advance_s(20.0)
        on = _seizing(run.advance_s(150.0)["lfp"])
        axes.plot(x0, 100.0 * on.mean(axis=0), "o-", ms=3, color=colour, label=f"noise {noise:g}")
    axes.axvline(-2.0625, color="k", lw=0.8, ls=":")
    axes.text(-2.08, 30.0, "threshold", fontsize=8, ha="right", va="center")
    small(axes, loc="upper left")
    label(axes, "time in seizure, 150 s of one region each", "excitability x0", "%")


def _seizing(lfp: AnyArray) -> AnyArray:
    """Return whether regions seize, every 100 ms: the mean of x2 - x1 leaves that of rest."""
    n = len(lfp) // 100
    blocks = lfp[: 100 * n].reshape(n, 100, -1)
    return np.asarray(blocks.mean(axis=1) < 0.0)


def _propagation(axes: list[Axes], seed: int, seconds: float) -> None:
    """Draw the fields of an excitable right temporal pole and its neighbours, and who seizes when."""
    from sim.brain.epileptor import Epileptor
    from sim.brain.generated import generated

    brain = generated(seed=seed)
    strength = brain.weights[brain.index("r.TP")].copy()
    strength[brain.index("r.TP")] = 2.0
    near = [brain.labels[i] for i in np.argsort(-strength, kind="stable")[:12]]
    x0 = np.full(12, -2.2)
    x0[0] = -1.6
    run = Preparation(Epileptor(connectome=brain.subset(near).normalised(), gain=1.0, x0=x0, noise=0.02), seed)
    lfp = run.advance_s(seconds)["lfp"]
    for k in range(12):
        colour = COLOURS[1] if k == 0 else "k"
        axes[0].plot(np.arange(0, len(lfp), 4) / 1e3, -lfp[::4, k] - 4.5 * k, color=colour, lw=0.3, rasterized=True)
    axes[0].set_yticks(-4.5 * np.arange(12) - 0.9, near, fontsize=7)
    axes[0].margins(x=0.01)
    label(axes[0], "the focus (x0 -1.6) and the regions wired to it most strongly (-2.2: silent alone)", "time, s", "")
    axes[1].imshow(_seizing(lfp).T, aspect="auto", cmap="OrRd", vmin=0.0, vmax=1.2, interpolation="nearest",
                   extent=(0.0, seconds, 11.5, -0.5))  # fmt: skip
    axes[1].set_yticks(range(12), near, fontsize=7)
    label(axes[1], "who seizes when", "time, s", "")
