"""Acceptance figures of plasticity.

Bimodal is said of weights of which at least 80 % lie in the outer thirds of their range, 20 % or more in each, and of
which the bimodality coefficient (skewness^2 + 1) / kurtosis exceeds that of a uniform distribution, 5/9. Intervals
over seeds are those of Student's t, 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from bmi.signals import F64, AnyArray
from sim.validation import Check, Row, between, holds, near, stored

if TYPE_CHECKING:
    from sim.plasticity import PairRule

SONG = "Song, Miller & Abbott (2000)"
GRAUPNER = "Graupner & Brunel (2012)"


def pair_kernel() -> Iterator[Row]:
    """Two spikes 10 ms apart; then many, against the sum over all pairs."""
    from sim.plasticity import PairRule, replay

    rule = PairRule()
    one = np.array([[100, 0]])
    for post, target, what in (
        (200, rule.a_plus * math.exp(-0.5), "weight change, post 10 ms after pre"),
        (0, -rule.a_minus * math.exp(-0.5), "weight change, post 10 ms before pre"),
    ):
        w = replay(rule, one, np.array([post]), np.array([0.5]), n_blocks=4)
        source = f"identity A e^-1/2; {SONG}; float64"
        yield near("M6", what, target, float(w[-1, 0] - 0.5), 1e-9, source=source)
    pre, post_steps = trains(seed=1)
    w = replay(rule, pre, post_steps, np.full(20, 0.5), n_blocks=500)
    gap = np.abs(w[-1] - 0.5 - all_pairs(rule, pre, post_steps, 20)).max()
    source = "identity: sum over all pairs of spikes, 20 synapses, 5 s; float64"
    yield near("M6", "traces less all-pairs sum, largest", 0.0, float(gap), 1e-12, source=source)


def trains(seed: int) -> tuple[AnyArray, AnyArray]:
    """Return 5 s of Poisson arrivals at 20 synapses and of spikes, on steps of 0.1 ms."""
    rng = np.random.default_rng(seed)
    return np.argwhere(rng.random((50_000, 20)) < 1e-3), np.flatnonzero(rng.random(50_000) < 1e-3)


def all_pairs(rule: PairRule, pre: AnyArray, post: AnyArray, n: int) -> F64:
    """Return each synapse's change as the sum over all pairs of spikes; equal times potentiate."""
    total = np.zeros(n)
    for j in range(n):
        lag_s = (post[:, None] - pre[pre[:, 1] == j, 0][None, :]) * 1e-4
        later = rule.a_plus * np.exp(-np.abs(lag_s) / rule.tau_plus_s)
        earlier = -rule.a_minus * np.exp(-np.abs(lag_s) / rule.tau_minus_s)
        total[j] = np.where(lag_s >= 0.0, later, earlier).sum() * rule.high
    return total


def brian() -> Iterator[Row]:
    """Compare with Brian2 on the same spike trains, which hit both bounds."""
    from sim.plasticity import PairRule, Reward, replay

    arrays, told = stored("brian2_stdp"), stored("brian2_stdp").source
    a = arrays.arrays
    rule = PairRule(a_plus=float(a["a_plus"]), a_minus=float(a["a_minus"]), tau_plus_s=float(a["tau_s"]),
                    tau_minus_s=float(a["tau_s"]))  # fmt: skip
    reward = Reward(tau_eligibility_s=float(a["tau_eligibility_s"]), tau_dopamine_s=float(a["tau_dopamine_s"]))
    lines = np.rint(a["at_s"] / 0.010).astype(int)
    first = np.full(a["pair_w"].shape[1], 0.5)
    for what, of, weights in (("pair STDP", None, "pair_w"), ("reward-modulated STDP", reward, "modulated_w")):
        released = a["reward"] if of else None
        w = replay(rule, a["pre"], a["post"], first, n_blocks=1000, reward=of, released=released)
        gap = float(np.abs(w[lines] - a[weights]).max())
        yield near("M6", f"{what}, 30 synapses, 10 s: largest difference", 0.0, gap, 1e-9, source=told)


def competition() -> Iterator[Row]:
    """A neuron with 1000 Poisson inputs of 10 Hz, from equal weights, three seeds."""
    from scipy.stats import kurtosis, skew

    from sim.plastic import Plastic

    outer, least, coefficient, irregular = [], [], [], []
    for seed in (1, 2, 3):
        neuron = Plastic()
        neuron.bind(seed)
        for _ in range(13):
            neuron.step(1_000_000)
        spikes, _ = neuron.step(2_000_000)
        w = neuron.w / neuron.pairs.high
        low, high = float((w < 1 / 3).mean()), float((w > 2 / 3).mean())
        outer.append(low + high)
        least.append(min(low, high))
        coefficient.append(float((skew(w) ** 2 + 1.0) / kurtosis(w, fisher=False)))
        intervals = np.diff(spikes[:, 0])
        irregular.append(float(intervals.std() / intervals.mean()))
    after = "1000 Poisson inputs of 10 Hz, 1500 s, least of 3 seeds"
    yield between("M6", f"weights in the outer thirds; {after}", 0.8, 1.0, min(outer), source=SONG)
    yield between("M6", f"weights in the emptier outer third; {after}", 0.2, 0.5, min(least), source=SONG)
    what = f"bimodality coefficient (uniform: 5/9); {after}"
    yield between("M6", what, 5 / 9, 1.0, min(coefficient), source=SONG)
    yield between("M6", f"CV of intervals, last 200 s; {after}", 0.7, math.inf, min(irregular), source=SONG)


def rewarded() -> Iterator[Row]:
    """Two patterns told apart by reward alone, ten seeds; and taught by a coin."""
    from sim.reward_learning import TwoClasses

    seeds = range(1, 11)
    runs = [TwoClasses().run(seed) for seed in seeds]
    before, after = (np.array([getattr(r, k) for r in runs]) for k in ("before", "after"))
    coin = np.array([TwoClasses(honest=False).run(seed).after for seed in seeds])
    source = "Izhikevich (2007), Frémaux et al. (2010)"
    chance = "0.5 within the interval"
    tests = "share right in 100 trials without learning, 10 seeds"
    yield holds("M6", f"R-STDP before: {tests}", chance, told(before), astride(before), source=source)
    least = f"R-STDP after 300 trials, least of seeds: {tests}"
    yield between("M6", least, 0.8, 1.0, float(after.min()), source=source)
    yield holds("M6", f"R-STDP after 300 trials: {tests}", "interval above 0.8", told(after),
                interval(after)[0] > 0.8, source=source)  # fmt: skip
    yield holds("M6", f"control, rewarded by a coin: {tests}", chance, told(coin), astride(coin), source=source)


def conditioned() -> Iterator[Row]:
    """Site B stimulated after the spikes of A, ten seeds a delay."""
    from sim.conditioning import Conditioning

    source = "direction: Jackson, Mavoori & Fetz (2006)"
    for delay_s, raised, what in (
        (0.020, True, "20 ms after A's spikes"),
        (0.200, False, "200 ms after A's spikes"),
        (None, False, "never"),
    ):
        runs = [Conditioning(delay_s=delay_s).run(seed) for seed in range(1, 11)]
        change = np.array([r.after[0, 1] - r.before[0, 1] for r in runs])
        passed = interval(change)[0] > 0.0 if raised else interval(change)[0] <= 0.0
        target = "raised (interval above 0)" if raised else "not raised"
        yield holds("M6", f"A to B weight, B stimulated {what}, 120 s, 10 seeds", target, told(change), passed,
                    source=source)  # fmt: skip


def calcium() -> Iterator[Row]:
    """Graupner and Brunel's synapse beside Brian2, and with noise beside the paper's closed form."""
    from sim.calcium_rule import CalciumRule

    a, told = stored("brian2_calcium").arrays, stored("brian2_calcium").source
    seconds, quiet = float(a["seconds"]), CalciumRule(sigma=0.0)
    pairs_s = np.arange(0.2, seconds - 0.2, 0.5)
    trains_s = [(pairs_s, pairs_s + lag_s) for lag_s in a["lags_s"]] + [(a["random_pre_s"], a["random_post_s"])]
    gap = 0.0
    for i, (pre_s, post_s) in enumerate(trains_s):
        rho = quiet.evolve(np.array([0.0, 1.0]), pre_s, post_s, seconds=seconds, rng=np.random.default_rng(1))
        gap = max(gap, float(np.abs(rho - [a["from_weak"][i], a["from_strong"][i]]).max()))
    what = "calcium rule without noise, seven lags and random trains, 5 s: largest difference (its steps: 0.02 ms)"
    yield near("M6", what, 0.0, gap, 1e-4, source=told)
    rule, pairs_s = CalciumRule(), np.arange(60) + 0.1
    source = f"identity: averaged Ornstein-Uhlenbeck process, {GRAUPNER}, double well left out"
    for lag_s, what in ((-0.030, "post 30 ms before pre"), (0.010, "post 10 ms after pre")):
        rho = rule.evolve(np.zeros(2000), pairs_s, pairs_s + lag_s, seconds=60.0, rng=np.random.default_rng(2))
        mean, _ = rule.expected(0.0, lag_s, n_pairs=60, period_s=1.0)
        yield near("M6", f"calcium rule, efficacy after 60 pairs, {what}", mean, float(rho.mean()), 0.02, source=source)
    ends = [rule.expected(0.5, lag_s, n_pairs=60, period_s=1.0)[0] for lag_s in (-0.020, 0.020)]
    yield holds("M6", "calcium rule, DP: efficacy from 0.5 after 60 pairs at -20 and +20 ms", "below, above 0.5",
                f"{ends[0]:.3f}, {ends[1]:.3f}", ends[0] < 0.5 < ends[1], source=GRAUPNER)  # fmt: skip


def interval(values: F64) -> tuple[float, float]:
    """Return the 95 % interval of the mean over seeds."""
    from scipy.stats import t

    half = float(t.ppf(0.975, len(values) - 1)) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()) - half, float(values.mean()) + half


def told(values: F64) -> str:
    """Return mean and interval."""
    low, high = interval(values)
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"


def astride(values: F64) -> bool:
    """Return whether the interval holds chance, 0.5."""
    low, high = interval(values)
    return low <= 0.5 <= high


CHECKS: tuple[Check, ...] = (
    Check("M6", "pair STDP: two spikes, all pairs", 1.0, pair_kernel),
    Check("M6", "pair and reward-modulated STDP beside Brian2", 1.0, brian),
    Check("M6", "competition of 1000 inputs", 18.0, competition),
    Check("M6", "learning from reward", 13.0, rewarded),
    Check("M6", "spike-triggered stimulation", 6.0, conditioned),
    Check("M6", "calcium rule", 1.0, calcium),
)
