"""The doctor: looks at what a session needs of this machine, and says what to do where something is missing.

Each check is a function that returns one `Finding`; `examine` runs them in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from bmi.doctor.finding import Finding, State
from bmi.errors import ContractError
from bmi.registry import nearest

__all__ = ["CHECKS", "Finding", "State", "examine"]

_PLACES = {
    "versions": "software", "kernels": "kernels", "repeatable": "software", "discovery": "discovery",
    "multicast": "multicast", "ports": "ports", "clock": "timing", "jitter": "timing", "fifo": "rights",
    "processors": "rights", "governor": "timing", "disk": "storage", "memory": "storage", "sessions": "sessions",
}  # fmt: skip
"""Check → file of this package; the function is called like the check."""
_OF_FOLDER = ("repeatable", "disk")
CHECKS = tuple(_PLACES)
"""In the order they are made and told."""


def examine(
    folder: Path, only: Sequence[str] = (), progress: Callable[[str], object] = lambda name: None
) -> list[Finding]:
    """Make the checks and return what they found, in the order of `CHECKS`.

    Parameters
    ----------
    folder : Path
        Where recordings are to go.
    only : sequence of str
        Names of the checks to make; all if empty.
    progress : callable
        Told the name of each check before it is made.

    Raises
    ------
    ContractError
        If there is no such check.
    """
    if unknown := [name for name in only if name not in CHECKS]:
        hint = nearest(unknown[0], list(CHECKS))
        raise ContractError(f"no check is called {unknown[0]!r}{hint} (there are: {', '.join(CHECKS)})")
    found = []
    for name in CHECKS:
        if not only or name in only:
            progress(name)
            check = getattr(import_module(f"bmi.doctor.{_PLACES[name]}"), name)
            found.append(check(folder) if name in _OF_FOLDER else check())
    return found
