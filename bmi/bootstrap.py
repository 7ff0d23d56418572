"""How sure a figure is: bootstrap intervals over trials, over seeds and the trials in them, and over pairs; and
Wilson's interval of a share.

What is resampled must be independent: trials, selections, sentences, seeds; never the samples of one trial.
Everything follows from the seed. Percentile intervals by default, BCa on request (Efron & Tibshirani, *An
Introduction to the Bootstrap*, 1993, chapters 13 and 14). With fewer than about ten values either is too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F64, AnyArray

Method: TypeAlias = Literal["percentile", "bca"]
Statistic: TypeAlias = Callable[[F64], AnyArray]
"""(..., n) values to (...) figures, along the last axis."""
Figure: TypeAlias = Callable[[AnyArray], AnyArray]
"""(m, k) numbers of trials to (m,) figures, one a row."""

_CELLS = 1 << 21  # numbers drawn at once: bounds the memory of long sessions, changes no draw


class Estimate(NamedTuple):
    """A figure and its bootstrap interval, 95 % unless said otherwise; NaN where there was nothing to go by."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


NOTHING = Estimate(math.nan, math.nan, math.nan)
"""Where there was nothing to go by."""


def mean(x: F64) -> AnyArray:
    """Mean along the last axis, NaN left out, NaN if nothing is left."""
    n = np.isfinite(x).sum(-1)
    total = np.nansum(x, -1)
    out: AnyArray = np.divide(total, n, out=np.full(np.shape(total), np.nan), where=n > 0)
    return out


def median(x: F64) -> AnyArray:
    """Median along the last axis, NaN left out, NaN if nothing is left."""
    n = np.isfinite(x).sum(-1)
    ordered = np.sort(x, -1)  # NaN last
    low = np.take_along_axis(ordered, np.maximum(n - 1, 0)[..., None] // 2, -1)[..., 0]
    high = np.take_along_axis(ordered, np.minimum(n // 2, x.shape[-1] - 1)[..., None], -1)[..., 0]
    return np.where(n > 0, 0.5 * (low + high), np.nan)


def resampled(
    figure: Figure,
    n: int,
    seed: int,
    *,
    level: float = 0.95,
    n_bootstrap: int = 2000,
    method: Method = "percentile",
) -> Estimate:
    """Interval of any figure of ``n`` independent trials.

    Parameters
    ----------
    figure : callable
        Takes (m, k) trial numbers and returns (m,) figures, one for each row, for any k. Resamples for which
        it has none (NaN) are left out.
    n : int
        Trials.
    seed : int
        Of the resampling.
    level : float
        Of the interval.
    n_bootstrap : int
        Resamples.
    method : {"percentile", "bca"}
        BCa corrects bias and skew. It leaves out each trial in turn, so its cost grows with ``n**2``, and it is
        no better for figures that jump, such as a median.

    Raises
    ------
    ContractError
        If level, number of resamples or method make no sense.
    """
    _check(level, n_bootstrap, method)
    value = float(figure(np.arange(n)[None])[0]) if n else math.nan
    if not math.isfinite(value):
        return NOTHING
    spread = _draw(figure, n, n_bootstrap, np.random.default_rng(seed))
    left_out = _jackknife(figure, n) if method == "bca" and n > 1 else None
    return _estimate(value, spread, level, left_out)


def interval(
    values: Sequence[float] | F64,
    seed: int,
    *,
    statistic: Statistic = mean,
    level: float = 0.95,
    n_bootstrap: int = 2000,
    method: Method = "percentile",
) -> Estimate:
    """Interval of a statistic of ``values`` (n,), one a trial (or one a seed); see ``resampled``.

    NaN are trials without this figure (no acquisition time where nothing was acquired): they are drawn like the
    others, and the statistics here leave them out.
    """
    x = np.asarray(values, np.float64)
    if x.ndim != 1:
        raise ContractError(f"interval: expected one value a trial, given shape {x.shape}; reshape or average first")
    return resampled(
        lambda trials: statistic(x[trials]), len(x), seed, level=level, n_bootstrap=n_bootstrap, method=method
    )


def share_interval(won: Sequence[bool] | AnyArray, *, level: float = 0.95) -> Estimate:
    """Share of trials won, with Wilson's score interval (*J. Am. Stat. Assoc.* 22:209, 1927).

    No bootstrap: where all were won, every resample says so again, and four of four would look certain.

    Parameters
    ----------
    won : (n,) bool
        One a trial.
    level : float
        Of the interval.
    """
    _check(level, 1, "percentile")
    n, k = len(won), int(np.count_nonzero(won))
    if not n:
        return NOTHING
    z2 = NormalDist().inv_cdf(0.5 + 0.5 * level) ** 2
    centre, half = k + 0.5 * z2, math.sqrt(z2 * (k * (n - k) / n + 0.25 * z2))
    low, high = (centre - half) / (n + z2), (centre + half) / (n + z2)
    return Estimate(k / n, low if k else 0.0, high if k < n else 1.0)  # exact where rounding would miss it


def cluster_interval(
    values: Sequence[float] | F64,
    clusters: Sequence[object] | AnyArray,
    seed: int,
    *,
    statistic: Statistic = mean,
    trials: bool = True,
    level: float = 0.95,
    n_bootstrap: int = 2000,
) -> Estimate:
    """Interval of the mean over seeds (subjects, sessions) of a statistic of each one's trials.

    Trials of one seed share its subject and decoder and are not independent: seeds are resampled, then the
    trials within each seed drawn (Saravanan et al., *Neurons Behav. Data Anal. Theory* 3:5, 2020). Every seed
    counts the same, however many trials it has; seeds without a figure are left out.

    Parameters
    ----------
    values : (n,)
        One a trial; NaN where a trial has no such figure.
    clusters : (n,)
        Which seed each belongs to.
    seed : int
        Of the resampling.
    statistic : callable
        Of the trials of one seed.
    trials : bool
        Resample trials as well. That counts the spread within seeds twice, once again in that between them:
        up to 1.41 times too wide where seeds do not differ. False resamples seeds alone.
    level, n_bootstrap
        As in ``resampled``.
    """
    _check(level, n_bootstrap, "percentile")
    x, labels = np.asarray(values, np.float64), np.asarray(clusters)
    if x.ndim != 1 or x.shape != labels.shape:
        raise ContractError(f"cluster_interval: expected one cluster a value, given {labels.shape} for {x.shape}")
    parts = [x[labels == label] for label in np.unique(labels)]
    each = np.array([float(statistic(part)) for part in parts])
    if not np.isfinite(each).any():
        return NOTHING
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(parts), size=(n_bootstrap, len(parts)))
    drawn = each[picks]
    if trials:
        for k, part in enumerate(parts):
            here = picks == k
            drawn[here] = _draw(lambda i, part=part: statistic(part[i]), len(part), int(here.sum()), rng)  # type: ignore[misc]
    return _estimate(float(mean(each)), mean(drawn), level, None)


def ratio_interval(
    a: Sequence[float] | F64,
    b: Sequence[float] | F64,
    seed: int,
    *,
    how: Literal["means", "geometric"] = "means",
    level: float = 0.95,
    n_bootstrap: int = 2000,
    method: Method = "percentile",
) -> Estimate:
    """Interval of ``a / b`` over pairs: how many times B's acquisition time A's is, each seed run with both.

    Pairs are resampled, so what a seed does to both cancels. "B is at least 1.2 times faster than A" is shown by
    ``ratio_interval(seconds_a, seconds_b, seed).low >= 1.2``.

    Parameters
    ----------
    a, b : (n,)
        One figure a seed, same order.
    seed : int
        Of the resampling.
    how : {"means", "geometric"}
        ``sum(a) / sum(b)``, or the geometric mean of the ratios, in which slow seeds weigh no more than others.
    level, n_bootstrap, method
        As in ``resampled``.

    Raises
    ------
    ContractError
        If the pairs do not match, or one has no figure: leaving it out would flatter whoever failed there.
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ContractError(f"ratio_interval: expected pairs, given shapes {x.shape} and {y.shape}")
    bad = np.flatnonzero(~(np.isfinite(x) & np.isfinite(y)))
    if bad.size:
        raise ContractError(
            f"ratio_interval: pair {bad[0]} is {x[bad[0]]:g} and {y[bad[0]]:g}, expected two finite figures; "
            "give a trial that never succeeded its time-out, or say beside the ratio that the seed is left out"
        )
    if how == "geometric":
        if (x <= 0).any() or (y <= 0).any():
            raise ContractError("ratio_interval: a geometric mean needs figures above 0; use how='means'")
        logs = np.log(x / y)
        figure: Figure = lambda pairs: np.exp(logs[pairs].mean(-1))  # noqa: E731
    elif how == "means":
        figure = lambda pairs: _divide(x[pairs].sum(-1), y[pairs].sum(-1))  # noqa: E731
    else:
        raise ContractError(f"ratio_interval: expected how='means' or 'geometric', given {how!r}")
    return resampled(figure, len(x), seed, level=level, n_bootstrap=n_bootstrap, method=method)


def _divide(a: AnyArray, b: AnyArray) -> AnyArray:
    out: AnyArray = np.divide(a, b, out=np.full(np.shape(a), np.nan), where=b != 0)
    return out


def _check(level: float, n_bootstrap: int, method: str) -> None:
    if not 0.0 < level < 1.0:
        raise ContractError(f"bootstrap: level={level:g}, expected between 0 and 1, such as 0.95")
    if n_bootstrap < 1:
        raise ContractError(f"bootstrap: n_bootstrap={n_bootstrap}, expected at least 1")
    if method not in ("percentile", "bca"):
        raise ContractError(f"bootstrap: method={method!r}, expected 'percentile' or 'bca'")


def _draw(figure: Figure, n: int, n_bootstrap: int, rng: np.random.Generator) -> AnyArray:
    """Return ``n_bootstrap`` figures of resampled trials, in pieces; the draws do not depend on the pieces."""
    rows = max(1, _CELLS // n)
    pieces = [
        figure(rng.integers(n, size=(min(rows, n_bootstrap - k), n))) for k in range(0, n_bootstrap, rows)
    ]
    return np.concatenate(pieces) if pieces else np.zeros(0)


def _jackknife(figure: Figure, n: int) -> AnyArray:
    """Return the figure without each trial in turn, (n,)."""
    rows = max(1, _CELLS // n)
    others = np.arange(n - 1)
    pieces = []
    for k in range(0, n, rows):
        out = np.arange(k, min(k + rows, n))[:, None]
        pieces.append(figure(others + (others >= out)))
    return np.concatenate(pieces)


def _estimate(value: float, spread: AnyArray, level: float, left_out: AnyArray | None) -> Estimate:
    spread = spread[np.isfinite(spread)]
    if not spread.size:
        return Estimate(value, math.nan, math.nan)
    tails = (0.5 - 0.5 * level, 0.5 + 0.5 * level)
    if left_out is not None:
        tails = _bca(value, spread, left_out, tails)
    low, high = np.percentile(spread, [100.0 * tails[0], 100.0 * tails[1]])
    return Estimate(value, float(low), float(high))


def _bca(value: float, spread: AnyArray, left_out: AnyArray, tails: tuple[float, float]) -> tuple[float, float]:
    """Move the tails for bias (share of resamples below the value) and skew (third moment of the jackknife)."""
    normal = NormalDist()
    below = float(np.mean(spread < value) + 0.5 * np.mean(spread == value))
    edge = 0.5 / len(spread)
    bias = normal.inv_cdf(min(max(below, edge), 1.0 - edge))
    influence = left_out[np.isfinite(left_out)]
    influence = influence.mean() - influence if influence.size else influence
    most = float(np.abs(influence).max(initial=0.0))
    influence = influence / most if most > 0.0 else influence  # has no scale; the cubes of tiny values would be 0
    square = float((influence**2).sum())
    skew = float((influence**3).sum()) / (6.0 * square**1.5) if square > 0 else 0.0

    def moved(tail: float) -> float:
        z = bias + normal.inv_cdf(tail)
        return normal.cdf(bias + z / (1.0 - skew * z))

    return moved(tails[0]), moved(tails[1])
