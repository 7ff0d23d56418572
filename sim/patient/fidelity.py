"""How faithfully the thalamus relays right now: the relay error index, kept while the circuit runs.

``sim.relay.relay_error_index`` counts errors over a whole run. Here every pulse is judged when the next one comes, and
what has been judged is forgotten with a time constant, so that a patient's vigour can follow the therapy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt

from bmi.signals import F64, I64, AnyArray
from sim import GRID_S
from sim.relay import WINDOW_S

N_CELLS = 10
NEVER = -1


@dataclass(kw_only=True)
class Fidelity:
    """Share of cortical pulses that the thalamus passes on as they are: 1 minus the relay error index, at least 0."""

    memory_s: Annotated[float, Gt(0)] = 2.0
    """Time constant with which what was judged is forgotten, s."""
    dt_s: Annotated[float, Gt(0)] = 25e-6
    """The step in which events are counted, s."""

    def bind(self) -> None:
        """Forget everything; until a pulse has been judged the relay counts as faithful."""
        self._pulse: I64 = np.full(1, NEVER, np.int64)
        self._answers: I64 = np.zeros((2, N_CELLS), np.int64)
        self._judged: F64 = np.zeros(2)
        self._keep = math.exp(-GRID_S / self.memory_s)
        self._window = round(WINDOW_S / self.dt_s)
        self.reset()

    @property
    def value(self) -> float:
        """The fidelity, 0 to 1."""
        errors, asked = self._judged.tolist()
        return max(0.0, 1.0 - errors / asked) if asked > 0.0 else 1.0

    def take(self, spikes: AnyArray, pulses: AnyArray) -> float:
        """Count 10 ms of events and return the fidelity.

        Parameters
        ----------
        spikes : (n, 2) int64
            Step and cell of the basal ganglia's spikes; thalamic cells come first, others are left out.
        pulses : (m, 2) int64
            Steps at which cortical pulses begin.
        """
        self._judged *= self._keep
        spikes = spikes[spikes[:, 1] < N_CELLS]
        for onset in pulses[:, 0].tolist():
            self._count(spikes[spikes[:, 0] < onset])
            spikes = spikes[spikes[:, 0] >= onset]
            self._judge()
            self._pulse[0] = onset
        self._count(spikes)
        return self.value

    def _count(self, spikes: AnyArray) -> None:
        """Tell answers, within 25 ms of the last pulse, from spikes that answer none."""
        if self._pulse[0] == NEVER or not len(spikes):
            return
        late = (spikes[:, 0] - self._pulse[0] >= self._window).astype(np.int64)
        np.add.at(self._answers, (late, spikes[:, 1]), 1)

    def _judge(self) -> None:
        """A pulse is relayed if exactly one spike answers it; every other spike is an error of its own."""
        if self._pulse[0] != NEVER:
            self._judged[0] += float((self._answers[0] != 1).sum() + self._answers[1].sum())
            self._judged[1] += N_CELLS
        self._answers[:] = 0

    def state(self) -> Mapping[str, AnyArray]:
        """Return the arrays that change."""
        return {"pulse": self._pulse, "answers": self._answers, "judged": self._judged}

    def reset(self) -> None:
        """Forget what was seen."""
        self._pulse[0] = NEVER
        self._answers[:] = 0
        self._judged[:] = 0.0
