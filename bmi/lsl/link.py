"""Link: one connection to one sender. It knows nothing of silence and return; when it breaks, it is replaced."""

from __future__ import annotations

import ctypes

import pylsl

from bmi.errors import StreamNotFound
from bmi.lsl import _clib
from bmi.lsl.info import Offer, to_offer


class Link:
    """A liblsl inlet with recovery off, and the sender's full description.

    liblsl's own recovery asks too little and says nothing: it follows another rate and another host in silence,
    moves to a second sender of the same id, and waits for ever for another channel count (measured on liblsl
    1.18). Without it a broken connection is known at once, and who is followed is decided here.

    Parameters
    ----------
    offer : Offer
        As found on the network.
    n_buffer : int
        Samples liblsl keeps while nobody pulls; then the oldest are lost.
    timeout_s : float
        Longest wait for the sender's answer, s.

    Raises
    ------
    StreamNotFound
        The sender was there, but does not answer.
    """

    def __init__(self, offer: Offer, n_buffer: int, timeout_s: float) -> None:
        self._error = ctypes.c_int32(0)
        self._error_address = ctypes.addressof(self._error)
        self._found, self._timeout_s = offer, timeout_s
        handle = _clib.create_inlet(offer.info.obj, n_buffer, 0, 0, _clib.BUFFER_IN_SAMPLES)
        if not handle:
            raise StreamNotFound(f"liblsl could not connect to {offer}")
        self.handle: int | None = handle
        info = _clib.full_info(handle, timeout_s, self._error_address)
        if not info:
            raise self._no_answer()
        self.offer = to_offer(pylsl.StreamInfo(handle=info))
        """What the sender promises, its description included."""
        self.clock_offset = 0.0
        """This machine's clock minus the sender's, s."""

    def begin(self) -> None:
        """Measure the sender's clock, then let data flow. Raises StreamNotFound if it does not answer."""
        self.measure()
        _clib.open_stream(self.handle, self._timeout_s, self._error_address)
        if self._error.value:
            raise self._no_answer()

    def measure(self) -> None:
        """Measure the sender's clock: 0.1 to 0.7 s, depending on liblsl's configuration; once."""
        if self.clock_offset:
            return
        self.clock_offset = _clib.time_correction(self.handle, self._timeout_s, self._error_address)
        if self._error.value:
            raise self._no_answer()

    @property
    def created_at(self) -> float:
        """When the sender started the stream, s, this machine's clock; `measure` comes first."""
        return self.offer.created_at + self.clock_offset

    def _no_answer(self) -> StreamNotFound:
        code = self._error.value
        self.close()
        return StreamNotFound(
            f"{self._found} was found, but its sender did not answer within {self._timeout_s:g} s "
            f"(liblsl error {code}); is it stopped, or behind a firewall?"
        )

    def close(self) -> None:
        """Give the connection back; idempotent. May wait for the network, so not on the live thread."""
        handle, self.handle = self.handle, None
        if handle:
            _clib.destroy_inlet(handle)
