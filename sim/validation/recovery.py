"""Acceptance figures of stroke and rehabilitation, D-STR.

Effect sizes are design targets of the simulation, not values from the literature. "Proportional recovery" of about
70 % is a setting of ``Stroke`` and no figure here.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from bmi.signals import F64
from sim.validation import Check, Row, between, holds, near

SEEDS, TRIALS = tuple(range(1, 21)), 60
DELAYS_S = (0.0, 0.3, 0.6, 1.0)
SOURCE = "design target, table of models"


def coupling(weights: F64, gain: float) -> F64:
    """Return the correlation (n, n) of noise-driven linear regions, dx = (-x + gain W x) dt + dw."""
    from scipy.linalg import solve_continuous_lyapunov

    n = len(weights)
    covariance = solve_continuous_lyapunov(gain * weights - np.eye(n), -np.eye(n))
    scale = np.sqrt(np.diag(covariance))
    out: F64 = covariance / np.outer(scale, scale)
    return out


def lesions() -> Iterator[Row]:
    """A lesion takes the connectivity its tracts carried.

    In a linear network the correlation of two regions is gain (w_ij + w_ji) / 2 plus terms of the square of the gain;
    Richardson's extrapolation to no gain leaves the first.
    """
    from sim.brain.generated import generated
    from sim.disease.stroke import lesioned

    weights = generated(n=40, seed=1).weights
    region = int(weights.sum(1).argmax())
    to = weights[region] > 0.0
    worst = 0.0
    for loss in (0.2, 0.5, 0.8):
        lesion = np.zeros(40)
        lesion[region] = loss
        drops = []
        for gain in (1e-3, 5e-4, 2.5e-4):
            before, after = (coupling(w, gain)[region, to] for w in (weights, lesioned(weights, lesion)))
            drops.append(1.0 - after / before)
        first, second = (2.0 * b - a for a, b in pairwise(drops))
        worst = max(worst, float(np.abs((4.0 * second - first) / 3.0 - loss).max()))
    what = "linear network of 40 regions, drop of a struck region's correlations less its lesioned weight, largest"
    yield near("D-STR", f"{what} (20, 50, 80 %)", 0.0, worst, 1e-3, source="first order in the gain, Lyapunov equation")
    lesion = np.zeros(40)
    lesion[region] = 1.0
    left = np.abs(np.delete(coupling(lesioned(weights, lesion), 0.1)[region], region)).max()
    yield near("D-STR", "the same, all of its tracts lost: correlations left, largest", 0.0, float(left), 1e-12,
               source="identity")  # fmt: skip


def practice() -> Iterator[Row]:
    """Feedback that answers the attempt against the same feedback at other times."""
    from scipy.optimize import curve_fit
    from scipy.stats import ttest_rel

    from sim.disease.stroke import Rehabilitation

    late, sham, curve = [], [], []
    for seed in SEEDS:
        practised = Rehabilitation(delay_s=0.3).run(seed, n_trials=TRIALS)
        twin = Rehabilitation(contingent=False).run(seed, n_trials=TRIALS, released=practised.released)
        late.append(practised.recovery)
        sham.append(twin.recovery)
        curve.append(practised.gain)
    apart = np.subtract(late, sham)
    spread = np.sqrt(0.5 * (np.var(late, ddof=1) + np.var(sham, ddof=1)))
    effect = float(apart.mean() / spread)
    p = float(ttest_rel(late, sham, alternative="greater").pvalue)
    half = 1.96 * apart.std(ddof=1) / np.sqrt(len(apart))
    about = (
        f"recovery after {TRIALS} attempts, feedback after 0.3 s {np.mean(late):.3f}, sham {np.mean(sham):.3f}, "
        f"difference ±{half:.3f}, {len(SEEDS)} seeds:"
    )
    yield between("D-STR", f"{about} p, paired t", 0.0, 0.01, p, source=SOURCE)
    yield between("D-STR", f"{about} Cohen's d", 0.8, float("inf"), effect, source=SOURCE)
    mean, k = np.mean(curve, axis=0), np.arange(TRIALS + 1.0)

    def rise(k: F64, whole: float, tau: float) -> F64:
        return np.asarray(mean[0] - whole * np.expm1(-k / tau), np.float64)

    fitted, _ = curve_fit(rise, k, mean, p0=(0.5, 40.0), bounds=((0.0, 1.0), (1.0 - mean[0], 1e4)))
    rest = ((mean - rise(k, *fitted)) ** 2).sum() / ((mean - mean.mean()) ** 2).sum()
    what = f"mean recovery curve by attempt, 1 - e^(-k / {fitted[1]:.0f}), share of variance explained"
    yield between("D-STR", what, 0.95, 1.0, float(1.0 - rest), source=SOURCE)
    by_delay = [np.mean([Rehabilitation(delay_s=d).run(s, n_trials=TRIALS).recovery for s in SEEDS[:3]])
                for d in DELAYS_S]  # fmt: skip
    told = ", ".join(f"{x:.2f}" for x in by_delay)
    yield holds("D-STR", "recovery with feedback after 0, .3, .6, 1 s, mean of 3 seeds", "falls", told,
                bool((np.diff(by_delay) < 0.0).all()), source=SOURCE)  # fmt: skip


def days() -> Iterator[Row]:
    """The schedule of a lesion and its recovery."""
    from sim.disease.stroke import Stroke

    stroke = Stroke(n_regions=3, regions=(1,))
    t = np.linspace(0.0, 300.0, 301)
    loss = np.array([np.asarray(stroke.at(stroke.from_day + d)["lesion"])[1] for d in t])
    back = 1.0 - loss / stroke.loss
    off = float(np.abs(back - stroke.recovered * (1.0 - np.exp(-t / stroke.tau_days))).max())
    yield near("D-STR", "recovered share over 300 days, from 1 - e^(-t / tau)", 0.0, off, 1e-12, source="identity")


CHECKS: tuple[Check, ...] = (
    Check("D-STR", "connectivity lost with the tracts", 1.0, lesions),
    Check("D-STR", "contingent feedback against a sham", 20.0, practice),
    Check("D-STR", "recovery over days", 1.0, days),
)
