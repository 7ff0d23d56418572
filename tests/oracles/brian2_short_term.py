"""Brian2: release of Tsodyks-Markram terminals over an irregular train; under a regular one, a passive cell.

Receptors and cell are integrated by fourth-order Runge-Kutta with 10 µs, spikes lie on multiples of 0.1 ms. A spike
of step s acts at the end of that step, so what is kept is read one step late.
"""

import brian2 as b2
import numpy as np
from brian2 import ms, mV, nS, second
from store import save

b2.prefs.codegen.target = "numpy"
SPIKES = np.array([0, 100, 250, 300, 420, 900, 1000, 1010, 1500, 2100, 2200, 2600])  # steps of 0.1 ms
SETS = {"depressing": (0.5, 0.8, 1e-6), "facilitating": (0.05, 0.1, 1.0), "both": (0.2, 0.3, 0.2)}
REGULAR = np.arange(0, 3000, 400)  # 25 Hz
FINE_MS, EVERY = 0.01, 10  # rows kept each 1 ms

RELEASE = """
du/dt = -u / tau_fac : 1 (event-driven)
dx/dt = (1 - x) / tau_rec : 1 (event-driven)
U : 1
tau_fac : second
tau_rec : second
r : 1
"""
SPIKE = "u += U * (1 - u); r = u * x; x -= r;"
PARTS = [f"{part}_{receptor}" for part in ("rise", "fall") for receptor in "ang"]

CELL = """
drise_a/dt = -rise_a / (0.2*ms) : 1
dfall_a/dt = -fall_a / (2*ms) : 1
drise_n/dt = -rise_n / (2*ms) : 1
dfall_n/dt = -fall_n / (80*ms) : 1
drise_g/dt = -rise_g / (0.5*ms) : 1
dfall_g/dt = -fall_g / (8*ms) : 1
ga = 8*nS * peak_a * (fall_a - rise_a) : siemens
gn = 6*nS * peak_n * (fall_n - rise_n) / (1 + 1.0 / 3.57 * exp(-0.062 * v / mV)) : siemens
gg = 5*nS * peak_g * (fall_g - rise_g) : siemens
dv/dt = (10*nS * (-70*mV - v) - ga * v - gn * v + gg * (-75*mV - v)) / (200*pF) : volt
"""


def peak(rise, fall):
    t = rise * fall / (fall - rise) * np.log(fall / rise)
    return 1 / (np.exp(-t / fall) - np.exp(-t / rise))


def terminals(steps, target, spike):
    """Return three terminals, one for each of ``SETS``, each on its own cell, that fire at ``steps`` of 0.1 ms."""
    source = b2.SpikeGeneratorGroup(1, np.zeros(len(steps), int), steps * 0.1 * ms)
    synapses = b2.Synapses(source, target, RELEASE, on_pre=spike)
    synapses.connect()
    for k, (release, rec, fac) in enumerate(SETS.values()):
        synapses.U[k], synapses.tau_rec[k], synapses.tau_fac[k] = release, rec * second, fac * second
    synapses.u, synapses.x = 0, 1
    return source, synapses


b2.defaultclock.dt = FINE_MS * ms
peak_a, peak_n, peak_g = peak(0.2, 2.0), peak(2.0, 80.0), peak(0.5, 8.0)
cells = b2.NeuronGroup(3, CELL, method="rk4")
cells.v = -70 * mV
irregular, silent = terminals(SPIKES, cells, SPIKE)
regular, driving = terminals(REGULAR, cells, SPIKE + "; ".join(f"{part}_post += r" for part in PARTS))
released = b2.StateMonitor(silent, "r", record=True, dt=0.1 * ms, when="end")
shown = b2.StateMonitor(cells, ["ga", "gn", "gg", "v"], record=True, when="before_synapses")
b2.Network(cells, irregular, silent, regular, driving, released, shown).run(300.2 * ms)

kept = np.arange(EVERY - 1, 3000, EVERY)
rows = 10 * kept + 10  # row k of 0.1 ms is 0.1 ms after a spike of step k
save(
    "brian2_short_term", f"Brian2 {b2.__version__}", "Tsodyks-Markram terminals, receptors, passive cells",
    sets=np.array(list(SETS.values())), spike_steps=SPIKES, released=released.r[:, SPIKES], kept=kept,
    conductance_ns=np.stack([getattr(shown, g)[:, rows] / nS for g in ("ga", "gn", "gg")], 2).astype(np.float32),
    v_mv=(shown.v[:, rows] / mV).astype(np.float32),
)  # fmt: skip
