"""Power of one band in relation to another's: what an electrode's gain cannot change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.contracts import State
from bmi.signals import Chunk, StreamSpec
from decoders.features.bands import BandPower
from decoders.features.rows import rows_out


@dataclass(kw_only=True)
class BandRatio:
    """Natural logarithm of the power in a band, less that in a reference band: ``band-power`` twice, on one grid.

    Gain, impedance and distance raise both bands alike and cancel, so a threshold found on one day holds on another.
    In the basal ganglia loss of dopamine raises beta and lowers gamma; their ratio tells it better than beta alone.
    Gaps and what is missing are treated as ``band-power`` treats them.

    Raises
    ------
    ContractError
        At ``bind``: as of ``band-power``.

    Notes
    -----
    *Realtime*: twice ``band-power``.
    """

    low_hz: Annotated[float, Gt(0)] = 13.0
    """Lower corner of the band, -3 dB."""
    high_hz: Annotated[float, Gt(0)] = 35.0
    """Upper corner of the band, -3 dB."""
    reference_low_hz: Annotated[float, Gt(0)] = 60.0
    """Lower corner of the reference band, -3 dB."""
    reference_high_hz: Annotated[float, Gt(0)] = 120.0
    """Upper corner of the reference band, -3 dB."""
    window_s: Annotated[float, Gt(0)] = 0.5
    """Length of both averages, s."""
    every_s: Annotated[float, Gt(0)] = 0.02
    """Time between rows, a whole number of samples, s."""
    order: Annotated[int, Ge(1), Le(8)] = 2
    """Order of each slope of the filters."""

    at_gap: ClassVar[str] = "hold"

    @property
    def delay_s(self) -> float:
        """Group delay of the slower of both, s; known once bound."""
        return max(self._band.delay_s, self._reference.delay_s)

    def bind(self, spec: StreamSpec) -> StreamSpec:
        """Bind both; allocate."""
        rows = {"window_s": self.window_s, "every_s": self.every_s, "order": self.order}
        self._band = BandPower(low_hz=self.low_hz, high_hz=self.high_hz, **rows)
        self._reference = BandPower(low_hz=self.reference_low_hz, high_hz=self.reference_high_hz, **rows)
        out = self._band.bind(spec)
        self._reference.bind(spec)
        self._data, self._t = np.zeros((out.max_samples, spec.n_channels), np.float32), np.zeros(out.max_samples)
        self._out = Chunk(self._data, self._t, 0.0)
        return replace(out, unit="ln")

    def step(self, chunk: Chunk) -> Chunk | None:
        """Return the rows that fell due, or None."""
        band, reference = self._band.step(chunk), self._reference.step(chunk)
        if band is None or reference is None:
            return None
        out = rows_out(self._out, self._data, self._t, len(band))
        np.subtract(band.data, reference.data, out=out.data)
        out.t[:] = band.t
        out.t_arrival, out.seq, out.n_lost_before = band.t_arrival, band.seq, band.n_lost_before
        return out

    def state(self) -> State:
        """Both states."""
        return *self._band.state(), *self._reference.state()

    def reset(self) -> None:
        """Forget everything seen."""
        self._band.reset()
        self._reference.reset()
