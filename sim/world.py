"""The simulated participant: a user who intends, and a population of neurons that betrays the intention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import F32, F64, EffectorState, Goal, StreamSpec
from sim.population import Population
from sim.user import User


class Samples:
    """Samples drawn a block at a time and handed out in any number, so that nothing depends on how they are cut.

    Parameters
    ----------
    rows : (n_samples, n_channels) float32
        Where ``step`` leaves a block.
    step : callable
        Draws the next one.
    """

    def __init__(self, rows: F32, step: Callable[[], None]) -> None:
        self._rows, self._step = rows, step
        self._used = len(rows)

    def draw(self, n_samples: int) -> F32:
        """Return the next samples, (n_samples, n_channels); the caller's to keep."""
        out: F32 = np.empty((n_samples, self._rows.shape[1]), np.float32)
        done = 0
        while done < n_samples:
            if self._used == len(self._rows):
                self._step()
                self._used = 0
            n = min(n_samples - done, len(self._rows) - self._used)
            out[done : done + n] = self._rows[self._used : self._used + n]
            self._used += n
            done += n
        return out


@dataclass(kw_only=True)
class PopulationWorld:
    """Spike counts of motor cortex while a simulated user tries to reach what the task asks for.

    *Realtime*: ``draw`` of 5 ms, 96 neurons, allocates its result only. It is called 200 times a second.
    """

    name: str = "m1"
    """Name of the stream."""
    type: str = "spikes"
    """LSL content type of the stream."""
    n_neurons: Annotated[int, Gt(0)] = 96
    """Neurons, one a channel."""
    n_dims: Annotated[int, Ge(1)] = 2
    """Dimensions of the movement."""
    rate_hz: Annotated[float, Gt(0)] = 1000.0
    """Samples a second, a multiple of 100."""
    chunk_s: Annotated[float, Gt(0)] = 0.005
    """Samples pushed together, s: a whole number of them."""
    subject: int | None = None
    """Number of the participant, whose neurons are the same in every session; None draws new ones."""
    population: Population = field(default_factory=Population)
    """The neurons."""
    user: User = field(default_factory=User)
    """The person."""

    @property
    def chunk_samples(self) -> int:
        """Samples in one push."""
        return max(1, round(self.chunk_s * self.rate_hz))

    @property
    def spec(self) -> StreamSpec:
        """What the stream promises."""
        return counts_spec(self, f"sim-population-{self.name}")

    def bind(self, rng: np.random.Generator, t0: float) -> None:
        """Begin a session whose first sample is at ``t0``, s.

        Raises
        ------
        ContractError
            If a push or a block of 10 ms is not a whole number of samples.
        """
        whole_chunk(self)
        neurons, spikes, person = rng.spawn(3)
        if self.subject is not None:
            neurons = np.random.default_rng(self.subject)
        self.population.bind(
            neurons, spikes, n_neurons=self.n_neurons, n_dims=self.n_dims, rate_hz=self.rate_hz
        )
        self.user.bind(person, n_dims=self.n_dims, t0=t0)
        self._block: F32 = np.zeros((self.population.n_samples, self.n_neurons), np.float32)
        self._samples = Samples(self._block, self._step)

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
        """Draw the next block."""
        self.population.step(self.user.step(), self._block, self.user.intended_click)


def counts_spec(world: Any, source_id: str) -> StreamSpec:
    """Return what a stream of spike counts promises, one neuron a channel."""
    return StreamSpec(
        name=world.name,
        type=world.type,
        n_channels=world.n_neurons,
        rate_hz=world.rate_hz,
        unit="count",
        labels=tuple(f"n{i:03d}" for i in range(world.n_neurons)),
        max_samples=world.chunk_samples,
        source_id=source_id,
    )


def whole_chunk(world: Any) -> None:
    """Raise ContractError unless a push of ``world`` is a whole number of samples."""
    if abs(world.chunk_s * world.rate_hz - world.chunk_samples) > 1e-6:
        raise ContractError(
            f"{type(world).__name__} {world.name!r}: chunk_s = {world.chunk_s:g} holds "
            f"{world.chunk_s * world.rate_hz:g} samples at {world.rate_hz:g} Hz, expected a whole number; "
            f"give e.g. {world.chunk_samples / world.rate_hz:g}"
        )
