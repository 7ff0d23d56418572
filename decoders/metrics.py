"""How well kinematics were decoded. Time first: ``X`` (true) and ``X_hat`` (decoded) are (n, n_dims)."""

from __future__ import annotations

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F64


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
