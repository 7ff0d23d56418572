"""Search for a programme in few trials, each of which costs a patient's time and says less than the truth.

Bayesian optimisation: a Gaussian process is what is believed about all programmes after some have been tried, and the
next trial goes where the improvement to be expected is largest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import ndtr

from bmi.errors import ContractError
from bmi.signals import F64, I64

ROOT5 = 5.0**0.5
JITTER = 1e-10
"""Added to the diagonal as a share of the variance, so that a repeated trial without noise can be solved for."""


class Scales(NamedTuple):
    """What a Gaussian process is given before it sees a value."""

    length: F64
    """(n_axes,) distance over which values are alike, in the axes' units."""
    sd: float
    """Of values about their mean."""
    noise_sd: float
    """Of a trial about its value."""
    mean: float = 0.0


class Process(NamedTuple):
    """A Gaussian process that has seen ``len(x)`` trials."""

    scales: Scales
    x: F64
    """(n, n_axes) where."""
    factor: F64
    """(n, n) lower Cholesky factor of the trials' covariance."""
    weights: F64
    """(n,) that covariance's inverse times the trials, less their mean."""

    def posterior(self, at: F64) -> tuple[F64, F64]:
        """Return mean and standard deviation (m,) of the values, without noise, at the rows of ``at`` (m, n_axes)."""
        cross = covariance(at, self.x, self.scales)
        rest = solve_triangular(self.factor, cross.T, lower=True)
        variance = self.scales.sd**2 - (rest**2).sum(0)
        mean: F64 = self.scales.mean + cross @ self.weights
        return mean, np.sqrt(np.maximum(variance, 0.0))


class Found(NamedTuple):
    """What a search returns and how it came to it."""

    index: int
    """Row of the grid: of those tried the one whose cost is believed lowest."""
    cost: float
    """What is believed of it, noise taken out."""
    cost_sd: float
    """How unsure that is."""
    tried: I64
    """(n,) rows of the grid in the order of the trials."""
    values: F64
    """(n,) what the trials gave, without what was known."""


def covariance(a: F64, b: F64, scales: Scales) -> F64:
    """Return the Matérn 5/2 covariance (n, m) of rows of ``a`` (n, n_axes) and ``b`` (m, n_axes), a scale an axis."""
    r = ROOT5 * np.sqrt((((a[:, None] - b[None]) / scales.length) ** 2).sum(-1))
    found: F64 = scales.sd**2 * (1.0 + r + r**2 / 3.0) * np.exp(-r)
    return found


def condition(x: F64, y: F64, scales: Scales, uneven: F64 | float = 1.0) -> Process:
    """Return the process of ``scales`` that has seen trials ``y`` (n,) at ``x`` (n, n_axes) [1]_.

    The variance of a trial about its value is the noise's times ``uneven``, (n,) or one for all.

    References
    ----------
    .. [1] Rasmussen & Williams (2006) Gaussian processes for machine learning. MIT Press, algorithm 2.1.
    """
    k = covariance(x, x, scales)
    k[np.diag_indices(len(x))] += scales.noise_sd**2 * uneven + JITTER * scales.sd**2
    factor = cholesky(k, lower=True)
    return Process(scales, x, factor, cho_solve((factor, True), y - scales.mean))


def evidence(log_scales: F64, x: F64, y: F64, uneven: F64 | float = 1.0) -> tuple[float, F64]:
    """Return minus the log marginal likelihood of ``y`` (n,), mean 0, and its gradient.

    Parameters
    ----------
    log_scales : (n_axes + 2,) float64
        Natural logarithms of the lengths, the standard deviation and the noise's.
    x, y, uneven : (n, n_axes), (n,) and (n,) float64
        As of ``condition``.
    """
    length, sd, noise_sd = np.exp(log_scales[:-2]), float(np.exp(log_scales[-2])), float(np.exp(log_scales[-1]))
    process = condition(x, y, Scales(length, sd, noise_sd), uneven)
    inverse = cho_solve((process.factor, True), np.eye(len(y)))
    minus = 0.5 * y @ process.weights + np.log(np.diag(process.factor)).sum() + 0.5 * len(y) * np.log(2.0 * np.pi)
    slope = 0.5 * (inverse - np.outer(process.weights, process.weights))
    apart = ((x[:, None] - x[None]) / length) ** 2
    r = ROOT5 * np.sqrt(apart.sum(-1))
    along = (slope * sd**2 * 5.0 / 3.0 * (1.0 + r) * np.exp(-r))[..., None] * apart
    by_sd = 2.0 * (slope * (covariance(x, x, process.scales) + JITTER * sd**2 * np.eye(len(y)))).sum()
    by_noise = 2.0 * noise_sd**2 * (np.diag(slope) * uneven).sum()
    return float(minus), np.array([*along.sum((0, 1)), by_sd, by_noise])


PRIOR = {"length": (0.5, 0.7), "sd": (1.0, 0.7), "noise_sd": (0.1, 1.2)}
"""Median and spread in e-foldings of what scales may be, of axes from 0 to 1 and values of standard deviation 1."""


def fit(x: F64, y: F64, uneven: F64 | float = 1.0) -> Process:
    """Return the process whose scales make trials ``y`` (n,) at ``x`` (n, n_axes), axes from 0 to 1, most likely.

    Marginal likelihood times wide log-normal priors, ``PRIOR``: a handful of trials alone says nothing of some axes.
    """
    mean, spread = float(y.mean()), float(y.std()) or 1.0
    z = (y - mean) / spread
    prior = np.array([PRIOR["length"]] * x.shape[1] + [PRIOR["sd"], PRIOR["noise_sd"]])
    middle, width = np.log(prior[:, 0]), prior[:, 1]

    def lost(at: F64) -> tuple[float, F64]:
        minus, gradient = evidence(at, x, z, uneven)
        pull = (at - middle) / width
        return minus + 0.5 * float(pull @ pull), gradient + pull / width

    bounds = list(zip(middle - 4.0 * width, middle + 4.0 * width, strict=True))
    starts = (middle, middle - width * np.array([1.0] * x.shape[1] + [0.0, 1.0]))
    climbs = (minimize(lost, s, jac=True, method="SLSQP", bounds=bounds, options={"ftol": 1e-9}) for s in starts)
    best = min(climbs, key=lambda m: m.fun)
    *length, sd, noise_sd = np.exp(best.x)
    return condition(x, y, Scales(np.array(length), sd * spread, noise_sd * spread, mean), uneven)


def expected_improvement(mean: F64, sd: F64, best: float) -> F64:
    """Return by how much values of ``mean`` and ``sd`` (m,) are expected to fall below ``best``, 0 where none [1]_.

    References
    ----------
    .. [1] Jones, Schonlau & Welch (1998) Efficient global optimization of expensive black-box functions. J Glob Optim
       13: 455-492.
    """
    gain = best - mean
    u = np.clip(gain / np.maximum(sd, 1e-300), -40.0, 40.0)
    found: F64 = gain * ndtr(u) + sd * np.exp(-0.5 * u**2) / np.sqrt(2.0 * np.pi)
    return np.maximum(found, 0.0)


def search(
    evaluate: Callable[[F64], float], grid: F64, n: int, seed: int, *, known: F64 | None = None,
    features: F64 | None = None, one: float | None = None,
) -> Found:  # fmt: skip
    """Look for the row of ``grid`` with the lowest cost in ``n`` trials.

    The cost is what ``evaluate`` gives, noise taken out, plus what is ``known`` without a trial: how well a programme
    works must be tried, what energy it takes can be computed. The first trials, twice the axes and two, are those rows
    nearest to a Latin hypercube; each further one goes where the expected improvement over the lowest cost believed of
    what was tried is largest [1]_. No row is tried twice: where trials are noisy its neighbours say as much of it.

    Parameters
    ----------
    evaluate : callable
        Takes a row of the grid, (n_axes,), in the grid's units; returns what a trial gave, lower is better.
    grid : (n_rows, n_axes) float64
        Every programme that may be tried or returned.
    n : int
        Trials.
    seed : int
        Of the first trials; the rest follows from what trials give.
    known : (n_rows,) float64, optional
        Cost of each row that needs no trial; nothing at first.
    features : (n_rows, n_features) float64, optional
        In what rows are alike if their effects are; from the least to the largest of each column is one. At first the
        place of each value among its axis's values, so that a grid may be spaced as effects change.
    one : float, optional
        If trials count, as errors are counted: what one count adds to a trial's value. The variance of a trial then
        grows as its count plus one. At first all trials are as noisy.

    Returns
    -------
    Found

    Raises
    ------
    ContractError
        If an array has another shape or is not finite, ``n`` leaves no trial after the first ones or is more than
        there are rows, or a trial gives no finite number.

    References
    ----------
    .. [1] Snoek, Larochelle & Adams (2012) Practical Bayesian optimization of machine learning algorithms. NIPS 25.
    """
    grid = np.asarray(grid, np.float64)
    first = _first(grid, n)
    if one is not None and not one > 0.0:
        raise ContractError(f"search: one is {one:g}, what a single count adds to a trial; expected more than 0")
    steps = _steps(grid)
    offset = np.zeros(len(grid)) if known is None else _rows("known", known, (len(grid),))
    x = steps if features is None else _unit(_rows("features", features, (len(grid), np.shape(features)[-1])))
    tried = _spread(steps, first, seed)
    values = [_trial(evaluate, grid, index) for index in tried]
    while True:
        y = np.array(values)
        mean, sd = fit(x[tried], y, 1.0 if one is None else _unevenness(y, one)).posterior(x)
        mean += offset
        best = min(tried, key=lambda k: mean[k])
        if len(tried) == n:
            return Found(best, float(mean[best]), float(sd[best]), np.array(tried), y)
        gain = expected_improvement(mean, sd, mean[best])
        gain[tried] = -1.0
        tried.append(int(gain.argmax()))
        values.append(_trial(evaluate, grid, tried[-1]))


def _first(grid: F64, n: int) -> int:
    """Return how many trials come first, or raise."""
    if grid.ndim != 2 or not np.isfinite(grid).all():
        raise ContractError(f"search: grid is {grid.shape}, expected (n_rows, n_axes), all finite")
    first = 2 * (grid.shape[1] + 1)
    if not first < n <= len(grid):
        raise ContractError(
            f"search: n is {n}, expected {first + 1} to {len(grid)}: {first} trials are spread over the grid before "
            "any is chosen, and none of its rows is tried twice"
        )
    return first


def _rows(name: str, value: F64, shape: tuple[int, ...]) -> F64:
    array: F64 = np.asarray(value, np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ContractError(f"search: {name} is {array.shape}, expected {shape}, all finite, a row for each of grid")
    return array


def _unevenness(y: F64, one: float) -> F64:
    """Return the variance of each trial in relation to their mean variance."""
    count: F64 = np.maximum(y, 0.0) + one
    return count / count.mean()


def _unit(columns: F64) -> F64:
    """Return columns shifted and scaled to lie between 0 and 1."""
    low, span = columns.min(0), np.ptp(columns, axis=0)
    found: F64 = (columns - low) / np.where(span > 0.0, span, 1.0)
    return found


def _steps(grid: F64) -> F64:
    """Return (n_rows, n_axes) from 0 to 1: the place of each value among its axis's distinct values."""
    return _unit(np.column_stack([np.unique(column, return_inverse=True)[1] for column in grid.T]).astype(np.float64))


def _spread(x: F64, n: int, seed: int) -> list[int]:
    """Return ``n`` different rows of ``x``, those nearest to a Latin hypercube."""
    rng = np.random.default_rng(seed)
    points = (np.column_stack([rng.permutation(n) for _ in range(x.shape[1])]) + rng.random((n, x.shape[1]))) / n
    found: list[int] = []
    for point in points:
        apart = ((x - point) ** 2).sum(1)
        apart[found] = np.inf
        found.append(int(apart.argmin()))
    return found


def _trial(evaluate: Callable[[F64], float], grid: F64, index: int) -> float:
    value = float(evaluate(grid[index].copy()))
    if not np.isfinite(value):
        raise ContractError(f"search: the trial at {grid[index].tolist()} gave {value}, expected a finite number")
    return value
