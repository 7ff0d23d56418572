"""Proof that a stage keeps its promises; for plug-in authors as for our own batteries."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from multiprocessing.reduction import ForkingPickler
from typing import TypeVar

import numpy as np

from bmi.contracts import Stage, State
from bmi.errors import PluginError
from bmi.signals import F32, F64, AnyArray, Chunk, StreamSpec

T = TypeVar("T")
GROWTH_BYTES = 16_384
"""What 10 000 steps may leave behind: allocator noise, not a leak of a word a step."""


def require(holds: bool, part: object, promise: str) -> None:
    """Raise PluginError naming the part and the promise it broke, unless it holds."""
    if not holds:
        raise PluginError(f"{type(part).__name__} breaks its contract: {promise}")


def same(a: AnyArray, b: AnyArray) -> bool:
    """Return whether two arrays are equal to the last bit, NaN included."""
    return a.shape == b.shape and bool(np.array_equal(a, b, equal_nan=True))


def spawned(part: T) -> T:
    """Return the part as another process would receive it."""
    copy: T = ForkingPickler.loads(ForkingPickler.dumps(part))
    return copy


def snapshot(state: State) -> tuple[AnyArray, ...]:
    """Return copies of the state's arrays."""
    return tuple(a.copy() for a in state)


def restore(state: State, saved: Sequence[AnyArray]) -> None:
    """Copy saved bytes back in place."""
    for a, b in zip(state, saved, strict=True):
        np.copyto(a, b)


def feed(stage: Stage, X: F32, cut: int, rate_hz: float, *, start: int = 0, lost: range = range(0)) -> tuple[F64, F32]:
    """Step through rows ``start``… of X in chunks of ``cut``, read-only, without the ``lost`` rows.

    Returns times (n,) and rows (n, n_channels) of everything the stage put out.
    """
    times: list[F64] = []
    rows: list[F32] = []
    X = X.copy()
    X.flags.writeable = False
    i, n_lost = start, 0
    while i < len(X):
        n = min(cut, len(X) - i)
        if len(lost) and i == lost.start:
            i, n_lost = lost.stop, len(lost)
            n = min(cut, len(X) - i)
        elif len(lost) and i < lost.start < i + n:
            n = lost.start - i
        t: F64 = (1.0 + np.arange(i, i + n, dtype=np.float64)) / rate_hz
        out = stage.step(Chunk(X[i : i + n], t, float(t[-1]) + 1e-3, i, n_lost))
        n_lost = 0
        if out is not None:
            times.append(out.t.copy())
            rows.append(out.data.copy())
        i += n
    width = rows[0].shape[1] if rows else 0
    return (
        np.concatenate(times) if times else np.zeros(0),
        np.concatenate(rows) if rows else np.zeros((0, width), np.float32),
    )


def check_stage(
    factory: Callable[[], Stage],
    spec: StreamSpec,
    *,
    n_samples: int = 600,
    scale: float = 1.0,
    seed: int = 0,
    n_steps: int = 10_000,
) -> None:
    """Check every promise of the Stage contract on random samples.

    Promised shapes; reset equals fresh; 1 x 20 samples = 20 x 1; snapshot and restore through ``state()``; a
    gap and a NaN do what was declared and harm nothing else; arrives whole in another process; no allocation
    growth over ``n_steps``.

    Parameters
    ----------
    factory : callable
        Makes the stage, unbound.
    spec : StreamSpec
        A stream it accepts; ``max_samples`` is raised to 20.
    n_samples : int
        Enough for several output rows.
    scale : float
        Standard deviation of the samples.

    Raises
    ------
    PluginError
        Naming the first promise broken.
    """
    spec = StreamSpec(**{**{f: getattr(spec, f) for f in spec.__slots__}, "max_samples": 20})
    X = (scale * np.random.default_rng(seed).standard_normal((n_samples, spec.n_channels))).astype(np.float32)
    _shapes(factory, spec, X)
    _time(factory, spec, X)
    _harm(factory, spec, X)
    _growth(factory, spec, X, n_steps)


def _bound(factory: Callable[[], Stage], spec: StreamSpec) -> tuple[Stage, StreamSpec]:
    stage = factory()
    return stage, stage.bind(spec)


def _shapes(factory: Callable[[], Stage], spec: StreamSpec, X: F32) -> None:
    stage, out_spec = _bound(factory, spec)
    require(stage.at_gap in ("reset", "hold", "mask"), stage, "at_gap says 'reset', 'hold' or 'mask'")
    held = stage.state()
    t: F64 = (1.0 + np.arange(20, dtype=np.float64)) / spec.rate_hz
    for i in range(0, len(X) - 19, 20):
        out = stage.step(Chunk(X[i : i + 20], t + i / spec.rate_hz, i / spec.rate_hz, i))
        if out is None:
            continue
        require(out.data.dtype == np.float32 and out.data.flags.c_contiguous, stage, "rows are C-order float32")
        require(out.data.shape[1] == out_spec.n_channels, stage, "rows have the promised number of channels")
        require(1 <= len(out) <= out_spec.max_samples, stage, "chunks hold 1 … max_samples rows")
        require(len(out.t) == len(out), stage, "every row has a time")
        require(
            bool(np.isin(out.t, t + i / spec.rate_hz).all()),
            stage,
            "a row's time is that of its newest sample",
        )
    require(
        all(a is b for a, b in zip(held, stage.state(), strict=True)),
        stage,
        "state() is always the same arrays",
    )


def _time(factory: Callable[[], Stage], spec: StreamSpec, X: F32) -> None:
    """Reset, chunking, snapshot, another process."""
    stage, out_spec = _bound(factory, spec)
    rate = spec.rate_hz
    t1, one = feed(stage, X, 1, rate)
    require(len(one) > 0, stage, f"{len(X)} samples make at least one row (raise n_samples?)")
    stage.reset()
    t20, twenty = feed(stage, X, 20, rate)
    at = np.searchsorted(t1, t20)
    whole = len(t1) == len(t20) or out_spec.rate_hz == 0
    require(whole and same(one[at], twenty), stage, "1 x 20 samples equal 20 x 1")
    stage.reset()
    require(same(feed(stage, X, 20, rate)[1], twenty), stage, "reset equals fresh")
    half = len(X) // 2 + 3
    stage.reset()
    feed(stage, X[:half], 20, rate)
    saved = snapshot(stage.state())
    _, rest = feed(stage, X, 20, rate, start=half)
    other, _ = _bound(lambda: spawned(factory()), spec)
    for s in (stage, other):
        restore(s.state(), saved)
        require(same(feed(s, X, 20, rate, start=half)[1], rest), stage, "state() restores everything")


def _harm(factory: Callable[[], Stage], spec: StreamSpec, X: F32) -> None:
    """Loss and NaN."""
    stage, _ = _bound(factory, spec)
    rate, lost = spec.rate_hz, range(len(X) // 3 + 1, len(X) // 3 + 8)
    t1, one = feed(stage, X, 1, rate, lost=lost)
    stage.reset()
    t20, twenty = feed(stage, X, 20, rate, lost=lost)
    require(same(one[np.searchsorted(t1, t20)], twenty), stage, "chunking does not change what follows a gap")
    if stage.at_gap == "reset":
        after = feed(factory_bound := _bound(factory, spec)[0], X, 20, rate, start=lost.stop)[1]
        require(same(after, twenty[-len(after) :]), factory_bound, "after a gap it is as fresh")
    stage.reset()
    _, clean = feed(stage, X, 20, rate)
    bad = X.copy()
    bad[len(X) // 3, 0] = np.nan
    stage.reset()
    _, dirty = feed(stage, bad, 20, rate)
    per = clean.shape[1] // spec.n_channels
    other = np.arange(clean.shape[1]) % spec.n_channels != 0 if per else slice(None)
    if getattr(stage, "mixes_channels", False):  # a common reference, say: the others change, but none is lost
        spared = same(np.isnan(clean[:, other]), np.isnan(dirty[:, other]))
        require(spared, stage, "a NaN does not spread to the others")
    else:
        require(same(clean[:, other], dirty[:, other]), stage, "a NaN in one channel does not touch the others")
    require(same(np.isnan(dirty[-1]), np.isnan(clean[-1])), stage, "a channel recovers from a NaN")
    require(all(np.isfinite(a).all() for a in stage.state()), stage, "a NaN does not stay in the state")


def _growth(factory: Callable[[], Stage], spec: StreamSpec, X: F32, n_steps: int) -> None:
    stage, _ = _bound(factory, spec)
    t = np.zeros(1)
    chunk = Chunk(X[:1], t, 0.0)
    for i in range(500):
        chunk.seq, t[0] = i, i / spec.rate_hz
        stage.step(chunk)
    require(growth(lambda i: _again(stage, chunk, 500 + i), n_steps) < GROWTH_BYTES, stage, "memory does not grow")


def _again(stage: Stage, chunk: Chunk, i: int) -> None:
    chunk.seq = i
    stage.step(chunk)


def growth(step: Callable[[int], object], n_steps: int) -> int:
    """Return the bytes ``n_steps`` calls of ``step(i)`` left behind."""
    tracemalloc.start()
    try:
        for i in range(100):
            step(i)
        before = tracemalloc.get_traced_memory()[0]
        for i in range(100, 100 + n_steps):
            step(i)
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
