"""Amyotrophic lateral sclerosis as a drift: upper motor neurons are lost one by one, and the mu rhythm with them.

    survival = e^(-t / tau)        mu amplitude = e^(-t / tau_mu)

over t days since onset. Signals of the motor system are impaired in late stages [1]_, so that a decoder calibrated
once meets fewer of its neurons every month. Rates are choices of a scenario; the disease itself is not modelled.

References
----------
.. [1] Fomina et al. (2016) Self-regulation of brain rhythms in the precuneus: a novel BCI paradigm for patients with
   ALS. J Neural Eng 13:066021.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy.typing as npt
from annotated_types import Gt

from bmi.errors import ContractError


@dataclass(frozen=True, kw_only=True)
class ALS:
    """Tuned neurons die at a constant rate, from a day on."""

    from_day: float = 240.0
    """Onset, days since implantation."""
    survival_days: Annotated[float, Gt(0)] = 600.0
    """Time in which the tuned neurons alive fall by the factor e."""
    mu_days: Annotated[float, Gt(0)] = 600.0
    """The same of the amplitude of the mu rhythm."""

    def __post_init__(self) -> None:
        for name in ("survival_days", "mu_days"):
            value = getattr(self, name)
            if not 0.0 < value < math.inf:
                raise ContractError(f"ALS.{name}: expected days above 0, finite, given {value!r}")
        if not math.isfinite(self.from_day):
            raise ContractError(f"ALS.from_day: expected a finite day, given {self.from_day!r}")

    def at(self, day: float) -> Mapping[str, npt.ArrayLike]:
        """Return survival and mu_amplitude; their baselines up to ``from_day``."""
        t = max(0.0, day - self.from_day)
        return {"survival": math.exp(-t / self.survival_days), "mu_amplitude": math.exp(-t / self.mu_days)}
