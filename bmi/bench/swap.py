"""What it costs the live lane that its decoder's parameters are exchanged between two steps, and whether any are torn.

A publisher process offers new parameters through the real slots as fast as they are taken; the consumer steps a real
Kalman filter once a millisecond as the lane does, pinned and with SCHED_FIFO where permitted. Blocks with a swap after
every step alternate with blocks without, so that whatever else the machine does falls on both.

Torn parameters would be caught twice: by the checksum in the slot, and by an identity the consumer checks that knows
nothing of it (every value of version *k* is the base value times a factor that follows from *k*).
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bmi import registry
from bmi.contracts import Decoder
from bmi.control import Control, Word
from bmi.params import flatten, unflatten
from bmi.process import ordinary, real_time
from bmi.signals import F64, Chunk, StreamSpec
from bmi.slots import Slots

PERIOD_S = 0.001
_LEVELS = 1024


def factor(version: int) -> float:
    """Return what the parameters of a version are multiplied with: exact in binary, and no two neighbours alike."""
    return 1.0 + (version % _LEVELS) / 2**30


def bench_swap(
    swaps: int = 10_000, blocks: int = 100, *, n_states: int = 10, n_channels: int = 256, q: str = "full", seed: int = 0
) -> dict[str, Any]:
    """Step at 1 kHz, with and without a swap after every step.

    Parameters
    ----------
    swaps : int
        Exchanges in all; a step whose publisher was not ready in time has none, and is followed by more steps.
    blocks : int
        Blocks of either kind, alternating in random order; many short ones, so that what else goes on falls on both.
    q : ``full`` or ``diagonal``
        Encoding noise of the filter: the full one has n_channels squared values more to exchange.

    Returns
    -------
    dict
        ``step_us`` with and without swaps (p50, p99, p99.9, max); ``p99_ratio`` with its 95 % interval (bootstrap over
        pairs of blocks); ``swap_us``; ``torn`` and ``rejected``, both to be 0.
    """
    rng = np.random.default_rng(seed)
    decoder = _fitted(n_states, n_channels, q, rng)
    base = flatten(decoder.params_)
    with tempfile.TemporaryDirectory(prefix="bmi-swap-") as name:
        folder = Path(name)
        np.save(folder / "base.npy", base)
        control = Control.create(folder / "control")
        slots = Slots.create(folder / "params.slots", len(base), initial=base)
        control.set(Word.PAUSE, 1)
        publisher = subprocess.Popen([sys.executable, "-m", "bmi.bench.swap", name])
        affinity = os.sched_getaffinity(0)
        try:
            while not control.get(Word.LEARNER_PID):
                if publisher.poll() is not None:
                    raise RuntimeError("the publisher ended early")
                time.sleep(0.01)
            said = real_time(None, True)
            gc.collect()
            gc.disable()
            out = _run(decoder, base, slots, control, swaps, blocks, rng)
        finally:
            control.set(Word.QUIT, 1)
            gc.enable()
            ordinary()
            os.sched_setaffinity(0, affinity)
            publisher.wait(10.0)
    return {"n_states": n_states, "n_channels": n_channels, "q": q, "values": len(base), "scheduling": said, **out}


def _fitted(n_states: int, n_channels: int, q: str, rng: np.random.Generator) -> Decoder:
    """Return a bound filter of position and velocity."""
    d = n_states // 2
    X = np.cumsum(rng.standard_normal((1500, d)), axis=0)
    X -= X.mean(0)
    Y = 4.0 + X @ (0.02 * rng.standard_normal((d, n_channels))) + rng.standard_normal((len(X), n_channels))
    decoder: Decoder = registry.load("decoders", "kalman")(states="position-velocity", n_dims=d, q=q)
    decoder.fit(Y, X, dt_s=0.02)
    decoder.bind([StreamSpec(name="bench", n_channels=n_channels, rate_hz=50.0, unit="count")])
    return decoder


def _run(
    decoder: Decoder, base: F64, slots: Slots, control: Control, swaps: int, blocks: int, rng: np.random.Generator
) -> dict[str, Any]:
    per_block = -(-swaps // blocks)
    rows = rng.poisson(4.0, (512, decoder.y_.size)).astype(np.float32)
    bundles = [(Chunk(rows[i : i + 1], np.zeros(1), 0.0),) for i in range(len(rows))]
    taken: dict[bool, list[F64]] = {False: [], True: []}
    swap_ns: list[int] = []
    torn = n_swaps = 0
    for _ in range(blocks):
        for swapping in rng.permutation([False, True]):
            control.set(Word.PAUSE, int(not swapping))
            steps, done, k = [], 0, 0
            t = time.perf_counter() + 0.02
            while (done if swapping else k) < per_block and k < 20 * per_block:
                t = _wait(t)
                start = time.perf_counter_ns()
                decoder.step(bundles[k % len(bundles)])
                end = time.perf_counter_ns()
                steps.append(end - start)
                k += 1
                if not slots.poll():
                    continue
                got = slots.take()
                if got is not None:
                    version, vector = got
                    decoder.params_ = unflatten(decoder.params_, vector)
                    decoder.params_version = version
                    swap_ns.append(time.perf_counter_ns() - end)
                    torn += not np.array_equal(vector, base * factor(version))
                    done += 1
            taken[bool(swapping)].append(np.array(steps) / 1e3)
            n_swaps += done if swapping else 0
    return {
        "blocks": blocks,
        "swaps": n_swaps,
        "steps": sum(map(len, taken[True])) + sum(map(len, taken[False])),
        "torn": torn,
        "rejected": slots.rejected,
        "step_us": {"without": _quantiles(taken[False]), "with": _quantiles(taken[True])},
        "swap_us": _quantiles([np.array(swap_ns) / 1e3]),
        "p99_ratio": _ratio(taken[False], taken[True], rng),
    }


def _wait(t: float) -> float:
    """Sleep until the next period; return when that is."""
    t += PERIOD_S
    left = t - time.perf_counter()
    if left > 0:
        time.sleep(left)
        return t
    return time.perf_counter()  # late: the past is not made up for


def _quantiles(blocks: list[F64]) -> dict[str, float]:
    x = np.concatenate(blocks) if blocks else np.zeros(0)
    if not x.size:
        return {}
    p50, p99, p999 = np.percentile(x, [50, 99, 99.9])
    return {"p50": float(p50), "p99": float(p99), "p99.9": float(p999), "max": float(x.max()), "n": len(x)}


def _ratio(without: list[F64], with_: list[F64], rng: np.random.Generator, n: int = 1000) -> dict[str, float]:
    """Return p99 with swaps over p99 without, and its interval over pairs of blocks."""
    draws = []
    for _ in range(n):
        pick = rng.integers(len(without), size=len(without))
        a, b = (np.percentile(np.concatenate([blocks[i] for i in pick]), 99) for blocks in (without, with_))
        draws.append(b / a)
    value = np.percentile(np.concatenate(with_), 99) / np.percentile(np.concatenate(without), 99)
    low, high = np.percentile(draws, [2.5, 97.5])
    return {"value": float(value), "low": float(low), "high": float(high)}


def publish(folder: Path) -> None:
    """Offer version after version while not paused, until QUIT: the learner's side, in a process of its own."""
    control, slots = Control.open(folder / "control"), Slots.open(folder / "params.slots")
    base = np.load(folder / "base.npy", allow_pickle=False)
    version, allowed = 1, os.sched_getaffinity(0)
    if len(allowed) > 1:
        os.sched_setaffinity(0, allowed - {max(allowed)})  # the lane's processor is the lane's
    vector = base * factor(version)
    control.set(Word.LEARNER_PID, os.getpid())
    while not control.get(Word.QUIT):
        if not control.get(Word.PAUSE) and slots.publish(vector, version):
            version += 1
            vector = base * factor(version)
        else:
            time.sleep(0.0001)


if __name__ == "__main__":
    publish(Path(sys.argv[1]))
