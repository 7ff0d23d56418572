"""Where a key of the grid stands in a recipe, and what follows from putting another value there.

Items of a list are named by their place or, where only one can be meant, by their ``use`` or ``name``:
``stages.bin.bin_s``, ``blocks.calibrate.seconds``.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from bmi import registry
from bmi.errors import PluginError, Problem

_KINDS = {"task": "tasks", "world": "worlds", "decoder": "decoders", "device": "devices", "sources": "sources",
          "stages": "stages", "decoder.learner": "learners", "click": "clicks", "intention": "intentions"}  # fmt: skip
_BESIDE = {"decoders": {"use", "learner", "params"}}
"""Keys of a node that are the recipe's and not its class's."""

Place = list[str | int]


class NoSuchPlace(ValueError):
    """A key leads nowhere; the message says how far it led."""


def lay_over(raw: dict[str, Any], values: Mapping[str, Any]) -> tuple[dict[str, Place], list[str], list[Problem]]:
    """Put ``values`` in their places in ``raw``, whole nodes before what is inside them.

    A bare ``….use`` names another class for the same node. What the new class does not know is left out of the
    node, and said: unlike in a recipe, nobody wrote these keys for that class.

    Returns
    -------
    places : dict
        Where each key stood.
    notes : list of str
        What was left out.
    problems : list of Problem
        Keys without a place; the others are put all the same.
    """
    places: dict[str, Place] = {}
    notes: list[str] = []
    problems: list[Problem] = []
    for _, keys in groupby(sorted(values, key=_depth), key=_depth):
        here: dict[str, Place] = {}
        for key in keys:
            try:
                place = place_of(raw, key)
            except NoSuchPlace as e:
                problems.append(Problem(f"--grid {key}", str(e) + hint(raw, key)))
                continue
            if elsewhere := _meant(raw, key, place):
                notes.append(f"{key}: taken for {elsewhere}, the one place that knows {place[-1]}")
                place = place_of(raw, elsewhere)
            problems += [Problem(f"--grid {key}", f"is the same place as {k}") for k, p in here.items() if p == place]
            here[key] = place
        places |= here
        for key, place in sorted(here.items(), key=lambda p: p[1][-1] != "use"):  # a class first, then its arguments
            value = copy.deepcopy(values[key])
            if place[-1] == "use":
                notes += _leave_out(raw, key, place, value)
            node = _reach(raw, place[:-1])
            node[place[-1]] = value
    return places, notes, problems


def _depth(key: str) -> int:
    return len(_steps(key))


def _steps(key: str) -> list[str]:
    return key.replace("[", ".").replace("]", "").split(".")


def place_of(raw: Any, key: str) -> Place:
    """Return the way to a key, names in lists resolved. Raises NoSuchPlace."""
    node, place = raw, Place()
    for step in _steps(key):
        at = ".".join(map(str, place))
        if isinstance(node, list):
            i = _item(node, step, at)
            place.append(i)
            node = node[i]
        elif node is None or isinstance(node, Mapping):
            place.append(step)
            node = None if node is None else node.get(step)
        else:
            raise NoSuchPlace(f"{at} is {node!r}, and nothing is inside it")
    return place


def _item(items: list[Any], step: str, at: str) -> int:
    names = [(item.get("use"), item.get("name")) if isinstance(item, Mapping) else () for item in items]
    there = ", ".join(sorted({n for item in names for n in item if isinstance(n, str)})) or "none has a name"
    if step.isdecimal():
        if int(step) < len(items):
            return int(step)
        raise NoSuchPlace(f"{at} has {len(items)} items, numbered from 0 ({there})")
    found = [i for i, item in enumerate(names) if step in item]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NoSuchPlace(f"nothing in {at} is called {step!r} ({there})")
    raise NoSuchPlace(f"{len(found)} items are called {step!r}; say which: {', '.join(f'{at}.{i}' for i in found)}")


def _reach(raw: Any, place: Place) -> Any:
    """Return the node at ``place``; nodes the recipe left to their defaults come into being."""
    node = raw
    for step in place:
        if isinstance(node, dict) and node.get(step) is None:
            node[step] = {}
        node = node[step]
    return node


def _kind(place: Place) -> str | None:
    """Return the kind of part that the node at ``place`` describes."""
    words = [step for step in place if isinstance(step, str)]
    if words and words[0] in ("stages", "sources"):
        return _KINDS[words[0]] if isinstance(place[-1], int) else None
    return _KINDS.get(".".join(words))


def _known(kind: str | None, use: Any) -> set[str] | None:
    """Return the keys a node of this class may have, None if that cannot be told."""
    if kind is None or not isinstance(use, str):
        return None
    try:
        return set(inspect.signature(registry.load(kind, use)).parameters) | _BESIDE.get(kind, {"use"})
    except PluginError:  # the build says so
        return None


def _leave_out(raw: Any, key: str, place: Place, use: Any) -> list[str]:
    """Take from a node what the class to come does not know."""
    node = _reach(raw, place[:-1])
    known = _known(_kind(place[:-1]), use)
    if known is None or node.get("use") == use:
        return []
    out = {k: node.pop(k) for k in list(node) if k not in known}
    kept = ", ".join(k for k in node if k != "use") or "nothing"
    if not out:
        return [f"{key}={use}: keeps {kept}"]
    left = ", ".join(f"{k}={v}" for k, v in out.items())
    return [f"{key}={use}: keeps {kept}; leaves out {left}, which {use} does not know"]


def _meant(raw: Any, key: str, place: Place) -> str:
    """Return the one stage that knows a key which the class of its node does not; else ""."""
    try:
        use = _reach(copy.deepcopy(raw), place[:-1])
        known = _known(_kind(place[:-1]), use.get("use") if isinstance(use, Mapping) else None)
    except (KeyError, IndexError, TypeError):
        return ""
    found = _knowing(raw, str(place[-1]))
    meant = known is not None and place[-1] not in known and len(found) == 1 and found[0].startswith("stages.")
    return f"{found[0]}.{place[-1]}" if meant else ""


def _knowing(raw: Any, last: str) -> list[str]:
    return [path for path, keys in _nodes(raw, "", []) if last in keys]


def hint(raw: Any, key: str) -> str:
    """Return where else in the recipe the last word of ``key`` is known, as ``"; … stands at …"``."""
    last = _steps(key)[-1]
    found = _knowing(raw, last)
    return f"; {last!r} is known at {', '.join(f'{p}.{last}' for p in found)}" if found else ""


def _nodes(node: Any, path: str, place: Place) -> Iterator[tuple[str, set[str]]]:
    """Yield every node with the keys that it has or could have."""
    dot = f"{path}." if path else ""
    if isinstance(node, list):
        uses = [item.get("use", item.get("name")) if isinstance(item, Mapping) else None for item in node]
        for i, item in enumerate(node):
            name = uses[i] if isinstance(uses[i], str) and uses.count(uses[i]) == 1 else i
            yield from _nodes(item, f"{dot}{name}", [*place, i])
    elif isinstance(node, Mapping):
        if path:
            yield path, set(node) | (_known(_kind(place), node.get("use")) or set())
        for step, inner in node.items():
            yield from _nodes(inner, f"{dot}{step}", [*place, str(step)])
