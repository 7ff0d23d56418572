"""Measures of connectivity written out from their papers, one pair at a time, for comparison with the product."""

from __future__ import annotations

import numpy as np


def cross(x, y, weight):
    """Return Σ w x y* / Σ w and the products."""
    s = x * np.conj(y)
    return (weight * s).sum() / weight.sum(), s


def pair(measure, x, y, weight=None):
    """Return a measure of complex samples x, y, each counted with a weight."""
    w = np.ones(len(x)) if weight is None else weight
    w = w / w.sum()
    mean, s = cross(x, y, w)
    im = s.imag
    if measure in ("coherence", "imaginary_coherence"):
        c = mean / np.sqrt((w * abs(x) ** 2).sum() * (w * abs(y) ** 2).sum())
        return c.imag if measure[0] == "i" else abs(c)
    if measure == "plv":
        return abs((w * np.exp(1j * (np.angle(x) - np.angle(y)))).sum())
    if measure == "pli":
        return abs((w * np.sign(np.sin(np.angle(x) - np.angle(y)))).sum())
    if measure == "wpli":
        return abs((w * abs(im) * np.sign(im)).sum()) / (w * abs(im)).sum()
    if measure == "debiased_wpli":
        # Vinck (2011), eq. 9 and its denominator: over all pairs of different trials
        ww = np.outer(w, w) * (1 - np.eye(len(w)))
        return (ww * np.outer(im, im)).sum() / (ww * np.abs(np.outer(im, im))).sum()
    if measure == "aec":
        return 0.5 * (_orthogonal(x, y, w) + _orthogonal(y, x, w))
    raise ValueError(measure)


def _orthogonal(x, y, w):
    """Hipp (2012): amplitude of y with what of x is orthogonal to y, as the imaginary part of x times y's phase."""
    left = abs(np.imag(x * np.conj(y) / abs(y)))
    a, b = left - (w * left).sum(), abs(y) - (w * abs(y)).sum()
    return abs((w * a * b).sum()) / np.sqrt((w * a * a).sum() * (w * b * b).sum())


def granger(x, source, target, order):
    """Return ln(residual variance without the source / with all), by two fits with a constant."""
    n = len(x)
    lags = {j: np.stack([x[order - k : n - k, j] for k in range(1, order + 1)], 1) for j in range(x.shape[1])}
    now = x[order:, target]

    def rest(channels):
        z = np.column_stack([np.ones(len(now)), *[lags[j] for j in channels]])
        return ((now - z @ np.linalg.lstsq(z, now, rcond=None)[0]) ** 2).sum()

    everyone = range(x.shape[1])
    return np.log(rest([j for j in everyone if j != source]) / rest(everyone))
