"""Some channels of a stream, by name or number: those over the focus, those that work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from bmi.contracts import State
from bmi.errors import ContractError
from bmi.registry import nearest
from bmi.signals import I64, Chunk, StreamSpec
from decoders.features.rows import pass_times


@dataclass(kw_only=True)
class Pick:
    """Pass on the channels named, in the order given; everything else of the stream stays as it is.

    Notes
    -----
    *Realtime*: one copy; allocates nothing but array views.
    """

    channels: Sequence[str | int]
    """Labels of channels, or their places from 0."""

    at_gap: ClassVar[str] = "hold"

    def bind(self, spec: StreamSpec) -> StreamSpec:
        """Find the channels.

        Raises
        ------
        ContractError
            If none is wanted, one is wanted twice, or there is no such channel.
        """
        at = [self._place(c, spec) for c in self.channels]
        if not at or len(set(at)) != len(at):
            raise ContractError(f"pick: expected channels of {spec.name!r}, each once, given {list(self.channels)}")
        self._at: I64 = np.array(at, np.int64)
        self._data = np.zeros((spec.max_samples, len(at)), np.float32)
        self._out = Chunk(self._data, np.zeros(spec.max_samples), 0.0)
        labels = tuple(spec.labels[i] for i in at) if spec.labels else ()
        return replace(spec, n_channels=len(at), labels=labels, has_seq=False)

    def _place(self, channel: str | int, spec: StreamSpec) -> int:
        if isinstance(channel, str):
            if channel not in spec.labels:
                near = nearest(channel, list(spec.labels))
                told = ", ".join(spec.labels[:8]) + (" …" if len(spec.labels) > 8 else "") if spec.labels else "none"
                raise ContractError(f"pick: stream {spec.name!r} has no channel {channel!r}{near}; its labels: {told}")
            return spec.labels.index(channel)
        if not 0 <= channel < spec.n_channels:
            raise ContractError(
                f"pick: stream {spec.name!r} has channels 0 to {spec.n_channels - 1}, given {channel}"
            )
        return channel

    def step(self, chunk: Chunk) -> Chunk:
        """Return the chunk with the channels picked."""
        out = pass_times(self._out, self._data, chunk)
        np.take(chunk.data, self._at, axis=1, out=out.data)
        return out

    def state(self) -> State:
        """Nothing is remembered."""
        return ()

    def reset(self) -> None:
        """Do nothing."""
