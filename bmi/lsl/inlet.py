"""LSLSource: the way in. One push of the sender is one chunk here, with its losses counted."""

from __future__ import annotations

import ctypes
import math
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt

from bmi.clock import LSLClock
from bmi.compiled import entry
from bmi.errors import ContractError, StreamNotFound
from bmi.lsl import _clib, match
from bmi.lsl import _ingest_kernels as k
from bmi.lsl.info import Offer, canonical_unit
from bmi.lsl.link import Link
from bmi.lsl.notes import Notes
from bmi.lsl.watch import Watch
from bmi.signals import Chunk, StreamSpec

_CLOCK_S = 1.0  # between two polls of the clock offset
_SLICE_S = 0.1  # longest uninterrupted wait, so that silence is noticed
_UNHEARD_S = 15.0  # an irregular stream's sender is asked after it has said nothing for so long


@dataclass(kw_only=True, eq=False)
class LSLSource:
    """Receive one LSL stream.

    Stamps are the sender's, moved to this machine's clock and nothing else: no dejittering, which hides a
    jumping clock and shifts stamps by up to 0.3 s in a busy minute. From our own outlets losses are counted
    exactly; from strangers they are estimated from regular stamps (``loss_is_estimate``).

    Once open, no fault of the stream is an error: ``read`` returns None while it is away, and ``events()`` says
    what happened. A sender that restarts with the same promises is followed; one with other channels, rate, labels,
    unit, number format, name or host is refused by name, and so is one that was there all the while beside ours.

    ====================  ====================================================================================
    event                 says
    ====================  ====================================================================================
    ``stream.silent``     nothing came for five chunks (at least 0.1 s); the connection stands
    ``stream.lost``       the connection broke; the sender is looked for
    ``stream.refused``    who answered instead, and ``difference`` in words
    ``stream.duplicate``  a second sender of the same name is there
    ``stream.resumed``    samples flow again: ``away_s``, ``lost``, and whether it is a ``new_sender``
    ``clock.jumped``      the sender's stamps (or its clock) moved by ``seconds``
    ====================  ====================================================================================

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
    hosts: tuple[str, ...] = ()
    """Machines the stream may come from; empty: any at first, from then on the same."""
    source_ids: tuple[str, ...] = ()
    """Source ids it may have; empty: any at first, from then on the same."""
    duplicates: Literal["refuse", "follow"] = "refuse"
    """A second sender of the same promises that was there beside ours: when ours dies, refuse or follow it."""

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
        self._notes = Notes(self.label, self._now)
        self.events = self._notes.take
        """Return what happened to the stream since the last call, oldest first, and forget it."""
        self._link: Link | None = None
        self._handle: int | None = None
        self._spec: StreamSpec | None = None
        self._watch: Watch | None = None
        self._away = self._said = self._new_sender = False
        self._t_arrival = self._t_before = self._t_clock = 0.0
        self._error = ctypes.c_int32(0)
        self._error_address = ctypes.addressof(self._error)
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
        rules = match.Rules(tuple(self.hosts), tuple(self.source_ids), self.duplicates)
        offer, twins = match.resolve(self.label, wanted, self.resolve_timeout_s, rules)
        n_buffer = max(1, math.ceil(self.max_backlog_s * (offer.spec.rate_hz or 1000.0)))
        try:
            with ExitStack() as undo:
                link = undo.enter_context(closing(Link(offer, n_buffer, self.resolve_timeout_s)))
                self._bind(link)
                link.begin()  # last: data flows from here
                undo.pop_all()
        except StreamNotFound as e:
            raise StreamNotFound(f"source {self.label!r}: {e}") from e
        bound = link.offer
        self._watch = Watch(bound, wanted, rules, n_buffer, self._notes.tell)
        self._follow(link)
        self._t_arrival = self._now()
        if twins:
            said = f"{twins} more sender{'s' * (twins > 1)} of the same promises; the newest was opened"
            self._notes.tell("stream.duplicate", difference=said, host=bound.spec.hostname, uid=bound.uid)

    def _bind(self, link: Link) -> None:
        """Compare the stream with the recipe and fix its shape."""
        bound = link.offer
        match.check(self.label, bound, self.unit, self.n_channels, self.rate_hz)
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
        # Irregular streams are never silent; after a while it is only asked whether their sender is still there.
        expected = push or math.ceil(0.1 * rate)
        self._silence_limit_s = max(5 * expected / rate, 0.1) if rate else _UNHEARD_S
        self._allocate(bound, cap, max(1, push))

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
        self._floats[:] = 0.0
        self._floats[[k.LAST, k.RATE, k.SLACK]] = np.nan, rate, max(4.0, 0.02 * rate)
        self.loss_is_estimate = not bound.spec.has_seq
        self.n_read = self.n_reconnects = 0
        self._away = self._said = self._new_sender = False
        self._chunk = Chunk(*self._views[0], t_arrival=0.0)
        self._ingest = entry(k.ingest, self._raw, self._stamps, self._ints, self._floats, out, t_out)

    # ------------------------------------------------------------------ read
    def read(self, timeout_s: float) -> Chunk | None:
        """Return the next chunk in order, or None after ``timeout_s`` or when the stream breaks.

        A push of the sender is one chunk, unless samples are missing inside it: chunks end at holes.
        """
        if not self._more and not self._pull(timeout_s):
            return None
        n, seq, lost, self._more, self._want, jump = self._ingest(
            self._raw, self._stamps, self._ints, self._floats, self._out, self._t_out
        )
        chunk = self._chunk
        chunk.data, chunk.t = self._views[n]
        chunk.t_arrival, chunk.seq, chunk.n_lost_before = self._t_arrival, seq, lost
        self.n_read += n
        if jump:
            self._notes.tell("clock.jumped", seconds=round(jump, 6), of="stamps")
        if self._away:
            self._returned(chunk)
        return chunk

    def _pull(self, timeout_s: float) -> bool:
        """Fetch rows into ``_raw``; True if there are any to hand out."""
        if self._handle is None:
            return self._without(timeout_s)
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
                self._lose(now)
                return False
            if now - self._t_arrival > self._silence_limit_s and self._silent(now):
                return False
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
        self._t_before, self._t_arrival = self._t_arrival, now
        self._floats[k.ARRIVAL] = now
        if now - self._t_clock > _CLOCK_S:
            self._poll_clock(now)
        return True

    # ------------------------------------------------------------------ silence and return
    def _newest(self) -> float:
        """Time of the newest sample, s, this machine's clock; of opening if there was none."""
        last = float(self._floats[k.LAST]) + self.clock_offset
        return min(last, self._t_arrival) if last == last else self._t_arrival

    def _silent(self, now: float) -> bool:
        """Nothing comes: say so once, have the sender looked for, and follow who returned; True if one did."""
        watch = self._watch
        assert watch is not None  # noqa: S101  (it is there wherever a handle is)
        if not self._away:
            self._away = True
            if self._floats[k.RATE]:
                self._said = True
                self._notes.tell("stream.silent", after_s=round(now - self._t_arrival, 3))
        if not watch.looking:
            watch.look(self._newest(), lost=False)
        link = watch.take(0.0)
        if link is None:
            return False
        self._follow(link)
        return True

    def _lose(self, now: float) -> None:
        """The connection broke: have the sender looked for."""
        link, watch = self._link, self._watch
        assert link is not None and watch is not None  # noqa: S101, PT018  (likewise)
        self._notes.tell("stream.lost", liblsl_error=self._error.value, silent_s=round(now - self._t_arrival, 3))
        self._error.value = 0
        self._away = self._said = True
        self._link = self._handle = None
        watch.give_back(link)
        watch.look(self._newest(), lost=True)

    def _without(self, timeout_s: float) -> bool:
        """Wait for the sender to return; nothing to hand out yet."""
        if self._watch is None:
            raise ContractError(f"source {self.label!r}: read() while closed; call open() first")
        link = self._watch.take(timeout_s)
        if link is not None:
            self._follow(link)
        return False

    def _follow(self, link: Link) -> None:
        """Read from ``link`` from now on."""
        watch = self._watch
        assert watch is not None  # noqa: S101  (likewise)
        if self._link is not None:
            watch.give_back(self._link)
        floats, ints = self._floats, self._ints
        self._new_sender = link.offer.uid != watch.bound.uid
        if self._new_sender:
            ints[k.RESTARTED] = 1
            floats[k.LAST] += self.clock_offset - link.clock_offset  # as the new sender's clock would have said
            floats[[k.SKEW, k.FAST]] = 0.0
            self.n_reconnects += 1
        watch.bound = link.offer
        self._link, self._handle = link, link.handle
        self.clock_offset = floats[k.OFFSET] = link.clock_offset
        self._t_clock = self._now()
        self._more, self._want = 0, self._cap

    def _returned(self, chunk: Chunk) -> None:
        """Samples flow again."""
        watch = self._watch
        assert watch is not None  # noqa: S101  (likewise)
        watch.rest()
        away_s = self._t_arrival - self._t_before
        if self._said or self._new_sender:
            self._notes.tell(
                "stream.resumed", away_s=round(away_s, 3), lost=chunk.n_lost_before, new_sender=self._new_sender,
                lost_is_estimate=self.loss_is_estimate,
            )  # fmt: skip
        if self._drain and not self._new_sender and not chunk.n_lost_before:  # it pushes that seldom
            self._silence_limit_s = max(self._silence_limit_s, min(3.0 * away_s, 2.0))
        self._away = self._said = self._new_sender = False

    def _poll_clock(self, now: float) -> None:
        offset = _clib.time_correction(self._handle, 0.0, self._error_address)
        if self._error.value == 0:
            moved = offset - self.clock_offset
            if abs(moved) > k.STEP_S:
                self._notes.tell("clock.jumped", seconds=round(-moved, 6), of="sender's clock")
                self._floats[k.SKEW] += moved  # what its stamps had jumped by is accounted for
            self.clock_offset = self._floats[k.OFFSET] = offset
        self._error.value = 0
        self._t_clock = now

    # ------------------------------------------------------------------ close
    def close(self) -> None:
        """Release the stream; idempotent."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.end()
        link, self._link = self._link, None
        self._handle = None
        if link is not None:
            link.close()

    def __enter__(self) -> LSLSource:
        self.open()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
