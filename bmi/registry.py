"""(kind, name) → class, from entry points: the one door for our own batteries and for strangers."""

from __future__ import annotations

import difflib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from bmi.errors import PluginError

KINDS = (
    "sources", "stages", "decoders", "clicks", "learners", "intentions", "tasks", "controllers", "devices", "worlds",
    "formats", "components", "commands",
)  # fmt: skip
"""Entry-point groups are these names behind ``bmi.``."""


@cache
def _group(kind: str) -> dict[str, EntryPoint]:
    if kind not in KINDS:
        raise PluginError(f"no such kind of plug-in: {kind!r}; there are {', '.join(KINDS)}")
    return {e.name: e for e in sorted(entry_points(group=f"bmi.{kind}"), key=lambda e: e.name)}


def names(kind: str) -> list[str]:
    """Return the names registered for ``kind``, sorted, without importing anything."""
    return list(_group(kind))


def origin(kind: str, name: str) -> tuple[str, str]:
    """Return (object reference, distribution) of a plug-in, without importing it."""
    point = _group(kind)[name]
    return point.value, point.dist.name if point.dist else "?"


def nearest(word: str, known: list[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known word, or an empty string."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def load(kind: str, name: str) -> Any:
    """Import and return what is registered as ``name``.

    Raises
    ------
    PluginError
        If there is no such name (the nearest is offered), or its import fails (the cause is named).
    """
    group = _group(kind)
    if name not in group:
        known = ", ".join(group) or "nothing (is multiscale-bmi installed? try: pip install -e .)"
        raise PluginError(f"no {kind[:-1]} is called {name!r}{nearest(name, list(group))} (registered: {known})")
    try:
        return group[name].load()
    except (ImportError, AttributeError) as e:
        value, dist = origin(kind, name)
        raise PluginError(f"{kind[:-1]} {name!r} ({value}, from {dist}) does not import: {e}") from e
