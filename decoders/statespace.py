"""Linear-Gaussian state-space models of movement and its neural encoding: parameters and how they are fitted.

    x_t = A x_{t-1} + w,  w ~ N(0, W)        dynamics
    y_t = b + C x_t + q,  q ~ N(0, Q)        encoding

Wu et al. 2006 (Neural Comput 18:80): least squares for A, W, C, Q. Kim et al. 2008 (J Neural Eng 5:455):
velocity states, position integrated. Malik et al. 2011 (IEEE TNSRE 19:25): steady-state gain.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from bmi.errors import ContractError
from bmi.signals import F64, AnyArray


class KalmanParams(NamedTuple):
    """Everything a step needs, derived quantities included, so that a swap costs one copy.

    ``n`` states, ``m`` features; all float64.
    """

    A: F64
    """(n, n) dynamics over one bin."""
    W: F64
    """(n, n) their noise covariance."""
    C: F64
    """(m, n) encoding."""
    Q: F64
    """(m,) variances or (m, m) covariance of the encoding noise."""
    b: F64
    """(m,) baseline, in the features' unit."""
    Qinv: F64
    """Inverse of Q, same shape."""
    G: F64
    """(m, n) Q^-1 C; its transpose turns innovations into information."""
    D: F64
    """(n, n) C' Q^-1 C, information of one bin."""
    M: F64
    """(n, n) steady-state propagation (I - K C) A."""
    K: F64
    """(m, n) transposed steady-state gain."""
    P: F64
    """(n, n) steady-state posterior covariance."""
    dt_s: F64
    """(1,) bin width, s."""


def params_from(A: F64, W: F64, C: F64, Q: F64, b: F64, dt_s: float) -> KalmanParams:
    """Complete A, W, C, Q, b with all that a step needs. Off the live path: about a millisecond."""
    A, W, C, Q, b = (np.ascontiguousarray(a, dtype=np.float64) for a in (A, W, C, Q, b))
    if Q.ndim == 1:
        Qinv = 1.0 / Q
        G = C * Qinv[:, None]
    else:
        factor = cho_factor(Q, lower=True)
        Qinv = cho_solve(factor, np.eye(len(Q)))
        Qinv = 0.5 * (Qinv + Qinv.T)
        G = cho_solve(factor, C)
    D = C.T @ G
    D = 0.5 * (D + D.T)
    P = steady_covariance(A, W, D)
    K = G @ P
    M = A - P @ D @ A
    return KalmanParams(A, W, C, Q, b, Qinv, np.ascontiguousarray(G), D, M, K, P, np.array([dt_s]))


def steady_covariance(A: F64, W: F64, D: F64, tol: float = 1e-13, max_doublings: int = 40) -> F64:
    """Return the posterior covariance after so many steps that its gain no longer changes.

    Structure-preserving doubling (Anderson 1978): the k-th iterate is the prior covariance after 2**k steps
    from rest, so that thousands of Riccati steps take a dozen small solves. What is never observed and never
    forgotten (an integrated position) keeps growing without moving the gain; after 2**15 steps that will do.
    """
    eye = np.eye(len(A))
    F, g, H = A.T.copy(), D.copy(), W.copy()
    P = np.linalg.solve(eye + H @ D, H)
    for k in range(max_doublings):
        S = np.linalg.solve(eye + g @ H, np.hstack([F, g @ F.T]))
        FS, gF = S[:, : len(A)], S[:, len(A) :]
        H = H + F.T @ H @ FS
        g = g + F @ gF
        F = F @ FS
        H, g = 0.5 * (H + H.T), 0.5 * (g + g.T)
        new = np.linalg.solve(eye + H @ D, H)
        new = 0.5 * (new + new.T)
        gain = np.abs((new - P) @ D).max() <= tol * np.abs(new @ D).max()
        whole = np.abs(new - P).max() <= tol * np.abs(new).max()
        P = new
        if gain and (whole or k >= 14):
            break
    return P


def rest_dynamics(order: int, n_dims: int, dt_s: float, tau_s: float, speed: float) -> tuple[F64, F64]:
    """A, W of a movement nobody has seen yet: velocity of deviation ``speed`` that forgets with ``tau_s``.

    States are velocity, then position, then acceleration, ``n_dims`` each; ``order`` counts them.
    """
    d, eye = n_dims, np.eye(n_dims)
    A, W = np.zeros((order * d, order * d)), np.zeros((order * d, order * d))
    a = float(np.exp(-dt_s / tau_s))
    A[:d, :d] = a * eye
    W[:d, :d] = (1 - a * a) * speed**2 * eye
    if order > 1:
        A[d : 2 * d, :d], A[d : 2 * d, d : 2 * d] = dt_s * eye, eye
    if order > 2:
        s = slice(2 * d, 3 * d)
        A[s, :d] = (a - 1) / dt_s * eye  # acceleration is the velocity's own change
        W[s, s] = W[:d, :d] / dt_s**2
        W[s, :d], W[:d, s] = W[:d, :d] / dt_s, W[:d, :d] / dt_s
    return A, W


def kinematic_states(X: F64, order: int, n_dims: int, dt_s: float, groups: AnyArray) -> F64:
    """Return (n, order n_dims) states: velocity, position integrated from 0, causal acceleration, per group.

    ``X`` may hold velocity alone or all states in this order already.
    """
    d = n_dims
    if X.shape[1] == order * d:
        return X
    if X.shape[1] != d:
        raise ContractError(
            f"fit: X has {X.shape[1]} columns; expected {d} (velocity) or {order * d} (velocity, position, …)"
        )
    out = np.zeros((len(X), order * d))
    out[:, :d] = X
    for g in pieces(groups):
        v = X[g]
        out[g, d : 2 * d] = dt_s * (np.nancumsum(v, axis=0) - np.nan_to_num(v))
        if order > 2:
            out[g.start + 1 : g.stop, 2 * d :] = np.diff(v, axis=0) / dt_s
    return out


def pieces(groups: AnyArray) -> list[slice]:
    """Return the slices of contiguous equal group numbers."""
    edges = np.flatnonzero(np.diff(groups)) + 1
    ends = [0, *edges.tolist(), len(groups)]
    return [slice(a, b) for a, b in pairwise(ends) if b > a]


def fit_dynamics(S: F64, order: int, n_dims: int, dt_s: float, groups: AnyArray) -> tuple[F64, F64]:
    """Least-squares A, W of states ``S`` (n, order n_dims) over pairs that cross no seam (Wu 2006).

    Position is kinematics, not statistics: p += v dt exactly, noiseless (Kim 2008).
    """
    d = n_dims
    same = np.asarray(groups[1:] == groups[:-1])
    same &= np.isfinite(S[1:]).all(axis=1) & np.isfinite(S[:-1]).all(axis=1)
    before, after = S[:-1][same], S[1:][same]
    if len(before) < 2 * S.shape[1]:
        raise ContractError(f"fit: {len(before)} usable pairs of bins are too few for {S.shape[1]} states")
    free = np.r_[:d, 2 * d : order * d]
    A, W = rest_dynamics(order, d, dt_s, 1.0, 0.0)
    coef = np.linalg.lstsq(before[:, free], after[:, free], rcond=None)[0]
    rest = after[:, free] - before[:, free] @ coef
    A[np.ix_(free, free)] = coef.T
    W[np.ix_(free, free)] = rest.T @ rest / len(rest)
    return A, W


def fit_encoder(
    Y: F64, S: F64, columns: AnyArray, *, full: bool, shrinkage: float, penalty: float = 0.0
) -> tuple[F64, F64, F64]:
    """Least-squares C (m, n), Q, b of features ``Y`` (n, m) on the ``columns`` of the states ``S``.

    Parameters
    ----------
    full : bool
        Q as covariance (m, m), shrunk toward its diagonal by ``shrinkage`` in [0, 1]; else variances (m,).
    penalty : float
        Ridge on C as a fraction of the states' mean square.

    Notes
    -----
    Variances are floored at 1e-4 of their mean: a channel silent during calibration must not pass for a
    perfect one. Rows with a missing feature count for the other channels only.
    """
    taught = np.isfinite(S).all(axis=1)
    Y, S, m = Y[taught], S[taught], Y.shape[1]
    C, b, rest = np.zeros((m, S.shape[1])), np.zeros(m), np.zeros(Y.shape)
    ok = np.isfinite(Y)
    whole = ok.all(axis=0)
    for chans in [np.flatnonzero(whole), *(np.array([c]) for c in np.flatnonzero(~whole))]:
        rows = slice(None) if len(chans) != 1 else ok[:, chans[0]]
        y, s = Y[rows][:, chans], S[rows][:, columns]
        if len(chans) == 0 or len(y) < len(columns) + 2:
            continue
        mean_y, mean_s = y.mean(axis=0), s.mean(axis=0)
        sc = s - mean_s
        gram = sc.T @ sc
        gram += (penalty * np.trace(gram) / len(columns) + 1e-12) * np.eye(len(columns))
        coef = np.linalg.solve(gram, sc.T @ (y - mean_y))
        C[np.ix_(chans, columns)] = coef.T
        b[chans] = mean_y - mean_s @ coef
        if len(chans) != 1:
            rest[:, chans] = y - b[chans] - s @ coef
        else:
            rest[rows, chans[0]] = (y - b[chans] - s @ coef)[:, 0]
    count = np.maximum(ok.sum(axis=0), 1)
    var = (rest**2).sum(axis=0) / count
    var = np.maximum(var, 1e-4 * var.mean() + 1e-12)
    if not full:
        return C, var, b
    shrinkage = max(shrinkage, m / (m + len(Y)))  # few rows tell little of many covariances
    Q = rest.T @ rest / np.sqrt(np.outer(count, count)) * (1 - shrinkage)
    Q[np.diag_indices(m)] = var
    return C, Q, b
