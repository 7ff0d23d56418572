"""Two clocks, one contract: seconds on the LSL clock, or whatever a simulation says it is."""

import threading
import time

import pylsl
import pytest

from bmi.clock import LSLClock, ManualClock
from bmi.contracts import Clock


@pytest.mark.parametrize("clock", [LSLClock(), ManualClock()], ids=["lsl", "manual"])
def test_both_keep_the_contract(clock):
    assert isinstance(clock, Clock)
    t = clock.now()
    clock.sleep_until(t + 0.01)
    assert clock.now() >= t + 0.01
    later = clock.now()
    clock.sleep_until(t)  # the past needs no waiting and turns nothing back
    assert clock.now() >= later


def test_the_live_clock_is_liblsls_own():
    clock = LSLClock()
    before, now, after = pylsl.local_clock(), clock.now(), pylsl.local_clock()
    assert before <= now <= after


def test_the_live_clock_advances_with_time_alone():
    clock = LSLClock()
    t, m = clock.now(), time.monotonic()
    time.sleep(0.05)
    assert clock.now() - t == pytest.approx(time.monotonic() - m, abs=0.02)


def test_a_manual_clock_jumps_and_never_waits():
    clock = ManualClock(5.0)
    started = time.monotonic()
    clock.sleep_until(1e6)
    assert clock.now() == 1e6
    assert time.monotonic() - started < 1.0


def test_a_manual_clock_stands_still_between_orders():
    clock = ManualClock(1.0)
    thread = threading.Thread(target=clock.sleep_until, args=(0.5,))
    thread.start()
    thread.join()
    assert clock.now() == 1.0
