"""The simulated participant in real time: on the network until whoever reads it has read its last."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bmi.clock import LSLClock
from bmi.control import Control, LaneState, ProcessState, Word
from bmi.errors import RecordingError
from bmi.journal import step_dtype
from bmi.lsl.inlet import LSLSource
from bmi.punctual import SLICE_NS, punctual, slice_ns
from bmi.ring import Ring
from bmi.world import LINGER_S, TIMES, Past, crc, run
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


def test_its_thread_asks_to_be_woken_on_time_and_no_other_is_touched(going):
    _, thread, source = going
    assert source.read(1.0) is not None
    with ThreadPoolExecutor(1) as pool:
        said = pool.submit(punctual).result()
    if "slice 0.1 ms" not in said:
        pytest.skip(f"not granted here: {said}")
    assert slice_ns(thread.native_id) == SLICE_NS < slice_ns()


def test_a_reader_that_hangs_is_not_waited_for(going):
    control, thread, _ = going
    control.set(Word.QUIT, 1)
    thread.join(3.0 * LINGER_S)
    assert control.get(Word.WORLD_STATE) == ProcessState.DONE


def lived(folder, n, world=None, past=None):
    """Have a participant live until ``n`` pushes are written down; return the file, and the time before."""
    control = Control.create(folder / "control")
    np.save(folder / TIMES, np.full((n, 4), np.nan))
    world, clock = world or PopulationWorld(name="timed", n_neurons=4), LSLClock()
    args = (world, np.random.default_rng(1), folder, 2, clock, control, None, past)
    thread = threading.Thread(target=run, args=args)
    before = clock.now()
    thread.start()
    while np.isnan(np.load(folder / TIMES, allow_pickle=False)[-1, 1]) and thread.is_alive():
        time.sleep(0.02)
    if past is None:
        control.set(Word.QUIT, 1)
    thread.join(10.0)
    assert not thread.is_alive()
    return np.load(folder / TIMES, allow_pickle=False), before, clock.now()


def test_how_late_each_push_was_is_written_where_a_file_was_laid(tmp_path):
    times, before, after = lived(tmp_path, 40)
    assert np.isfinite(times).all()
    assert before < times[0, 0] < after
    assert (times[1:, 0] >= 0.0).all()
    assert (np.diff(times[:, 1]) > 0.0).all()
    assert (times[:, 2] == -1).all(), "nobody showed anything"
    assert len(np.unique(times[1:, 3])) > 3, "pushes differ, and so do their checksums"


def shown(folder, n=2000):
    """Return a ring of steps as a lane writes it, and the steps: the goal is elsewhere now and then."""
    steps = np.zeros(n, step_dtype(1, 2))
    chance = np.random.default_rng(4)
    steps["step"] = np.arange(n)
    steps["goal"] = chance.normal(0.0, 80.0, (n // 40, 2)).repeat(40, axis=0)
    steps["trial"], steps["goal_active"], steps["goal_radius"] = np.arange(n) // 40, 1, 10.0
    return Ring.create(folder / "steps.ring", steps.dtype, n, topic="/steps"), steps


def write(ring, steps, done):
    """Write a step every 5 ms, each as it happens: who sees one from the future does not react to it yet."""
    clock = LSLClock()
    for k in range(len(steps)):
        steps["now"][k] = clock.now()
        ring.write(steps[k : k + 1])
        if done.wait(0.005):
            return


def test_a_past_that_is_lived_again_gives_the_same_samples(tmp_path):
    first, second, third = (tmp_path / name for name in "abc")
    for folder in (first, second, third):
        folder.mkdir()
    ring, steps = shown(first)
    done = threading.Event()
    writer = threading.Thread(target=write, args=(ring, steps, done))
    writer.start()
    times, *_ = lived(first, 60)
    done.set()
    writer.join()
    assert len(np.unique(times[1:, 2])) > 20, "the participant saw the session go on"
    again, *_ = lived(second, 60, past=Past(steps, times, 2))
    assert np.array_equal(again[1:, 2:], times[1:, 2:]), "what was seen and what was pushed, bit by bit"
    blind = times.copy()
    blind[:, 2] = -1
    other, *_ = lived(third, 60, past=Past(steps, blind, 2))
    assert not np.array_equal(other[1:, 3], times[1:, 3]), "what is seen matters"


def test_a_past_whose_steps_are_missing_is_refused():
    times = np.array([[0.0, 0.0, -1, 0], [0.0, 0.1, -1, 0], [0.0, 0.2, 7, 0], [np.nan] * 4])
    with pytest.raises(RecordingError, match="saw step 7, which is not in the recording"):
        Past(np.zeros(3, step_dtype(1, 2)), times, 2)
    assert Past(np.zeros(3, step_dtype(1, 2)), times[[0, 1, 3]], 2).n_pushes == 1


def test_a_checksum_is_of_all_that_is_pushed_in_its_order():
    a, b = np.arange(6, dtype=np.float32), np.ones((2, 2), np.float32)
    assert crc([a, b]) == crc([np.concatenate([a, b.ravel()])])
    assert len({crc([a, b]), crc([b, a]), crc([a]), crc([])}) == 4


def test_nobody_laid_a_file_and_none_is_written(going, tmp_path):
    assert not (tmp_path / TIMES).exists()
