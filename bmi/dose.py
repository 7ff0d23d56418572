"""What a therapy came to: how long, how much and how often it stimulated, added up from its own journal."""

from __future__ import annotations

from typing import Any

import numpy as np

from bmi.limits import DEADMAN_S
from bmi.signals import AnyArray, GateState
from bmi.therapy import Therapy


class Dose:
    """What a therapy came to, added up from its records since it was first armed.

    Parameters
    ----------
    therapy : Therapy
        Whose program and site it is; need not be bound.
    """

    def __init__(self, therapy: Therapy) -> None:
        self._therapy = therapy
        self._seconds = self._on = self._amplitude = self._square = 0.0  # integrals over time
        self._n = {"onsets": 0, "trips": 0, "stops": 0, "commands": 0}
        self._last: AnyArray | None = None
        self._age_s = self._slowest_ns = 0.0

    def take(self, rows: AnyArray) -> None:
        """Take new records, in order."""
        if self._last is None:
            rows = rows[np.argmax(rows["arm_word"] != 0) :] if rows["arm_word"].any() else rows[:0]
        if not len(rows):
            return
        if self._last is not None:
            rows = np.concatenate([self._last, rows])
        gap = np.diff(rows["now"])
        held = np.minimum(gap, DEADMAN_S)  # nothing is held longer, also where records are missing
        on, state = rows["applied"], rows["gate_state"]
        self._seconds += float(gap.sum())
        self._on += float(held[on[:-1] > 0.0].sum())
        self._amplitude += float(held @ on[:-1])
        self._square += float(held @ on[:-1] ** 2)
        new = slice(0 if self._last is None else 1, None)
        sent = rows[new][rows[new]["command_seq"] >= 0]
        self._n["commands"] += len(sent)
        self._n["onsets"] += int(((on[1:] > 0.0) & (on[:-1] == 0.0)).sum())
        for name, which in (("trips", GateState.TRIPPED), ("stops", GateState.STOPPED)):
            self._n[name] += int(((state[1:] == which) & (state[:-1] != which)).sum())
        live = sent[sent["command"] > 0.0]
        if len(live):
            age = live["t_written"] - np.minimum(live["t"], live["t_arrival"])
            self._age_s = max(self._age_s, float(age.max()))
            self._slowest_ns = max(self._slowest_ns, float(live["step_ns"].max()))
        self._last = rows[-1:].copy()

    @property
    def on_share(self) -> float:
        """Share of the time with current, 0 to 1."""
        return self._on / self._seconds if self._seconds > 0.0 else 0.0

    def as_dict(self, *, live: bool) -> dict[str, Any]:
        """Return plain values for JSON; ``live`` with what took time, which in lock-step nothing does."""
        therapy, device = self._therapy, self._therapy.device
        program, impedance = therapy.program, getattr(device, "impedance_ohm", None)
        return {
            "source": therapy.source,
            "site": therapy.site,
            "seconds": round(self._seconds, 3),
            "on_percent": 100.0 * self.on_share,
            "mean_ma": self._amplitude / self._seconds if self._seconds > 0.0 else 0.0,
            "mean_on_ma": self._amplitude / self._on if self._on > 0.0 else 0.0,
            **self._n,
            "pulses": round(self._on * program.frequency_hz),
            "charge_uc": self._amplitude * program.charge_uc(1.0) * program.frequency_hz,
            "energy_uj": self._square * program.power_uw(1.0, impedance) if impedance is not None else None,
            **({"age_max_ms": 1e3 * self._age_s, "step_max_us": 1e-3 * self._slowest_ns} if live else {}),
        }
