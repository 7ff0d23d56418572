"""Drugs: how much is in the blood, how much of a target is occupied, and what that does to the simulated patient.

A dose is absorbed into one compartment and eliminated from it, both in proportion to what is there (Bateman); doses
add up. A target is occupied after Hill's law, and a knob of the simulation moves in proportion to the occupancy, from
1 to the drug's factor at full occupancy::

    C(t) = D ka / (V (ka - ke)) (e^(-ke t) - e^(-ka t))      theta = C^h / (C^h + EC50^h)
    factor = 1 + (full - 1) theta

A benzodiazepine with ``full`` 2 so lengthens the decay of inhibition by (1 + theta). A use-dependent blocker reaches
its share f / (f + f_half) at a firing rate f. The drugs named here are scenarios: their constants are of a plausible
order so that a simulated day has the right shape. They describe no patient and advise no dose.

References
----------
.. [1] Gibaldi & Perrier (1982) Pharmacokinetics. Marcel Dekker, New York.
.. [2] Hill (1910) J Physiol 40:iv. The possible effects of the aggregation of the molecules of haemoglobin.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, NamedTuple, overload

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import F64

HOUR_S = 3600.0


class Target(NamedTuple):
    """A knob of the simulation that drugs turn."""

    low: float
    high: float
    """Range of the factor at full occupancy."""
    about: str
    """Whose input takes the factor."""


TARGETS: Mapping[str, Target] = {
    "gaba_decay": Target(1.0, 4.0, "decay time of GABA-A: `gaba_decay` of a synapse"),
    "na": Target(0.0, 1.0, "sodium conductance: scale `na` of a cell class"),
    "dopamine_loss": Target(0.0, 1.0, "multiplies the patient's own loss: `dopamine_loss` of the basal ganglia"),
    "ampa": Target(0.0, 2.0, "AMPA conductance: `ampa` of a synapse"),
    "nmda": Target(0.0, 2.0, "NMDA conductance: `nmda` of a synapse"),
    "calcium": Target(0.0, 2.0, "presynaptic calcium influx: `calcium` of a synapse"),
}


@dataclass(frozen=True, kw_only=True)
class Drug:
    """A drug: its way through the body, its binding, and what it does at full occupancy."""

    name: str
    full: Mapping[str, float]
    """Factor of each target at full occupancy."""
    ec50_mg_l: Annotated[float, Gt(0)]
    """Concentration that occupies half, mg/l."""
    hill: Annotated[float, Gt(0)] = 1.0
    """Hill's exponent."""
    volume_l: Annotated[float, Gt(0)]
    """Volume of distribution over bioavailability, l."""
    absorption_per_s: Annotated[float, Gt(0)]
    """ka, /s."""
    elimination_per_s: Annotated[float, Gt(0)]
    """ke, /s."""
    max_dose_mg: Annotated[float, Gt(0)]
    """A single dose beyond it is refused, mg."""
    use_half_hz: Annotated[float, Ge(0)] = 0.0
    """Firing rate at which a use-dependent blocker reaches half its effect, Hz; 0 if use does not matter."""

    def __post_init__(self) -> None:
        for name, factor in self.full.items():
            if name not in TARGETS:
                raise ContractError(f"{self.name}: unknown target {name!r}; there are {', '.join(TARGETS)}")
            target = TARGETS[name]
            if not target.low <= factor <= target.high:
                raise ContractError(
                    f"{self.name}.{name}: factor at full occupancy is {factor:g}, "
                    f"expected {target.low:g} to {target.high:g}"
                )
        if not self.full:
            raise ContractError(f"{self.name}: acts on nothing; name at least one of {', '.join(TARGETS)}")
        for constant in ("ec50_mg_l", "hill", "volume_l", "absorption_per_s", "elimination_per_s", "max_dose_mg"):
            if not (getattr(self, constant) > 0.0 and math.isfinite(getattr(self, constant))):
                raise ContractError(f"{self.name}.{constant}: expected above 0, given {getattr(self, constant):g}")
        if not self.use_half_hz >= 0.0:
            raise ContractError(f"{self.name}.use_half_hz: expected 0 or more, given {self.use_half_hz:g}")

    @overload
    def concentration(self, dose_mg: float, t_s: float) -> float: ...
    @overload
    def concentration(self, dose_mg: float, t_s: F64) -> F64: ...
    def concentration(self, dose_mg: float, t_s: float | F64) -> float | F64:
        """Return mg/l, ``t_s`` after one dose; 0 before it. Also where ka = ke, or nearly."""
        slow = min(self.absorption_per_s, self.elimination_per_s)
        apart = abs(self.absorption_per_s - self.elimination_per_s)
        since = np.maximum(np.asarray(t_s, np.float64), 0.0)
        z = apart * since
        shape = np.where(z > 0.0, -np.expm1(-z) / np.where(z > 0.0, z, 1.0), 1.0)  # (1 - e^-z) / z
        c = dose_mg * self.absorption_per_s / self.volume_l * since * np.exp(-slow * since) * shape
        return float(c) if np.ndim(t_s) == 0 else np.asarray(c, np.float64)

    @property
    def peak_s(self) -> float:
        """Time from a dose to its highest concentration, s: ln(ka / ke) / (ka - ke)."""
        apart = self.absorption_per_s - self.elimination_per_s
        if apart == 0.0:
            return 1.0 / self.elimination_per_s
        return math.log1p(apart / self.elimination_per_s) / apart

    def occupancy(self, c_mg_l: float) -> float:
        """Return theta, the occupied share of the target at this concentration."""
        if not (c_mg_l >= 0.0 and math.isfinite(c_mg_l)):
            raise ContractError(f"{self.name}: expected a concentration of at least 0 mg/l, given {c_mg_l!r}")
        if c_mg_l == 0.0:
            return 0.0
        return 1.0 / (1.0 + math.exp(min(700.0, self.hill * math.log(self.ec50_mg_l / c_mg_l))))

    def effect(self, theta: float, rate_hz: float | None = None) -> dict[str, float]:
        """Return the factor of every target at occupancy ``theta``.

        Parameters
        ----------
        rate_hz : float, optional
            Firing rate of the cells concerned, Hz, which a use-dependent drug needs.

        Raises
        ------
        ContractError
            If theta is outside 0 to 1, or a use-dependent drug is not told the rate.
        """
        if not 0.0 <= theta <= 1.0:
            raise ContractError(f"{self.name}: expected an occupancy of 0 to 1, given {theta!r}")
        used = 1.0
        if self.use_half_hz > 0.0:
            if rate_hz is None or not (rate_hz >= 0.0 and math.isfinite(rate_hz)):
                raise ContractError(f"{self.name}: acts with use; give rate_hz, the cells' firing rate, Hz")
            used = rate_hz / (rate_hz + self.use_half_hz)
        return {name: 1.0 + (factor - 1.0) * theta * used for name, factor in self.full.items()}


@dataclass(frozen=True, kw_only=True)
class Regimen:
    """A drug and when it is taken."""

    drug: Drug
    doses: tuple[tuple[float, float], ...]
    """(time, s; amount, mg) of each; times count from the beginning of the simulation."""

    def __post_init__(self) -> None:
        for t_s, mg in self.doses:
            if not (t_s >= 0.0 and math.isfinite(t_s)):
                raise ContractError(f"{self.drug.name}: a dose at {t_s!r} s, expected 0 or later")
            if not 0.0 <= mg <= self.drug.max_dose_mg:
                raise ContractError(
                    f"{self.drug.name}: a dose of {mg:g} mg, expected 0 to {self.drug.max_dose_mg:g} mg; "
                    "divide it over time"
                )

    def concentration(self, t_s: float | npt.ArrayLike) -> float | F64:
        """Return mg/l at time ``t_s``, s, a number or an array; the sum over doses.

        Raises
        ------
        ContractError
            If a time is negative or not finite.
        """
        t = np.asarray(t_s, np.float64)
        if not (np.isfinite(t).all() and (t >= 0.0).all()):
            raise ContractError(f"{self.drug.name}: expected times of 0 s or later, given {t_s!r}")
        c = np.zeros(t.shape)
        for at_s, mg in self.doses:
            c += self.drug.concentration(mg, t - at_s)
        return float(c) if t.ndim == 0 else c

    def effect(self, t_s: float, rate_hz: float | None = None) -> dict[str, float]:
        """Return the factor of every target at time ``t_s``, s; as ``Drug.effect``."""
        return self.drug.effect(self.drug.occupancy(float(self.concentration(t_s))), rate_hz)


def combined(regimens: Iterable[Regimen], t_s: float, rate_hz: float | None = None) -> dict[str, float]:
    """Return the factor of every target that ``regimens`` act on together: the product of their own."""
    factors: dict[str, float] = {}
    for regimen in regimens:
        for name, factor in regimen.effect(t_s, rate_hz).items():
            factors[name] = factors.get(name, 1.0) * factor
    return factors


def _named(name: str, full: Mapping[str, float], hours: tuple[float, float], **constants: float) -> Drug:
    """Return a drug of absorption and elimination half-lives ``hours``."""
    ka, ke = (math.log(2.0) / (h * HOUR_S) for h in hours)
    return Drug(name=name, full=full, absorption_per_s=ka, elimination_per_s=ke, **constants)


DRUGS: Mapping[str, Drug] = {
    drug.name: drug
    for drug in (
        _named("diazepam", {"gaba_decay": 2.0}, (0.3, 40.0), ec50_mg_l=0.2, volume_l=80.0, max_dose_mg=20.0),
        _named("phenytoin", {"na": 0.5}, (2.0, 22.0), ec50_mg_l=12.0, volume_l=45.0, max_dose_mg=400.0,
               use_half_hz=20.0),
        _named("levodopa", {"dopamine_loss": 0.2}, (0.3, 1.5), ec50_mg_l=1.0, hill=3.0, volume_l=65.0,
               max_dose_mg=300.0),
        _named("perampanel", {"ampa": 0.5}, (0.3, 100.0), ec50_mg_l=0.3, volume_l=77.0, max_dose_mg=12.0),
        _named("ketamine", {"nmda": 0.3}, (0.2, 2.5), ec50_mg_l=0.15, volume_l=210.0, max_dose_mg=100.0),
        _named("gabapentin", {"calcium": 0.7}, (1.0, 6.0), ec50_mg_l=4.0, volume_l=60.0, max_dose_mg=800.0),
    )
}  # fmt: skip
"""Scenarios by name, not clinical claims."""


def drug(name: str) -> Drug:
    """Return the drug called ``name``. Raises ContractError, naming those there are."""
    if name not in DRUGS:
        raise ContractError(f"pharmacology: unknown drug {name!r}; there are {', '.join(DRUGS)}")
    return DRUGS[name]
