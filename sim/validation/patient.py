"""What holds across the scales of the whole patient: health is one thing, illness shows, truth stays inside.

Every slow parameter is turned to clear illness and back. The same participant and seed, looked at in the same way and
at the same times, must show on its sensors what the parameter declares, and afterwards be as if it had never been ill:
a statistic returns where at most a quarter of the change is left. Who was never ill is looked at afterwards too, for
noise is a function of seed and step: against the earlier look, what a weak parameter had changed was mostly the noise.

Synapses are held as they are: homeostasis answers every change of the tissue within a minute, and goes on answering
after the change is gone (Nav1.1 given back left the slow power at a third of what it had been). Parameters of the basal
ganglia are looked at with them, others without, which costs a third and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from bmi.signals import F64, AnyArray
from sim.validation import Check, Row, holds

SEED = 3
SOURCE = "declared in sim.patient.theta; simulated, seed 3"
ILL_S, BACK_S = 4.0, 8.0
LEFT = 0.25
"""Most of a change that may be left."""


def _patient(name: str) -> Any:
    from dataclasses import replace

    from sim.patient.patient import Patient

    patient = Patient(probes=None) if name == "dopamine_loss" else Patient(ganglia=None, probes=None)
    patient.tissue = replace(patient.tissue, plastic=False)
    return patient


class Looks(NamedTuple):
    """What sensors show a patient to be, and again later."""

    first: dict[str, float]
    later: dict[str, float]
    tuning: F64
    """At the first look, (n_directions, n_channels) Hz."""


def _looks(patient: Any, turned: Mapping[str, AnyArray], back: Mapping[str, AnyArray], day0: F64 | None) -> Looks:
    """Look at a patient with slow parameters ``turned`` from the begin, and again once they are turned ``back``."""
    from sim.patient.statistics import record, statistics, tuning
    from sim.preparation import Preparation

    preparation, found = Preparation(patient, SEED), []
    for given, wait_s in ((turned, ILL_S), (back, BACK_S)):
        for name, value in given.items():
            preparation.give(name, preparation.t_s, value)
        preparation.advance_s(wait_s)
        found.append(record(preparation))
    tuned = tuning(found[0].reaches["spikes"])
    day0 = tuned if day0 is None else day0
    return Looks(*(statistics(f, patient, day0=day0) for f in found), tuned)


@cache
def _healthy(with_ganglia: bool) -> Looks:
    return _looks(_patient("dopamine_loss" if with_ganglia else ""), {}, {}, None)


def effects(name: str) -> Iterator[Row]:
    """One slow parameter, ill and back."""
    from sim.patient.theta import THETA, shape

    p = THETA[name]
    patient, well = _patient(name), _healthy(name == "dopamine_loss")
    of = shape(name, patient.brain.n_regions)
    ill = _looks(patient, {name: np.full(of, p.ill)}, {name: np.full(of, p.baseline)}, well.tuning)
    for e in p.effects:
        a, b = well.first[e.statistic], ill.first[e.statistic]
        c, d = well.later[e.statistic], ill.later[e.statistic]
        passed = (b - a) * e.sign > 0.0 and abs(d - c) <= LEFT * abs(b - a)
        way = "up" if e.sign > 0 else "down"
        yield holds("VP", f"{name} {p.baseline:g} → {p.ill:g} → {p.baseline:g}: {e.statistic} of {e.sensor}; never ill "
                    f"{a:.4g}, {c:.4g}", f"{way} and back", f"{b:.4g}, {d:.4g}", passed, source=SOURCE)  # fmt: skip


def pathology_off() -> Iterator[Row]:
    """Pathology off is the baseline, to the last bit."""
    import hashlib

    from sim.patient.patient import Patient
    from sim.patient.theta import baseline
    from sim.preparation import Preparation

    hashes = []
    for given in ({}, baseline(84)):
        preparation = Preparation(Patient(), SEED)
        for name, value in given.items():
            preparation.give(name, 0.0, value)
        preparation.give("velocity", 0.3, (150.0, 0.0))
        shown = preparation.advance_s(2.0)
        hashes.append(hashlib.sha256(b"".join(shown[k].tobytes() for k in sorted(shown))).hexdigest()[:12])
    yield holds("VP", "outputs of 2 s with every pathology off, against the baseline's", hashes[0], hashes[1],
                hashes[0] == hashes[1], source="identity; seed 3")  # fmt: skip


def privileged() -> Iterator[Row]:
    """No decoder may see what no sensor measures."""
    from bmi.errors import ContractError
    from sim.patient.patient import Patient
    from sim.patient.world import STREAMS, stream

    patient, refused = Patient(), 0
    hidden = [p.name for p in patient.outputs if not p.sensed]
    for name in hidden:
        try:
            stream(patient, "m1", name, "spikes", 0.01)
        except ContractError:
            refused += 1
    yield holds("VP", "privileged outputs refused as a stream", f"{len(hidden)} of {len(hidden)}",
                f"{refused} of {len(hidden)}", refused == len(hidden), source="typed ports")  # fmt: skip
    sensed = {p.name for p in patient.outputs if p.sensed}
    told = sum(output in sensed for output, _ in STREAMS.values())
    yield holds("VP", "streams that a sensor measures", f"{len(STREAMS)} of {len(STREAMS)}",
                f"{told} of {len(STREAMS)}", told == len(STREAMS), source="typed ports")  # fmt: skip


def relay() -> Iterator[Row]:
    """Healthy basal ganglia pass on what is intended as if they were not there."""
    from sim.patient.patient import Patient
    from sim.patient.statistics import measured

    ratios = []
    for seed in (1, 2, 3):
        found = [measured(Patient(probes=None, ganglia=g), seed, {})[0]["modulation"] for g in _relays()]
        ratios.append(found[0] / found[1])
    mean = float(np.mean(ratios))
    yield holds("VP", "modulation of spikes by intention, healthy basal ganglia / none, 3 seeds", "1 ± 0.02",
                f"{mean:.4f}", abs(mean - 1.0) <= 0.02, source="consistency across scales")  # fmt: skip


def _relays() -> tuple[Any, None]:
    from sim.basal_ganglia import BasalGanglia

    return BasalGanglia(), None


def _effect(name: str) -> Check:
    return Check("VP", f"slow parameter {name}", 10.0, lambda: effects(name))


SLOW = ("nav11", "dopamine_loss", "ampa", "nmda", "gaba", "gaba_decay", "amyloid", "tau", "lesion", "excitability",
        "mu_amplitude", "survival", "snr", "impedance", "dead", "turnover")  # fmt: skip
"""Every parameter of theta; a test compares."""
CHECKS = (
    Check("VP", "pathology off", 4.0, pathology_off),
    Check("VP", "privileged outputs", 1.0, privileged),
    Check("VP", "healthy relay", 30.0, relay),
    *(_effect(name) for name in SLOW),
)
