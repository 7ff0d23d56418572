"""Plain NumPy twins of the network kernels, in double precision, a step at a time, written from the papers."""

import numpy as np
from scipy.special import exprel


def lif_steps(n_steps, v, ge, gi, edges, cell):
    """Integrate-and-fire neurons with decaying or jumping inputs (Vogels & Abbott 2005; Brunel 2000), dense.

    ``edges`` (n, n): edges[i, j] is the weight of i onto j, mV; inhibitory rows are told by ``cell["n_e"]``. The
    linear system is propagated by its matrix exponential. Returns the spikes (step, neuron) and the potentials.
    """
    from scipy.linalg import expm

    dt, tau = cell["dt_s"], cell["tau_m_s"]
    system = np.array([[-1 / tau, 1 / tau, 1 / tau], [0, -1 / cell["tau_e_s"], 0], [0, 0, -1 / cell["tau_i_s"]]])
    onward = expm(system * dt)
    n, rest, jump = len(v), cell["rest_mv"], cell["synapses"] == "jump"
    left = np.zeros(n, int)
    due = np.zeros((n_steps + cell["delay"] + 1, 2, n))
    spikes = []
    for step in range(n_steps):
        v, ge, gi = onward @ np.stack([v - rest, ge, gi])
        v = v + rest
        if jump:
            v = v + due[step, 0] + due[step, 1]
        else:
            ge, gi = ge + due[step, 0], gi + due[step, 1]
        v = np.where(left > 0, cell["reset_mv"], v)
        left = np.maximum(left - 1, 0)
        for i in np.flatnonzero(v > cell["threshold_mv"]):
            spikes.append((step, i))
            v[i], left[i] = cell["reset_mv"], cell["hold"]
            kind = 0 if i < cell["n_e"] else 1
            if cell["delay"]:
                due[step + cell["delay"], kind] += edges[i]
            elif kind == 0:
                ge = ge + edges[i]
            else:
                gi = gi + edges[i]
    return np.array(spikes).reshape(-1, 2), v


def hodgkin_huxley_steps(n_steps, dt_ms, v, m, h, n, ge, gi):
    """Traub & Miles kinetics (Brette et al. 2007), unconnected, exponential Euler from the beginning of the step."""
    vt = -63.0
    for _ in range(n_steps):
        am = 0.32 * 4 / exprel((13 - v + vt) / 4)
        bm = 0.28 * 5 / exprel((v - vt - 40) / 5)
        ah = 0.128 * np.exp((17 - v + vt) / 18)
        bh = 4 / (1 + np.exp((40 - v + vt) / 5))
        an = 0.032 * 5 / exprel((15 - v + vt) / 5)
        bn = 0.5 * np.exp((10 - v + vt) / 40)
        g_na, g_k = 20_000 * m**3 * h, 6_000 * n**4
        g = 10 + ge + gi + g_na + g_k
        to = (10 * -65 + gi * -80 + g_na * 50 + g_k * -90) / g
        v = to + (v - to) * np.exp(-dt_ms * g / 200)
        m, h, n = (
            a / (a + b) + (x - a / (a + b)) * np.exp(-dt_ms * (a + b))
            for x, a, b in ((m, am, bm), (h, ah, bh), (n, an, bn))
        )
        ge, gi = ge * np.exp(-dt_ms / 5), gi * np.exp(-dt_ms / 10)
    return v, m, h, n, ge, gi


def adex_steps(n_steps, dt_ms, v, w, current, p):
    """Adaptive exponential neurons (Brette & Gerstner 2005), unconnected, midpoint rule; also the spikes."""
    spikes = []

    def slopes(v, w):
        grow = p["g_l"] * p["delta_t"] * np.exp((v - p["v_t"]) / p["delta_t"])
        dv = (-p["g_l"] * (v - p["e_l"]) + grow - w + current) / p["c"]
        return dv, (p["a"] * (v - p["e_l"]) - w) / p["tau_w_ms"]

    for step in range(n_steps):
        dv, dw = slopes(v, w)
        dv, dw = slopes(np.minimum(v + dt_ms / 2 * dv, p["v_peak"]), w + dt_ms / 2 * dw)
        v, w = v + dt_ms * dv, w + dt_ms * dw
        fired = v > p["v_peak"]
        spikes += [(step, i) for i in np.flatnonzero(fired)]
        v, w = np.where(fired, p["v_reset"], v), np.where(fired, w + p["b"], w)
    return np.array(spikes).reshape(-1, 2), v, w
