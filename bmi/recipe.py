"""YAML → a session's parts, constructed and checked; every problem is reported at once, with its path.

How one node becomes one part is ``bmi.schema``'s business; here is what a whole recipe is made of.
"""

from __future__ import annotations

import json
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from bmi import registry
from bmi.assist import GoalDirected
from bmi.blocks import Block
from bmi.calibration import Calibration
from bmi.errors import ContractError, Problem, RecipeError
from bmi.gate import Gate
from bmi.guarding import Guards
from bmi.nodes import GuardNode, LaneNode, MarkersNode, RecordNode, SessionNode
from bmi.schema import Builder
from bmi.signals import StreamSpec
from bmi.streams import sent
from bmi.therapy import Therapy, match_site, therapy_of


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
    guard: GuardNode
    click: Any | None = None
    """Click decoder beside the decoder."""
    intention: Any | None = None
    """How a learner's labels are estimated; None: as the learner asks, else as the assist intends."""
    guards: Guards = field(default_factory=Guards)
    """What a learner's updates must pass: ``decoder.learner.guards``."""
    markers: list[MarkersNode] = field(default_factory=list)
    """Marker streams to hear."""
    calibration: Calibration | None = None
    """How ``bmi calibrate`` goes about it."""
    therapy: Therapy | None = None
    """Stimulation beside the line: stages, controller, gate and stimulator."""
    names: dict[str, str] = field(default_factory=dict)
    """``use`` of each node, for the manifest."""

    @property
    def world_streams(self) -> tuple[int, ...]:
        """Which stream of the world each source is, in order of the sources."""
        assert self.world is not None  # noqa: S101 - asked of simulated sessions only
        return tuple(_stream_of(s, sent(self.world)) or 0 for s in self.sources)

    @property
    def world_specs(self) -> tuple[StreamSpec, ...]:
        """What the world's streams are to the pipeline: the world's promises under the sources' labels."""
        assert self.world is not None  # noqa: S101
        specs = sent(self.world)
        return tuple(
            replace(specs[i], name=s.label) for i, s in zip(self.world_streams, self.sources, strict=True)
        )

    @property
    def unheard(self) -> tuple[str, ...]:
        """Streams that are the therapy's alone: its source, unless it is the primary or ``stages`` names it."""
        if self.therapy is None or self.therapy.source in (self.sources[0].label, *self.stages):
            return ()
        return (self.therapy.source,)

    def to_json(self) -> str:
        """Return the raw recipe as JSON, for the other processes of the session."""
        return json.dumps(self.raw)


TOP = ("session", "task", "world", "sources", "stages", "decoder", "blocks", "assist", "gate", "device",
       "record", "lane", "guard", "click", "intention", "markers", "calibration", "therapy", "prior")  # fmt: skip


SIGNALS = ("session", "world", "sources", "record", "lane", "markers")
"""What a recording of signals alone needs of a recipe."""


def signals_of(raw: Any) -> Any:
    """Return the part of a recipe that says what to record; unknown keys stay, to be refused."""
    if not isinstance(raw, Mapping):
        return raw
    return {k: v for k, v in raw.items() if k in SIGNALS or k not in TOP}


def is_signals(raw: Any) -> bool:
    """Return whether a recipe neither decodes nor moves anything."""
    return isinstance(raw, Mapping) and not {"decoder", "device"} & raw.keys()


def build(raw: Any, where: str = "recipe", *, signals: bool = False) -> Recipe:
    """Check and construct a recipe.

    Parameters
    ----------
    raw : mapping
        As read from YAML.
    where : str
        Name to put before messages.
    signals : bool
        Whether it may go without decoder and device: signals alone are recorded.

    Raises
    ------
    RecipeError
        With every problem in the recipe, each with its path.
    """
    b = Builder(where)
    if not isinstance(raw, Mapping):
        raise RecipeError(where, [Problem("(top)", f"expected a mapping of nodes, given {type(raw).__name__}")])
    _top(b, raw, () if signals else ("decoder", "device"))
    sources = b.many("sources", raw["sources"], "sources") if "sources" in raw else []
    if raw.get("sources") == []:
        b.add("sources", "expected at least one source, given none (e.g. {use: lsl, name: m1})")
    sources.sort(key=lambda s: not getattr(s, "primary", False))
    decoder, learner, guards, saved = _decoder(b, raw)
    blocks = _blocks(b, raw.get("blocks", [{"name": "run"}]))
    learns = isinstance(raw.get("decoder"), Mapping) and "learner" in raw["decoder"]
    if any(bl and bl.learn for bl in blocks) and not learns and decoder is not None:
        b.add("blocks", "a block has 'learn: true' but decoder.learner is not given (e.g. {use: smoothbatch})")
    _tell_apart(b, sources)
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
        "guard": b.part(GuardNode, raw.get("guard"), "guard"),
        "click": _click(b, raw.get("click"), saved),
        "intention": b.node("intentions", raw["intention"], "intention") if raw.get("intention") is not None else None,
        "markers": _markers(b, raw.get("markers", [])),
        "calibration": b.part(Calibration, raw["calibration"], "calibration") if raw.get("calibration") else None,
        "therapy": therapy_of(b, raw["therapy"], sources) if raw.get("therapy") is not None else None,
    }
    if parts["world"] is not None and sources:
        _match_world(b, sources, parts["world"])
    if parts["world"] is not None and parts["therapy"] is not None:
        match_site(b, parts["therapy"], parts["world"])
    if "prior" in raw:
        b.add("prior", "no prior is registered yet; remove this node")
    if b.problems:
        raise RecipeError(where, b.problems)
    return Recipe(where=where, raw=dict(raw), sources=sources, decoder=decoder, learner=learner,
                  guards=guards, blocks=typing.cast(list[Block], blocks), names=b.names, **parts)  # fmt: skip


def _top(b: Builder, raw: Mapping[str, Any], required: tuple[str, ...]) -> None:
    """Refuse nodes nobody knows; miss those nobody can do without."""
    for key in raw:
        if key not in TOP:
            near = registry.nearest(str(key), list(TOP))
            b.add(str(key), f"unknown key {key!r}{near} (known: {', '.join(TOP)})")
    for key in ("session", "sources", *required):
        if key not in raw:
            b.add(key, f"'{key}' is required")


def _decoder(b: Builder, raw: Mapping[str, Any]) -> tuple[Any, Any, Guards, Any]:
    """Construct the decoder, its learner and the guards; return them and the path of saved parameters, as given."""
    node = raw.get("decoder")
    if not isinstance(node, Mapping):
        return (b.node("decoders", node, "decoder") if "decoder" in raw else None), None, Guards(), None
    learner, guards = _learner(b, node["learner"]) if "learner" in node else (None, Guards())
    saved = node.get("params")
    decoder = b.node("decoders", {k: v for k, v in node.items() if k not in ("learner", "params")}, "decoder")
    if decoder is not None and saved is not None:
        b.restore(decoder, b.names["decoder"], saved)
    return decoder, learner, guards, saved


def _learner(b: Builder, node: Any) -> tuple[Any, Guards]:
    """Construct a learner and the guards around it, which are there even if nothing is said of them."""
    if not isinstance(node, Mapping):
        return b.node("learners", node, "decoder.learner"), Guards()
    learner = b.node("learners", {k: v for k, v in node.items() if k != "guards"}, "decoder.learner")
    return learner, b.part(Guards, node.get("guards"), "decoder.learner.guards") or Guards()


def _blocks(b: Builder, raw: Any) -> list[Block | None]:
    if not isinstance(raw, list) or not raw:
        b.add("blocks", f"expected a list of blocks, given {raw!r}")
        return []
    return [b.part(Block, node, f"blocks[{i}]") for i, node in enumerate(raw)]


def _click(b: Builder, raw: Any, saved: Any) -> Any | None:
    """Construct the click decoder; its parameters lie in its own file, or in the decoder's, ``saved``."""
    if raw is None:
        return None
    own = isinstance(raw, Mapping) and "params" in raw
    path = raw["params"] if own else saved
    click = b.node("clicks", {k: v for k, v in raw.items() if k != "params"} if own else raw, "click")
    if click is not None and path is not None:
        b.restore_click(click, b.names["click"], path, own)
    return click


def _markers(b: Builder, raw: Any) -> list[MarkersNode]:
    if not isinstance(raw, list):
        b.add("markers", f"expected a list of marker streams, given {raw!r} (e.g. [{{name: stimuli}}])")
        return []
    return [m for i, node in enumerate(raw) if (m := b.part(MarkersNode, node, f"markers[{i}]")) is not None]


def _tell_apart(b: Builder, sources: list[Any]) -> None:
    """Streams are known by their labels, and one of them sets the pace."""
    labels = [s.label for s in sources]
    for label in sorted({x for x in labels if labels.count(x) > 1}):
        b.add("sources", f"{labels.count(label)} sources are called {label!r}; give each a name of its own")
    if sum(bool(getattr(s, "primary", False)) for s in sources) > 1:
        b.add("sources", "more than one source is primary; the live thread waits for one")


def _stream_of(source: Any, specs: tuple[StreamSpec, ...]) -> int | None:
    """Return which of the world's streams a source means: the only one, or the one of its name, or of its type."""
    if len(specs) == 1:
        return 0
    for key in ("name", "type"):
        wanted = getattr(source, key, None)
        if wanted:
            found = [i for i, spec in enumerate(specs) if getattr(spec, key) == wanted]
            return found[0] if len(found) == 1 else None
    return None


def _match_world(b: Builder, sources: list[Any], world: Any) -> None:
    """The sources of a simulated session must be streams its world sends."""
    try:
        specs = sent(world)
    except ContractError as e:
        b.add("world", str(e))
        return
    if len(sources) > len(specs):
        sends = "one stream" if len(specs) == 1 else f"{len(specs)} streams"
        b.add("sources", f"the world sends {sends}; {len(sources)} sources are given")
    meant = [_stream_of(source, specs) for source in sources]
    for i, (source, which) in enumerate(zip(sources, meant, strict=True)):
        if which is None:
            names = [s.name for s in specs]
            near = registry.nearest(str(getattr(source, "name", "")), names)
            told = ", ".join(f"{s.name} ({s.type})" for s in specs)
            b.add(f"sources[{i}]", f"no one stream of the world is meant{near}; it sends {told}: give its name")
        elif len(specs) > 1 and which in meant[:i]:
            b.add(f"sources[{i}]", f"is the world's stream {specs[which].name!r}, which another source is already")
        else:
            _same_promise(b, i, source, specs[which])


def _same_promise(b: Builder, i: int, source: Any, spec: StreamSpec) -> None:
    """What a source asks for must be what the stream is."""
    for key in ("name", "type", "source_id", "unit", "n_channels", "rate_hz"):
        wanted, is_ = getattr(source, key, None), getattr(spec, key)
        same = math.isclose(wanted, is_) if key == "rate_hz" and wanted else wanted == is_
        if wanted and not same:
            b.add(f"sources[{i}].{key}", f"is {wanted!r}, but the world sends {is_!r}: correct the one or the other")


def _stages(b: Builder, raw: Any, sources: list[Any]) -> dict[str, list[Any]]:
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


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice, of which the first would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(k, deep=True) for k, _ in node.value]
        for (k, _), key in zip(node.value, keys, strict=True):
            if keys.count(key) > 1 and key != "<<":
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", k.start_mark)
        return super().construct_mapping(node, deep)


def _folders() -> list[Path]:
    inside = Path(str(files("bmi")))
    return [inside / "configs", inside.parent / "configs"]  # in a wheel; in a checkout


def shipped(name: str) -> Path | None:
    """Return the path of a recipe that ships with the framework, asked for as ``x``, ``x.yaml``, ``configs/x.yaml``."""
    if Path(name).parent.as_posix() not in (".", "configs"):
        return None
    stem = Path(name).name.removesuffix(".yaml") + ".yaml"
    return next((folder / stem for folder in _folders() if (folder / stem).is_file()), None)


def _missing(path: Path) -> RecipeError:
    """Say what was there instead of the recipe asked for."""
    here = sorted(q.name for q in path.parent.glob("*.yaml") if q.is_file())
    ours = sorted({q.stem for folder in _folders() for q in folder.glob("*.yaml")})
    near = registry.nearest(path.name, here) or registry.nearest(path.stem, ours)
    found = f"in {path.parent}/ there {'are ' + ', '.join(here) if here else 'is none'}"
    return RecipeError(str(path), [Problem("(file)", f"no such recipe{near}; {found}; shipped: {', '.join(ours)}")])


def read(path: str | Path, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Read a recipe file (or a shipped one by its name) and apply ``dotted.key → value`` overrides."""
    p = Path(path)
    if not p.is_file():
        p = shipped(str(path)) or p
    if not p.is_file():
        raise _missing(p)
    try:
        text = p.read_text(encoding="utf-8")
        # `to_json` writes surrogate pairs, which YAML would not join again
        raw = json.loads(text) if p.suffix == ".json" else _Loader(text).get_single_data()
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
            node = node[_place(node, step)] if isinstance(node, list) else node.setdefault(step, {})
        node[_place(node, last) if isinstance(node, list) else last] = value
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as e:
        raise RecipeError(where, [Problem(key, f"cannot be set: no such place in the recipe ({e})")]) from e


def _place(items: list[Any], step: str) -> int:
    """Return which item of a list is meant: by its place or, where only one can be, by its ``use`` or ``name``."""
    nodes = [(i, item) for i, item in enumerate(items) if isinstance(item, Mapping)]
    named = [i for i, item in nodes if step in (item.get("use"), item.get("name"))]
    return named[0] if len(named) == 1 else int(step)


def parse_value(text: str) -> Any:
    """Read the right side of ``key=value`` as YAML, so that numbers, lists and booleans keep their type."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as e:
        raise RecipeError("--set", [Problem(text, f"is not readable YAML: {e}")]) from e


def load(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Read, check and construct a recipe. Raises RecipeError with every problem at once."""
    return build(read(path, overrides), where=str(path))
