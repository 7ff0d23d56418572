"""Senders that go and return: followed when alike, named when not; the reader never waits for the network."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import time
from pathlib import Path

import numpy as np
import pylsl
import pytest

from bmi.lsl.inlet import LSLSource
from bmi.lsl.notes import BURST, Notes
from bmi.lsl.outlet import Outlet

RETURN_S = 3 * 2.0  # the default suite shares its cores


class Pusher:
    """An outlet of this process that is pushed to as the clock goes, whenever the test reads."""

    def __init__(self, spec, push=5):
        self.out, self.push = Outlet(spec, push), push
        self.t = pylsl.local_clock()

    def keep_up(self):
        while self.t + self.push / self.out.spec.rate_hz < pylsl.local_clock():
            self.t += self.push / self.out.spec.rate_hz
            self.out.push(np.full((self.push, self.out.spec.n_channels), self.out.n_pushed, np.float32), self.t)

    def close(self):
        self.out.close()


class Reader:
    """A source read as the live thread reads, with what it told."""

    def __init__(self, **wanted):
        self.source = LSLSource(**wanted)
        self.source.open()
        self.events, self.chunks, self.longest_s = [], [], 0.0

    def read(self, pusher=None):
        if pusher is not None:
            pusher.keep_up()
        t = time.monotonic()
        chunk = self.source.read(0.005)
        self.longest_s = max(self.longest_s, time.monotonic() - t)
        self.events += self.source.events()
        if chunk is not None:
            self.chunks.append((chunk.seq, chunk.n_lost_before, len(chunk), float(chunk.data[0, 0])))

    def until(self, met, most_s, pusher=None):
        end = time.monotonic() + most_s
        while not met():
            assert time.monotonic() < end, self.events
            self.read(pusher)

    def told(self, kind):
        return [e.data for e in self.events if e.kind == kind]


@pytest.fixture
def reader(name):
    made = []

    def build(**wanted):
        made.append(Reader(**{"name": name, **wanted}))
        return made[-1]

    yield build
    for r in made:
        r.source.close()


def test_a_sender_that_restarts_is_followed_and_the_hole_is_counted(make_spec, reader):
    first = Pusher(make_spec())
    r = reader()
    r.until(lambda: len(r.chunks) > 20, 2.0, first)
    first.close()
    r.until(lambda: r.told("stream.lost"), 1.0)
    before = len(r.chunks)  # all of the first sender's: what it had sent before it closed was still read
    second = Pusher(make_spec())
    r.until(lambda: len(r.chunks) > before + 20, RETURN_S, second)
    # A sender fills its data with the number of the push's first sample: that many came before it.
    _, lost, n, number = r.chunks[before]
    assert lost == number > 0
    assert n == 5, "in step with the new sender's pushes"
    assert r.source.n_lost == lost
    assert r.source.n_reconnects == 1
    ends = [seq + n for seq, _, n, _ in r.chunks]
    assert [seq - lost for seq, lost, _, _ in r.chunks[1:]] == ends[:-1]
    (resumed,) = r.told("stream.resumed")
    assert (resumed["lost"], resumed["new_sender"], resumed["lost_is_estimate"]) == (lost, True, False)
    assert r.longest_s < 0.1, "reading never waits for the network"
    second.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_channels": 6}, "channels was 5, is now 7"),
        ({"rate_hz": 500.0}, "rate_hz was 1000, is now 500"),
        ({"unit": "mV"}, "unit was 'µV', is now 'mV'"),
    ],
)
def test_a_sender_that_comes_back_otherwise_is_named_and_nothing_of_it_handed_out(make_spec, reader, change, words):
    spec = make_spec(source_id="amp")
    first = Pusher(spec)
    r = reader()
    r.until(lambda: len(r.chunks) > 5, 2.0, first)
    first.close()
    r.until(lambda: r.told("stream.lost"), 1.0)
    n = r.source.n_read
    second = Pusher(make_spec(source_id="amp", **change))
    r.until(lambda: r.told("stream.refused"), RETURN_S, second)
    until = time.monotonic() + 0.8
    r.until(lambda: time.monotonic() > until, 2.0, second)
    assert [e["difference"] for e in r.told("stream.refused")] == [words], "once"
    assert r.source.n_read == n
    second.close()


def test_a_sender_without_source_id_is_found_again_by_the_recipes_words(reader, name):
    def sender():
        return pylsl.StreamOutlet(pylsl.StreamInfo(name, "x", 2, 100.0, "float32", ""))

    out = sender()
    r = reader(type="x")
    out.push_sample([1.0, 2.0])
    r.until(lambda: r.chunks, 2.0)
    del out
    r.until(lambda: r.told("stream.lost"), 1.0)
    out = sender()
    r.until(lambda: r.source.n_reconnects == 1, RETURN_S)
    out.push_sample([3.0, 4.0])
    r.until(lambda: r.told("stream.resumed"), 2.0)
    assert r.chunks[-1][3] == 3.0
    assert r.told("stream.resumed")[0]["lost_is_estimate"]


def break_connections():
    """Break every TCP connection of this process, as a pulled cable does in the end."""
    for link in Path("/proc/self/fd").iterdir():
        fd = int(link.name)
        try:
            if not stat.S_ISSOCK(os.fstat(fd).st_mode):
                continue
        except OSError:  # the listing's own, closed meanwhile
            continue
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fd)) as s:
            if s.type == socket.SOCK_STREAM and s.family == socket.AF_INET and s.getpeername():
                s.shutdown(socket.SHUT_RDWR)


def test_a_connection_that_breaks_under_a_sender_that_lives_is_made_anew_and_every_sample_accounted_for(sender, reader):
    sender()
    r = reader()
    r.until(lambda: len(r.chunks) > 20, 5.0)
    break_connections()
    r.until(lambda: r.told("stream.lost"), 2.0)
    r.until(lambda: r.told("stream.resumed"), RETURN_S)
    (resumed,) = r.told("stream.resumed")
    assert not resumed["new_sender"]
    assert r.source.n_reconnects == 0
    assert r.source.n_lost == resumed["lost"] > 0
    seq, _, _, number = r.chunks[-1]
    first_seq, _, _, first_number = r.chunks[0]
    assert seq - first_seq == number - first_number, "counted by the sender's own numbers"


def test_what_is_said_too_often_is_counted_instead():
    t = [100.0]
    notes = Notes("m1", lambda: t[0])
    for _ in range(50):
        notes.tell("stream.silent", after_s=0.1)
    notes.tell("stream.lost")
    told = notes.take()
    assert [e.kind for e in told] == ["stream.silent"] * int(BURST) + ["stream.lost"], "kinds do not silence each other"
    assert all(e.data["stream"] == "m1" for e in told)
    assert notes.take() == ()
    t[0] += 2.0
    notes.tell("stream.silent")
    assert notes.take()[0].data == {"stream": "m1", "unsaid": 50 - int(BURST)}
