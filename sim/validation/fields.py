"""Acceptance figures of electrical stimulation: the field of a point, limits that hold, and an axon beside a source.

The axon is the squid's membrane on a cable 10 µm thick and 6 mm long (151 compartments, 35.4 Ω cm) at 18.5 °C, the
temperature of the measurements of conduction; at 6.3 °C chronaxies are longer, 0.85 ms at 100 µm. The source is a point
beside its middle. Pulses are cathodic first; the second phase comes 10 ms later, after the response, as chronaxies are
measured with one phase. They grow with the distance of the source, since the membrane near it is not charged alone:
0.39 ms at 50 µm, 0.48 at 100, 0.67 at 200, beyond 0.7 from about 220 µm on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from bmi.signals import F64, AnyArray
from sim.validation import Check, Row, between, holds, near, stored

DISTANCES_UM = (50.0, 100.0, 200.0)


def field() -> Iterator[Row]:
    """Yield the potential of 1 µA at 100 µm, by formula and by the matrix that stimulation uses."""
    from sim.fields import point_source_mv, transfer_mv_ua

    exact = 1e-6 / (4.0 * math.pi * 0.3 * 100e-6) * 1e3
    matrix = float(transfer_mv_ua(np.array([[60.0, 0.0, 80.0]]), np.zeros((1, 3)), radius_um=5.0)[0, 0])
    for way, v in (("formula", point_source_mv(1.0, 100.0)), ("transfer matrix", matrix)):
        yield near(
            "C7", f"1 µA at 100 µm, 0.3 S/m, {way}", exact, v, 1e-9, unit="mV", relative=True,
            source="V = I / (4 π σ r), identity",
        )  # fmt: skip


def _largest(passes: Callable[[float], bool], low: float, high: float) -> float:
    """Return where, between a value that passes and one that does not, the door closes."""
    while high - low > 1e-7 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if passes(middle) else (low, middle)
    return high


def limits() -> Iterator[Row]:
    """Yield where unbalanced charge and Shannon's k are refused, and what was put out then."""
    from sim.stimulation import Contact, Pulse, UnsafeStimulus
    from sim.stimulator import Stimulator

    def balanced(percent: float) -> bool:
        try:
            Pulse(amplitude_ua=-100.0, width_s=2e-4, second_ua=100.0 - percent, second_width_s=2e-4)
        except UnsafeStimulus:
            return False
        return True

    yield near(
        "C7", "charge that does not return is refused from", 1.0, _largest(balanced, 0.0, 50.0), 1e-5, unit="%",
        source="limit of the house",
    )  # fmt: skip
    contact = Contact(area_cm2=0.06)
    put_out = []

    def admitted(amplitude: float) -> bool:
        stimulator = Stimulator(contact=contact, rate_hz=130.0, width_s=60e-6)
        stimulator.bind(1)
        stimulator.receive("amplitude_ua", np.array(-amplitude))
        try:
            stimulator.step(400)
        except UnsafeStimulus:
            put_out.append(int(stimulator.state()["step"][0]))
            return False
        return True

    k = contact.shannon_k(_largest(admitted, 1.0, 1e6) * 60e-6)
    yield near(
        "C7", "Shannon k is refused from, contact of 0.06 cm²", 1.5, k, 1e-5,
        source="Shannon (1992) IEEE Trans Biomed Eng 39:424, limit of the house",
    )  # fmt: skip
    yield holds(
        "C7", f"steps put out by {len(put_out)} refused settings", "0", str(sum(put_out)), sum(put_out) == 0,
        source="checked before output",
    )  # fmt: skip


def axon_thresholds(a: dict[str, AnyArray], distances_um: tuple[float, ...]) -> F64:
    """Return the thresholds of the stored axon, µA, (n_widths, n_distances), with a source at each distance."""
    from sim.cable import Cable
    from sim.excitability import from_outside, thresholds
    from sim.fields import transfer_mv_ua
    from sim.morphology import Site, cylinder
    from sim.stimulation import Caps, Contact, Pulse, PulseTrain

    x, dt_s = a["x_um"], float(a["dt_s"])
    axon = cylinder(
        length_um=float(a["length_um"]), diameter_um=float(a["diameter_um"]), compartments=len(x),
        ra_ohm_cm=float(a["ra_ohm_cm"]), e_leak_mv=-54.3,
    )  # fmt: skip
    cable = Cable(
        branches=axon, sites=(Site(name="far", branch="cable", at=0.1),), n_cells=len(distances_um),
        celsius=float(a["celsius"]), dt_s=dt_s,
    )  # fmt: skip
    cable.bind(1)
    along = np.c_[x, np.zeros((len(x), 2))]
    sources = np.array([[0.0, d, 0.0] for d in distances_um])
    field_mv_ua = transfer_mv_ua(along, sources, radius_um=5.0, sigma_s_m=float(a["sigma_s_m"])).T
    caps = Caps(amplitude_ua=1000.0, charge_uc=2.0, density_uc_cm2=1e5, rate_hz=100.0, duty=0.5)
    found = []
    for width_s in a["widths_s"]:
        pulse = Pulse(amplitude_ua=-1.0, width_s=float(width_s), gap_s=0.01)
        train = PulseTrain(contact=Contact(area_cm2=2e-5, caps=caps), pulse=pulse, rate_hz=10.0, n_pulses=1)
        fires = from_outside(cable, field_mv_ua, train.current(0.0, round(0.01 / dt_s), dt_s))
        found.append(thresholds(fires, np.full(len(distances_um), 0.5), 1000.0, relative=1e-3))
    return np.array(found)


def strength_duration() -> Iterator[Row]:
    """Yield Weiss curves of an axon beside a point source, and its thresholds against NEURON's."""
    from sim.excitability import fit_weiss

    peer = stored("neuron_extracellular")
    widths = peer.arrays["widths_s"]
    found = axon_thresholds(peer.arrays, DISTANCES_UM)
    for distance, ours in zip(DISTANCES_UM, found.T, strict=True):
        curve, where = fit_weiss(widths, ours), f"axon {distance:g} µm from a point source, 18.5 °C"
        told = "Weiss (1901), I = I_rh (1 + c / PW), 6 widths 0.05 to 1.6 ms"
        yield between("C7", f"r² of the Weiss fit, {where}", 0.99, 1.0, curve.r2, source=told)
        yield between(
            "C7", f"chronaxie, {where}", 50.0, 700.0, 1e6 * curve.chronaxie_s, unit="µs",
            source="fibres: Ranck (1975) Brain Res 98:417",
        )  # fmt: skip
    there = peer.arrays["thresholds_ua"]
    off = float(np.abs(found[:, DISTANCES_UM.index(100.0)] / there - 1.0).max())
    yield near("C7", "thresholds at 100 µm, largest share off", 0.0, off, 0.01, source=peer.source)


def uniform_field() -> Iterator[Row]:
    """Yield how a uniform field polarises the ends of a passive cable."""
    from sim.cable import Cable
    from sim.fields import uniform_mv
    from sim.morphology import Site, cylinder

    peer = stored("neuron_extracellular")
    a, e = peer.arrays, float(peer.arrays["field_v_m"])
    x, length = a["x_um"], float(a["length_um"])
    branches = cylinder(
        length_um=length, diameter_um=float(a["diameter_um"]), compartments=len(x), ra_ohm_cm=float(a["ra_ohm_cm"]),
        g_leak_ms_cm2=1.0, e_leak_mv=-65.0, g_na_ms_cm2=0.0, g_k_ms_cm2=0.0,
    )  # fmt: skip
    cable = Cable(branches=branches, sites=(Site(name="end", branch="cable", at=1.0),))
    cable.bind(1)
    cable.receive("field_mv", uniform_mv(np.c_[x, np.zeros((len(x), 2))], [e, 0.0, 0.0])[None])
    cable.step(4000)
    ours = cable.potentials()[0] + 65.0
    lambda_um = 1e4 * math.sqrt(float(a["diameter_um"]) * 1e-4 / 4.0 / (1e-3 * float(a["ra_ohm_cm"])))
    exact = 1e-3 * e * lambda_um * np.sinh(x / lambda_um) / math.cosh(length / 2.0 / lambda_um)
    yield near(
        "C7", f"passive cable in {e:g} V/m, end", float(exact[-1]), float(ours[-1]), 0.01, unit="mV", relative=True,
        source="E λ sinh(x/λ) / cosh(L/2λ), sealed ends",
    )  # fmt: skip
    off = float(np.abs(ours - a["field_mv"]).max())
    yield near("C7", "the same, largest difference", 0.0, off, 0.001, unit="mV", source=peer.source)


CHECKS: tuple[Check, ...] = (
    Check("C7", "field of a point source", 0.1, field),
    Check("C7", "limits of stimulation", 0.2, limits),
    Check("C7", "strength and duration on an axon beside a source", 5.0, strength_duration),
    Check("C7", "a passive cable in a uniform field", 0.5, uniform_field),
)
