"""Compiled functions called without type dispatch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F32, F64


def entry(kernel: Any, *args: Any) -> Callable[..., Any]:
    """Return the machine code of a kernel for arguments of these types, compiled now if it is not cached.

    A numba function looks at the type of every argument at every call: 0.2 µs with warm caches, 2 to 3 µs when
    the thread has just woken up (measured on 256 channels at 1 kHz). Types are fixed at ``bind``, so a part
    can resolve its kernel there, once.

    Parameters
    ----------
    kernel : numba dispatcher
    args
        Arguments as ``step`` will pass them; they are not touched.

    Notes
    -----
    The function returned trusts its caller: arrays of another dtype or number of dimensions are refused, but
    another memory layout would be misread. Take data from outside through ``rows``.
    """
    code: Callable[..., Any] = kernel.compile(tuple([kernel.typeof_pyval(a) for a in args]))
    return code


def direct(kernel: Any) -> Callable[..., Any]:
    """Return a kernel that looks at types at its first call alone, and trusts its caller afterwards: see ``entry``.

    For who binds a part, one each: a copy of the part may keep it, because it holds nothing but machine code.
    """
    code: list[Callable[..., Any]] = []

    def call(*args: Any) -> Any:
        if not code:
            code.append(entry(kernel, *args))
        return code[0](*args)

    return call


_F32, _F64 = np.dtype(np.float32), np.dtype(np.float64)


def vector(values: F64) -> F64:
    """Return the values of a command as compiled code may read them: themselves, or a float64 copy."""
    if values.dtype is _F64 and values.flags.c_contiguous:
        return values
    return np.ascontiguousarray(values, np.float64)


def rows(data: F32) -> F32:
    """Return a chunk's ``data`` as compiled code may read it: itself, as the contract promises, or a copy.

    *Realtime*: 0.1 µs; a promise that, broken, would be misread in silence is worth asking about.

    Raises
    ------
    ContractError
        If it is not (n_samples, n_channels) float32.
    """
    if data.dtype is _F32 and data.flags.c_contiguous and data.ndim == 2:
        return data
    if data.dtype != _F32 or data.ndim != 2:
        raise ContractError(
            f"a chunk's data is (n_samples, n_channels) float32; given {data.shape} {data.dtype}: "
            "convert it at the source"
        )
    return np.ascontiguousarray(data)
