"""Acceptance figures of cables: how fast spikes travel, how potentials fade, which silent spines change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from bmi.signals import F64
from sim.validation import Check, Row, between, holds, near, stored

if TYPE_CHECKING:
    from sim.morphology import Branch, Site

CABLE_UM, RADIUS_UM = 80e3, 238.0
RALL = "Rall (1959), finite cable with a soma: analytic identity"


def speed_m_s(compartments: int, dt_s: float) -> float:
    """Return the speed of a spike along the squid's axon at 18.5 °C, between two fifths and three fifths, m/s."""
    from sim.cable import Cable
    from sim.morphology import Site, cylinder

    sites = tuple(Site(name=f"{at:g}", branch="cable", at=at) for at in (0.0, 0.4, 0.6))
    branches = cylinder(length_um=CABLE_UM, diameter_um=2 * RADIUS_UM, compartments=compartments, ra_ohm_cm=35.4)
    cable = Cable(branches=branches, sites=sites, dt_s=dt_s, celsius=18.5, voltage_hz=1 / dt_s)
    cable.bind(0)
    cable.receive("current_na", np.array([[30e3, 0.0, 0.0]]))
    cable.step(round(0.0005 / dt_s))
    cable.receive("current_na", np.zeros((1, 3)))
    _, volts = cable.step(round(0.006 / dt_s))
    times = [dt_s * crossing(volts[:, 0, k].astype(np.float64)) for k in (1, 2)]
    places = cable.tree.distance_um[[cable.tree.compartment("cable", at) for at in (0.4, 0.6)]]
    return float(np.diff(places)[0] * 1e-6 / np.diff(times)[0])


def crossing(v: F64) -> float:
    """Return when ``v`` first rises through 0, in rows; NaN if it never does."""
    up = np.flatnonzero((v[1:] > 0) & (v[:-1] <= 0))
    return float(up[0] - v[up[0]] / (v[up[0] + 1] - v[up[0]])) if len(up) else np.nan


def propagation() -> Iterator[Row]:
    """Yield the speed of a spike along the squid's axon, and how far it depends on the grid."""
    n, dt_s = 640, 1.25e-6
    coarse, fine = speed_m_s(n, dt_s), speed_m_s(2 * n, dt_s / 2)
    what = "propagation speed, radius 238 µm, Ra 35.4 Ω cm, 18.5 °C"
    yield between("M1", f"{what}; dx 125 µm, dt 1.25 µs", 18.7, 18.8, coarse, unit="m/s",
                  source="Hodgkin & Huxley (1952): 18.8 m/s; NEURON")  # fmt: skip
    change = 100 * abs(fine / coarse - 1)
    yield between("M1", "its change when dx and dt are halved", -np.inf, 1.0, change, unit="%", source="convergence")


def as_neuron() -> Iterator[Row]:
    """Yield how far the squid's cable is from NEURON's."""
    from sim.cable import Cable
    from sim.morphology import Site, cylinder

    given = stored("neuron_cable")
    sites = tuple(Site(name=f"{at:g}", branch="cable", at=at) for at in (0.005, 0.505, 0.995))
    branches = cylinder(length_um=2000, diameter_um=2, compartments=100, e_leak_mv=-54.3)
    cable = Cable(branches=branches, sites=sites, voltage_hz=2000)
    cable.bind(0)
    cable.receive("current_na", np.array([[0.3, 0.0, 0.0]]))
    spikes, volts = cable.step(40_000)
    theirs = given.arrays["straight"][1:]
    apart = float(np.abs(volts[: len(theirs), 0] - theirs).max())
    yield near("M1", "spikes at the far end of a cable of 100 compartments, 1 s", float(given.arrays["spikes"]),
               len(spikes), 0, source=given.source)  # fmt: skip
    yield between("M1", "greatest difference of its potentials in 60 ms, dt 0.025 ms", -np.inf, 0.1, apart, unit="mV",
                  source=f"{given.source}, exact rates")  # fmt: skip


def attenuation() -> Iterator[Row]:
    """Yield Rall's attenuations along a dendrite with a soma, beside the formula and NEURON."""
    from sim.cable import resistances
    from sim.morphology import Branch, grow

    soma = Branch(name="soma", length_um=20, diameter_um=20)
    dendrite = Branch(name="dendrite", length_um=500, diameter_um=1, compartments=401, parent="soma", at=0.5)
    # Its end itself, not the middle of the last compartment: a piece so short that it has no membrane to speak of.
    end = Branch(name="end", length_um=1e-6, diameter_um=1, parent="dendrite")
    tree = grow((soma, dendrite, end))
    tip = tree.compartment("end", 1.0)
    from_soma, from_tip = resistances(tree, 0), resistances(tree, tip)
    ours = from_soma[tip] / from_soma[0], from_tip[0] / from_tip[tip]
    length_cm, d_cm, rm, ra = 500e-4, 1e-4, 10e3, 100.0
    span = length_cm / np.sqrt(d_cm / 4 * rm / ra)
    load = (np.pi * (20e-4) ** 2 / rm) / (np.pi / 2 * d_cm**1.5 / np.sqrt(rm * ra))
    rall = 1 / np.cosh(span), 1 / (np.cosh(span) + load * np.sinh(span))
    given = stored("neuron_cable")
    for k, (way, printed) in enumerate((("soma to tip", 0.64805), ("tip to soma", 0.40270))):
        yield near("M7", f"attenuation from {way}, L = {span:.3g}, B = {load:.3g}", printed, ours[k], 5e-6, source=RALL)
        yield near("M7", f"attenuation from {way}, 401 compartments, against the formula", rall[k], ours[k], 2e-7,
                   source=RALL)  # fmt: skip
        yield near("M7", f"attenuation from {way}, 401 compartments in both", float(given.arrays["attenuation"][k]),
                   ours[k], 1e-7, source=f"{given.source}, Impedance")  # fmt: skip
    yield from either_side(np.array([resistances(tree, x) for x in range(tip)]), 1, tip)


def either_side(resistance: F64, start: int, end: int) -> Iterator[Row]:
    """Compare, for an input at each place between, what arrives as far out as in: every distance both sides have."""
    least, pairs, right = np.inf, 0, 0
    for x in range(start + 1, end - 1):
        far = min(x - start, end - 1 - x)
        distal = resistance[x, x + 1 : x + far + 1] / resistance[x, x]
        proximal = resistance[x, x - far : x][::-1] / resistance[x, x]
        pairs, right = pairs + far, right + int((proximal < distal).sum())
        least = min(least, float(distal.min()))
    yield holds(
        "M7", "input at every x < L: proximal V / V(x) below distal V / V(x), at every equal distance",
        f"{pairs} of {pairs} pairs", f"{right} of {pairs}; distal V / V(x) at least {least:.3f}", right == pairs,
        source=RALL,
    )  # fmt: skip


def branching() -> tuple[tuple[Branch, ...], tuple[Site, ...]]:
    """Return branches and sites of a cell with two like pairs of dendrites; the cluster lies on one pair's stem."""
    from sim.morphology import Branch, Site

    def piece(name: str, length: float, diameter: float, n: int, parent: str = "trunk", at: float = 1.0) -> Branch:
        return Branch(name=name, length_um=length, diameter_um=diameter, compartments=n, parent=parent, at=at)

    branches = [
        piece("soma", 20, 20, 1, ""), piece("rest", 600, 6, 12, "soma", 0.5), piece("trunk", 20, 2, 2, "soma", 0.5)
    ]  # fmt: skip
    sites = [Site(name="cluster", branch="active", at=0.7)]
    for stem in ("active", "sibling"):
        branches.append(piece(stem, 80, 1, 8))
        for twig in "ab":
            branches.append(piece(f"{stem}-{twig}", 80, 0.8, 8, stem))
            sites += [Site(name=f"{stem}-{twig}-{at}", branch=f"{stem}-{twig}", at=at) for at in (0.1, 0.5, 0.9)]
    sites += [Site(name=f"sibling-proximal-{at}", branch="sibling", at=at) for at in (0.1, 0.3, 0.5, 0.7, 0.9)]
    return tuple(branches), tuple(sites)


def heterosynaptic() -> Iterator[Row]:
    """Yield which silent spines a plateau on a proximal branch takes across the upper threshold."""
    from sim.cable import Cable
    from sim.heterosynaptic import CalciumThresholds

    branches, sites = branching()
    cable = Cable(branches=branches, sites=sites)
    names = np.array([s.name for s in cable.sites])
    distal = np.char.startswith(names, "active-")
    proximal = np.char.startswith(names, "sibling-proximal")
    rule = CalciumThresholds()
    for cluster_us in (0.03, 0.1):
        cable.bind(0)
        cable.receive("nmda_us", np.where(names == "cluster", cluster_us, 0.0)[None])
        _, volts = cable.step(4000)
        top = rule.calcium(volts[:, 0], 1e-3).max(0)
        crossed, others = top[distal] > rule.theta_p, top[proximal] > rule.theta_p
        yield holds(
            "M7", f"NMDA plateau of {1e3 * cluster_us:g} nS, 100 ms, on a proximal branch: silent spines whose calcium "
            f"crosses θP = {rule.theta_p:g}", "at least 1 distal, no sibling-proximal",
            f"{int(crossed.sum())} of {distal.sum()} distal (calcium up to {top[distal].max():.2f}), "
            f"{int(others.sum())} of {proximal.sum()} sibling-proximal (up to {top[proximal].max():.2f})",
            bool(crossed.any() and not others.any()),
            source="Moldwin, Kalmenson & Segev (2023), qualitative; passive cell and thresholds our own",
        )  # fmt: skip


CHECKS: tuple[Check, ...] = (
    Check("M1", "a spike along the squid's axon", 3.0, propagation),
    Check("M1", "the squid's cable as in NEURON", 2.0, as_neuron),
    Check("M7", "attenuation towards the tip and towards the soma", 2.0, attenuation),
    Check("M7", "silent spines beside a plateau", 2.0, heterosynaptic),
)
