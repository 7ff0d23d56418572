"""Lone cells of the basal ganglia in Brian2: rates at ten currents each and a voltage trace.

Equations from So, Kent & Grill (2012) and Rubin & Terman (2004), solved by Runge-Kutta (rk4) at 0.005 ms.
"""

from __future__ import annotations

import brian2 as b
import numpy as np
from store import save

DT_MS, SECONDS, AT = 0.005, 2.0, 4
"""Step; length; which current's trace is kept."""

TH = """
dv/dt = (I - .05*(v+70) - 3*m**3*h*(v-50) - 5*(.75*(1-h))**4*(v+75) - 5*p**2*r*v)/ms : 1
m = 1/(1+exp(-(v+37)/7)) : 1
p = 1/(1+exp(-(v+60)/6.2)) : 1
dh/dt = (1/(1+exp((v+41)/4)) - h)*(.128*exp(-(v+46)/18) + 4/(1+exp(-(v+23)/5)))/ms : 1
dr/dt = (1/(1+exp((v+84)/4)) - r)/(.15*(28+exp(-(v+25)/10.5)))/ms : 1
I : 1 (constant)
"""
STN = """
dv/dt = (I - 2.25*(v+60) - 37*m**3*h*(v-55) - (45*n**4 + 20*ca/(ca+15))*(v+80) - ica)/ms : 1
ica = (.5*a**3*b**2 + 2*c**2)*(v-140) : 1
m = 1/(1+exp(-(v+30)/15)) : 1
a = 1/(1+exp(-(v+63)/7.8)) : 1
b = 1/(1+exp(-(r-.4)/.1)) - 1/(1+exp(4)) : 1
dn/dt = .75*(1/(1+exp(-(v+32)/8)) - n)/(1+100/(1+exp((v+80)/26)))/ms : 1
dh/dt = .75*(1/(1+exp((v+39)/3.1)) - h)/(1+500/(1+exp((v+57)/3)))/ms : 1
dr/dt = .2*(1/(1+exp((v+67)/2)) - r)/(7.1+17.5/(1+exp((v-68)/2.2)))/ms : 1
dc/dt = .08*(1/(1+exp(-(v+20)/8)) - c)/(1+10/(1+exp((v+80)/26)))/ms : 1
dca/dt = 3.75e-5*(-ica - 22.5*ca)/ms : 1
I : 1 (constant)
"""
GP = """
dv/dt = (I - .1*(v+65) - 120*m**3*h*(v-55) - (30*n**4 + 10*ca/(ca+10))*(v+80) - ica)/ms : 1
ica = (.5*a**3*r + .15*s**2)*(v-120) : 1
m = 1/(1+exp(-(v+37)/10)) : 1
a = 1/(1+exp(-(v+57)/2)) : 1
s = 1/(1+exp(-(v+35)/2)) : 1
dn/dt = .1*(1/(1+exp(-(v+50)/14)) - n)/(.05+.27/(1+exp((v+40)/12)))/ms : 1
dh/dt = .05*(1/(1+exp((v+58)/12)) - h)/(.05+.27/(1+exp((v+40)/12)))/ms : 1
dr/dt = (1/(1+exp((v+70)/2)) - r)/30/ms : 1
dca/dt = 1e-4*(-ica - 15*ca)/ms : 1
I : 1 (constant)
"""
REST = {
    "thalamus": {"h": (-41, 4), "r": (-84, 4)},
    "stn": {"n": (-32, -8), "h": (-39, 3.1), "r": (-67, 2), "c": (-20, -8)},
    "gp": {"n": (-50, -14), "h": (-58, 12), "r": (-70, 2)},
}


def cells(name: str, equations: str, currents: np.ndarray, at_mv: float) -> dict[str, np.ndarray]:
    """Return spike counts of the last second at ``currents`` and 100 ms of voltage, every 0.1 ms."""
    b.start_scope()
    b.defaultclock.dt = DT_MS * b.ms
    group = b.NeuronGroup(
        len(currents), equations, method="rk4", threshold=f"v > {at_mv}", refractory=f"v > {at_mv}"
    )
    group.v, group.I = -62.0, currents
    for gate, (half, slope) in REST[name].items():
        setattr(group, gate, 1 / (1 + np.exp((-62.0 - half) / slope)))
    if "ca" in group.variables:
        group.ca = 0.1
    spikes, trace = b.SpikeMonitor(group), b.StateMonitor(group, "v", record=[AT], dt=0.1 * b.ms)
    b.run(100 * b.ms)
    kept = trace.v[0].astype(np.float32)
    trace.active = False
    b.run((SECONDS - 0.1) * b.second)
    late = np.asarray(spikes.i)[np.asarray(spikes.t / b.second) >= SECONDS - 1.0]
    return {
        f"{name}_current": currents,
        f"{name}_rate_hz": np.bincount(late, minlength=len(currents)),
        f"{name}_trace_mv": kept,
    }


if __name__ == "__main__":
    found = {}
    for name, equations, currents, at_mv in (
        ("thalamus", TH, np.linspace(0.0, 9.0, 10), -40.0),
        ("stn", STN, np.linspace(-10.0, 80.0, 10), -10.0),
        ("gp", GP, np.linspace(-3.0, 24.0, 10), -10.0),
    ):
        found |= cells(name, equations, currents, at_mv)
        print(name, dict(zip(currents.tolist(), found[f"{name}_rate_hz"].tolist(), strict=True)))
    save(
        "ganglia_cells", f"Brian2 {b.__version__}", f"rk4, {DT_MS} ms, {SECONDS} s, rates of the last second",
        kept=np.array(AT), **found,
    )  # fmt: skip
