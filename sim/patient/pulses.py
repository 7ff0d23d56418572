"""When the patient's stimulator pulses: the train that artefacts follow, on a grid of milliseconds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bmi.signals import F32, F64, AnyArray
from sim import GRID_S, SLOT_S

N_MS = round(GRID_S / SLOT_S)


class Pulses:
    """A train of pulses whose phase goes on when amplitude or rate change, and while it is silent."""

    def __init__(self) -> None:
        self._phase: F64 = np.zeros(1)
        self._rows: F32 = np.zeros(N_MS, np.float32)

    def take(self, amplitude_ma: float, rate_hz: float) -> F32:
        """Return the summed amplitude of the pulses that begin in each of the next 10 ms, (10,), mA; borrowed."""
        if not amplitude_ma:  # silent, as most are: only the phase goes on
            self._rows[:] = 0.0
            self._phase[0] = (float(self._phase[0]) + rate_hz * SLOT_S * N_MS) % 1.0
            return self._rows
        phase = self._phase[0] + rate_hz * SLOT_S * np.arange(N_MS + 1)
        self._rows[:] = amplitude_ma * np.diff(np.floor(phase))
        self._phase[0] = phase[-1] % 1.0
        return self._rows

    def state(self) -> Mapping[str, AnyArray]:
        """Return the phase."""
        return {"phase": self._phase}

    def reset(self) -> None:
        """Begin a period."""
        self._phase[0] = 0.0
