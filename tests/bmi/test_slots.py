"""Double slots: the live lane never decodes from half-written parameters."""

import subprocess
import sys

import numpy as np
import pytest

from bmi.errors import ContractError, RecordingError
from bmi.slots import Slots


def test_a_publication_is_taken_once(tmp_path):
    learner = Slots.create(tmp_path / "params", 3, initial=np.array([1.0, 2.0, 3.0]), version=5)
    live = Slots.open(tmp_path / "params")
    version, values = live.current()
    assert (version, values.tolist(), live.poll()) == (5, [1.0, 2.0, 3.0], False)

    assert learner.publish(np.array([4.0, 5.0, 6.0]), 6)
    assert values.tolist() == [1.0, 2.0, 3.0], "the slot in use is untouched"
    assert live.poll()
    version, values = live.take()
    assert (version, values.tolist(), live.poll()) == (6, [4.0, 5.0, 6.0], False)
    assert live.current()[0] == 6


def test_the_learner_cannot_overtake_the_live_lane(tmp_path):
    slots = Slots.create(tmp_path / "params", 2)
    assert slots.publish(np.ones(2), 1)
    assert slots.pending
    assert not slots.publish(np.full(2, 2.0), 2)
    version, values = slots.take()
    assert (version, values.tolist()) == (1, [1.0, 1.0])
    assert slots.publish(np.full(2, 2.0), 2)
    assert values.tolist() == [1.0, 1.0], "the view holds until the next take"


def test_damaged_parameters_are_refused_counted_and_the_old_ones_kept(tmp_path):
    slots = Slots.create(tmp_path / "params", 2, initial=np.array([7.0, 8.0]))
    slots.publish(np.ones(2), 1)
    slots._values[1][0] = 99.0
    assert slots.take() is None
    assert slots.rejected == 1
    assert slots.current()[1].tolist() == [7.0, 8.0]
    assert slots.publish(np.full(2, 3.0), 2), "the learner may try again"
    assert slots.take()[1].tolist() == [3.0, 3.0]


def test_a_learner_that_starts_again_continues(tmp_path):
    live = Slots.create(tmp_path / "params", 2)
    Slots.open(tmp_path / "params").publish(np.ones(2), 1)
    assert not Slots.open(tmp_path / "params").publish(np.ones(2), 2)
    assert live.take()[0] == 1
    assert Slots.open(tmp_path / "params").publish(np.ones(2), 2)
    assert live.take()[0] == 2


def test_errors_say_what_was_given(tmp_path):
    path = tmp_path / "params"
    with pytest.raises(RecordingError, match="cannot map"):
        Slots.open(path)
    with pytest.raises(ContractError, match="0 values"):
        Slots.create(path, 0)
    slots = Slots.create(path, 4)
    with pytest.raises(ContractError, match=r"\(4,\) values, given \(3,\)"):
        slots.publish(np.zeros(3), 1)
    with pytest.raises(RecordingError, match="cannot make"):
        Slots.create(path, 4)
    whole = path.read_bytes()
    for bad in (b"", b"x" * 9000, whole[:-4096]):
        path.write_bytes(bad)
        with pytest.raises(RecordingError, match="params"):
            Slots.open(path)


LEARNER = """
import sys
import numpy as np
from bmi.slots import Slots
slots = Slots.open(sys.argv[1])
version = 1
while version <= int(sys.argv[2]):
    version += slots.publish(np.full(slots.n_values, float(version)), version)
"""


def test_ten_thousand_swaps_between_two_processes_without_a_tear(tmp_path):
    n_swaps = 10_000
    live = Slots.create(tmp_path / "params", 64)
    learner = subprocess.Popen([sys.executable, "-c", LEARNER, str(live.path), str(n_swaps)])
    version, values = live.current()
    swaps = 0
    while version < n_swaps and learner.poll() in (None, 0):
        if live.poll():
            version, values = live.take()
            swaps += 1
            assert version == swaps
        assert values.min() == values.max() == version
    assert learner.wait(10) == 0
    assert (swaps, live.rejected) == (n_swaps, 0)
