"""Compiled look at states: their sum, which is finite only if all of them are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, njit, types
from numba.extending import intrinsic

from bmi.signals import I64, AnyArray


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})
def total(flat: AnyArray) -> float:
    """Return the sum of (n,) numbers, n > 0, in whatever order is quickest; NaN and infinity stay in it."""
    s = flat[0] - flat[0]  # zero in their own precision, or NaN
    for i in range(flat.size):
        s += flat[i]
    return s


def _pointer(number: Any) -> Any:
    """Return the code that takes an address for one of numbers of that kind."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return types.CPointer(number)(types.int64), generate


@intrinsic
def doubles_at(typing_context: Any, address: Any) -> Any:
    """Take an address for that of float64 numbers."""
    return _pointer(types.float64)


@intrinsic
def floats_at(typing_context: Any, address: Any) -> Any:
    """Take an address for that of float32 numbers."""
    return _pointer(types.float32)


@njit(cache=True, nogil=True, error_model="numpy")
def total_of(arrays: I64) -> float:
    """Return the sum of many arrays' sums: two hundred of them are a call each, which costs more than the looking.

    ``arrays`` (n, 3) holds the address of each, how many numbers lie there without a gap, and how many bytes one takes:
    8 or 4. Whoever calls keeps them alive and where they are.
    """
    s = 0.0
    for k in range(arrays.shape[0]):
        if arrays[k, 2] == 8:
            s += total(carray(doubles_at(arrays[k, 0]), (arrays[k, 1],)))
        else:
            s += np.float64(total(carray(floats_at(arrays[k, 0]), (arrays[k, 1],))))
    return s
