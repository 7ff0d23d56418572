"""Decoder parameters on the move: one flat vector for the double slots, one file for the next day.

Parameters are a NamedTuple of float64 arrays of fixed shapes. The learner writes them as one flat vector, the
live lane sees them as views into it. On disk they are a safetensors file whose metadata carries a JSON
manifest: decoder name, settings, shapes and a SHA-256 of the numbers. Nothing in the file can execute.

A decoder and the click decoder beside it travel as one (``Both``): first the decoder's arrays, under their own
names, then the click decoder's, under ``click.<name>``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from bmi.contracts import ClickDecoder, Decoder, Params
from bmi.errors import ContractError, RecordingError
from bmi.signals import F64

CLICK = "click."
FORMAT = "bmi-params/1"
"""Version of the file layout, first thing checked on load."""


class Loaded(NamedTuple):
    """What a parameter file holds."""

    decoder: str
    """Registered name of the decoder it was made for."""
    arrays: dict[str, F64]
    """Field name to array; ``restore`` makes the decoder's own NamedTuple of it."""
    manifest: dict[str, Any]
    """Whatever the writer noted: settings, recording, scores."""


class Both(NamedTuple):
    """Parameters of a decoder and of the click decoder beside it."""

    decoder: Params
    click: Params


def like(decoder: Decoder, click: ClickDecoder | None, n_features: int) -> Params:
    """Return parameters of the shapes a decoder, or it and the click decoder beside it, have for ``n_features``."""
    values = decoder.params_like(n_features)
    return values if click is None else Both(values, click.params_like(n_features))


def fields(params: Params) -> Iterator[tuple[str, F64]]:
    """Yield (name, array) in order; ContractError unless it is a NamedTuple of float64 arrays."""
    if isinstance(params, Both):
        yield from fields(params.decoder)
        yield from ((CLICK + name, array) for name, array in fields(params.click))
        return
    if not isinstance(params, tuple) or not hasattr(params, "_fields"):
        raise ContractError(
            f"parameters: expected a NamedTuple of float64 arrays, given {type(params).__name__}; "
            "define one beside the decoder"
        )
    for name, array in zip(params._fields, params, strict=True):
        if not isinstance(array, np.ndarray) or array.dtype != np.float64:
            given = f"{array.dtype} array" if isinstance(array, np.ndarray) else type(array).__name__
            raise ContractError(f"parameters: {type(params).__name__}.{name} must be a float64 array, given {given}")
        yield name, array


def size(params: Params) -> int:
    """Return how many float64 values the parameters hold."""
    return sum(a.size for _, a in fields(params))


def flatten(params: Params, out: F64 | None = None) -> F64:
    """Return every array one after the other as one float64 vector, written into ``out`` if given."""
    n = size(params)
    if out is None:
        out = np.empty(n)
    elif out.shape != (n,) or out.dtype != np.float64:
        raise ContractError(f"parameters: expected a float64 vector of {n}, given {out.dtype} {out.shape}")
    at = 0
    for _, a in fields(params):
        out[at : at + a.size] = a.reshape(-1)
        at += a.size
    return out


def unflatten(template: Params, vector: F64) -> Params:
    """Return parameters shaped like ``template`` whose arrays are views into ``vector``."""
    n = size(template)
    if vector.shape != (n,) or vector.dtype != np.float64 or not vector.flags.c_contiguous:
        raise ContractError(
            f"parameters: {type(template).__name__} needs a contiguous float64 vector of {n}, "
            f"given {vector.dtype} {vector.shape}; decoder settings or number of features differ"
        )
    if isinstance(template, Both):
        at = size(template.decoder)
        return Both(unflatten(template.decoder, vector[:at]), unflatten(template.click, vector[at:]))
    views, at = [], 0
    for _, a in fields(template):
        views.append(vector[at : at + a.size].reshape(a.shape))
        at += a.size
    return type(template)(*views)


def digest(arrays: Mapping[str, F64]) -> str:
    """Return the SHA-256 over names, shapes and little-endian bytes, in order of name."""
    h = hashlib.sha256()
    for name in sorted(arrays):
        a = np.ascontiguousarray(arrays[name], dtype="<f8")
        h.update(f"{name}{a.shape}".encode())
        h.update(a.tobytes())
    return h.hexdigest()


def save(path: str | Path, decoder_name: str, params: Params, manifest: Mapping[str, Any] | None = None) -> Path:
    """Write parameters with their manifest; the file appears whole or not at all.

    Parameters
    ----------
    path : path
        Ends in ``.safetensors`` by custom.
    decoder_name : str
        Name the decoder is registered under.
    params : NamedTuple of float64 arrays
    manifest : mapping, optional
        JSON-serialisable notes: constructor settings, recording, scores.
    """
    path = Path(path)
    arrays = {name: np.ascontiguousarray(a) for name, a in fields(params)}
    head = {
        "format": FORMAT,
        "decoder": decoder_name,
        "shapes": {name: list(a.shape) for name, a in arrays.items()},
        "sha256": digest(arrays),
        "manifest": dict(manifest or {}),
    }
    part = path.with_name(path.name + ".part")
    try:
        save_file(arrays, str(part), metadata={"bmi": json.dumps(head, sort_keys=True)})
        part.replace(path)
    except (SafetensorError, OSError) as e:
        raise RecordingError(f"{path}: cannot be written ({e}); is there such a folder, and room?") from e
    return path


def load(path: str | Path) -> Loaded:
    """Read a parameter file and check it against its own manifest.

    Raises
    ------
    RecordingError
        If it is missing, no parameter file, of another version, or its numbers do not match their digest.
    """
    path = Path(path)
    if not path.is_file():
        raise RecordingError(f"{path}: no such parameter file; calibrate first or correct the path")
    try:
        with safe_open(str(path), framework="numpy") as f:
            head = json.loads((f.metadata() or {}).get("bmi", "{}"))
            arrays = {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, json.JSONDecodeError) as e:
        raise RecordingError(f"{path}: not a readable parameter file ({e}); write it with bmi.params.save") from e
    found = head.get("format") if isinstance(head, dict) else None
    if found != FORMAT:
        raise RecordingError(f"{path}: expected format {FORMAT!r}, found {found!r}; save it again")
    for key, kind in (("decoder", str), ("shapes", dict), ("sha256", str), ("manifest", dict)):
        if not isinstance(head.get(key), kind):
            raise RecordingError(f"{path}: its manifest lacks {key!r}; the file is damaged")
    shapes = {name: list(a.shape) for name, a in arrays.items()}
    if shapes != head["shapes"]:
        raise RecordingError(f"{path}: manifest promises {head['shapes']}, file holds {shapes}; the file is damaged")
    if any(a.dtype != np.float64 for a in arrays.values()) or digest(arrays) != head["sha256"]:
        raise RecordingError(f"{path}: numbers do not match their SHA-256; the file is damaged or was edited")
    return Loaded(head["decoder"], arrays, head["manifest"])


def restore(template: Params, loaded: Loaded, part: str = "") -> Params:
    """Return the loaded arrays as the template's NamedTuple; with ``part=CLICK``, those of the click decoder.

    Raises
    ------
    ContractError
        If fields or shapes differ: other decoder, other settings, or another number of features.
    """
    want = {name: a.shape for name, a in fields(template)}
    arrays = {n.removeprefix(part): a for n, a in loaded.arrays.items() if n.startswith(CLICK) == (part == CLICK)}
    have = {name: a.shape for name, a in arrays.items()}
    if want != have:
        wrong = sorted(n for n in want.keys() | have.keys() if want.get(n) != have.get(n))
        detail = ", ".join(f"{n}: expected {want.get(n, 'none')}, file has {have.get(n, 'none')}" for n in wrong)
        raise ContractError(
            f"parameters of {loaded.decoder!r} do not fit {type(template).__name__}: {detail}; "
            "use the settings and features they were fitted with, or calibrate again"
        )
    return type(template)(**{n: np.ascontiguousarray(arrays[n], dtype=np.float64) for n in want})
