"""The cursor: moves as told, rests when nobody tells it anything."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi.errors import DeviceError
from bmi.signals import Command
from bmi.testing.devices import check_device, command_of
from devices.cursor import Cursor


def ready(**settings):
    cursor = Cursor(**settings)
    cursor.open()
    cursor.arm()
    return cursor


def tell(cursor, velocity, now):
    return cursor.write(command_of(cursor, np.array(velocity, float), now), now)


@pytest.mark.parametrize("n_dims", [1, 2, 3])
@pytest.mark.parametrize("limit", [30.0, 500.0])
def test_it_keeps_the_device_contract(n_dims, limit):
    check_device(lambda: Cursor(n_dims=n_dims, speed_limit_mm_s=limit))


def test_a_velocity_is_held_until_the_next():
    cursor = ready()
    tell(cursor, [100.0, 0.0], 10.0)
    assert cursor.read(10.01).position == pytest.approx([1.0, 0.0])
    tell(cursor, [0.0, -50.0], 10.02)
    e = cursor.read(10.06)
    assert e.position == pytest.approx([2.0, -2.0])
    assert e.velocity.tolist() == [0.0, -50.0]
    assert e.t == 10.06


def test_it_rests_exactly_80_ms_after_the_last_command():
    cursor = ready()
    tell(cursor, [100.0, 0.0], 10.0)
    assert cursor.read(10.079).velocity.tolist() == [100.0, 0.0]
    e = cursor.read(10.5)
    assert e.velocity.tolist() == [0.0, 0.0]
    assert e.position == pytest.approx([8.0, 0.0])
    tell(cursor, [100.0, 0.0], 11.0)
    assert cursor.read(11.01).position == pytest.approx([9.0, 0.0])


looks_between = st.lists(st.floats(0, 1), max_size=4)


@given(st.lists(st.tuples(st.floats(0.001, 0.2), st.floats(-400, 400), looks_between), max_size=20))
def test_reading_changes_nothing(steps):
    quiet, watched = ready(), ready()
    now = 10.0
    for gap, v, looks in steps:
        tell(quiet, [v, -v], now)
        tell(watched, [v, -v], now)
        for share in sorted(looks):
            watched.read(now + share * gap)
        now += gap
    assert quiet.read(now).position.tobytes() == watched.read(now).position.tobytes()


def test_the_speed_limit_is_its_own():
    cursor = ready(speed_limit_mm_s=100.0)
    assert tell(cursor, [300.0, 400.0], 10.0) == pytest.approx([60.0, 80.0])
    assert cursor.spec.speed_limit == 100.0


def test_what_it_refuses_it_counts():
    cursor = Cursor()
    cursor.open()
    tell(cursor, [1.0, 1.0], 10.0)
    cursor.arm()
    tell(cursor, [np.nan, 1.0], 10.1)
    tell(cursor, [1.0, 1.0], 10.2)
    assert cursor.n_refused == 2


def test_closed_it_says_what_to_do():
    cursor = Cursor()
    with pytest.raises(DeviceError, match="open"):
        cursor.arm()
    with pytest.raises(DeviceError, match="open"):
        cursor.write(Command(np.zeros(2), 0, 0, 0, 0, 0, 0), 0.0)


def test_opening_puts_it_to_the_origin():
    cursor = ready()
    tell(cursor, [100.0, 0.0], 10.0)
    cursor.read(10.05)
    cursor.close()
    cursor.open()
    assert cursor.read(11.0).position.tolist() == [0.0, 0.0]


def test_stop_against_write_from_two_threads_always_ends_at_rest():
    cursor = ready()
    command = command_of(cursor, np.array([100.0, 0.0]), 10.0)
    for k in range(300):
        cursor.arm()
        thread = threading.Thread(target=cursor.stop, args=("race",))
        thread.start()
        for i in range(5):
            cursor.write(command, 10.0 + k * 0.02 + i * 0.004)
        thread.join()
        cursor.write(command, 10.0 + k * 0.02 + 0.02)
        assert not cursor.read(10.0 + k * 0.02 + 0.02).velocity.any()
