"""Rows on a fixed grid of sequence numbers: row ``k`` ends with sample ``(k + 1) * every - 1``."""

from __future__ import annotations

from bmi.errors import ContractError
from bmi.signals import F32, F64, I64, Chunk, StreamSpec
from decoders.features.rows import regular, rows_out


def whole_samples(stage: str, key: str, seconds: float, spec: StreamSpec) -> int:
    """Return how many samples ``seconds`` are.

    Raises
    ------
    ContractError
        Unless it is a whole number, at least one; the message says which duration would fit.
    """
    regular(stage, spec)
    exact = seconds * spec.rate_hz
    n = max(round(exact), 1)
    if abs(exact - n) > 1e-6 * n:
        raise ContractError(
            f"{stage}: {key} {seconds:g} s is {exact:g} samples of {spec.name!r} at {spec.rate_hz:g} Hz; "
            f"expected a whole number: {n / spec.rate_hz:.9g} s would fit"
        )
    return n


def at_least_one(seconds: float, spec: StreamSpec) -> int:
    """Return the number of samples nearest to ``seconds``, at least one."""
    return max(round(seconds * spec.rate_hz), 1)


def rows_due(out: Chunk, data: F32, t: F64, index: I64, rows: int, chunk: Chunk, every: int, last: I64) -> Chunk:
    """Point the reused chunk at ``rows`` rows, each stamped with the sample it ended with.

    index (n_rows,) says which samples of ``chunk`` those were. last (1,) is the number of the newest row
    ever handed out, -1 before the first; rows missing since then are counted as lost.
    """
    rows_out(out, data, t, rows)
    for k in range(rows):
        t[k] = chunk.t[index[k]]
    before = last.item(0)
    out.seq = (chunk.seq + index.item(0)) // every
    out.n_lost_before = max(out.seq - before - 1, 0) if before >= 0 else 0
    out.t_arrival = chunk.t_arrival
    last[0] = out.seq + rows - 1
    return out
