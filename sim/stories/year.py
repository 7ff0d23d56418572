"""A year in ten minutes: the implant ages while the decoder stays as it was calibrated.

Patient days pass at 0.6 a second. Spikes shrink, electrodes grow noisy and die, neurons are replaced by others: the
decoder's map of the brain grows wrong week by week.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from bmi.simulate import T0
from sim.disease.options import timeline
from sim.patient.patient import Patient
from sim.stories.session import LIGHT, lived, recipe

NAME = "year_in_ten_minutes"
EVERY_DAYS = 30.0


def live(seed: int, share: float = 1.0) -> dict[str, Any]:
    """Live through a year of one seed, or the first part of it."""
    raw = recipe(NAME, seed, patient=LIGHT)
    raw["blocks"][1]["seconds"] *= share
    found = lived(raw, ("spikes",))
    per_s = raw["world"]["days_per_s"]
    begins = raw["blocks"][0]["seconds"]
    trials = [r for r in found.run.score.results() if r.t_start_s - T0 >= begins]
    days = np.array([(r.t_start_s - T0) * per_s for r in trials])
    won = np.array([float(r.success) for r in trials])
    took = np.array([r.acquire_s for r in trials])
    spikes = found.truth["spikes"]
    counts = spikes[: len(spikes) // 1000 * 1000].reshape(-1, 1000, spikes.shape[1]).sum(axis=1)
    edges = np.arange(EVERY_DAYS * np.ceil(begins * per_s / EVERY_DAYS), days.max() + EVERY_DAYS, EVERY_DAYS)
    rows = []
    for low, high in pairwise(edges):
        here = (days >= low) & (days < high)
        seconds = counts[int(low / per_s) : int(high / per_s)]
        if here.sum() >= 2 and len(seconds):
            rows.append((0.5 * (low + high), won[here].mean(), won[here].sum() / took[here].sum(), seconds.mean()))
    return {"rows": np.array(rows).tolist(), "summary": {"success": float(won.mean()), "n_trials": len(won)}}


def tell(found: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    """Put seeds together: days, and for each (n_seeds, n_days) lists."""
    n = min(len(seed["rows"]) for seed in found.values())
    rows = np.array([seed["rows"][:n] for seed in found.values()])
    days = rows[0, :, 0]
    patient = Patient(ganglia=None, probes=None)
    patient.bind(0)
    theta = timeline("ageing", patient.brain.connectome_).table(days)
    moved = {k: v.tolist() for k, v in theta.items() if v.ndim == 1 and np.ptp(v) > 0.0}
    return {
        "days": days.tolist(), "success": rows[:, :, 1].tolist(), "targets_per_s": rows[:, :, 2].tolist(),
        "yield": rows[:, :, 3].tolist(), "theta": moved, "events": [[30.0, "the implant begins to age"]],
    }  # fmt: skip


def said(told: Mapping[str, Any]) -> str:
    """Say in a line what was found."""
    from sim.stories import interval

    success = np.array(told["success"])
    first, last = interval(success[:, 0].tolist()), interval(success[:, -1].tolist())
    return f"Targets reached: {first} around day {told['days'][0]:g}, {last} around day {told['days'][-1]:g}"
