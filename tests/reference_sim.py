"""The simulated population once more, from its equations, without compilation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import poisson

F64 = npt.NDArray[np.float64]


def tuned_rates(coefficients: F64, velocity: F64) -> F64:
    """Return b + m d·v/v_ref + s |v|/v_ref, (n,), Hz, from rows of (m d / v_ref, s / v_ref, b)."""
    regressors = np.concatenate([velocity, [np.linalg.norm(velocity)], [1.0]])
    return coefficients @ regressors


def poisson_block(
    block: int,
    dt_s: float,
    rates: F64,
    lags: npt.NDArray[np.int64],
    shared: F64,
    uniform: F64,
    n_samples: int,
) -> npt.NDArray[np.float32]:
    """Return counts (n_samples, n) of one block: the Poisson quantile of ``uniform`` at the lagged rates.

    ``rates`` (n_blocks, n) holds the tuned rates of every block since the first, ``lags`` (n,) is in samples.
    """
    counts = np.zeros((n_samples, len(lags)), np.float32)
    for i, lag in enumerate(lags):
        for j in range(n_samples):
            then = (block * n_samples + j - lag) // n_samples
            mean = dt_s * max(0.0, rates[then, i] + shared[i])
            counts[j, i] = poisson.ppf(uniform[j, i], mean)
    return counts
