"""What the lane makes of its streams: irregular ones, faster ones, and sources that give up."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi.clock import LSLClock
from bmi.control import Control, Word
from bmi.errors import ContractError, StreamLost
from bmi.guard import Heed
from bmi.journal import EVENT_DTYPE, event_text
from bmi.lane import Journal, Lane
from bmi.lsl.outlet import Outlet
from bmi.process import bind_line, make_line
from bmi.recipe import build
from bmi.session import as_event
from bmi.signals import Chunk, Event, GateState, StreamSpec

N = 4
PRIMARY = StreamSpec(name="spikes", n_channels=N, rate_hz=1000.0, unit="count", max_samples=20)


class Script:
    """A source on the real clock that brings what it is told: chunks, nothing, or an error."""

    def __init__(self, spec, period_s=0.02):
        self.spec, self.label = spec, spec.name
        self.clock, self.period_s = LSLClock(), period_s
        self.t = self.clock.now()
        self.seq = self.n_reads = 0
        self.fails = lambda n: False
        self.clock_offset = 0.0

    def read(self, timeout_s):
        self.n_reads += 1
        if self.fails(self.n_reads):
            raise StreamLost(f"stream {self.label!r} is gone")
        due = self.t + self.period_s
        if due > self.clock.now() + timeout_s:
            self.clock.sleep_until(self.clock.now() + timeout_s)
            return None
        self.clock.sleep_until(due)
        self.t = due
        n = self.spec.max_samples
        rng = np.random.default_rng(self.seq)
        chunk = Chunk(rng.poisson(0.05, (n, self.spec.n_channels)).astype(np.float32),
                      due - np.arange(n)[::-1] / 1000.0, self.clock.now(), self.seq)  # fmt: skip
        self.seq += n
        return chunk


class Living:
    """A lane over given sources, which need not be LSL."""

    def __init__(self, folder, *sources, stages=None):
        recipe = build(
            {
                "session": {"name": "streams"},
                "sources": [{"use": "lsl", "name": s.spec.name, "primary": k == 0} for k, s in enumerate(sources)],
                "stages": {"spikes": [{"use": "bin", "bin_s": 0.02}]} if stages is None else stages,
                "decoder": {"use": "kalman", "q": "diagonal"},
                "device": {"use": "cursor"},
            },
            "streams",
        )
        specs = tuple(s.spec for s in sources)
        self.line = make_line(recipe)
        features = self.line.pipeline.meet(specs)
        rng, n = np.random.default_rng(1), sum(f.n_channels for f in features)
        recipe.decoder.fit(rng.random((400, n)), 60.0 * rng.standard_normal((400, 2)), dt_s=0.02)
        bind_line(recipe, self.line, specs)
        self.journal = Journal(folder, self.line, ring_s=20.0, learns=False)
        control = Control.create(folder / "control")
        control.set(Word.ARM, 1)
        self.clock = LSLClock()
        self.lane = Lane(self.line, sources, self.clock, control, self.journal)
        recipe.device.open()
        recipe.device.arm()

    def live(self, seconds):
        """Take turns for so long; return the steps."""
        t_end = self.clock.now() + seconds
        while self.clock.now() < t_end:
            self.lane.once()
        return self.journal.steps.reader("oldest").read()

    def events(self, kind):
        return [e for e in map(as_event, self.journal.events.reader("oldest").read()) if e.kind == kind]


# ------------------------------------------------------------------ what the guard said
@pytest.mark.parametrize("hardware", [False, True])
def test_a_trip_while_disarmed_does_not_undo_the_next_arming(tmp_path, hardware):
    living = Living(tmp_path, Script(PRIMARY))
    control = living.lane.control
    living.lane._heed = Heed(control, hardware=hardware)
    control.set(Word.ARM, 0)
    control.add(Word.GUARD_TRIPS)
    living.live(0.1)
    control.set(Word.ARM, 1)
    control.set(Word.GUARD_BEAT_NS, time.perf_counter_ns())  # a guard that looks, for the next 0.2 s
    living.live(0.15)
    assert control.get(Word.ARM) == 1
    assert living.line.gate.status in (GateState.NEUTRAL, GateState.ACTIVE)


# ------------------------------------------------------------------ sources that give up
def test_a_source_that_raises_is_written_down_rests_the_device_and_is_asked_again(tmp_path):
    source = Script(PRIMARY)
    living = Living(tmp_path, source)
    living.live(0.5)
    assert living.line.gate.status == GateState.ACTIVE
    broken, n = source.clock.now(), source.n_reads
    source.fails = lambda n: source.clock.now() < broken + 1.3
    living.live(1.25)
    assert living.line.gate.status != GateState.ACTIVE
    assert source.n_reads - n < 1.3 / 0.005 + 20, "it is asked every 5 ms, not as often as possible"
    told = living.events("stream.lost")
    assert [e.data["message"] for e in told] == ["stream 'spikes' is gone"] * 2, "once a second"
    source.t = source.clock.now()
    living.live(0.5)
    assert living.line.gate.status == GateState.ACTIVE


def test_a_second_source_that_raises_takes_nothing_from_the_first(tmp_path):
    other = Script(StreamSpec(name="gaze", n_channels=2, rate_hz=100.0, unit="1", max_samples=1))
    primary = Script(PRIMARY)
    living = Living(tmp_path, primary, other)
    other.fails = lambda n: n > 5
    steps = living.live(0.5)
    assert steps["n_samples"][:, 0].sum() == primary.seq
    assert living.line.gate.status == GateState.ACTIVE


# ------------------------------------------------------------------ paces
def test_a_stream_that_pushes_more_often_than_the_primary_is_kept_up_with(tmp_path):
    fast = Script(StreamSpec(name="force", n_channels=2, rate_hz=1000.0, unit="1", max_samples=1), period_s=0.001)
    primary = Script(PRIMARY)
    steps = Living(tmp_path, primary, fast).live(1.0)
    assert steps["n_samples"][:, 1].sum() == fast.seq > 700
    heard = steps[steps["n_samples"][:, 1] > 0]
    assert np.quantile(heard["now"] - heard["arrival"][:, 1], 0.9) < 0.04
    assert not steps["has_intent"][steps["n_samples"][:, 0] == 0].any(), "the primary sets the pace all the same"


@pytest.fixture
def gaze(request):
    """An irregular stream of numbers."""
    spec = StreamSpec(name=f"gaze-{request.node.name}", n_channels=2, rate_hz=0.0, unit="1", type="gaze")
    with Outlet(spec, sync=False) as outlet:
        yield outlet


def opened(outlet):
    from bmi.lsl.inlet import LSLSource

    source = LSLSource(name=outlet.spec.name)
    source.open()
    return source


def test_an_irregular_stream_keeps_its_own_stamps_is_held_between_and_its_silence_is_no_fault(tmp_path, gaze):
    source = opened(gaze)
    living = Living(tmp_path, Script(PRIMARY), source)
    living.live(0.3)
    stamps = living.clock.now() - np.array([0.013, 0.012, 0.002])
    for k, t in enumerate(stamps):
        gaze.push(np.full((1, 2), k + 1, np.float32), t)
    living.live(0.2)
    rows = living.journal.samples[1].ring.reader("oldest").read()
    np.testing.assert_allclose(rows["t"], stamps, atol=1e-3)
    np.testing.assert_array_equal(rows["data"][:, 0], [1, 2, 3])
    assert living.line.pipeline.decoder.y_[-2:].tolist() == [3.0, 3.0], "the newest is held"
    steps = living.live(1.0)
    assert living.line.pipeline.decoder.y_[-2:].tolist() == [3.0, 3.0]
    assert living.line.gate.status == GateState.ACTIVE
    assert living.events("stream.silent") == living.events("stream.lost") == []
    assert steps["n_lost"][:, 1].sum() == 0
    source.close()


def test_an_irregular_stream_whose_sender_restarts_is_followed(tmp_path, gaze):
    source = opened(gaze)
    living = Living(tmp_path, Script(PRIMARY), source)
    gaze.push(np.ones((1, 2), np.float32), living.clock.now())
    living.live(0.2)
    gaze.close()
    living.live(0.2)
    with Outlet(gaze.spec, sync=False) as again:
        end = time.monotonic() + 5.0
        while not living.events("stream.resumed") and time.monotonic() < end:
            living.live(0.1)
            again.push(np.full((1, 2), 9.0, np.float32), living.clock.now())
    assert [e.data["stream"] for e in living.events("stream.resumed")] == [gaze.spec.name]
    assert living.line.pipeline.decoder.y_[-1] == 9.0
    assert living.line.gate.status == GateState.ACTIVE
    source.close()


def test_an_irregular_stream_cannot_set_the_pace(tmp_path, gaze):
    source = opened(gaze)
    with pytest.raises(ContractError, match=r"primary stream 'gaze.*' is irregular.*Mark a stream with a sampling"):
        Living(tmp_path, source, stages={})
    source.close()


# ------------------------------------------------------------------ what is written down
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=12).filter(lambda k: k not in ("kind", "cut")),
        st.one_of(st.text(max_size=3000), st.integers(), st.lists(st.integers(), max_size=600)),
        max_size=5,
    )
)
def test_an_event_in_the_ring_is_whole_json_however_much_was_said(data):
    text = event_text(Event(1.0, "stream.refused", data))
    assert len(text) <= EVENT_DTYPE["text"].itemsize
    row = np.zeros(1, EVENT_DTYPE)
    row["text"] = text
    event = as_event(row[0])
    assert event.kind == "stream.refused"
    if not event.data.pop("cut", False):
        assert event.data == data
    for key, value in event.data.items():
        assert value is None or value == data[key] or data[key].startswith(value)
