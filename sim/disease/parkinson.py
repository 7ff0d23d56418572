"""Parkinson's disease: dopamine is lost along a logistic curve, over years that a scenario may shorten."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy.typing as npt
from annotated_types import Gt, Interval

from bmi.errors import ContractError

EDGE = 0.05
"""Share of the way that lies before the onset's visible course, and after it."""


@dataclass(frozen=True, kw_only=True)
class Parkinson:
    """Loss of dopamine that grows from one level to another, slowly at first and at last.

    The logistic curve stands 5 % of its way up on ``from_day`` and 95 % ``days`` later. Untreated loss takes five to
    ten years; the default is the course shortened to the second half of the scenario's year.
    """

    first: Annotated[float, Interval(ge=0, le=1)] = 0.3
    """Loss of dopamine long before."""
    last: Annotated[float, Interval(ge=0, le=1)] = 0.9
    """Loss of dopamine in the end."""
    from_day: float = 120.0
    """When progression begins to show, days since implantation."""
    days: Annotated[float, Gt(0)] = 200.0
    """How long it shows, days; 1800 to 3600 is a patient's pace."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.first <= self.last <= 1.0:
            raise ContractError(
                f"Parkinson: expected 0 <= first <= last <= 1, given first {self.first:g}, last {self.last:g}"
            )
        if not (self.days > 0.0 and math.isfinite(self.days) and math.isfinite(self.from_day)):
            raise ContractError(
                f"Parkinson: expected a finite from_day and days above 0, given {self.from_day:g} and {self.days:g}"
            )

    def at(self, day: float) -> Mapping[str, npt.ArrayLike]:
        """Return the loss of dopamine."""
        steep = 2.0 * math.log(1.0 / EDGE - 1.0) / self.days
        middle = self.from_day + 0.5 * self.days
        way = 0.5 * (1.0 + math.tanh(0.5 * steep * (day - middle)))
        return {"dopamine_loss": self.first + (self.last - self.first) * way}
