"""The simulated participant in real time: on the network until whoever reads it has read its last."""

import threading
import time

import numpy as np
import pytest

from bmi.clock import LSLClock
from bmi.control import Control, LaneState, ProcessState, Word
from bmi.lsl.inlet import LSLSource
from bmi.world import LINGER_S, TIMES, run
from sim.world import PopulationWorld


@pytest.fixture
def going(tmp_path):
    """A world that is read, by somebody whose lane runs."""
    control = Control.create(tmp_path / "control")
    world = PopulationWorld(name="lingers", n_neurons=4)
    thread = threading.Thread(target=run, args=(world, np.random.default_rng(1), tmp_path, 2, LSLClock(), control))
    thread.start()
    source = LSLSource(name="lingers")
    source.open()
    control.set(Word.LANE_STATE, LaneState.RUNNING)
    yield control, thread, source
    source.close()
    control.set(Word.QUIT, 1)
    control.set(Word.LANE_STATE, LaneState.READY)
    thread.join()


def test_it_ends_after_its_reader_and_is_not_lost_to_it(going):
    control, thread, source = going
    assert source.read(1.0) is not None
    control.set(Word.QUIT, 1)
    t_end = time.monotonic() + 0.3
    while time.monotonic() < t_end:
        source.read(0.005)
    assert thread.is_alive()
    assert not [e.kind for e in source.events() if e.kind == "stream.lost"]
    control.set(Word.LANE_STATE, LaneState.READY)
    thread.join(LINGER_S)
    assert control.get(Word.WORLD_STATE) == ProcessState.DONE


def test_a_reader_that_hangs_is_not_waited_for(going):
    control, thread, _ = going
    control.set(Word.QUIT, 1)
    thread.join(3.0 * LINGER_S)
    assert control.get(Word.WORLD_STATE) == ProcessState.DONE


def test_how_late_each_push_was_is_written_where_a_file_was_laid(tmp_path):
    control = Control.create(tmp_path / "control")
    np.save(tmp_path / TIMES, np.full((40, 2), np.nan))
    world, clock = PopulationWorld(name="timed", n_neurons=4), LSLClock()
    args = (world, np.random.default_rng(1), tmp_path, 2, clock, control)
    thread = threading.Thread(target=run, args=args)
    before = clock.now()
    thread.start()
    while control.get(Word.WORLD_STATE) != ProcessState.RUNNING:
        time.sleep(0.01)
    time.sleep(60 * world.chunk_s)
    control.set(Word.QUIT, 1)
    thread.join()
    times = np.load(tmp_path / TIMES, allow_pickle=False)
    assert np.isfinite(times).all()
    assert before < times[0, 0] < clock.now()
    assert (times[1:, 0] >= 0.0).all()
    assert (np.diff(times[:, 1]) > 0.0).all()


def test_nobody_laid_a_file_and_none_is_written(going, tmp_path):
    assert not (tmp_path / TIMES).exists()
