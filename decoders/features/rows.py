"""What every feature stage does alike: check the rate, compile before the first sample, hand out rows."""

from __future__ import annotations

import numpy as np

from bmi.contracts import Stage
from bmi.errors import ContractError
from bmi.signals import F32, F64, Chunk, StreamSpec


def regular(stage: str, spec: StreamSpec) -> None:
    """Raise ContractError unless the stream has a sampling rate."""
    if spec.rate_hz <= 0:
        raise ContractError(
            f"{stage}: stream {spec.name!r} is irregular (rate 0); expected a sampling rate: resample it at the source"
        )


def warm_rows(stage: Stage, spec: StreamSpec) -> None:
    """Step once with writable and once with read-only rows (two types to numba), then reset."""
    for writable in (True, False):
        data = np.zeros((1, spec.n_channels), np.float32)
        t = np.zeros(1)
        data.flags.writeable = t.flags.writeable = writable
        stage.step(Chunk(data, t, 0.0))
    stage.reset()


def rows_out(out: Chunk, data: F32, t: F64, rows: int) -> Chunk:
    """Point the reused chunk at the first ``rows`` of its buffers."""
    out.data = data[:rows]
    out.t = t[:rows]
    return out


def pass_times(out: Chunk, data: F32, chunk: Chunk) -> Chunk:
    """Point the reused chunk at ``data``, one row for every row of ``chunk``, with its times."""
    out.data = data[: chunk.data.shape[0]]
    out.t = chunk.t
    out.t_arrival = chunk.t_arrival
    out.seq = chunk.seq
    out.n_lost_before = chunk.n_lost_before
    return out
