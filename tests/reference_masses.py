"""Networks of neural masses in plain NumPy, from the papers: what the compiled ones are compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray


def steps_of_delay(lengths_mm: Array, speed_m_s: float, dt_s: float) -> Array:
    """Return delays in whole steps."""
    return np.rint(lengths_mm * 1e-3 / speed_m_s / dt_s).astype(int)


def received(sent: list[Array], before: Array, weights: Array, delay: Array) -> Array:
    """Return what reaches each region now, ``sent`` holding what all sent at every step so far."""
    n, now = len(weights), len(sent) - 1
    total = np.zeros(n)
    for i in range(n):
        for j in range(n):
            back = now - delay[i, j]
            total[i] += weights[i, j] * (sent[back][j] if back >= 0 else before[j])
    return total


def march(
    y: Array, flow: Callable[[Array, Array], Array], sends: Callable[[Array], Array], weights: Array, delay: Array,
    dt: float, n_steps: int, heun: bool,
) -> Array:  # fmt: skip
    """Return the states (n_steps, variables, n); what arrives is held during a step."""
    sent: list[Array] = []
    before, path = sends(y), []
    for _ in range(n_steps):
        sent.append(sends(y))
        arrived = received(sent, before, weights, delay)
        first = flow(y, arrived)
        y = y + dt * (0.5 * (first + flow(y + dt * first, arrived)) if heun else first)
        path.append(y)
    return np.array(path)


def jansen_rit(
    p: Array, weights: Array, delay: Array, dt_s: float, n_steps: int, *, gain: float = 0.0, heun: bool = True,
    given: Array | None = None, he: Any = 1.0, cip: Any = 1.0, cep: Any = 1.0, local: Any = 1.0, afferent: Any = 1.0,
    efferent: Any = 1.0,
) -> Array:  # fmt: skip
    """Return the states (n_steps, 6, n) from zero; ``given`` (n,) are rates sent instead of a region's own, or NaN."""
    big_a, big_b, a, b = 3.25 * np.asarray(he), 22.0, 100.0, 50.0
    c1, c2 = 135.0 * np.asarray(local), 0.8 * 135.0 * np.asarray(local) * cep
    c3, c4 = 0.25 * 135.0 * np.asarray(local), 0.25 * 135.0 * np.asarray(local) * cip

    def s(v: Array) -> Array:
        return 5.0 / (1.0 + np.exp(0.56 * (6.0 - v)))

    def sends(y: Array) -> Array:
        own = s(y[1] - y[2])
        return efferent * (own if given is None else np.where(np.isnan(given), own, given))

    def flow(y: Array, arrived: Array) -> Array:
        return np.array([
            y[3], y[4], y[5],
            big_a * a * s(y[1] - y[2]) - 2 * a * y[3] - a**2 * y[0],
            big_a * a * (p + gain * afferent * arrived + c2 * s(c1 * y[0])) - 2 * a * y[4] - a**2 * y[1],
            big_b * b * c4 * s(c3 * y[0]) - 2 * b * y[5] - b**2 * y[2],
        ])  # fmt: skip

    return march(np.zeros((6, len(p))), flow, sends, weights, delay, dt_s, n_steps, heun)


def epileptor(
    y: Array, x0: Array, weights: Array, delay: Array, dt: float, n_steps: int, *, gain: float = 0.0,
    fast_gain: float = 0.0, heun: bool = True, stimulus: Any = 0.0, afferent: Any = 1.0, efferent: Any = 1.0,
) -> Array:  # fmt: skip
    """Return the states (n_steps, 6, n): x1, y1, z, x2, y2, g."""
    total = weights @ (np.ones(len(x0)) * efferent)
    held = np.zeros(len(x0))

    def sends(y: Array) -> Array:
        held[:] = y[0]  # a region's own x1 is held as what arrives is
        return efferent * y[0]

    def flow(y: Array, arrived: Array) -> Array:
        x1, y1, z, x2, y2, g = y
        c = afferent * (arrived - total * held)
        f1 = np.where(x1 < 0, x1**3 - 3 * x1**2, (x2 - 0.6 * (z - 4) ** 2) * x1)
        f2 = np.where(x2 < -0.25, 0.0, 6 * (x2 + 0.25))
        back = np.where(z < 0, -0.1 * z**7, 0.0)
        return np.array([
            y1 - f1 - z + 3.1 + stimulus + fast_gain * c,
            1 - 5 * x1**2 - y1,
            0.00035 * (4 * (x1 - x0) + back - z - gain * c),
            -y2 + x2 - x2**3 + 0.45 + 2 * g - 0.3 * (z - 3.5),
            (-y2 + f2) / 10,
            -0.01 * (g - 0.1 * x1),
        ])  # fmt: skip

    return march(y, flow, sends, weights, delay, dt, n_steps, heun)


def network(seed: int, n: int) -> tuple[Array, Array]:
    """Return weights and lengths, mm, of a random network: gaps, self-loops, no symmetry, some without length."""
    rng = np.random.default_rng(seed)
    weights = np.where(rng.random((n, n)) < 0.5, rng.uniform(0.1, 1.0, (n, n)), 0.0)
    lengths = np.where(rng.random((n, n)) < 0.2, 0.0, rng.uniform(0.2, 60.0, (n, n)))
    return weights, lengths
