"""The simulated participant whose motor cortex is a spiking circuit, listened to by an array of electrodes.

The user intends, the circuit (:class:`sim.circuits.tissue.Tissue`) fires, each electrode reports the spikes of one
neuron. Synapses learn by reward. The circuit is told no task, so the reward is what a person could feel: whether the
effector comes nearer to the goal than it used to, per 10 ms and against a running mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import F32, F64, I64, EffectorState, Goal, StreamSpec
from sim import GRID_S
from sim.circuits.tissue import Tissue
from sim.preparation import Preparation
from sim.user import User
from sim.world import Samples, counts_spec, whole_chunk

SETTLE_S = 0.2
"""The tissue runs for so long before a session, and forgets how it was started."""
ACTIVE_HZ = 1.0
"""A neuron that fires less at rest is not found by an electrode."""
USUAL_S = 5.0
"""Progress is compared with what it was over about so long."""


@dataclass(kw_only=True)
class TissueWorld:
    """Spike counts of a motor-cortical circuit while a simulated user tries to reach what the task asks for.

    Neurons are picked at random among those that fire, excitatory or not, as an array's electrodes would. The circuit
    runs in blocks of 10 ms.

    *Realtime*: a block takes some 1 ms of one core.
    """

    name: str = "m1"
    """Name of the stream."""
    type: str = "spikes"
    """LSL content type of the stream."""
    n_neurons: Annotated[int, Gt(0)] = 96
    """Neurons heard, one a channel."""
    n_dims: Annotated[int, Ge(1)] = 2
    """Dimensions of the movement."""
    chunk_s: Annotated[float, Gt(0)] = 0.005
    """Samples pushed together, s: a whole number of milliseconds."""
    subject: int | None = None
    """Number of the participant, whose circuit and electrodes are the same in every session; None draws new ones."""
    reward: Annotated[float, Ge(0)] = 0.05
    """Reward per unexpected progress, in units of the user's speed; 0 leaves synapses to homeostasis."""
    tissue: Tissue = field(default_factory=Tissue)
    """The circuit; its ``n_dims`` and ``subject`` are the world's."""
    user: User = field(default_factory=User)
    """The person."""

    @property
    def rate_hz(self) -> float:
        """Samples a second."""
        return 1000.0

    @property
    def chunk_samples(self) -> int:
        """Samples in one push."""
        return max(1, round(self.chunk_s * self.rate_hz))

    @property
    def spec(self) -> StreamSpec:
        """What the stream promises."""
        return counts_spec(self, f"sim-tissue-{self.name}")

    def bind(self, rng: np.random.Generator, t0: float) -> None:
        """Begin a session whose first sample is at ``t0``, s.

        Raises
        ------
        ContractError
            If a push is no whole number of samples, the circuit cannot be drawn, or has fewer active neurons than
            there are electrodes.
        """
        whole_chunk(self)
        person, session = rng.spawn(2)
        seed = int(session.integers(2**31))
        tissue = replace(self.tissue, n_dims=self.n_dims, subject=self.subject)
        self._preparation = Preparation(tissue, seed)
        self._preparation.advance_s(SETTLE_S)
        self.channels_ = self._electrodes(tissue, seed if self.subject is None else self.subject)
        self.user.bind(person, n_dims=self.n_dims, t0=t0)
        self._progress = Progress(self.user.speed_mm_s)
        self._block: F32 = np.zeros((round(GRID_S * self.rate_hz), self.n_neurons), np.float32)
        self._samples = Samples(self._block, self._step)

    def _electrodes(self, tissue: Tissue, seed: int) -> I64:
        active = np.flatnonzero(tissue.anatomy_.baselines_hz > ACTIVE_HZ)
        if len(active) < self.n_neurons:
            raise ContractError(
                f"TissueWorld {self.name!r}: n_neurons is {self.n_neurons}, expected at most the {len(active)} neurons "
                f"of the tissue that fire above {ACTIVE_HZ:g} Hz; listen to fewer or give it more"
            )
        picked: I64 = np.random.default_rng([seed, 1]).choice(active, self.n_neurons, replace=False)
        return picked

    @property
    def intended(self) -> F64:
        """Velocity the user intends now, (n_dims,), mm/s: what a decoder would ideally say; borrowed."""
        return self.user.intended

    @property
    def intended_click(self) -> float:
        """1 while the user intends a click, else 0."""
        return self.user.intended_click

    def see(self, t: float, effector: EffectorState, goal: Goal) -> None:
        """Show the user the effector and the goal as they are at ``t``, s."""
        self.user.see(t, effector, goal)

    def draw(self, n_samples: int) -> F32:
        """Return the next samples, (n_samples, n_neurons) float32, counts; the caller's to keep."""
        return self._samples.draw(n_samples)

    def _step(self) -> None:
        """Let the user intend and the tissue fire for 10 ms."""
        preparation, user = self._preparation, self.user
        preparation.give("velocity", preparation.t_s, user.step())
        preparation.give("click", preparation.t_s, user.intended_click)
        if self.reward:
            preparation.give("reward", preparation.t_s, self.reward * self._progress.step(user.seen, user.asked))
        counts = preparation.advance_s(GRID_S)["counts"]
        self._block[:] = counts[:, self.channels_]


class Progress:
    """How much better than usual an effector approaches what is asked for; 0 while nothing is.

    Parameters
    ----------
    speed_mm_s : float
        Approach that counts as 1.
    """

    def __init__(self, speed_mm_s: float) -> None:
        self._speed = speed_mm_s
        self._usual = 0.0
        self._follow = -math.expm1(-GRID_S / USUAL_S)
        self._trial, self._distance = -1.0, 0.0

    def step(self, seen: F64, asked: F64) -> float:
        """Return it for the 10 ms since the last call.

        Parameters
        ----------
        seen : (n_dims,) float64
            Where the effector is seen, mm.
        asked : (n_dims + 3,) float64
            Goal as perceived: position and radius, mm, whether it is on, number of the trial.
        """
        n = len(seen)
        distance = math.dist(seen.tolist(), asked[:n].tolist())
        active, trial = float(asked[n + 1]), float(asked[n + 2])
        before, self._distance = self._distance, distance
        if not active or trial != self._trial:
            self._trial = trial if active else -1.0
            return 0.0
        approach = (before - distance) / (self._speed * GRID_S)
        better = approach - self._usual
        self._usual += self._follow * better
        return min(max(better, -1.0), 1.0)
