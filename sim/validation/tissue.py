"""Acceptance figures of the motor-cortex tissue (C3); what a loss of sodium channels does to it is M2's.

The bounds are design targets of this model, within what motor cortex shows. Every figure holds for each of five seeds,
that is five subjects; the range over them is given. At rest means no intended movement.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bmi.signals import F32, F64
from sim.validation import Check, Row, between, said

if TYPE_CHECKING:
    from sim.circuits.tissue import Tissue

SEEDS = (0, 1, 2, 3, 4)
TARGET = "design target, models' table C3"
BIN_MS = 100
SECOND, BLOCK = 4000, 40
"""Steps."""


def bound(seed: int, **settings: Any) -> Tissue:
    """Return a tissue, ready to run; its default step."""
    from sim.circuits.tissue import Tissue

    tissue = Tissue(**settings)
    tissue.bind(seed)
    return tissue


def each(row: str, what: str, low: float, high: float, values: Sequence[float], *, unit: str = "", source: str) -> Row:
    """Return a row that passes if every value lies within ``low`` and ``high``; it tells their range."""
    worst = max(values, key=lambda v: max(low - v, v - high))
    found = f"{min(values):.3g} to {said(float(f'{max(values):.3g}'), unit)} over {len(values)} seeds"
    return between(row, what, low, high, worst, unit=unit, source=source)._replace(obtained=found)


def at_rest() -> Iterator[Row]:
    """Rates, irregularity and correlations of 30 s at rest, with plasticity."""
    found = []
    for seed in SEEDS:
        tissue = bound(seed)
        tissue.step(SECOND)
        found.append(statistics(tissue.step(30 * SECOND)[1]))
    rates, cvs, fanos, correlations = zip(*found, strict=True)
    yield each("C3", "firing rate, median over neurons", 4.0, 12.0, rates, unit="Hz", source=TARGET)
    yield each("C3", "ISI CV, median over neurons", 0.8, 1.2, cvs, source=TARGET)
    yield each("C3", "Fano factor of counts in 100 ms, median over neurons", 0.8, 1.3, fanos, source=TARGET)
    yield each(
        "C3", "count correlation in 100 ms, mean over pairs of 300 neurons", 0.0, 0.1, correlations, source=TARGET
    )


def statistics(counts: F32) -> tuple[float, float, float, float]:
    """Return median rate, Hz, median ISI CV, median Fano factor and mean count correlation of counts per ms."""
    rates = counts.mean(axis=0) * 1000.0
    binned = counts[: len(counts) // BIN_MS * BIN_MS].reshape(-1, BIN_MS, counts.shape[1]).sum(axis=1, dtype=float)
    fano = np.median(binned.var(axis=0, ddof=1) / binned.mean(axis=0))
    picked = np.random.default_rng(0).permutation(counts.shape[1])[:300]
    correlation = np.corrcoef(binned[:, picked].T)[np.triu_indices(len(picked), 1)].mean()
    cvs = []
    for i in picked:
        intervals = np.diff(np.flatnonzero(counts[:, i]))
        if len(intervals) > 20:
            cvs.append(intervals.std() / intervals.mean())
    return float(np.median(rates)), float(np.median(cvs)), float(fano), float(correlation)


def directions() -> Iterator[Row]:
    """Preferred directions by regression of counts on the velocity intended, which changes every half second."""
    medians, most = [], []
    for seed in SEEDS:
        errors = direction_errors(seed, seconds=200.0)
        medians.append(float(np.median(errors)))
        most.append(float(np.percentile(errors, 90)))
    yield each(
        "C3", "error of preferred directions, median over the tuned neurons of 96 recorded, 200 s of random intended "
        f"velocities (90th percentile {min(most):.2g} to {max(most):.2g})", 0.0, 5.0, medians, unit="degrees",
        source=TARGET + "; truth: the afferent tuning",
    )  # fmt: skip


def direction_errors(seed: int, *, seconds: float, n_dims: int = 2, n_recorded: int = 96) -> F64:
    """Return by how much the preferred direction of each recorded and tuned neuron is missed, degrees."""
    tissue = bound(seed, n_dims=n_dims)
    rng = np.random.default_rng(seed)
    n = round(seconds / 0.5)
    velocity = rng.standard_normal((n, n_dims))
    velocity *= (rng.uniform(100.0, 200.0, n) / np.linalg.norm(velocity, axis=1))[:, None]
    recorded = rng.permutation(tissue.n_neurons)[:n_recorded]
    tuned = recorded[recorded < tissue.anatomy_.n_exc]
    counts = np.empty((n, len(tuned)))
    for k in range(n):
        tissue.receive("velocity", velocity[k])
        counts[k] = tissue.step(SECOND // 2)[1][50:, tuned].sum(axis=0)
    design = np.column_stack([np.ones(n), np.linalg.norm(velocity, axis=1), velocity])
    slopes = np.linalg.lstsq(design, counts, rcond=None)[0][2:].T
    cosine = (slopes * tissue.anatomy_.directions[tuned]).sum(axis=1) / np.linalg.norm(slopes, axis=1)
    errors: F64 = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return errors


def components() -> Iterator[Row]:
    """Principal components of what the population does during reaching."""
    shares = [share_of_components(seed, n_reaches=20) for seed in SEEDS]
    yield each(
        "C3", "variance of population activity in 10 principal components; reaches to 8 targets, mean of 20 each, "
        "smoothed by a Gaussian of 50 ms", 80.0, math.inf, [100.0 * s for s in shares], unit="%", source=TARGET,
    )  # fmt: skip


def share_of_components(seed: int, *, n_reaches: int, n_components: int = 10) -> float:
    """Return the share of variance in the largest components, of rates over 0.9 s of reaching to eight targets."""
    from scipy.ndimage import gaussian_filter1d

    tissue = bound(seed)
    angle = np.arange(8) * np.pi / 4.0
    phase = np.clip((np.arange(90) - 20) / 50.0, 0.0, 1.0)
    speed = 250.0 * 16.0 * phase**2 * (1.0 - phase) ** 2  # minimum-jerk reach of 0.5 s
    total = np.zeros((8, 90, tissue.n_neurons))
    rng = np.random.default_rng(seed)
    for _ in range(n_reaches):
        for g in rng.permutation(8):
            for k in range(90):
                tissue.receive("velocity", speed[k] * np.array([math.cos(angle[g]), math.sin(angle[g])]))
                total[g, k] += tissue.step(BLOCK)[1].sum(axis=0)
    smooth = gaussian_filter1d(total, 5.0, axis=1).reshape(-1, tissue.n_neurons)
    smooth -= smooth.mean(axis=0)
    variance = np.linalg.eigvalsh(smooth @ smooth.T)[::-1]
    return float(variance[:n_components].sum() / variance.sum())


def cost() -> Iterator[Row]:
    """What a second takes, with plasticity under reward, while a velocity is intended."""
    from sim.circuits.tissue import Tissue
    from sim.preparation import Preparation

    run = Preparation(Tissue(), 1)
    run.give("velocity", 0.0, [200.0, 0.0])
    run.give("reward", 0.0, 0.1)
    run.advance_s(1.0)
    took, spikes = [], 0
    for _ in range(1000):
        begin = time.process_time()
        shown = run.advance_s(0.01)
        took.append(time.process_time() - begin)
        spikes += len(shown["spikes"])
    rate = spikes / 10.0 / 1500.0
    yield between("C3", "mean rate during the measurement of cost", 5.0, 15.0, rate, unit="Hz", source="acceptance")
    yield between(
        "C3", "core-seconds a simulated second, 1500 neurons, 150 contacts, plastic, 0.25 ms", -math.inf, 0.15,
        sum(took) / 10.0, unit="s", source="own CPU time of 10 s",
    )  # fmt: skip
    yield between(
        "C3", "block of 10 ms, 99th percentile of 1000", -math.inf, 2.0, 1e3 * float(np.percentile(took, 99)),
        unit="ms", source="own CPU time",
    )  # fmt: skip


CHECKS: tuple[Check, ...] = (
    Check("C3", "motor cortex at rest", 20.0, at_rest),
    Check("C3", "preferred directions", 90.0, directions),
    Check("C3", "principal components", 90.0, components),
    Check("C3", "cost of the tissue", 3.0, cost),
)
