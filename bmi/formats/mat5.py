"""The MATLAB 5 container (``save -v6``, ``-v7``), read defensively: arrays and structs, nothing else.

Format: MathWorks, *MAT-File Format* (2021), chapter 1. SciPy's reader trusts lengths it finds in the file and
crashes the interpreter on damaged ones (scipy 1.17); here every length is checked against the bytes there are
before anything is made of them. Character arrays, cells, sparse arrays and objects are named, not read.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from bmi.errors import RecordingError
from bmi.signals import AnyArray

MAX_UNPACKED = 4 << 30
"""Most bytes one compressed variable may unpack to."""
_MATRIX, _COMPRESSED = 14, 15
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_UNREAD = {1: "cell", 3: "object", 4: "char", 5: "sparse", 16: "function", 17: "opaque"}
_STRUCT, _COMPLEX = 2, 0x08
_DEEPEST, _MOST_INTEGERS = 8, 64


class Unread(NamedTuple):
    """A value this reader names but does not read."""

    kind: str


Struct: TypeAlias = "list[dict[str, Any]]"
"""Struct array, flattened in MATLAB's order: each element's fields, Struct, array or Unread."""
Value: TypeAlias = "AnyArray | Struct | Unread"


@dataclass
class _Cursor:
    """A place in bytes that refuses to go beyond them."""

    data: memoryview
    order: Literal["<", ">"]
    at: int = 0

    def take(self, n: int) -> memoryview:
        if n > len(self.data) - self.at:
            raise RecordingError(f"needs {n} bytes at byte {self.at}, {len(self.data) - self.at} are left")
        self.at += n
        return self.data[self.at - n : self.at]

    def element(self) -> tuple[int, memoryview]:
        """Return (type, content) of the next element and step over its padding."""
        kind, n = struct.unpack(self.order + "II", self.take(8))
        if small := kind >> 16:
            if small > 4:
                raise RecordingError(f"a small element of {small} bytes at byte {self.at}; at most 4")
            return kind & 0xFFFF, self.data[self.at - 4 : self.at - 4 + small]
        content = self.take(n)
        if kind != _COMPRESSED:
            self.at = min(self.at + -n % 8, len(self.data))
        return kind, content

    def numbers(self) -> AnyArray:
        """Return the next element as a flat array of the type it is stored in."""
        kind, content = self.element()
        if kind not in _STORED or len(content) % np.dtype(_STORED[kind]).itemsize:
            raise RecordingError(
                f"{len(content)} bytes of data type {kind} before byte {self.at}; not numbers"
            )
        return np.frombuffer(content, self.order + _STORED[kind])

    def integers(self) -> list[int]:
        """Return the next element as integers."""
        numbers = self.numbers()
        if numbers.dtype.kind not in "iu":
            raise RecordingError(f"{numbers.dtype} before byte {self.at}, expected integers")
        return [int(n) for n in numbers[:_MOST_INTEGERS]]


class Variables:
    """The variables of a file, parsed only when asked for.

    Parameters
    ----------
    data : bytes-like
        The whole file.

    Raises
    ------
    RecordingError
        If it is no MATLAB 5 file, or ends within a variable.
    """

    def __init__(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        mark = bytes(view[126:128])
        if bytes(view[124:128]) in (b"\x00\x02IM", b"\x02\x00MI"):
            raise RecordingError("a MATLAB 7.3 (HDF5) file; save it with -v7 instead")
        if mark not in (b"IM", b"MI"):
            raise RecordingError(f"not a MATLAB 5 file (expected IM or MI at byte 126, given {mark!r})")
        self._cursors: dict[str, _Cursor] = {}
        for matrix in _matrices(_Cursor(view[128:], "<" if mark == b"IM" else ">")):
            name = _header(_Cursor(matrix.data, matrix.order))[3]
            self._cursors[name] = matrix

    @property
    def names(self) -> list[str]:
        """Names of the variables."""
        return [n for n in self._cursors if n]

    def read(self, name: str) -> Value:
        """Return one variable. Raises KeyError if it is not there, RecordingError if it is damaged."""
        matrix = self._cursors[name]
        return _value(_Cursor(matrix.data, matrix.order), 0)


def _matrices(file: _Cursor) -> Iterator[_Cursor]:
    """Yield the content of every matrix at the top of a file, unpacked."""
    while file.at < len(file.data):
        kind, content = file.element()
        if kind == _COMPRESSED:
            unpacker = zlib.decompressobj()
            try:
                unpacked = unpacker.decompress(content, MAX_UNPACKED)
            except zlib.error as e:
                raise RecordingError(
                    f"a compressed variable before byte {128 + file.at} is damaged: {e}"
                ) from e
            if not unpacker.eof:
                raise RecordingError(
                    f"a compressed variable before byte {128 + file.at} is torn or too large"
                )
            kind, content = _Cursor(memoryview(unpacked), file.order).element()
        if kind == _MATRIX:
            yield _Cursor(content, file.order)


def _header(matrix: _Cursor) -> tuple[int, bool, tuple[int, ...], str]:
    """Return (class, is complex, shape, name)."""
    flags = matrix.integers()
    shape = tuple(matrix.integers())
    _, name = matrix.element()
    if len(flags) != 2 or len(shape) < 2 or min(shape) < 0:
        raise RecordingError(f"a matrix with {len(flags)} flag words and shape {shape}")
    return flags[0] & 0xFF, bool(flags[0] >> 8 & _COMPLEX), shape, bytes(name).decode("latin-1")


def _value(matrix: _Cursor, depth: int) -> Value:
    if not len(matrix.data):  # how MATLAB writes an empty field
        return np.empty((0, 0))
    kind, is_complex, shape, name = _header(matrix)
    if kind == _STRUCT and depth < _DEEPEST:
        return _struct(matrix, math.prod(shape), depth)
    if kind not in _CLASSES or is_complex:
        return Unread("complex" if is_complex else _UNREAD.get(kind, f"class {kind}"))
    stored = matrix.numbers()
    if len(stored) != math.prod(shape):
        raise RecordingError(f"matrix {name!r} of shape {shape} holds {len(stored)} numbers")
    # MATLAB stores small whole doubles as bytes; the class says what they are.
    with np.errstate(invalid="ignore"):
        return stored.astype(_CLASSES[kind]).reshape(shape, order="F")


def _struct(matrix: _Cursor, n: int, depth: int) -> Struct:
    width = matrix.integers()
    _, text = matrix.element()
    if len(width) != 1 or width[0] < 1 or len(text) % width[0]:
        raise RecordingError(f"a struct with {len(text)} bytes of field names, {width} each")
    size = width[0]
    names = [bytes(text[k : k + size]).split(b"\0")[0].decode("latin-1") for k in range(0, len(text), size)]
    if not names or n * len(names) * 8 > len(matrix.data) - matrix.at:
        raise RecordingError(f"a struct of {n} elements with {len(names)} fields in {len(matrix.data)} bytes")
    elements: Struct = []
    for _ in range(n):
        fields: dict[str, Any] = {}
        for name in names:
            kind, content = matrix.element()
            if kind != _MATRIX:
                raise RecordingError(f"field {name!r} is of data type {kind}, expected a matrix")
            fields[name] = _value(_Cursor(content, matrix.order), depth + 1)
        elements.append(fields)
    return elements
