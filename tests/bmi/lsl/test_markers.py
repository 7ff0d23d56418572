"""Text at its time: what a program sends as markers is heard whole, on this machine's clock, and bounded."""

from __future__ import annotations

import time

import pylsl
import pytest

from bmi.errors import StreamLost
from bmi.lsl.markers import MOST_BYTES, N_BUFFER, Marker, MarkerInlet, MarkerOutlet, find_markers


@pytest.fixture
def hear(name):
    """Hear a marker stream; returns what pulls until ``n`` have come or a second has passed."""
    inlets = []

    def open_():
        inlets.append(MarkerInlet(find_markers({"name": name, "type": "Markers"}, 5.0)))

        def pull(n):
            got, end = [], time.monotonic() + 1.0
            while len(got) < n and time.monotonic() < end:
                got += inlets[0].pull(0.05)
            return got

        return pull

    yield open_
    for inlet in inlets:
        inlet.close()


def test_texts_arrive_in_order_with_their_times_whatever_is_in_them(name, hear):
    texts = ["go", "", "two words\n\tand a line", "größer 目標 🎯", '{"kind": "trial.start"}', "a\0b"]
    with MarkerOutlet(name) as out:
        pull = hear()
        for i, text in enumerate(texts):
            out.push(text, 100.0 + i)
        got = pull(len(texts))
    assert [m.text for m in got] == [t.replace("\0", " ") for t in texts]
    assert [m.t for m in got] == pytest.approx([100.0 + i for i in range(len(texts))], abs=1e-3)


def test_numbers_and_several_channels_are_text_too(name, hear):
    out = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Markers", 2, 0.0, "int32", "triggers"))
    pull = hear()
    out.push_sample([7, -1], 5.0)
    (marker,) = pull(1)
    assert marker == Marker(pytest.approx(5.0, abs=1e-3), "7\t-1")


def test_what_is_no_utf8_is_heard_as_far_as_it_can_be_and_what_is_long_is_cut(name, hear):
    out = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Markers", 1, 0.0, "string", "x"))
    pull = hear()
    out.push_sample(["x" * 100_000])
    out.push_sample(["nach"])
    long, after = pull(2)
    assert long.text == "x" * MOST_BYTES
    assert after.text == "nach"


def test_a_flood_costs_the_oldest_and_never_memory(name, hear):
    with MarkerOutlet(name) as out:
        pull = hear()
        out.push("first", 1.0)
        assert pull(1)[0].text == "first"
        for i in range(2 * N_BUFFER):
            out.push(str(i), 2.0 + i)
        time.sleep(0.5)
        got = [int(m.text) for m in pull(2 * N_BUFFER)]
    assert N_BUFFER - 10 <= len(got) <= 2 * N_BUFFER
    assert got == sorted(got)
    assert got[-1] == 2 * N_BUFFER - 1


def test_a_sender_that_goes_is_lost_by_name(name, hear):
    out = MarkerOutlet(name)
    pull = hear()
    out.close()
    out.push("to nobody", 1.0)
    with pytest.raises(StreamLost, match="the sender is gone"):
        pull(1)


def test_only_streams_without_a_rate_are_markers(name):
    regular = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Markers", 1, 100.0, "int32", "x"))
    assert find_markers({"name": name, "type": ""}, 0.3) is None
    del regular


def test_it_knows_whether_somebody_listens(name, hear):
    with MarkerOutlet(name) as out:
        assert not out.wait_for_consumers(0.05)
        hear()
        assert out.wait_for_consumers(2.0)
