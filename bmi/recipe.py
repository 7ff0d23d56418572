"""YAML → checked parts. The constructor is the schema; every problem is reported at once, with its path.

A node is ``use: <name>`` plus the keyword arguments of the class registered under that name. Unknown keys are
refused with the nearest name, so that a typo never becomes a silent default.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import yaml
from annotated_types import Ge, Gt
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from bmi import params, registry
from bmi.assist import GoalDirected
from bmi.blocks import Block
from bmi.errors import BMIError, ContractError, PluginError, Problem, RecipeError
from bmi.gate import Gate


@dataclass(kw_only=True)
class SessionNode:
    """Who and what this session is."""

    name: str
    """Name of the session; recordings are filed under it."""
    seed: Annotated[int, Ge(0)] = 0
    """Seed of everything random."""
    permute_channels: bool = False
    """Negative control: the decoder learns with its channels permuted and must fail."""


@dataclass(kw_only=True)
class RecordNode:
    """Where recordings go."""

    dir: str = "recordings"
    """Folder; one sub-folder a session."""
    ring_s: Annotated[float, Gt(0)] = 4.0
    """How long the recorder may be away before samples are lost (and counted), s."""


@dataclass(kw_only=True)
class LaneNode:
    """How the live thread runs."""

    cpu: int | None = None
    """Processor to pin the live process to; None pins to the last one allowed, -1 does not pin."""
    fifo: bool = True
    """Ask for SCHED_FIFO where permitted."""
    poll_s: Annotated[float, Gt(0), typing.Any] = 0.005
    """How long a read may wait before STOP and the watchdogs are looked at, s; at most 0.005."""

    def __post_init__(self) -> None:
        if self.poll_s > 0.005:
            raise ValueError(f"poll_s is at most 0.005 s (STOP must act within 50 ms), given {self.poll_s}")


@dataclass
class Recipe:
    """A checked recipe: constructed parts, nothing opened, nothing bound."""

    where: str
    raw: dict[str, Any]
    session: SessionNode
    sources: list[Any]
    stages: dict[str, list[Any]]
    decoder: Any
    learner: Any | None
    task: Any
    blocks: list[Block]
    assist: GoalDirected
    gate: Gate
    device: Any
    world: Any | None
    record: RecordNode
    lane: LaneNode
    names: dict[str, str] = field(default_factory=dict)
    """``use`` of each node, for the manifest."""

    def to_json(self) -> str:
        """Return the raw recipe as JSON, for the other processes of the session."""
        return json.dumps(self.raw)


def _hints(cls: Any) -> dict[str, Any]:
    """Return the annotations of a constructor's arguments."""
    return typing.get_type_hints(cls if dataclasses.is_dataclass(cls) else cls.__init__, include_extras=True)


@cache
def _schema(cls: type) -> type[BaseModel]:
    """Return a pydantic model of a constructor's keyword arguments; nested dataclasses likewise."""
    hints = _hints(cls)
    fields: dict[str, Any] = {}
    for name, p in inspect.signature(cls).parameters.items():
        hint: Any = hints.get(name, Any)
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            hint = _schema(hint)
        if p.default is inspect.Parameter.empty:
            default: Any = ...
        elif isinstance(p.default, typing.Hashable) or p.default is None:
            default = p.default
        else:
            default = None
        fields[name] = (hint, default)
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, str_strip_whitespace=True)
    return create_model(cls.__name__, __config__=config, **fields)


def _say(error: Any, known: list[str]) -> str:
    """Turn one pydantic error into: what was expected, what was given, what to do."""
    key = str(error["loc"][-1]) if error["loc"] else ""
    given = error.get("input")
    match error["type"]:
        case "extra_forbidden":
            hint = registry.nearest(key, known)
            return f"unknown key {key!r}{hint} (known: {', '.join(known)})"
        case "missing" if error["loc"] and isinstance(error["loc"][-1], int):
            return f"one more value is required, given {given!r}"
        case "missing":
            return f"{key!r} is required"
        case _:
            what = re.sub(r"^\w+ should (be|have) ", "", error["msg"])
            return f"expected {what}, given {given!r} ({type(given).__name__})"


class _Builder:
    """Constructs nodes and collects problems instead of stopping at the first."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.problems: list[Problem] = []
        self.names: dict[str, str] = {}

    def add(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))

    def node(self, kind: str, raw: Any, path: str) -> Any | None:
        """Construct a registered part from its node."""
        if not isinstance(raw, Mapping):
            self.add(path, f"expected a mapping with 'use: <name>', given {raw!r} ({type(raw).__name__})")
            return None
        use = raw.get("use")
        if not isinstance(use, str):
            known = ", ".join(registry.names(kind))
            self.add(f"{path}.use", f"expected the name of a {kind[:-1]} ({known}), given {use!r}")
            return None
        try:
            cls = registry.load(kind, use)
        except PluginError as e:
            self.add(f"{path}.use", str(e))
            return None
        self.names[path] = use
        return self.part(cls, {k: v for k, v in raw.items() if k != "use"}, path)

    def part(self, cls: Any, raw: Any, path: str) -> Any | None:
        """Construct ``cls`` from keyword arguments, checked against its signature."""
        if raw is None:
            raw = {}
        if not isinstance(raw, Mapping):
            self.add(path, f"expected a mapping, given {raw!r} ({type(raw).__name__})")
            return None
        schema = _schema(cls)
        try:
            checked = schema.model_validate(dict(raw))
        except ValidationError as e:
            for error in e.errors():
                known = _known_keys(schema, error["loc"][:-1])
                self.add(".".join([path, *map(str, error["loc"])]), _say(error, known))
            return None
        try:
            return _construct(cls, checked)
        except (BMIError, ValueError, TypeError) as e:
            self.add(path, str(e))
            return None

    def restore(self, decoder: Any, use: str, saved: Any) -> None:
        """Give a decoder the parameters of an earlier day."""
        if not isinstance(saved, str):
            self.add("decoder.params", f"expected the path of a parameter file, given {saved!r}")
            return
        try:
            loaded = params.load(saved)
            n_features = loaded.manifest.get("n_features")
            if loaded.decoder != use or not isinstance(n_features, int):
                raise ContractError(f"{saved}: holds parameters of {loaded.decoder!r}, this decoder is {use!r}")
            decoder.params_ = params.restore(decoder.params_like(n_features), loaded)
        except BMIError as e:
            self.add("decoder.params", str(e))

    def many(self, kind: str, raw: Any, path: str) -> list[Any]:
        if not isinstance(raw, list):
            self.add(path, f"expected a list of nodes, given {raw!r} ({type(raw).__name__})")
            return []
        return [p for i, node in enumerate(raw) if (p := self.node(kind, node, f"{path}[{i}]")) is not None]


def _known_keys(schema: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    for key in loc:
        field_ = schema.model_fields.get(str(key))
        inner = field_.annotation if field_ else None
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            schema = inner
    return list(schema.model_fields)


def _construct(cls: Any, checked: BaseModel) -> Any:
    """Build ``cls`` from what was given (defaults stay the constructor's own)."""
    hints = _hints(cls)
    given = {}
    for name in checked.model_fields_set:
        value = getattr(checked, name)
        given[name] = _construct(hints[name], value) if isinstance(value, BaseModel) else value
    return cls(**given)


TOP = ("session", "task", "world", "sources", "stages", "decoder", "blocks", "assist", "gate", "device",
       "record", "lane", "prior")  # fmt: skip


def build(raw: Any, where: str = "recipe") -> Recipe:
    """Check and construct a recipe.

    Parameters
    ----------
    raw : mapping
        As read from YAML.
    where : str
        Name to put before messages.

    Raises
    ------
    RecipeError
        With every problem in the recipe, each with its path.
    """
    b = _Builder(where)
    if not isinstance(raw, Mapping):
        raise RecipeError(where, [Problem("(top)", f"expected a mapping of nodes, given {type(raw).__name__}")])
    for key in raw:
        if key not in TOP:
            near = registry.nearest(str(key), list(TOP))
            b.add(str(key), f"unknown key {key!r}{near} (known: {', '.join(TOP)})")
    for key in ("session", "sources", "decoder", "device"):
        if key not in raw:
            b.add(key, f"'{key}' is required")
    sources = b.many("sources", raw["sources"], "sources") if "sources" in raw else []
    if raw.get("sources") == []:
        b.add("sources", "expected at least one source, given none (e.g. {use: lsl, name: m1})")
    sources.sort(key=lambda s: not getattr(s, "primary", False))
    decoder_raw = raw.get("decoder")
    learner = None
    learns = isinstance(decoder_raw, Mapping) and "learner" in decoder_raw
    if isinstance(decoder_raw, Mapping) and learns:
        learner = b.node("learners", decoder_raw["learner"], "decoder.learner")
        decoder_raw = {k: v for k, v in decoder_raw.items() if k != "learner"}
    saved = decoder_raw.get("params") if isinstance(decoder_raw, Mapping) else None
    if isinstance(decoder_raw, Mapping):
        decoder_raw = {k: v for k, v in decoder_raw.items() if k != "params"}
    decoder = b.node("decoders", decoder_raw, "decoder") if "decoder" in raw else None
    if decoder is not None and saved is not None:
        b.restore(decoder, b.names["decoder"], saved)
    blocks_raw = raw.get("blocks", [{"name": "run"}])
    if not isinstance(blocks_raw, list) or not blocks_raw:
        b.add("blocks", f"expected a list of blocks, given {blocks_raw!r}")
        blocks_raw = []
    blocks = [b.part(Block, r, f"blocks[{i}]") for i, r in enumerate(blocks_raw)]
    if any(bl and bl.learn for bl in blocks) and not learns and decoder is not None:
        b.add("blocks", "a block has 'learn: true' but decoder.learner is not given (e.g. {use: smoothbatch})")
    parts: dict[str, Any] = {
        "session": b.part(SessionNode, raw.get("session", {"name": "?"}), "session"),
        "stages": _stages(b, raw.get("stages", []), sources),
        "task": b.node("tasks", raw.get("task", {"use": "centre-out"}), "task"),
        "assist": b.part(GoalDirected, raw.get("assist"), "assist"),
        "gate": b.part(Gate, raw.get("gate"), "gate"),
        "device": b.node("devices", raw["device"], "device") if "device" in raw else None,
        "world": b.node("worlds", raw["world"], "world") if raw.get("world") is not None else None,
        "record": b.part(RecordNode, raw.get("record"), "record"),
        "lane": b.part(LaneNode, raw.get("lane"), "lane"),
    }
    if "prior" in raw:
        b.add("prior", "no prior is registered yet; remove this node")
    if b.problems:
        raise RecipeError(where, b.problems)
    return Recipe(where=where, raw=dict(raw), sources=sources, decoder=decoder, learner=learner,
                  blocks=typing.cast(list[Block], blocks), names=b.names, **parts)  # fmt: skip


def make(kind: str, use: str, settings: Mapping[str, Any], where: str) -> Any:
    """Construct one registered part from keyword arguments, checked like a node of a recipe.

    Raises
    ------
    RecipeError
        With every problem of the arguments at once.
    """
    b = _Builder(where)
    part = b.node(kind, {"use": use, **settings}, kind[:-1])
    if b.problems:
        raise RecipeError(where, b.problems)
    return part


def _stages(b: _Builder, raw: Any, sources: list[Any]) -> dict[str, list[Any]]:
    """A list belongs to the primary stream; a mapping names the stream of each list."""
    primary = sources[0].label if sources else ""
    if isinstance(raw, list):
        return {primary: b.many("stages", raw, "stages")}
    if not isinstance(raw, Mapping):
        b.add("stages", f"expected a list, or a mapping from stream name to list, given {raw!r}")
        return {}
    labels = [s.label for s in sources]
    for name in raw:
        if name not in labels:
            near = registry.nearest(str(name), labels)
            b.add(f"stages.{name}", f"no source is called {name!r}{near} (sources: {', '.join(labels)})")
    return {str(n): b.many("stages", nodes, f"stages.{n}") for n, nodes in raw.items()}


def shipped(name: str) -> Path | None:
    """Return the path of a recipe that ships with the framework, or None."""
    stem = Path(name).name.removesuffix(".yaml") + ".yaml"
    inside = files("bmi")
    for folder in (Path(str(inside)) / "configs", Path(str(inside)).parent / "configs"):
        if (folder / stem).is_file():
            return folder / stem
    return None


def read(path: str | Path, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Read a recipe file (or a shipped one by its name) and apply ``dotted.key → value`` overrides."""
    p = Path(path)
    if not p.is_file():
        found = shipped(str(path))
        if found is None:
            folder = p.parent if p.parent.is_dir() else Path()
            near = sorted(q.name for q in folder.glob("*.yaml"))
            raise RecipeError(
                str(path), [Problem("(file)", f"no such recipe; in {folder}/ there are {near or 'none'}")]
            )
        p = found
    try:
        text = p.read_text(encoding="utf-8")
        # `to_json` writes surrogate pairs, which YAML would not join again
        raw = json.loads(text) if p.suffix == ".json" else yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, OSError) as e:
        raise RecipeError(str(path), [Problem("(file)", f"is not readable YAML: {e}")]) from e
    for key, value in (overrides or {}).items():
        _override(raw, key, value, str(path))
    return typing.cast(dict[str, Any], raw)


def _override(raw: Any, key: str, value: Any, where: str) -> None:
    *parents, last = key.replace("[", ".").replace("]", "").split(".")
    node = raw
    try:
        for step in parents:
            node = node[int(step)] if isinstance(node, list) else node.setdefault(step, {})
        node[int(last) if isinstance(node, list) else last] = value
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as e:
        raise RecipeError(where, [Problem(key, f"cannot be set: no such place in the recipe ({e})")]) from e


def parse_value(text: str) -> Any:
    """Read the right side of ``key=value`` as YAML, so that numbers, lists and booleans keep their type."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as e:
        raise RecipeError("--set", [Problem(text, f"is not readable YAML: {e}")]) from e


def load(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Read, check and construct a recipe. Raises RecipeError with every problem at once."""
    return build(read(path, overrides), where=str(path))
