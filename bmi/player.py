"""Plays a binned recording as a live LSL stream, so that ``bmi run`` can be tried on real data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bmi.clock import LSLClock
from bmi.formats import read
from bmi.lsl.outlet import Outlet
from bmi.signals import StreamSpec

if TYPE_CHECKING:
    from rich.console import Console


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
