"""How an implant ages: tissue grows around the electrodes, neurons move away, wires break.

Over t days since ageing sets in

    snr = e^(-t / tau)    impedance = 1 + (plateau - 1)(1 - e^(-t / rise))
    turnover = 1 - (1 - a day's share)^t    dead = 1 - (1 - a year's share)^(t / 365)

Arrays in people and monkeys lose signal over months to years while impedances rise and settle [1]_, electrodes fail
one after the other [2]_, and sorted neurons are followed for days to weeks [3]_. The numbers are choices of a
scenario, to have something that decoders must survive, and no claim about any device.

References
----------
.. [1] Sponheim et al. (2021) Longevity and reliability of chronic unit recordings using the Utah, intracortical
   multi-electrode arrays. J Neural Eng 18:066044.
.. [2] Barrese et al. (2013) Failure mode analysis of silicon-based intracortical microelectrode arrays in non-human
   primates. J Neural Eng 10:066014.
.. [3] Fraser & Schwartz (2012) Recording from the same neurons chronically in motor cortex. J Neurophysiol 107:1970.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy.typing as npt
from annotated_types import Ge, Gt, Interval

from bmi.errors import ContractError

LEAST_SNR = 0.05
"""What is left of the spikes in the end: below it nothing is recorded any more."""
YEAR_DAYS = 365.0


@dataclass(frozen=True, kw_only=True)
class Ageing:
    """An implant that grows old, from the day on which the wound has healed."""

    from_day: float = 30.0
    """When it begins, days since implantation."""
    snr_days: Annotated[float, Gt(0)] = 400.0
    """Spikes shrink by the factor e in so many days."""
    plateau: Annotated[float, Ge(1)] = 1.5
    """Scale of the electrodes' own noise in the end: its square is that of the resistance it comes from."""
    rise_days: Annotated[float, Gt(0)] = 60.0
    """Time constant with which it gets there."""
    turnover_per_day: Annotated[float, Interval(ge=0, lt=1)] = 0.01
    """Share of the neurons first recorded and still there that are replaced in a day."""
    deaths_per_year: Annotated[float, Interval(ge=0, lt=1)] = 0.05
    """Share of the working electrodes that die in a year."""

    def __post_init__(self) -> None:
        for name in ("snr_days", "rise_days"):
            value = getattr(self, name)
            if not 0.0 < value < math.inf:
                raise ContractError(f"Ageing.{name}: expected days above 0, finite, given {value!r}")
        for name in ("turnover_per_day", "deaths_per_year"):
            value = getattr(self, name)
            if not 0.0 <= value < 1.0:
                raise ContractError(f"Ageing.{name}: expected a share, at least 0 and below 1, given {value!r}")
        if not 1.0 <= self.plateau < math.inf or not math.isfinite(self.from_day):
            raise ContractError(
                f"Ageing: expected a plateau of at least 1 and a finite from_day, given {self.plateau!r} and "
                f"{self.from_day!r}"
            )

    def at(self, day: float) -> Mapping[str, npt.ArrayLike]:
        """Return snr, impedance, turnover and dead; their baselines up to ``from_day``."""
        t = max(0.0, day - self.from_day)
        return {
            "snr": max(math.exp(-t / self.snr_days), LEAST_SNR),
            "impedance": 1.0 - (self.plateau - 1.0) * math.expm1(-t / self.rise_days),
            "turnover": -math.expm1(t * math.log1p(-self.turnover_per_day)),
            "dead": -math.expm1(t / YEAR_DAYS * math.log1p(-self.deaths_per_year)),
        }
