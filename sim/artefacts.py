"""Stimulation as the recording amplifier suffers it.

Each pulse leaves a charge on every electrode that decays exponentially, orders of magnitude above any spike [1]_;
what exceeds the amplifier's range is cut off, so that a large artefact saturates first and decays afterwards.

.. [1] Merrill, Bikson & Jefferys (2005) J Neurosci Methods 141:171; Zhou, Johnson & Muller (2018) Curr Opin
   Neurobiol 50:119. Artefacts of electrical stimulation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import F32, F64, I64
from sim._background_kernels import add_outer

NOTHING_UV = 1e-3
"""Less of an artefact is none."""


@dataclass(kw_only=True)
class Stimulation:
    """Regular pulses; none by default."""

    pulses_hz: Annotated[float, Ge(0)] = 0.0
    """Pulses a second; the first comes one interval after the start."""
    amplitude_uv: float = 20_000.0
    """Artefact at the pulse on a channel of median distance, µV."""
    spread: Annotated[float, Ge(0)] = 0.5
    """Standard deviation over channels of the logarithm of its size."""
    decay_s: Annotated[float, Gt(0)] = 0.0003
    """Time constant of its decay, s."""

    def bind(self, array: np.random.Generator, *, n_channels: int, n_samples: int, rate_hz: float) -> None:
        """Draw from ``array`` how much each channel gets, for slots of ``n_samples``.

        Raises
        ------
        ContractError
            If pulses come faster than samples.
        """
        if self.pulses_hz > rate_hz:
            raise ContractError(
                f"Stimulation: pulses_hz is {self.pulses_hz:g}, expected at most {rate_hz:g}, one a sample"
            )
        self.gains_: F64 = np.exp(self.spread * array.standard_normal(n_channels))
        self._gains: F32 = self.gains_.astype(np.float32)
        self._rate_hz = rate_hz
        self._decay: F64 = np.exp(-np.arange(n_samples + 1) / (self.decay_s * rate_hz))
        self._left = 0.0
        self._slot = 0
        add_outer(np.zeros(n_samples), self._gains, np.zeros((n_samples, n_channels), np.float32))

    def pulses(self, first: int, last: int) -> I64:
        """Return the samples from ``first`` to before ``last`` at which a pulse falls, counted from 0."""
        if not self.pulses_hz:
            return np.zeros(0, np.int64)
        interval = self._rate_hz / self.pulses_hz
        k = np.arange(max(1, math.floor(first / interval)), math.ceil(last / interval) + 1)
        at: I64 = np.rint(k * interval).astype(np.int64)
        return at[(at >= first) & (at < last)]

    def step(self, rows: F32) -> None:
        """Add the artefacts of the next slot to ``rows`` (n_samples, n_channels), µV."""
        if not self.pulses_hz:
            return
        n = len(rows)
        series = self._left * self._decay[1:]
        for at in self.pulses(self._slot * n, (self._slot + 1) * n) - self._slot * n:
            series[at:] += self.amplitude_uv * self._decay[: n - at]
        last = float(series[-1])
        self._left = last if abs(last) > NOTHING_UV else 0.0
        self._slot += 1
        if series[0] or last:
            add_outer(series, self._gains, rows)
