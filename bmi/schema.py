"""The constructor is the schema: keyword arguments from outside become checked parts, or problems with paths.

A node is ``use: <name>`` plus the keyword arguments of the class registered under that name. Unknown keys are
refused with the nearest name, so that a typo never becomes a silent default.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from bmi import params, registry
from bmi.errors import BMIError, ContractError, PluginError, Problem, RecipeError


def _hints(cls: Any) -> dict[str, Any]:
    """Return the annotations of a constructor's arguments."""
    return typing.get_type_hints(cls if dataclasses.is_dataclass(cls) else cls.__init__, include_extras=True)


def _dataclass_in(hint: Any) -> Any | None:
    """Return the dataclass that a hint is, or may be besides None."""
    for part in (hint, *typing.get_args(hint)):
        if isinstance(part, type) and dataclasses.is_dataclass(part):
            return part
    return None


@cache
def _schema(cls: type) -> type[BaseModel]:
    """Return a pydantic model of a constructor's keyword arguments; nested dataclasses likewise."""
    hints = _hints(cls)
    fields: dict[str, Any] = {}
    for name, p in inspect.signature(cls).parameters.items():
        hint: Any = hints.get(name, Any)
        inner = _dataclass_in(hint)
        if inner is not None:
            hint = _schema(inner) if hint is inner else _schema(inner) | None
        if p.default is inspect.Parameter.empty:
            default: Any = ...
        elif isinstance(p.default, typing.Hashable) or p.default is None:
            default = p.default
        else:
            default = None
        fields[name] = (hint, default)
    config = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, str_strip_whitespace=True, allow_inf_nan=False
    )
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


class Builder:
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
        for key, value in raw.items():  # pydantic would read true as 1
            wanted = schema.model_fields.get(str(key))
            if isinstance(value, bool) and wanted is not None and "bool" not in str(wanted.annotation):
                self.add(f"{path}.{key}", f"expected another kind of value, given {value!r} (bool)")
                return None
        try:
            checked = schema.model_validate(dict(raw))
        except ValidationError as e:
            for error in e.errors():
                known = _known_keys(schema, error["loc"][:-1])
                self.add(".".join([path, *map(str, error["loc"])]), _say(error, known))
            # What is left may have problems of its own, which only the constructor sees: say them now as well,
            # unless they come of a wrong value being left out.
            wrong = {error["loc"][0] for error in e.errors() if error["loc"]}
            try:
                checked = schema.model_validate({k: v for k, v in raw.items() if k not in wrong})
            except ValidationError:  # something required is among the wrong
                return None
            n = len(self.problems)
            self._make(cls, checked, path)
            self.problems[n:] = [p for p in self.problems[n:] if not any(str(k) in p.message for k in wrong)]
            return None
        return self._make(cls, checked, path)

    def _make(self, cls: Any, checked: BaseModel, path: str) -> Any | None:
        """Call the constructor; what it refuses is a problem of this node."""
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

    def restore_click(self, click: Any, use: str, saved: Any, own: bool) -> None:
        """Give a click decoder the parameters of an earlier day: from its ``own`` file, or from the decoder's.

        In the decoder's file there need not be any.
        """
        if not isinstance(saved, str):
            if own:
                self.add("click.params", f"expected the path of a parameter file, given {saved!r}")
            return
        try:
            loaded = params.load(saved)
            name, n_features = loaded.manifest.get("click"), loaded.manifest.get("n_features")
            if name == use and isinstance(n_features, int):
                click.params_ = params.restore(click.params_like(n_features), loaded, params.CLICK)
            elif own:
                raise ContractError(f"{saved}: holds click parameters of {name!r}, this click decoder is {use!r}")
        except BMIError as e:
            if own:
                self.add("click.params", str(e))

    def many(self, kind: str, raw: Any, path: str) -> list[Any]:
        if not isinstance(raw, list):
            self.add(path, f"expected a list of nodes, given {raw!r} ({type(raw).__name__})")
            return []
        return [p for i, node in enumerate(raw) if (p := self.node(kind, node, f"{path}[{i}]")) is not None]


def _known_keys(schema: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    for key in loc:
        field_ = schema.model_fields.get(str(key))
        hint = field_.annotation if field_ else None
        for inner in (hint, *typing.get_args(hint)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                schema = inner
    return list(schema.model_fields)


def _construct(cls: Any, checked: BaseModel) -> Any:
    """Build ``cls`` from what was given (defaults stay the constructor's own)."""
    hints = _hints(cls)
    given = {}
    for name in checked.model_fields_set:
        value = getattr(checked, name)
        given[name] = _construct(_dataclass_in(hints[name]), value) if isinstance(value, BaseModel) else value
    return cls(**given)


def make(kind: str, use: str, settings: Mapping[str, Any], where: str) -> Any:
    """Construct one registered part from keyword arguments, checked like a node of a recipe.

    Raises
    ------
    RecipeError
        With every problem of the arguments at once.
    """
    b = Builder(where)
    if "use" in settings:
        b.add(f"{kind[:-1]}.use", f"is {use!r} already; leave 'use' out of the settings")
    part = b.node(kind, {**settings, "use": use}, kind[:-1])
    if b.problems:
        raise RecipeError(where, b.problems)
    return part
