"""The nouns: what a chunk, a command and a flag are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi.signals import SEQ_MODULO, Chunk, Command, EffectorState, Event, GateFlag, GateState, StreamSpec


def test_a_chunk_is_as_long_as_it_has_samples():
    chunk = Chunk(np.zeros((5, 3), np.float32), np.arange(5.0), 5.0)
    assert len(chunk) == 5
    assert chunk.n_lost_before == 0


@given(st.floats(0, 1e7), st.floats(0, 1e7), st.floats(0, 1e7))
def test_age_is_counted_from_the_older_of_stamp_and_arrival(t, t_arrival, now):
    command = Command(np.zeros(2), t, t_arrival, now, 0, GateState.ACTIVE, 0)
    assert command.age_s(now) == max(now - t, now - t_arrival)


def test_a_stamp_from_the_future_cannot_make_a_command_younger_than_its_arrival():
    command = Command(np.zeros(2), 99.0, 10.0, 10.5, 0, GateState.ACTIVE, 0)
    assert command.age_s(10.5) == 0.5


def test_every_flag_is_one_bit_of_its_own():
    bits = [int(flag) for flag in GateFlag]
    assert all(bit.bit_count() == 1 for bit in bits)
    assert len(set(bits)) == len(bits)
    assert GateFlag.NONE == 0


def test_sequence_numbers_are_exact_in_float32():
    for seq in (SEQ_MODULO - 1, SEQ_MODULO // 2 + 1, 1):
        assert int(np.float32(seq)) == seq


def test_specs_cannot_change_and_take_names_only():
    spec = StreamSpec(name="m1", n_channels=96, rate_hz=1000.0, unit="count")
    with pytest.raises(AttributeError):
        spec.n_channels = 97
    with pytest.raises(TypeError):
        StreamSpec("m1", 96, 1000.0, "count")


def test_wire_nouns_take_no_other_attributes():
    with pytest.raises(AttributeError):
        EffectorState.at_rest(2).speed = 1.0


def test_at_rest_is_at_the_origin_with_arrays_of_its_own():
    a, b = EffectorState.at_rest(3), EffectorState.at_rest(3)
    a.position += 1.0
    assert not b.position.any()
    assert not a.velocity.any()
    assert a.position is not a.velocity


def test_events_do_not_share_their_detail():
    a, b = Event(0.0, "a"), Event(0.0, "b")
    a.data["x"] = 1
    assert b.data == {}
