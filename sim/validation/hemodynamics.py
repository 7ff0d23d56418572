"""Acceptance figures of BOLD, S4."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from bmi.signals import F64
from sim.validation import Check, Row, between, holds, near, stored

if TYPE_CHECKING:
    from sim.sensors.bold import Hemodynamics

SOURCE = "recomputed from Friston, Harrison & Penny (2003) NeuroImage 19:1273, Euler 1 ms"
TRANSIENT_S = 30.0


def response(activity: F64, hemodynamics: str | Hemodynamics = "friston-2003", every_s: float = 0.01) -> F64:
    """Return the signal, % of rest, every ``every_s`` of ``activity`` (n_ms, n_regions)."""
    from sim.sensors.bold import BOLD

    labels = tuple(str(i) for i in range(activity.shape[1]))
    scanner = BOLD(labels=labels, hemodynamics=hemodynamics, tr_s=every_s)
    scanner.bind(0)
    return np.concatenate([scanner.take(block).copy() for block in activity.reshape(-1, 10, activity.shape[1])])


def pulse() -> Iterator[Row]:
    """Yield size and time of what a pulse of 1 s makes, and of what nothing makes."""
    activity = np.zeros((30_000, 2))
    activity[:1000, 0] = 1.0
    y, silent = response(activity).T
    t = (np.arange(len(y)) + 1) * 0.01
    top, low = int(y.argmax()), int(y.argmin())
    half = y[top] / 2.0
    crossing = np.flatnonzero((y[:-1] < half) != (y[1:] < half))[:2]
    ends = [t[k] + 0.01 * (half - y[k]) / (y[k + 1] - y[k]) for k in crossing]
    for what, target, value, tolerance, unit in (
        ("peak", 2.524, y[top], 0.001, "%"), ("time of the peak", 3.38, t[top], 0.01, "s"),
        ("undershoot", -0.563, y[low], 0.001, "%"), ("time of the undershoot", 9.58, t[low], 0.01, "s"),
        ("width at half of the peak", 4.21, ends[1] - ends[0], 0.01, "s"),
    ):  # fmt: skip
        yield near("S4", f"pulse of 1 s: {what}", target, float(value), tolerance, unit=unit, source=SOURCE)
    largest = float(np.abs(silent).max())
    yield holds("S4", "no activity for 30 s: largest signal", "0", f"{largest:g} %", largest == 0.0, source="identity")


def peers() -> Iterator[Row]:
    """Yield the distance from TVB's balloon and from neurolib's, the latter after its transient."""
    from sim.sensors.bold import STEPHAN_3T, at_field

    tvb, neurolib = stored("tvb_bold"), stored("neurolib_bold")
    activity = np.zeros((1000 * int(tvb.arrays["seconds"]), 1))
    activity[:1000] = 1.0
    older = at_field(offset_hz=40.3, relaxation_hz=25.0, echo_s=0.04, ratio=1.43)
    for what, parameters, theirs in (("1.5 T", older, tvb.arrays["t15"]), ("3 T", STEPHAN_3T, tvb.arrays["t3"])):
        ours = response(activity, parameters, 0.1)[:, 0]
        yield between(
            "S4", f"Stephan 2007 at {what}, pulse of 1 s: largest difference over the peak", -math.inf, 0.01,
            float(np.abs(ours - 100.0 * theirs).max() / np.abs(100.0 * theirs).max()), source=tvb.source,
        )  # fmt: skip
    a = neurolib.arrays
    t = np.arange(1000 * int(a["seconds"])) / 1000.0
    waves = 1.0 + np.sin(2 * np.pi * a["frequencies_hz"][:, None] * t)
    activity = (0.3 * np.repeat(a["slow"], 500, axis=1) + 0.1 * waves).T
    ours = response(activity, "friston-2003", 0.5)
    after = np.arange(1, len(ours) + 1) * 0.5 > TRANSIENT_S
    theirs = 100.0 * a["bold"]
    yield between(
        "S4", f"fluctuating activity, after {TRANSIENT_S:g} s: largest difference over the range", -math.inf, 0.01,
        float(np.abs(ours - theirs)[after].max() / np.ptp(theirs[after])), source=neurolib.source,
    )  # fmt: skip


CHECKS: tuple[Check, ...] = (
    Check("S4", "response to a pulse, and to nothing", 0.5, pulse),
    Check("S4", "against other balloons", 1.0, peers),
)
