"""Circuits drawn: networks, learning, the tissue an implant records from, the basal ganglia with their stimulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bmi.signals import F64, AnyArray
from sim.pictures import COLOURS, grid, label, raster
from sim.preparation import Preparation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def network(figure: Figure, seed: int) -> str:
    """Brunel's network in three of its states: rasters, activity and its spectrum."""
    from scipy.signal import welch

    from sim.circuits.brunel import brunel, population_counts, theory_hz

    axes = grid(figure, 2, 3)
    for k, (g, eta, name) in enumerate(((6.0, 4.0, "fast rhythm"), (5.0, 2.0, "asynchronous, irregular"),
                                        (4.5, 0.9, "slow rhythm"))):  # fmt: skip
        part = brunel(g, eta)
        spikes = Preparation(part, seed).advance_s(0.6)["spikes"]
        raster(axes[k], spikes[(spikes[:, 0] * part.dt_s > 0.4) & (spikes[:, 1] < 2000)], part.dt_s, every=10)
        rate = len(spikes[spikes[:, 0] * part.dt_s > 0.1]) / part.n / 0.5
        told = f"g {g:g}, η {eta:g}: {name}; {rate:.1f} Hz, in theory {theory_hz(g, eta):.1f}"
        label(axes[k], told, "time, s", "neuron")
        counts = population_counts(spikes, round(0.6 / part.dt_s), 5)[200:]
        f, power = welch(counts - counts.mean(), 2000.0, nperseg=500)
        axes[3 + k].semilogy(f[f < 400], power[f < 400], lw=1, color=COLOURS[k])
        label(axes[3 + k], "spectrum of the population", "Hz", "power")
    return f"Brunel's network, {part.n} neurons"


def plasticity(figure: Figure, seed: int) -> str:
    """The window of pair STDP, competition among 1000 inputs, and learning from reward."""
    from sim.plastic import Plastic
    from sim.plasticity import PairRule
    from sim.reward_learning import TwoClasses

    axes = grid(figure, 2, 2)
    rule, lag = PairRule(), np.linspace(-0.08, 0.08, 401)
    up, down = rule.a_plus, rule.a_minus
    axes[0].plot(1e3 * lag[lag > 0], up * np.exp(-lag[lag > 0] / rule.tau_plus_s), color=COLOURS[0])
    axes[0].plot(1e3 * lag[lag < 0], -down * np.exp(lag[lag < 0] / rule.tau_minus_s), color=COLOURS[1])
    label(axes[0], "what a pair changes", "post after pre, ms", "weight")
    run = Preparation(Plastic(input_hz=30.0), seed)
    shown = run.advance_s(150.0)
    weights = shown["weights"]
    axes[1].hist(weights[-1], bins=40, color=COLOURS[0])
    label(axes[1], "weights of 1000 inputs after 150 s, all 1 at first", "weight", "synapses")
    axes[2].plot(np.arange(1, len(weights) + 1), weights[:, ::40], lw=0.6)
    label(axes[2], "some of them", "time, s", "weight")
    learned = TwoClasses().run(seed)
    axes[3].plot(np.convolve(learned.training, np.ones(30) / 30, "valid"), color=COLOURS[2])
    axes[3].set_ylim(0, 1.05)
    axes[3].axhline(0.5, ls=":", color="k", lw=0.8)
    label(axes[3], "two classes of patterns, learned from reward", "trial", "right, mean over 30")
    return "plasticity: pairs of spikes, competition, reward"


def tissue(figure: Figure, seed: int) -> str:
    """Rasters while movements are intended, rates, tuning curves, and what the population's activity lies in."""
    from sim.circuits.tissue import Tissue

    part = Tissue()
    m1 = Preparation(part, seed)
    angles = np.arange(16) * 2.0 * np.pi / 16
    shown: dict[str, AnyArray] = {}
    mean = []
    for k, angle in enumerate(np.random.default_rng(seed).permutation(angles)):
        m1.give("velocity", float(k), 200.0 * np.array([np.cos(angle), np.sin(angle)]))
        shown = m1.advance_s(1.0)
        mean.append((angle, shown["counts"][200:].sum(axis=0) / 0.8))
    m1.give("velocity", 16.0, (0.0, 0.0))
    rest = m1.advance_s(2.0)
    exc = part.anatomy_.n_exc
    axes = grid(figure, 2, 3)
    late = rest["spikes"] - [int(17.0 / part.dt_s), 0]
    raster(axes[0], late[late[:, 0] >= 0], part.dt_s, every=5)
    axes[0].axhline(exc, color=COLOURS[1], lw=1)
    label(axes[0], "at rest; inhibitory above the line", "time, s", "neuron")
    rates = np.concatenate([rest["counts"], shown["counts"]]).mean(axis=0) * 1e3
    kinds = (("excitatory", rates[:exc]), ("inhibitory", rates[exc:]))
    for (name, of), colour in zip(kinds, COLOURS, strict=False):
        axes[1].hist(of, bins=np.arange(0, 40, 1), histtype="step", density=True, color=colour, label=name)
    axes[1].legend(frameon=False, fontsize=8)
    label(axes[1], "firing rates", "Hz", "share of neurons a Hz")
    table = np.array([m for _, m in sorted(mean, key=lambda row: row[0])])
    for i, colour in zip(np.argsort(table[:, :exc].std(axis=0))[::-1][[0, 20, 80, 300]], COLOURS, strict=False):
        axes[2].plot(np.degrees(np.sort(angles)), table[:, i], "o-", ms=3, lw=1, color=colour)
    label(axes[2], "tuning of four neurons, 200 mm/s", "intended direction, degrees", "Hz")
    _preferred(axes[3], table[:, :exc], np.sort(angles), part.anatomy_.directions)
    t = np.arange(10, len(rest["rates"]) - 9) / 1e3
    smooth = np.apply_along_axis(lambda r: np.convolve(r, np.ones(20) / 20, "valid"), 0, rest["rates"])
    axes[4].plot(t, smooth[:, 0], color=COLOURS[0], lw=0.8)
    axes[4].plot(t, smooth[:, 1], color=COLOURS[1], lw=0.8)
    label(axes[4], "population rate, 20 ms", "time, s", "Hz")
    centred = table[:, :exc] - table[:, :exc].mean(axis=0)
    share = np.cumsum(np.linalg.svd(centred, compute_uv=False) ** 2)
    axes[5].plot(np.arange(1, 11), 100 * share[:10] / share[-1], "o-", ms=3, color=COLOURS[0])
    axes[5].set_ylim(0, 100)
    label(axes[5], "variance over directions", "principal components", "%")
    return f"motor-cortex tissue: {part.n_neurons} neurons, {part.contacts} contacts each"


def _preferred(axes: Axes, table: F64, angles: F64, truth: F64) -> None:
    """Draw preferred directions found by regression against those the neurons were given."""
    regressors = np.column_stack([np.cos(angles), np.sin(angles), np.ones_like(angles)])
    found = np.linalg.lstsq(regressors, table, rcond=None)[0]
    there = np.degrees(np.arctan2(truth[:, 1], truth[:, 0]))
    here = np.degrees(np.arctan2(found[1], found[0]))
    away = (here - there + 180.0) % 360.0 - 180.0
    axes.plot(there, there + away, ".", ms=2, color=COLOURS[0])
    label(axes, f"preferred directions; median error {np.median(np.abs(away)):.1f}° in 13 s",
          "given, degrees", "found, degrees")  # fmt: skip


def basal_ganglia(figure: Figure, seed: int) -> str:
    """Healthy, Parkinsonian and stimulated: all 40 cells, the relay's errors, the pallidum's spectrum."""
    from sim.basal_ganglia import NUCLEI, BasalGanglia
    from sim.relay import relay_error_index, spectrum

    seconds = 3.0
    states = (("healthy", 0.0, 0.0), ("dopamine lost", 1.0, 0.0), ("lost, 130 Hz stimulation", 1.0, 130.0))
    axes = grid(figure, 2, 3)
    for k, (name, loss, rate) in enumerate(states):
        part = BasalGanglia()
        run = Preparation(part, seed)
        run.give("dopamine_loss", 0.0, loss)
        if rate:
            run.give("dbs", 0.0, (300.0, rate, 3e-4))
        shown = run.advance_s(seconds)
        error = relay_error_index(shown["spikes"], shown["smc"], dt_s=part.dt_s, duration_s=seconds)
        for nucleus, colour in enumerate(COLOURS[: len(NUCLEI)]):
            own = shown["spikes"][shown["spikes"][:, 1] // 10 == nucleus]
            raster(axes[k], own[own[:, 0] * part.dt_s > 2.0], part.dt_s, colour)
        axes[k].set_yticks([5, 15, 25, 35], ["TH", "STN", "GPe", "GPi"])
        label(axes[k], f"{name}: relay error index {error:.3f}", "time, s", "")
        pulses = shown["smc"][:, 0] * part.dt_s
        axes[3].plot(np.arange(len(shown["thalamus_mv"])) / 1e3, shown["thalamus_mv"][:, 0] + 150 * (2 - k), lw=0.6,
                     color=COLOURS[k])  # fmt: skip
        f, power = spectrum(shown["gpi_synapse"], rate_hz=1000.0)
        axes[4].plot(f[(f > 3) & (f < 60)], power[(f > 3) & (f < 60)], lw=1, color=COLOURS[k], label=name)
        if k == 0:
            axes[3].plot(pulses, np.full(len(pulses), 400.0), "v", ms=3, color="k")
        counts = np.bincount(shown["spikes"][:, 1] // 10, minlength=4) / (10 * seconds)
        axes[5].bar(np.arange(4) + 0.25 * (k - 1), counts, 0.25, color=COLOURS[k], label=name)
    axes[3].set_xlim(2.0, 3.0)
    axes[3].set_yticks([])
    label(axes[3], "one relay cell, each state; ▼ cortical pulses (healthy)", "time, s", "")
    label(axes[4], "pallidal synaptic output", "Hz", "power")
    axes[4].legend(frameon=False, fontsize=8)
    axes[5].set_xticks(range(4), ["TH", "STN", "GPe", "GPi"])
    label(axes[5], "mean rates", "", "Hz")
    return "basal ganglia and thalamus: what dopamine's loss takes and stimulation gives back"
