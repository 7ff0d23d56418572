"""LSLSource: the way in. One push of the sender is one chunk here, with its losses counted."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import pylsl
from annotated_types import Ge, Gt

from bmi.clock import LSLClock
from bmi.compiled import entry
from bmi.errors import ContractError, StreamChanged, StreamLost, StreamNotFound
from bmi.lsl import _clib, match
from bmi.lsl import _ingest_kernels as k
from bmi.lsl.info import Offer, canonical_unit, to_offer
from bmi.lsl.watch import Watch
from bmi.signals import Chunk, StreamSpec

_CLOCK_S = 1.0  # between two polls of the clock offset
_SLICE_S = 0.1  # longest uninterrupted wait, so that silence is noticed


@dataclass(kw_only=True, eq=False)
class LSLSource:
    """Receive one LSL stream.

    Stamps are the sender's, moved to this machine's clock and nothing else: no dejittering, which hides a
    jumping clock and shifts stamps by up to 0.3 s in a busy minute. From our own outlets losses are counted
    exactly; from strangers they are estimated from regular stamps (``loss_is_estimate``).

    A sender that restarts unchanged is followed (liblsl needs about a second); one that comes back with other
    channels, rate, labels, unit, number format or host raises StreamChanged within two seconds.

    Notes
    -----
    *Realtime*: ``read`` costs a few µs on top of liblsl and allocates small integers only. The Chunk and its
    arrays are borrowed: they hold until the next ``read``. Read from one thread.
    """

    name: str = ""
    """LSL name to look for; may stay empty if ``type`` or ``source_id`` is enough."""
    type: str = ""
    """LSL content type to look for, e.g. ``spikes``."""
    source_id: str = ""
    """LSL source id to look for."""
    unit: str | None = None
    """Unit the recipe counts on; refused if the stream declares another."""
    n_channels: int | None = None
    """Channels the recipe counts on."""
    rate_hz: float | None = None
    """Nominal rate the recipe counts on, Hz."""
    primary: bool = False
    """Whether the live thread waits for this stream and only drains the others."""
    resolve_timeout_s: Annotated[float, Gt(0)] = 5.0
    """How long to look for the stream, s."""
    max_backlog_s: Annotated[float, Gt(0)] = 1.0
    """What liblsl may buffer while nobody reads, s; beyond it the oldest samples are lost, and counted."""
    samples_per_pull: Annotated[int, Ge(1)] | None = None
    """Samples per chunk; None: what the sender pushes, or, unknown, whatever has arrived."""

    def __post_init__(self) -> None:
        self.n_read = 0
        """Samples handed out."""
        self.n_reconnects = 0
        """Restarts of the sender that were followed."""
        self.clock_offset = 0.0
        """This machine's clock minus the sender's, s; already added to ``Chunk.t``."""
        self.loss_is_estimate = False
        """True if the sender does not number its samples."""
        self._now = LSLClock().now
        self._handle: int | None = None
        self._spec: StreamSpec | None = None
        self._watch: Watch | None = None
        self._held = False
        self._t_arrival = self._t_clock = 0.0
        self._ints, self._floats = np.zeros(k.N_INTS, np.int64), np.zeros(k.N_FLOATS)

    # ------------------------------------------------------------------ what it is
    @property
    def label(self) -> str:
        """Name of the stream in the recipe: ``name``, else ``type``, else ``source_id``."""
        return self.name or self.type or self.source_id

    @property
    def spec(self) -> StreamSpec:
        """What the stream promises; valid once open."""
        if self._spec is None:
            raise ContractError(f"source {self.label!r}: spec is known once it is open; call open() first")
        return self._spec

    @property
    def n_lost(self) -> int:
        """Samples lost since ``open``."""
        return int(self._ints[k.N_LOST])

    @property
    def n_nan(self) -> int:
        """Values handed out that were NaN or infinite."""
        return int(self._ints[k.N_BAD])

    @property
    def silence_s(self) -> float:
        """Time since something last arrived, s; since ``open`` if nothing has."""
        return float(self._now() - self._t_arrival)

    # ------------------------------------------------------------------ open
    def open(self) -> None:
        """Find and connect the stream.

        Raises
        ------
        StreamNotFound
            Nothing matched, or more than one thing; the message lists what was there.
        ContractError
            The stream's unit, channels, rate or number format are not what the recipe counts on.
        """
        self.close()
        wanted = {"name": self.name, "type": self.type, "source_id": self.source_id}
        offer = match.resolve(self.label, wanted, self.resolve_timeout_s)
        n_buffer = max(1, math.ceil(self.max_backlog_s * (offer.spec.rate_hz or 1000.0)))
        recover = int(bool(offer.spec.source_id))
        handle = _clib.create_inlet(offer.info.obj, n_buffer, 0, recover, _clib.BUFFER_IN_SAMPLES)
        if not handle:
            raise StreamNotFound(f"source {self.label!r}: liblsl could not connect to {offer}")
        self._handle = handle
        try:
            self._connect(handle, offer)
        except BaseException:
            self.close()
            raise

    def _connect(self, handle: int, offer: Offer) -> None:
        self._error = ctypes.c_int32(0)
        self._error_address = ctypes.addressof(self._error)
        info = _clib.full_info(handle, self.resolve_timeout_s, self._error_address)
        if not info:
            raise self._no_answer(offer)
        bound = to_offer(pylsl.StreamInfo(handle=info))
        match.check(self.label, bound, self.unit, self.n_channels, self.rate_hz)
        self._watch = Watch(bound)
        push = self.samples_per_pull or bound.samples_per_push
        rate = bound.spec.rate_hz
        self._drain = not push
        cap = push or min(4096, max(64, math.ceil(0.1 * rate)))
        self._spec = replace(
            bound.spec,
            name=self.label,
            unit=bound.spec.unit or canonical_unit(self.unit or "1"),
            max_samples=cap,
        )
        self._silence_limit_s = max(5 * max(1, push) / rate, 0.1) if rate else 2.0
        self._allocate(bound, cap, max(1, push))
        self._poll_clock(self.resolve_timeout_s)
        _clib.open_stream(handle, self.resolve_timeout_s, self._error_address)  # last: data flows from here
        if self._error.value:
            raise self._no_answer(offer)
        self._t_arrival = self._now()

    def _no_answer(self, offer: Offer) -> StreamNotFound:
        return StreamNotFound(
            f"source {self.label!r}: {offer} was found, but its sender did not answer within "
            f"{self.resolve_timeout_s:g} s (liblsl error {self._error.value}); "
            "is it stopped, or behind a firewall?"
        )

    def _allocate(self, bound: Offer, cap: int, push: int) -> None:
        self._raw = np.zeros((cap, bound.n_wire_channels), np.float32)
        self._stamps = np.zeros(cap)
        out, t_out = np.zeros((cap, bound.spec.n_channels), np.float32), np.zeros(cap)
        self._out, self._t_out = out, t_out
        self._views = [(out[:n], t_out[:n]) for n in range(cap + 1)]
        for data, t in self._views:
            data.flags.writeable = t.flags.writeable = False
        self._raw_address, self._stamps_address = self._raw.ctypes.data, self._stamps.ctypes.data
        self._n_wire = bound.n_wire_channels
        self._cap, self._want, self._more = cap, cap, 0
        rate = bound.spec.rate_hz
        self._ints[:] = 0
        self._ints[[k.EXPECTED, k.PUSH]] = -1, push
        # Stamps of strangers jitter; a hole shorter than 20 ms or 4 samples cannot be told from that.
        self._floats[:] = 0.0, np.nan, rate, max(4.0, 0.02 * rate)
        self.loss_is_estimate = not bound.spec.has_seq
        self.n_read = self.n_reconnects = 0
        self._held = False
        self._chunk = Chunk(*self._views[0], t_arrival=0.0)
        self._ingest = entry(k.ingest, self._raw, self._stamps, self._ints, self._floats, out, t_out)

    # ------------------------------------------------------------------ read
    def read(self, timeout_s: float) -> Chunk | None:
        """Return the next chunk in order, or None after ``timeout_s``.

        A push of the sender is one chunk, unless samples are missing inside it: chunks end at holes.

        Raises
        ------
        StreamLost
            The sender is gone and, having no source_id, cannot be followed.
        StreamChanged
            The sender came back as something else; the message names the difference.
        """
        if not self._more:
            if not self._pull(timeout_s):
                return None
        elif self._held and not self._release(timeout_s):
            return None
        n, seq, lost, self._more, self._want = self._ingest(
            self._raw, self._stamps, self._ints, self._floats, self._out, self._t_out
        )
        chunk = self._chunk
        chunk.data, chunk.t = self._views[n]
        chunk.t_arrival, chunk.seq, chunk.n_lost_before = self._t_arrival, seq, lost
        self.n_read += n
        return chunk

    def _pull(self, timeout_s: float) -> bool:
        """Fetch rows into ``_raw``; True if there are any to hand out."""
        if self._handle is None:
            raise ContractError(f"source {self.label!r}: read() while closed; call open() first")
        want = 1 if self._drain else self._want
        left = timeout_s
        t_end = self._now() + timeout_s
        while True:
            n_values = _clib.pull_chunk(
                self._handle, self._raw_address, self._stamps_address, want * self._n_wire, want,
                min(left, _SLICE_S), self._error_address,
            )  # fmt: skip
            now = self._now()
            if n_values:
                break
            if self._error.value:
                self._fail()
            if now - self._t_arrival > self._silence_limit_s:
                self._silent()
            left = t_end - now
            if left <= 0.0:
                return False
        n = n_values // self._n_wire
        if self._drain and self._cap > 1:
            n += _clib.pull_chunk(
                self._handle, self._raw_address + 4 * self._n_wire, self._stamps_address + 8,
                (self._cap - 1) * self._n_wire, self._cap - 1, 0.0, self._error_address,
            ) // self._n_wire  # fmt: skip
            now = self._now()
        self._ints[k.ROW], self._ints[k.END] = 0, n
        was_silent = now - self._t_arrival > self._silence_limit_s
        self._t_arrival = now
        if was_silent or now - self._t_clock > _CLOCK_S:
            return self._resume(max(0.0, t_end - now))
        return True

    # ------------------------------------------------------------------ silence and return
    def _silent(self) -> None:
        watch = self._watch
        if watch is None or not watch.bound.spec.source_id:
            return
        watch.start()
        if watch.verdict == "changed":
            self._changed(watch)

    def _resume(self, left_s: float) -> bool:
        """After silence and once a second: follow the clock, and hold data of a sender not yet verified."""
        watch = self._watch
        assert watch is not None  # noqa: S101  (it is set wherever a handle is)
        if _clib.was_clock_reset(self._handle) or watch.verdict in ("restarted", "changed"):
            if watch.verdict not in ("restarted", "changed"):
                watch.stop()  # what it found before the reconnection says nothing about it
                watch.start()
            self._held, self._more = True, 1
            return self._release(left_s)
        watch.stop()
        self._poll_clock(0.0)
        return True

    def _release(self, timeout_s: float) -> bool:
        """Let held rows go once their sender is known to promise what the bound one did."""
        watch = self._watch
        assert watch is not None  # noqa: S101
        verdict = watch.wait(timeout_s)
        if verdict == "changed":
            self._changed(watch)
        if verdict == "restarted":
            self.n_reconnects += 1
            self._ints[k.RESTARTED] = 1
        if verdict:
            watch.stop()
            self._held = False
            self._poll_clock(0.0)
        return bool(verdict)

    def _poll_clock(self, timeout_s: float) -> None:
        offset = _clib.time_correction(self._handle, timeout_s, self._error_address)
        if self._error.value == 0:
            self.clock_offset = self._floats[k.OFFSET] = offset
        self._error.value = 0
        self._t_clock = self._now()

    def _changed(self, watch: Watch) -> None:
        raise StreamChanged(
            f"stream {self.label!r} came back as something else: {watch.change}. "
            "Decoding stops here; restore the sender, or check the recipe against it and start again."
        )

    def _fail(self) -> None:
        code = self._error.value
        if code == _clib.LOST:
            raise StreamLost(
                f"stream {self.label!r} is gone, and without a source_id it cannot be found again; "
                "restart its sender (best with a source_id), then the session"
            )
        raise StreamLost(f"stream {self.label!r}: liblsl error {code} while reading")

    # ------------------------------------------------------------------ close
    def close(self) -> None:
        """Release the stream; idempotent."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        handle, self._handle = self._handle, None
        if handle:
            _clib.destroy_inlet(handle)

    def __enter__(self) -> LSLSource:
        self.open()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
