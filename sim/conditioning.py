"""Spike-triggered stimulation: an implant that stimulates one site when it hears another fire, and what that leaves.

A pulse that follows the spikes of site A within the window of plasticity makes neurons of site B fire as if A had
driven them, so synapses from A to B grow; much later pulses meet no trace of A's spikes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Gt

from bmi.signals import F64
from sim.plastic import Plastic, Trigger
from sim.plasticity import PairRule


class Conditioned(NamedTuple):
    """Mean weights between and within the two sites, before and after."""

    before: F64
    """(2, 2): from site (A, B), to site."""
    after: F64
    rates_hz: F64
    """(2,): mean rate of each site while conditioned."""
    stimuli_hz: float
    """Stimuli that site B received."""


@dataclass(kw_only=True)
class Conditioning:
    """Two sites of a few neurons each, all connected, kept firing by background [1]_.

    References
    ----------
    .. [1] Jackson, Mavoori & Fetz (2006) Long-term motor cortex plasticity induced by an electronic neural implant.
       Nature 444:56.
    """

    n_site: Annotated[int, Gt(0)] = 5
    """Neurons of each site."""
    delay_s: Annotated[float, Gt(0)] | None = 0.020
    """From a spike of A to the stimulus at B; None: no stimulation."""
    kick_mv: Annotated[float, Ge(0)] = 15.0
    pairs: PairRule = field(default_factory=PairRule)

    def circuit(self) -> Plastic:
        """Return both sites, A first, unbound."""
        a, b = tuple(range(self.n_site)), tuple(range(self.n_site, 2 * self.n_site))
        trigger = None if self.delay_s is None else Trigger(
            recorded=a, stimulated=b, delay_s=self.delay_s, kick_mv=self.kick_mv
        )  # fmt: skip
        return Plastic(
            name="sites", dt_s=5e-4, n_inputs=0, n_neurons=2 * self.n_site, learns="recurrent", pairs=self.pairs,
            trigger=trigger, start=0.5, background_hz=580.0, background=0.08, inhibitory_hz=400.0, inhibitory=0.05,
            peak=0.01, weights_hz=1.0,
        )  # fmt: skip

    def run(self, seed: int, *, seconds: float = 120.0) -> Conditioned:
        """Condition for ``seconds``; background spikes depend on ``seed`` only."""
        circuit = self.circuit()
        circuit.bind(seed)
        before = self.between(circuit)
        spikes, _ = circuit.step(round(seconds / circuit.dt_s))
        site = spikes[:, 1] // self.n_site
        rates = np.bincount(site, minlength=2) / (self.n_site * seconds)
        stimuli = len(np.unique(spikes[site == 0, 0])) / seconds if circuit.trigger else 0.0
        return Conditioned(before, self.between(circuit), rates, stimuli)

    def between(self, circuit: Plastic) -> F64:
        """Return (2, 2) mean weights, from site to site."""
        n = circuit.n_neurons
        full = np.full((n, n), np.nan)
        full[~np.eye(n, dtype=bool)] = circuit.w
        mean: F64 = np.nanmean(full.reshape(2, self.n_site, 2, self.n_site), axis=(1, 3))
        return mean
