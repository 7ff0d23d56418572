"""From a molecule to a command: sodium channels, fast-spiking cells, circuit, focus, scalp, detector, pulse.

The same seeds are lived through with and without the stimulator; patients whose channels are whole, stimulator ready,
and the ill between their seizures tell how often it fires for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bmi.signals import AnyArray
from sim.stories.session import LIGHT, lived, recipe, untreated

NAME = "molecule_to_command"
SMOOTH_S, SEIZING, APART_S, LEAST_S = 0.5, 0.2, 1.0, 0.3
"""A seizure is where the focus's level, averaged so long, is beyond this; bouts less apart are one."""
CHANNEL = 43
"""T10, over the focus."""
QUIET_S = 360.0
NEAR_S = 0.5
"""A train within this of a seizure answers it; any other is false, in the ill and in the healthy."""


def seizures(level: AnyArray, dt_s: float = 0.01) -> list[tuple[float, float]]:
    """Return begin and end, s, of every seizure in how far a focus seizes (n,)."""
    n = round(SMOOTH_S / dt_s)
    smooth = np.convolve(level, np.ones(n) / n, "same")
    on = np.concatenate([[0], (smooth > SEIZING).astype(int), [0]])
    begins, ends = (np.flatnonzero(np.diff(on) == s) * dt_s for s in (1, -1))
    found: list[tuple[float, float]] = []
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        if found and begin - found[-1][1] < APART_S:
            found[-1] = (found[-1][0], end)
        else:
            found.append((begin, end))
    return [s for s in found if s[1] - s[0] >= LEAST_S]


def live(seed: int, share: float = 1.0) -> dict[str, Any]:
    """Run one seed: ill without and with the stimulator, and healthy with it."""
    told: dict[str, Any] = {}
    for name in ("without", "with"):
        raw = recipe(NAME, seed, patient=LIGHT)
        raw["blocks"][1]["seconds"] *= share
        found = lived(untreated(raw) if name == "without" else raw, ("seizing", "x0", "rates", "eeg"))
        level = found.truth["seizing"][:, 0]
        onsets = np.flatnonzero(np.diff((found.amplitude_ma > 0.0).astype(int)) == 1) * 0.01
        told[name] = {
            "seizures": seizures(level), "pulses_s": onsets.tolist(), "seconds": 0.01 * len(level),
            "success": float(found.run.summary["success_rate"] or 0.0),
            "x0": found.truth["x0"][::50].round(3).tolist(), "rates_hz": found.truth["rates"][::50].round(1).tolist(),
            "eeg_uv": found.truth["eeg"][::4, CHANNEL].round(1).tolist(),
            "level": level[::5].round(2).tolist(), "amplitude_ma": found.amplitude_ma[::5].round(2).tolist(),
        }  # fmt: skip
    raw = recipe(NAME, seed, patient=LIGHT, theta={}, theta_from_s=0.0)
    raw["blocks"][1]["seconds"] = QUIET_S * share
    quiet = lived(raw, ("seizing",))
    fired = np.flatnonzero(np.diff((quiet.amplitude_ma > 0.0).astype(int)) == 1)
    told["healthy"] = {"false": len(fired), "seconds": 0.01 * len(quiet.amplitude_ma),
                       "seizures": seizures(quiet.truth["seizing"][:, 0])}  # fmt: skip
    return told


def tell(found: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    """Put seeds together: durations, delays, share of seizures shortened to half, false triggers an hour."""
    natural, aborted, delays, halved = [], [], [], []
    between = healthy_s = ill_s = 0.0
    for seed in found.values():
        own = [e - b for b, e in seed["without"]["seizures"] if e < seed["without"]["seconds"] - 0.5]
        bouts = seed["with"]["seizures"]
        natural.append(own)
        aborted.append([e - b for b, e in bouts])
        usual = float(np.mean(own)) if own else np.nan
        halved += [float(e - b <= 0.5 * usual) for b, e in bouts]
        for begin, end in bouts:
            first = [t for t in seed["with"]["pulses_s"] if begin - NEAR_S <= t <= end + NEAR_S]
            delays.append(first[0] - begin if first else np.nan)
        near = [(b - NEAR_S, e + NEAR_S) for b, e in bouts]
        between += sum(not any(b <= t <= e for b, e in near) for t in seed["with"]["pulses_s"])
        ill_s += seed["with"]["seconds"] - sum(e - b for b, e in near)
        healthy_s += seed["healthy"]["seconds"]
    false = between + sum(seed["healthy"]["false"] for seed in found.values())
    hours = (healthy_s + ill_s) / 3600.0
    first = next(iter(found.values()))
    return {
        "nav11": 0.65, "natural_s": natural, "aborted_s": aborted, "delays_s": delays,
        "halved": float(np.mean(halved)) if halved else None, "n_seizures": len(halved),
        "false_per_hour": false / hours, "hours_without_seizure": hours, "healthy_hours": healthy_s / 3600.0,
        "between_seizures": int(between),
        "success": [[seed[k]["success"] for seed in found.values()] for k in ("without", "with")],
        "example": {k: {x: first[k][x] for x in ("eeg_uv", "level", "amplitude_ma", "x0", "rates_hz", "seizures",
                                                 "pulses_s")} for k in ("without", "with")},
    }  # fmt: skip


def said(told: Mapping[str, Any]) -> str:
    """Say in a line what was found."""
    if told["halved"] is None:
        return "No seizure was met; give it more seeds or longer sessions"
    return (
        f"{100 * told['halved']:.0f} % of {told['n_seizures']} seizures shortened to half or less; "
        f"{told['false_per_hour']:.2g} false triggers an hour in {told['hours_without_seizure']:.2g} seizure-free "
        f"hours, {told['healthy_hours']:.2g} of them healthy"
    )
