"""The squid axon's membrane in NEURON: f-I points and a trace. Run with NEURON 9.0.2; see README.md here.

As usually run (implicit Euler, 25 µs), and exactly (Crank-Nicolson, 5 µs).
"""

import numpy as np
from neuron import __version__, h
from store import save

h.load_file("stdrun.hoc")


def membrane(na=1.0):
    """Return a section of 100 µm² with the built-in squid channels, at 6.3 °C."""
    section = h.Section(name="membrane")
    section.L = section.diam = np.sqrt(100.0 / np.pi)
    section.nseg = 1
    section.insert("hh")
    section.ena, section.ek = 50.0, -77.0
    section(0.5).hh.el = -54.387
    section(0.5).hh.gnabar *= na
    h.celsius = 6.3
    h.usetable_hh = 0
    return section


def trace(current_ua_cm2, dt_ms, seconds, na=1.0, order=2):
    """Return the voltage, mV, every ``dt_ms`` from rest, the current being on from the start."""
    section = membrane(na)
    clamp = h.IClamp(section(0.5))
    clamp.delay, clamp.dur = 0.0, 1e9
    v = h.Vector().record(section(0.5)._ref_v)
    h.dt, h.steps_per_ms, h.secondorder = dt_ms, 1.0 / dt_ms, 0
    # Rest: where the membrane settles without current.
    clamp.amp = 0.0
    h.finitialize(-65.0)
    h.continuerun(300.0)
    rest = section(0.5).v
    clamp.amp = current_ua_cm2 * 1e-3 * 100.0 * 1e-8 * 1e6  # µA/cm² on 100 µm² in nA
    h.secondorder = order
    h.finitialize(rest)
    h.continuerun(seconds * 1e3)
    return np.array(v), rest


def rate(v, dt_ms, settle_s=0.5):
    """Return the inverse mean interval between upward crossings of 0 mV after ``settle_s``, Hz."""
    i = np.flatnonzero((v[:-1] < 0.0) & (v[1:] >= 0.0))
    t = (i + v[i] / (v[i] - v[i + 1])) * dt_ms * 1e-3
    t = t[t > settle_s]
    return (len(t) - 1) / (t[-1] - t[0]) if len(t) > 2 else 0.0


CURRENTS = np.array([6.2, 6.3, 10.0, 20.0, 50.0])
rows = {}
for name, dt, order in (("usual", 0.025, 0), ("fine", 0.005, 2)):
    rows[f"rate_hz_{name}"] = np.array([rate(trace(i, dt, 2.0, order=order)[0], dt) for i in CURRENTS])
    v, rest = trace(10.0, dt, 0.05, order=order)
    rows[f"v_mv_{name}"] = v[:: round(0.1 / dt)].astype(np.float32)
rows["rate_hz_scaled"] = np.array([rate(trace(10.0, 0.005, 2.0, na)[0], 0.005) for na in (0.9, 0.8)])
print(rows["rate_hz_usual"], rows["rate_hz_fine"], rows["rate_hz_scaled"], rest)
save(
    "neuron_hh", f"NEURON {__version__}", "hh at 6.3 °C from rest; rates after 0.5 s of 2 s; 50 ms at 10 µA/cm²",
    current_ua_cm2=CURRENTS, dt_ms=np.array([0.025, 0.005]), rest_mv=rest, na_scale=np.array([0.9, 0.8]),
    v_step_ms=0.1, **rows,
)  # fmt: skip
