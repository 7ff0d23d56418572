"""What a sweep will do: every run of it has its place and its recipe before one has begun.

A sweep is the cross product of the values that ``--grid`` gives to keys of a recipe, and of seeds. The first key
turns slowest, seeds turn fastest. A plan is known by a hash of all its results rest on; a sweep is continued only
under an equal one.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from bmi import registry
from bmi.errors import Problem, RecipeError
from bmi.provenance import cpu, versions
from bmi.recipe import parse_value
from bmi.sweep.keys import lay_over

MOST_RUNS = 100_000
"""A longer sweep is taken for a slip of the keyboard."""
NOTICE = "simulated; research use only; not a medical device"


class Axis(NamedTuple):
    """One key of the recipe and the values it takes."""

    key: str
    values: list[Any]


class Point(NamedTuple):
    """One choice of a value for every key."""

    values: dict[str, Any]
    raw: dict[str, Any]
    """The recipe at this point, its seed aside."""
    places: dict[str, list[str | int]]
    """Where each key stands in the recipe."""
    notes: list[str]
    """What the choice leaves out of the recipe, in words."""
    problems: list[Problem]
    """Keys that have no place in the recipe."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every run of a sweep, numbered from 0."""

    recipe: str
    """Name of the recipe's file."""
    raw: dict[str, Any]
    """The recipe with its overrides, before the grid."""
    axes: tuple[Axis, ...]
    seeds: tuple[int, ...]
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each file the recipe names."""
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    """Floating point is bit-exact on equal ones."""

    def __len__(self) -> int:
        return len(self.points) * len(self.seeds)

    @cached_property
    def points(self) -> list[Point]:
        """Every point of the grid, in order; one without values where there is no grid."""
        points = []
        for choice in itertools.product(*[axis.values for axis in self.axes]):
            values = dict(zip([axis.key for axis in self.axes], choice, strict=True))
            raw = copy.deepcopy(self.raw)
            points.append(Point(values, raw, *lay_over(raw, values)))
        return points

    @property
    def notes(self) -> list[str]:
        """What the points leave out of the recipe, each told once."""
        return list(dict.fromkeys(note for point in self.points for note in point.notes))

    def run(self, index: int) -> tuple[Point, int]:
        """Return the point and the seed of a run."""
        point, seed = divmod(index, len(self.seeds))
        return self.points[point], self.seeds[seed]

    def recipe_of(self, index: int) -> dict[str, Any]:
        """Return the recipe of a run, its seed included."""
        point, seed = self.run(index)
        session = point.raw.get("session")
        return {**point.raw, "session": {**(session if isinstance(session, Mapping) else {}), "seed": seed}}

    @cached_property
    def rests_on(self) -> dict[str, Any]:
        """What an equal table needs to be equal."""
        return {
            "raw": self.raw,
            "grid": [axis._asdict() for axis in self.axes],
            "seeds": list(self.seeds),
            "files": self.files,
            "versions": self.versions,
            "machine": self.machine,
        }

    @cached_property
    def sha256(self) -> str:
        """Name of the plan."""
        return hashlib.sha256(json.dumps(self.rests_on, sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as it is written beside its runs."""
        told = {"sha256": self.sha256, "notice": NOTICE, "recipe": self.recipe, "n_runs": len(self)}
        return told | {"notes": self.notes} | self.rests_on

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Plan:
        """Return a plan that was written. Raises KeyError or TypeError if it is none."""
        return cls(
            recipe=told["recipe"], raw=told["raw"], axes=tuple(Axis(**axis) for axis in told["grid"]),
            seeds=tuple(told["seeds"]), files=told["files"], versions=told["versions"], machine=told["machine"],
        )  # fmt: skip


def make_plan(raw: Any, grid: Sequence[str], seeds: str | None, where: str) -> Plan:
    """Plan a sweep from the words of the command line; nothing is built yet.

    Parameters
    ----------
    raw : mapping
        The recipe as read, overrides applied.
    grid : sequence of str
        ``KEY=V1,V2``, each value read as YAML; commas inside brackets, braces and quotes do not part values.
    seeds : str, optional
        ``0:100``, ``0:100:5`` (as a Python slice) or ``1,4,7``; by default the recipe's own.
    where : str
        Path of the recipe, for messages.

    Raises
    ------
    RecipeError
        With every slip in the grid and the seeds at once.
    """
    problems: list[Problem] = []
    if not isinstance(raw, dict):
        raise RecipeError(where, [Problem("(top)", f"expected a mapping of nodes, given {type(raw).__name__}")])
    axes = _axes(grid, problems)
    chosen = _seeds(seeds, problems) if seeds is not None else _own_seed(raw)
    n = len(chosen)
    for axis in axes:
        n *= len(axis.values)
    if n > MOST_RUNS:
        problems.append(Problem("--grid, --seeds", f"are {n:,} runs; expected at most {MOST_RUNS:,}"))
    if problems:
        raise RecipeError(where, problems)
    try:
        plain = json.loads(json.dumps(raw))  # as the workers will read it
    except TypeError as e:
        raise RecipeError(where, [Problem("(file)", f"holds what JSON cannot say: {e}")]) from e
    plan = Plan(recipe=Path(where).name, raw=plain, axes=tuple(axes), seeds=tuple(chosen), versions=_versions(),
                machine={"cpu_features_sha256": cpu()["cpu_features_sha256"]})  # fmt: skip
    plan.files.update(_files([point.raw for point in plan.points]))
    return plan


def _axes(grid: Sequence[str], problems: list[Problem]) -> list[Axis]:
    axes: list[Axis] = []
    for pair in grid:
        key, sep, text = pair.partition("=")
        key = key.strip()
        if not sep or not all(key.split(".")):
            problems.append(Problem(f"--grid {pair}", "expected KEY=VALUE,VALUE, e.g. stages.bin.bin_s=0.01,0.02"))
            continue
        try:
            parsed = parse_value(f"[{text}]")  # YAML itself knows which commas part values
            values = json.loads(json.dumps([_number(v) for v in parsed]))
        except (RecipeError, TypeError):
            values = None
        if not isinstance(values, list) or not values:
            problems.append(Problem(f"--grid {key}", f"expected YAML values with commas between, given {text!r}"))
            continue
        told = [json.dumps(v) for v in values]
        for twice in sorted({t for t in told if told.count(t) > 1}):
            problems.append(Problem(f"--grid {key}", f"{twice} is given twice"))
        if key in [axis.key for axis in axes]:
            problems.append(Problem(f"--grid {key}", "is given twice; put its values into one, commas between"))
        if key in ("session", "session.seed"):
            problems.append(Problem(f"--grid {key}", "seeds are given with --seeds, e.g. --seeds 0:100"))
        axes.append(Axis(key, values))
    return axes


def _number(value: Any) -> Any:
    """Return 1e-3 as the number it is to everyone but YAML 1.1, which wants 1.0e-3."""
    return float(value) if isinstance(value, str) and re.fullmatch(r"[-+]?\d+e[-+]?\d+", value, re.I) else value


def _seeds(text: str, problems: list[Problem]) -> list[int]:
    seeds: list[int] = []
    for part in text.split(","):
        try:
            numbers = [int(n) for n in part.split(":")]
            one = range(numbers[0], numbers[0] + 1) if len(numbers) == 1 else range(*numbers)
            n = len(one)
        except (ValueError, TypeError, OverflowError):
            n, one = 0, range(0)
        if not n or min(one[0], one[-1]) < 0:
            problems.append(
                Problem("--seeds", f"expected FIRST:END, FIRST:END:STEP or numbers from 0, given {part!r} (e.g. 0:100)")
            )
        elif len(seeds) + n > MOST_RUNS:
            problems.append(Problem("--seeds", f"expected at most {MOST_RUNS:,} seeds, given {part!r}"))
        else:
            seeds += one
    if len(set(seeds)) < len(seeds):
        problems.append(Problem("--seeds", f"a seed is given twice in {text!r}"))
    return seeds


def _own_seed(raw: Mapping[str, Any]) -> list[int]:
    session = raw.get("session")
    seed = session.get("seed", 0) if isinstance(session, Mapping) else 0
    return [seed]


def _versions() -> dict[str, str]:
    """Versions of what computes, and of every distribution that brings parts."""
    brought = {registry.origin(kind, name)[1] for kind in registry.KINDS for name in registry.names(kind)}
    return versions() | {name: version(name) for name in sorted(brought - {"?"})}


def _files(value: Any) -> dict[str, str]:
    """Hash every file whose path stands in ``value``: saved parameters, for one."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        return {k: v for inner in value for k, v in _files(inner).items()}
    if not isinstance(value, str) or not os.path.isfile(value):  # Path.is_file raises for long names
        return {}
    with Path(value).open("rb") as f:
        return {value: hashlib.file_digest(f, "sha256").hexdigest()}
