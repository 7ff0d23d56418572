"""A source is killed, stopped, outrun: the device rests at once, decoding goes on by itself, and nothing is uncounted.

Deadlines hold for the fault itself: from the signal to the first step at rest, from the moment the stream is back on
the network to the first command that moves.
"""

from __future__ import annotations

import signal
import time

import numpy as np
import pytest
from stream_rig import AGE_S, CI_SLACK, NEUTRAL_S, RETURN_S, moved_after, neutral_after, oldest_basis

from bmi.control import Word
from bmi.signals import GateFlag, GateState


def held(live, t_fault, t_good, slack):
    """Hold a fault that came and went to its promises."""
    steps = live.steps()
    assert neutral_after(steps, t_fault) <= slack * NEUTRAL_S
    assert moved_after(steps, t_good) <= slack * RETURN_S
    assert oldest_basis(steps) <= AGE_S


def quiet(live, sender):
    """Let a sender stop pushing, and read everything it pushed."""
    sender.say(halt=True)
    live.live(0.3)


def killed_and_restarted(senders, live, first, name, slack):
    second = senders.take()
    live.steady()
    live.until(lambda: first.sent - live.source.n_read - live.source.n_lost <= 5, 10.0)  # a starved one holds more
    read, t_fault = live.source.n_read + live.source.n_lost, live.clock.now()
    first.kill()
    live.live(0.4)
    assert not live.active
    t_good = second.go(name)
    live.until(lambda: live.active, slack * RETURN_S + 1.0)
    held(live, t_fault, t_good, slack)
    quiet(live, second)
    (lost,), (resumed,) = live.events("stream.lost"), live.returned(new=True)
    assert t_fault <= lost.t <= resumed.t
    assert resumed.data["away_s"] == pytest.approx(resumed.t - t_fault, abs=0.1)
    # What the killed sender still held in its own memory nobody can count; it is no more than two pushes.
    went = first.sent + second.sent - (live.source.n_read + live.source.n_lost)
    assert 0 <= went <= 10
    assert live.source.n_lost == resumed.data["lost"] > 0
    assert live.source.n_read + live.source.n_lost > read


def test_a_killed_source_that_restarts_is_followed_and_its_missed_samples_counted(senders, lane, name):
    first = senders.take()
    first.go(name, wait=True)
    killed_and_restarted(senders, lane(), first, name, CI_SLACK)


def stopped(live, sender, seconds, slack):
    live.steady()
    t_fault = live.clock.now()
    sender.signal(signal.SIGSTOP)
    live.live(seconds)
    assert not live.active
    t_good = live.clock.now()
    sender.signal(signal.SIGCONT)
    live.until(lambda: live.active, slack * RETURN_S + 1.0)
    live.live(0.3)
    held(live, t_fault, t_good, slack)
    quiet(live, sender)
    resumed = live.returned(new=False)[0]
    assert any(t_fault < e.t < t_good for e in live.events("stream.silent"))
    assert resumed.data["away_s"] == pytest.approx(seconds, abs=0.5)
    assert sender.sent == live.source.n_read + live.source.n_lost
    woken = live.steps()
    woken = woken[(woken["now"] > t_good) & (woken["now"] < t_good + moved_after(woken, t_good))]
    assert not woken["command"].any(), "what had piled up moved something"


def test_a_source_that_stops_and_goes_on_is_silence_its_burst_moves_nothing(senders, lane, name):
    sender = senders.take()
    sender.go(name, wait=True)
    stopped(lane(), sender, 1.0, CI_SLACK)


def test_a_sender_without_source_id_or_numbers_is_found_again_by_the_recipes_words(senders, lane, name):
    plain = {"stranger": True, "source_id": "", "sync": False}
    first, second = senders.take(), senders.take()
    first.go(name, **plain)
    live = lane()
    live.steady()
    t_fault = live.clock.now()
    first.kill()
    live.live(0.4)
    t_good = second.go(name, **plain)
    live.until(lambda: live.active, CI_SLACK * RETURN_S + 1.0)
    held(live, t_fault, t_good, CI_SLACK)
    (resumed,) = live.returned(new=True)
    assert resumed.data["lost_is_estimate"]
    assert resumed.data["lost"] == pytest.approx(1000.0 * resumed.data["away_s"], abs=100), "by the clock"


def test_one_that_hangs_is_given_up_for_the_one_started_in_its_place(senders, lane, name):
    first, second = senders.take(), senders.take()
    first.go(name)
    live = lane()
    live.steady()
    t_fault = live.clock.now()
    first.signal(signal.SIGSTOP)
    live.live(0.8)
    t_good = second.go(name)
    live.until(lambda: live.active, CI_SLACK * RETURN_S + 1.0)
    held(live, t_fault, t_good, CI_SLACK)
    first.signal(signal.SIGCONT)
    live.live(0.3)
    quiet(live, second)
    assert not live.active, "the first one, back to life, is nobody now"
    assert live.source.n_reconnects == 1


def test_one_that_returns_and_hangs_before_it_says_a_word_is_given_up_as_well(senders, lane, name):
    first, second, third = senders.take(), senders.take(), senders.take()
    first.go(name)
    live = lane()
    live.steady()
    first.kill()
    second.go(name, halt=True)
    live.until(lambda: live.source.n_reconnects == 1, CI_SLACK * RETURN_S)
    second.signal(signal.SIGSTOP)
    live.live(0.8)
    third.go(name)
    live.until(lambda: live.active, CI_SLACK * RETURN_S)
    assert live.source.n_reconnects == 2


def test_while_it_is_away_stop_and_quit_are_seen_as_ever(senders, lane, name):
    sender = senders.take()
    sender.go(name)
    live = lane()
    live.steady()
    sender.kill()
    live.live(0.5)
    t = live.clock.now()
    live.live(0.5)
    turns = np.diff(live.steps()["now"][live.steps()["now"] > t])
    assert np.median(turns) < 0.006
    assert np.quantile(turns, 0.95) < CI_SLACK * 0.005
    live.control.press_stop()
    t = live.clock.now()
    live.until(lambda: live.line.gate.status == GateState.STOPPED, 1.0)
    assert live.clock.now() - t < CI_SLACK * 0.05
    live.control.set(Word.QUIT, 1)
    t = live.clock.now()
    live.lane.run()
    assert live.clock.now() - t < CI_SLACK * 0.05


def outrun(live, sender, seconds):
    """Hold the lane for so long, as a slow stage or a stopped process would."""
    live.steady()
    t_fault = live.clock.now()
    time.sleep(seconds)
    t_good = live.clock.now()
    live.live(0.1)
    live.until(lambda: live.active, CI_SLACK * RETURN_S + 1.0)
    live.live(0.3)
    steps = live.steps()
    assert moved_after(steps, t_good) <= CI_SLACK * RETURN_S
    assert oldest_basis(steps) <= AGE_S, "what had queued up moved something"
    quiet(live, sender)
    backlog = steps[(steps["now"] > t_fault) & (steps["gate_flags"] & GateFlag.STALE > 0)]["n_samples"].sum()
    assert backlog <= 1000.0 * (live.source.max_backlog_s + 0.2)
    assert live.source.n_lost >= 1000.0 * (seconds - live.source.max_backlog_s - 0.2)
    assert sender.sent == live.source.n_read + live.source.n_lost, "in = out + lost"


def test_a_lane_that_was_held_drops_the_oldest_counts_them_and_decodes_nothing_stale(senders, lane, name):
    sender = senders.take()
    sender.go(name, wait=True, sync=False)
    outrun(lane(max_backlog_s=0.4), sender, 1.5)


@pytest.mark.bars
@pytest.mark.timeout(300)
def test_ten_kills_and_restarts(senders, lane, name):
    first = senders.take()
    first.go(name, wait=True)
    live = lane()
    for k in range(10):
        live.steady()
        t_fault, second = live.clock.now(), senders.take()
        first.kill()
        live.live(0.5)
        t_good = second.go(name)
        live.until(lambda: live.active, RETURN_S)
        held(live, t_fault, t_good, 1.0)
        first = second
        assert live.source.n_reconnects == k + 1


@pytest.mark.bars
def test_ten_stops(senders, lane, name):
    sender = senders.take()
    sender.go(name, wait=True)
    live = lane()
    for _ in range(10):
        live.steady()
        t_fault = live.clock.now()
        sender.signal(signal.SIGSTOP)
        live.live(0.6)
        t_good = live.clock.now()
        sender.signal(signal.SIGCONT)
        live.until(lambda: live.active, RETURN_S)
        live.live(0.1)
        held(live, t_fault, t_good, 1.0)
    quiet(live, sender)
    assert sender.sent == live.source.n_read + live.source.n_lost


@pytest.mark.bars
def test_stopped_for_five_seconds(senders, lane, name):
    sender = senders.take()
    sender.go(name, wait=True)
    stopped(lane(), sender, 5.0, 1.0)


@pytest.mark.bars
def test_held_for_ten_seconds(senders, lane, name):
    sender = senders.take()
    sender.go(name, wait=True, sync=False)
    outrun(lane(), sender, 10.0)
