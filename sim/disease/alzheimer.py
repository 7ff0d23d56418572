"""Alzheimer's disease: two proteins that spread and misfold, what they do to activity, and what activity does to them.

Damage by amyloid raises excitatory gain and lowers inhibition of pyramidal cells, damage by tau lowers excitation and
inhibition among the cells of a region and thins its tracts; where cells fire more than they used to, more amyloid is
made [1]_. All that a region of the simulated brain notices are factors on Jansen and Rit's constants::

    He   x  1 + 0.108 qa                        Cip  x  1 - 0.607 (1 - (1 - qa) (1 - qt))
    Cep  x  1 - 0.741 qt                        each end of a tract  x  1 - 0.163 qt
    dqh/dt = 5 (rate / rate at first - 1) (1 - abs(qh))        production of amyloid  x  1 + qh

The ends of the ranges are those of [1]_ (He 3.25 to 3.6, Cip 33.75 to 13.25, Cep 108 to 28, tracts to 70 %). Where the
paper lets each constant drift towards its end at a rate in proportion to damage, here it follows damage itself, so that
one table of damage, theta's ``amyloid`` and ``tau``, says all there is to say about a patient's day.

References
----------
.. [1] Cabrera-Alvarez, Stefanovski, Martin, Susi, Maestu & Ritter (2024) A multiscale closed-loop neurotoxicity model
   of Alzheimer's disease progression explains functional connectivity alterations. eNeuro 11: ENEURO.0345-23.2023.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import F64
from sim.disease.spreading import Heterodimer, Load, runge_kutta

HE, CIP, CEP, TRACT = 0.35 / 3.25, 20.5 / 33.75, 80.0 / 108.0, 1.0 - math.sqrt(0.7)
"""Change of each constant at full damage, as a share of the healthy one; of a tract, at either end."""
ACTIVITY_PER_YEAR = 5.0
"""How fast abnormal activity changes the production of amyloid."""


class Masses(NamedTuple):
    """Factors (n,) on the constants of each region's masses; inputs of ``sim.brain.jansen_rit`` by the same names."""

    he: F64
    cip: F64
    cep: F64
    afferent: F64
    efferent: F64


def masses(amyloid: F64, tau: F64) -> Masses:
    """Return what damage by ``amyloid`` and ``tau`` (n,), 0 to 1, makes of the regions' constants."""
    qa, qt = (np.asarray(q, np.float64) for q in (amyloid, tau))
    if qa.shape != qt.shape or not all(((q >= 0.0) & (q <= 1.0)).all() for q in (qa, qt)):
        raise ContractError(f"alzheimer: expected damage of 0 to 1 for as many regions, given {qa.shape}, {qt.shape}")
    tract = 1.0 - TRACT * qt
    return Masses(1.0 + HE * qa, 1.0 - CIP * (1.0 - (1.0 - qa) * (1.0 - qt)), 1.0 - CEP * qt, tract, tract.copy())


def thinned(weights: F64, tau: F64) -> F64:
    """Return the tracts (n, n) that damage by ``tau`` (n,) leaves of ``weights``."""
    tract = 1.0 - TRACT * np.asarray(tau, np.float64)
    out: F64 = tract[:, None] * weights * tract
    return out


class Course(NamedTuple):
    """A course of the disease, a row a step."""

    load: Load
    """Six arrays (n_steps + 1, n)."""
    activity: F64
    """q_ha (n_steps + 1, n), what activity adds to the production of amyloid, as a share."""
    rate_hz: F64
    """(n_steps + 1, n): rate of each region; nan where nobody looked."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ClosedLoop:
    """Proteins and activity that change each other, over years."""

    proteins: Heterodimer
    """How both proteins spread and misfold."""
    rates: Callable[[Masses], F64] | None
    """Activity: rate (n,) of every region with these constants, Hz. None opens the loop: neither activity nor thinned
    tracts come back to the proteins."""
    every_years: Annotated[float, Gt(0)] = 1.0
    """How often activity is looked at."""

    def run(self, start: Load, years: float) -> Course:
        """Return the course from ``start`` on.

        Raises
        ------
        ContractError
            If activity is looked at more often than proteins change, or a healthy region is silent.
        """
        dt = self.proteins.dt_years
        every, steps = round(self.every_years / dt), round(years / dt)
        if every < 1:
            raise ContractError(
                f"ClosedLoop.every_years: expected at least a step of {dt:g} years, given {self.every_years:g}"
            )
        load, n = start, len(start.tau)
        rows, qh = [start], np.zeros((steps + 1, n))
        seen = np.full((steps + 1, n), np.nan)
        ratio, first = np.ones(n), None
        for k in range(steps):
            if self.rates is not None and k % every == 0:
                seen[k] = self.rates(masses(load.q_amyloid, load.q_tau))
                first = seen[k] if first is None else first
                if not (first > 0.0).all():
                    raise ContractError(f"ClosedLoop: healthy region {int(first.argmin())} is silent; raise its drive")
                ratio = seen[k] / first
            if self.rates is None:
                load = self.proteins.step(load)
            else:
                tracts = thinned(self.proteins.weights, load.q_tau)
                load = self.proteins.step(load, activity=qh[k], weights=tracts)
                qh[k + 1] = runge_kutta(partial(driven, ratio=ratio), qh[k], dt)
            rows.append(load)
        return Course(Load(*(np.array(column) for column in zip(*rows, strict=True))), qh, seen)


def driven(qh: F64, ratio: F64) -> F64:
    """Return the change a year of q_ha (n,) where regions fire ``ratio`` times what they used to."""
    out: F64 = ACTIVITY_PER_YEAR * (ratio - 1.0) * (1.0 - np.abs(qh))
    return out


@dataclass(frozen=True, kw_only=True, eq=False)
class Alzheimer:
    """A course of both proteins over patient days, shortened: decades within the scenario's year.

    Activity does not feed back here; theta is a function of the day, and the patient's activity is not.
    """

    weights: F64
    """(n, n) strength of tracts, symmetric."""
    amyloid_seeds: tuple[int, ...]
    """Regions where toxic amyloid is first."""
    tau_seeds: tuple[int, ...]
    """Regions where toxic tau is first."""
    from_day: float = 180.0
    """When it begins, days since implantation."""
    days_per_year: Annotated[float, Gt(0)] = 6.0
    """Patient days that a year of the disease takes; 365 is its own pace."""
    years: Annotated[float, Ge(1)] = 40.0
    """Years of disease computed; later days show the last."""
    rate_per_year: Annotated[float, Ge(0)] = 0.1
    """Speed along a tract of strength 1, /year."""
    seed_load: tuple[float, float] = field(default=(0.05, 0.005))
    """Toxic amyloid and toxic tau at first, over all seeds."""

    def __post_init__(self) -> None:
        n = len(self.weights)
        for name in ("amyloid_seeds", "tau_seeds"):
            seeds = getattr(self, name)
            if not seeds or not all(0 <= k < n for k in seeds):
                raise ContractError(f"Alzheimer.{name}: expected some regions of 0 to {n - 1}, given {seeds}")
        if not (self.days_per_year > 0.0 and self.years >= 1.0 and math.isfinite(self.from_day)):
            raise ContractError(
                f"Alzheimer: expected days_per_year above 0, years from 1, a finite from_day; given "
                f"{self.days_per_year:g}, {self.years:g}, {self.from_day:g}"
            )

    @cached_property
    def course(self) -> Load:
        """The proteins and their damage: six arrays (n_steps + 1, n)."""
        n = len(self.weights)
        proteins = Heterodimer(weights=self.weights, rate_per_year=self.rate_per_year)
        maps = []
        for total, seeds in zip(self.seed_load, (self.amyloid_seeds, self.tau_seeds), strict=True):
            maps.append(np.zeros(n))
            maps[-1][list(seeds)] = total / len(seeds)
        return proteins.run(proteins.start(*maps), round(self.years / proteins.dt_years))

    def at(self, day: float) -> Mapping[str, npt.ArrayLike]:
        """Return damage by amyloid and by tau of every region."""
        if day <= self.from_day:
            return {}
        found = self.course
        last = len(found.tau) - 1
        where = min((day - self.from_day) / self.days_per_year / self.years, 1.0) * last
        k = min(int(where), last - 1)
        part = where - k
        return {
            "amyloid": (1.0 - part) * found.q_amyloid[k] + part * found.q_amyloid[k + 1],
            "tau": (1.0 - part) * found.q_tau[k] + part * found.q_tau[k + 1],
        }
