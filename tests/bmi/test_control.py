"""The control page: one truth for every process."""

import pytest

from bmi.control import MAX_RINGS, Control, LaneState, Word
from bmi.errors import ContractError, RecordingError


def test_a_word_set_in_one_mapping_is_read_in_another(tmp_path):
    here, there = Control.create(tmp_path / "control"), Control.open(tmp_path / "control")
    assert all(there[w] == 0 for w in Word)
    here[Word.LANE_STATE] = LaneState.RUNNING
    here.set(Word.MISSED_DEADLINES, -(1 << 62))
    here.add(Word.WORLD_SAMPLES, 30)
    here.add(Word.WORLD_SAMPLES)
    assert LaneState(there[Word.LANE_STATE]) is LaneState.RUNNING
    assert (there.get(Word.MISSED_DEADLINES), there[Word.WORLD_SAMPLES]) == (-(1 << 62), 31)


def test_stop_is_latched_and_releasing_it_disarms(tmp_path):
    control = Control.create(tmp_path / "control")
    control[Word.ARM] = 1
    control.press_stop()
    with pytest.raises(ContractError, match="release_stop"):
        control[Word.STOP] = 0
    assert control.stopped
    control.release_stop()
    assert (control.stopped, control[Word.ARM]) == (False, 0)


def test_places_in_rings_survive_and_are_kept_apart(tmp_path):
    control = Control.create(tmp_path / "control")
    for i in range(MAX_RINGS):
        assert control.read_index(f"r{i}.ring") == 0
        control.set_read_index(f"r{i}.ring", i + 1)
    control.set_read_index("r3.ring", 99)
    again = Control.open(tmp_path / "control")
    assert [again.read_index(f"r{i}.ring") for i in (0, 3, 31)] == [1, 99, 32]
    with pytest.raises(ContractError, match="at most 32 rings"):
        control.set_read_index("one-more.ring", 1)


def test_words_do_not_overlap_the_ring_table():
    assert len({int(w) for w in Word}) == len(Word)
    assert max(Word) < 128


def test_errors_name_the_page(tmp_path):
    path = tmp_path / "control"
    with pytest.raises(RecordingError, match="cannot map"):
        Control.open(path)
    Control.create(path)
    with pytest.raises(RecordingError, match="cannot make"):
        Control.create(path)
    path.write_bytes(b"x" * 4096)
    with pytest.raises(RecordingError, match="not a control page"):
        Control.open(path)
