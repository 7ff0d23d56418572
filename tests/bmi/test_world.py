"""The simulated participant in real time: on the network until whoever reads it has read its last."""

import threading
import time

import numpy as np
import pytest

from bmi.clock import LSLClock
from bmi.control import Control, LaneState, ProcessState, Word
from bmi.lsl.inlet import LSLSource
from bmi.world import LINGER_S, run
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
