"""Referencing: what all electrodes see alike comes from none of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge

from bmi.compiled import entry
from bmi.compiled import rows as in_rows
from bmi.contracts import State
from bmi.errors import ContractError
from bmi.signals import Chunk, StreamSpec
from decoders.features import _reference_kernels as kernels
from decoders.features.rows import pass_times, warm_rows


@dataclass(kw_only=True)
class CommonReference:
    """Each sample minus the mean, or the median, of the channels of its bank at that instant.

    With n channels in a bank white noise of their own grows by 1/(2n) at most. The mean spreads a large
    artefact on one channel over all by 1/n; the median does not. A channel that is not finite in a sample comes out
    NaN and has no part in the reference of that sample; nor have the ``exclude`` d ones, which are handed through. A
    bank with fewer than two sound channels is handed through too.

    References
    ----------
    Ludwig et al., J. Neurophysiol. 101:1679, 2009.

    Notes
    -----
    *Realtime*: once a chunk; 256 channels ~0.3 µs a sample for the mean, ~0.7 µs for the exact median (bisection on
    the bits, ~11 counts): at 30 kHz 1 % and 2 % of a core. Allocates nothing but array views.
    """

    kind: Literal["mean", "median"] = "mean"
    """Which average is subtracted."""
    groups: Annotated[int, Ge(1)] = 1
    """Contiguous banks of equal size (the first ones by one channel larger if need be), e.g. arrays or headstages."""
    exclude: tuple[str, ...] = ()
    """Labels of channels that are no part of it."""

    at_gap: ClassVar[str] = "hold"
    mixes_channels: ClassVar[bool] = True
    """A channel that fails changes the others' reference while it does."""

    def bind(self, spec: StreamSpec) -> StreamSpec:
        """Find banks and members. Raises ContractError for unknown labels or a bank of fewer than two members."""
        n = spec.n_channels
        unknown = [label for label in self.exclude if label not in spec.labels]
        if unknown:
            raise ContractError(
                f"car: no channel of {spec.name!r} is labelled {', '.join(map(repr, unknown))}; "
                f"its labels: {', '.join(spec.labels[:8]) or 'none'}{', …' if len(spec.labels) > 8 else ''}"
            )
        self._member = np.array([label not in self.exclude for label in spec.labels] or [True] * n)
        sizes = [n // self.groups + (g < n % self.groups) for g in range(self.groups)]
        self._edges = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        if min(self._member[a:b].sum() for a, b in zip(self._edges, self._edges[1:], strict=False)) < 2:
            raise ContractError(
                f"car: {n} channels of {spec.name!r} in {self.groups} banks, {len(self.exclude)} excluded, leave a "
                "bank with fewer than two; expected at least two in each: use fewer groups"
            )
        self._good, self._keys = np.zeros(n, np.float32), np.zeros(n, np.int32)
        self._data = np.zeros((spec.max_samples, n), np.float32)
        self._out = Chunk(self._data, np.zeros(spec.max_samples), 0.0)
        data = np.zeros((1, n), np.float32)
        data.flags.writeable = False
        self._kernel = entry(kernels.reference_rows, data, data.view(np.int32), *self._settings(), self._data)
        warm_rows(self, spec)
        return spec

    def _settings(self) -> tuple[object, ...]:
        return self._edges, self._member, self.kind == "median", self._good, self._keys

    def step(self, chunk: Chunk) -> Chunk:
        """Return the chunk, referenced."""
        out, data = pass_times(self._out, self._data, chunk), in_rows(chunk.data)
        self._kernel(data, data.view(np.int32), *self._settings(), out.data)
        return out

    def state(self) -> State:
        """Nothing is remembered."""
        return ()

    def reset(self) -> None:
        """Nothing to forget."""
