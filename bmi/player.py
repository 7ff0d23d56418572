"""Plays recordings as live LSL streams, so that ``bmi run`` can be tried on real data."""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from bmi.clock import LSLClock
from bmi.formats import RecordedStream, StreamsRecording, read, read_streams
from bmi.lsl.info import canonical_unit
from bmi.lsl.markers import MarkerOutlet
from bmi.lsl.outlet import Outlet
from bmi.signals import F32, F64, StreamSpec

if TYPE_CHECKING:
    from rich.console import Console

ONE_BY_ONE_HZ = 2000.0
"""Up to this rate every sample travels alone with its own stamp; above, 1 ms of signal travels together."""
OTHERS_S = 1.0
"""How long other streams of a recording may take to be listened to once a first one is."""
_SHOWN_S = 0.1
_LAST_WORDS_S = 0.2  # texts and samples are handed to a thread that needs a moment to send them


def play(path: Path, speed: float, console: Console) -> int:
    """Publish every bin of a recording in real time × ``speed``; return the number of bins sent.

    Waits for a first reader, so that nothing is played to an empty room. The stream is called like the file,
    type ``spikes``, at ``speed / bin_s`` Hz, with a sequence channel.
    """
    from rich.progress import track

    recording = read(path)
    rate = speed / recording.bin_s
    spec = StreamSpec(
        name=path.stem, type="spikes", n_channels=recording.counts.shape[1], rate_hz=rate, unit=recording.counts_unit,
        source_id=f"bmi-player-{path.stem}",
    )  # fmt: skip
    clock = LSLClock()
    with Outlet(spec, samples_per_push=1) as outlet:
        console.print(
            f"stream {spec.name!r} is on the network: {spec.n_channels} channels, {rate:g} Hz; waiting for a reader"
        )
        while not outlet.wait_for_consumers(1.0):
            pass
        t0 = clock.now()
        counts = np.ascontiguousarray(recording.counts, np.float32)
        for k in track(range(len(counts)), description=path.name, console=console, disable=not console.is_terminal):
            t = t0 + (k + 1) / rate
            clock.sleep_until(t)
            outlet.push(counts[k : k + 1], t)
    return len(counts)


# --- several streams ------------------------------------------------------------------------------------------

Send: TypeAlias = "Callable[[int, int, F64], None]"
"""Send samples [first, end) of a stream with these times."""


@dataclass(eq=False)
class Voice:
    """One recorded stream on its way to the network."""

    stream: RecordedStream
    outlets: Sequence[Outlet | MarkerOutlet]
    send: Send
    t: F64
    """When each sample is to be sent, s after the beginning."""
    samples_per_push: int = 1
    n_sent: int = 0
    due: F64 = field(init=False)

    def __post_init__(self) -> None:
        self.due = np.maximum.accumulate(self.t)  # a stamp may lie before its predecessor's; order is kept

    @property
    def next_s(self) -> float:
        """When the next push is complete, s; infinite if none is left."""
        k = self.n_sent + self.samples_per_push - 1
        return float(self.due[k]) if k < len(self.due) else float("inf")

    def send_due(self, now: float, t0: float) -> None:
        """Send every whole push whose time has come; ``now`` and ``t0`` on the LSL clock, s."""
        n = int(np.searchsorted(self.due, now - t0, "right")) - self.n_sent
        end = self.n_sent + n - n % self.samples_per_push
        self.send(self.n_sent, end, t0 + self.t[self.n_sent : end])
        self.n_sent = end

    @property
    def heard(self) -> bool:
        """Whether somebody listens to it."""
        return all(outlet.wait_for_consumers(0.0) for outlet in self.outlets)


def play_streams(
    path: Path, speed: float, console: Console, *, raw_stamps: bool = False, partial: bool = False
) -> dict[int, int]:
    """Publish every stream of a recording in real time × ``speed``; return the samples sent, by stream number.

    Names, types, units and labels are the recorded ones, and so are the times of the streams relative to each
    other. Numbers travel as float32 beside a sequence channel, texts as markers (one stream a channel). Waits for
    a first reader, and then a second for readers of the other streams.

    Parameters
    ----------
    raw_stamps, partial : bool
        Neither synchronize nor dejitter; read what is whole of a damaged file. See `bmi.formats.read_streams`.
    """
    recording = read_streams(path, synchronize=not raw_stamps, dejitter=not raw_stamps, partial=partial)
    for note in recording.notes:
        console.print(f"note: {note}", highlight=False, markup=False)
    begun = recording.span_s[0]
    clock = LSLClock()
    with contextlib.ExitStack() as stack:
        voices = [_voice(stack, path, s, begun, speed) for s in recording.streams]
        _announce(recording, voices, speed, console)
        _wait_for_readers(voices, clock)
        _play(voices, clock, recording.duration_s / speed, console)
        clock.sleep_until(clock.now() + _LAST_WORDS_S)
    sent = {v.stream.stream_id: v.n_sent for v in voices}
    if left := sum(v.stream.n_samples - v.n_sent for v in voices):
        console.print(f"{left} samples at the end of fast streams filled no whole push and were not sent")
    return sent


def _voice(stack: contextlib.ExitStack, path: Path, s: RecordedStream, begun: float, speed: float) -> Voice:
    name, source_id = s.name or f"stream-{s.stream_id}", f"bmi-player-{path.stem}-{s.stream_id}"
    t = (s.t - begun) / speed
    if s.carries_texts:
        several = s.n_channels > 1
        labels = s.labels or tuple(f"ch{k}" for k in range(s.n_channels))
        ends = [f":{label}" for label in labels] if several else [""]
        markers = [stack.enter_context(MarkerOutlet(name + e, source_id + e, type=s.type or "Markers")) for e in ends]

        def tell(first: int, end: int, times: F64) -> None:
            for k in range(first, end):
                for outlet, text in zip(markers, s.texts[k], strict=True):
                    outlet.push(text, times[k - first])

        return Voice(s, markers, tell, t)
    rate = s.rate_hz * speed
    per_push = 1 if rate <= ONE_BY_ONE_HZ else round(rate * 1e-3)
    units = tuple(canonical_unit(u) for u in s.units)
    spec = StreamSpec(
        name=name, type=s.type, n_channels=s.n_channels, rate_hz=rate, unit=canonical_unit(s.unit), labels=s.labels,
        source_id=source_id,
    )  # fmt: skip
    outlet = stack.enter_context(Outlet(spec, per_push, sync=False, units=units))
    with np.errstate(over="ignore"):
        data: F32 = np.ascontiguousarray(s.samples, np.float32)

    def send(first: int, end: int, times: F64) -> None:
        for k in range(first, end, per_push):
            outlet.push(data[k : k + per_push], times[k - first + per_push - 1])

    return Voice(s, [outlet], send, t, per_push)


def _announce(recording: StreamsRecording, voices: list[Voice], speed: float, console: Console) -> None:
    for v in voices:
        s = v.stream
        what = "markers" if s.carries_texts else f"{s.n_channels} channels, " + (
            f"{s.rate_hz * speed:g} Hz" if s.rate_hz else "irregular"
        )
        console.print(f"stream {s.name!r}: {what}, {s.n_samples} samples{_rounded(s)}", highlight=False, markup=False)
    console.print(
        f"{len(voices)} streams are on the network for {recording.duration_s / speed:.1f} s (stamps "
        f"{recording.stamps}); waiting for a reader",
        highlight=False,
    )


def _rounded(s: RecordedStream) -> str:
    if s.samples.dtype.kind != "i" or not s.samples.size:
        return ""
    most = max(-int(s.samples.min()), int(s.samples.max()))
    return "; its whole numbers need more than float32's 24 bits and are rounded" if most > 1 << 24 else ""


def _wait_for_readers(voices: list[Voice], clock: LSLClock) -> None:
    """Return once somebody listens to one stream, and to all that are not empty or a second has passed."""
    while not any(v.heard for v in voices):
        clock.sleep_until(clock.now() + 0.02)
    end = clock.now() + OTHERS_S
    while clock.now() < end and not all(v.heard for v in voices if v.stream.n_samples):
        clock.sleep_until(clock.now() + 0.02)


def _play(voices: list[Voice], clock: LSLClock, duration_s: float, console: Console) -> None:
    """Send each push at its time, whichever stream is next."""
    from rich.progress import Progress

    t0 = clock.now()
    queue = [(v.next_s, k) for k, v in enumerate(voices)]
    heapq.heapify(queue)
    shown = 0.0
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task("", total=duration_s)
        while queue and queue[0][0] < float("inf"):
            due, k = queue[0]
            clock.sleep_until(t0 + due)
            voices[k].send_due(clock.now(), t0)
            heapq.heapreplace(queue, (voices[k].next_s, k))
            if due - shown > _SHOWN_S:
                progress.update(bar, completed=due)
                shown = due
