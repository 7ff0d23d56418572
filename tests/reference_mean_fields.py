"""Mean fields, neurons and the corticothalamic loop in plain NumPy, one step at a time, from the papers' equations."""

from __future__ import annotations

import numpy as np


def network(slope, x, send, weights, delays, dt, n_steps, drive, noise=None):
    """Integrate dx/dt = slope(x, input) by Heun's rule; return every state (n_steps, *x.shape).

    ``send(x)`` is what regions send; it arrives ``delays`` steps later, and so it was before the beginning. ``noise``
    is a function of the step.
    """
    x = np.array(x, float)
    n = len(weights)
    sent = [send(x)] * (int(np.max(delays)) + 1)
    out = []
    for t in range(n_steps):
        sent.append(send(x))
        arriving = np.array([sum(weights[i, j] * sent[-1 - delays[i, j]][j] for j in range(n)) for i in range(n)])
        u = drive + arriving + (0.0 if noise is None else noise(t))
        now = slope(x, u)
        x = x + 0.5 * dt * (now + slope(x + dt * now, u))
        out.append(x)
    return np.array(out)


def wilson_cowan(x, u, *, tau_s=0.010):
    """Return the slopes of Wilson & Cowan (1972), equations 11 and 12, at the parameters of their figure 11."""
    e, i = x

    def sigmoid(v, a, theta):
        return 1.0 / (1.0 + np.exp(-a * (v - theta))) - 1.0 / (1.0 + np.exp(a * theta))

    return np.stack([
        -e + (1.0 - e) * sigmoid(16.0 * e - 12.0 * i + u, 1.3, 4.0),
        -i + (1.0 - i) * sigmoid(15.0 * e - 3.0 * i, 2.0, 3.7),
    ]) / tau_s  # fmt: skip


def montbrio(x, u, *, tau_s=0.010):
    """Return the slopes of Montbrió, Pazó & Roxin (2015), equation 12."""
    r, v = x
    return np.stack([1.0 / np.pi + 2.0 * r * v, v**2 - 5.0 + 15.0 * r + u - (np.pi * r) ** 2]) / tau_s


def wong_wang(x, u, *, inhibition=1.0):
    """Return the slopes of Deco et al. (2014), equations 5 to 10; ``u`` holds I0 and what arrives, nA."""
    e, i = x

    def rate(current, a, b, d):
        return (a * current - b) / (1.0 - np.exp(-d * (a * current - b)))

    r_e = rate(u + 1.4 * 0.15 * e - inhibition * i, 310.0, 125.0, 0.16)
    r_i = rate(0.7 * 0.382 + 0.15 * e - i, 615.0, 177.0, 0.087)
    return np.stack([-e / 0.1 + (1.0 - e) * 0.641 * r_e, -i / 0.01 + r_i])


def rhythm(p, rest_mv, rest_hz, gate, noise, n_steps):
    """Return the cortical potential (n_steps, n), mV, of loops ``p`` (a Rhythm's fields), in that rhythm's steps.

    ``noise(step)`` is what is added to the mean input, Hz. Filters move the share of the way to their drive that the
    exact solution for a constant drive does, all from the values before the step.
    """
    dt, n = p.dt_s, len(gate)
    share = {k: 1.0 - np.exp(-dt * getattr(p, f"{k}_per_s")) for k in ("alpha", "beta", "gamma")}
    late = round(p.delay_s / dt)
    v, half = (np.repeat(rest_mv[:, None], n, 1) for _ in range(2))
    phi, first = (np.full(n, rest_hz[0]) for _ in range(2))
    past_phi, past_s = [np.full(n, rest_hz[0])] * late, [np.full(n, rest_hz[2])] * late
    out = []
    for t in range(n_steps):
        q_e, q_r, q_s = p.most_hz / (1.0 + np.exp((p.theta_mv - v) / p.sigma_mv))
        phi_then, s_then = past_phi.pop(0), past_s.pop(0)
        heard = s_then - p.depth * gate * (s_then - rest_hz[2])
        drive = np.stack([
            p.nu_ee_mv_s * phi + p.nu_ei_mv_s * q_e + p.nu_es_mv_s * heard,
            p.nu_re_mv_s * phi_then + p.nu_rs_mv_s * q_s,
            p.nu_se_mv_s * phi_then + p.nu_sr_mv_s * q_r + p.nu_sn_mv_s * (p.input_hz + noise(t)),
        ])  # fmt: skip
        past_phi.append(phi)
        past_s.append(q_s)
        phi, first = phi + share["gamma"] * (first - phi), first + share["gamma"] * (q_e - first)
        v, half = v + share["beta"] * (half - v), half + share["alpha"] * (drive - half)
        out.append(v[0])
    return np.array(out)


def spectrum(p, rest_hz, gate, f):
    """Return the two-sided power spectrum of the cortical potential, mV²/Hz, to first order about rest.

    Robinson et al. (2001): each dendrite, field and delay a factor, each population a gain.
    """
    w = 2j * np.pi * f
    dendrite = 1.0 / ((1.0 + w / p.alpha_per_s) * (1.0 + w / p.beta_per_s))
    field, late = 1.0 / (1.0 + w / p.gamma_per_s) ** 2, np.exp(-w * p.delay_s)
    e, r, s = rest_hz / p.sigma_mv * (1.0 - rest_hz / p.most_hz)
    found = np.empty(len(f))
    for k in range(len(f)):
        d, g, z = dendrite[k], field[k], late[k]
        es = p.nu_es_mv_s * (1.0 - p.depth * gate)
        system = np.array([
            [1.0 - d * e * (p.nu_ee_mv_s * g + p.nu_ei_mv_s), 0.0, -d * es * z * s],
            [-d * p.nu_re_mv_s * g * z * e, 1.0, -d * p.nu_rs_mv_s * s],
            [-d * p.nu_se_mv_s * g * z * e, -d * p.nu_sr_mv_s * r, 1.0],
        ])  # fmt: skip
        potential = np.linalg.solve(system, [0.0, 0.0, d * p.nu_sn_mv_s])[0]
        found[k] = np.abs(potential) ** 2 * p.noise_hz_rs**2
    return found


def qif(v, eta, drive, *, weight, h, n_steps, heard):
    """Return spikes a step (n_steps,) of neurons v' = v² + eta: kicks, then the exact flow by its angle.

    With eta > 0, v = sqrt(eta) tan(angle) and the angle turns evenly; a spike is an angle that passes a right one. With
    eta < 0 it is the hyperbolic counterpart, and a potential above sqrt(-eta) reaches infinity in finite time.
    """
    root, out = np.sqrt(np.abs(eta)), []
    for _ in range(n_steps):
        x = v + h * drive + weight * heard
        turned = np.arctan(x / root) + root * h
        up = root * np.tan(turned)
        outside = np.abs(x) > root
        arg = np.arctanh(np.where(outside, root / x, x / root)) - root * h
        down = np.where(outside, root / np.tanh(arg), root * np.tanh(arg))
        fired = np.where(eta > 0.0, turned > 0.5 * np.pi, outside & (x > 0.0) & (arg <= 0.0))
        v = np.where(eta > 0.0, up, down)
        heard = int(fired.sum())
        out.append(heard)
    return np.array(out)
