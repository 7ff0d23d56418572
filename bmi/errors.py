"""What can go wrong, and whose it is to mend.

::

    BMIError
    ├─ RecipeError          the recipe's author      unknown key, wrong type, out of range; every problem with its path
    ├─ PluginError          the installer            not found, does not import, breaks its contract
    ├─ ContractError        the author of the part   shapes, units, rates that do not fit at ``bind``
    │  └─ NotFittedError                             a decoder without parameters was asked to decode
    ├─ RecordingError       the owner of the file    unreadable, truncated, or not what it says it is
    ├─ StreamError          the operator
    │  ├─ StreamNotFound                             nothing matched; the message lists what was there
    │  ├─ StreamLost                                 the stream fell silent for good
    │  └─ StreamChanged                              it came back with another shape, rate or format
    └─ DeviceError          the operator             unreachable, rejected
       └─ SafetyTrip                                 a safety rule fired: rule, measured value, limit

Every message says where, what was expected, what was given, and what to do.
Missed deadlines and dropped samples are not errors: they are counters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class BMIError(Exception):
    """Root of every error this framework raises on purpose."""

    exit_code = 2
    """What the command line returns: 2 is the user's to mend, 3 a fault while running."""


class Problem(NamedTuple):
    """One thing wrong with a recipe: where it stands and what to do."""

    path: str
    message: str


class RecipeError(BMIError):
    """A recipe cannot be built; carries *all* its problems, not the first."""

    def __init__(self, where: str, problems: Sequence[Problem]) -> None:
        self.where = where
        self.problems = tuple(problems)
        lines = [f"{where}: {len(self.problems)} problem{'s' if len(self.problems) != 1 else ''}"]
        lines += [f"  {p.path}: {p.message}" for p in self.problems]
        super().__init__("\n".join(lines))


class PluginError(BMIError):
    """A plug-in is missing, does not import, or breaks its contract."""


class ContractError(BMIError):
    """Two parts do not fit together: shape, unit, rate or type."""


class NotFittedError(ContractError):
    """A decoder has no parameters yet; fit it, load them, or let a learner calibrate it."""


class RecordingError(BMIError):
    """A recording cannot be read or does not hold what was asked of it."""


class StreamError(BMIError):
    """Something is wrong with a stream."""

    exit_code = 3


class StreamNotFound(StreamError):
    """No stream matched within the timeout."""

    exit_code = 2


class StreamLost(StreamError):
    """The stream fell silent and did not return."""


class StreamChanged(StreamError):
    """The stream returned as something else than what was bound."""


class DeviceError(BMIError):
    """A device is unreachable or refused what was asked of it."""

    exit_code = 3


class SafetyTrip(DeviceError):
    """A safety rule fired and latched.

    Parameters
    ----------
    rule : str
        Name of the rule.
    measured, limit : float
        What was measured against what is allowed, in ``unit``.
    unit : str
        Unit of both figures.
    """

    def __init__(self, rule: str, measured: float, limit: float, unit: str) -> None:
        self.rule, self.measured, self.limit, self.unit = rule, measured, limit, unit
        super().__init__(
            f"{rule}: measured {measured:g} {unit}, limit {limit:g} {unit}; "
            "the device is stopped. Remove the cause, then arm again."
        )
