"""Whether a decoder is as sure as it should be: its covariances against its errors.

``X`` (n, n_dims) is true, ``mean`` (n, n_dims) decoded, ``cov`` (n_dims, n_dims) or (n, n_dims, n_dims) what the
decoder says of its error. Errors of neighbouring samples are alike: intervals of these figures resample trials
(``bmi.bootstrap.cluster_interval`` of ``nees`` or ``inside``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import gammaincinv

from bmi.errors import ContractError
from bmi.signals import F64, AnyArray

LEVELS = (0.5, 0.9, 0.95)


def nees(X: F64, mean: F64, cov: F64) -> F64:
    """Normalised estimation error squared of each sample, (n,): ``e' P^-1 e``.

    On average ``n_dims`` if the covariance is right, more if the decoder is too sure of itself (Bar-Shalom, Li &
    Kirubarajan, *Estimation with Applications to Tracking and Navigation*, 2001, section 5.4).

    Raises
    ------
    ContractError
        If shapes differ or a covariance is not positive definite.
    """
    return _nees(*_checked(X, mean, cov))


def nees_bounds(n: int, n_dims: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return where the mean NEES of ``n`` independent samples lies with probability ``level`` if all is right."""
    if n < 1 or n_dims < 1 or not 0 < level < 1:
        raise ContractError(f"nees_bounds: expected n, n_dims >= 1 and 0 < level < 1, given {n}, {n_dims}, {level:g}")
    low, high = (_chi2(p, n * n_dims) / n for p in (0.5 - 0.5 * level, 0.5 + 0.5 * level))
    return low, high


def nll(X: F64, mean: F64, cov: F64) -> float:
    """Mean negative log-likelihood of the truth under the decoder's Gaussian, nat a sample; smaller is better.

    It depends on the unit of ``X``: compare decoders of the same kinematics, never across units.
    """
    X, mean, cov = _checked(X, mean, cov)
    log_det = np.linalg.slogdet(cov)[1]
    return float(0.5 * (X.shape[1] * np.log(2 * np.pi) + log_det + _nees(X, mean, cov)).mean())


def inside(X: F64, mean: F64, cov: F64, level: float) -> AnyArray:
    """Return whether the truth lies in the ellipsoid that should hold it with probability ``level``, (n,) bool."""
    if not 0 < level < 1:
        raise ContractError(f"inside: level={level:g}, expected between 0 and 1, such as 0.95")
    X, mean, cov = _checked(X, mean, cov)
    return _nees(X, mean, cov) <= _chi2(level, X.shape[1])


def coverage(X: F64, mean: F64, cov: F64, levels: Sequence[float] = LEVELS) -> F64:
    """Share of samples whose truth lies in the ellipsoid of each level, (n_levels,); calibrated if equal to it."""
    return np.array([inside(X, mean, cov, level).mean() for level in levels])


def _chi2(probability: float, dof: int) -> float:
    return float(2.0 * gammaincinv(0.5 * dof, probability))


def _nees(X: F64, mean: F64, cov: F64) -> F64:
    error = X - mean
    return np.einsum("ij,ij->i", error, np.linalg.solve(cov, error[..., None])[..., 0])


def _checked(X: F64, mean: F64, cov: F64) -> tuple[F64, F64, F64]:
    X, mean, cov = (np.asarray(a, np.float64) for a in (X, mean, cov))
    one = X.shape[1:] * 2
    if X.ndim != 2 or not len(X) or X.shape != mean.shape or cov.shape not in (one, (len(X), *one)):
        raise ContractError(
            "posterior: expected X and mean (n, n_dims), cov (n_dims, n_dims) or (n, n_dims, n_dims), "
            f"given {X.shape}, {mean.shape} and {cov.shape}"
        )
    cov = np.broadcast_to(cov, (len(X), *one))
    good = np.isfinite(X).all(axis=1) & np.isfinite(mean).all(axis=1) & np.isfinite(cov).all(axis=(1, 2))
    good[good] = np.linalg.eigvalsh(cov[good])[:, 0] > 0
    if not good.all():
        raise ContractError(
            f"posterior: sample {int(good.argmin())} is not finite or its covariance not positive definite; "
            "leave out samples where the decoder abstained"
        )
    return X, mean, cov
