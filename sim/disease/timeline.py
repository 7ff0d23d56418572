"""Patient days: what illness, drugs and an ageing implant make of the slow parameters, day by day.

The patient has a fast clock, on which it computes, and a slow one, which counts days since implantation and may run as
fast as one likes. A schedule says what it alone would make of some parameters on a day; a timeline puts schedules
together. It has no state: theta is a function of the day, so a timeline can be entered anywhere, twice, and backwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bmi.errors import ContractError
from bmi.signals import F64
from sim.patient.theta import THETA, Combine, baseline, checked, shape, slow


class Schedule(Protocol):
    """What one cause does to the patient over days."""

    def at(self, day: float) -> Mapping[str, npt.ArrayLike]:
        """Return the parameters this cause moves, each as it would be on ``day`` if there were no other cause.

        A pure function of the day, which may have a fraction and counts from implantation.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Steady:
    """A cause that is there from the first day to the last, or sets in at once."""

    values: Mapping[str, float]
    """Parameter and value."""
    from_day: float = -math.inf
    """Baseline before it."""

    def at(self, day: float) -> Mapping[str, npt.ArrayLike]:
        """Return the values, from ``from_day``."""
        return self.values if day >= self.from_day else {}


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Schedules put together: theta of any day.

    Scales multiply, distances from the baseline add up within the sound range, shares are taken of what is left; each
    parameter declares which (``sim.patient.theta``). What no schedule names is at its baseline, to the last bit.
    """

    schedules: tuple[Schedule, ...] = ()
    """Causes, in any order."""
    n_regions: int
    """Regions of the patient's brain."""

    def __post_init__(self) -> None:
        if self.n_regions < 1:
            raise ContractError(f"Timeline.n_regions: expected at least 1, given {self.n_regions}")
        for k, schedule in enumerate(self.schedules):
            if not callable(getattr(schedule, "at", None)):
                raise ContractError(
                    f"Timeline.schedules[{k}]: expected an object with at(day) -> mapping, given {schedule!r}"
                )
        self.at(0.0)

    def at(self, day: float) -> dict[str, F64]:
        """Return every slow parameter on ``day``: arrays of shape () or (n_regions,), new ones.

        Raises
        ------
        ContractError
            If the day is not a finite number, or a schedule names a parameter that does not exist, gives it another
            shape, or together with others takes it out of its sound range.
        """
        if not math.isfinite(day):
            raise ContractError(f"Timeline.at: expected a day, a finite number, given {day!r}")
        named: dict[str, list[F64]] = {}
        for schedule in self.schedules:
            for name, value in schedule.at(day).items():
                named.setdefault(name, []).append(self._shaped(schedule, name, value))
        theta = baseline(self.n_regions)
        for name, values in named.items():
            theta[name] = checked(name, combined(name, values), self.n_regions)
        return theta

    def _shaped(self, schedule: Schedule, name: str, value: npt.ArrayLike) -> F64:
        array: F64 = np.array(value, np.float64)
        slow(name)
        expected = shape(name, self.n_regions)
        if array.shape == () and expected:
            return np.full(expected, float(array))
        if array.shape != expected:
            raise ContractError(
                f"{type(schedule).__name__}.at: gives {name} the shape {array.shape}, expected {expected}; "
                "make the schedule for this patient's regions"
            )
        return array

    def table(self, days: Iterable[float]) -> dict[str, F64]:
        """Return every slow parameter over ``days``: arrays (n_days,) or (n_days, n_regions)."""
        rows = [self.at(float(day)) for day in days]
        found = {}
        for name in THETA:
            empty = np.empty((0, *shape(name, self.n_regions)))
            found[name] = np.array([row[name] for row in rows]) if rows else empty
        return found


def combined(name: str, values: list[F64]) -> F64:
    """Return what ``values``, each the work of one cause, make of the parameter ``name`` together."""
    p = slow(name)
    total = values[0].copy()
    if p.combine is Combine.PRODUCT:
        for value in values[1:]:
            total *= value
    elif p.combine is Combine.SHARE:
        for value in values[1:]:
            total = 1.0 - (1.0 - total) * (1.0 - value)
    else:
        for value in values[1:]:
            total += value - p.baseline
        np.clip(total, p.low, p.high, out=total)
    return total
