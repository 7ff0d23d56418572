"""Several streams of different rates meet in one bundle, over real LSL, in the live lane."""

import threading

import numpy as np
import pytest

from bmi.clock import LSLClock
from bmi.control import Control, Word
from bmi.lane import Journal, Lane
from bmi.lsl.outlet import Outlet
from bmi.process import bind_line, drain, make_line
from bmi.recipe import build
from bmi.ring import Ring
from bmi.signals import StreamSpec

RAW = {
    "session": {"name": "two", "seed": 1},
    "sources": [
        {"use": "lsl", "name": "lfp", "unit": "µV"},
        {"use": "lsl", "name": "spikes", "unit": "count", "primary": True},
    ],
    "stages": {
        "spikes": [{"use": "bin", "bin_s": 0.02}],
        "lfp": [{"use": "band-power", "low_hz": 60, "high_hz": 120, "every_s": 0.02}],
    },
    "decoder": {"use": "kalman", "q": "diagonal"},
    "device": {"use": "null"},
}
SPIKES = StreamSpec(name="spikes", n_channels=12, rate_hz=1000.0, unit="count", source_id="two-spikes")
LFP = StreamSpec(name="lfp", n_channels=4, rate_hz=500.0, unit="µV", source_id="two-lfp")


def send(leave, clock):
    """Push both streams in real time until told to leave: 5 ms of spikes, 10 ms of field."""
    rng = np.random.default_rng(0)
    with Outlet(SPIKES, samples_per_push=5) as spikes, Outlet(LFP, samples_per_push=5) as lfp:
        t = clock.now()
        k = 0
        while not leave.is_set():
            k += 1
            clock.sleep_until(t + 0.005 * k)
            spikes.push(rng.poisson(0.02, (5, 12)).astype(np.float32), t + 0.005 * k)
            if k % 2 == 0:
                lfp.push(rng.standard_normal((5, 4)).astype(np.float32), t + 0.005 * k)


@pytest.fixture
def steps(tmp_path):
    """A second of a line fed by both streams, as journalled."""
    clock, leave = LSLClock(), threading.Event()
    sender = threading.Thread(target=send, args=(leave, clock))
    sender.start()
    try:
        recipe = build(RAW, "two")
        rng = np.random.default_rng(1)
        recipe.decoder.fit(rng.random((400, 16)), rng.standard_normal((400, 2)), dt_s=0.02)
        line = make_line(recipe)
        for source in recipe.sources:
            source.open()
        recipe.device.open()
        bind_line(recipe, line, tuple(s.spec for s in recipe.sources))
        journal = Journal(tmp_path, line, ring_s=10.0, learns=False)
        control = Control.create(tmp_path / "control")
        control.set(Word.ARM, 1)
        lane = Lane(line, recipe.sources, clock, control, journal)
        recipe.device.arm()
        drain(recipe)
        t_end = clock.now() + 1.0
        while clock.now() < t_end:
            lane.once()
    finally:
        leave.set()
        sender.join()
        for source in recipe.sources:
            source.close()
        recipe.device.close()
    return Ring.open(tmp_path / "steps.ring").reader("oldest").read()


def test_both_streams_reach_the_decoder_at_their_own_pace(steps):
    spikes, lfp = steps["n_samples"].sum(0)
    assert 700 < spikes < 1200, "the primary comes first, whatever its place in the recipe"
    assert spikes / lfp == pytest.approx(2.0, rel=0.15)
    assert not steps["n_lost"].any()
    assert steps["has_intent"].sum() > 30


def test_the_primary_sets_the_pace(steps):
    """A step with nothing of the primary decodes nothing, even if the other stream had something."""
    assert not steps["has_intent"][steps["n_samples"][:, 0] == 0].any()
