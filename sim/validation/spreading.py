"""Acceptance figures of misfolded proteins and what they do to activity, D-AD1 and D-AD2.

The plain Jansen-Rit model dissociates slowing from hyperactivity: more excitatory gain slows it and lowers its rate
(W6). What raises the rate here, as in the paper, is the loss of inhibition, and it outweighs the gain; no row rests on
the gain alone. Activity is 10 s of 40 simulated regions, the first 2 s left out, at every fourth of 40 years.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bmi.signals import F64, AnyArray
from sim.brain.connectome import Connectome
from sim.disease.alzheimer import Course, Masses
from sim.disease.spreading import Heterodimer, Load
from sim.validation import Check, Row, between, holds, near

RAJ, KPP = "network diffusion, Raj et al. 2012", "logistic equation"
PAPER = "Cabrera-Alvarez et al. 2024"
N, SEEDS, YEARS, EVERY_YEARS, SECONDS, DROPPED_S = 40, (1, 2, 3), 40.0, 4.0, 10.0, 2.0
GAIN, DRIVE_HZ, NOISE_HZ, SPEED_M_S = 20.0, 160.0, 30.0, 15.0
"""Operating point of the healthy brain: alpha near 10 Hz, phase locking that follows the tracts."""
AMYLOID_SEEDS, TAU_SEEDS = ("l.SPL", "l.SMG", "r.SPL", "r.SMG"), ("l.HC", "r.HC")
"""Nearest to precuneus and entorhinal cortex that this coarse brain has."""


def scale_free(n: int, m: int, seed: int) -> F64:
    """Return tracts (n, n) of Barabasi and Albert's kind: each new region joins ``m`` others, the popular rather."""
    rng = np.random.default_rng(seed)
    w = np.zeros((n, n))
    ends = list(range(m))
    for new in range(m, n):
        chosen: set[int] = set()
        while len(chosen) < m:
            chosen.add(int(rng.choice(ends)))
        for old in chosen:
            w[new, old] = w[old, new] = 1.0
        ends += [*chosen, *[new] * m]
    return w


def diffusion() -> Iterator[Row]:
    """Load that only spreads."""
    from scipy.linalg import expm

    from sim.brain.generated import generated
    from sim.disease.spreading import Diffusion, laplacian

    weights = generated(n=84, seed=1).weights
    start = np.random.default_rng(1).random(84)
    model = Diffusion(weights=weights, rate_per_year=0.1)
    lost = max(abs(model.after(start, years).sum() / start.sum() - 1.0) for years in (0.1, 1.0, 10.0, 100.0))
    about = "network diffusion, 84 regions,"
    yield near("D-AD1", f"{about} mass over 0.1 to 100 years, relative change", 0.0, lost, 1e-12, source=RAJ)
    other = expm(-0.1 * laplacian(weights) * 3.0) @ start
    off = float(np.abs(model.after(start, 3.0) - other).max())
    yield near("D-AD1", f"{about} 3 years, from scipy's matrix exponential", 0.0, off, 1e-12, source="scipy expm")
    euler, steps = start.copy(), 100_000
    flow = -0.1 * laplacian(weights) * (3.0 / steps)
    for _ in range(steps):
        euler += flow @ euler
    off = float(np.abs(model.after(start, 3.0) - euler).max())
    yield near("D-AD1", f"{about} 3 years, from Euler's method in {steps} steps", 0.0, off, 2e-6,
               source="table of models")  # fmt: skip


def growth() -> Iterator[Row]:
    """Load that spreads and grows."""
    from sim.disease.spreading import FisherKPP

    pair = np.array([[0.0, 1.0], [1.0, 0.0]])
    model = FisherKPP(weights=pair, rate_per_year=0.7, growth_per_year=0.9)
    found = model.run(np.full(2, 0.01), 1000)
    t = 0.02 * np.arange(1001)
    exact = 1.0 / (1.0 + 99.0 * np.exp(-0.9 * t))
    off = float(np.abs(found - exact[:, None]).max())
    yield near("D-AD1", "Fisher-KPP, two regions alike, 20 years, from the logistic curve", 0.0, off, 1e-12, source=KPP)
    rank = hubs()
    what = (
        "Fisher-KPP, 5 scale-free networks of 60 regions, load at half saturation, mean of every region as the first, "
        "against degree, Spearman's rho"
    )
    yield between("D-AD1", what, 0.5, 1.0, rank, source="table of models, section 11")


def hubs() -> float:
    """Return the rank correlation of load and degree when half of all load is there, mean over 5 networks.

    Load is a region's mean over all places where it may begin: what makes hubs vulnerable is that they are near to
    everywhere. From one seed, distance to it decides, and the correlation is 0.2 to 0.3.
    """
    from scipy.stats import spearmanr

    from sim.disease.spreading import FisherKPP

    found = []
    for seed in range(5):
        weights = scale_free(60, 2, seed)
        model = FisherKPP(weights=weights, rate_per_year=0.02, dt_years=0.1)
        course = np.mean([model.run(0.1 * start, 300) for start in np.eye(60)], axis=0)
        half = int((course.mean(1) < 0.5).sum())
        found.append(float(spearmanr(course[half], weights.sum(0)).statistic))
    return float(np.mean(found))


def proteins() -> Iterator[Row]:
    """Healthy and toxic states of both proteins."""
    from sim.disease.spreading import AMYLOID, Protein

    pair = np.array([[0.0, 1.0], [1.0, 0.0]])
    model = Heterodimer(weights=pair)
    healthy = model.run(model.start(np.zeros(2), np.zeros(2)), 400)
    off = float(np.abs(healthy.amyloid - AMYLOID.healthy).max())
    yield near("D-AD1", "heterodimer, no toxic protein, 20 years, amyloid from production / clearance", 0.0, off, 1e-12,
               source="fixed point")  # fmt: skip
    agreed, worst, cases = 0, 0.0, 0
    for misfolding in (1.5, 2.0, 3.0):
        for cleared in (0.8, 0.9, 1.1, 1.2):
            amyloid = Protein(3.0, 2.5, misfolding, cleared * misfolding * 3.0 / 2.5)
            run = Heterodimer(weights=pair, amyloid=amyloid)
            end = run.run(run.start(np.full(2, 1e-3), np.zeros(2)), 2000).toxic_amyloid[-1]
            cases += 1
            agreed += bool((end > 1e-6).all() == (cleared < 1.0)) and amyloid.invades == (cleared < 1.0)
            worst = max(worst, float(np.abs(end - amyloid.toxic).max()))
    what = "heterodimer, toxic state after 100 years iff misfolding x production / clearance > toxic clearance"
    yield holds("D-AD1", what, f"{cases} of {cases}", f"{agreed} of {cases}", agreed == cases, source="fixed point")
    yield near("D-AD1", "heterodimer, toxic amyloid after 100 years, from its fixed point, largest", 0.0, worst, 1e-6,
               source="fixed point")  # fmt: skip


class Seen(NamedTuple):
    """What one look at activity shows."""

    rate_hz: F64
    peak_hz: float
    """Frequency of the highest power from 1 to 45 Hz, mean over regions."""
    theta: float
    """Power from 4 to 8 Hz as a share of that from 1 to 45 Hz, mean over regions."""
    locking: F64
    """Phase-locking value (8-12 Hz) of every pair of regions."""


def look(brain: Connectome, masses: Masses, seed: int, only: tuple[str, ...] = ()) -> Seen:
    """Return activity with these constants, or with those of them that ``only`` names."""
    from scipy.signal import butter, hilbert, sosfiltfilt, welch

    from sim.brain.jansen_rit import JansenRit

    network = JansenRit(
        connectome=brain, gain=GAIN, drive_hz=DRIVE_HZ, noise_hz=NOISE_HZ, speed_m_s=SPEED_M_S
    )
    network.bind(seed)
    for name, value in masses._asdict().items():
        if not only or name in only:
            network.receive(name, value)
    psp, rate = (x[round(DROPPED_S * 1000) :] for x in network.step(round(SECONDS / network.dt_s)))
    f, power = welch(psp.T, 1000.0, nperseg=2000)
    band = (f >= 1.0) & (f <= 45.0)
    share = power[:, (f >= 4.0) & (f < 8.0)].sum(1) / power[:, band].sum(1)
    phase = hilbert(sosfiltfilt(butter(3, (8.0, 12.0), "band", fs=1000.0, output="sos"), psp, axis=0), axis=0)
    phase /= np.abs(phase)
    locking = np.abs(phase.T @ phase.conj()) / len(phase)
    pairs = np.triu_indices(brain.n, 1)
    peak = float(f[band][power[:, band].argmax(1)].mean())
    return Seen(rate.mean(0), peak, float(share.mean()), locking[pairs])


def started(brain: Connectome) -> tuple[Heterodimer, Load]:
    """Return the proteins of this brain and where they begin."""
    model = Heterodimer(weights=brain.weights)
    maps = np.zeros((2, brain.n))
    maps[0, brain.indices(AMYLOID_SEEDS)] = 0.05 / len(AMYLOID_SEEDS)
    maps[1, brain.indices(TAU_SEEDS)] = 0.005 / len(TAU_SEEDS)
    return model, model.start(*maps)


def followed(brain: Connectome, seed: int) -> tuple[Course, list[Seen], list[Masses]]:
    """Return a closed-loop course and what was seen on the way, the first of it healthy."""
    from sim.disease.alzheimer import ClosedLoop

    seen: list[Seen] = []
    constants: list[Masses] = []

    def rates(masses: Masses) -> AnyArray:
        seen.append(look(brain, masses, seed))
        constants.append(masses)
        return seen[-1].rate_hz

    model, start = started(brain)
    course = ClosedLoop(proteins=model, rates=rates, every_years=EVERY_YEARS).run(start, YEARS)
    return course, seen, constants


def loop() -> Iterator[Row]:
    """The closed loop of proteins and activity."""
    from sim.brain.generated import generated
    from sim.disease.alzheimer import ClosedLoop

    brain = generated(n=N, seed=1)
    model, start = started(brain)
    opened = ClosedLoop(proteins=model, rates=None).run(start, YEARS).load
    alone = model.run(start, round(YEARS / model.dt_years))
    same = all(np.array_equal(a, b) for a, b in zip(opened, alone, strict=True))
    yield holds("D-AD2", "loop open, against D-AD1, every load at every step", "the same bits",
                "the same bits" if same else "other bits", same, source="identity")  # fmt: skip
    falls, rises, explained, hyper, sooner = [], [], [], [], []
    for seed in SEEDS:
        course, seen, constants = followed(brain, seed)
        falls.append(seen[0].peak_hz - seen[-1].peak_hz)
        rises.append(seen[-1].theta / seen[0].theta)
        hyper.append(max(x.rate_hz.mean() for x in seen) / seen[0].rate_hz.mean())
        sooner.append(float((course.load.q_amyloid - alone.q_amyloid).mean()))
        inhibited = [look(brain, masses, seed, ("cip",)).locking for masses in constants]
        whole, part = (np.array(x) - x[0] for x in ([s.locking for s in seen], inhibited))
        explained.append(1.0 - ((whole - part) ** 2).sum() / (whole**2).sum())
    about = f"closed loop, {N} regions, {YEARS:g} years, least of {len(SEEDS)} seeds:"
    yield between("D-AD2", f"{about} fall of the spectral peak, first to last", 1.0, float("inf"), min(falls),
                  unit="Hz", source="table of models")  # fmt: skip
    yield between("D-AD2", f"{about} relative theta, last / first", 1.0, float("inf"), min(rises), unit="x",
                  source="table of models")  # fmt: skip
    what = "share of the change of alpha-band phase locking, all pairs and years, that inhibition alone explains"
    yield between("D-AD2", f"{about} {what}", 0.5, 1.0, min(explained), source=f"{PAPER}, directional")
    yield between("D-AD2", f"{about} highest mean rate / healthy (hyperactivity on the way)", 1.0, float("inf"),
                  min(hyper), unit="x", source=f"{PAPER}, directional")  # fmt: skip
    yield between("D-AD2", f"{about} damage by amyloid, mean over the course, less that of the open loop", 0.0,
                  float("inf"), min(sooner), source=f"{PAPER}, directional")  # fmt: skip


CHECKS: tuple[Check, ...] = (
    Check("D-AD1", "network diffusion", 3.0, diffusion),
    Check("D-AD1", "Fisher-KPP", 3.0, growth),
    Check("D-AD1", "healthy and toxic states", 2.0, proteins),
    Check("D-AD2", "proteins and activity in a closed loop", 25.0, loop),
)
