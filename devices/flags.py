"""The word of flags that travels with a command: which limits acted, and whether it selects."""

from __future__ import annotations

from bmi.signals import Command

SELECT = 1 << 16
"""Set in the one command that carries a selection (a click). Bits below are ``bmi.signals.GateFlag``."""


def flags_word(command: Command) -> int:
    """Return the flags of a command as they travel."""
    return command.flags | SELECT if command.select else command.flags
