"""Information through the interface: achieved bit rate of selections, Fitts throughput of reaches."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bmi.bootstrap import NOTHING, Estimate, Method, _check, _draw, _estimate, resampled
from bmi.contracts import TrialResult
from bmi.errors import ContractError
from bmi.signals import F64, AnyArray

WIDTH_PER_SD = 4.133
"""Width that holds 96 % of normally distributed end points: sqrt(2 pi e) standard deviations."""
FEWEST_ENDPOINTS = 3
"""A condition with fewer has no effective width."""
_ROUNDING = 1e-9  # of the distance: end points closer together than this are one point


def grid_bit_rate(n_targets: int, correct: int, wrong: int, seconds: float) -> float:
    """Achieved bit rate, bit/s: ``log2(N - 1) max(S_c - S_i, 0) / t``.

    Every wrong selection costs a right one to undo it, hence the difference; one of the ``N`` targets is the
    undo, hence ``N - 1`` (Nuyujukian et al., *IEEE Trans. Biomed. Eng.* 62:21, 2015). Its chance level is 0: a
    guesser is wrong at least as often as right for every ``N >= 2``. Two targets carry nothing by this measure.

    Parameters
    ----------
    n_targets : int
        Selectable targets ``N``, at least 2.
    correct, wrong : int
        Selections.
    seconds : float
        Time they took together, pauses included; NaN is returned for none.

    Raises
    ------
    ContractError
        If a count is impossible.
    """
    _check_targets(n_targets)
    if correct < 0 or wrong < 0 or seconds < 0:
        raise ContractError(
            f"grid_bit_rate: expected counts and seconds of at least 0, given {correct}, {wrong} and {seconds:g} s"
        )
    return math.log2(n_targets - 1) * max(correct - wrong, 0) / seconds if seconds > 0 else math.nan


def grid_bit_rate_interval(
    n_targets: int,
    correct: Sequence[bool] | AnyArray,
    seconds: Sequence[float] | F64,
    seed: int,
    *,
    level: float = 0.95,
    n_bootstrap: int = 2000,
    method: Method = "percentile",
) -> Estimate:
    """Achieved bit rate with its interval over selections, each resampled together with the time it took.

    Parameters
    ----------
    n_targets : int
        Selectable targets.
    correct : (n,) bool
        Whether each selection was right.
    seconds : (n,)
        From the selection before (from the start, for the first).
    seed, level, n_bootstrap, method
        As in ``bmi.bootstrap.resampled``.
    """
    _check_targets(n_targets)
    right, took = np.asarray(correct, bool), np.asarray(seconds, np.float64)
    if right.ndim != 1 or right.shape != took.shape or (took < 0).any():
        raise ContractError(
            f"grid_bit_rate_interval: expected one time of at least 0 s a selection, given shapes {right.shape} "
            f"and {took.shape}"
        )
    gain = np.where(right, 1.0, -1.0)

    def rate(trials: AnyArray) -> AnyArray:
        net, t = np.maximum(gain[trials].sum(-1), 0.0), took[trials].sum(-1)
        out: AnyArray = np.divide(net, t, out=np.full(len(t), np.nan), where=t > 0)
        return math.log2(n_targets - 1) * out

    return resampled(rate, len(right), seed, level=level, n_bootstrap=n_bootstrap, method=method)


def throughput_bit_s(trial: TrialResult) -> float:
    """Return Fitts' index of difficulty over the movement time; NaN for a reach that took no time."""
    return difficulty_bit(trial.distance_mm, trial.width_mm) / trial.acquire_s if trial.acquire_s > 0 else math.nan


def difficulty_bit(distance_mm: float, width_mm: float) -> float:
    """Return Fitts' index of difficulty in Shannon's form, ``log2(D / W + 1)``, bit."""
    return math.log2(distance_mm / width_mm + 1.0)


def effective_throughput(
    start: F64,
    goal: F64,
    end: F64,
    movement_s: F64,
    condition: AnyArray,
    seed: int,
    *,
    level: float = 0.95,
    n_bootstrap: int = 2000,
) -> Estimate:
    """Throughput by what was done rather than asked, bit/s: mean over conditions of ``log2(D_e / W_e + 1) / MT``.

    In each condition (one nominal distance and width) end points are projected on the task axis; ``W_e`` is 4.133
    standard deviations (``n - 1``) of their deviation from the target, ``D_e`` the mean distance covered along
    the axis, ``MT`` the mean movement time (ISO 9241-411; Soukoreff & MacKenzie, *Int. J. Hum.-Comput. Stud.*
    61:751, 2004). Selections that missed belong in it: they widen ``W_e``.

    A condition with fewer than 3 end points, whose end points do not spread, or on average end behind the start,
    has no figure and is left out; NaN if none is left. There is no chance level.

    Few end points underestimate their spread and flatter the throughput: with normal end points by 0.19 bit in
    conditions of 5, 0.05 in those of 12, 0.03 in those of 20. So does each resample; the interval is therefore
    the reflected one (trials resampled within their condition, ``2 value - percentile``). In 400 simulated
    experiments each it held the truth in 98, 93 and 93 %, the percentile interval in 13, 72 and 71 %.

    Parameters
    ----------
    start, goal, end : (n, n_dims) float64
        Where each reach began, its target's centre, and where it was when it was selected, mm.
    movement_s : (n,) float64
        Movement times.
    condition : (n,)
        Label of each reach's condition.
    seed, level, n_bootstrap
        As in ``bmi.bootstrap.resampled``.

    Raises
    ------
    ContractError
        If the arrays do not match.
    """
    _check(level, n_bootstrap, "percentile")
    start, goal, end = (np.asarray(x, np.float64) for x in (start, goal, end))
    took, labels = np.asarray(movement_s, np.float64), np.asarray(condition)
    n = len(start)
    if start.ndim != 2 or not start.shape == goal.shape == end.shape or not took.shape == labels.shape == (n,):
        shapes = [x.shape for x in (start, goal, end, took, labels)]
        raise ContractError(f"effective_throughput: expected three (n, n_dims) arrays and two of (n,), given {shapes}")
    covered, length = _along(start, goal, end)
    strata = [np.flatnonzero((labels == label) & (length > 0)) for label in np.unique(labels)]

    def rate(trials: AnyArray, shrunk: float = 1.0) -> AnyArray:
        return _effective(covered[trials], length[trials], took[trials], shrunk)

    strata = [g for g in strata if len(g) >= FEWEST_ENDPOINTS and math.isfinite(rate(g[None])[0])]
    if not strata:
        return NOTHING
    # The variance of n points drawn with replacement from n is short of theirs by (n - 1) / n on average.
    rng = np.random.default_rng(seed)
    spread = [
        _draw(lambda i, g=g: rate(g[i], (len(g) - 1) / len(g)), len(g), n_bootstrap, rng)  # type: ignore[misc]
        for g in strata
    ]
    value = float(np.mean([rate(g[None])[0] for g in strata]))
    plain = _estimate(value, np.mean(spread, axis=0), level, None)
    return Estimate(value, max(2.0 * value - plain.high, 0.0), 2.0 * value - plain.low)


def _along(start: F64, goal: F64, end: F64) -> tuple[F64, F64]:
    """Return how far each reach came along its task axis, NaN without one, and how long the axis is, mm."""
    axis = goal - start
    length = np.linalg.norm(axis, axis=1)
    covered = np.full(len(start), np.nan)
    np.divide(((end - start) * axis).sum(1), length, out=covered, where=length > 0)
    return covered, length


def _effective(covered: F64, length: F64, took: F64, shrunk: float) -> AnyArray:
    """Return the throughput of each row of end points; NaN where they do not spread or go nowhere."""
    width = WIDTH_PER_SD * np.sqrt((covered - length).var(-1, ddof=1) / shrunk)
    distance, seconds = covered.mean(-1), took.mean(-1)
    known = (width > _ROUNDING * length.mean(-1)) & (distance > 0) & (seconds > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(known, np.log2(distance / width + 1.0) / seconds, np.nan)


def _check_targets(n_targets: int) -> None:
    if n_targets < 2:
        raise ContractError(f"bit rate: n_targets={n_targets}, expected at least 2 to choose among")
