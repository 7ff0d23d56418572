"""The service hears others' markers into a ring, without ever waiting for them, and tells the session's own events."""

from __future__ import annotations

import contextlib
import json
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bmi.clock import LSLClock
from bmi.errors import StreamLost
from bmi.journal import EVENT_DTYPE, event_text
from bmi.lsl.markers import MarkerInlet, MarkerOutlet, find_markers
from bmi.markers import MOST_PER_S, Ears, Voice
from bmi.nodes import MarkersNode
from bmi.ring import Ring
from bmi.session import as_event
from bmi.signals import Event

DISCOVERY_S = 20.0
"""A stream is found again within so long, also on a busy machine, s."""


class Heard:
    """Ears on one stream, and what they wrote."""

    def __init__(self, folder, name):
        self.ears = Ears(folder, [MarkersNode(name=name)])
        self.reader = self.ears.ring.reader("oldest")
        self.events = []
        self.ears.start()

    def until(self, kind, n=1, most_s=5.0):
        """Wait until ``n`` events of a kind were written; return those."""
        end = time.monotonic() + most_s
        while True:
            self.events += map(as_event, self.reader.read())
            found = [e for e in self.events if e.kind == kind]
            if len(found) >= n:
                return found
            assert time.monotonic() < end, [e.kind for e in self.events]
            time.sleep(0.01)


@pytest.fixture
def heard(tmp_path, request):
    made = Heard(tmp_path, request.node.name)
    yield made
    made.ears.close()


@pytest.fixture
def name(request):
    return request.node.name


def test_a_stream_that_is_not_there_is_waited_for_announced_heard_and_found_again(heard, name):
    (waiting,) = heard.until("marker.waiting")
    assert waiting.data == {"stream": name, "name": name, "type": "Markers"}
    for k in range(2):
        with MarkerOutlet(name) as out:
            heard.until("marker.connected", k + 1, most_s=DISCOVERY_S)
            out.push(f"cue {k}", 10.0 + k)
            marker = heard.until("marker", k + 1)[-1]
            assert marker.data == {"stream": name, "text": f"cue {k}"}
            assert marker.t == pytest.approx(10.0 + k, abs=1e-3)
        heard.until("marker.lost", k + 1)


def test_a_long_text_is_cut_to_whole_json_that_says_so(heard, name):
    with MarkerOutlet(name) as out:
        heard.until("marker.connected", most_s=DISCOVERY_S)
        out.push("größer " * 1000, 1.0)
        (marker,) = heard.until("marker")
    assert marker.data["cut"]
    assert marker.data["text"].startswith("größer größer ")


def test_a_flood_is_counted_and_what_follows_it_is_heard(heard, name):
    with MarkerOutlet(name) as out:
        heard.until("marker.connected", most_s=DISCOVERY_S)
        for i in range(3 * MOST_PER_S):
            out.push(str(i), float(i))
            if i % 100 == 0:
                time.sleep(0.002)
        (flood,) = heard.until("marker.flood")
        time.sleep(1.0)
        out.push("after", 1.0)
        end = time.monotonic() + 5.0
        while heard.until("marker")[-1].data["text"] != "after":
            assert time.monotonic() < end
    kept = heard.until("marker")
    assert flood.data["dropped"] == heard.ears.dropped
    assert len(kept) == heard.ears.heard
    assert heard.ears.heard + heard.ears.dropped == 3 * MOST_PER_S + 1


def read_to_the_end(inlet, got):
    """Pull into ``got`` until the sender is gone."""
    with contextlib.suppress(StreamLost):
        while True:
            got += inlet.pull(1.0)


def test_the_sessions_own_events_are_a_marker_stream_stamped_with_their_times(tmp_path, name):
    ring = Ring.create(tmp_path / "events.ring", EVENT_DTYPE, 16, topic="/events")
    row = np.zeros(1, EVENT_DTYPE)

    def say(event):
        row["t"], row["text"] = event.t, event_text(event)
        ring.write(row)

    voice = Voice(tmp_path, name)
    inlet = MarkerInlet(find_markers({"name": f"{name}-events", "type": "Markers"}, 5.0))
    now = LSLClock().now()
    say(Event(now, "trial.start", {"trial": 3}))
    say(Event(now + 0.5, "trial.end", {"trial": 3, "outcome": "success"}))
    got = []
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(read_to_the_end, inlet, got)
        while len(got) < 2:
            time.sleep(0.01)
        say(Event(now, "block.end", {}))
        voice.close()
        reading.result()
    assert [json.loads(m.text) for m in got] == [
        {"kind": "trial.start", "trial": 3},
        {"kind": "trial.end", "trial": 3, "outcome": "success"},
        {"kind": "block.end"},
    ], "the last words arrive too"
    assert [m.t for m in got] == pytest.approx([now, now + 0.5, now], abs=1e-3)
    inlet.close()


def test_ears_without_streams_close_at_once(tmp_path):
    ears = Ears(tmp_path, [])
    ears.start()
    t = time.monotonic()
    ears.close()
    assert time.monotonic() - t < 0.1
