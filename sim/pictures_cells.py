"""Membranes, synapses and drugs drawn: traces, what current cells answer to, what a mutation or a pill changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.pictures import COLOURS, grid, label
from sim.preparation import Preparation

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def cells(figure: Figure, seed: int) -> str:
    """Traces of every class, f-I curves, the loss of Nav1.1, and the neuron refitted to it."""
    from sim.cells import CELL_CLASSES, firing_rate, run
    from sim.refit import lif_for

    axes = grid(figure, 2, 3)
    for k, (name, drive) in enumerate((("squid", 10.0), ("pv", 1.0), ("pyramidal", 2.0))):
        shown = run(name, [drive], seconds=0.1, every=4)
        axes[k].plot(np.arange(len(shown.v_mv)) * 0.1, shown.v_mv[:, 0], lw=0.8, color=COLOURS[k])
        label(axes[k], f"{CELL_CLASSES[name].about.split(' (')[0]}, {drive:g} µA/cm²", "time, ms", "mV")
    current = np.linspace(0.0, 20.0, 61)
    for name, colour in zip(("squid", "pv", "pyramidal"), COLOURS, strict=False):
        axes[3].plot(current, firing_rate(name, current), color=colour, label=name)
    axes[3].legend(frameon=False, fontsize=8)
    label(axes[3], "f-I curves, from rest", "µA/cm²", "Hz")
    for scale, colour in zip((1.0, 0.8, 0.65, 0.5), COLOURS, strict=False):
        axes[4].plot(current, firing_rate("pv", current, scales={"na": scale}), color=colour, label=f"× {scale:g}")
        fit = lif_for("pv", {"na": scale})
        axes[5].plot(current, fit.rate(current), color=colour, label=f"× {scale:g}, rms {fit.error_hz:.1f} Hz")
    label(axes[4], "pv cells that lose sodium conductance", "µA/cm²", "Hz")
    label(axes[5], "integrate-and-fire neurons refitted to them", "µA/cm²", "Hz")
    for a in axes[4:]:
        a.legend(frameon=False, fontsize=8)
    return "cells by class, their f-I curves, and a channelopathy"


def cable(figure: Figure, seed: int) -> str:
    """A spike that travels, and how far a potential spreads from soma and from tip."""
    from sim.cable import Cable
    from sim.morphology import Site, cylinder

    branches = cylinder(length_um=4000.0, diameter_um=10.0, compartments=200, ra_ohm_cm=35.4)
    sites = tuple(Site(name=f"{x:.2f}", branch="cable", at=x) for x in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))
    part = Cable(branches=branches, sites=sites, voltage_hz=20000.0)
    run = Preparation(part, seed)
    amplitude = np.zeros((1, len(sites)))
    amplitude[0, 0] = 20.0
    run.give("current_na", 0.0, amplitude)
    run.give("current_na", 0.01, np.zeros_like(amplitude))
    shown = run.advance_s(0.03)["voltage_mv"][:, 0]
    axes = grid(figure, 1, 2)
    t = np.arange(1, len(shown) + 1) / 20.0
    for k, site in enumerate(sites):
        axes[0].plot(t, shown[:, k], lw=1, color=COLOURS[k], label=f"{4000 * site.at:.0f} µm")
    axes[0].legend(frameon=False, fontsize=8)
    label(axes[0], "20 nA for 10 ms into one end of a squid cable of 10 µm", "time, ms", "mV")
    x, load = np.linspace(0.0, 1.0, 100), 0.8
    axes[1].plot(x, np.cosh(1 - x) / np.cosh(1), color=COLOURS[0], label="from the soma")
    tip = (np.cosh(x) + load * np.sinh(x)) / (np.cosh(1) + load * np.sinh(1))
    axes[1].plot(x, tip, color=COLOURS[1], label="from the tip")
    axes[1].set_ylim(0, 1.05)
    axes[1].legend(frameon=False, fontsize=8)
    label(axes[1], "steady potential along a dendrite of one space constant, soma load 0.8 (Rall)", "place, L", "share")
    return "cables: a spike that travels, and potentials that attenuate"


def synapse(figure: Figure, seed: int) -> str:
    """Depression, facilitation, receptors, magnesium, and release by calcium."""
    from sim.release import Release
    from sim.synapses import AMPA, DEPRESSING, FACILITATING, GABA_A, NMDA, mg_block

    axes = grid(figure, 2, 3)
    times = np.append(np.arange(10) * 0.05, 0.95)
    for k, (name, kind) in enumerate((("depressing", DEPRESSING), ("facilitating", FACILITATING))):
        axes[k].vlines(times, 0, kind.train(times), color=COLOURS[k], lw=2)
        label(axes[k], f"{name}: ten spikes at 20 Hz and one later", "time, s", "released share")
    rate = np.geomspace(0.5, 100.0, 80)
    for kind, colour, name in ((DEPRESSING, COLOURS[0], "depressing"), (FACILITATING, COLOURS[1], "facilitating")):
        axes[2].loglog(rate, [kind.steady(float(f)) for f in rate], color=colour, label=name)
    label(axes[2], "steady state", "Hz", "released share")
    t = np.linspace(0.0, 0.2, 400)
    for (name, receptor), colour in zip((("AMPA", AMPA), ("GABA-A", GABA_A), ("NMDA", NMDA)), COLOURS, strict=False):
        course = np.exp(-t / receptor.tau_decay_s) - np.exp(-t / receptor.tau_rise_s)
        axes[3].plot(1e3 * t, receptor.gain() * course, color=colour, label=name)
    label(axes[3], "receptors", "time, ms", "conductance")
    v = np.linspace(-100.0, 40.0, 100)
    axes[4].plot(v, [mg_block(float(x)) for x in v], color=COLOURS[2])
    label(axes[4], "NMDA conductance that 1 mM magnesium leaves", "mV", "share")
    ca, p = Release().table()
    axes[5].semilogx(ca, p, color=COLOURS[0])
    label(axes[5], "release by a calcium transient of 0.5 ms", "peak, µM", "probability")
    for a in axes[2:4]:
        a.legend(frameon=False, fontsize=8)
    return "synapses: short-term plasticity, receptors, release"


def drugs(figure: Figure, seed: int) -> str:
    """Concentration after a day's doses, occupancy, and the knob each drug turns."""
    from sim.pharmacology import DRUGS, Regimen

    axes = grid(figure, 2, 3)
    hours = np.linspace(0.0, 24.0, 300)
    for axis, (name, drug) in zip(axes, DRUGS.items(), strict=True):
        regimen = Regimen(drug=drug, doses=tuple((3600.0 * h, 0.5 * drug.max_dose_mg) for h in (0, 6, 12)))
        concentration = np.asarray(regimen.concentration(3600.0 * hours))
        axis.plot(hours, concentration / drug.ec50_mg_l, color=COLOURS[0], label="concentration / EC50")
        factor = [next(iter(drug.effect(drug.occupancy(float(c)), 20.0).values())) for c in concentration]
        axis.plot(hours, factor, color=COLOURS[1], label=f"factor of {next(iter(drug.full))}")
        axis.legend(frameon=False, fontsize=7)
        label(axis, f"{name}: half the largest dose at 0, 6, 12 h", "time, h", "")
    return "drugs: scenarios, not clinical claims"
