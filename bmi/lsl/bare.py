"""A bare inlet: one call into liblsl and nothing else. The floor that benchmarks are measured against."""

from __future__ import annotations

import ctypes

import numpy as np
import pylsl

from bmi.errors import StreamNotFound
from bmi.lsl import _clib


class BareInlet:
    """Pull exactly one push at a time into one buffer; no sequence, no clock, no checks.

    Parameters
    ----------
    name : str
        Name of a stream sent by our own outlet, which says how much it pushes at once.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> BareInlet:
        from bmi.lsl.info import find, full_offer

        offers = find({"name": self._name}, 5.0)
        if not offers:
            raise StreamNotFound(f"no LSL stream is called {self._name!r}")
        offer = full_offer(offers[0], 5.0) or offers[0]
        n = offer.samples_per_push or 1
        self._buffer = np.zeros((n, offer.n_wire_channels), np.float32)
        self.data = self._buffer[:, : offer.spec.n_channels]
        """Rows of the last push, (n_samples, n_channels) float32; borrowed."""
        self._stamps = np.zeros(n)
        self._n, self._values = n, self._buffer.size
        self._addresses = self._buffer.ctypes.data, self._stamps.ctypes.data
        self._error = ctypes.c_int32(0)
        self._inlet = pylsl.StreamInlet(offers[0].info, max_buflen=2, recover=False)
        self._handle = self._inlet.obj
        self._inlet.open_stream(5.0)
        return self

    def pull(self, timeout_s: float) -> float:
        """Return the stamp of the newest sample of the next push, s, sender's clock; 0 after ``timeout_s``."""
        data, stamps = self._addresses
        got = _clib.pull_chunk(
            self._handle, data, stamps, self._values, self._n, timeout_s, ctypes.addressof(self._error)
        )
        return float(self._stamps[-1]) if got == self._values else 0.0

    def __exit__(self, *exc: object) -> None:
        self._inlet.close_stream()
        del self._inlet
