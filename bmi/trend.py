"""How a figure changes over time: drift over days, and how long calibration takes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bmi.bootstrap import Estimate, Method, resampled
from bmi.errors import ContractError
from bmi.signals import F64, AnyArray


def slope(
    t: Sequence[float] | F64,
    score: Sequence[float] | F64,
    seed: int,
    *,
    level: float = 0.95,
    n_bootstrap: int = 2000,
    method: Method = "percentile",
) -> Estimate:
    """Least-squares slope of a score over time, such as R² lost a day, with its interval over the points.

    Parameters
    ----------
    t : (n,)
        Days, or any other time; sessions are resampled with their day, so nothing is assumed of the residuals.
    score : (n,)
        One a session; NaN are left out.
    seed, level, n_bootstrap, method
        As in ``bmi.bootstrap.resampled``.

    Returns
    -------
    Estimate
        Score per unit of ``t``; its chance level is 0. NaN if all points are of one time.
    """
    x, y = _pair("slope", t, score)
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]

    def figure(points: AnyArray) -> AnyArray:
        a = x[points] - x[points].mean(-1, keepdims=True)
        square = (a * a).sum(-1)
        out: AnyArray = np.divide((a * y[points]).sum(-1), square, out=np.full(len(a), np.nan), where=square > 0)
        return out

    return resampled(figure, len(x), seed, level=level, n_bootstrap=n_bootstrap, method=method)


def asymptote(t_s: Sequence[float] | F64, score: Sequence[float] | F64, *, tail: float = 0.25) -> float:
    """Return what a learning curve comes to: the median score of the last ``tail`` of its time, at least 3 points.

    A curve that still rises there has not arrived; its asymptote is underestimated, and every time to a fraction
    of it with it. ``slope`` of the tail says whether.

    Raises
    ------
    ContractError
        If the tail holds fewer than 3 finite scores.
    """
    t, y = _pair("asymptote", t_s, score)
    if not 0.0 < tail <= 1.0:
        raise ContractError(f"asymptote: tail={tail:g}, expected a share of the time above 0 and up to 1")
    last = y[t >= t[-1] - tail * (t[-1] - t[0])] if len(t) else y
    last = last[np.isfinite(last)]
    if len(last) < 3:
        raise ContractError(
            f"asymptote: {len(last)} scores in the last {100 * tail:g} % of the time, expected 3 or more; "
            "score more often, or give the asymptote"
        )
    return float(np.median(last))


def time_to_fraction(
    t_s: Sequence[float] | F64,
    score: Sequence[float] | F64,
    fraction: float,
    *,
    asymptote_score: float | None = None,
    floor: float = 0.0,
    stay: int = 3,
    tail: float = 0.25,
) -> float:
    """Return when a learning curve has come a fraction of its way, in the unit of ``t_s``.

    Parameters
    ----------
    t_s : (n,)
        Seconds of calibration, rising.
    score : (n,)
        Larger is better; NaN counts as not there.
    fraction : float
        Of the way from ``floor`` to the asymptote, above 0 and up to 1.
    asymptote_score : float, optional
        Where the way ends; by default ``asymptote(t_s, score, tail=tail)``, the median of the last quarter.
        To compare two curves give both the same.
    floor : float
        Where it begins: chance level, 0 for R² and bit rate.
    stay : int
        Consecutive scores that must be there, so that one lucky score does not count; the time is that of the
        first.
    tail : float
        Share of the time that is the asymptote.

    Returns
    -------
    float
        NaN if it is never reached, or if the asymptote is not above the floor.

    Raises
    ------
    ContractError
        If times do not rise, shapes differ, or the fraction is impossible.
    """
    t, y = _pair("time_to_fraction", t_s, score)
    if not 0.0 < fraction <= 1.0:
        raise ContractError(f"time_to_fraction: fraction={fraction:g}, expected above 0 and up to 1")
    if stay < 1:
        raise ContractError(f"time_to_fraction: stay={stay}, expected 1 or more")
    end = asymptote(t, y, tail=tail) if asymptote_score is None else asymptote_score
    if not end > floor:
        return math.nan
    there = np.append(y >= floor + fraction * (end - floor), np.zeros(stay - 1, bool))
    stays = np.lib.stride_tricks.sliding_window_view(there, stay).all(-1)
    return float(t[stays.argmax()]) if stays.any() else math.nan


def _pair(where: str, t: Sequence[float] | F64, score: Sequence[float] | F64) -> tuple[F64, F64]:
    x, y = np.asarray(t, np.float64), np.asarray(score, np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ContractError(f"{where}: expected one score a time, given shapes {x.shape} and {y.shape}")
    if where != "slope" and (np.diff(x) <= 0).any():
        raise ContractError(f"{where}: times must rise; sort the curve first")
    return x, y
