"""The doctor: looks at what a session needs of this machine, and says what to do where something is missing.

Each check is a function that returns one `Finding`; `examine` runs them in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from bmi.doctor.finding import Finding, State
from bmi.errors import ContractError
from bmi.registry import nearest

__all__ = ["CHECKS", "Finding", "State", "examine"]

CHECKS = (
    "versions", "kernels", "repeatable", "discovery", "multicast", "ports", "clock", "jitter", "fifo", "processors",
    "governor", "disk", "memory", "sessions",
)  # fmt: skip
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
    made = _checks(folder)
    found = []
    for name in CHECKS:
        if not only or name in only:
            progress(name)
            found.append(made[name]())
    return found


def _checks(folder: Path) -> dict[str, Callable[[], Finding]]:
    from bmi.doctor import discovery, kernels, multicast, ports, rights, sessions, software, storage, timing

    return {
        "versions": software.versions,
        "kernels": kernels.kernels,
        "repeatable": lambda: software.repeatable(folder),
        "discovery": discovery.discovery,
        "multicast": multicast.multicast,
        "ports": ports.ports,
        "clock": timing.clock,
        "jitter": timing.jitter,
        "fifo": rights.fifo,
        "processors": rights.processors,
        "governor": timing.governor,
        "disk": lambda: storage.disk(folder),
        "memory": storage.memory,
        "sessions": sessions.sessions,
    }
