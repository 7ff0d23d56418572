"""Plain twins of the synapses, written from the papers: continuous states moved on every step, no closed forms."""

import numpy as np


def sensor_generator(ca_um, kon, koff, b, fusion):
    """Scheme of Schneggenburger & Neher (2000), reaction by reaction: (from, to, rate /s)."""
    c = ca_um * 1e-6
    reactions = [(0, 1, 5 * kon * c), (1, 2, 4 * kon * c), (2, 3, 3 * kon * c), (3, 4, 2 * kon * c), (4, 5, kon * c),
                 (1, 0, koff), (2, 1, 2 * koff * b), (3, 2, 3 * koff * b**2), (4, 3, 4 * koff * b**3),
                 (5, 4, 5 * koff * b**4), (5, 6, fusion)]  # fmt: skip
    q = np.zeros((7, 7))
    for a, z, rate in reactions:
        q[z, a] += rate
        q[a, a] -= rate
    return q


def transient_release(generator, peak_um, width_s, dt_s=1e-6):
    """Released share after a Gaussian transient; Heun's method, then 20 ms without calcium."""
    still, binding = generator(0.0), generator(1.0) - generator(0.0)
    p = np.eye(7)[0]
    for t in np.arange(-2.0 * width_s, 2.0 * width_s, dt_s):
        ca = [peak_um * np.exp(-4 * np.log(2) * (s / width_s) ** 2) for s in (t, t + dt_s)]
        k1 = (still + ca[0] * binding) @ p
        k2 = (still + ca[1] * binding) @ (p + dt_s * k1)
        p = p + 0.5 * dt_s * (k1 + k2)
    for _ in range(2000):
        p = p + 1e-5 * still @ (p + 0.5e-5 * still @ p)
    return p[6]


def tsodyks_markram(spikes, dt_s, U, tau_rec_s, tau_fac_s):
    """Release at each step of ``spikes`` (n,) bool; R and u of Tsodyks, Pawelzik & Markram (1998), step by step.

    Between spikes R returns to 1 and u to 0; a spike first raises u by U (1 - u), then releases u R.
    """
    R, u = 1.0, 0.0
    out = np.zeros(len(spikes))
    for k, spike in enumerate(spikes):
        if spike:
            u = u + U * (1 - u)
            out[k] = u * R
            R = R - u * R
        R = 1 - (1 - R) * np.exp(-dt_s / tau_rec_s)
        u = u * np.exp(-dt_s / tau_fac_s) if tau_fac_s else 0.0
    return out


def double_exponential(released, dt_s, tau_rise_s, tau_decay_s):
    """Response to impulses ``released`` (n,) at the steps' beginnings, at the steps' ends; peak of one is 1."""
    t = dt_s * np.arange(1, len(released) + 1)
    fine = np.linspace(0, 10 * tau_decay_s, 200001)
    peak = (np.exp(-fine / tau_decay_s) - np.exp(-fine / tau_rise_s)).max()
    one = (np.exp(-t / tau_decay_s) - np.exp(-t / tau_rise_s)) / peak
    return np.convolve(released, one)[: len(released)]


def magnesium(v_mv, mg_mm):
    """Open share of NMDA conductance (Jahr & Stevens 1990)."""
    return 1.0 / (1.0 + np.exp(-0.062 * v_mv) * mg_mm / 3.57)
