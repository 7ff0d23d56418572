"""Excitation against inhibition, one region or a brain of them: what share of the cells fires."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.errors import ContractError
from bmi.signals import F64, AnyArray
from sim.brain._wilson_cowan_kernels import Mass, Scratch, advance
from sim.brain.connectome import Connectome
from sim.brain.exchange import Exchange, Units, ports
from sim.brain.network import PerRegion, per_region, size
from sim.component import Port


@dataclass(kw_only=True)
class WilsonCowan:
    """Regions of an excitatory and an inhibitory population [1]_, defaults those of its limit cycle.

    With E and I the shares of cells that fire, and S(u) = 1 / (1 + exp(a (theta - u))) - S(0) ::

        tau_e E' = -E + (1 - r E) S_e(c1 E - c2 I + P + G Σ w E(t - delay))
        tau_i I' = -I + (1 - r I) S_i(c3 E - c4 I + Q)

    Alone it is silent at P = 0 and cycles from about 1.1 to 1.9, faster and smaller as P grows.

    Inputs: ``drive`` added to P; ``proxy``, the share that regions in ``proxied`` send instead of their own; shares
    ``afferent`` and ``efferent``. Outputs at 1 kHz: ``excitatory`` and ``inhibitory`` activity.

    References
    ----------
    .. [1] Wilson & Cowan (1972) Excitatory and inhibitory interactions in localized populations of model neurons.
       Biophys J 12:1-24.
    """

    name: str = "wilson-cowan"
    connectome: Connectome | None = None
    """Regions and tracts; None is one region."""
    gain: Annotated[float, Ge(0)] = 1.0
    """G, of all tracts."""
    speed_m_s: Annotated[float, Gt(0)] = 4.0
    """At which tracts conduct."""
    drive: PerRegion = 1.25
    """P, what excitatory cells receive from elsewhere."""
    drive_inhibitory: PerRegion = 0.0
    """Q, what inhibitory cells do."""
    noise: PerRegion = 0.0
    """Standard deviation of the fluctuation of P, white, averaged over 1 ms."""
    proxied: tuple[int, ...] = ()
    """Regions whose activity is given from outside."""
    c1: PerRegion = 16.0
    """Excitatory on excitatory cells."""
    c2: PerRegion = 12.0
    """Inhibitory on excitatory."""
    c3: PerRegion = 15.0
    """Excitatory on inhibitory."""
    c4: PerRegion = 3.0
    """Inhibitory on inhibitory."""
    a_e: PerRegion = 1.3
    """Steepness of the excitatory sigmoid."""
    theta_e: PerRegion = 4.0
    """Its midpoint."""
    a_i: PerRegion = 2.0
    theta_i: PerRegion = 3.7
    refractory: Annotated[float, Ge(0), Le(1)] = 1.0
    """r, how far activity keeps cells from firing."""
    tau_e_s: Annotated[float, Gt(0)] = 0.010
    """Excitatory time constant."""
    tau_i_s: Annotated[float, Gt(0)] = 0.010
    start: tuple[float, float] = (0.1, 0.05)
    """E and I of every region at the beginning."""
    dt_s: Annotated[float, Gt(0)] = 2e-4
    """Step, s: a whole part of 1 ms, at most a fiftieth of either time constant."""

    @property
    def n(self) -> int:
        """How many regions."""
        return size(self.connectome)

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What others do to it."""
        return ports(self.n, Units("", ""))

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What it shows."""
        return (
            Port("excitatory", "", (self.n,), 1000.0, "share of excitatory cells that fire"),
            Port("inhibitory", "", (self.n,), 1000.0, "share of inhibitory cells that fire"),
        )

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second."""
        return (0.002 + 0.08 * self.n / 84) * 2e-4 / self.dt_s

    def bind(self, seed: int) -> None:
        """Lay out the tracts; allocate; compile. ``seed`` draws the noise only.

        Raises
        ------
        ContractError
            If a parameter fits neither all regions nor each, or is out of its range, or the step is too long.
        """
        n, shortest = self.n, min(self.tau_e_s, self.tau_i_s)
        if self.dt_s > shortest / 50.0 * (1.0 + 1e-9):
            raise ContractError(
                f"{self.name}: dt_s is {self.dt_s:g} s, expected at most a fiftieth of the shorter time constant, "
                f"{shortest / 50.0:g} s"
            )
        p = {k: per_region(self.name, k, getattr(self, k), n, 0.0) for k in ("c1", "c2", "c3", "c4", "a_e", "a_i")}
        p |= {k: per_region(self.name, k, getattr(self, k), n) for k in ("theta_e", "theta_i")}
        low_e, low_i = (1.0 / (1.0 + np.exp(p[f"a_{k}"] * p[f"theta_{k}"])) for k in "ei")
        q = per_region(self.name, "drive_inhibitory", self.drive_inhibitory, n)
        self._mass = Mass(**p, low_e=low_e, low_i=low_i, q=q)
        self._exchange = Exchange(self, drive=self.drive, seed=seed)
        self._x: F64 = np.zeros((2, n))
        self._scratch = Scratch(*(np.zeros((2, n)) for _ in range(2)))
        self.reset()
        self.step(self._exchange.n_ms)
        self.reset()

    def receive(self, port: str, value: AnyArray) -> None:
        """Take an input. Raises ContractError if it does not fit, or a share is negative."""
        self._exchange.receive(port, value)

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` steps; return excitatory and inhibitory activity since."""
        e = self._exchange
        shown = np.empty((e.rows(n), 2, self.n))
        h = self.dt_s / self.tau_e_s, self.dt_s / self.tau_i_s
        advance(
            int(e.at[0]), n, e.n_ms, h, self.refractory, e.noisy, self._mass, e.given, e.wires, self._x, self._scratch,
            shown,
        )  # fmt: skip
        e.at[0] += n
        return shown[:, 0], shown[:, 1]

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        return {"x": self._x, **self._exchange.state()}

    def reset(self) -> None:
        """Start anew, as if it had been so for all time."""
        self._x[0], self._x[1] = self.start
        self._exchange.reset(self._x[0])
