"""What one check found: how it stands, in words and figures, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    """It works, but worse than it could, or for less than one may want."""
    FAIL = "fail"
    """Something will not work until it is mended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check."""

    check: str
    """Name of the check, as ``bmi doctor NAME`` takes it."""
    state: State
    found: str
    """What is the case, one sentence."""
    fix: str = ""
    """What to do, in words and commands; empty if nothing is to be done."""
    figures: dict[str, Any] = field(default_factory=dict)
    """The same in numbers, units in the names; JSON-serialisable."""
