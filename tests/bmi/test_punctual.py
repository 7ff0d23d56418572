"""To be woken on time, without a right: what the kernel grants is read back from it, and said."""

import ctypes
import os
import platform
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bmi.punctual import SLACK_NS, SLICE_NS, punctual, slice_ns

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
PR_GET_TIMERSLACK = 30


def in_a_thread(*calls):
    """Return what the calls return, one after another, in a thread of their own."""
    with ThreadPoolExecutor(1) as pool:
        return [pool.submit(call).result() for call in calls]


def slack():
    return ctypes.CDLL(None).prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0)


def manner():
    return os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)


def test_timers_are_exact_and_the_slice_is_short_and_nothing_else_changes():
    before, usual_ns, said, slack_ns, got_ns, after = in_a_thread(manner, slice_ns, punctual, slack, slice_ns, manner)
    assert slack_ns == SLACK_NS
    assert f"timer slack {SLACK_NS} ns" in said
    assert before == after
    if "slice not shortened" in said:  # Linux before 6.12, or a sandbox that forbids it
        assert got_ns == usual_ns
    else:
        assert got_ns == SLICE_NS
        assert "slice 0.1 ms" in said


def test_it_is_the_thread_s_own():
    before = slack(), slice_ns()
    in_a_thread(punctual)
    assert (slack(), slice_ns()) == before


def test_politeness_stays():
    def polite():
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 5)

    after = in_a_thread(polite, punctual, manner)[2]
    assert after[1] == 5


def test_real_time_priority_is_left_as_it_is():
    def ask():
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except OSError:
            return False
        return True

    granted, said, after = in_a_thread(ask, punctual, manner)
    if not granted:
        pytest.skip("SCHED_FIFO is not permitted here")
    assert "slice left to another scheduling class" in said
    assert after[0] == os.SCHED_FIFO


def test_where_it_cannot_be_asked_for_it_says_so(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert in_a_thread(slice_ns) == [None]
    assert "slice not shortened (the kernel does not say what it is)" in in_a_thread(punctual)[0]
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert in_a_thread(punctual, slice_ns) == ["timer slack and slice are Darwin's", None]
