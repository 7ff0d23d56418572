"""Acceptance figures of electrical stimulation: the field of a point, limits that hold, and an axon beside a source."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from sim.validation import Check, Row, holds, near


def field() -> Iterator[Row]:
    """Yield the potential of 1 µA at 100 µm, by formula and by the matrix that stimulation uses."""
    from sim.fields import point_source_mv, transfer_mv_ua

    exact = 1e-6 / (4.0 * math.pi * 0.3 * 100e-6) * 1e3
    matrix = float(transfer_mv_ua(np.array([[60.0, 0.0, 80.0]]), np.zeros((1, 3)), radius_um=5.0)[0, 0])
    for way, v in (("formula", point_source_mv(1.0, 100.0)), ("transfer matrix", matrix)):
        yield near(
            "C7", f"1 µA at 100 µm, 0.3 S/m, {way}", exact, v, 1e-9, unit="mV", relative=True,
            source="V = I / (4 π σ r), identity",
        )  # fmt: skip


def _largest(passes: Callable[[float], bool], low: float, high: float) -> float:
    """Return where, between a value that passes and one that does not, the door closes."""
    while high - low > 1e-7 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if passes(middle) else (low, middle)
    return high


def limits() -> Iterator[Row]:
    """Yield where unbalanced charge and Shannon's k are refused, and what was put out then."""
    from sim.stimulation import Contact, Pulse, UnsafeStimulus
    from sim.stimulator import Stimulator

    def balanced(percent: float) -> bool:
        try:
            Pulse(amplitude_ua=-100.0, width_s=2e-4, second_ua=100.0 - percent, second_width_s=2e-4)
        except UnsafeStimulus:
            return False
        return True

    yield near(
        "C7", "charge that does not return is refused from", 1.0, _largest(balanced, 0.0, 50.0), 1e-5, unit="%",
        source="limit of models and of devices.md S14",
    )  # fmt: skip
    contact = Contact(area_cm2=0.06)
    put_out = []

    def admitted(amplitude: float) -> bool:
        stimulator = Stimulator(contact=contact, rate_hz=130.0, width_s=60e-6)
        stimulator.bind(1)
        stimulator.receive("amplitude_ua", np.array(-amplitude))
        try:
            stimulator.step(400)
        except UnsafeStimulus:
            put_out.append(int(stimulator.state()["step"][0]))
            return False
        return True

    k = contact.shannon_k(_largest(admitted, 1.0, 1e6) * 60e-6)
    yield near(
        "C7", "Shannon k is refused from, contact of 0.06 cm²", 1.5, k, 1e-5,
        source="Shannon (1992) IEEE Trans Biomed Eng 39:424, limit of the house",
    )  # fmt: skip
    yield holds(
        "C7", f"steps put out by {len(put_out)} refused settings", "0", str(sum(put_out)), sum(put_out) == 0,
        source="checked before output",
    )  # fmt: skip


CHECKS: tuple[Check, ...] = (
    Check("C7", "field of a point source", 0.1, field),
    Check("C7", "limits of stimulation", 0.2, limits),
)
