"""NEURON on cables: the squid's cable, a branched cell, a field outside, and impedance along a passive dendrite."""

import numpy as np
from neuron import __version__ as version
from neuron import h
from store import save

h.load_file("stdrun.hoc")
EVERY = 20
DT = 0.025


def section(name, length, diameter, nseg, ra=100.0):
    s = h.Section(name=name)
    s.L, s.diam, s.nseg, s.Ra, s.cm = length, diameter, nseg, ra, 1.0
    return s


def squid(*sections):
    for s in sections:
        s.insert("hh")
        s.el_hh = -54.3
    h.usetable_hh = 0


def run(segments, ms, celsius):
    traces = [h.Vector().record(s._ref_v) for s in segments]
    h.celsius, h.dt, h.steps_per_ms = celsius, DT, round(1 / DT)
    h.finitialize(-65)
    h.continuerun(ms)
    return np.array([np.array(t) for t in traces]).T[::EVERY].astype(np.float32)


def straight():
    s = section("cable", 2000, 2, 100)
    squid(s)
    clamp = h.IClamp(s(0.005))
    clamp.delay, clamp.dur, clamp.amp = 0, 1e9, 0.3
    count = h.NetCon(s(0.995)._ref_v, None, sec=s)
    count.threshold = 0
    times = h.Vector()
    count.record(times)
    trace = run([s(0.005), s(0.505), s(0.995)], 60, 6.3)
    h.continuerun(1000)
    return trace, int(times.size())


def branched():
    soma, trunk, left, right = (
        section("soma", 20, 20, 1), section("trunk", 300, 3, 15), section("left", 200, 1.5, 10),
        section("right", 150, 1, 7),
    )  # fmt: skip
    trunk.connect(soma(0.5))
    left.connect(trunk(1))
    right.connect(trunk(1))
    squid(soma, trunk, left, right)
    clamp = h.IClamp(left(0.95))
    clamp.delay, clamp.dur, clamp.amp = 0, 1e9, 0.4
    return run([soma(0.5), trunk(0.5), left(1), right(1)], 30, 18.5)


def field():
    """A field along the cable, -20 mV within 200 µm of the middle, from 0 ms on."""
    s = section("cable", 2000, 2, 100)
    squid(s)
    s.insert("extracellular")
    for seg in s:
        seg.extracellular.e = -20.0 * np.exp(-(((seg.x - 0.5) * 2000 / 200) ** 2))
    return run([s(0.005), s(0.505), s(0.995)], 20, 6.3)


def impedance():
    soma, dendrite = section("soma", 20, 20, 1), section("dendrite", 500, 1, 401)
    dendrite.connect(soma(0.5))
    for s in (soma, dendrite):
        s.insert("pas")
        s.g_pas, s.e_pas = 1e-4, -65
    z = h.Impedance()
    found = []
    for there, here in ((soma(0.5), dendrite(1)), (dendrite(1), soma(0.5))):
        z.loc(here)  # ratio(x) is V(loc) / V(x) for a current at x
        z.compute(0)
        found.append(z.ratio(there))
    return np.array(found)


trace, spikes = straight()
save(
    "neuron_cable", f"NEURON {version}", "HH cable, branched HH cell, HH cable in a field; exact rates, dt 0.025 ms",
    straight=trace, spikes=spikes, branched=branched(), field=field(), every=EVERY,
    attenuation=impedance(),
)  # fmt: skip
