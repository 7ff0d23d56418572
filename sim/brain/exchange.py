"""What the masses of a network get from each other and from outside, alike for every kind of mass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F64, AnyArray
from sim.brain._exchange_kernels import Given, Random, Wires
from sim.brain.connectome import Connectome
from sim.brain.network import PerRegion, forget, lines, per_region, rows_each_ms, size
from sim.component import Component, Noise, Port, checked, whole_steps


class Masses(Component, Protocol):
    """A network of masses, as an exchange sees it."""

    connectome: Connectome | None
    gain: float
    speed_m_s: float
    noise: PerRegion
    proxied: tuple[int, ...]


class Units(NamedTuple):
    """What a kind of mass is driven by and what it sends."""

    drive: str
    sent: str


def ports(n: int, units: Units) -> tuple[Port, ...]:
    """Return the inputs that every network of masses has."""
    return (
        Port("drive", units.drive, (n,), about="added to what regions receive"),
        Port("proxy", units.sent, (n,), about="what proxied regions send instead of their own"),
        Port("afferent", "", (n,), about="share of what others send that reaches a region"),
        Port("efferent", "", (n,), about="share of what a region sends that leaves it"),
    )


class Exchange:
    """Tracts, noise and inputs of a network of masses; a mass holds one and hands its arrays to its kernel.

    Parameters
    ----------
    masses : Masses
    drive : per region
        Its steady input.
    unit : float
        What is sent for 1 of the ``proxy`` port.
    weight : float
        What a region gets for 1 that is sent, besides the network's ``gain`` and the tract's own.
    seed : int

    Raises
    ------
    ContractError
        If the step does not fit, a parameter fits neither all regions nor each, or a proxied region is none.
    """

    def __init__(
        self, masses: Masses, *, drive: PerRegion | F64, unit: float = 1.0, weight: float = 1.0, seed: int
    ) -> None:
        self._name, self._gain, self._unit = masses.name, masses.gain * weight, unit
        self._masses = masses
        dt_s = masses.dt_s
        whole_steps(self._name, dt_s, 1e-3)
        self.n_ms = rows_each_ms(self._name, dt_s)
        n = size(masses.connectome)
        wrong = [k for k in masses.proxied if not 0 <= k < n]
        if wrong:
            raise ContractError(f"{self._name}.proxied: expected regions 0 to {n - 1}, given {wrong}")
        self._drive = per_region(self._name, "drive", drive, n)
        self.given = Given(*(np.zeros(n) for _ in range(6)))
        self.given.proxied[list(masses.proxied)] = 1.0
        self.given.noise[:] = per_region(self._name, "noise", masses.noise, n, 0.0) * math.sqrt(1e-3 / dt_s)
        self.noisy = bool(self.given.noise.any())
        noise = Noise(seed, self._name, n)
        random = Random(noise.key, noise.words, noise.four, noise.four.reshape(-1)[:n])
        tracts = lines(self._name, masses.connectome, masses.speed_m_s, dt_s)
        self.wires = Wires(tracts, random, np.zeros(n), np.zeros(n), np.zeros(n))
        self._inputs = {p.name: np.zeros(p.shape) for p in masses.inputs}
        self.at = np.zeros(1, np.int64)

    def __getitem__(self, port: str) -> F64:
        """Return the value of an input."""
        return self._inputs[port]

    def receive(self, port: str, value: AnyArray) -> None:
        """Take an input. Raises ContractError if it does not fit, or a share or a rate is negative."""
        given = checked(self._masses, port, value)
        if port != "drive" and (given < 0.0).any():
            k = int(given.argmin())
            raise ContractError(f"{self._name}.{port}: expected at least 0, given {given[k]:g} in region {k}")
        self._inputs[port][...] = given
        self._apply()

    def rows(self, n: int) -> int:
        """Return how many milliseconds end in the next ``n`` steps."""
        t = int(self.at[0])
        return (t + n) // self.n_ms - t // self.n_ms

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        own: dict[str, Any] = {f"input.{k}": v for k, v in self._inputs.items()}
        own |= {f"given.{k}": v for k, v in self.given._asdict().items() if k not in ("proxied", "noise")}
        tracts = self.wires.lines
        return own | {"step": self.at, "sent": tracts.sent, "arriving": tracts.arriving, "arrived": self.wires.arrived}

    def reset(self, sent: F64) -> None:
        """Begin again, every region having sent ``sent`` (n,) for all time."""
        for name, array in self._inputs.items():
            array[...] = 0.0 if name in ("drive", "proxy") else 1.0
        self._apply()
        self.at[0] = 0
        self.wires.arrived[:] = 0.0
        forget(self.wires.lines, sent)

    def _apply(self) -> None:
        given, inputs = self.given, self._inputs
        given.drive[:] = self._drive + inputs["drive"]
        given.proxy[:] = self._unit * inputs["proxy"]
        given.efferent[:] = inputs["efferent"]
        given.afferent[:] = self._gain * inputs["afferent"]
