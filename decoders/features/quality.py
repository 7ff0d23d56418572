"""Channel quality: a dead electrode must not be decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.compiled import entry
from bmi.compiled import rows as in_rows
from bmi.contracts import State
from bmi.errors import ContractError
from bmi.signals import AnyArray, Chunk, StreamSpec
from decoders.features import _quality_kernels as kernels
from decoders.features.grid import at_least_one
from decoders.features.rows import pass_times, regular, warm_rows


@dataclass(kw_only=True)
class Quality:
    """Mask (NaN) channels that are flat, railed or not finite, until they have been good for ``good_s``.

    *Flat*: not farther than ``tolerance`` from where it was for ``flat_s``; so is a channel stuck at a rail nobody
    named, and one that is NaN or infinite all that time. *Railed*: at or beyond ``rail``, either sign, for
    ``rail_s`` on end. Shorter is let pass (an artefact saturates an amplifier, an integer converter repeats a
    value), except that what is not finite comes out NaN at once. Decoders leave NaN features out.

    For continuous signals, raw: a filter turns flat into something else, and counts are flat by nature.

    Notes
    -----
    *Realtime*: once a chunk; 256 channels ~0.2 µs a sample; allocates nothing but array views.
    """

    rail: Annotated[float, Gt(0)] | None = None
    """Where the amplifier saturates, in the stream's unit; None: not known."""
    rail_s: Annotated[float, Gt(0), Le(0.1)] = 0.02
    """Time at the rail that makes a channel bad, s."""
    flat_s: Annotated[float, Gt(0), Le(0.1)] = 0.05
    """Time without a change that makes a channel bad, s."""
    tolerance: Annotated[float, Ge(0)] = 0.0
    """Largest change that is none, in the stream's unit."""
    good_s: Annotated[float, Gt(0)] = 0.5
    """Time a channel must have been good to be believed again, s."""

    at_gap: ClassVar[str] = "hold"

    @property
    def masked(self) -> AnyArray:
        """Which channels are masked at present, (n_channels,) bool; a copy."""
        return self._watch[kernels.MASKED] > 0

    def bind(self, spec: StreamSpec) -> StreamSpec:
        """Turn times into samples. Raises ContractError for counts."""
        regular("quality", spec)
        if spec.unit == "count":
            raise ContractError(
                f"quality: stream {spec.name!r} is in counts, which rest without being broken; expected a continuous "
                "signal (µV): leave the stage out"
            )
        rail = np.finfo(np.float32).max if self.rail is None else self.rail
        times = [at_least_one(s, spec) for s in (self.flat_s, self.rail_s, self.good_s)]
        self._scales = np.array([rail, self.tolerance, *times], np.float32)
        self._watch = np.zeros((5, spec.n_channels), np.float32)
        self._data = np.zeros((spec.max_samples, spec.n_channels), np.float32)
        self._out = Chunk(self._data, np.zeros(spec.max_samples), 0.0)
        data = np.zeros((1, spec.n_channels), np.float32)
        data.flags.writeable = False
        self._kernel = entry(kernels.quality_rows, data, self._scales, self._watch, self._data)
        warm_rows(self, spec)
        return spec

    def step(self, chunk: Chunk) -> Chunk:
        """Return the chunk, bad channels NaN."""
        out = pass_times(self._out, self._data, chunk)
        self._kernel(in_rows(chunk.data), self._scales, self._watch, out.data)
        return out

    def state(self) -> State:
        """Runs and verdicts, a row each."""
        return (self._watch,)

    def reset(self) -> None:
        """Forget everything seen; every channel counts as good."""
        self._watch[:] = 0.0
