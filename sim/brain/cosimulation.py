"""Spikes beside masses: what translates between a region of neurons and the masses it is wired to.

A mass knows rates, a neuron knows spikes. Downward, a rate becomes the spikes of so many afferents: a Poisson process
of that rate (``ToSpikes``). Upward, spikes of a population become a rate: counted, divided by neurons and time, passed
through an exponential kernel of 10 to 20 ms, scaled so that it is at rest what the mass would be (``ToRate``). The two
exchange once in a window no longer than the shortest delay between the regions, so that either can compute its window
alone; what is said in one window is heard in the next.

References
----------
.. [1] Schirner, Domide, Perdikis et al. (2022) Brain simulation as a cloud service: The Virtual Brain on EBRAINS.
       NeuroImage 251:118973, section on multiscale co-simulation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import ArrayLike

from bmi.compiled import direct
from bmi.errors import ContractError
from bmi.signals import F64, I64, AnyArray
from sim.brain._cosimulation_kernels import pour, smooth
from sim.brain.connectome import Connectome
from sim.brain.montbrio import MontbrioPazoRoxin
from sim.brain.qif import QIF
from sim.component import Noise, Port, checked

MOST_EVENTS = 500.0
"""Mean number of events in one row that can still be drawn."""


@dataclass(kw_only=True)
class ToSpikes:
    """Downward: the rate of a mass as spikes of afferents, an inhomogeneous Poisson process.

    Each target hears ``n_afferents`` neurons of its own that fire at the mass's rate. Numbers depend on seed, name and
    row only, not on how rows are handed over.
    """

    name: str = "to-spikes"
    n_afferents: Annotated[int, Gt(0)] = 1000
    """Neurons of the mass that a target hears."""
    n_targets: Annotated[int, Gt(0)] = 1
    """Targets with afferents of their own; 1 where all hear the same ones."""
    most_hz: Annotated[float, Gt(0)] = 200.0
    """Greatest rate of an afferent; beyond it, and below 0, the rate is held there."""
    dt_s: Annotated[float, Gt(0)] = 0.001
    """Time of a row of rates, s."""

    def bind(self, seed: int) -> None:
        """Draw from ``seed``; compile.

        Raises
        ------
        ContractError
            If a row may hold more events than can be drawn.
        """
        most = self.n_afferents * self.most_hz * self.dt_s
        if most > MOST_EVENTS:
            raise ContractError(
                f"{self.name}: {self.n_afferents} afferents of {self.most_hz:g} Hz are {most:g} events in a row of "
                f"{self.dt_s:g} s, expected at most {MOST_EVENTS:g}; lower dt_s, most_hz or n_afferents"
            )
        self._noise = Noise(seed, self.name, self.n_targets)
        self._at, self._sent = np.zeros(1, np.int64), np.zeros(1, np.int64)
        self.step(np.zeros(1))
        self.reset()

    @property
    def sent(self) -> int:
        """Events so far, over all targets."""
        return int(self._sent[0])

    def step(self, rates_hz: F64) -> I64:
        """Return the events (n_rows, n_targets) of rows of the mass's rate (n_rows,), Hz."""
        means = np.clip(np.asarray(rates_hz, np.float64), 0.0, self.most_hz) * (self.n_afferents * self.dt_s)
        events = np.empty((len(means), self.n_targets), np.int64)
        noise = self._noise
        self._sent[0] += pour(means, int(self._at[0]), noise.key, noise.words, noise.four, events)
        self._at[0] += len(means)
        return events

    def heard_hz(self, events: I64) -> float:
        """Return the rate of one afferent over rows of ``events``, mean over targets, Hz."""
        return float(events.mean()) / (self.n_afferents * self.dt_s)

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        return {"step": self._at, "sent": self._sent}

    def reset(self) -> None:
        """Begin again."""
        self._at[0] = self._sent[0] = 0


@dataclass(kw_only=True)
class ToRate:
    """Upward: spikes of a population as the rate of a mass."""

    name: str = "to-rate"
    n_neurons: Annotated[int, Gt(0)] = 1200
    """Neurons whose spikes are counted."""
    tau_s: Annotated[float, Gt(0)] = 0.010
    """Time constant of the kernel, 10 to 20 ms."""
    gain: float = 1.0
    """Hz of the mass for one Hz of a neuron: see ``fitted_gain``."""
    rest_hz: Annotated[float, Ge(0)] = 0.0
    """Rate of a neuron at which it begins."""
    dt_s: Annotated[float, Gt(0)] = 0.001
    """Time of a row of counts, s."""

    def bind(self, seed: int) -> None:
        """Allocate; compile. Nothing is drawn from ``seed``. Raises ContractError where the kernel is no kernel."""
        if not 0.01 * (1 - 1e-9) <= self.tau_s <= 0.02 * (1 + 1e-9):
            raise ContractError(f"{self.name}: tau_s is {self.tau_s:g} s, expected 0.010 to 0.020")
        self._kept, self._heard = np.zeros(1), np.zeros(1, np.int64)
        self._smooth = direct(smooth)
        self.step(np.zeros(1))
        self.reset()

    @property
    def heard(self) -> int:
        """Spikes so far."""
        return int(self._heard[0])

    def step(self, counts: AnyArray) -> F64:
        """Return the rates (n_rows,), Hz of the mass, after rows of spike counts (n_rows,) of the whole population."""
        share = -math.expm1(-self.dt_s / self.tau_s)
        out = np.empty(len(counts))
        self._smooth(np.asarray(counts, np.float64) / (self.n_neurons * self.dt_s), share, self._kept, out)
        self._heard[0] += int(np.sum(counts))
        out *= self.gain
        return out

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        return {"kept": self._kept, "heard": self._heard}

    def reset(self) -> None:
        """Begin again at rest."""
        self._kept[0], self._heard[0] = self.rest_hz, 0


def fitted_gain(spiking_hz: ArrayLike, mass_hz: ArrayLike) -> float:
    """Return the gain at which stationary rates of neurons agree with those of the mass, by least squares.

    Parameters
    ----------
    spiking_hz, mass_hz : array_like
        Stationary rates under the same inputs, one or several.

    Raises
    ------
    ContractError
        If there is none, they are not as many, or the neurons are silent.
    """
    x, y = np.atleast_1d(np.asarray(spiking_hz, np.float64)), np.atleast_1d(np.asarray(mass_hz, np.float64))
    if x.shape != y.shape or not np.isfinite([x, y]).all() or not (x @ x) > 0.0:
        raise ContractError(f"fitted_gain: expected as many finite rates of either, neurons firing; given {x} and {y}")
    return float(x @ y / (x @ x))


@dataclass(kw_only=True)
class Cosimulation:
    """A network of masses in which one region is a population of spiking neurons.

    In every window both sides run alone, on what the other said in the window before, row by row of 1 ms. What reaches
    the region's mass from others becomes spikes of its afferents and those the current into its neurons; what the
    neurons fire becomes the rate that the network hears in the region's place.

    Inputs: ``drive`` (n,) of the masses, the region's own being its neurons'. Outputs at 1 kHz: ``rate`` (n,), Hz, as
    the network hears it, ``counts`` of the neurons' spikes and ``events``, spikes of afferents that arrive at them.
    """

    network: MontbrioPazoRoxin
    """Its ``proxied`` is the one region."""
    neurons: QIF
    """In its place; the same time constant."""
    down: ToSpikes
    up: ToRate
    name: str = "cosimulation"
    window_s: Annotated[float, Gt(0)] = 0.005
    """Window of exchange: whole milliseconds, at most the shortest delay to or from the region."""

    dt_s = 0.001

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What others do to it."""
        return (Port("drive", "", (self.network.n,), about="added to what regions receive"),)

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What it shows."""
        return (
            Port("rate", "Hz", (self.network.n,), 1000.0, about="of each region, as the others hear it"),
            Port("counts", "count", (), 1000.0, about="spikes of the neurons"),
            Port("events", "count", (), 1000.0, about="spikes of their afferents"),
        )

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second."""
        return 0.05 + self.network.cost + self.neurons.cost

    def bind(self, seed: int) -> None:
        """Bind both sides and what is between them.

        Raises
        ------
        ContractError
            If not one region is proxied, nothing reaches it, the sides differ in time constant, the rows of a
            translator are no milliseconds, or the window is no whole number of them or longer than a delay.
        """
        net = self.network
        if len(net.proxied) != 1 or net.connectome is None:
            raise ContractError(f"{self.name}: network.proxied is {net.proxied}, expected one region of a connectome")
        self._k = k = net.proxied[0]
        weights = net.connectome.weights
        self._reach = float(net.gain * weights[k].sum())
        if not self._reach > 0.0:
            raise ContractError(f"{self.name}: nothing reaches region {k}, expected a tract to it and a gain above 0")
        if net.tau_s != self.neurons.tau_s:
            raise ContractError(
                f"{self.name}: the neurons' tau_s is {self.neurons.tau_s:g} s, expected the masses', {net.tau_s:g} s"
            )
        for part in (self.down, self.up):
            if part.dt_s != 0.001:
                raise ContractError(f"{part.name}: dt_s is {part.dt_s:g} s, expected 0.001, a row of either side")
        self._check_window(net.connectome)
        net.bind(seed)
        self.neurons.bind(seed)
        self.down.bind(seed)
        self.up.bind(seed)
        rows = round(self.window_s * 1e3)
        self._said = {k: np.zeros(rows) for k in ("proxy", "events", "current", "counts", "arriving")}
        self._rates = np.zeros(net.n)
        self._given, self._at = np.zeros(net.n), np.zeros(1, np.int64)
        self.reset()

    def _check_window(self, tracts: Connectome) -> None:
        k = self._k
        joined = [tracts.lengths_mm[k][tracts.weights[k] > 0.0], tracts.lengths_mm[:, k][tracts.weights[:, k] > 0.0]]
        shortest = float(np.concatenate(joined).min()) * 1e-3 / self.network.speed_m_s
        if self.window_s > shortest * (1 + 1e-9) or abs(self.window_s * 1e3 - round(self.window_s * 1e3)) > 1e-9:
            raise ContractError(
                f"{self.name}: window_s is {self.window_s:g} s, expected whole milliseconds, at most {shortest:.4g} s, "
                f"the shortest delay to or from region {k}"
            )

    def receive(self, port: str, value: AnyArray) -> None:
        """Take the drive of the masses. Raises ContractError if it does not fit."""
        self._given[:] = checked(self, port, value)
        self.network.receive("drive", self._given)

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` ms; return rates, counts and events since."""
        net, neurons, k, said = self.network, self.neurons, self._k, self._said
        ms, window = (round(1e-3 / net.dt_s), round(1e-3 / neurons.dt_s)), len(said["proxy"])
        rate, counts, events = np.empty((n, net.n)), np.empty(n), np.empty(n)
        for row in range(n):
            i = int(self._at[0]) % window
            self._rates[k] = said["proxy"][i]
            net.receive("proxy", self._rates)
            shown = net.step(ms[0])
            neurons.receive("drive", said["current"][i] + self._given[k])
            fired = neurons.step(ms[1])[0]
            rate[row], counts[row], events[row] = shown[0][0], fired[0], said["events"][i]
            said["arriving"][i], said["counts"][i] = shown[2][0, k], fired[0]
            self._at[0] += 1
            if i == window - 1:
                self._exchange()
        return rate, counts, events

    def _exchange(self) -> None:
        """Translate what either side said in the window that ends."""
        said, down = self._said, self.down
        per_hz = self._reach * self.network.tau_s
        said["events"][:] = down.step(said["arriving"] / per_hz).sum(axis=1)
        said["current"][:] = said["events"] * (per_hz / (down.n_targets * down.n_afferents * down.dt_s))
        said["proxy"][:] = self.up.step(said["counts"])

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        own: dict[str, AnyArray] = {"step": self._at, "drive": self._given, **self._said}
        for part in (self.network, self.neurons, self.down, self.up):
            own |= {f"{part.name}.{k}": v for k, v in part.state().items()}
        return own

    def reset(self) -> None:
        """Begin again, as if both sides had rested for all time."""
        net = self.network
        net.reset()
        self.neurons.reset()
        self.down.reset()
        self.up.reset()
        self._given[:], self._at[0] = 0.0, 0
        for array in self._said.values():
            array[:] = 0.0
        self._said["proxy"][:] = net.start[0] / net.tau_s
        self._said["current"][:] = self._reach * net.start[0]
