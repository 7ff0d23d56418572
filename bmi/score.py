"""How well reaches went: success, speed, straightness and information, each with its uncertainty and chance.

Every figure is computed from ``TrialResult`` records; those that need the way itself (overshoots, dial-in
time, chance of hitting another target) from trajectories as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from bmi.contracts import TrialResult
from bmi.signals import F64, AnyArray


class Trajectory(NamedTuple):
    """The way of one trial, from target onset to its end."""

    t: F64
    """(n,) s."""
    position: F64
    """(n, n_dims) mm."""
    goal: F64
    """(n_dims,) centre of the target, mm."""
    radius_mm: float
    """Acceptance radius."""


class Estimate(NamedTuple):
    """A figure and its 95 % bootstrap interval over trials; NaN where there was nothing to go by."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


@dataclass(frozen=True, kw_only=True)
class ReachScore:
    """Scores of a set of reaches."""

    n_trials: int
    success: Estimate
    """Share of targets acquired in time."""
    chance_success: float
    """What success would be without intent: share of *other* targets the same ways would have acquired; one
    in ``n_targets`` if there are no trajectories."""
    acquire_s: Estimate
    """Median time from onset to the entry that was held, successful trials."""
    path_efficiency: Estimate
    """Straight way to the target's rim over the way taken, at most 1, mean over successful trials."""
    throughput_bit_s: Estimate
    """Fitts: mean of ``log2(D / W + 1) / MT`` over successful trials, *D* from where the reach began to the
    centre, *W* the target's diameter, *MT* the acquisition time. Nominal width, not the effective width of
    ISO 9241-411: end points of a target that has to be held are confined by it."""
    bit_rate_bit_s: Estimate
    """Achieved bit rate ``log2(N - 1) max(S_c - S_i, 0) / t`` (Nuyujukian et al., *IEEE Trans. Biomed. Eng.*
    62:21, 2015); 0 at half success, which is its chance level."""
    overshoots: Estimate
    """Times the target was left again, mean over successful trials."""
    dial_in_s: Estimate
    """From first entry to the entry that was held, mean over successful trials."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers for JSON; estimates become ``[value, low, high]``, NaN becomes None."""
        return {k: _plain(v) for k, v in asdict(self).items()}

    def __str__(self) -> str:
        n, chance = self.n_trials, self.chance_success
        return "\n".join(
            (
                f"success          {self.success} of {n} trials; chance {chance:.3g}",
                f"acquisition      {self.acquire_s} s",
                f"path efficiency  {self.path_efficiency}",
                f"throughput       {self.throughput_bit_s} bit/s",
                f"bit rate         {self.bit_rate_bit_s} bit/s; chance 0",
                f"overshoots       {self.overshoots} a trial",
                f"dial-in          {self.dial_in_s} s",
            )
        )


def score(
    results: Sequence[TrialResult],
    *,
    n_targets: int,
    seed: int,
    elapsed_s: float | None = None,
    trajectories: Sequence[Trajectory] | None = None,
    hold_s: float = 0.3,
    n_bootstrap: int = 2000,
) -> ReachScore:
    """Score reaches.

    Parameters
    ----------
    results : sequence of TrialResult
        Trials of one condition, in order.
    n_targets : int
        Targets to choose among.
    seed : int
        Of the bootstrap.
    elapsed_s : float, optional
        Time all trials took together, pauses included; by default first onset to last acquisition.
    trajectories : sequence of Trajectory, optional
        One a trial, same order.
    hold_s : float
        Time to stay inside, for the chance level.
    n_bootstrap : int
        Resamples of the trials.

    Raises
    ------
    ValueError
        If trajectories and results differ in number.
    """
    n = len(results)
    if trajectories is not None and len(trajectories) != n:
        raise ValueError(f"score: expected one trajectory a trial, given {len(trajectories)} for {n} trials")
    won = np.array([r.success for r in results], bool)
    acquire = np.array([r.acquire_s for r in results], float)
    if elapsed_s is None:
        elapsed_s = results[-1].t_start_s + results[-1].acquire_s - results[0].t_start_s if n else 0.0
    rate = math.log2(max(n_targets - 1, 1)) * n / elapsed_s if elapsed_s > 0 else math.nan
    ways = [_entries(w) for w in trajectories] if trajectories is not None else []
    rng = np.random.default_rng(seed)
    draws = rng.integers(n, size=(n_bootstrap, n)) if n else np.zeros((0, 0), np.intp)

    def mean(values: Sequence[float]) -> Estimate:
        """Over successful trials; nothing is known of them without trajectories."""
        x = np.asarray(values, float)
        return _estimate(np.where(won, x, np.nan) if x.size else x, draws, _mean)

    return ReachScore(
        n_trials=n,
        success=_estimate(won.astype(float), draws, _mean),
        chance_success=_chance(trajectories, hold_s) if trajectories is not None else 1.0 / n_targets,
        acquire_s=_estimate(np.where(won, acquire, np.nan), draws, _median),
        path_efficiency=mean([path_efficiency(r) for r in results]),
        throughput_bit_s=mean([throughput_bit_s(r) for r in results]),
        bit_rate_bit_s=_estimate(
            won.astype(float), draws, lambda w: rate * np.maximum(2.0 * w.mean(-1) - 1.0, 0.0)
        ),
        overshoots=mean([max(len(e) - 1, 0) for e in ways]),
        dial_in_s=mean([e[-1] - e[0] if e else math.nan for e in ways]),
    )


def path_efficiency(trial: TrialResult) -> float:
    """Return the straight way to the target's rim over the way taken, at most 1; NaN if nothing moved."""
    straight = max(trial.distance_mm - 0.5 * trial.width_mm, 0.0)
    return min(straight / trial.path_mm, 1.0) if trial.path_mm > 0 else math.nan


def throughput_bit_s(trial: TrialResult) -> float:
    """Return Fitts' index of difficulty over the movement time; NaN for a reach that took no time."""
    difficulty = math.log2(trial.distance_mm / trial.width_mm + 1.0)
    return difficulty / trial.acquire_s if trial.acquire_s > 0 else math.nan


def _inside(way: Trajectory, goal: F64) -> AnyArray:
    return np.asarray(np.linalg.norm(way.position - goal, axis=1) <= way.radius_mm)


def _entries(way: Trajectory) -> list[float]:
    """Return the times at which the target was entered."""
    inside = _inside(way, way.goal)
    first = inside & ~np.concatenate([[False], inside[:-1]])
    return [float(t) for t in way.t[first]]


def _held(way: Trajectory, goal: F64, hold_s: float) -> bool:
    """Whether the way stays within the radius of ``goal`` for ``hold_s`` somewhere."""
    since = math.nan
    for t, inside in zip(way.t, _inside(way, goal), strict=True):
        since = (t if math.isnan(since) else since) if inside else math.nan
        if t - since >= hold_s - 1e-6:
            return True
    return False


def _chance(trajectories: Sequence[Trajectory], hold_s: float) -> float:
    goals = {tuple(w.goal.tolist()) for w in trajectories}
    hits = [
        _held(w, np.array(goal), hold_s)
        for w in trajectories
        for goal in sorted(goals - {tuple(w.goal.tolist())})
    ]
    return float(np.mean(hits)) if hits else math.nan


def _mean(x: F64) -> AnyArray:
    n = np.isfinite(x).sum(-1)
    total = np.nansum(x, -1)
    mean: AnyArray = np.divide(total, n, out=np.full(np.shape(total), np.nan), where=n > 0)
    return mean


def _median(x: F64) -> AnyArray:
    """Median along the last axis, NaN left out, NaN if nothing is left."""
    n = np.isfinite(x).sum(-1)
    ordered = np.sort(x, -1)  # NaN last
    low = np.take_along_axis(ordered, np.maximum(n - 1, 0)[..., None] // 2, -1)[..., 0]
    high = np.take_along_axis(ordered, np.minimum(n // 2, x.shape[-1] - 1)[..., None], -1)[..., 0]
    return np.where(n > 0, 0.5 * (low + high), np.nan)


def _estimate(x: F64, draws: AnyArray, statistic: Callable[[F64], AnyArray]) -> Estimate:
    if not np.isfinite(x).any():
        return Estimate(math.nan, math.nan, math.nan)
    spread = statistic(x[draws])
    spread = spread[np.isfinite(spread)]
    low, high = np.percentile(spread, [2.5, 97.5]) if spread.size else (math.nan, math.nan)
    return Estimate(float(statistic(x)), float(low), float(high))


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
