"""The simulated participant as an amplifier sees them: 30 000 samples a second of every electrode, in µV.

The spikes of the population become waveforms on a noisy background; everything is drawn in slots of a millisecond,
so that nothing depends on how the samples are cut into chunks.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import F32, F64, EffectorState, Goal, StreamSpec
from sim import GRID_S, SLOT_S
from sim._background_kernels import clip
from sim.artefacts import Stimulation
from sim.background import Background
from sim.electrodes import Electrodes, Planted
from sim.population import Population
from sim.user import User
from sim.world import Samples, whole_chunk


@dataclass(kw_only=True)
class BroadbandWorld:
    """Extracellular potentials of motor cortex while a simulated user tries to reach what the task asks for.

    *Realtime*: ``draw`` of 1 ms, 256 channels at 30 kHz, takes 29 µs of one core on average, with every kind of noise
    and artefact 61 µs, and 35 µs more in each tenth, where the user and the population move on (2.3 GHz server
    processor). It is called 1000 times a second.
    """

    name: str = "m1"
    """Name of the stream."""
    type: str = "broadband"
    """LSL content type of the stream."""
    n_channels: Annotated[int, Gt(0)] = 256
    """Electrodes."""
    n_dims: Annotated[int, Ge(1)] = 2
    """Dimensions of the movement."""
    rate_hz: Annotated[float, Gt(0)] = 30_000.0
    """Samples a second, a multiple of 1000."""
    chunk_s: Annotated[float, Gt(0)] = 0.001
    """Samples pushed together, s: a whole number of them."""
    rail_uv: Annotated[float, Gt(0)] = 6_400.0
    """The amplifier saturates beyond, µV."""
    subject: int | None = None
    """Number of the participant, whose neurons and electrodes are the same in every session; None draws new ones."""
    keep_planted: Annotated[int, Ge(0)] = 0
    """True spikes remembered until ``planted`` is called, the newest; 0 none."""
    population: Population = field(default_factory=Population)
    """The neurons."""
    electrodes: Electrodes = field(default_factory=Electrodes)
    """Where they are heard."""
    background: Background = field(default_factory=Background)
    """What else is."""
    stimulation: Stimulation = field(default_factory=Stimulation)
    """What drowns both."""
    user: User = field(default_factory=User)
    """The person."""

    @property
    def chunk_samples(self) -> int:
        """Samples in one push."""
        return max(1, round(self.chunk_s * self.rate_hz))

    @property
    def spec(self) -> StreamSpec:
        """What the stream promises."""
        return StreamSpec(
            name=self.name,
            type=self.type,
            n_channels=self.n_channels,
            rate_hz=self.rate_hz,
            unit="µV",
            labels=tuple(f"e{i:03d}" for i in range(self.n_channels)),
            max_samples=self.chunk_samples,
            source_id=f"sim-broadband-{self.name}",
        )

    def bind(self, rng: np.random.Generator, t0: float) -> None:
        """Begin a session whose first sample is at ``t0``, s.

        Raises
        ------
        ContractError
            If a push or a millisecond is not a whole number of samples.
        """
        whole_chunk(self)
        n_slot = round(self.rate_hz * SLOT_S)
        if n_slot < 1 or abs(n_slot - self.rate_hz * SLOT_S) > 1e-9:
            raise ContractError(
                f"BroadbandWorld {self.name!r}: rate_hz is {self.rate_hz:g}, expected a multiple of {1 / SLOT_S:g} Hz, "
                f"because samples are drawn in slots of {SLOT_S * 1e3:g} ms; give e.g. 30000"
            )
        neurons, firing, person, spikes, noise, array = rng.spawn(6)
        if self.subject is not None:
            neurons, array = np.random.default_rng(self.subject), np.random.default_rng([self.subject, 1])
        n_neurons = self.n_channels * self.electrodes.neurons
        self.population.bind(neurons, firing, n_neurons=n_neurons, n_dims=self.n_dims, rate_hz=1 / SLOT_S)
        self.background.bind(array, noise, n_channels=self.n_channels, rate_hz=self.rate_hz)
        self.electrodes.bind(array, spikes, noise_uv=self.background.sd_uv_, rate_hz=self.rate_hz)
        self.stimulation.bind(array, n_channels=self.n_channels, n_samples=n_slot, rate_hz=self.rate_hz)
        self.user.bind(person, n_dims=self.n_dims, t0=t0)
        self._counts: F32 = np.zeros((self.population.n_samples, n_neurons), np.float32)
        self._rows: F32 = np.zeros((n_slot, self.n_channels), np.float32)
        self._rail = np.float32(self.rail_uv)
        self._samples = Samples(self._rows, self._step)
        self._slot = 0
        self._planted: deque[tuple[int, int]] = deque(maxlen=self.keep_planted)
        clip(self._rail, self._rows)

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
        """Return the next samples, (n_samples, n_channels) float32, µV; the caller's to keep."""
        return self._samples.draw(n_samples)

    def _step(self) -> None:
        """Draw the next millisecond."""
        at = self._slot % round(GRID_S / SLOT_S)
        if at == 0:
            intended = self.user.step()
            self.population.step(intended, self._counts, self.user.intended_click)
        self.background.step(self._rows)
        self.electrodes.step(self._counts[at], self._rows)
        self.stimulation.step(self._rows)
        clip(self._rail, self._rows)
        if self.keep_planted:
            self._planted.extend(map(tuple, self.electrodes.found().tolist()))
        self._slot += 1

    def planted(self) -> Planted:
        """Return the true spikes since the last call, and forget them; empty unless ``keep_planted``.

        A waveform may reach a millisecond beyond the samples drawn so far.
        """
        rows = np.array(sorted(self._planted), np.int64).reshape(-1, 2)
        self._planted.clear()
        return Planted(rows[:, 0], rows[:, 1], self.electrodes.channels_[rows[:, 1]])
