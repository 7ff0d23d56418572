"""Directed connectivity: whose past tells something about whom, beyond what everybody's past tells.

A vector autoregression x(t) = c + Σ_k A_k x(t - k) + e(t) is fitted by least squares; Granger causality, partial
directed coherence and the directed transfer function follow from it. Rows are to, columns from, as in a connectome.
Transfer entropy needs no model, but words to count.

References
----------
.. [1] Lütkepohl (2005) New Introduction to Multiple Time Series Analysis. Springer.
.. [2] Geweke (1984) J Am Stat Assoc 79:907. Conditional Granger causality.
.. [3] Baccalá & Sameshima (2001) Biol Cybern 84:463. Partial directed coherence.
.. [4] Kamiński & Blinowska (1991) Biol Cybern 65:203. Directed transfer function.
.. [5] Schreiber (2000) Phys Rev Lett 85:461. Transfer entropy.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F64, AnyArray
from sim.brain.functional import Complex, real


class Autoregression(NamedTuple):
    """A fitted vector autoregression of n channels and p lags."""

    coefficients: F64
    """(p, n, n): [k, i, j] is what channel j, k + 1 samples ago, adds to channel i."""
    constant: F64
    """(n,)."""
    covariance: F64
    """(n, n) of the residuals, with the degrees of freedom that are left."""
    inverse: F64
    """(n p, n p) inverse of the centred product of the lagged samples: what uncertainty follows from."""
    n_left: int
    """Samples predicted less parameters of an equation."""

    @property
    def spectral_radius(self) -> float:
        """Below 1 if the process is stable."""
        p, n, _ = self.coefficients.shape
        companion = np.eye(n * p, k=-n)
        companion[:n] = self.coefficients.transpose(1, 0, 2).reshape(n, -1)
        return float(np.abs(np.linalg.eigvals(companion)).max())


def autoregression(x: Any, order: int) -> Autoregression:
    """Return the least-squares fit [1]_ to ``x`` (n_samples, n_channels).

    Raises
    ------
    ContractError
        If the order is below 1, there are too few samples for it, or channels depend on each other linearly.
    """
    x = real(x, "autoregression")
    n_all, n = x.shape
    left = n_all - order - (n * order + 1)
    if order < 1 or left < 1:
        raise ContractError(
            f"autoregression: order is {order}, expected at least 1 and fewer than {n_all} samples allow; "
            f"{n} channels need {order * (n + 1) + 2} samples"
        )
    past = np.hstack([x[order - k : n_all - k] for k in range(1, order + 1)])
    now = x[order:]
    past_mean, now_mean = past.mean(0), now.mean(0)
    past, now = past - past_mean, now - now_mean
    gram = past.T @ past
    if np.linalg.matrix_rank(gram, hermitian=True) < len(gram):
        raise ContractError(
            f"autoregression: expected {n} independent channels, given dependent ones (after a common average "
            "reference, for example); leave one out"
        )
    inverse = np.linalg.inv(gram)
    slopes = np.linalg.solve(gram, past.T @ now)
    residual = now - past @ slopes
    return Autoregression(
        coefficients=slopes.reshape(order, n, n).transpose(0, 2, 1).copy(), constant=now_mean - past_mean @ slopes,
        covariance=residual.T @ residual / left, inverse=inverse, n_left=left,
    )  # fmt: skip


class Granger(NamedTuple):
    """Granger causality of each ordered pair given all other channels; rows to, columns from, diagonal 0."""

    strength: F64
    """(n, n) logarithm of how much the residual variance grows without the source's past; 0 if it tells nothing."""
    f: F64
    """(n, n) the F statistic of that source's coefficients being zero."""
    p_value: F64
    """(n, n), 1 on the diagonal; not corrected for the number of pairs."""


def granger(x: Any, order: int) -> Granger:
    """Return conditional Granger causality [2]_ of ``x`` (n_samples, n_channels), from one fit.

    What the residual sum of squares gains when a source's p coefficients b are left out is b' V⁻¹ b, V their block of
    the inverse product matrix, exactly; so no model is fitted again.

    Raises
    ------
    ContractError
        As ``autoregression``.
    """
    from scipy.stats import f as f_distribution

    fit = autoregression(x, order)
    p, n, _ = fit.coefficients.shape
    own = np.diagonal(fit.covariance)
    f = np.zeros((n, n))
    for j in range(n):
        lags = np.arange(p) * n + j
        b = fit.coefficients[:, :, j]
        gain = (b * np.linalg.solve(fit.inverse[np.ix_(lags, lags)], b)).sum(0)
        f[:, j] = gain / p / own
    np.fill_diagonal(f, 0.0)
    strength = np.log1p(f * p / fit.n_left)
    return Granger(strength, f, f_distribution.sf(f, p, fit.n_left))


def _difference(fit: Autoregression, frequencies_hz: Any, rate_hz: float) -> Complex:
    """Return I - Σ A_k e^{-2πi f k / rate}, (n_freqs, n, n)."""
    f = np.atleast_1d(np.asarray(frequencies_hz, np.float64))
    if not (rate_hz > 0.0 and np.isfinite(f).all() and (np.abs(f) <= 0.5 * rate_hz).all()):
        raise ContractError(f"frequencies_hz: expected at most {0.5 * rate_hz:g} Hz, given up to {np.abs(f).max():g}")
    p, n, _ = fit.coefficients.shape
    turn = np.exp(-2j * np.pi * np.outer(f / rate_hz, np.arange(1, p + 1)))
    return np.eye(n) - np.tensordot(turn, fit.coefficients, axes=1)


def partial_directed_coherence(fit: Autoregression, frequencies_hz: Any, rate_hz: float) -> F64:
    """Return how much of a source's outflow goes straight to each target [3]_, (n_freqs, n, n).

    The squares of a column (all targets of one source) add up to 1.
    """
    a = np.abs(_difference(fit, frequencies_hz, rate_hz))
    return np.asarray(a / np.sqrt((a * a).sum(1, keepdims=True)))


def directed_transfer(fit: Autoregression, frequencies_hz: Any, rate_hz: float) -> F64:
    """Return how much of a target's inflow is from each source, by whatever way [4]_, (n_freqs, n, n).

    The squares of a row (all sources of one target) add up to 1.
    """
    h = np.abs(np.linalg.inv(_difference(fit, frequencies_hz, rate_hz)))
    return np.asarray(h / np.sqrt((h * h).sum(2, keepdims=True)))


def transfer_entropy(source: Any, target: Any, *, history: int = 1) -> float:
    """Return what the source's last symbol tells about the target's next, beyond its own past [5]_, bits.

    Counted, so biased upward by some (symbols of source - 1) (of target - 1) (pasts) / (2 n ln 2) bits.

    Parameters
    ----------
    source, target : array of int, shape (n,)
        Symbols, at least 0: spikes in bins, or signals cut into levels.
    history : int
        Of the target's own symbols that are taken as known.

    Raises
    ------
    ContractError
        If the two are not of one length, no symbols, too short, or have too many words to count.
    """
    s, t = np.asarray(source), np.asarray(target)
    if s.shape != t.shape or s.ndim != 1 or len(s) < history + 2 or history < 1:
        raise ContractError(
            f"transfer_entropy: expected two sequences of one length above {history + 1}, given {s.shape} and {t.shape}"
        )
    if s.dtype.kind not in "iub" or t.dtype.kind not in "iub" or int(s.min()) < 0 or int(t.min()) < 0:
        raise ContractError("transfer_entropy: expected symbols, whole numbers of at least 0; cut signals into levels")
    s, t = s.astype(np.int64), t.astype(np.int64)
    n_s, n_t = int(s.max()) + 1, int(t.max()) + 1
    if (words := n_s * n_t ** (history + 1)) > len(s):
        raise ContractError(f"transfer_entropy: {words} words cannot be counted in {len(s)} symbols; take fewer levels")
    past = np.zeros(len(t) - history, np.int64)
    for k in range(history):
        past = past * n_t + t[k : len(t) - history + k]
    counts = np.zeros((n_t, n_t**history, n_s))
    np.add.at(counts, (t[history:], past, s[history - 1 : -1]), 1.0)
    joint = counts / counts.sum()
    return _entropy(joint.sum(2)) + _entropy(joint.sum(0)) - _entropy(joint.sum((0, 2))) - _entropy(joint)


def _entropy(p: AnyArray) -> float:
    kept = p[p > 0.0]
    return float(-(kept * np.log2(kept)).sum())
