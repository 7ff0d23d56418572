"""The slow mass behind resting-state BOLD, one region or a brain of them: NMDA gates held by local inhibition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import F64, AnyArray
from sim.brain._wong_wang_kernels import Firing, Mass, Scratch, advance
from sim.brain.connectome import Connectome
from sim.brain.exchange import Exchange, Units, ports
from sim.brain.network import PerRegion, per_region, size
from sim.component import Port

EXCITATORY = Firing(310.0, 125.0, 0.16)
INHIBITORY = Firing(615.0, 177.0, 0.087)
TAU_E_S, TAU_I_S, GAMMA = 0.100, 0.010, 0.641
STEADY_NA, SHARE_I = 0.382, 0.7
"""I0, and the share of it that inhibitory cells get."""


@dataclass(kw_only=True)
class WongWang:
    """Regions of excitatory cells with NMDA and inhibitory cells with GABA receptors [1]_ [2]_.

    With S the open shares, currents in nA and H(x) = (a x - b) / (1 - exp(-d (a x - b))) ::

        I_E = I0 + w J_N S_E - J S_I + G J_N Σ c S_E(t - delay)    S_E' = -S_E / tau_E + (1 - S_E) gamma H_E(I_E)
        I_I = 0.7 I0 + J_N S_E - S_I                               S_I' = -S_I / tau_I + H_I(I_I)

    Noise and ``drive`` add to I_E. Coupling raises rates unless inhibition J balances it, up to a critical G:
    ``sim.brain.balance`` computes both.

    Inputs: ``drive``, nA; ``proxy``, the rate in Hz at which regions in ``proxied`` fire instead of their own, opening
    the gate that they send; shares ``afferent`` and ``efferent``. Outputs at 1 kHz: ``rate`` and ``inhibitory``, Hz,
    and ``gate``, S_E, the neural activity that BOLD follows.

    References
    ----------
    .. [1] Deco, Ponce-Alvarez, Mantini, Romani, Hagmann & Corbetta (2013) Resting-state functional connectivity
       emerges from structurally and dynamically shaped slow linear fluctuations. J Neurosci 33:11239-11252.
    .. [2] Deco, Ponce-Alvarez, Hagmann, Romani, Mantini & Corbetta (2014) How local excitation-inhibition ratio
       impacts the whole brain dynamics. J Neurosci 34:7886-7898.
    """

    name: str = "wong-wang"
    connectome: Connectome | None = None
    """Regions and tracts; None is one region."""
    gain: Annotated[float, Ge(0)] = 1.0
    """G, of all tracts."""
    speed_m_s: Annotated[float, Gt(0)] = 4.0
    """At which tracts conduct."""
    drive_na: PerRegion = 0.0
    """What a region receives besides I0, nA."""
    noise: PerRegion = 0.0
    """Standard deviation of its fluctuation, white, averaged over 1 ms, nA."""
    proxied: tuple[int, ...] = ()
    """Regions whose rate is given from outside."""
    inhibition_na: PerRegion = 1.0
    """J, of inhibitory on excitatory cells of the region, nA."""
    recurrent: PerRegion = 1.4
    """w, of excitatory cells with their own, as a multiple of ``nmda_na``."""
    nmda_na: PerRegion = 0.15
    """J_N, excitatory synaptic coupling, nA."""
    start: tuple[float, float] = (0.164, 0.04)
    """S_E and S_I of every region at the beginning."""
    dt_s: Annotated[float, Gt(0)] = 5e-4
    """Step, s: a whole part of 1 ms."""

    @property
    def n(self) -> int:
        """How many regions."""
        return size(self.connectome)

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What others do to it."""
        return ports(self.n, Units("nA", "Hz"))

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What it shows."""
        return (
            Port("rate", "Hz", (self.n,), 1000.0, "of excitatory cells"),
            Port("inhibitory", "Hz", (self.n,), 1000.0, "rate of inhibitory cells"),
            Port("gate", "", (self.n,), 1000.0, "open share of NMDA receptors"),
        )

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second."""
        return (0.001 + 0.021 * self.n / 84) * 5e-4 / self.dt_s

    def bind(self, seed: int) -> None:
        """Lay out the tracts; allocate; compile. ``seed`` draws the noise only.

        Raises
        ------
        ContractError
            If a parameter fits neither all regions nor each, is out of its range, or coupling differs per region while
            there are tracts.
        """
        n = self.n
        coupling = per_region(self.name, "nmda_na", self.nmda_na, n, 0.0)
        if self.connectome is not None and np.ptp(coupling) > 0.0:
            raise ContractError(f"{self.name}.nmda_na: expected one value for all regions of a connectome, given {n}")
        recurrent = per_region(self.name, "recurrent", self.recurrent, n, 0.0)
        self._mass = Mass(
            recurrent * coupling, coupling, per_region(self.name, "inhibition_na", self.inhibition_na, n, 0.0),
            SHARE_I * STEADY_NA, EXCITATORY, INHIBITORY, TAU_E_S, TAU_I_S, GAMMA,
        )  # fmt: skip
        drive = STEADY_NA + per_region(self.name, "drive_na", self.drive_na, n)
        self._exchange = Exchange(self, drive=drive, seed=seed, weight=float(coupling[0]))
        self._sending = self._exchange.given._replace(proxied=np.zeros(n))
        self._x: F64 = np.zeros((2, n))
        self._scratch = Scratch(np.zeros((2, n)), np.zeros((2, n)), np.zeros((2, n)), np.zeros(n))
        self.reset()
        self.step(self._exchange.n_ms)
        self.reset()

    def receive(self, port: str, value: AnyArray) -> None:
        """Take an input. Raises ContractError if it does not fit, or a share or a rate is negative."""
        self._exchange.receive(port, value)

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` steps; return rates and NMDA gates since."""
        e = self._exchange
        shown = np.empty((e.rows(n), 3, self.n))
        advance(
            int(e.at[0]), n, e.n_ms, self.dt_s, e.noisy, self._mass, e.given, self._sending, e.wires, self._x,
            self._scratch, shown,
        )  # fmt: skip
        e.at[0] += n
        return shown[:, 0], shown[:, 1], shown[:, 2]

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        return {"x": self._x, **self._exchange.state()}

    def reset(self) -> None:
        """Start anew, as if it had been so for all time."""
        self._x[0], self._x[1] = self.start
        self._exchange.reset(self._x[0])
