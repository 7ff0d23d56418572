"""The medication cycle: levodopa by mouth several times a day, and the dopamine that comes and goes with it.

A dose is absorbed and eliminated (``sim.pharmacology``), reaches the brain with a delay of its own (an effect
compartment [1]_), occupies its target after Hill's law, and so loss of dopamine swings about what it would be under an
even drug, every day alike::

    ce' = k (c - ce)      theta = ce^h / (ce^h + EC50^h)      loss = swing (1 - 2 theta)

Plasma half-life about 1.5 h with an inhibitor of decarboxylase [2]_; motor response lags plasma by an equilibration
half-life of half an hour to an hour in patients whose response fluctuates [3]_. A scenario, no dosing advice.

References
----------
.. [1] Holford & Sheiner (1981) Understanding the dose-effect relationship. Clin Pharmacokinet 6: 429-453.
.. [2] Nutt (2008) Pharmacokinetics and pharmacodynamics of levodopa. Mov Disord 23: S580-S584.
.. [3] Chan, Nutt & Holford (2004) Modeling the short- and long-duration responses to exogenous levodopa and to
   endogenous levodopa production in Parkinson's disease. J Pharmacokinet Pharmacodyn 31: 243-268.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Annotated

import numpy.typing as npt
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from sim.pharmacology import DRUGS, HOUR_S, Drug

DAY_S = 24.0 * HOUR_S


@dataclass(frozen=True, kw_only=True)
class Medication:
    """A drug for Parkinson's disease, taken at the same hours every day since long before implantation."""

    drug: Drug = field(default_factory=lambda: DRUGS["levodopa"])
    """Its way through the body and its binding."""
    dose_mg: Annotated[float, Ge(0)] = 200.0
    """Each dose, mg; 0 is a drug left off, and loss of dopamine is up by ``swing`` all day."""
    hours: tuple[float, ...] = (7.0, 11.0, 15.0, 19.0)
    """Of the day, at which it is taken; day 0 begins at midnight."""
    swing: Annotated[float, Ge(0)] = 0.15
    """Loss of dopamine without drug, above the even one; as much below it where every target is occupied."""
    equilibration_s: Annotated[float, Gt(0)] = 2100.0
    """Half-life with which the brain follows the blood, s."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.dose_mg <= self.drug.max_dose_mg:
            raise ContractError(
                f"Medication.dose_mg: expected 0 to {self.drug.max_dose_mg:g} mg of {self.drug.name}, "
                f"given {self.dose_mg:g}"
            )
        if not all(0.0 <= hour < 24.0 for hour in self.hours):
            raise ContractError(f"Medication.hours: expected hours of the day, 0 to below 24, given {self.hours}")
        if not 0.0 <= self.swing <= 0.5:
            raise ContractError(f"Medication.swing: expected 0 to 0.5, given {self.swing:g}")
        if not (self.equilibration_s > 0.0 and math.isfinite(self.equilibration_s)):
            raise ContractError(f"Medication.equilibration_s: expected above 0 s, given {self.equilibration_s:g}")
        rates = self._rates()
        if min(abs(a - b) for a, b in combinations(rates, 2)) < 1e-6 * max(rates):
            raise ContractError(
                "Medication: expected half-lives of absorption, elimination and equilibration that differ, "
                f"given {', '.join(f'{math.log(2.0) / r:g}' for r in rates)} s"
            )

    def _rates(self) -> tuple[float, float, float]:
        return self.drug.absorption_per_s, self.drug.elimination_per_s, math.log(2.0) / self.equilibration_s

    def plasma_mg_l(self, day: float) -> float:
        """Return the concentration in the blood, mg/l."""
        ka, ke, _ = self._rates()
        return self._daily(day, {ka: 1.0 / (ke - ka), ke: 1.0 / (ka - ke)}, self.drug.absorption_per_s)

    def brain_mg_l(self, day: float) -> float:
        """Return the concentration at the target, mg/l, of blood at equilibrium with it."""
        rates = self._rates()
        parts = {r: math.prod(1.0 / (other - r) for other in rates if other != r) for r in rates}
        return self._daily(day, parts, rates[0] * rates[2])

    def _daily(self, day: float, parts: Mapping[float, float], scale: float) -> float:
        """Return the sum over all doses ever taken of a sum of exponentials: rate, /s, and weight of each."""
        total = 0.0
        for hour in self.hours:
            since_s = (day * DAY_S - hour * HOUR_S) % DAY_S
            total += sum(w * math.exp(-r * since_s) / -math.expm1(-r * DAY_S) for r, w in parts.items())
        return max(0.0, self.dose_mg / self.drug.volume_l * scale * total)

    def occupancy(self, day: float) -> float:
        """Return theta, the occupied share of the target."""
        return self.drug.occupancy(self.brain_mg_l(day))

    def at(self, day: float) -> Mapping[str, npt.ArrayLike]:
        """Return what the drug adds to the loss of dopamine: ``swing`` without it, minus ``swing`` at the most."""
        return {"dopamine_loss": self.swing * (1.0 - 2.0 * self.occupancy(day))}
