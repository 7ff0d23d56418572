"""Simulated participants for the benches of adaptation: their sessions, their first decoders, and lies about them."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bmi import registry
from bmi.contracts import Intention, Params, TrialResult
from bmi.params import save
from bmi.recipe import Recipe, build
from bmi.reservoir import Shadow
from bmi.signals import F64
from bmi.simulate import simulate

N_NEURONS, BIN_S = 96, 0.02

RAW: dict[str, Any] = {
    "session": {"name": "adaptation"},
    "task": {"use": "centre-out", "centre_trials": True},
    "world": {"use": "population", "n_neurons": N_NEURONS, "chunk_s": BIN_S},
    "sources": [{"use": "lsl", "name": "m1", "type": "spikes", "unit": "count"}],
    "stages": [{"use": "bin", "bin_s": BIN_S}],
    "decoder": {"use": "kalman"},
    "device": {"use": "cursor"},
}


def recipe(seed: int, blocks: Sequence[Mapping[str, Any]], params: Path | None = None, **parts: Any) -> Recipe:
    """Return the recipe of one participant; ``learner`` and ``assist`` go where they belong."""
    raw = copy.deepcopy(RAW) | {"blocks": [dict(b) for b in blocks]}
    raw["session"]["seed"] = raw["world"]["subject"] = seed
    raw["decoder"] |= {"params": str(params)} if params is not None else {}
    raw["decoder"] |= {"learner": parts.pop("learner")} if "learner" in parts else {}
    return build(raw | parts, "bench adaptation")


def keep(folder: str, params: Params) -> Path:
    """Save parameters where a recipe can name them."""
    return save(Path(folder) / "params.safetensors", "kalman", params, {"n_features": N_NEURONS})


def times(results: Sequence[TrialResult]) -> F64:
    """Return acquisition times, s; a target not acquired counts with its time-out."""
    return np.array([r.acquire_s for r in results])


def observed(seed: int, speed: float, gain: float) -> tuple[Params, float, float]:
    """Fit the first decoder as a laboratory does: the participant watches a cursor that moves by itself.

    Two minutes of observation; labels are the cursor's own velocity; every bin counts, rests included. The lag
    between them and the neurons (reaction, sight, conduction) is the one under which a filter fitted on the first
    half decodes the second best.

    Returns
    -------
    params
    lag_s : float
    r2 : float
        Of the velocity in the second half.
    """
    block = {"name": "observe", "seconds": 120, "assist": [1.0, 1.0]}
    assist = {"speed_mm_s": speed, "gain_1_s": gain}
    watched = simulate(recipe(seed, [block], learner={"use": "smoothbatch"}, assist=assist), keep_features=True)
    assert watched.features is not None  # noqa: S101 - it was asked for, and there is a learner
    rows = watched.features
    velocity = np.diff(rows["position"], axis=0) / BIN_S
    kalman = registry.load("decoders", "kalman")
    shadow = Shadow(watched.decoder, N_NEURONS, velocity.shape[1], BIN_S)
    best, half = (-math.inf, 0), len(velocity) // 2
    for lag in range(round(0.5 / BIN_S)):
        Y, X = rows["y"][lag:-1], velocity[: len(velocity) - lag]
        params = kalman().fit(Y[:half], X[:half], dt_s=BIN_S).params_
        decoded = shadow.decode(params, rows[lag:-1][half:])[0]
        rest, spread = X[half:] - decoded, X[half:] - X[half:].mean(axis=0)
        best = max(best, (1.0 - float((rest**2).sum() / (spread**2).sum()), lag))
    r2, lag = best
    fitted = kalman().fit(rows["y"][lag:-1], velocity[: len(velocity) - lag], dt_s=BIN_S)
    return fitted.params_, lag * BIN_S, r2


def random_params(seed: int) -> Params:
    """Return a Kalman filter that moves, of an encoder drawn at random: right size, wrong everything else.

    Intended velocities with a deviation of 75 mm/s that forget within 0.3 s, features around 0.2 counts a bin with
    as much variance, modulated as strongly as the simulated neurons are by their median.
    """
    rng = np.random.default_rng([seed, 1])
    v = np.zeros((6000, 2))
    decay = math.exp(-BIN_S / 0.3)
    for i in range(1, len(v)):
        v[i] = decay * v[i - 1] + 75.0 * math.sqrt(1 - decay**2) * rng.standard_normal(2)
    depth = 7.0 * BIN_S / 200.0
    encoder = depth * math.sqrt(2) * rng.standard_normal((2, N_NEURONS)) / math.sqrt(2)
    noise = math.sqrt(0.2) * rng.standard_normal((len(v), N_NEURONS))
    params: Params = registry.load("decoders", "kalman")().fit(0.2 + v @ encoder + noise, v, dt_s=BIN_S).params_
    return params


class Poisoned:
    """An estimator of intentions that turns bad when told to.

    Parameters
    ----------
    kind : str
        ``flipped``, ``permuted`` (labels of other moments), ``constant``, ``nan``.
    seed : int
    """

    def __init__(self, kind: str, seed: int) -> None:
        self.kind, self.on = kind, False
        self._rng = np.random.default_rng([seed, 2])
        self._honest: Intention = registry.load("intentions", "goal-directed")()
        self._past: list[F64] = []

    def bind(self, n_dims: int) -> None:
        """Prepare the honest estimator behind it."""
        self._honest.bind(n_dims)

    def estimate(self, goal: F64, radius: float, position: F64, decoded: F64, out: F64) -> F64:
        """Write the intended velocity, or a lie, into ``out`` and return it."""
        self._honest.estimate(goal, radius, position, decoded, out)
        if not self.on:
            self._past.append(out.copy())
        elif self.kind == "permuted":
            out[:] = self._past[int(self._rng.integers(len(self._past)))]
        else:
            lies = {"flipped": -out, "constant": np.full_like(out, 80.0), "nan": np.full_like(out, math.nan)}
            out[:] = lies[self.kind]
        return out

    def follow(self, block: str, share: float) -> None:
        """Turn bad in the block of that name; it begins with a rest longer than the news take."""
        self.on = block == "poisoned"
