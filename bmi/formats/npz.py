"""NumPy archives: ``counts``, ``kinematics``, ``bin_s``, and if wanted ``trial``, ``score``, ``position``.

``np.savez(path, counts=…, kinematics=…, bin_s=0.05, unit="cm/s", dims=["x", "y"])`` makes one.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from bmi.errors import RecordingError
from bmi.formats.binned import MAX_BYTES, BinnedRecording, require

_NEEDED = ("counts", "kinematics", "bin_s")
_OPTIONAL = ("trial", "score", "position", "target_rad")
_TEXT = ("unit", "position_unit", "dims")
_KEYS = (*_NEEDED, *_OPTIONAL, *_TEXT)


def read_npz(path: Path | str) -> BinnedRecording:
    """Return the binned recording in a ``.npz`` file; nothing in it is ever executed (no pickle).

    Raises
    ------
    RecordingError
        If it is no such archive, lacks a key, promises more than fits, or its arrays do not agree.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.filename.removesuffix(".npy") in _KEYS:
                    _check_size(path, archive, info)
        with np.load(path, allow_pickle=False) as npz:
            require(path, npz, _NEEDED)
            found = {key: npz[key] for key in _KEYS if key in npz}
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, SyntaxError) as e:
        raise RecordingError(f"{path}: cannot be read as a NumPy archive: {e}") from e
    except (NotImplementedError, RuntimeError) as e:  # zipfile: encrypted or unknown compression
        raise RecordingError(f"{path}: cannot be unpacked: {e}") from e
    values: dict[str, Any] = {k: found.get(k) for k in (*_NEEDED, *_OPTIONAL)}
    return BinnedRecording.checked(
        path,
        **values,
        unit=_text(path, "unit", found.get("unit")),
        position_unit=_text(path, "position_unit", found.get("position_unit")),
        dims=_names(path, found.get("dims")),
    )


def _check_size(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """Refuse an array that is too large, or promises more than is there, before NumPy makes room for it."""
    where = f"{path}: {info.filename}"
    if info.file_size > MAX_BYTES:
        raise RecordingError(f"{where} unpacks to {info.file_size} bytes; too large")
    with archive.open(info) as f:
        version = np.lib.format.read_magic(f)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(f)
        elif version == (2, 0):
            shape, _, dtype = np.lib.format.read_array_header_2_0(f)
        else:
            raise RecordingError(f"{where} has version {version} of the NumPy format; expected 1.0 or 2.0")
        promised, there = math.prod(shape) * dtype.itemsize, info.file_size - f.tell()
    if promised != there and not dtype.hasobject:
        raise RecordingError(f"{where} of shape {shape} takes {promised} bytes, {there} are there")


def _text(path: Path, key: str, value: Any) -> str:
    if value is None:
        return ""
    if value.dtype.kind != "U" or value.size != 1:
        raise RecordingError(f"{path}: {key} must be one text, given {value.dtype} of shape {value.shape}")
    return str(value.item())


def _names(path: Path, value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if value.dtype.kind != "U":
        raise RecordingError(f"{path}: dims must be texts, given {value.dtype}")
    return tuple(str(name) for name in value.ravel())
