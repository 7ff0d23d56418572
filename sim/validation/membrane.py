"""Acceptance figures of membranes: the squid axon (M1), fast-spiking cells with a mutation (M2), calcium channels (M3).

Rates of the fast-spiking cell circulate that are those of forward Euler at 10 µs: 9, 32, 58, 185, 401 Hz at 0.2, 0.5,
1, 5, 20 µA/cm², and 0, 21, 56, 187, 0 Hz with 65 % of the sodium conductance. Brian2 gives them with that method, and
with Runge-Kutta's at 2.5 µs those the rows below ask for: 190 and 407 Hz instead of 185 and 401. A spike is a crossing
of -10 mV, which decides what "silent" means where sodium is short: with half of it, spikes end below 0 mV.
"""

from __future__ import annotations

from collections.abc import Iterator

from sim.validation import Check, Row, between, holds, near, stored

PROTOCOL = "from rest, current on for 2 s, mean interval after 0.5 s"
K_MV, HALF_MV = 6.0, -30.0


def squid() -> Iterator[Row]:
    """Onset, f-I points, rest and a trace of the squid axon's membrane."""
    import numpy as np

    from sim.cell_classes import membrane, named, rest_mv, scales_of
    from sim.cells import firing_rate, run

    peer = stored("neuron_hh")
    exact = peer.arrays["rate_hz_fine"]
    f = firing_rate("squid", [6.2, 6.3, 10.0, 20.0, 50.0])
    paper = f"models, recomputed; {peer.source} {exact[2]:.2f} and {exact[3]:.2f} (exact)"
    yield near("M1", f"rate at 6.2 µA/cm² ({PROTOCOL})", 0.0, f[0], 0.0, unit="Hz", source=paper)
    yield near("M1", "rate at 6.3 µA/cm², tonic", exact[1], f[1], 0.5, unit="Hz", source=peer.source)
    yield near("M1", "rate at 10 µA/cm²", 68.3, f[2], 0.5, unit="Hz", source=paper)
    yield near("M1", "rate at 20 µA/cm²", 86.5, f[3], 0.5, unit="Hz", source=paper)
    worst = float(np.abs(f - exact).max())
    yield near("M1", "rates at 6.2, 6.3, 10, 20, 50 µA/cm², worst", 0.0, worst, 0.1, unit="Hz off", source=peer.source)
    of = named("squid")
    rest = rest_mv(of, membrane(of, 2.5e-5, None), scales_of(of, None))
    yield near("M1", "rest", -65.0, rest, 0.1, unit="mV", source=f"{peer.source}: {float(peer.arrays['rest_mv']):.4f}")
    v = run("squid", [10.0], 0.05, dt_s=2.5e-6, every=40).v_mv[:500, 0]
    off = float(np.abs(v - peer.arrays["v_mv_fine"][1:501]).max())
    yield near("M1", "voltage, 50 ms at 10 µA/cm², worst (dt 2.5 µs)", 0.0, off, 0.1, unit="mV off", source=peer.source)


def channelopathy() -> Iterator[Row]:
    """Rates of cells whose sodium conductance is scaled."""
    import numpy as np

    from sim.cells import firing_rate, run

    peer = stored("brian2_wang_buzsaki")
    currents, exact = peer.arrays["current_ua_cm2"], peer.arrays["rate_hz"]
    for scale, row in zip(peer.arrays["na_scale"], exact, strict=True):
        f = firing_rate("pv", currents, scales={"na": float(scale)})
        for current, target, hz in zip(currents, row, f, strict=True):
            what = f"pv, sodium ×{scale:g}, rate at {current:g} µA/cm²"
            yield near("M2", what, float(target), float(hz), 1.0, unit="Hz", source=peer.source)
    printed = np.array([[9.0, 32.0, 58.0, 185.0, 401.0], [0.0, 21.0, 56.0, 187.0, 0.0]])
    off = float(np.abs(peer.arrays["rate_hz_euler_10us"][:2] - printed).max())
    what = "correction: the models' table (9 32 58 185 401; ×0.65 0 21 56 187 0 Hz) is forward Euler's at 10 µs; worst"
    yield near("M2", what, 0.0, off, 1.0, unit="Hz off", source=f"{peer.source}, Euler at 10 µs")
    v = run("pv", currents[3:4], 0.05, dt_s=1e-6, every=100).v_mv[:499, 0]
    off = float(np.abs(v - peer.arrays["v_mv"][1:500]).max())
    what = "pv, voltage, 50 ms at 5 µA/cm², worst (dt 1 µs)"
    yield near("M2", what, 0.0, off, 0.5, unit="mV off", source=peer.source)
    squids = stored("neuron_hh")
    for scale, target in ((0.9, 62.6), (0.8, 0.0)):
        hz = float(firing_rate("squid", [10.0], scales={"na": scale})[0])
        what = f"squid, sodium ×{scale:g}, rate at 10 µA/cm²"
        yield near("M2", what, target, hz, 0.1, unit="Hz", source=f"models, recomputed; {squids.source}")


def refitted() -> Iterator[Row]:
    """What a network of integrate-and-fire neurons is told of a mutation."""
    from sim.refit import lif_for

    own = "own membrane's f-I curve"
    well, ill = lif_for("pv"), lif_for("pv", {"na": 0.65})
    for name, fit in (("×1", well), ("×0.65", ill)):
        what = f"pv, sodium {name}: integrate-and-fire, root mean square up to {fit.block_ua_cm2:.3g} µA/cm²"
        yield between("M2", what, 0.0, 5.0, fit.error_hz, unit="Hz off", source=own)
    told = f"onset {well.rheobase_ua_cm2:.3f} → {ill.rheobase_ua_cm2:.3f} µA/cm²"
    told += f", block {well.block_ua_cm2:.1f} → {ill.block_ua_cm2:.1f}"
    worse = ill.rheobase_ua_cm2 > well.rheobase_ua_cm2 and ill.block_ua_cm2 < min(20.0, well.block_ua_cm2)
    yield holds("M2", "pv, sodium ×0.65: what the refit hands on", "onset up, block below 20", told, worse, source=own)


def cooperative() -> Iterator[Row]:
    """Mean field of channels that help each other open."""
    import numpy as np
    from scipy.optimize import brentq

    from sim.cooperative import Cooperative

    v = np.linspace(-90.0, 30.0, 2401)
    off = float(np.abs(Cooperative(k_mv=K_MV).open_at(v) - 1.0 / (1.0 + np.exp((HALF_MV - v) / K_MV))).max())
    yield near("M3", "no coupling: plain Boltzmann, worst", 0.0, off, 1e-9, source="identity")

    scale = np.array([0.5, 0.9, 0.999, 1.0, 1.001, 1.1, 1.5])
    u = np.linspace(-40.0, 40.0, 80_001) + 1e-4
    bare = [K_MV * u - 4.0 * K_MV * s * 0.5 * np.tanh(0.5 * u) for s in scale]  # at V½ - J/2, the middle
    three = np.array([np.count_nonzero(np.diff(np.sign(x))) == 3 for x in bare])
    parts = [Cooperative(k_mv=K_MV, j_mv=4.0 * K_MV * s) for s in scale]
    apart = np.array([np.ptp([c.open_at(HALF_MV - 0.5 * c.j_mv, from_above=a) for a in (False, True)]) for c in parts])
    told = f"J/4k {', '.join(f'{s:g}' for s in scale[apart > 1e-3])} of {', '.join(f'{s:g}' for s in scale)}"
    right = ((apart > 1e-3) == (scale > 1.0)).all() and (three == (scale > 1.0)).all()
    yield holds("M3", "two stable shares at one voltage", "exactly where J > 4 k", told, right, source="roots counted")

    rising = np.linspace(-70.0, -20.0, 20_001)
    for s, low, high in ((0.95, 0.0, 0.2), (1.5, 0.5, 1.0)):
        c = Cooperative(k_mv=K_MV, j_mv=4.0 * K_MV * s)
        up = c.follow(rising, float(c.open_at(-70.0)), 1e-3, 1e-3)
        down = c.follow(rising[::-1], float(c.open_at(-20.0, from_above=True)), 1e-3, 1e-3)[::-1]
        what = f"J/4k {s:g}: most by which a slow sweep up and down differ"
        yield between("M3", what, low, high, float(np.abs(down - up).max()), source="hysteresis only beyond 1")

    nearly = Cooperative(k_mv=K_MV, j_mv=4.0 * K_MV * (1.0 - 1e-4))
    at = brentq(lambda x: float(nearly.open_at(x)) - 0.5, -60.0, -30.0, xtol=1e-13)
    yield near("M3", "J = 4 k (1 - 1e-4): half open at V½ - 2 k", HALF_MV - 2.0 * K_MV, at, 2e-3, unit="mV",
               source="identity")  # fmt: skip
    slope = float(nearly.open_at(at + 1e-7) - nearly.open_at(at - 1e-7)) / 2e-7
    yield near("M3", "and there the slope is 1e4 / 4 k", 1e4 / (4.0 * K_MV), slope, 0.01, unit="1/mV", relative=True,
               source="identity; it diverges at J = 4 k")  # fmt: skip


def pairs() -> Iterator[Row]:
    """Two neighbouring channels that flip."""
    import numpy as np
    from scipy.stats import chi2

    from sim.cooperative import Cooperative

    n, limit = 100_000, float(chi2.ppf(0.999, 1))
    for j in (0.0, 8.0):
        c = Cooperative(v_half_mv=HALF_MV, k_mv=K_MV, j_mv=j)
        a, b = c.pairs(-33.0, n, 40, 11)
        table = np.array([[np.sum(~a & ~b), np.sum(~a & b)], [np.sum(a & ~b), np.sum(a & b)]], np.float64)
        alone = np.outer(table.sum(1), table.sum(0)) / n
        chi = float(((table - alone) ** 2 / alone).sum())
        name = f"pair, J {j:g} mV, n 1e5"
        both, square = table[1, 1] / n, alone[1, 1] / n
        if j:
            yield between("M3", f"{name}: both open beyond p² = {square:.4f}", square, np.inf, both, source="identity")
            yield between("M3", f"{name}: χ² against independence", limit, np.inf, chi, source="p < .001")
        else:
            yield between("M3", f"{name}: χ² against both open = p²", 0.0, limit, chi, source="p > .001")
        expected = n * c.pair(-33.0)
        fit = float(((table.T.ravel() - expected) ** 2 / expected).sum())
        yield between("M3", f"{name}: χ² against Gibbs weights", 0.0, float(chi2.ppf(0.999, 3)), fit,
                      source="detailed balance, p > .001")  # fmt: skip


def rebound() -> Iterator[Row]:
    """Burst of the relay cell when a hyperpolarisation ends."""
    import numpy as np

    from sim.cell_classes import held, membrane, named
    from sim.cells import run

    of, dt_s = named("relay"), 2.5e-5
    p = membrane(of, dt_s, None)
    done = run("relay", [0.0, 0.0], 0.5, dt_s=dt_s, state=held(of, p, [-60.0, -60.0], [-80.0, -60.0], 0.2))
    burst, none = done.t_s[done.cell == 0], done.t_s[done.cell == 1]
    protocol = "clamped 200 ms, then free for 500 ms"
    paper = "Huguenard & McCormick 1992"
    yield between("M3", f"relay, spikes after -80 mV ({protocol})", 2, np.inf, burst.size, source=paper)
    yield near("M3", f"relay, spikes after -60 mV ({protocol})", 0, none.size, 0, source=paper)
    peer = stored("neuron_t_current")
    hold = peer.arrays["hold_mv"]
    done = run("relay", 0.0 * hold, 0.1, dt_s=dt_s, state=held(of, p, 0.0 * hold - 60.0, hold, 0.2))
    counts = np.bincount(done.cell, minlength=hold.size)
    told, asked = " ".join(map(str, counts)), " ".join(map(str, peer.arrays["n_spikes"]))
    voltages = ", ".join(f"{x:g}" for x in hold)
    yield holds("M3", f"relay, spikes after {voltages} mV", asked, told, told == asked, source=peer.source)
    if told == asked:
        off = float(np.abs(1e3 * done.t_s[done.cell == 0] - peer.arrays["spikes_ms"]).max())
        what = f"relay, times of the spikes after {hold[0]:g} mV, worst"
        yield near("M3", what, 0.0, off, 0.05, unit="ms off", source=peer.source)


CHECKS: tuple[Check, ...] = (
    Check("M1", "squid axon's membrane", 1.0, squid),
    Check("M2", "cells with a channel scaled", 2.0, channelopathy),
    Check("M2", "integrate-and-fire neurons of cells with a channel scaled", 3.0, refitted),
    Check("M3", "channels that open one another", 1.0, cooperative),
    Check("M3", "pairs of channels that open one another", 0.3, pairs),
    Check("M3", "T-type calcium current of a relay cell", 0.5, rebound),
)
