"""Whole brains as the benchmark measures them, and blocks of their time."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bmi.signals import F64
from sim.brain.connectome import Connectome
from sim.component import Component

STRENGTH = 40.0
"""Mean sum of weights that reach a region of a generated connectome, as of the one that is read."""
BLOCK_MS = 1000
"""Of ours; a peer's is shorter where it is slower."""


def generated(n: int) -> Connectome:
    """Return a human connectome of ``n`` regions, as strong as the one that is read."""
    from sim.brain.generated import generated as made

    found = made(n=n, seed=1)
    return dataclasses.replace(found, weights=found.weights * STRENGTH / found.weights.sum(1).mean())


def network(model: str, connectome: Connectome, noisy: bool = True) -> Component:
    """Return the masses of ``model`` on ``connectome``: some regions beat, some have seizures, each is different."""
    from sim.brain.epileptor import Epileptor
    from sim.brain.jansen_rit import JansenRit
    from sim.brain.wong_wang import WongWang

    n = connectome.n
    if model == "jansen_rit":
        drive = tuple(np.linspace(100.0, 220.0, n))
        return JansenRit(connectome=connectome, drive_hz=drive, noise_hz=22.0 * noisy, dt_s=1e-4)
    if model == "wong_wang":
        return WongWang(connectome=connectome, gain=0.01, noise=0.01 * noisy, dt_s=1e-4)
    return Epileptor(
        connectome=connectome, gain=0.05, fast_gain=0.01, x0=tuple(np.linspace(-2.4, -1.5, n)), noise=0.02 * noisy,
        unit_s=1e-3, dt_s=5e-5,
    )  # fmt: skip


def state(network: Any) -> F64:
    """Return the variables of every region, (6, n) or of Wong and Wang (2, n), as peers have them: times in ms."""
    from sim.brain.epileptor import VARIABLES

    told = network.state()
    if "x" in told:
        return np.array(told["x"])
    if "dy" in told:
        return np.concatenate([told["y"], 1e-3 * told["dy"]]).reshape(6, -1)
    return np.stack([told[name] for name in VARIABLES])


def write(network: Any, path: Path) -> str:
    """Write a bound network for peers, at its beginning; return the path."""
    network.reset()
    connectome: Connectome = network.connectome
    names = ("gain", "fast_gain", "drive_hz", "noise_hz", "noise", "x0")
    arrays = {name: np.asarray(getattr(network, name)) for name in names if hasattr(network, name)}
    np.savez(
        path, weights=connectome.weights, lengths_mm=connectome.lengths_mm, speed_m_s=network.speed_m_s,
        dt_ms=network.dt_s * 1e3, start=state(network), **arrays,
    )  # fmt: skip
    return str(path)


def block(network: Any, ms: int = BLOCK_MS) -> F64:
    """Go on by ``ms``; return seconds of the processor and of the clock for a simulated second."""
    began, busy = time.perf_counter(), time.process_time()
    network.step(ms * round(1e-3 / network.dt_s))
    return np.array([time.process_time() - busy, time.perf_counter() - began]) * 1e3 / ms


def alternate(network: Any, theirs: Callable[[], F64], pairs: int) -> dict[str, Any]:
    """Return medians of both over ``pairs`` of blocks, and of their ratios, with the lowest and the highest."""
    found = np.array([[block(network), theirs()] for _ in range(pairs)])
    ratios = found[:, 1] / found[:, 0]
    ours, peer = np.median(found, axis=0)
    return {
        "ours_s": float(ours[0]), "ours_clock_s": float(ours[1]), "theirs_s": float(peer[0]),
        "theirs_clock_s": float(peer[1]), "pairs": pairs,
        "times": {"median": float(np.median(ratios[:, 0])), "low": float(ratios[:, 0].min()),
                  "high": float(ratios[:, 0].max())},
        "times_clock": float(np.median(ratios[:, 1])),
    }  # fmt: skip
