"""BOLD: what a scanner makes, seconds later, of synaptic activity.

Activity u makes a signal s that widens vessels; flow f follows, blood volume v and deoxyhemoglobin q follow as in a
balloon that empties faster the fuller it is [1]_::

    ds/dt = u - κ s - γ (f - 1)          df/dt = s
    τ dv/dt = f - v^(1/α)                τ dq/dt = f E(f) / ρ - v^(1/α) q / v,    E = 1 - (1 - ρ)^(1/f)
    y = V0 [k1 (1 - q) + k2 (1 - q / v) + k3 (1 - v)]

from s = 0, f = v = q = 1. The scanner's field enters through k1 to k3 [2]_ [3]_.

References
----------
.. [1] Friston, Harrison & Penny (2003) Dynamic causal modelling. NeuroImage 19:1273.
.. [2] Stephan et al. (2007) Comparing hemodynamic models with DCM. NeuroImage 38:387.
.. [3] Heinzle, Koopmans, den Ouden, Raman & Stephan (2016) A hemodynamic model for layered BOLD signals. NeuroImage
   125:556.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt

from bmi.errors import ContractError
from bmi.signals import F32, F64, I64, AnyArray
from sim import GRID_S, SLOT_S
from sim.component import Noise, Port
from sim.sensors._bold_kernels import Balloon, advance, observe


@dataclass(frozen=True, kw_only=True)
class Hemodynamics:
    """How vessels follow activity, and what a scanner sees of it."""

    kappa: Annotated[float, Gt(0)] = 0.65
    """κ, decay of the signal that widens vessels, 1/s."""
    gamma: Annotated[float, Gt(0)] = 0.41
    """γ, feedback of flow on it, 1/s."""
    tau_s: Annotated[float, Gt(0)] = 0.98
    """τ, transit time of the blood, s."""
    alpha: Annotated[float, Gt(0)] = 0.32
    """α, stiffness of the vessels (Grubb's exponent)."""
    rho: Annotated[float, Gt(0), Lt(1)] = 0.34
    """ρ, share of oxygen extracted at rest."""
    v0: Annotated[float, Gt(0)] = 0.02
    """V0, share of blood in the volume at rest."""
    k1: float = 2.38
    k2: float = 2.0
    k3: float = 0.48


FRISTON_2003 = Hemodynamics()
"""At 1.5 T; k1 = 7 ρ, k2 = 2, k3 = 2 ρ - 0.2."""


def at_field(
    *, offset_hz: float, relaxation_hz: float, echo_s: float, ratio: float, extraction: float = 0.4, v0: float = 0.04
) -> Hemodynamics:
    """Return the hemodynamics of [2]_ as a scanner of some field sees them.

    k1 = 4.3 ν0 ρ TE, k2 = ε r0 ρ TE, k3 = 1 - ε; κ = 0.64/s, γ = 0.32/s, τ = 2 s.

    Parameters
    ----------
    offset_hz : float
        ν0, frequency offset at the surface of magnetised vessels, Hz.
    relaxation_hz : float
        r0, how fast relaxation in vessels rises as oxygen falls, Hz.
    echo_s : float
        TE, s.
    ratio : float
        ε, signal from vessels as a share of that from the tissue around them.
    extraction : float
        ρ.
    v0 : float
    """
    return Hemodynamics(
        kappa=0.64, gamma=0.32, tau_s=2.0, rho=extraction, v0=v0,
        k1=4.3 * offset_hz * extraction * echo_s, k2=ratio * relaxation_hz * extraction * echo_s, k3=1.0 - ratio,
    )  # fmt: skip


STEPHAN_3T = at_field(offset_hz=80.6, relaxation_hz=110.0, echo_s=0.03, ratio=0.47)
"""At 3 T."""
SETS = {"friston-2003": FRISTON_2003, "stephan-3t": STEPHAN_3T}


@dataclass(kw_only=True)
class BOLD:
    """Blood oxygenation of all regions as a sensor: a sample each ``tr_s``, in per cent of the signal at rest.

    *Realtime*: ``take`` of 10 ms and 84 regions takes some 15 µs of one core.
    """

    name: str = "bold"
    labels: tuple[str, ...]
    """Names of the regions."""
    hemodynamics: Literal["friston-2003", "stephan-3t"] | Hemodynamics = "friston-2003"
    tr_s: Annotated[float, Gt(0)] = 1.0
    """Time between two samples, s: a multiple of 10 ms."""
    rest: float | tuple[float, ...] = 0.0
    """Activity at which nothing happens, one number or one for each region; in the activity's unit."""
    gain: float = 1.0
    """u for an activity one unit above rest, 1/s²."""
    noise_percent: Annotated[float, Ge(0)] = 0.0
    """White noise of the scanner, % rms."""

    @property
    def inputs(self) -> tuple[Port, ...]:
        """Nothing but the regions' activity."""
        return ()

    @property
    def unit(self) -> str:
        """Of the samples."""
        return "%"

    @property
    def rate_hz(self) -> float:
        """Samples a second."""
        return 1.0 / self.tr_s

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second."""
        return 0.0005 + 1.5e-5 * len(self.labels)

    def bind(self, seed: int) -> None:
        """Allocate; noise comes from ``seed``.

        Raises
        ------
        ContractError
            If ``tr_s`` is no multiple of 10 ms, there is no such set of parameters, or ``rest`` does not fit.
        """
        self._every = round(self.tr_s / GRID_S)
        if self._every < 1 or abs(self._every * GRID_S - self.tr_s) > 1e-9:
            raise ContractError(f"{self.name}: tr_s is {self.tr_s:g}, expected a multiple of {GRID_S:g}; give e.g. 0.8")
        h = self.hemodynamics
        if isinstance(h, str):
            if h not in SETS:
                raise ContractError(f"{self.name}: hemodynamics {h!r}, expected {' or '.join(SETS)}")
            h = SETS[h]
        n = len(self.labels)
        if np.size(self.rest) not in (1, n):
            raise ContractError(f"{self.name}.rest: expected one number or {n}, given {np.size(self.rest)}")
        self._balloon = Balloon(SLOT_S, h.kappa, h.gamma, h.tau_s, h.alpha, h.rho, h.v0, h.k1, h.k2, h.k3)
        self._state: F64 = np.zeros((4, n))
        self._u: F64 = np.zeros((10, n))
        self._share: F64 = np.zeros(n)
        self._row: F32 = np.zeros((1, n), np.float32)
        self._at: I64 = np.zeros(1, np.int64)
        self._noise = Noise(seed, self.name, n)
        self.reset()
        advance(self._balloon, self._u, self._state)
        observe(self._balloon, self._state, self._share)
        self.reset()

    def take(self, activity: AnyArray) -> F32:
        """Return the sample that is due at the end of this block, (1, n_regions) float32, %, or none, (0, n_regions).

        Parameters
        ----------
        activity : (10, n_regions)
            Rate or synaptic activity of every region in each millisecond; borrowed.

        Raises
        ------
        ContractError
            If it has another shape.
        """
        if activity.shape != self._u.shape:
            raise ContractError(
                f"{self.name}: expected the activity of 10 ms, shape {self._u.shape}, given {activity.shape}"
            )
        np.subtract(activity, self.rest, out=self._u)
        self._u *= self.gain
        advance(self._balloon, self._u, self._state)
        self._at[0] += 1
        step = int(self._at[0])
        if step % self._every:
            return self._row[:0]
        observe(self._balloon, self._state, self._share)
        self._row[0] = 100.0 * self._share
        if self.noise_percent:
            self._row[0] += np.float32(self.noise_percent) * self._noise.normal(0, step)
        return self._row

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        return {"step": self._at, "balloon": self._state}

    def reset(self) -> None:
        """Return to rest."""
        self._at[0] = 0
        self._state[0] = 0.0
        self._state[1:] = 1.0
