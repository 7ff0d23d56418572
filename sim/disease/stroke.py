"""Stroke and rehabilitation: tracts and gain that are lost at once, and come back where feedback follows the attempt.

A lesion takes a share of every tract into and out of a region, and some of its gain. What comes back depends on
practice: a patient attempts a movement, an interface notices it and moves the limb, and synapses that were active in
the attempt grow stronger if what follows is better than expected while they are still eligible (reward-modulated STDP,
``sim.plasticity``). Feedback that comes too late, or at any time at all, finds nothing eligible. Recovery over days
follows 1 - e^(-t / tau), towards a share of what was lost that is a choice of the scenario: "proportional recovery" of
70 % is a regularity of groups of patients, contested, and no law of the model.

References
----------
.. [1] Alstott, Breakspear, Hagmann, Cammoun & Sporns (2009) Modeling the impact of lesions in the human brain. PLoS
   Comput Biol 5: e1000408.
.. [2] Izhikevich (2007) Solving the distal reward problem through linkage of STDP and dopamine signaling. Cereb Cortex
   17: 2443-2452.
.. [3] Biasiucci et al. (2018) Brain-actuated functional electrical stimulation elicits lasting arm motor recovery after
   stroke. Nat Commun 9: 2421. (Contingent against sham feedback.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt, Interval

from bmi.errors import ContractError
from bmi.signals import F64
from sim.plastic import Plastic
from sim.plasticity import PairRule, Reward

GAIN_LOST = 0.6
"""Share of a region's gain that is gone where all its tracts are."""


def lesioned(weights: F64, lesion: F64) -> F64:
    """Return the tracts (n, n) left of ``weights`` where each region has lost the share ``lesion`` (n,) of its own."""
    left = 1.0 - np.asarray(lesion, np.float64)
    w = np.asarray(weights, np.float64)
    if left.ndim != 1 or w.shape != (len(left), len(left)):
        raise ContractError(
            f"lesioned: expected weights (n, n) and lesion (n,), given shapes {w.shape} and {left.shape}"
        )
    if not ((left >= 0.0) & (left <= 1.0)).all():
        raise ContractError("lesioned: expected shares of 0 to 1 lost")
    out: F64 = left[:, None] * w * left
    return out


def gain(lesion: F64) -> F64:
    """Return the scale of each region's gain, 1 where nothing is lost; 0.7 where half the tracts are."""
    out: F64 = 1.0 - GAIN_LOST * np.asarray(lesion, np.float64)
    return out


@dataclass(frozen=True, kw_only=True)
class Stroke:
    """A lesion on one day, and what comes back of it afterwards."""

    n_regions: Annotated[int, Gt(0)]
    """Regions of the patient's brain."""
    regions: tuple[int, ...]
    """Those hit."""
    loss: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """Share of their tracts lost."""
    from_day: float = 90.0
    """When, days since implantation."""
    recovered: Annotated[float, Interval(ge=0, le=1)] = 0.7
    """Share of the loss that comes back in the end; ``Rehabilitation`` says what practice makes of it."""
    tau_days: Annotated[float, Gt(0)] = 40.0
    """Time constant of recovery, days."""

    def __post_init__(self) -> None:
        if not self.regions or not all(0 <= k < self.n_regions for k in self.regions):
            raise ContractError(f"Stroke.regions: expected some of 0 to {self.n_regions - 1}, given {self.regions}")
        for name in ("loss", "recovered"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ContractError(f"Stroke.{name}: expected 0 to 1, given {getattr(self, name):g}")
        if not (self.tau_days > 0.0 and math.isfinite(self.from_day)):
            raise ContractError(
                f"Stroke: expected tau_days above 0 and a finite from_day, given {self.tau_days:g}, {self.from_day:g}"
            )

    def at(self, day: float) -> Mapping[str, npt.ArrayLike]:
        """Return the share of tracts lost, of every region."""
        lesion = np.zeros(self.n_regions)
        if day >= self.from_day:
            back = self.recovered * -math.expm1(-(day - self.from_day) / self.tau_days)
            lesion[list(self.regions)] = self.loss * (1.0 - back)
        return {"lesion": lesion}


class Practised(NamedTuple):
    """What practice did."""

    gain: F64
    """(n_trials + 1,): mean weight of the pool's synapses as a share of the healthy one, before and after each."""
    performance: F64
    """(n_trials,): spikes in each attempt, as a share of the healthy count."""
    released: F64
    """(n_trials,): dopamine released by each feedback, 1/s; what a sham twin is given at other times."""

    @property
    def recovery(self) -> float:
        """Share of the loss that came back."""
        return float((self.gain[-1] - self.gain[0]) / (1.0 - self.gain[0]))


@dataclass(kw_only=True)
class Rehabilitation:
    """Practice with an interface that answers attempts: a pool of cortical cells whose synapses a lesion weakened.

    Dopamine released is the feedback's worth (1: the limb moves as a healthy one would) less what the patient has come
    to expect of own performance, so that gains shrink as performance returns. A sham twin is given the same feedbacks,
    at times that have nothing to do with the attempts.
    """

    n_inputs: Annotated[int, Gt(0)] = 60
    """Synapses of each cell of the pool, from cortex that plans."""
    n_pool: Annotated[int, Gt(0)] = 5
    """Cells around the lesion."""
    left: Annotated[float, Interval(gt=0, lt=1)] = 0.3
    """Weight of their synapses after the lesion, as a share of the healthy one."""
    contingent: bool = True
    """Whether feedback answers the attempt; otherwise this is the sham."""
    delay_s: Annotated[float, Ge(0)] = 0.2
    """From the end of the attempt to the feedback."""
    attempt_s: Annotated[float, Gt(0)] = 0.3
    """How long an attempt lasts."""
    rest_s: Annotated[float, Gt(0)] = 2.7
    """From its end to the next."""
    input_hz: Annotated[float, Gt(0)] = 40.0
    """Rate of an input during an attempt."""
    dopamine: Annotated[float, Gt(0)] = 500.0
    """Released for 10 ms, 1/s per unit of unexpected worth."""
    memory: Annotated[float, Interval(ge=0, lt=1)] = 0.8
    """Share of the expectation that one attempt leaves."""
    pairs: PairRule = field(default_factory=lambda: PairRule(a_plus=0.01, a_minus=0.005))
    """What counts is a rate, so potentiation has to outweigh."""
    reward: Reward = field(default_factory=lambda: Reward(tau_eligibility_s=0.3, tau_dopamine_s=0.1))

    def pool(self, weight: float) -> Plastic:
        """Return the circuit, unbound, with synapses of ``weight``."""
        return Plastic(
            name="pool", dt_s=5e-4, n_inputs=self.n_inputs, n_neurons=self.n_pool, pairs=self.pairs,
            reward=self.reward, start=weight, input_hz=0.0, background_hz=500.0, background=0.15, inhibitory=0.15,
            inhibitory_hz=500.0, peak=0.05, weights_hz=1.0,
        )  # fmt: skip

    def healthy(self, seed: int, n_trials: int = 20) -> float:
        """Return the spikes an attempt makes with healthy synapses that do not learn, mean of ``n_trials``."""
        circuit = self.pool(1.0)
        circuit.bind(seed)
        circuit.receive("plasticity", np.array(0.0))
        counts = []
        for _ in range(n_trials):
            counts.append(self._attempt(circuit))
            self._wait(circuit, 0.5)
        return float(np.mean(counts))

    def run(self, seed: int, *, n_trials: int = 100, released: F64 | None = None) -> Practised:
        """Practise.

        Parameters
        ----------
        seed : int
            Spikes, and the times of a sham's feedback, depend on it only.
        released : (n_trials,) array
            What the contingent twin of a sham was given.

        Raises
        ------
        ContractError
            If feedback comes after the next attempt, or a sham lacks what its twin was given.
        """
        self._check(n_trials, released)
        circuit, whole, rng = self.pool(self.left), self.healthy(seed), np.random.default_rng(seed)
        circuit.bind(seed)
        gains, made, given = [self._gain(circuit)], np.zeros(n_trials), np.zeros(n_trials)
        expected = self.left
        shuffled = None if released is None else rng.permutation(released)
        for k in range(n_trials):
            made[k] = self._attempt(circuit) / whole
            if shuffled is None:
                given[k] = self.dopamine * max(0.0, 1.0 - expected)
                self._feedback(circuit, self.delay_s, given[k])
            else:
                given[k] = shuffled[k]
                self._feedback(circuit, rng.uniform(0.0, self.rest_s - 0.02), given[k])
            expected = self.memory * expected + (1.0 - self.memory) * min(1.0, made[k])
            gains.append(self._gain(circuit))
        return Practised(np.array(gains), made, given)

    def _check(self, n_trials: int, released: F64 | None) -> None:
        if not 0.0 <= self.delay_s <= self.rest_s - 0.02:
            raise ContractError(
                f"Rehabilitation.delay_s: expected 0 to {self.rest_s - 0.02:g} s, before the next attempt, "
                f"given {self.delay_s:g}"
            )
        if self.contingent != (released is None) or (released is not None and released.shape != (n_trials,)):
            raise ContractError(
                "Rehabilitation.run: a sham is given what its contingent twin was, an array `released` of one entry a "
                "trial; contingent feedback makes its own"
            )

    def _gain(self, circuit: Plastic) -> float:
        return float(circuit.w.mean()) / self.pairs.high

    def _attempt(self, circuit: Plastic) -> float:
        """Return the pool's spikes in one attempt."""
        circuit.receive("inputs", np.full(self.n_inputs, self.input_hz))
        spikes, _ = circuit.step(round(self.attempt_s / circuit.dt_s))
        circuit.receive("inputs", np.zeros(self.n_inputs))
        return float(len(spikes))

    def _feedback(self, circuit: Plastic, after_s: float, released: float) -> None:
        """Rest, ``after_s`` into it with the feedback's dopamine for 10 ms."""
        before = 0.01 * round(after_s / 0.01)
        self._wait(circuit, before)
        circuit.receive("reward", np.array(released))
        self._wait(circuit, 0.010)
        circuit.receive("reward", np.array(0.0))
        self._wait(circuit, self.rest_s - 0.010 - before)

    def _wait(self, circuit: Plastic, seconds: float) -> None:
        if seconds > 0.0:
            circuit.step(round(seconds / circuit.dt_s))
