"""Marker streams: text at its time, without a rate. What stimulus programs send, and what a session says of itself."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pylsl

from bmi.errors import StreamError, StreamLost, StreamNotFound
from bmi.lsl import _clib
from bmi.lsl.info import Offer, find

N_AT_ONCE, N_BUFFER = 256, 4096
MOST_BYTES = 2048
"""Of one text; what is longer is not even copied."""


class Marker(NamedTuple):
    """One text and when it was."""

    t: float
    """s, LSL clock of this machine."""
    text: str


def find_markers(wanted: Mapping[str, str], timeout_s: float) -> Offer | None:
    """Return the newest stream without a rate that matches ``wanted`` (``name``, ``type``, ``source_id``), or None."""
    offers = [o for o in find(wanted, timeout_s) if not o.spec.rate_hz]
    return max(offers, key=lambda o: o.created_at, default=None)


class MarkerInlet:
    """Hear one marker stream; numbers (a trigger code) are read as text, several channels joined by tabs.

    Parameters
    ----------
    offer : Offer
        From `find_markers`.
    timeout_s : float
        Longest wait for the sender's answer, s.

    Raises
    ------
    StreamNotFound
        The sender does not answer.
    """

    def __init__(self, offer: Offer, timeout_s: float = 5.0) -> None:
        self.offer = offer
        self.clock_offset = 0.0
        """This machine's clock minus the sender's, s; already added to every ``Marker.t``."""
        self._error = ctypes.c_int32(0)
        self._error_address = ctypes.addressof(self._error)
        handle = _clib.create_inlet(offer.info.obj, N_BUFFER, 0, 0, _clib.BUFFER_IN_SAMPLES)
        self._handle: int | None = handle or None
        if handle:
            self.clock_offset = _clib.time_correction(handle, timeout_s, self._error_address)
        if handle and not self._error.value:
            _clib.open_stream(handle, timeout_s, self._error_address)
        if not handle or self._error.value:
            self.close()
            raise StreamNotFound(f"markers {offer}: found, but the sender did not answer within {timeout_s:g} s")
        self._wide = offer.n_wire_channels
        n = N_AT_ONCE * self._wide
        self._stamps = np.zeros(N_AT_ONCE)
        self._is_text = offer.wire_format == "string"
        self._texts, self._lengths = (ctypes.c_void_p * n)(), (ctypes.c_uint32 * n)()
        self._numbers = np.zeros((N_AT_ONCE, self._wide))

    def pull(self, timeout_s: float) -> list[Marker]:
        """Return what has come, waiting at most ``timeout_s`` for the first; at most `N_AT_ONCE` of them.

        Raises
        ------
        StreamLost
            The sender is gone.
        """
        first = self._pull(1, timeout_s)
        if not first:
            return []
        offset = _clib.time_correction(self._handle, 0.0, self._error_address)
        if not self._error.value:
            self.clock_offset = offset
        return first + self._pull(N_AT_ONCE, 0.0)

    def _pull(self, most: int, timeout_s: float) -> list[Marker]:
        stamps, wide = self._stamps.ctypes.data, self._wide
        if self._is_text:
            texts, lengths = ctypes.addressof(self._texts), ctypes.addressof(self._lengths)
            n = _clib.pull_strings(
                self._handle, texts, lengths, stamps, most * wide, most, timeout_s, self._error_address
            )
        else:
            n = _clib.pull_doubles(
                self._handle, self._numbers.ctypes.data, stamps, most * wide, most, timeout_s, self._error_address
            )
        if self._error.value == _clib.LOST:
            raise StreamLost(f"markers {self.offer.spec.name!r}: the sender is gone")
        values = self._take(n, most * wide) if self._is_text else [f"{x:g}" for x in self._numbers.reshape(-1)[:n]]
        rows = [values[i : i + wide] for i in range(0, n, wide)]
        return [Marker(float(t) + self.clock_offset, "\t".join(r)) for t, r in zip(self._stamps, rows, strict=False)]

    def _take(self, n: int, room: int) -> list[str]:
        """Return the first ``n`` texts and free all that liblsl allocated."""
        out = []
        for i in range(room):
            at = self._texts[i]
            if at is None:
                continue
            if i < n:
                out.append(ctypes.string_at(at, min(self._lengths[i], MOST_BYTES)).decode("utf-8", "replace"))
            _clib.destroy_string(at)
            self._texts[i] = None
        return out

    def close(self) -> None:
        """Release the stream; idempotent."""
        handle, self._handle = self._handle, None
        if handle:
            _clib.destroy_inlet(handle)


class MarkerOutlet:
    """Publish text at its time, for any LSL program to record.

    Parameters
    ----------
    name : str
        Of the stream.
    source_id : str
        Made up from the name if empty: receivers need one to reconnect.
    type : str
        LSL content type.

    Raises
    ------
    StreamError
        liblsl could not put it on the network.
    """

    def __init__(self, name: str, source_id: str = "", *, type: str = "Markers") -> None:
        self.name = name
        info = pylsl.StreamInfo(name, type, 1, 0.0, "string", source_id or f"bmi:markers:{name}")
        try:
            self._outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(info)
        except RuntimeError as e:  # pylsl's own
            raise StreamError(f"markers {name!r}: liblsl could not create the outlet: {e}") from e

    def push(self, text: str, t: float) -> None:
        """Send ``text`` as of ``t``, s, LSL clock; never waits for a receiver. After ``close`` nothing happens."""
        if self._outlet is not None:
            self._outlet.push_sample([text.replace("\0", " ")], t)

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """Return True once somebody listens, False after ``timeout_s``."""
        return self._outlet is not None and bool(self._outlet.wait_for_consumers(timeout_s))

    def close(self) -> None:
        """Leave the network; idempotent."""
        self._outlet = None

    def __enter__(self) -> MarkerOutlet:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
