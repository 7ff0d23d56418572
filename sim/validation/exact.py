"""Every component gives the same bits however it is run: cut, on one thread or two, restored, forked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from sim.component import Component
from sim.exactness import Drive, exactness
from sim.validation import Check, Row, holds

if TYPE_CHECKING:
    from sim.brain.connectome import Connectome

SEED = 3
SOURCE = "identity; seed 3"


def _cells() -> tuple[Callable[[], Component], Drive, float]:
    from sim.cells import Cells

    return (lambda: Cells(cell_class="pv", n=8),
            [("current", 0.0, np.linspace(0.2, 8.0, 8)), ("na_scale", 0.3, 0.65)], 2.0)  # fmt: skip


def _cable() -> tuple[Callable[[], Component], Drive, float]:
    from sim.cable import Cable
    from sim.morphology import Site, cylinder

    branches = cylinder(length_um=2000.0, diameter_um=10.0, compartments=20)
    sites = (Site(name="near", branch="cable", at=0.0), Site(name="far", branch="cable", at=1.0))
    push = np.zeros((18, 2))
    push[:, 0] = np.linspace(1.0, 20.0, 18)
    return (lambda: Cable(branches=branches, sites=sites, n_cells=18, threads=2),
            [("current_na", 0.0, push), ("current_na", 0.5, 0.5 * push)], 2.0)  # fmt: skip


def _synapse() -> tuple[Callable[[], Component], Drive, float]:
    from sim.synapses import Synapse

    return (lambda: Synapse(n=50)), [("rate_hz", 0.0, 15.0), ("nmda", 0.4, 0.5), ("calcium", 0.9, 1.3)], 2.0


def _plastic() -> tuple[Callable[[], Component], Drive, float]:
    from sim.plastic import Plastic
    from sim.plasticity import Reward

    return (lambda: Plastic(n_inputs=200, n_neurons=3, reward=Reward())), [("reward", 0.5, 1.0)], 2.0


def _lif() -> tuple[Callable[[], Component], Drive, float]:
    from sim.circuits.brunel import brunel

    return (lambda: brunel(5.0, 2.0, n=2000, in_degree=200)), [], 2.0


def _adex() -> tuple[Callable[[], Component], Drive, float]:
    from sim.circuits.adex import AdEx

    return (lambda: AdEx(external_hz=2000.0)), [("current_pa", 0.4, np.linspace(0.0, 900.0, 100))], 2.0


def _cobahh() -> tuple[Callable[[], Component], Drive, float]:
    from sim.circuits.vogels_abbott import COBAHH

    return (lambda: COBAHH(n=1000, p=0.08)), [], 2.0


def _tissue() -> tuple[Callable[[], Component], Drive, float]:
    from sim.circuits.tissue import Tissue

    drive = [("velocity", 0.0, (150.0, 0.0)), ("velocity", 0.61, (0.0, -200.0)), ("reward", 0.7, 1.0),
             ("nav11", 1.1, 0.65), ("gaba_decay", 1.3, 1.4)]  # fmt: skip
    return Tissue, drive, 2.0


def _ganglia() -> tuple[Callable[[], Component], Drive, float]:
    from sim.basal_ganglia import BasalGanglia

    return BasalGanglia, [("dopamine_loss", 0.2, 1.0), ("dbs", 0.9, (300.0, 130.0, 3e-4))], 2.0


def _stimulator() -> tuple[Callable[[], Component], Drive, float]:
    from sim.stimulation import Contact
    from sim.stimulator import Stimulator

    drive = [("rate_hz", 0.0, 130.0), ("amplitude_ua", 0.0, 500.0), ("width_s", 0.7, 9e-5), ("rate_hz", 1.2, 97.0)]
    return (lambda: Stimulator(contact=Contact(area_cm2=0.06))), drive, 2.0


def _jansen_rit() -> tuple[Callable[[], Component], Drive, float]:
    from sim.brain.jansen_rit import JansenRit

    drive = [("proxy", 0.0, np.full(6, 4.0)), ("drive", 0.31, np.linspace(-50.0, 50.0, 6)),
             ("efferent", 0.7, np.linspace(0.0, 1.0, 6)), ("he", 1.1, np.full(6, 1.1))]  # fmt: skip
    return (lambda: JansenRit(connectome=_six(), gain=20.0, noise_hz=20.0, proxied=(2,))), drive, 2.0


def _epileptor() -> tuple[Callable[[], Component], Drive, float]:
    from sim.brain.epileptor import Epileptor

    drive = [("x0", 0.2, np.linspace(-2.2, -1.6, 6)), ("stimulus", 0.53, np.full(6, 3.0)),
             ("stimulus", 0.74, np.zeros(6)), ("afferent", 1.1, np.full(6, 0.5))]  # fmt: skip
    return (lambda: Epileptor(connectome=_six(), gain=1.0, noise=0.01)), drive, 2.0


def _montbrio() -> tuple[Callable[[], Component], Drive, float]:
    from sim.brain.montbrio import MontbrioPazoRoxin

    drive = [("proxy", 0.0, np.full(6, 9.0)), ("drive", 0.31, np.linspace(0.0, 1.0, 6)),
             ("efferent", 0.7, np.linspace(0.0, 1.0, 6)), ("afferent", 1.1, np.full(6, 0.5))]  # fmt: skip
    return (lambda: MontbrioPazoRoxin(connectome=_six(), noise=1.0, proxied=(2,))), drive, 2.0


def _wilson_cowan() -> tuple[Callable[[], Component], Drive, float]:
    from sim.brain.wilson_cowan import WilsonCowan

    drive = [("proxy", 0.0, np.full(6, 0.2)), ("drive", 0.31, np.linspace(-0.5, 0.5, 6)),
             ("efferent", 0.7, np.linspace(0.0, 1.0, 6)), ("afferent", 1.1, np.full(6, 0.5))]  # fmt: skip
    return (lambda: WilsonCowan(connectome=_six(), noise=0.1, proxied=(2,))), drive, 2.0


def _wong_wang() -> tuple[Callable[[], Component], Drive, float]:
    from sim.brain.wong_wang import WongWang

    drive = [("proxy", 0.0, np.full(6, 5.0)), ("drive", 0.31, np.linspace(0.0, 0.01, 6)),
             ("efferent", 0.7, np.linspace(0.0, 1.0, 6)), ("afferent", 1.1, np.full(6, 0.5))]  # fmt: skip
    return (lambda: WongWang(connectome=_six(), noise=0.01, proxied=(2,))), drive, 2.0


def _rhythm() -> tuple[Callable[[], Component], Drive, float]:
    from sim.brain.thalamocortical import Rhythm

    lags = (0.0, 0.001, 0.004, 0.01, 0.02, 0.003)
    drive = [("gate", 0.31, np.linspace(0.0, 1.0, 6)), ("amplitude", 0.7, np.linspace(0.0, 2.0, 6))]
    return (lambda: Rhythm(shared=0.5, lag_s=lags)), drive, 2.0


def _qif() -> tuple[Callable[[], Component], Drive, float]:
    from sim.brain.qif import QIF

    return (lambda: QIF(n_neurons=500, noise=1.0)), [("drive", 0.31, 3.0), ("drive", 1.1, -1.0)], 2.0


def _six() -> Connectome:
    """Return six regions with tracts of 0 to 75 mm, some without delay and a self-loop."""
    from sim.brain.connectome import Connectome

    rng = np.random.default_rng(SEED)
    lengths = np.where(rng.random((6, 6)) < 0.3, 0.0, rng.uniform(1.0, 75.0, (6, 6)))
    weights = np.where(rng.random((6, 6)) < 0.6, rng.uniform(0.1, 1.0, (6, 6)), 0.0)
    return Connectome(labels=tuple("abcdef"), weights=weights, lengths_mm=lengths)


def _patient() -> tuple[Callable[[], Component], Drive, float]:
    from sim.patient.patient import Patient

    drive = [("velocity", 0.0, (150.0, 0.0)), ("velocity", 0.61, (0.0, -200.0)), ("reward", 0.7, 1.0),
             ("dopamine_loss", 0.2, 1.0), ("stn", 0.9, (3.0, 130.0, 3e-4)), ("nav11", 1.1, 0.65),
             ("excitability", 0.3, -1.6), ("focus", 1.2, 2.0), ("snr", 0.5, 0.7), ("dead", 0.5, 0.1)]  # fmt: skip
    return Patient, drive, 2.0


SUBJECTS = {
    "cells": _cells, "cable": _cable, "synapse": _synapse, "plastic": _plastic, "lif": _lif, "adex": _adex,
    "cobahh": _cobahh, "tissue": _tissue, "basal-ganglia": _ganglia, "stimulator": _stimulator,
    "jansen-rit": _jansen_rit, "epileptor": _epileptor,
    "montbrio": _montbrio, "wilson-cowan": _wilson_cowan, "wong-wang": _wong_wang, "rhythm": _rhythm, "qif": _qif,
    "patient": _patient,
}  # fmt: skip
"""A run of every registered component: how it is made, what it is given, for how long."""


def _run(name: str) -> Callable[[], Iterator[Row]]:
    def rows() -> Iterator[Row]:
        make, drive, seconds = SUBJECTS[name]()
        for c in exactness(make, drive, seconds=seconds, seed=SEED):
            yield holds("exact", f"{name}: {c.how}", "0 differ", f"{c.differing} of {c.values}", c.differing == 0,
                        source=SOURCE)  # fmt: skip

    return rows


CHECKS = tuple(Check("exact", name, 8.0, _run(name)) for name in SUBJECTS)
