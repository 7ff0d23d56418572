"""What every decoder does alike with the streams it is bound to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bmi.errors import ContractError, NotFittedError
from bmi.signals import F64, AnyArray, Bundle, StreamSpec

AXES = ("x", "y", "z")


def axes(n_dims: int) -> tuple[str, ...]:
    """Return the names of so many dimensions."""
    return AXES[:n_dims] if n_dims <= len(AXES) else tuple(f"d{i}" for i in range(n_dims))


def aligned(n: int) -> F64:
    """Return n zeros that begin on a cache line (64 bytes)."""
    room = np.zeros(n + 8)
    skip = -(room.ctypes.data // 8) % 8
    return room[skip : skip + n]


def bin_s(decoder: str, spec: StreamSpec) -> float:
    """Return the bin width of the primary stream, s; ContractError if it is irregular."""
    if spec.rate_hz <= 0:
        raise ContractError(f"{decoder}: stream {spec.name!r} is irregular; put a bin stage before the decoder")
    return 1.0 / spec.rate_hz


def check_fit(decoder: str, fitted: tuple[int, float] | None, specs: Sequence[StreamSpec], bound: int) -> None:
    """Raise unless parameters for ``fitted`` (features, bin width) suit the ``bound`` features.

    Raises
    ------
    NotFittedError
        If there are none.
    ContractError
        If number of features or bin width differ.
    """
    if fitted is None:
        raise NotFittedError(f"{decoder}: no parameters; fit, load a calibration, or start cold with a learner")
    m, dt_s = fitted
    if m != bound:
        raise ContractError(
            f"{decoder}: parameters are for {m} features, the streams {[s.name for s in specs]} bring "
            f"{bound}; bind the streams it was fitted on, or calibrate again"
        )
    now_s = bin_s(decoder, specs[0])
    if abs(dt_s - now_s) > 1e-6 * now_s:
        raise ContractError(
            f"{decoder}: parameters were fitted with bins of {dt_s:g} s, stream {specs[0].name!r} has "
            f"bins of {now_s:g} s; set bin_s to {dt_s:g} or calibrate again"
        )


def check_rows(decoder: str, Y: F64, X: F64, groups: AnyArray) -> None:
    """Raise ContractError unless features, kinematics and groups have as many rows."""
    if not len(Y) == len(X) == len(groups):
        raise ContractError(
            f"{decoder}.fit: Y, X and groups have {len(Y)}, {len(X)} and {len(groups)} rows; make them equal"
        )


def hold(bundle: Bundle, y: F64, starts: Sequence[int]) -> None:
    """Copy the newest row of every secondary stream that spoke into its place in the feature vector."""
    for i in range(1, len(bundle)):
        chunk = bundle[i]
        if chunk is not None:
            y[starts[i] : starts[i + 1]] = chunk.data[-1]
