"""Fisher's linear discriminant, and how much its projection really says."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from bmi.errors import ContractError
from bmi.signals import F64, AnyArray


def discriminant(
    name: str, Y: F64, labels: AnyArray, groups: AnyArray, shrinkage: float, folds: int, lags: int = 0
) -> tuple[F64, F64, float]:
    """Return ``mean``, ``w``, ``b`` such that ``w (y - mean) + b`` is the log-likelihood ratio of the classes, nats.

    The direction is Fisher's, ``S^-1 (mu_1 - mu_0)``, from all rows. Its scale and offset are those of two
    Gaussians of one variance fitted to projections of rows that had no part in their own direction: with few rows
    a feature, projections of the training rows themselves are far apart by construction.

    Parameters
    ----------
    name : str
        Of the decoder, for messages.
    Y : (n, m) float64
        Features; NaN where missing, which counts as the class mean in the covariance and as ``mean`` later.
    labels : (n,) bool
        Class of each row.
    groups : (n,)
        Number of the contiguous piece each row belongs to.
    shrinkage : float
        Of the within-class covariance toward its diagonal, 0 to 1.
    folds : int
        Contiguous parts held out in turn.
    lags : int
        The ratio is divided by the integrated autocorrelation of the projection, up to so many rows: what
        neighbours say again is not counted again. 0 takes every row for new.

    Raises
    ------
    ContractError
        If rows do not match, or a class has fewer than ``2 folds`` rows.
    """
    labels = np.asarray(labels).astype(bool)
    if not len(Y) == len(labels) == len(groups):
        raise ContractError(
            f"{name}.fit: Y, clicked and groups have {len(Y)}, {len(labels)} and {len(groups)} rows; make them equal"
        )
    heard = np.isfinite(Y).any(axis=1)
    Y, labels, groups = Y[heard], labels[heard], groups[heard]
    counts = np.bincount(labels, minlength=2)
    if counts.min() < 2 * folds:
        raise ContractError(
            f"{name}.fit: {counts[1]} rows with a click and {counts[0]} without, expected at least {2 * folds} of "
            "each; record longer"
        )
    fold = _folds(labels, folds)
    x = np.empty(len(Y))
    for k in range(folds):
        mean, w = _direction(Y[fold != k], labels[fold != k], shrinkage)
        x[fold == k] = np.nan_to_num(Y[fold == k] - mean) @ w
    mean, w = _direction(Y, labels, shrinkage)
    low, high = x[~labels].mean(), x[labels].mean()
    rest = x - np.where(labels, high, low)
    variance = (rest @ rest) / (len(x) - 2)
    if not high > low or variance == 0.0:  # nothing that holds beyond the rows it was learned from
        return mean, np.zeros_like(w), 0.0
    slope = (high - low) / variance / inflation(rest, groups, lags)
    return mean, slope * w, float(-slope * 0.5 * (low + high))


def inflation(rest: F64, groups: AnyArray, lags: int) -> float:
    """Return how many neighbouring rows say the same, at least 1: ``1 + 2 sum_k (1 - k / (lags + 1)) rho_k``.

    The sum ends before the first autocorrelation that is not positive (Geyer 1992, Statist. Sci. 7:473).
    """
    total, power = 1.0, float(rest @ rest) / max(len(rest), 1)
    for k in range(1, min(lags, len(rest) - 1) + 1):
        same = groups[k:] == groups[:-k]
        n = int(same.sum())
        rho = float((rest[k:] * rest[:-k])[same].sum()) / (n * power) if n and power > 0 else 0.0
        if rho <= 0.0:
            break
        total += 2.0 * (1.0 - k / (lags + 1)) * rho
    return total


def _folds(labels: AnyArray, folds: int) -> AnyArray:
    """Number contiguous parts, each with its share of both classes."""
    fold = np.empty(len(labels), int)
    for value in (False, True):
        rows = np.flatnonzero(labels == value)
        fold[rows] = np.arange(len(rows)) * folds // len(rows)
    return fold


def _direction(Y: F64, labels: AnyArray, shrinkage: float) -> tuple[F64, F64]:
    """Return the midpoint of the class means and Fisher's direction; features that never vary weigh nothing."""
    means, rests = [], []
    for value in (False, True):
        part = Y[labels == value]
        n = np.isfinite(part).sum(axis=0)
        mu = np.where(n > 0, np.nansum(part, axis=0) / np.maximum(n, 1), np.nan)
        means.append(mu)
        rests.append(np.nan_to_num(part - mu))
    gap = np.nan_to_num(means[1] - means[0])
    mean = np.where(np.isfinite(means[1] - means[0]), 0.5 * (means[0] + means[1]), 0.0)
    rest = np.concatenate(rests)
    S = rest.T @ rest / max(len(rest) - 2, 1)
    d = np.diag(S).copy()
    moves = d > 0
    S = (1.0 - shrinkage) * S + shrinkage * np.diag(d)
    S[np.diag_indices_from(S)] += 1e-9 * max(d.max(initial=0.0), 1e-300)
    w = np.zeros(len(d))
    if moves.any():
        part = S[np.ix_(moves, moves)]
        w[moves] = cho_solve(cho_factor(part, check_finite=False), gap[moves], check_finite=False)
    return mean, w
