"""The basal ganglia once more, as the paper's tables put them: one cell a class, NumPy, no shortcut.

So, Kent & Grill (2012) J Comput Neurosci 32: 499-519 and Rubin & Terman (2004) J Comput Neurosci 16: 211-235.
Voltages mV, times ms, currents µA/cm².
"""

from __future__ import annotations

import numpy as np


def boltzmann(v, half, slope):
    """Return the share of open gates, half of them at ``half``; a negative ``slope`` opens with depolarisation."""
    return 1.0 / (1.0 + np.exp((v - half) / slope))


class Cell:
    """State by name; ``slopes`` gives each variable's time derivative under an applied current."""

    def __init__(self, v):
        self.v, self.ca = np.array(v, float), np.full(len(v), 0.1)
        for name, (half, slope) in self.gates.items():
            setattr(self, name, boltzmann(self.v, half, slope))


class Thalamic(Cell):
    gates = {"h": (-41.0, 4.0), "r": (-84.0, 4.0)}  # noqa: RUF012

    def slopes(self, current):
        v = self.v
        leak = 0.05 * (v + 70.0)
        sodium = 3.0 * boltzmann(v, -37.0, -7.0) ** 3 * self.h * (v - 50.0)
        potassium = 5.0 * (0.75 * (1.0 - self.h)) ** 4 * (v + 75.0)
        t_type = 5.0 * boltzmann(v, -60.0, -6.2) ** 2 * self.r * (v - 0.0)
        tau_h = 1.0 / (0.128 * np.exp(-(v + 46.0) / 18.0) + 4.0 / (1.0 + np.exp(-(v + 23.0) / 5.0)))
        tau_r = 0.15 * (28.0 + np.exp(-(v + 25.0) / 10.5))
        return {
            "v": current - leak - sodium - potassium - t_type,
            "h": (boltzmann(v, -41.0, 4.0) - self.h) / tau_h,
            "r": (boltzmann(v, -84.0, 4.0) - self.r) / tau_r,
        }


class Subthalamic(Cell):
    gates = {"n": (-32.0, -8.0), "h": (-39.0, 3.1), "r": (-67.0, 2.0), "c": (-20.0, -8.0)}  # noqa: RUF012

    def slopes(self, current):
        v = self.v
        b = boltzmann(self.r, 0.4, -0.1) - 1.0 / (1.0 + np.exp(0.4 / 0.1))
        t_type = 0.5 * boltzmann(v, -63.0, -7.8) ** 3 * b**2 * (v - 140.0)
        calcium = 2.0 * self.c**2 * (v - 140.0)
        sodium = 37.0 * boltzmann(v, -30.0, -15.0) ** 3 * self.h * (v - 55.0)
        potassium = 45.0 * self.n**4 * (v + 80.0)
        ahp = 20.0 * (v + 80.0) * self.ca / (self.ca + 15.0)
        leak = 2.25 * (v + 60.0)
        return {
            "v": current - leak - sodium - potassium - t_type - calcium - ahp,
            "n": 0.75 * (boltzmann(v, -32.0, -8.0) - self.n) / (1.0 + 100.0 * boltzmann(v, -80.0, 26.0)),
            "h": 0.75 * (boltzmann(v, -39.0, 3.1) - self.h) / (1.0 + 500.0 * boltzmann(v, -57.0, 3.0)),
            "r": 0.2 * (boltzmann(v, -67.0, 2.0) - self.r) / (7.1 + 17.5 * boltzmann(v, 68.0, 2.2)),
            "c": 0.08 * (boltzmann(v, -20.0, -8.0) - self.c) / (1.0 + 10.0 * boltzmann(v, -80.0, 26.0)),
            "ca": 3.75e-5 * (-calcium - t_type - 22.5 * self.ca),
        }


class Pallidal(Cell):
    gates = {"n": (-50.0, -14.0), "h": (-58.0, 12.0), "r": (-70.0, 2.0)}  # noqa: RUF012

    def slopes(self, current):
        v = self.v
        t_type = 0.5 * boltzmann(v, -57.0, -2.0) ** 3 * self.r * (v - 120.0)
        calcium = 0.15 * boltzmann(v, -35.0, -2.0) ** 2 * (v - 120.0)
        sodium = 120.0 * boltzmann(v, -37.0, -10.0) ** 3 * self.h * (v - 55.0)
        potassium = 30.0 * self.n**4 * (v + 80.0)
        ahp = 10.0 * (v + 80.0) * self.ca / (self.ca + 10.0)
        leak = 0.1 * (v + 65.0)
        tau = 0.05 + 0.27 * boltzmann(v, -40.0, 12.0)
        return {
            "v": current - leak - sodium - potassium - t_type - calcium - ahp,
            "n": 0.1 * (boltzmann(v, -50.0, -14.0) - self.n) / tau,
            "h": 0.05 * (boltzmann(v, -58.0, 12.0) - self.h) / tau,
            "r": (boltzmann(v, -70.0, 2.0) - self.r) / 30.0,
            "ca": 1e-4 * (-calcium - t_type - 15.0 * self.ca),
        }


class Alpha:
    """A second-order synapse that peaks at ``peak`` 5 ms after a spike."""

    def __init__(self, n, peak):
        self.s, self.z, self.kick = np.zeros(n), np.zeros(n), peak * np.e / 5.0

    def euler(self, dt, spiked):
        self.s += dt * self.z
        self.z += dt * (spiked * self.kick / dt - 2.0 / 5.0 * self.z - self.s / 25.0)


def run(v, bias, smc, dbs, loss, dt):
    """Return spikes (n, 2) and the voltages (n_steps, 40) of thalamus, STN, GPe and GPi, from voltages ``v`` (40,).

    ``smc`` and ``dbs`` are the current densities of every step.
    """
    th, stn, gpe, gpi = Thalamic(v[:10]), Subthalamic(v[10:20]), Pallidal(v[20:30]), Pallidal(v[30:])
    from_stn, from_gpe, from_gpi = Alpha(10, 0.43), np.zeros(10), Alpha(10, 0.3)
    spikes, shown = [], np.zeros((len(smc), 40))
    for step in range(len(smc)):
        excitation = 0.5 * 0.3 * (from_stn.s + np.roll(from_stn.s, 1))
        ring = 0.5 * (np.roll(from_gpe, -1) + np.roll(from_gpe, 2))
        onto_stn = 0.5 * (from_gpe + np.roll(from_gpe, -1)) * (stn.v + 85.0)
        currents = (
            smc[step] - 1.4 * 0.08 * from_gpi.s * (th.v + 85.0),
            33.0 - 10.0 * loss + dbs[step] - onto_stn,
            21.0 - 13.0 * loss + bias - excitation * gpe.v - ring * (gpe.v + 85.0),
            22.0 - 6.0 * loss - excitation * gpi.v - ring * (gpi.v + 85.0),
        )
        released = 2.0 * (1.0 - from_gpe) * boltzmann(gpe.v - 20.0, -57.0, -2.0) - 0.04 * from_gpe
        crossed = []
        for cell, current, at in zip((th, stn, gpe, gpi), currents, (-40.0, -10.0, -10.0, -10.0), strict=True):
            before = cell.v.copy()
            for name, slope in cell.slopes(current).items():
                setattr(cell, name, getattr(cell, name) + dt * slope)
            crossed.append((before < at) & (cell.v >= at))
        from_gpe = from_gpe + dt * released
        from_stn.euler(dt, crossed[1])
        from_gpi.euler(dt, crossed[3])
        spikes += [(step, k) for k in np.flatnonzero(np.concatenate(crossed))]
        shown[step] = np.concatenate([th.v, stn.v, gpe.v, gpi.v])
    return np.array(spikes).reshape(-1, 2), shown


def error_index(spike_times, pulse_times, duration):
    """Return errors a pulse of one cell, pulse by pulse, times in s."""
    counted = [k for k, p in enumerate(pulse_times) if 0.2 <= p <= duration - 0.025]
    errors = 0
    for k in counted:
        start, end = pulse_times[k], pulse_times[k + 1] if k + 1 < len(pulse_times) else duration
        relayed = [t for t in spike_times if start <= t < min(start + 0.025, end)]
        errors += len(relayed) != 1
        errors += sum(start + 0.025 <= t < end for t in spike_times)
    return errors / len(counted)
