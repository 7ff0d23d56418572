"""Misfolded proteins that spread along the tracts of a brain: diffusion, growth, and two proteins that help each other.

Load spreads from where there is more to where there is less, in proportion to the tract between: the Laplacian of the
connectome, L = D - W, does what the second derivative does in a homogeneous medium [1]_. Three models, each the next
one's part::

    dx/dt = -rate L x                                                    network diffusion
    dx/dt = -rate L x + growth x (1 - x)                                 Fisher-KPP [2]_
    da/dt = -rate L a + production - clearance a - misfolding a A        heterodimer [3]_, [4]_: healthy protein a,
    dA/dt = -rate L A - toxic_clearance A + misfolding a A               toxic A, which makes more of its kind

Amyloid-beta and tau are each such a pair, and toxic amyloid speeds the misfolding of tau. Toxic protein damages what
it meets, dq/dt = damage A (1 - q). Time is in years, load in the arbitrary unit in which constants are published.

References
----------
.. [1] Raj, Kuceyeski & Weiner (2012) A network diffusion model of disease progression in dementia. Neuron 73: 1204-15.
.. [2] Fornari, Schafer, Jucker, Goriely & Kuhl (2019) Prion-like spreading of Alzheimer's disease within the brain's
   connectome. J R Soc Interface 16: 20190356.
.. [3] Thompson, Chaggar, Kuhl & Goriely (2020) Protein-protein interactions in neurodegenerative diseases: a conspiracy
   theory. PLoS Comput Biol 16: e1008267.
.. [4] Cabrera-Alvarez, Stefanovski, Martin, Susi, Maestu & Ritter (2024) A multiscale closed-loop neurotoxicity model
   of Alzheimer's disease progression explains functional connectivity alterations. eNeuro 11: ENEURO.0345-23.2023.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt
from scipy.sparse.csgraph import connected_components

from bmi.errors import ContractError
from bmi.signals import F64


def laplacian(weights: F64) -> F64:
    """Return L = D - W (n, n) of a symmetric matrix of tracts; columns and rows sum to zero, so nothing gets lost.

    Raises
    ------
    ContractError
        If ``weights`` is not square, not finite, negative somewhere, or not symmetric.
    """
    w = np.asarray(weights, np.float64)
    if w.ndim != 2 or w.shape[0] != w.shape[1]:
        raise ContractError(f"spreading: expected a square matrix of tracts, given shape {w.shape}")
    if not (np.isfinite(w).all() and (w >= 0.0).all()):
        raise ContractError("spreading: expected finite strengths of tracts, none negative")
    if not np.allclose(w, w.T, rtol=1e-9, atol=0.0):
        i, j = np.unravel_index(int(np.abs(w - w.T).argmax()), w.shape)
        raise ContractError(
            f"spreading: load diffuses both ways along a tract, so tracts are symmetric; given {w[i, j]:g} from region "
            f"{j} to {i} and {w[j, i]:g} back; give e.g. (weights + weights.T) / 2"
        )
    out: F64 = np.diag(w.sum(0) - np.diag(w)) - (w - np.diag(np.diag(w)))
    return out


@dataclass(frozen=True, kw_only=True, eq=False)
class Diffusion:
    """Load that only spreads; exact at any time, because the equation is linear."""

    weights: F64
    """(n, n) strength of tracts, symmetric."""
    rate_per_year: Annotated[float, Ge(0)] = 1.0
    """Speed along a tract of strength 1, /year."""

    def __post_init__(self) -> None:
        _at_least("Diffusion.rate_per_year", self.rate_per_year, 0.0)

    @cached_property
    def modes(self) -> tuple[F64, F64]:
        """Eigenvalues (n,) and eigenvectors (n, n) of the Laplacian."""
        values, vectors = np.linalg.eigh(laplacian(self.weights))
        return values, vectors

    @cached_property
    def joined(self) -> npt.NDArray[np.bool_]:
        """Whether a way of tracts leads from one region to another, (n, n)."""
        _, part = connected_components(self.weights > 0.0, directed=False)
        return np.asarray(part[:, None] == part)

    def propagator(self, years: float) -> F64:
        """Return the matrix (n, n) that takes load ``years`` ahead; its columns sum to one.

        No element is below 0, and where no way leads it is 0: a rounding error of either sign would be a seed, which
        a protein that invades lets grow.
        """
        _at_least("Diffusion: years", years, 0.0)
        values, vectors = self.modes
        out: F64 = (vectors * np.exp(-self.rate_per_year * years * values)) @ vectors.T
        return np.where(self.joined, np.maximum(out, 0.0), 0.0)

    def after(self, load: F64, years: float) -> F64:
        """Return the load (n,) of every region ``years`` later."""
        return np.asarray(self.propagator(years) @ _load(load, len(self.weights)), np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class FisherKPP:
    """Load that spreads and grows to saturation, in steps of which each half is exact (Strang's splitting).

    Where only one of the two happens, because load is even or nothing grows, so is the whole; otherwise the error
    falls with the square of the step.
    """

    weights: F64
    """(n, n) strength of tracts, symmetric."""
    rate_per_year: Annotated[float, Ge(0)] = 1.0
    """Speed along a tract of strength 1, /year."""
    growth_per_year: Annotated[float, Ge(0)] = 1.0
    """Of a small load, /year."""
    dt_years: Annotated[float, Gt(0)] = 0.02
    """Step, years."""

    def run(self, load: F64, steps: int) -> F64:
        """Return the load (steps + 1, n) from ``load``, 0 to 1 in every region, on.

        Raises
        ------
        ContractError
            If there is another number of regions, or a load is outside 0 to 1.
        """
        _at_least("FisherKPP.growth_per_year", self.growth_per_year, 0.0)
        if not self.dt_years > 0.0:
            raise ContractError(f"FisherKPP.dt_years: expected above 0 years, given {self.dt_years:g}")
        x = _load(load, len(self.weights))
        if (x > 1.0).any():
            raise ContractError(f"FisherKPP: load saturates at 1, given {x.max():g}")
        spread = Diffusion(weights=self.weights, rate_per_year=self.rate_per_year).propagator(0.5 * self.dt_years)
        shrunk = np.exp(-self.growth_per_year * self.dt_years)
        out = np.empty((steps + 1, len(x)))
        out[0] = x
        for k in range(steps):
            half = spread @ out[k]
            out[k + 1] = spread @ (half / (half + (1.0 - half) * shrunk))
        return out


class Protein(NamedTuple):
    """How one protein is made, cleared and misfolded."""

    production: float
    """/year."""
    clearance: float
    """Of the healthy one, /year."""
    misfolding: float
    """Healthy protein that one unit of toxic protein turns, /year."""
    toxic_clearance: float
    """/year."""
    damage: float = 1.0
    """Damage by one unit of toxic protein, /year."""

    @property
    def healthy(self) -> float:
        """Load of healthy protein where there is no toxic one: production over clearance."""
        return self.production / self.clearance

    @property
    def invades(self) -> bool:
        """Whether toxic protein, once there, stays: each unit misfolds more than is cleared of it."""
        return self._margin > 0.0

    @property
    def toxic(self) -> float:
        """Load of toxic protein in the end, once a little of it is there: 0 if it does not invade."""
        return max(self._margin, 0.0) / (self.toxic_clearance * self.misfolding)

    @property
    def _margin(self) -> float:
        # One number decides both, so that rounding at the threshold cannot have them disagree.
        return self.misfolding * self.production - self.toxic_clearance * self.clearance


AMYLOID = Protein(production=3.0, clearance=3.0, misfolding=3.0, toxic_clearance=2.4)
TAU = Protein(production=3.0, clearance=3.0, misfolding=3.0, toxic_clearance=2.55)
"""Constants of [4]_, as its authors' published code runs them."""


class Load(NamedTuple):
    """Proteins and damage of every region; six arrays (n,)."""

    amyloid: F64
    toxic_amyloid: F64
    tau: F64
    toxic_tau: F64
    q_amyloid: F64
    """Damage by toxic amyloid, 0 to 1."""
    q_tau: F64
    """Damage by toxic tau, 0 to 1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Heterodimer:
    """Amyloid-beta and tau, healthy and toxic, that spread, and the damage they do.

    Half a step of spreading, exact, a step of what happens within regions (Runge and Kutta's fourth order), half a step
    of spreading.
    """

    weights: F64
    """(n, n) strength of tracts, symmetric."""
    rate_per_year: Annotated[float, Ge(0)] = 0.1
    """Speed along a tract of strength 1, /year."""
    amyloid: Protein = AMYLOID
    tau: Protein = TAU
    synergy: Annotated[float, Ge(0)] = 0.4
    """How much a unit of toxic amyloid speeds the misfolding of tau, /year."""
    dt_years: Annotated[float, Gt(0)] = 0.05
    """Step, years."""

    def __post_init__(self) -> None:
        for name, protein in (("amyloid", self.amyloid), ("tau", self.tau)):
            for field, value in protein._asdict().items():
                _at_least(f"Heterodimer.{name}.{field}", value, 0.0)
            if protein.clearance == 0.0 or protein.misfolding == 0.0:
                raise ContractError(f"Heterodimer.{name}: expected clearance and misfolding above 0 /year")
        _at_least("Heterodimer.synergy", self.synergy, 0.0)
        if not 0.0 < self.dt_years <= 0.25:
            raise ContractError(f"Heterodimer.dt_years: expected above 0, at most 0.25 years, given {self.dt_years:g}")

    @cached_property
    def spread(self) -> F64:
        """Spreading (n, n) over half a step along tracts that nothing has thinned."""
        return self._propagator(self.weights)

    def _propagator(self, weights: F64) -> F64:
        return Diffusion(weights=weights, rate_per_year=self.rate_per_year).propagator(0.5 * self.dt_years)

    def start(self, amyloid_seeds: F64, tau_seeds: F64) -> Load:
        """Return a healthy brain with these loads (n,) of toxic protein in it."""
        n = len(self.weights)
        zero = np.zeros(n)
        return Load(
            np.full(n, self.amyloid.healthy), _load(amyloid_seeds, n), np.full(n, self.tau.healthy),
            _load(tau_seeds, n), zero, zero.copy(),
        )  # fmt: skip

    def step(self, load: Load, *, activity: F64 | None = None, weights: F64 | None = None) -> Load:
        """Return the load ``dt_years`` later.

        Parameters
        ----------
        activity : (n,) array, optional
            q_ha, what abnormal activity adds to the production of amyloid, as a share of it.
        weights : (n, n) array, optional
            Tracts as they are now, where damage has thinned them.
        """
        n = len(self.weights)
        extra = np.zeros(n) if activity is None else np.asarray(activity, np.float64)
        spread = self.spread if weights is None else self._propagator(weights)
        x = np.array(load)
        x[:4] = x[:4] @ spread.T
        x = runge_kutta(lambda y: self.slopes(y, extra), x, self.dt_years)
        x[:4] = x[:4] @ spread.T
        return Load(*x)

    def slopes(self, x: F64, activity: F64) -> F64:
        """Return the change (6, n) a year of load (6, n) within regions."""
        a, big_a, t, big_t, q_a, q_t = x
        turned_a = self.amyloid.misfolding * a * big_a
        turned_t = (self.tau.misfolding + self.synergy * big_a) * t * big_t
        return np.array((
            self.amyloid.production * (1.0 + activity) - self.amyloid.clearance * a - turned_a,
            turned_a - self.amyloid.toxic_clearance * big_a,
            self.tau.production - self.tau.clearance * t - turned_t,
            turned_t - self.tau.toxic_clearance * big_t,
            self.amyloid.damage * big_a * (1.0 - q_a),
            self.tau.damage * big_t * (1.0 - q_t),
        ))  # fmt: skip

    def run(self, load: Load, steps: int) -> Load:
        """Return the load from ``load`` on, untouched by activity: six arrays (steps + 1, n)."""
        rows = [load]
        for _ in range(steps):
            rows.append(self.step(rows[-1]))
        return Load(*(np.array(column) for column in zip(*rows, strict=True)))


def runge_kutta(slopes: Callable[[F64], F64], x: F64, dt: float) -> F64:
    """Return ``x`` one step ``dt`` of the classical fourth-order method later."""
    k1 = slopes(x)
    k2 = slopes(x + 0.5 * dt * k1)
    k3 = slopes(x + 0.5 * dt * k2)
    k4 = slopes(x + dt * k3)
    out: F64 = x + dt / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    return out


def _load(load: F64, n: int) -> F64:
    x: F64 = np.array(load, np.float64)
    if x.shape != (n,):
        raise ContractError(f"spreading: expected a load for each of {n} regions, given shape {x.shape}")
    if not (np.isfinite(x).all() and (x >= 0.0).all()):
        raise ContractError("spreading: expected finite loads, none negative")
    return x


def _at_least(where: str, value: float, low: float) -> None:
    if not (np.isfinite(value) and value >= low):
        raise ContractError(f"{where}: expected a finite number of at least {low:g}, given {value:g}")
