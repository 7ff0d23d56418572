"""Blanking: what a stimulator leaves in every channel at once is taken out before a filter can smear it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Gt, Le

from bmi.compiled import entry
from bmi.compiled import rows as in_rows
from bmi.contracts import State
from bmi.errors import ContractError
from bmi.signals import Chunk, StreamSpec
from decoders.features import _blanking_kernels as kernels
from decoders.features._noise_kernels import SIGMA
from decoders.features.grid import at_least_one
from decoders.features.noise import forget, pace
from decoders.features.rows import pass_times, regular, warm_rows

BASELINE_S = 0.001
"""Time constant of the baseline, s."""


@dataclass(kw_only=True)
class Blank:
    """Hold every channel at its baseline for ``blank_s`` when a share of them leaps at the same sample.

    An artefact is seen where more than ``share`` of the (finite) channels are more than k standard deviations
    of their noise away from their baseline, the exponential mean of the last millisecond. Spikes of single
    cells do not coincide like that. Nothing is delayed: blanking begins with the very sample that shows it, so a rise
    slower than a sample leaks that much; baselines, not last samples, are held, so that the leak is not.

    **Filling.** ``mirror`` puts out what the channel did just before, backward in time and upside down about the
    baseline: noise keeps its level and spectrum, and no trough becomes a spike. ``hold`` puts out the baseline; a noise
    estimate behind it takes that for silence (130 pulses/s: sigma 25 % too low, so three times the false crossings).

    **Tail.** When the time is over each channel goes on where its baseline was. What it is off by, in the last third
    of the blank, is fitted with an exponential tail and a lasting offset; the offset counts only if it is three
    standard errors from none. Both are subtracted; the offset is given back with time constant ``settle_s``, too
    slowly for a spike filter to see. How fast tails decay belongs to the electrode and is learned from artefacts, the
    last twenty or so counting most: the mean, over them, of the regression of a sixth of the blank on the sixth before.
    What decays more slowly than ``blank_s`` is no tail. Samples at the amplifier's rail say nothing. If the
    channels leap again, that is another artefact.

    The noise is that of the distance from the baseline, estimated as by ``noise``. Distances are cut off at k standard
    deviations first: else the estimate, should it begin anew, would begin at the artefacts. During the first
    ``warmup_s`` nothing is blanked. Expects the raw signal, before any filter.

    References
    ----------
    O'Shea and Shenoy, J. Neural Eng. 15:026020, 2018 (what artefacts do to arrays). Wagenaar and Potter, J. Neurosci.
    Methods 120:113, 2002 (tails fitted and subtracted).

    Notes
    -----
    *Realtime*: once a chunk; 256 channels ~0.8 µs a sample, 1 µs at 130 pulses/s; allocates nothing but array views.
    """

    k: Annotated[float, Gt(0)] = 8.0
    """A leap, in standard deviations of the noise."""
    share: Annotated[float, Gt(0), Le(1)] = 0.3
    """Share of the channels that must leap together."""
    blank_s: Annotated[float, Gt(0)] = 0.0012
    """How long is blanked, s."""
    fill: Literal["mirror", "hold"] = "mirror"
    """What is put out meanwhile."""
    settle_s: Annotated[float, Gt(0)] = 0.05
    """Time constant with which a lasting offset is given back, s."""
    noise_s: Annotated[float, Gt(0)] = 5.0
    """Time constant of the noise estimate, s."""
    warmup_s: Annotated[float, Gt(0)] = 0.5
    """Finite samples a channel needs before it has a say, s."""

    at_gap: ClassVar[str] = "hold"

    @property
    def n_artefacts(self) -> int:
        """Artefacts seen since reset."""
        return self._at.item(kernels.ARTEFACTS)

    @property
    def n_blanked(self) -> int:
        """Samples blanked since reset, on all channels at once."""
        return self._at.item(kernels.BLANKED)

    def bind(self, spec: StreamSpec) -> StreamSpec:
        """Turn times into samples. Raises ContractError for counts."""
        regular("blank", spec)
        if spec.unit == "count":
            raise ContractError(
                f"blank: stream {spec.name!r} is in counts; expected a continuous signal (µV): leave the stage out"
            )
        n, rows, rate = spec.n_channels, spec.max_samples, spec.rate_hz
        follow, slow = -np.expm1(-1 / (BASELINE_S * rate)), np.exp(-1 / (self.settle_s * rate))
        width = at_least_one(self.blank_s, spec)
        own = [self.k / SIGMA, self.share, width, follow, slow, self.fill == "mirror"]
        self._scales = np.append(pace(self.noise_s, self.warmup_s, spec), own)
        self._est, self._level, self._at = np.zeros((10, n), np.float32), np.zeros((9, n)), np.zeros(5, np.int64)
        self._past, self._tail = np.zeros((width, n), np.float32), np.zeros((n, max(width // 3, 1)))
        self._y = np.zeros((rows + 2, n), np.float32)
        self._data = np.zeros((rows, n), np.float32)
        self._out = Chunk(self._data, np.zeros(rows), 0.0)
        data = np.zeros((1, n), np.float32)
        data.flags.writeable = False
        self._kernel = entry(
            kernels.blank_rows, data, self._scales, self._est, self._level, self._past, self._tail, self._at, self._y,
            self._data,
        )  # fmt: skip
        warm_rows(self, spec)
        return spec

    def step(self, chunk: Chunk) -> Chunk:
        """Return the chunk, artefacts blanked."""
        out = pass_times(self._out, self._data, chunk)
        self._kernel(
            in_rows(chunk.data), self._scales, self._est, self._level, self._past, self._tail, self._at, self._y,
            out.data,
        )  # fmt: skip
        return out

    def state(self) -> State:
        """Noise; baselines, offsets, rates; last distances from the baseline; the tail so far; places and counters."""
        return self._est, self._level, self._past, self._tail, self._at

    def reset(self) -> None:
        """Forget everything seen."""
        for a in self.state():
            a[...] = 0
        forget(self._est)
