"""Acceptance figures of integrate-and-fire neurons (C1) and sparse networks (C2).

Targets of Brunel (2000): theory was recomputed by Siegert's self-consistent rate. The simulated rates and rhythms of
the paper's table are quoted, the paper itself was not at hand; three runs each of Brian2, stored beside this file,
confirm them (59.5, 37.1 and 5.2 Hz; rhythms at 175 and 21 Hz).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sim.validation import Check, Row, holds, near, stored

SEEDS = 12
PAPER = "Brunel (2000) J Comput Neurosci 8:183, table as quoted; Brian2 2.9.0 confirms"


def _interval() -> Iterator[Row]:
    """Noiseless rate: the interval between spikes to one step."""
    import numpy as np

    from sim.circuits.lif import LIF
    from sim.circuits.siegert import Neuron, noiseless_rate

    for mu in (20.5, 25.0, 60.0):
        c = LIF(n_excitatory=1, n_inhibitory=0, rest_mv=mu, start_mv=(10.0, 10.0))
        c.bind(0)
        interval = 1e3 * float(np.mean(np.diff(c.step(20_000)[0][:, 0]))) * c.dt_s
        yield near(
            "C1", f"interval without noise, R I = {mu:g} mV", 1e3 / noiseless_rate(mu, Neuron()), interval,
            1e3 * c.dt_s, unit="ms", source="t_ref + tau ln((RI - Vr)/(RI - theta)), to one step",
        )  # fmt: skip


def _noisy() -> Iterator[Row]:
    """Rate under white noise, on a grid of five means and five spreads; at each at least 40 000 expected spikes."""
    from sim.circuits.lif import LIF
    from sim.circuits.siegert import Neuron, siegert

    for sigma in (2.0, 3.5, 5.0, 6.5, 8.0):
        for mu in (16.0, 18.0, 20.0, 23.0, 28.0):
            theory = siegert(mu, sigma, Neuron())
            c = LIF(n_excitatory=1000, n_inhibitory=0, rest_mv=mu, noise_mv=sigma)
            c.bind(round(10 * sigma) * 100 + round(mu))
            c.step(3000)
            steps = round(min(40.0, max(4.0, 40.0 / theory)) / c.dt_s)
            rate = len(c.step(steps)[0]) / c.n / (steps * c.dt_s)
            yield near(
                "C1", f"rate under noise, mu {mu:g}, sigma {sigma:g} mV", theory, rate, 0.02, unit="Hz",
                source="Siegert (1951); crossing between steps corrected", relative=True,
            )  # fmt: skip


def _rates(build: Any) -> list[float]:
    found = []
    for seed in range(SEEDS):
        build.bind(seed)
        found.append(len(build.step(10_000)[0]) / build.n)
    return found


def _vogels_abbott() -> Iterator[Row]:
    """Rates of the benchmark networks against Brian2's, over seeds of both."""
    import numpy as np
    from scipy.stats import ttest_ind

    from sim.circuits.vogels_abbott import COBAHH, cuba

    other = stored("brian2_vogels_abbott")
    for name, network in (("cuba", cuba()), ("cobahh", COBAHH())):
        ours, theirs = _rates(network), other.arrays[f"{name}_hz"]
        test = ttest_ind(ours, theirs, equal_var=False)
        low, high = test.confidence_interval(0.95)
        yield holds(
            "C1", f"rate of {name.upper()}, {SEEDS} seeds, against {len(theirs)}: Welch's test",
            f"{theirs.mean():.2f} ± {theirs.std(ddof=1):.2f} Hz (SD)",
            f"{np.mean(ours):.2f} ± {np.std(ours, ddof=1):.2f} Hz; difference {low:+.2f} to {high:+.2f}, "
            f"p = {test.pvalue:.2f}",
            bool(test.pvalue > 0.05), source=other.source,
        )  # fmt: skip


def _adex() -> Iterator[Row]:
    """Spike times of adaptive neurons under steps of current."""
    import numpy as np

    from sim.circuits.adex import AdEx

    other = stored("brian2_adex")
    current, dt_s = other.arrays["current_pa"], 2.5e-5
    c = AdEx(n_excitatory=len(current), n_inhibitory=0, dt_s=dt_s)
    c.bind(0)
    c.receive("current_pa", current)
    spikes = c.step(20_000)[0]
    ours = np.bincount(spikes[:, 1], minlength=len(current))
    theirs = np.bincount(other.arrays["neuron"], minlength=len(current))
    yield holds(
        "C1", "AdEx, spikes in 0.5 s under six currents", str(theirs.tolist()), str(ours.tolist()),
        bool(np.array_equal(ours, theirs)), source=other.source,
    )  # fmt: skip
    order = np.lexsort((spikes[:, 0], spikes[:, 1])), np.lexsort((other.arrays["t_s"], other.arrays["neuron"]))
    late = (spikes[order[0], 0] + 1) * dt_s - other.arrays["t_s"][order[1]] if ours.sum() == theirs.sum() else np.inf
    yield near(
        "C1", "AdEx, largest difference of a spike's time, at 0.025 ms", 0.0, 1e3 * float(np.max(np.abs(late))),
        0.05, unit="ms", source=other.source,
    )  # fmt: skip


def _theory() -> Iterator[Row]:
    from sim.circuits.brunel import theory_hz

    for g, eta, target in ((6.0, 4.0, 55.84), (5.0, 2.0, 37.95), (4.5, 0.9, 6.52)):
        yield near(
            "C2", f"self-consistent rate, g {g:g}, eta {eta:g}", target, theory_hz(g, eta), 0.005, unit="Hz",
            source="Siegert with Brunel (2000), table: 55.8, 38.0, 6.5",
        )  # fmt: skip


def _brunel() -> Iterator[Row]:
    """Rate and rhythm of the full network, after 0.3 s: three seeds of 1 s, ten of 3 s where it drifts slowly."""
    import numpy as np

    from sim.circuits.brunel import brunel, population_counts, rhythm_hz

    for g, eta, target, rhythm, seeds, seconds in (
        (6.0, 4.0, 60.7, 180.0, 3, 1), (5.0, 2.0, 37.7, None, 3, 1), (4.5, 0.9, 5.5, 22.0, 10, 3),
    ):  # fmt: skip
        rates, rhythms, n_steps = [], [], 10_000 * seconds
        for seed in range(1, seeds + 1):
            c = brunel(g, eta)
            c.bind(seed)
            c.step(3000)
            spikes = c.step(n_steps)[0]
            spikes[:, 0] -= 3000
            rates.append(len(spikes) / c.n / seconds)
            rhythms.append(rhythm_hz(population_counts(spikes, n_steps, 5), 5e-4))
        yield near(
            "C2", f"simulated rate, g {g:g}, eta {eta:g}, mean of {seeds} seeds (SD {np.std(rates, ddof=1):.2f} Hz)",
            target, float(np.mean(rates)), 0.07, unit="Hz", source=PAPER, relative=True,
        )  # fmt: skip
        if rhythm:
            yield near(
                "C2", f"rhythm of the population, g {g:g}, eta {eta:g}, mean of {seeds} seeds", rhythm,
                float(np.mean(rhythms)), 0.15, unit="Hz", source=PAPER, relative=True,
            )  # fmt: skip


CHECKS: tuple[Check, ...] = (
    Check("C1", "interval without noise", 2.0, _interval),
    Check("C1", "rate under white noise", 25.0, _noisy),
    Check("C1", "benchmark networks against Brian2", 10.0, _vogels_abbott),
    Check("C1", "adaptive exponential neurons against Brian2", 1.0, _adex),
    Check("C2", "self-consistent theory", 1.0, _theory),
    Check("C2", "the full network", 35.0, _brunel),
)
