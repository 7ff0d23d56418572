"""One decoder, three patients: calibrated in health, then used in health, in Parkinson's disease, and treated.

The decoder is frozen, so whatever changes is the patient: loss of dopamine makes the thalamus a worse relay, less of
what is intended reaches the motor cortex, and the cursor slows; adaptive stimulation gives the relay back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sim.stories.session import calibrated, frozen, lived, recipe, temporary, untreated

CONDITIONS = ("healthy", "parkinson", "parkinson + aDBS")
SECONDS = 60.0
NAME = "adaptive_dbs"


def live(seed: int, share: float = 1.0) -> dict[str, Any]:
    """Run the three patients of one seed."""
    light = {"probes": None}
    params, n = calibrated(recipe(NAME, seed, patient=light, theta={}))
    told: dict[str, Any] = {}
    for condition in CONDITIONS:
        theta = {} if condition == "healthy" else {"dopamine_loss": 1.0}
        with temporary() as folder:
            raw = frozen(recipe(NAME, seed, patient=light, theta=theta), params, n, SECONDS * share, folder)
            found = lived(raw if condition == CONDITIONS[2] else untreated(raw), ("fidelity",))
        summary = found.run.summary
        scored = found.truth["fidelity"][1000:]
        told[condition] = {
            "bits_s": float(summary["bits_s"] or 0.0),
            "success": float(summary["success_rate"]),
            "acquisition_s": float(summary["acquisition_s"] or np.nan),
            "fidelity": float(scored.mean()),
            "time_on": float((found.amplitude_ma[1000:] > 0.0).mean()),
            "path": found.position_mm[1000:3000:2].round(1).tolist(),
        }
    return told


def tell(found: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    """Put seeds together: (n_conditions, n_seeds) lists, and the cursor's way in the first seed."""
    told: dict[str, Any] = {"conditions": list(CONDITIONS)}
    for key in ("bits_s", "success", "acquisition_s", "fidelity", "time_on"):
        told[key] = [[seed[c][key] for seed in found.values()] for c in CONDITIONS]
    first = next(iter(found.values()))
    told["traces"] = {c: first[c]["path"] for c in CONDITIONS}
    return told


def said(told: Mapping[str, Any]) -> str:
    """Say in a line what was found."""
    from sim.stories import interval

    each = [f"{c} {interval(b)}" for c, b in zip(told["conditions"], told["bits_s"], strict=True)]
    return f"Throughput, bits/s: {'; '.join(each)}"
