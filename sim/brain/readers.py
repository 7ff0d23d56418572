"""Connectomes from files: tables and the archives of The Virtual Brain.

Nothing in a file is executed and nothing is unpacked before its size is known.
Weights of all formats are read as rows = to, columns = from, as the files mean them.
"""

from __future__ import annotations

import bz2
import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bmi import registry
from bmi.errors import ContractError, RecordingError
from bmi.signals import F64, AnyArray
from sim.brain.connectome import Connectome

MOST_BYTES = 64 * 2**20
"""A file of a connectome may have so many bytes, unpacked: 64-bit text of some 1 500 regions."""
MOST_FILES = 100
UNITS_MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001, "µm": 0.001}
"""Units of length a file may be in, mm."""
DIRECTIONS = {"R": (0, 1.0), "L": (0, -1.0), "A": (1, 1.0), "P": (1, -1.0), "S": (2, 1.0), "I": (2, -1.0)}
"""To the right, left, front (anterior), back, top (superior), bottom: which of our axes, and which way along it."""


def read_csv(
    folder: Path | str, *, unit: str = "mm", axes: str = "RAS", weights: str = "weights.csv",
    lengths: str = "lengths.csv", labels: str = "labels.csv", centres: str = "centres.csv",
) -> Connectome:  # fmt: skip
    """Return the connectome in four files of one folder: numbers between commas, semicolons, tabs or spaces.

    Parameters
    ----------
    folder : path
    unit : str
        Of lengths and centres: mm, cm, m, um.
    axes : str
        Where the three columns of centres point, e.g. RAS: right, anterior (front), superior (up).
    weights, lengths : str
        (n, n) tables, rows = to.
    labels : str
        A name a line; may be missing if centres have names.
    centres : str
        x, y, z a line, or name, x, y, z; may be missing.

    Raises
    ------
    RecordingError
        If a file is missing or no table, tables do not agree, or a value cannot be; names file, line and region.
    """
    folder = Path(folder)
    names: tuple[str, ...] | None = None
    places = None
    if (folder / centres).exists():
        names, places = _places(folder / centres, _text(folder / centres))
    if (folder / labels).exists() or names is None:
        names = tuple(x.strip() for x in _text(folder / labels).splitlines() if x.strip())
    tables = {x: _table(folder / x, _text(folder / x)) for x in (weights, lengths)}
    return built(folder, names, tables[weights], tables[lengths], places, None, unit, axes, False)


def read_zip(path: Path | str, *, unit: str | None = None, axes: str = "RAS", centred: bool = False) -> Connectome:
    """Return the connectome in an archive of The Virtual Brain: weights, tract_lengths, centres, average_orientations.

    Parameters
    ----------
    path : path
        Members are .txt or .txt.bz2, at any depth.
    unit : str, optional
        Of lengths and centres; without it ``length_unit`` of info.txt holds, or mm.
    axes : str
        Where the columns of centres point; there is no rule among such archives.
    centred : bool
        Move the regions until the middle of their extent is the origin.

    Raises
    ------
    RecordingError
        As ``read_csv``, or if the archive cannot be unpacked, or unpacks to too much.
    """
    path = Path(path)
    found = _unzipped(path)
    for needed in ("weights", "tract_lengths", "centres"):
        if needed not in found:
            raise RecordingError(f"{path}: has no {needed}.txt; there are {', '.join(sorted(found)) or 'no tables'}")
    stated = re.search(r'length_unit\s*=\s*"?([^"\s]+)', found.get("info", ""))
    names, places = _places(path / "centres.txt", found["centres"])
    if names is None:
        raise RecordingError(f"{path}: centres.txt: expected a name before the three numbers of each line")
    facing = None
    if "average_orientations" in found:
        facing = _table(path / "average_orientations.txt", found["average_orientations"])
    return built(
        path, names, _table(path / "weights.txt", found["weights"]),
        _table(path / "tract_lengths.txt", found["tract_lengths"]), places, facing,
        unit or (stated.group(1) if stated else "mm"), axes, centred,
    )  # fmt: skip


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise RecordingError(f"{path}: has {path.stat().st_size} bytes; too large")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as e:
        raise RecordingError(f"{path}: cannot be read: {e}") from e


def _unzipped(path: Path) -> dict[str, str]:
    """Return the text of each member by its stem."""
    found: dict[str, str] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith((".txt", ".txt.bz2"))]
            if len(members) > MOST_FILES or sum(m.file_size for m in members) > MOST_BYTES:
                raise RecordingError(
                    f"{path}: {len(members)} files unpack to too much; the limit is {MOST_BYTES} bytes"
                )
            for m in members:
                data = archive.read(m)
                if m.filename.endswith(".bz2"):
                    data = _bunzipped(path, m.filename, data)
                stem = Path(m.filename).name.split(".")[0]
                if stem in found:
                    raise RecordingError(f"{path}: has two files called {stem}; expected one connectome")
                found[stem] = data.decode("utf-8-sig")
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as e:
        raise RecordingError(f"{path}: cannot be unpacked: {e}") from e
    return found


def _bunzipped(path: Path, name: str, data: bytes) -> bytes:
    unpacked = bz2.BZ2Decompressor().decompress(data, max_length=MOST_BYTES + 1)
    if len(unpacked) > MOST_BYTES:
        raise RecordingError(f"{path}: {name} unpacks to more than {MOST_BYTES} bytes; too large")
    return unpacked


def _cells(text: str) -> list[tuple[int, list[str]]]:
    """Return the number and the cells of each line that is neither empty nor a comment."""
    lines = ((k, x.strip()) for k, x in enumerate(text.splitlines(), 1))
    return [(k, [c for c in re.split(r"[,;\t ]+", x) if c]) for k, x in lines if x and not x.startswith(("#", "%"))]


def _table(path: Path, text: str) -> F64:
    rows = _cells(text)
    if not rows:
        raise RecordingError(f"{path}: is empty; expected a table of numbers")
    for k, row in rows:
        if len(row) != len(rows[0][1]):
            raise RecordingError(f"{path}: line {k} has {len(row)} numbers, expected {len(rows[0][1])} as in the first")
    try:
        return np.array([row for _, row in rows], np.float64)
    except ValueError as e:
        raise RecordingError(f"{path}: expected numbers only, without a header: {e}") from e


def _places(path: Path, text: str) -> tuple[tuple[str, ...] | None, F64]:
    """Return names, if lines begin with one, and places."""
    rows = _cells(text)
    named = bool(rows) and not _number(rows[0][1][0])
    for k, row in rows:
        if len(row) < 3 + named or not all(_number(x) for x in row[named : named + 3]):
            raise RecordingError(f"{path}: line {k}: expected {'a name and ' * named}three numbers, given {row[:5]}")
    if not rows:
        raise RecordingError(f"{path}: is empty; expected the place of a region a line")
    places = np.array([row[named : named + 3] for _, row in rows], np.float64)
    return (tuple(row[0] for _, row in rows) if named else None), places


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def built(
    path: Path, names: Sequence[str], weights: AnyArray, lengths: AnyArray, places: AnyArray | None,
    facing: AnyArray | None, unit: str, axes: str, centred: bool,
) -> Connectome:  # fmt: skip
    """Return the connectome that the tables of ``path`` make, in our unit and axes."""
    if unit not in UNITS_MM:
        hint = registry.nearest(unit, list(UNITS_MM))
        raise RecordingError(f"{path}: unknown unit of length {unit!r}{hint}; there are {', '.join(UNITS_MM)}")
    turn = _turn(axes)
    if places is not None:
        places = places * UNITS_MM[unit] @ turn
        if centred:
            places = places - 0.5 * (places.min(0) + places.max(0))
    if facing is not None and facing.ndim == 2 and facing.shape[1] == 3:
        length = np.linalg.norm(facing, axis=1, keepdims=True)
        facing = facing / np.where(length > 0.0, length, 1.0) @ turn
        if places is not None and places.shape == facing.shape:  # a nucleus has no direction: it is taken as outward
            facing = np.where(length > 0.0, facing, places / np.linalg.norm(places, axis=1, keepdims=True))
    try:
        return Connectome(
            labels=tuple(names), weights=weights, lengths_mm=lengths * UNITS_MM[unit], centres_mm=places,
            normals=facing,
        )  # fmt: skip
    except ContractError as e:
        raise RecordingError(f"{path}: {e}") from e


def _turn(axes: str) -> F64:
    """Return the (3, 3) matrix that carries rows in ``axes`` into ours."""
    if len(axes) != 3 or not set(axes) <= set(DIRECTIONS) or len({DIRECTIONS[a][0] for a in axes}) != 3:
        raise ContractError(f"axes: expected three of R L, A P, S I, one of each pair, e.g. RAS; given {axes!r}")
    turn = np.zeros((3, 3))
    for row, a in enumerate(axes):
        column, sign = DIRECTIONS[a]
        turn[row, column] = sign
    return turn
