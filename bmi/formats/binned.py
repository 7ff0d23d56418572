"""What every offline evaluation starts from: binned counts beside kinematics, trial by trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

from bmi import registry
from bmi.errors import PluginError, RecordingError
from bmi.signals import F32, F64, I64, AnyArray

MAX_BYTES = 4 << 30
"""Largest array a reader makes; checked before it is made."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BinnedRecording:
    """Neural activity in bins of constant width beside what the hand did in them.

    Made by `checked`, which raises RecordingError for shapes and values that do not fit.
    """

    counts: F32
    """(n_bins, n_channels) activity per bin, usually spike counts."""
    kinematics: F64
    """(n_bins, n_dims) what is decoded, in ``unit``."""
    bin_s: float
    """Width of a bin, s."""
    trial: I64 | None = None
    """(n_bins,) trial each bin belongs to, constant over contiguous runs; None if it is one run."""
    score_mask: AnyArray
    """(n_bins,) bool, bins to score."""
    position: F64 | None = None
    """(n_bins, n_dims) position that goes with a velocity, if the file has it."""
    position_unit: str = ""
    unit: str = ""
    """Unit of the kinematics, e.g. ``cm/s``."""
    counts_unit: str = "count"
    """Unit of the activity, as a stream of it would announce."""
    dims: tuple[str, ...] = ()
    """Name of each dimension."""
    target_rad: F64 | None = None
    """(n_bins,) direction of the target of the bin's trial, rad, if the file has it."""

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.counts)

    @property
    def duration_s(self) -> float:
        """Time all bins span, s."""
        return self.n_bins * self.bin_s

    @classmethod
    def checked(
        cls,
        where: Path | str,
        *,
        counts: Any,
        kinematics: Any,
        bin_s: Any,
        trial: Any = None,
        score: Any = None,
        position: Any = None,
        target_rad: Any = None,
        unit: str = "",
        position_unit: str = "",
        dims: tuple[str, ...] | None = None,
    ) -> BinnedRecording:
        """Return the recording if everything fits; ``where`` begins every message.

        Raises
        ------
        RecordingError
            Shapes that disagree (expected and given), values that are not finite, bins without width.
        """
        y = _numbers(where, "counts", counts, np.float32, 2)
        n = len(y)
        x = _numbers(where, "kinematics", kinematics, np.float64, 2)
        if not y.size or not x.size:
            raise RecordingError(f"{where}: nothing in it: counts {y.shape}, kinematics {x.shape}")
        _same_length(where, "kinematics", x, n)
        width = _numbers(where, "bin_s", bin_s, np.float64, None)
        if width.size != 1 or not width.item() > 0:
            raise RecordingError(f"{where}: bin_s must be one positive number of seconds, given {bin_s!r}")
        names = dims if dims is not None else tuple("xyz"[: x.shape[1]]) if x.shape[1] <= 3 else ()
        names = names or tuple(f"dim{i}" for i in range(x.shape[1]))
        if len(names) != x.shape[1]:
            raise RecordingError(f"{where}: {x.shape[1]} dimensions, {len(names)} names: {', '.join(names)}")
        optional = {"trial": trial, "score": score, "position": position, "target_rad": target_rad}
        types = {"trial": (np.int64, 1), "score": (np.bool_, 1), "position": (np.float64, 2)}
        found: dict[str, AnyArray | None] = {}
        for key, value in optional.items():
            dtype, ndim = types.get(key, (np.float64, 1))
            found[key] = None if value is None else _numbers(where, key, value, dtype, ndim)
            if (array := found[key]) is not None:
                _same_length(where, key, array, n)
        mask = found["score"]
        return cls(
            counts=y, kinematics=x, bin_s=width.item(), trial=found["trial"], position=found["position"],
            score_mask=np.ones(n, np.bool_) if mask is None else mask, target_rad=found["target_rad"],
            unit=unit, position_unit=position_unit, dims=names,
        )  # fmt: skip


def read(path: Path | str) -> BinnedRecording:
    """Return the binned recording in ``path``, read by the format registered for its suffix.

    Raises
    ------
    RecordingError
        If there is no such file, no format for its suffix, or its content does not fit.
    """
    reader = reader_for(path)
    if reads_streams(reader):
        raise RecordingError(
            f"{path}: holds streams, not counts beside kinematics; read it with bmi.formats.read_streams, "
            "look into it with bmi inspect, play it with bmi replay"
        )
    recording: BinnedRecording = reader(Path(path))
    return recording


def reader_for(path: Path | str) -> Any:
    """Return the reader registered for the suffix of ``path``. Raises RecordingError as `read` does."""
    path = Path(path)
    if not path.is_file():
        raise RecordingError(f"{path}: no such file; expected a recording ({_suffixes()})")
    try:
        return registry.load("formats", path.suffix.removeprefix(".").lower())
    except PluginError as e:
        raise RecordingError(
            f"{path}: no format for {path.suffix!r} files (known: {_suffixes()}); {e}"
        ) from e


def reads_streams(reader: Any) -> bool:
    """Whether a reader yields streams: it then says what is done to their stamps."""
    return "synchronize" in signature(reader).parameters


def require(where: Path | str, found: Mapping[str, Any], keys: tuple[str, ...]) -> None:
    """Raise RecordingError naming the keys that are missing and what is there instead."""
    if missing := [k for k in keys if k not in found]:
        there = ", ".join(sorted(found)) or "nothing"
        raise RecordingError(f"{where}: no {', '.join(missing)} in it; there is {there}")


def _suffixes() -> str:
    return ", ".join(f".{name}" for name in registry.names("formats"))


def _numbers(where: Path | str, key: str, value: Any, dtype: Any, ndim: int | None) -> Any:
    try:
        given = np.asarray(value)
    except (TypeError, ValueError) as e:
        raise RecordingError(f"{where}: {key} is not an array of numbers: {e}") from e
    if given.dtype.kind not in "biuf":
        raise RecordingError(f"{where}: {key} holds {given.dtype}, expected numbers")
    if ndim is not None and given.ndim != ndim:
        shape = {1: "(n_bins,)", 2: "(n_bins, columns), time first"}[ndim]
        raise RecordingError(f"{where}: {key} has shape {given.shape}, expected {shape}")
    if given.size * np.dtype(dtype).itemsize > MAX_BYTES:
        raise RecordingError(f"{where}: {key} of shape {given.shape} exceeds {MAX_BYTES >> 30} GiB")
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        rows = np.flatnonzero(~np.isfinite(given).reshape(len(given) if given.ndim else 1, -1).all(axis=1))
        raise RecordingError(f"{where}: {key} has NaN or Inf in {len(rows)} bins, first in bin {rows[0]}")
    with np.errstate(over="ignore"):
        out = np.ascontiguousarray(given, dtype) if given.ndim else np.asarray(given, dtype)
    if out.dtype.kind == "f" and not np.isfinite(out).all():
        raise RecordingError(f"{where}: {key} has values beyond the range of {out.dtype}")
    return out


def _same_length(where: Path | str, key: str, array: AnyArray, n: int) -> None:
    if len(array) != n:
        raise RecordingError(
            f"{where}: {key} has {len(array)} bins, counts {n}; expected one row a bin in both"
        )
