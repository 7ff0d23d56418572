"""Acceptance figures of spikes and masses side by side, W4: one region of a network of mean fields as 10 000 neurons.

The network is six regions of Montbrió, Pazó and Roxin at rest near 8 Hz, noise on each, delays of 6 to 25 ms. One of
them is a hub that sends most of what the others get, so that they would tell: without it their mean rates and spectra
change as the last rows say. Both runs have the same noise in the other regions. Figures hold for regions that fire
irregularly; where a whole network beats in one rhythm above some 16 Hz, the kernel of 10 ms, which translators have,
holds the region back and the rhythm changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

from bmi.signals import F64
from sim.brain.connectome import Connectome
from sim.validation import Check, Row, between, holds, near

SECONDS, SEED, N, HUB, GAIN, NOISE = 40.0, 4, 10_000, 0, 4.0, 2.0
SELF = f"self-consistency with the run of masses alone; {SECONDS:g} s, seed {SEED}"
WINDOW_MS = 5


def regions() -> Connectome:
    """Return six regions of which the first sends three fifths of what each other gets."""
    rng = np.random.default_rng(SEED)
    weights = rng.uniform(0.5, 1.5, (6, 6)) * (1.0 - np.eye(6))
    weights[:, HUB] = 0.0
    weights *= 0.4 / weights.sum(axis=1, keepdims=True)
    weights[1:, HUB] = 0.6
    weights[HUB] *= 1.0 / weights[HUB].sum()
    return Connectome(labels=tuple("hABCDE"), weights=weights, lengths_mm=rng.uniform(25.0, 100.0, (6, 6)))


class Run(NamedTuple):
    """What a co-simulated run shows, a row a millisecond."""

    rate: F64
    counts: F64
    events: F64
    sent: int
    waiting: int
    """Events that have not arrived yet."""
    heard: int


@cache
def spiking(seconds: float = SECONDS) -> Run:
    """Run with neurons in the hub's place."""
    from sim.brain.cosimulation import Cosimulation, ToRate, ToSpikes, fitted_gain
    from sim.brain.montbrio import MontbrioPazoRoxin
    from sim.brain.qif import QIF

    neurons, mass = QIF(), MontbrioPazoRoxin()
    neurons.bind(SEED)
    mass.bind(SEED)
    alone = fitted_gain(neurons.step(50_000)[1].mean(), mass.step(50_000)[0].mean())
    both = Cosimulation(
        network=MontbrioPazoRoxin(connectome=regions(), gain=GAIN, noise=NOISE, proxied=(HUB,)),
        neurons=QIF(noise=NOISE), down=ToSpikes(n_afferents=N, most_hz=50.0), up=ToRate(n_neurons=N, gain=alone),
    )  # fmt: skip
    both.bind(SEED)
    rate, counts, events = both.step(round(seconds / both.dt_s))
    waiting = int(both.state()["events"].sum())
    return Run(rate, counts, events, both.down.sent, waiting, both.up.heard)


def masses(proxied: tuple[int, ...] = ()) -> F64:
    """Return the rates of the network of masses alone; a proxied region is silent."""
    from sim.brain.montbrio import MontbrioPazoRoxin

    net = MontbrioPazoRoxin(connectome=regions(), gain=GAIN, noise=NOISE, proxied=proxied)
    net.bind(SEED)
    rate: F64 = net.step(round(SECONDS / net.dt_s))[0]
    return rate


def difference(a: F64, b: F64) -> tuple[float, float]:
    """Return the largest change of a mean rate, %, and of a spectrum, dB rms over 1-45 Hz, of all but the hub."""
    from scipy.signal import welch

    a, b = a[1000:, 1:], b[1000:, 1:]
    f, p = welch(a, 1000.0, nperseg=1000, axis=0)
    _, q = welch(b, 1000.0, nperseg=1000, axis=0)
    band = (f >= 1.0) & (f <= 45.0)
    decibel = np.sqrt(((10.0 * np.log10(p[band] / q[band])) ** 2).mean(axis=0))
    return float(100.0 * np.abs(a.mean(0) / b.mean(0) - 1.0).max()), float(decibel.max())


def others() -> Iterator[Row]:
    """What the other regions notice."""
    alone = masses()
    rate, spectrum = difference(spiking().rate, alone)
    yield between("W4", f"change of the mean rate of other regions, one being {N} QIF, the largest of 5", 0.0, 3.0,
                  rate, unit="%", source=SELF)  # fmt: skip
    yield between("W4", "log distance of their spectra, 1-45 Hz, rms, the largest of 5", 0.0, 1.0, spectrum, unit="dB",
                  source=SELF)  # fmt: skip
    rate, spectrum = difference(masses(proxied=(HUB,)), alone)
    yield between("W4", "the same with the region silent: change of the mean rate", 3.0, np.inf, rate, unit="%",
                  source="the figures above can tell")  # fmt: skip
    yield between("W4", "the same with the region silent: log distance", 1.0, np.inf, spectrum, unit="dB",
                  source="the figures above can tell")  # fmt: skip
    own = 100.0 * float(spiking().rate[1000:, HUB].mean() / alone[1000:, HUB].mean() - 1.0)
    yield between("W4", "mean rate of the neurons against the mass they stand for", -3.0, 3.0, own, unit="%",
                  source=SELF)  # fmt: skip


def bookkeeping() -> Iterator[Row]:
    """Lag, conservation and determinism of the exchange."""
    from sim.brain.cosimulation import ToRate

    run = spiking()
    up = ToRate(n_neurons=N)
    up.bind(0)
    translated = up.step(run.counts)
    heard = run.rate[:, HUB]
    n = len(heard) - 40
    best = max(range(40), key=lambda k: float(np.corrcoef(translated[:n], heard[k : n + k])[0, 1]))
    yield near("W4", "lag of what masses hear behind what neurons say", WINDOW_MS, best, 0, unit="ms",
               source="identity")  # fmt: skip
    exact = np.ptp(heard[WINDOW_MS:] / translated[:-WINDOW_MS])
    yield near("W4", "spread of the ratio of the two at that lag", 0.0, float(exact), 1e-9, source="identity")
    arrived = int(run.events.sum())
    yield holds("W4", "spikes of afferents, sent; arrived and under way", f"{run.sent}", f"{arrived} + {run.waiting}",
                run.sent == arrived + run.waiting, source="identity")  # fmt: skip
    yield holds("W4", "spikes of neurons, fired and counted", f"{int(run.counts.sum())}", f"{run.heard}",
                run.heard == int(run.counts.sum()), source="identity")  # fmt: skip
    again = spiking.__wrapped__(2.0)
    pairs = zip((again.rate, again.counts, again.events), (run.rate, run.counts, run.events), strict=True)
    differing = sum(int((a != b[: len(a)]).sum()) for a, b in pairs)
    yield holds("W4", "values that differ when it is run again, 2 s", "0", f"{differing}", differing == 0,
                source=f"identity; seed {SEED}")  # fmt: skip


CHECKS: tuple[Check, ...] = (
    Check("W4", "what other regions notice", 14.0, others),
    Check("W4", "what is exchanged", 1.0, bookkeeping),
)
