"""Senders that are killed, paused or replaced: followed when alike, named when not."""

from __future__ import annotations

import signal
import time

import pylsl
import pytest

from bmi.errors import StreamChanged, StreamLost
from bmi.lsl.inlet import LSLSource


def read_for(source, seconds, timeout_s=0.02):
    """Read as the live thread does, and return how many samples came."""
    n, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        if (c := source.read(timeout_s)) is not None:
            n += len(c)
    return n


def test_a_killed_sender_that_restarts_is_followed_and_the_hole_is_counted(sender, name):
    first = sender()
    with LSLSource(name=name) as source:
        before = read_for(source, 0.25)
        assert before > 200
        first.send_signal(signal.SIGKILL)
        first.wait()
        read_for(source, 0.25)
        assert source.silence_s > 0.2
        sender()
        t_end = time.monotonic() + 5.0
        while (chunk := source.read(0.02)) is None and time.monotonic() < t_end:
            pass
        assert chunk is not None
        # The new sender fills its data with the number of the sample: that many came before this one.
        assert chunk.n_lost_before == chunk.data[0, 0] > 0
        assert chunk.seq == source.n_read - len(chunk) + source.n_lost
        lengths = {len(source.read(1.0)) for _ in range(40)}
        assert lengths == {5}  # in step with the new sender's pushes
        assert source.n_reconnects == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_channels": 6}, "channels was 5, is now 7"),
        ({"rate_hz": 500}, "rate_hz was 1000, is now 500"),
        ({"unit": "mV"}, "unit was 'µV', is now 'mV'"),
    ],
)
def test_a_sender_that_comes_back_otherwise_is_named_within_two_seconds(sender, name, change, words):
    first = sender()
    with LSLSource(name=name) as source:
        assert read_for(source, 0.2) > 100
        first.kill()
        first.wait()
        read_for(source, 0.2)
        sender(**change)
        t_up, n_read = time.monotonic(), source.n_read
        with pytest.raises(StreamChanged, match=words):
            read_for(source, 5.0)
        assert time.monotonic() - t_up < 2.0
        assert source.n_read == n_read, "data of a sender that was not verified was handed out"


def test_a_paused_sender_is_silence_not_a_change(sender, name):
    process = sender()
    with LSLSource(name=name, max_backlog_s=5.0) as source:
        assert read_for(source, 0.2) > 100
        process.send_signal(signal.SIGSTOP)
        read_for(source, 0.8)
        assert source.silence_s > 0.5
        process.send_signal(signal.SIGCONT)
        assert read_for(source, 1.0) > 500
        assert source.silence_s < 0.1
        assert (source.n_reconnects, source.n_lost) == (0, 0)


def test_a_sender_without_source_id_is_lost_when_it_goes(name):
    out = pylsl.StreamOutlet(pylsl.StreamInfo(name, "x", 2, 100.0, "float32", ""))
    with LSLSource(name=name) as source:
        out.push_sample([1.0, 2.0])
        assert source.read(1.0) is not None
        del out
        with pytest.raises(StreamLost, match="without a source_id"):
            read_for(source, 3.0)
