"""Rates of the Vogels-Abbott and Brunel networks and spike times of AdEx, by Brian2. Each part is a run of its own.

    python tests/oracles/brian2_networks.py vogels-abbott | brunel | adex     (brian2 2.9.0, a C++ compiler)
"""

import sys
import tempfile

import brian2 as b2
import numpy as np
from brian2 import Hz, cm, ms, mV, nS, pA, pF, second, siemens, ufarad, um
from store import save

VERSION = f"Brian2 {b2.__version__}"
SEEDS = 12


def standalone(seed):
    b2.device.reinit()
    b2.device.activate()
    b2.set_device("cpp_standalone", directory=tempfile.mkdtemp(prefix="b2"), build_on_run=True)
    b2.prefs.devices.cpp_standalone.extra_make_args_unix = ["-j2"]
    b2.seed(seed)
    b2.defaultclock.dt = 0.1 * ms


def cuba():
    names = {"taum": 20 * ms, "taue": 5 * ms, "taui": 10 * ms, "Vt": -50 * mV, "Vr": -60 * mV, "El": -49 * mV,
             "we": 1.62 * mV, "wi": -9 * mV}  # fmt: skip
    group = b2.NeuronGroup(
        4000,
        """dv/dt = (ge + gi - (v - El))/taum : volt (unless refractory)
        dge/dt = -ge/taue : volt
        dgi/dt = -gi/taui : volt""",
        threshold="v > Vt", reset="v = Vr", refractory=5 * ms, method="exact", namespace=names,
    )  # fmt: skip
    group.v = "Vr + rand()*(Vt - Vr)"
    return group, names


def cobahh():
    area = 20000 * um**2
    names = {"Cm": 1 * ufarad * cm**-2 * area, "gl": 5e-5 * siemens * cm**-2 * area, "El": -65 * mV, "EK": -90 * mV,
             "ENa": 50 * mV, "VT": -63 * mV, "g_na": 0.1 * siemens * cm**-2 * area,
             "g_kd": 0.03 * siemens * cm**-2 * area, "taue": 5 * ms, "taui": 10 * ms, "Ee": 0 * mV, "Ei": -80 * mV,
             "we": 6 * nS, "wi": 67 * nS}  # fmt: skip
    group = b2.NeuronGroup(
        4000,
        """dv/dt = (gl*(El-v)+ge*(Ee-v)+gi*(Ei-v)-g_na*(m*m*m)*h*(v-ENa)-g_kd*(n*n*n*n)*(v-EK))/Cm : volt
        dm/dt = alpha_m*(1-m)-beta_m*m : 1
        dn/dt = alpha_n*(1-n)-beta_n*n : 1
        dh/dt = alpha_h*(1-h)-beta_h*h : 1
        dge/dt = -ge/taue : siemens
        dgi/dt = -gi/taui : siemens
        alpha_m = 0.32*(mV**-1)*4*mV/exprel((13*mV-v+VT)/(4*mV))/ms : Hz
        beta_m = 0.28*(mV**-1)*5*mV/exprel((v-VT-40*mV)/(5*mV))/ms : Hz
        alpha_h = 0.128*exp((17*mV-v+VT)/(18*mV))/ms : Hz
        beta_h = 4./(1+exp((40*mV-v+VT)/(5*mV)))/ms : Hz
        alpha_n = 0.032*(mV**-1)*5*mV/exprel((15*mV-v+VT)/(5*mV))/ms : Hz
        beta_n = .5*exp((10*mV-v+VT)/(40*mV))/ms : Hz""",
        threshold="v > -20*mV", refractory=3 * ms, method="exponential_euler", namespace=names,
    )  # fmt: skip
    group.v = "El + (randn()*5 - 5)*mV"
    group.ge = "(randn()*1.5 + 4)*10.*nS"
    group.gi = "(randn()*12 + 20)*10.*nS"
    return group, names


def vogels_abbott():
    rates = {"cuba": [], "cobahh": []}
    late = {"cuba": [], "cobahh": []}
    for name, build in (("cuba", cuba), ("cobahh", cobahh)):
        for seed in range(1, SEEDS + 1):
            standalone(seed)
            group, names = build()
            e = b2.Synapses(group[:3200], group, on_pre="ge += we", namespace=names)
            i = b2.Synapses(group[3200:], group, on_pre="gi += wi", namespace=names)
            e.connect(p=0.02)
            i.connect(p=0.02)
            spikes = b2.SpikeMonitor(group)
            net = b2.Network(group, e, i, spikes)
            net.run(1 * second)
            t = np.asarray(spikes.t / second)
            rates[name].append(len(t) / 4000)
            late[name].append(np.sum(t >= 0.2) / 4000 / 0.8)
            print(name, seed, rates[name][-1], late[name][-1], flush=True)
    save("brian2_vogels_abbott", VERSION, "mean rate, Hz, over 1 s from the start, and from 0.2 s on; a seed a value",
         cuba_hz=np.array(rates["cuba"]), cobahh_hz=np.array(rates["cobahh"]),
         cuba_late_hz=np.array(late["cuba"]), cobahh_late_hz=np.array(late["cobahh"]))  # fmt: skip


REGIMES = ((6.0, 4.0), (5.0, 2.0), (4.5, 0.9))


def brunel():
    """Delta synapses, 12 500 neurons, fixed in-degree; 0.2 s dropped, 1 s counted; population counts in 0.5 ms bins."""
    rates, counts = np.zeros((3, len(REGIMES))), np.zeros((3, len(REGIMES), 2000), np.uint16)
    for k, (g, eta) in enumerate(REGIMES):
        for seed in range(3):
            standalone(seed + 1)
            names = {"tau": 20 * ms, "theta": 20 * mV, "Vr": 10 * mV, "J": 0.1 * mV, "g": g}
            group = b2.NeuronGroup(12500, "dv/dt = -v/tau : volt (unless refractory)", threshold="v > theta",
                                   reset="v = Vr", refractory=2 * ms, method="exact", namespace=names)  # fmt: skip
            rng = np.random.default_rng(seed)
            group.v = rng.uniform(0, 20, 12500) * mV
            e = b2.Synapses(group[:10000], group, on_pre="v += J", delay=1.5 * ms, namespace=names)
            i = b2.Synapses(group[10000:], group, on_pre="v -= g*J", delay=1.5 * ms, namespace=names)
            for synapses, n, k_in in ((e, 10000, 1000), (i, 2500, 250)):
                source = np.concatenate([rng.choice(n, k_in, replace=False) for _ in range(12500)])
                synapses.connect(i=source, j=np.repeat(np.arange(12500), k_in))
            outside = b2.PoissonInput(group, "v", 1000, eta * 10 * Hz, weight=0.1 * mV)
            spikes = b2.SpikeMonitor(group)
            net = b2.Network(group, e, i, outside, spikes)
            net.run(1.2 * second)
            t = np.asarray(spikes.t / second)
            rates[seed, k] = np.sum(t >= 0.2) / 12500
            counts[seed, k] = np.bincount(np.floor((t[t >= 0.2] - 0.2 + 1e-9) / 0.0005).astype(int),
                                          minlength=2000)[:2000]  # fmt: skip
            print(g, eta, seed, rates[seed, k], flush=True)
    save("brian2_brunel", VERSION, "rates (seed, regime), Hz; spikes of the population in bins of 0.5 ms",
         rates_hz=rates, counts=counts, regimes=np.array(REGIMES))  # fmt: skip


def adex():
    """Spike times under steps of current, Euler at 1 us: stages beyond the peak would spoil w in better methods."""
    b2.prefs.codegen.target = "cython"
    b2.defaultclock.dt = 0.001 * ms
    current = np.array([0.5, 0.65, 0.8, 1.0, 1.5, 2.0]) * 1000
    names = {"C": 281 * pF, "gL": 30 * nS, "EL": -70.6 * mV, "VT": -50.4 * mV, "D": 2 * mV, "tau": 144 * ms,
             "a": 4 * nS, "b": 80.5 * pA}  # fmt: skip
    group = b2.NeuronGroup(
        len(current),
        """dv/dt = (-gL*(v - EL) + gL*D*exp((v - VT)/D) - w + drive)/C : volt
        dw/dt = (a*(v - EL) - w)/tau : amp
        drive : amp""",
        threshold="v > 20*mV", reset="v = EL; w += b", method="euler", namespace=names,
    )  # fmt: skip
    group.v = -70.6 * mV
    group.drive = current * pA
    spikes = b2.SpikeMonitor(group)
    b2.Network(group, spikes).run(0.5 * second)
    save("brian2_adex", VERSION, "spike times, s, of six neurons under constant current from rest, Euler at 1 us",
         current_pa=current, t_s=np.asarray(spikes.t / second), neuron=np.asarray(spikes.i))  # fmt: skip


if __name__ == "__main__":
    {"vogels-abbott": vogels_abbott, "brunel": brunel, "adex": adex}[sys.argv[1]]()
