"""The exact mean field of spiking neurons, one region or a brain of them: rate and mean potential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import F64, AnyArray
from sim.brain._montbrio_kernels import Mass, Scratch, advance
from sim.brain.connectome import Connectome
from sim.brain.exchange import Exchange, Units, ports
from sim.brain.network import PerRegion, per_region, size
from sim.component import Port


@dataclass(kw_only=True)
class MontbrioPazoRoxin:
    """Regions of infinitely many quadratic integrate-and-fire neurons, all to all, their inputs Lorentzian [1]_.

    With r the rate in spikes per time constant and v the mean potential::

        tau r' = Delta / pi + 2 r v
        tau v' = v² + eta + J r + I + G Σ w r(t - delay) - (pi r)²

    Nothing is approximated: ``sim.brain.qif`` has the neurons. Between two folds the region is bistable; at the
    defaults it rests at r = 0.0811 or fires at 1.0306, a focus, 0.473 being the saddle.

    Inputs: ``drive`` added to I; ``proxy``, the rate in Hz that regions in ``proxied`` send instead of their own;
    shares ``afferent`` and ``efferent``. Outputs at 1 kHz: ``rate``, Hz, ``v``, and ``arriving``, the current a region
    gets from the others.

    References
    ----------
    .. [1] Montbrió, Pazó & Roxin (2015) Macroscopic description for networks of spiking neurons. Phys Rev X 5:021028.
    """

    name: str = "mean-field"
    connectome: Connectome | None = None
    """Regions and tracts; None is one region."""
    gain: Annotated[float, Ge(0)] = 1.0
    """G, of all tracts."""
    speed_m_s: Annotated[float, Gt(0)] = 4.0
    """At which tracts conduct."""
    drive: PerRegion = 0.0
    """I, what a region receives from elsewhere."""
    noise: PerRegion = 0.0
    """Standard deviation of its fluctuation, white, averaged over 1 ms."""
    proxied: tuple[int, ...] = ()
    """Regions whose rate is given from outside."""
    width: PerRegion = 1.0
    """Delta, half width at half height of the distribution of eta."""
    eta: PerRegion = -5.0
    """Its centre."""
    coupling: PerRegion = 15.0
    """J, of a region with itself."""
    tau_s: Annotated[float, Gt(0)] = 0.010
    """Membrane time constant."""
    start: tuple[float, float] = (0.0811, -1.9625)
    """r and v of every region at the beginning: the lower of the two stable states at the defaults."""
    dt_s: Annotated[float, Gt(0)] = 1e-4
    """Step, s: a whole part of 1 ms, at most a fiftieth of ``tau_s``."""

    @property
    def n(self) -> int:
        """How many regions."""
        return size(self.connectome)

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What others do to it."""
        return ports(self.n, Units("", "Hz"))

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What it shows."""
        return (
            Port("rate", "Hz", (self.n,), 1000.0, "of a neuron, mean over the region"),
            Port("v", "", (self.n,), 1000.0, "mean potential"),
            Port("arriving", "", (self.n,), 1000.0, "current from other regions"),
        )

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second."""
        return (0.002 + 0.05 * self.n / 84) * 1e-4 / self.dt_s

    def bind(self, seed: int) -> None:
        """Lay out the tracts; allocate; compile. ``seed`` draws the noise only.

        Raises
        ------
        ContractError
            If a parameter fits neither all regions nor each, or is out of its range, or the step is too long.
        """
        n = self.n
        if self.dt_s > self.tau_s / 50.0 * (1.0 + 1e-9):
            raise ContractError(
                f"{self.name}: dt_s is {self.dt_s:g} s, expected at most a fiftieth of tau_s, {self.tau_s / 50.0:g} s"
            )
        self._mass = Mass(
            per_region(self.name, "width", self.width, n, 1e-9), per_region(self.name, "eta", self.eta, n),
            per_region(self.name, "coupling", self.coupling, n),
        )  # fmt: skip
        self._exchange = Exchange(self, drive=self.drive, unit=self.tau_s, seed=seed)
        self._x: F64 = np.zeros((2, n))
        self._scratch = Scratch(*(np.zeros((2, n)) for _ in range(2)))
        self.reset()
        self.step(self._exchange.n_ms)
        self.reset()

    def receive(self, port: str, value: AnyArray) -> None:
        """Take an input. Raises ContractError if it does not fit, or a share or a rate is negative."""
        self._exchange.receive(port, value)

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` steps; return rates, potentials and what arrived since."""
        e = self._exchange
        shown = np.empty((e.rows(n), 3, self.n))
        advance(
            int(e.at[0]), n, e.n_ms, self.dt_s / self.tau_s, e.noisy, self._mass, e.given, e.wires, self._x,
            self._scratch, shown,
        )  # fmt: skip
        e.at[0] += n
        return shown[:, 0] / self.tau_s, shown[:, 1], shown[:, 2]

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        return {"x": self._x, **self._exchange.state()}

    def reset(self) -> None:
        """Start anew, as if it had been so for all time."""
        self._x[0], self._x[1] = self.start
        self._exchange.reset(self._x[0])
