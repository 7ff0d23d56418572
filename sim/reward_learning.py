"""Learning from reward alone: which of two patterns was it? The answer counts, the teacher says only right or wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bmi.signals import F64, AnyArray
from sim.plastic import Plastic
from sim.plasticity import PairRule, Reward


class Learned(NamedTuple):
    """How a simulated learner did."""

    before: float
    """Share of right answers with the first weights, learning switched off."""
    training: npt.NDArray[np.bool_]
    """(n_trials,): whether each answer while learning was right."""
    after: float
    """Share of right answers with the last weights, learning switched off."""


@dataclass(kw_only=True)
class TwoClasses:
    """Two rate patterns over the same inputs, two pools of neurons; the pool that fires more is the answer.

    Reward is the answer's worth (1 right, -1 wrong) less what this pattern earned on average so far, so that only the
    unexpected teaches [1]_. Pools inhibit each other; Poisson inputs make the answers vary, which is all the search
    there is.

    References
    ----------
    .. [1] Frémaux, Sprekeler & Gerstner (2010) Functional requirements for reward-modulated spike-timing-dependent
       plasticity. J Neurosci 30:13326.
    """

    n_inputs: int = 60
    n_pool: int = 5
    """Neurons that stand for one answer."""
    high_hz: float = 40.0
    low_hz: float = 5.0
    shown_s: float = 0.3
    """For how long a pattern is shown."""
    pause_s: float = 0.7
    """Between the answer and the next pattern; dopamine acts in it."""
    memory: float = 0.9
    """Share of the expectation of a pattern's reward that one trial leaves."""
    dopamine: float = 120.0
    """Released for 10 ms, 1/s per unit of unexpected reward."""
    honest: bool = True
    """Whether right answers are rewarded; otherwise a coin says what is right."""
    pairs: PairRule = field(default_factory=lambda: PairRule(a_plus=0.01, a_minus=0.005))
    """What counts is a rate, so potentiation has to outweigh: with equal areas both sides of the window cancel."""
    reward: Reward = field(default_factory=lambda: Reward(tau_eligibility_s=0.5))

    def learner(self) -> Plastic:
        """Return the circuit, unbound."""
        return Plastic(
            name="two-classes", dt_s=5e-4, n_inputs=self.n_inputs, n_neurons=2 * self.n_pool, pairs=self.pairs,
            reward=self.reward, start=0.5, input_hz=0.0, background_hz=200.0,
            background=0.15, inhibitory=0.15, inhibitory_hz=200.0, peak=0.1, lateral=0.3, weights_hz=1.0,
        )  # fmt: skip

    def patterns(self, rng: np.random.Generator) -> F64:
        """Return (2, n_inputs) rates in Hz: in each, half of the inputs are high, drawn on their own."""
        rates = np.full((2, self.n_inputs), self.low_hz)
        for pattern in rates:
            pattern[rng.permutation(self.n_inputs)[: self.n_inputs // 2]] = self.high_hz
        return rates

    def run(self, seed: int, *, n_trials: int = 300, n_test: int = 100) -> Learned:
        """Test, teach for ``n_trials``, test again; patterns, order and spikes depend on ``seed`` only."""
        rng = np.random.default_rng(seed)
        circuit, patterns = self.learner(), self.patterns(rng)
        circuit.bind(seed)
        expected = np.zeros(2)
        results = []
        for n, teach in ((n_test, False), (n_trials, True), (n_test, False)):
            circuit.receive("plasticity", np.array(float(teach)))
            right = np.zeros(n, bool)
            for k, shown in enumerate(rng.permutation(np.arange(n) % 2)):
                right[k] = self._answer(circuit, patterns[shown], rng) == shown
                worth = 1.0 if (right[k] if self.honest else rng.integers(2)) else -1.0
                self._pause(circuit, self.dopamine * (worth - expected[shown]) if teach else 0.0)
                if teach:
                    expected[shown] += (1.0 - self.memory) * (worth - expected[shown])
            results.append(right)
        return Learned(float(results[0].mean()), results[1], float(results[2].mean()))

    def _answer(self, circuit: Plastic, rates_hz: AnyArray, rng: np.random.Generator) -> int:
        """Return the pool that fires more while a pattern is shown; a coin where both fire alike."""
        circuit.receive("inputs", rates_hz)
        spikes, _ = circuit.step(round(self.shown_s / circuit.dt_s))
        counts = np.bincount(spikes[:, 1] // self.n_pool, minlength=2)
        return int(rng.integers(2)) if counts[0] == counts[1] else int(counts.argmax())

    def _pause(self, circuit: Plastic, released: float) -> None:
        """Release dopamine for 10 ms and let it act."""
        circuit.receive("inputs", np.zeros(self.n_inputs))
        circuit.receive("reward", np.array(released))
        circuit.step(round(0.010 / circuit.dt_s))
        circuit.receive("reward", np.array(0.0))
        circuit.step(round((self.pause_s - 0.010) / circuit.dt_s))
