"""check_source: does a Source keep its promises?"""

from __future__ import annotations

import time

import numpy as np

from bmi.contracts import Source
from bmi.errors import PluginError
from bmi.signals import Chunk, StreamSpec


def check_source(source: Source, *, n_chunks: int = 20, timeout_s: float = 5.0) -> None:
    """Open, read and close ``source`` and raise PluginError at the first promise it breaks.

    The stream must be running. Checked: chunks have the promised shape, types and layout, cannot be written,
    fit ``max_samples``, come in order of time and arrival and without uncounted holes; ``read(0)`` does not
    wait; ``close`` is idempotent and the source opens again.

    Parameters
    ----------
    source : Source
        Not open yet.
    n_chunks : int
        Chunks to read.
    timeout_s : float
        Longest wait for one chunk, s.

    Raises
    ------
    PluginError
        Names the promise, what was expected and what was found.
    """
    who = f"source {type(source).__name__}"
    missing = [m for m in ("open", "read", "close") if not callable(getattr(source, m, None))]
    _expect(not missing, who, "methods open, read and close", f"no {', '.join(missing)}")
    source.open()
    try:
        _check_spec(who, source.spec)
        last: tuple[int, float, float] | None = None
        for _ in range(n_chunks):
            chunk = source.read(timeout_s)
            if chunk is None:
                raise PluginError(
                    f"{who}: expected a chunk within {timeout_s:g} s, got None; is the stream running?"
                )
            last = _check_chunk(who, source.spec, chunk, last)
        started = time.perf_counter()
        source.read(0.0)
        waited = time.perf_counter() - started
        _expect(waited < 0.05, who, "read(0) returns at once", f"it took {1e3 * waited:.0f} ms")
    finally:
        source.close()
    source.close()
    source.open()
    source.close()


def _check_spec(who: str, spec: StreamSpec) -> None:
    _expect(bool(spec.name), who, "spec.name is set", "it is empty")
    _expect(bool(spec.unit), who, "spec.unit is set", "it is empty")
    _expect(spec.n_channels > 0, who, "spec.n_channels > 0", str(spec.n_channels))
    _expect(spec.max_samples > 0, who, "spec.max_samples > 0", str(spec.max_samples))
    _expect(
        len(spec.labels) in (0, spec.n_channels),
        who,
        f"no labels or {spec.n_channels}",
        str(len(spec.labels)),
    )


def _check_chunk(
    who: str, spec: StreamSpec, chunk: Chunk, last: tuple[int, float, float] | None
) -> tuple[int, float, float]:
    """Check one chunk against the spec and the one before; return what the next is held to."""
    n, data, t = len(chunk), chunk.data, chunk.t
    _expect(0 < n <= spec.max_samples, who, f"1 to {spec.max_samples} samples in a chunk", str(n))
    _expect(data.shape == (n, spec.n_channels), who, f"data of shape (n, {spec.n_channels})", str(data.shape))
    _expect(data.dtype == np.float32, who, "data in float32", str(data.dtype))
    _expect(data.flags.c_contiguous, who, "data in C-order", "it is strided")
    _expect(t.shape == (n,), who, f"one time per sample, shape ({n},)", str(t.shape))
    _expect(t.dtype == np.float64, who, "times in float64", str(t.dtype))
    _expect(
        not data.flags.writeable and not t.flags.writeable, who, "read-only arrays", "they can be written"
    )
    _expect(bool(np.isfinite(t).all()), who, "finite times", str(t))
    _expect(bool((np.diff(t) >= 0).all()), who, "times that do not run backwards in a chunk", str(t))
    _expect(chunk.n_lost_before >= 0, who, "n_lost_before >= 0", str(chunk.n_lost_before))
    if last is not None:
        seq, t_arrival, _ = last
        _expect(
            chunk.seq == seq + chunk.n_lost_before,
            who,
            f"seq to continue at {seq} plus {chunk.n_lost_before} lost",
            str(chunk.seq),
        )
        _expect(chunk.t_arrival >= t_arrival, who, "arrivals in order", f"{t_arrival} then {chunk.t_arrival}")
    return chunk.seq + n, chunk.t_arrival, float(t[-1])


def _expect(kept: bool, who: str, promise: str, found: str) -> None:
    if not kept:
        raise PluginError(f"{who}: expected {promise}; found: {found}. See bmi.contracts.Source.")
