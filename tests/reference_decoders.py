"""Decoders and features written from the papers and textbooks, in plain NumPy, one thing at a time: the twins.

Nothing here looks at the kernels; nothing here is fast.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt, sosfilt_zi


def kalman_step(x, P, y, A, W, C, Q, b):
    """One step of the textbook filter (Kalman 1960): covariance form, rows of missing features left out."""
    x, P = A @ x, A @ P @ A.T + W
    ok = np.isfinite(y)
    if not ok.any():
        return x, P
    Q = np.diag(Q) if Q.ndim == 1 else Q
    C, Q, e = C[ok], Q[np.ix_(ok, ok)], (y - b)[ok]
    S = C @ P @ C.T + Q
    K = np.linalg.solve(S, C @ P).T
    x = x + K @ (e - C @ x)
    J = np.eye(len(x)) - K @ C
    return x, J @ P @ J.T + K @ Q @ K.T


def kalman(Y, A, W, C, Q, b):
    """Filter rows of Y from rest; return means (n, n_states) and covariances (n, n_states, n_states)."""
    x, P = np.zeros(len(A)), np.zeros(A.shape)
    means, covs = [], []
    for y in Y:
        x, P = kalman_step(x, P, y, A, W, C, Q, b)
        means.append(x)
        covs.append(P)
    return np.array(means), np.array(covs)


def riccati(A, W, C, Q, steps=20_000):
    """Posterior covariance after so many steps from rest, by the Riccati recursion itself."""
    P, Q = np.zeros(A.shape), np.diag(Q) if Q.ndim == 1 else Q
    for _ in range(steps):
        prior = A @ P @ A.T + W
        P = prior - prior @ C.T @ np.linalg.solve(C @ prior @ C.T + Q, C @ prior)
    return P


def linear_history(Y, mean, offset, W):
    """offset + sum over lags k of W[:, k] (y[t - k] - mean); what is missing or too early counts as the mean."""
    out = []
    for t in range(len(Y)):
        v = offset.copy()
        for k in range(W.shape[1]):
            if t - k >= 0:
                v = v + W[:, k] @ np.nan_to_num(Y[t - k] - mean)
        out.append(v)
    return np.array(out)


def bins(samples, seqs, width):
    """Sums over bins of ``width`` sequence numbers, scaled to a full bin; {bin number: row}.

    A broken bin with a wholly lost one behind it is left out, as is a last bin still open.
    """
    out = {}
    for k in sorted({s // width for s in seqs}):
        rows = [x for x, s in zip(samples, seqs, strict=True) if s // width == k]
        last = max(s for s in seqs if s // width == k)
        whole_end = last % width == width - 1
        followed = any(s // width == k + 1 for s in seqs)
        if whole_end or followed:
            out[k] = np.sum(rows, axis=0) * width / len(rows)
    return out


def exponential(X, width_s, rate_hz):
    """First-order low-pass started on the first sample; per channel, NaN skipped and handed through."""
    a = 1 - np.exp(-1 / (width_s * rate_hz))
    out = np.full(X.shape, np.nan)
    for c in range(X.shape[1]):
        s = None
        for i, x in enumerate(X[:, c]):
            if np.isfinite(x):
                s = x if s is None else s + a * (x - s)
                out[i, c] = s
    return out


def boxcar(X, width):
    """Mean of the last ``width`` rows, or of what there is."""
    return np.array([X[max(0, i - width + 1) : i + 1].mean(axis=0) for i in range(len(X))])


def bandpass(X, low_hz, high_hz, order, rate_hz):
    """Butterworth band-pass at rest on the first sample, by scipy."""
    sos = butter(order, [low_hz, high_hz], "bandpass", fs=rate_hz, output="sos")
    return sosfilt(sos, X, axis=0, zi=sosfilt_zi(sos)[:, :, None] * X[0])[0]


def zscore(X, half_life, clip):
    """Z-scores with exponentially weighted mean and variance; ``half_life`` in samples. Direct weighted sums."""
    forget = 1 - 0.5 ** (1 / half_life)
    out = np.zeros(X.shape)
    w = np.zeros(0)
    for i in range(len(X)):
        a = max(1 / (i + 1), forget)
        w = np.append(w * (1 - a), a)
        mean = w @ X[: i + 1]
        var = w @ (X[: i + 1] - mean) ** 2
        with np.errstate(invalid="ignore", divide="ignore"):
            z = (X[i] - mean) / np.sqrt(var)
        out[i] = np.clip(np.where(var > 1e-24, z, 0.0), -clip, clip)
    return out


def lags(X, n):
    """Row t beside rows t-1 … t-n+1, NaN before the first."""
    padded = np.vstack([np.full((n - 1, X.shape[1]), np.nan), X])
    return np.array([np.hstack([padded[t + n - 1 - k] for k in range(n)]) for t in range(len(X))])


def smooth_batch(C_old, C_hat, batch_s, half_life_s):
    """Orsborn et al. 2012, equation 4."""
    rho = 0.5 ** (batch_s / half_life_s)
    return rho * C_old + (1 - rho) * C_hat
