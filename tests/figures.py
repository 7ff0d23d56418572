"""What tests measured, kept so that a run of the full-count bars ends with the figures and not only with dots."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import ArrayLike

FIGURES: dict[tuple[str, str], list[float]] = {}
"""By test, without its parameters, and by what it is."""


def measured(what: str, values: ArrayLike) -> None:
    """Keep figures of the test that runs; ``what`` names them and their unit."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition("::")[2].partition("[")[0].partition(" ")[0]
    FIGURES.setdefault((test, what), []).extend(np.ravel(values).tolist())


def told() -> list[str]:
    """Return a line a figure: least, median and most of it, how many there were, and the test."""
    lines = []
    for (test, what), values in FIGURES.items():
        low, mid, high = np.percentile(values, [0, 50, 100])
        lines.append(f"{what:26} {low:10.4g} {mid:10.4g} {high:10.4g} {len(values):6}  {test}")
    return lines
