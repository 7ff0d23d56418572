"""Click decoders written from the textbooks, in plain NumPy: the twins. Nothing here looks at the kernels."""

from __future__ import annotations

import numpy as np


def likelihood_ratio(Y, mean, w, b):
    """Log of p(y | click) / p(y | none) of Gaussians of one covariance: linear; missing features at their mean."""
    E = np.where(np.isfinite(Y), Y - mean, 0.0)
    return np.where(np.isfinite(Y).any(axis=1), E @ w + b, 0.0)


def smoothed(Y, time_s, dt_s):
    """First-order low-pass of every column, sampled; a missing value leaves it where it was."""
    keep = np.exp(-dt_s / time_s) if time_s > 0 else 0.0
    out, held = [], np.full(Y.shape[1], np.nan)
    for y in Y:
        begun = np.isfinite(held)
        new = np.where(begun, keep * held + (1 - keep) * y, y)
        held = np.where(np.isfinite(y), new, held)
        out.append(held)
    return np.array(out)


def posterior(Y, mean, w, b, prior):
    """Bayes' rule for two classes."""
    odds = np.exp(likelihood_ratio(Y, mean, w, b)) * prior / (1 - prior)
    return odds / (1 + odds)


def forward(Y, mean, w, b, begins, lasts):
    """Rabiner (1989), Proc. IEEE 77:257, eqs. 19-20, normalised at each step: two states, beginning in the first."""
    A = np.array([[1 - begins, begins], [1 - lasts, lasts]])
    alpha, out = np.array([1.0, 0.0]), []
    for ratio in likelihood_ratio(Y, mean, w, b):
        alpha = (alpha @ A) * np.array([1.0, np.exp(ratio)])
        alpha /= alpha.sum()
        out.append(alpha[1])
    return np.array(out)


def fisher(Y, clicked, shrinkage):
    """Return the midpoint of the class means and Fisher's direction (1936), the covariance shrunk to its diagonal."""
    m0, m1 = Y[~clicked].mean(axis=0), Y[clicked].mean(axis=0)
    E = np.vstack([Y[~clicked] - m0, Y[clicked] - m1])
    S = E.T @ E / (len(Y) - 2)
    S = (1 - shrinkage) * S + shrinkage * np.diag(np.diag(S))
    return (m0 + m1) / 2, np.linalg.inv(S) @ (m1 - m0)
