"""The ring of one stream's samples: what the recorder files, and what a replay decodes again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bmi.journal import sample_dtype
from bmi.ring import Ring
from bmi.signals import Chunk, StreamSpec


class SampleRing:
    """One row a sample: time, arrival, number, values.

    Parameters
    ----------
    folder : Path
        Runtime folder of the session; ``samples-<stream>.ring`` appears there.
    spec : StreamSpec
    ring_s : float
        How far a reader may fall behind before rows are overwritten (and counted), s.
    """

    def __init__(self, folder: Path, spec: StreamSpec, ring_s: float) -> None:
        dtype = sample_dtype(spec.n_channels)
        capacity = int(ring_s * (spec.rate_hz or 1000.0)) + 4 * spec.max_samples
        meta = {
            "stream": spec.name,
            "unit": spec.unit,
            "rate_hz": spec.rate_hz,
            "labels": list(spec.labels),
            "max_samples": spec.max_samples,
        }
        self.spec = spec
        path = folder / f"samples-{spec.name}.ring"
        self.ring = Ring.create(path, dtype, capacity, topic=f"/samples/{spec.name}", **meta)
        self._rows = np.zeros(spec.max_samples, dtype)

    def write(self, chunk: Chunk) -> None:
        """Append a chunk. *Realtime*: once a push; one copy."""
        n = len(chunk)
        rows = self._rows[:n]
        rows["t"] = chunk.t
        rows["arrival"] = chunk.t_arrival
        rows["seq"] = np.arange(chunk.seq, chunk.seq + n)
        rows["data"] = chunk.data
        self.ring.write(rows)
