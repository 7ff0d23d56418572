"""One patient, three senses: what spikes, field potentials and EEG of the same motor cortex say of its intentions.

The patient reaches under control of its spikes; beside that, the velocity it intends is read from each sense alone by
ridge regression, fitted on the first half of the session and scored on the second. Chance is what the same gives when
intention and record are shifted against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bmi.signals import F64, AnyArray
from sim.stories.session import LIGHT, lived, recipe

NAME = "patient_center_out"
BIN_S, LAGS_S = 0.02, (0.0, 0.04, 0.08, 0.12, 0.16, 0.2)
BAND_HZ = (0.3, 5.0)
"""Of fields: slow potentials follow how strongly neurons near an electrode are driven."""
SENSES: Mapping[str, tuple[str, float]] = {"spikes": ("spikes", 1000.0), "LFP": ("lfp", 1000.0), "EEG": ("eeg", 500.0)}
SECONDS = 100.0
SHIFTS = 20
PENALTIES = (1.0, 10.0, 100.0, 1000.0)


def features(x: AnyArray, rate_hz: float, band_hz: tuple[float, float] | None) -> F64:
    """Return lagged means over 20 ms of channels x (n, n_channels), filtered causally, each of unit variance."""
    from scipy.signal import butter, lfilter

    if band_hz is not None:
        x = lfilter(*butter(1, band_hz, "band", fs=rate_hz), x, axis=0)
    per = round(BIN_S * rate_hz)
    binned = x[: len(x) // per * per].reshape(-1, per, x.shape[1]).mean(axis=1)
    lagged = [np.roll(binned, round(lag / BIN_S), axis=0) for lag in LAGS_S]
    found: F64 = np.concatenate(lagged, axis=1).astype(np.float64)
    return (found - found.mean(axis=0)) / (found.std(axis=0) + 1e-12)


def correlation(X: F64, Y: F64) -> float:
    """Return how well Y (n, n_dims) of the second half is read from X, fitted on the first: mean correlation.

    The penalty is the one under which the second quarter is read best from the first.
    """
    n = len(X)

    def fitted(part: slice, penalty: float) -> F64:
        A, B = X[part], Y[part] - Y[part].mean(axis=0)
        return np.asarray(np.linalg.solve(A.T @ A + penalty * np.eye(A.shape[1]), A.T @ B))

    def score(W: F64, part: slice) -> float:
        read = X[part] @ W
        return float(np.mean([np.corrcoef(read[:, d], Y[part, d])[0, 1] for d in range(Y.shape[1])]))

    quarter, half = slice(0, n // 4), slice(0, n // 2)
    best = max(PENALTIES, key=lambda p: score(fitted(quarter, p), slice(n // 4, n // 2)))
    return score(fitted(half, best), slice(n // 2, n))


def live(seed: int, share: float = 1.0) -> dict[str, Any]:
    """Let one participant reach; read its intention from every sense."""
    raw = recipe(NAME, seed, patient=LIGHT)
    raw["blocks"][1] = {"name": "reach", "seconds": SECONDS * share, "scored": True, "rest_s": 0.5}
    found = lived(raw, ("vigour", *(output for output, _ in SENSES.values())))
    first = round(raw["blocks"][0]["seconds"] / 0.01)
    wanted = found.truth["vigour"][first:].astype(np.float64)
    Y = wanted[: len(wanted) // 2 * 2].reshape(-1, 2, wanted.shape[1]).mean(axis=1)
    rng = np.random.default_rng(seed)
    told: dict[str, Any] = {"success": float(found.run.summary["success_rate"])}
    for sense, (output, rate) in SENSES.items():
        x = found.truth[output][round(first * 0.01 * rate) :]
        X = features(x, rate, None if sense == "spikes" else BAND_HZ)[: len(Y)]
        shifts = rng.integers(len(Y) // 10, len(Y) - len(Y) // 10, SHIFTS)
        null = [correlation(X, np.roll(Y, int(s), axis=0)) for s in shifts]
        told[sense] = {"r": correlation(X, Y), "chance": float(np.quantile(null, 0.95)), "null": float(np.mean(null))}
    return told


def tell(found: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    """Put seeds together: (n_senses, n_seeds) lists."""
    keys = ("r", "chance", "null")
    told = {k: [[s[sense][k] for s in found.values()] for sense in SENSES] for k in keys}
    return {"conditions": list(SENSES), "success": [s["success"] for s in found.values()], **told}


def said(told: Mapping[str, Any]) -> str:
    """Say in a line what was found."""
    from sim.stories import interval

    each = []
    for sense, r, chance in zip(told["conditions"], told["r"], told["chance"], strict=True):
        above = sum(a > b for a, b in zip(r, chance, strict=True))
        each.append(f"{sense} {interval(r)}, above chance in {above} of {len(r)}")
    return f"Correlation of the velocity read with the one intended: {'; '.join(each)}"
