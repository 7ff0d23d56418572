"""How well reaches went: success, speed, straightness and information, each with its uncertainty and chance.

Every figure is computed from ``TrialResult`` records; those that need the way itself (overshoots, straightness,
smoothness, effective throughput, chance of hitting another target) from trajectories as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bmi.bitrate import difficulty_bit, effective_throughput, grid_bit_rate_interval, throughput_bit_s
from bmi.bootstrap import NOTHING, Estimate, interval, mean, median, share_interval
from bmi.contracts import TrialResult
from bmi.movement import Trajectory, deviation, entries, held, movement, reach
from bmi.signals import F64, AnyArray

__all__ = ["MOVEMENT", "Estimate", "ReachScore", "Trajectory", "path_efficiency", "score", "throughput_bit_s"]

MOVEMENT = {
    "movement_error_mm": "error_mm",
    "movement_offset_mm": "offset_mm",
    "movement_variability_mm": "variability_mm",
} | {
    name: name
    for name in ("axis_crossings", "direction_changes", "orthogonal_changes", "reentries", "overshoot_mm",
                 "peak_speed_mm_s", "peak_s", "smoothness")
}  # fmt: skip
"""Figures of a score that come from the way, and what ``bmi.movement.Movement`` calls them."""
_OTHERS = 64  # goals a way is compared with for chance; of more, this many are drawn


@dataclass(frozen=True, kw_only=True)
class ReachScore:
    """Scores of a set of reaches."""

    n_trials: int
    success: Estimate
    """Share of targets acquired in time, with Wilson's interval: it is wide where trials are few, even if all won."""
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
    """From first entry to the entry that was held (dial-in or orbit time), mean over successful trials."""
    effective_throughput_bit_s: Estimate
    """ISO 9241-411, see ``bmi.bitrate.effective_throughput``: successful trials, end point where the way ends,
    a condition being one width and one bit of difficulty. Of a target that has to be held the end points lie
    inside by rule; compare it only with the same task."""
    movement_error_mm: Estimate
    """Mean distance from the task axis ME; this and the following are means over successful trials, defined in
    ``bmi.movement.Movement``."""
    chance_movement_error_mm: float
    """What movement error would be without intent: that of the same ways to the *other* targets."""
    movement_offset_mm: Estimate
    """Mean signed distance from the task axis MO."""
    movement_variability_mm: Estimate
    """Standard deviation of the distance from the task axis MV."""
    axis_crossings: Estimate
    """Task axis crossings TAC."""
    direction_changes: Estimate
    """Movement direction changes MDC."""
    orthogonal_changes: Estimate
    """Orthogonal direction changes ODC."""
    reentries: Estimate
    """Target re-entries TRE; on successful trials equal to ``overshoots``, which leave by any side."""
    overshoot_mm: Estimate
    """Farthest past the target's far rim."""
    peak_speed_mm_s: Estimate
    """Largest speed."""
    peak_s: Estimate
    """Time of the largest speed, from onset."""
    smoothness: Estimate
    """Spectral arc length, about -1.4 for one stroke."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers for JSON; estimates become ``[value, low, high]``, NaN becomes None."""
        return {k: _plain(v) for k, v in asdict(self).items()}

    def __str__(self) -> str:
        n, chance = self.n_trials, self.chance_success
        lines = [
            f"success          {self.success} of {n} trials; chance {chance:.3g}",
            f"acquisition      {self.acquire_s} s",
            f"path efficiency  {self.path_efficiency}",
            f"throughput       {self.throughput_bit_s} bit/s",
            f"bit rate         {self.bit_rate_bit_s} bit/s; chance 0",
            f"overshoots       {self.overshoots} a trial",
            f"dial-in          {self.dial_in_s} s",
        ]
        if math.isfinite(self.movement_error_mm.value):
            by_chance = self.chance_movement_error_mm
            lines += [
                f"movement error   {self.movement_error_mm} mm; chance {by_chance:.3g}",
                f"smoothness       {self.smoothness}",
            ]
        return "\n".join(lines)


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
    ways = list(trajectories or ())

    def over_won(values: Sequence[float]) -> Estimate:
        """Over successful trials; nothing is known of them without trajectories."""
        known = np.asarray(values if len(values) else [math.nan] * n, np.float64)
        return interval(np.where(won, known, np.nan), seed, n_bootstrap=n_bootstrap)

    moved = [movement(w) for w in ways]
    of_the_way: dict[str, Any] = {k: over_won([getattr(m, f) for m in moved]) for k, f in MOVEMENT.items()}
    return ReachScore(
        n_trials=n,
        success=share_interval(won),
        chance_success=_chance_success(ways, hold_s, seed) if trajectories is not None else 1.0 / n_targets,
        acquire_s=interval(np.where(won, acquire, np.nan), seed, statistic=median, n_bootstrap=n_bootstrap),
        path_efficiency=over_won([path_efficiency(r) for r in results]),
        throughput_bit_s=over_won([throughput_bit_s(r) for r in results]),
        bit_rate_bit_s=_bit_rate(n_targets, won, acquire, elapsed_s, seed, n_bootstrap),
        overshoots=over_won([max(len(entries(w)) - 1, 0) for w in ways]),
        dial_in_s=over_won([m.dial_in_s for m in moved]),
        effective_throughput_bit_s=_effective_throughput(results, ways, seed, n_bootstrap),
        chance_movement_error_mm=_chance_error([w for w, r in zip(ways, results, strict=False) if r.success], seed),
        **of_the_way,
    )  # fmt: skip


def _bit_rate(
    n_targets: int, won: AnyArray, acquire: F64, elapsed_s: float, seed: int, n_bootstrap: int
) -> Estimate:
    """Achieved bit rate; each trial is resampled with its share of the time, what lies between trials included."""
    total = float(acquire.sum())
    if n_targets < 2 or not total > 0.0:
        return NOTHING
    return grid_bit_rate_interval(n_targets, won, acquire * (elapsed_s / total), seed, n_bootstrap=n_bootstrap)


def path_efficiency(trial: TrialResult) -> float:
    """Return the straight way to the target's rim over the way taken, at most 1; NaN if nothing moved."""
    straight = max(trial.distance_mm - 0.5 * trial.width_mm, 0.0)
    return min(straight / trial.path_mm, 1.0) if trial.path_mm > 0 else math.nan


def _effective_throughput(
    results: Sequence[TrialResult], ways: Sequence[Trajectory], seed: int, n_bootstrap: int
) -> Estimate:
    pairs = [(r, w) for r, w in zip(results, ways, strict=False) if r.success and len(w.t)]
    if not pairs:
        return NOTHING
    return effective_throughput(
        np.array([w.position[0] for _, w in pairs]),
        np.array([w.goal for _, w in pairs]),
        np.array([w.position[-1] for _, w in pairs]),
        np.array([r.acquire_s for r, _ in pairs]),
        _conditions([r for r, _ in pairs]),
        seed,
        n_bootstrap=n_bootstrap,
    )


def _conditions(trials: Sequence[TrialResult]) -> AnyArray:
    """Number the trials of one width whose difficulty is within one bit of the easiest, then of the next easiest.

    Reaches do not begin where they were meant to, so nominal distances vary; fixed bins would split a condition
    whose difficulty lies on their edge.
    """
    kinds = [(r.width_mm, difficulty_bit(r.distance_mm, r.width_mm)) for r in trials]
    number = np.zeros(len(kinds), np.int64)
    first, count = (math.nan, 0.0), -1
    for k in sorted(range(len(kinds)), key=kinds.__getitem__):
        if kinds[k][0] != first[0] or kinds[k][1] > first[1] + 1.0:
            first, count = kinds[k], count + 1
        number[k] = count
    return number


def _others(ways: Sequence[Trajectory], seed: int) -> list[tuple[Trajectory, F64]]:
    """Return each way with each goal of another way; of very many goals (random targets) some drawn at random."""
    goals = sorted({tuple(w.goal.tolist()) for w in ways})
    rng = np.random.default_rng(seed)
    pairs = []
    for way in ways:
        others = [g for g in goals if g != tuple(way.goal.tolist())]
        if len(others) > _OTHERS:
            others = [others[k] for k in rng.choice(len(others), _OTHERS, replace=False)]
        pairs += [(way, np.array(g)) for g in others]
    return pairs


def _chance_success(ways: Sequence[Trajectory], hold_s: float, seed: int) -> float:
    hits = [held(way, goal, hold_s) for way, goal in _others(ways, seed)]
    return float(np.mean(hits)) if hits else math.nan


def _chance_error(ways: Sequence[Trajectory], seed: int) -> float:
    """Return the mean distance of each way from the axes to where the others went."""
    errors = []
    for way, goal in _others([w for w in ways if len(w.t)], seed):
        across = deviation(reach(way), goal)[1]
        errors.append(float(np.linalg.norm(across, axis=1).mean()) if across.size else math.nan)
    return float(mean(np.array(errors))) if np.isfinite(errors).any() else math.nan


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
