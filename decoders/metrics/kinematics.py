"""How well kinematics were decoded. Time first: ``X`` (true) and ``X_hat`` (decoded) are (n, n_dims)."""

from __future__ import annotations

import numpy as np

from bmi.bootstrap import Estimate, resampled
from bmi.errors import ContractError
from bmi.signals import F64, AnyArray


def _pair(X: F64, X_hat: F64) -> tuple[F64, F64]:
    X, X_hat = np.asarray(X, dtype=np.float64), np.asarray(X_hat, dtype=np.float64)
    if X.ndim != 2 or X.shape != X_hat.shape or len(X) < 2:
        raise ContractError(f"metrics: expected two equal (n >= 2, n_dims) arrays, given {X.shape} and {X_hat.shape}")
    return X, X_hat


def r2(X: F64, X_hat: F64) -> F64:
    """Coefficient of determination per dimension, (n_dims,): 1 - residual / total sum of squares.

    1 is perfect, 0 is as good as the mean, below 0 worse; NaN where the truth never varies.
    """
    X, X_hat = _pair(X, X_hat)
    total = ((X - X.mean(axis=0)) ** 2).sum(axis=0)
    return 1.0 - ((X - X_hat) ** 2).sum(axis=0) / np.where(total > 0, total, np.nan)


def r2_mean(X: F64, X_hat: F64) -> float:
    """Mean coefficient of determination of the dimensions, each counting the same; constant ones are left out."""
    each = r2(X, X_hat)
    known = each[np.isfinite(each)]
    return float(known.mean()) if known.size else float("nan")


def r2_weighted(X: F64, X_hat: F64) -> float:
    """Coefficient of determination over all dimensions, each weighted by its variance."""
    X, X_hat = _pair(X, X_hat)
    total = ((X - X.mean(axis=0)) ** 2).sum()
    return float(1.0 - ((X - X_hat) ** 2).sum() / total) if total > 0 else float("nan")


def cc(X: F64, X_hat: F64) -> F64:
    """Pearson correlation per dimension, (n_dims,), blind to gain and offset; NaN where either is constant."""
    X, X_hat = _pair(X, X_hat)
    a, b = X - X.mean(axis=0), X_hat - X_hat.mean(axis=0)
    norm = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return (a * b).sum(axis=0) / np.where(norm > 0, norm, np.nan)


def rmse(X: F64, X_hat: F64) -> F64:
    """Root mean square error per dimension, (n_dims,), in the unit of ``X``."""
    X, X_hat = _pair(X, X_hat)
    return np.sqrt(((X - X_hat) ** 2).mean(axis=0))


def r2_interval(X: F64, X_hat: F64, groups: AnyArray, seed: int, *, n_bootstrap: int = 2000) -> Estimate:
    """Variance-weighted coefficient of determination with its 95 % interval over trials.

    Samples of one trial are no independent witnesses: whole trials are resampled, and the total variance of each
    resample is taken about its own mean, as in ``r2_weighted``.

    Parameters
    ----------
    X, X_hat : (n, n_dims)
        True and decoded.
    groups : (n,)
        Which trial each sample belongs to.
    seed, n_bootstrap
        As in ``bmi.bootstrap.resampled``.
    """
    X, X_hat = _pair(X, X_hat)
    labels, which = np.unique(np.asarray(groups), return_inverse=True)
    if which.shape != (len(X),):
        raise ContractError(f"r2_interval: expected one group a sample, given shape {np.shape(groups)} for {len(X)}")
    n = len(labels)
    count = np.bincount(which, minlength=n).astype(np.float64)
    residual = np.bincount(which, ((X - X_hat) ** 2).sum(axis=1), n)
    X = X - X.mean(axis=0)  # sums of squares far from 0 lose digits
    square = np.bincount(which, (X**2).sum(axis=1), n)
    total = np.stack([np.bincount(which, x, n) for x in X.T], axis=1)

    def figure(trials: AnyArray) -> F64:
        middle = (total[trials].sum(axis=1) ** 2).sum(axis=1) / count[trials].sum(axis=1)
        spread = square[trials].sum(axis=1) - middle
        return 1.0 - residual[trials].sum(axis=1) / np.where(spread > 0, spread, np.nan)

    return resampled(figure, n, seed, n_bootstrap=n_bootstrap)
