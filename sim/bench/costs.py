"""What every component of the simulator costs: declared against measured, and how long a block of 10 ms takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.component import Component, whole_steps

if TYPE_CHECKING:
    from sim.brain.connectome import Connectome


def _adex() -> Component:
    from sim.circuits.adex import AdEx

    return AdEx(external_hz=2000.0, external_ns=4.0)


def _basal_ganglia() -> Component:
    from sim.basal_ganglia import BasalGanglia

    return BasalGanglia()


def _brunel() -> Component:
    from sim.circuits.brunel import brunel

    return brunel(5.0, 2.0, n=2000, in_degree=400)


def _cable() -> Component:
    from sim.cable import Cable
    from sim.morphology import Site, cylinder

    sites = (Site(name="near", branch="cable", at=0.0), Site(name="far", branch="cable", at=1.0))
    return Cable(branches=cylinder(length_um=400, diameter_um=2, compartments=20), sites=sites, n_cells=4)


def _cells() -> Component:
    from sim.cells import Cells

    return Cells(cell_class="pv", n=16)


def _cobahh() -> Component:
    from sim.circuits.vogels_abbott import COBAHH

    return COBAHH()


def _cuba() -> Component:
    from sim.circuits.vogels_abbott import cuba

    return cuba()


def _lif() -> Component:
    from sim.circuits.lif import LIF

    return LIF(rest_mv=18.0, noise_mv=5.0)


def _plastic() -> Component:
    from sim.plastic import Plastic

    return Plastic()


def _stimulator() -> Component:
    from sim.stimulation import Contact
    from sim.stimulator import Stimulator

    return Stimulator(contact=Contact(area_cm2=0.06), amplitude_ua=-1000.0, rate_hz=130.0, width_s=60e-6)


def _synapse() -> Component:
    from sim.synapses import Synapse

    return Synapse(n=100)


def _tissue() -> Component:
    from sim.circuits.tissue import Tissue

    return Tissue()


def _brain(n: int) -> Connectome:
    """Return regions that all have tracts to one another, 10 to 150 mm long."""
    from sim.brain.connectome import Connectome

    rng = np.random.default_rng(0)
    weights = rng.lognormal(size=(n, n)) * (1.0 - np.eye(n))
    return Connectome(
        labels=tuple(f"region {k}" for k in range(n)), weights=weights / weights.sum(1, keepdims=True),
        lengths_mm=rng.uniform(10.0, 150.0, (n, n)),
    )  # fmt: skip


def _jansen_rit() -> Component:
    from sim.brain.jansen_rit import JansenRit

    return JansenRit(connectome=_brain(84), gain=20.0, noise_hz=20.0)


def _epileptor() -> Component:
    from sim.brain.epileptor import Epileptor

    return Epileptor(connectome=_brain(84), gain=0.5, noise=0.01)


def _montbrio() -> Component:
    from sim.brain.montbrio import MontbrioPazoRoxin

    return MontbrioPazoRoxin(connectome=_brain(84), noise=1.0)


def _wilson_cowan() -> Component:
    from sim.brain.wilson_cowan import WilsonCowan

    return WilsonCowan(connectome=_brain(84), noise=0.1)


def _wong_wang() -> Component:
    from sim.brain.wong_wang import WongWang

    return WongWang(connectome=_brain(84), gain=0.3, noise=0.01)


def _rhythm() -> Component:
    from sim.brain.thalamocortical import Rhythm

    return Rhythm()


def _qif() -> Component:
    from sim.brain.qif import QIF

    return QIF()


def _cosimulation() -> Component:
    from sim.brain.cosimulation import Cosimulation, ToRate, ToSpikes
    from sim.brain.montbrio import MontbrioPazoRoxin
    from sim.brain.qif import QIF

    return Cosimulation(
        network=MontbrioPazoRoxin(connectome=_brain(6), gain=4.0, noise=2.0, proxied=(0,), speed_m_s=2.0),
        neurons=QIF(noise=2.0), down=ToSpikes(n_afferents=10_000, most_hz=50.0), up=ToRate(n_neurons=10_000),
    )  # fmt: skip


def _patient() -> Component:
    from sim.patient.patient import Patient

    return Patient()


FACTORIES: dict[str, Callable[[], Component]] = {
    "16 point cells": _cells,
    "4 cables of 20 compartments": _cable,
    "100 terminals": _synapse,
    "neuron of 1000 plastic synapses": _plastic,
    "100 LIF with noise": _lif,
    "100 AdEx": _adex,
    "2000 LIF, Brunel": _brunel,
    "4000 LIF, CUBA": _cuba,
    "4000 HH, COBAHH": _cobahh,
    "motor-cortex tissue": _tissue,
    "basal ganglia": _basal_ganglia,
    "stimulator": _stimulator,
    "84 Jansen-Rit masses, dense": _jansen_rit,
    "84 Epileptors, dense": _epileptor,
    "84 Montbrió-Pazó-Roxin masses, dense": _montbrio,
    "84 Wilson-Cowan masses, dense": _wilson_cowan,
    "84 Wong-Wang masses, dense": _wong_wang,
    "6 nodes of mu and alpha": _rhythm,
    "the whole patient": _patient,
    "10000 QIF": _qif,
    "10000 QIF among 5 masses": _cosimulation,
}
"""Every component, in a size and state it is used in."""


def costs(quick: bool = False, progress: Callable[[str], None] = lambda _: None) -> dict[str, dict[str, Any]]:
    """Return core-seconds a simulated second, declared and measured, and quantiles of a block's own time, ms.

    The measured cost is the mean of all blocks after the first 0.2 s; the time is the thread's own, so that waiting
    for a processor is not in it.
    """
    found = {}
    for name, factory in FACTORIES.items():
        progress(f"cost: {name}")
        found[name] = cost(factory(), 50 if quick else 400)
    return found


def cost(component: Component, blocks: int) -> dict[str, Any]:
    """Measure one component over ``blocks`` of 10 ms."""
    n = whole_steps(component.name, component.dt_s)
    component.bind(0)
    for _ in range(20):
        component.step(n)
    own = np.zeros(blocks)
    for k in range(blocks):
        began = time.thread_time_ns()
        component.step(n)
        own[k] = 1e-6 * (time.thread_time_ns() - began)
    p50, p99 = np.percentile(own, [50, 99])
    measured = 0.1 * float(own.mean())
    return {
        "declared": float(component.cost),
        "measured": measured,
        "declared_over_measured": float(component.cost) / measured,
        "block_p50_ms": float(p50),
        "block_p99_ms": float(p99),
    }
