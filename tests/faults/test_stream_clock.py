"""A sender's clock jumps, drifts, begins anew: said with its size, at rest meanwhile, decoding again once it is good.

Stamps of a jumping clock are given to the outlet, as an amplifier with a clock of its own would. Whole machines with
other clocks are produced with time namespaces.
"""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from stream_rig import AGE_S, CI_SLACK, NEUTRAL_S, RETURN_S, moved_after, neutral_after, oldest_basis

from bmi.signals import GateState


def clocks_can_be_had():
    """Whether a process may be given another clock here."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "--time", "--monotonic", "60", "true"], capture_output=True).returncode == 0


needs_clocks = pytest.mark.skipif(not clocks_can_be_had(), reason="another clock takes a time namespace of its own")


def wrong_for_a_while(live, sender, orders, slack):
    """Let the stamps go wrong and right again; hold the line to its promises; return the jumps told."""
    live.steady()
    told, t_fault = len(live.events("clock.jumped")), live.clock.now()
    sender.say(**orders)
    live.until(lambda: not live.active, slack * NEUTRAL_S)
    live.live(0.3)
    assert not live.active
    t_good = live.clock.now()
    sender.say(shift=0.0, drift=0.0)
    live.until(lambda: live.active, slack * RETURN_S)
    live.live(0.1)
    steps = live.steps()
    assert neutral_after(steps, t_fault) <= slack * NEUTRAL_S
    assert moved_after(steps, t_good) <= slack * RETURN_S
    assert oldest_basis(steps) <= AGE_S
    assert (moving_t(steps) <= 0.005).all(), "a stamp from the future moved something"
    return [e.data["seconds"] for e in live.events("clock.jumped")[told:]]


def moving_t(steps):
    """Return how far in the future the newest stamp of every passed command was, s."""
    passed = steps[(steps["command_seq"] >= 0) & (steps["gate_state"] == GateState.ACTIVE)]
    return passed["t"] - passed["now"]


@pytest.mark.parametrize("slack", [CI_SLACK, *[pytest.param(1.0, marks=pytest.mark.bars)] * 5])
def test_a_clock_that_jumps_is_told_with_its_size_and_rests_until_it_is_good(senders, lane, name, slack):
    sender = senders.take()
    sender.go(name)
    live = lane()
    for size in (5.0, -5.0):
        out, back = wrong_for_a_while(live, sender, {"shift": size}, slack)
        assert out == pytest.approx(size, abs=0.01)
        assert back == pytest.approx(-size, abs=0.01)
    (reset, again) = wrong_for_a_while(live, sender, {"zero": True}, slack)
    assert reset == pytest.approx(-live.clock.now(), abs=20.0)
    assert again == pytest.approx(-reset, abs=0.01)
    assert live.source.n_lost == 0, "a clock that jumps loses nothing"
    assert not live.events("stream.lost"), "and is no fault of the stream"


def test_a_clock_that_runs_fast_trips_once_it_has_run_into_the_future(senders, lane, name):
    sender = senders.take()
    sender.go(name)
    live = lane()
    live.steady()
    sender.say(drift=0.05)  # 250 times the drift of a bad crystal, so that nobody waits for it
    live.until(lambda: live.line.gate.status == GateState.TRIPPED, 5.0)
    ahead = [e.data["seconds"] for e in live.events("clock.jumped")]
    assert len(ahead) == 1
    assert 0.005 < ahead[0] < 0.01
    sender.say(drift=0.0)
    live.until(lambda: live.active, CI_SLACK * RETURN_S)


@needs_clocks
def test_a_sender_on_a_machine_with_another_clock_is_followed_through_a_restart_at_which_it_begins_anew(
    senders, lane, name
):
    first, second = senders.take(clock_s=7200), senders.take(clock_s=60)
    first.go(name)
    live = lane()
    assert live.source.clock_offset == pytest.approx(-7200.0, abs=0.01)
    live.steady()
    t_fault = live.clock.now()
    first.kill()
    live.live(0.3)
    t_good = second.go(name) - 60.0
    live.until(lambda: live.active, CI_SLACK * RETURN_S)
    live.live(0.2)
    steps = live.steps()
    assert live.source.clock_offset == pytest.approx(-60.0, abs=0.01)
    assert neutral_after(steps, t_fault) <= CI_SLACK * NEUTRAL_S
    assert moved_after(steps, t_good) <= CI_SLACK * RETURN_S
    assert np.abs(moving_t(steps)).max() < AGE_S, "stamps are on this machine's clock throughout"
    assert not live.heard("clock.jumped")


@needs_clocks
def test_a_second_sender_on_another_clock_is_still_known_to_have_been_there_before(senders, lane, name):
    ours, twin = senders.take(), senders.take(clock_s=7200)
    ours.go(name)
    live = lane()
    live.steady()
    twin.go(name)
    live.live(0.2)
    ours.kill()
    live.until(lambda: live.heard("stream.refused"), CI_SLACK * RETURN_S)
    assert "a second sender, not a restart" in live.events("stream.refused")[0].data["difference"]


@pytest.mark.bars
@pytest.mark.parametrize("ppm", [200, -200])
def test_two_hundred_ppm_for_a_minute(senders, lane, name, ppm):
    """Slow stamps only look older; fast ones pass until they lie 5 ms in the future."""
    sender = senders.take()
    sender.go(name)
    live = lane()
    live.steady()
    sender.say(drift=ppm * 1e-6)
    t = live.clock.now()
    live.live(60.0)
    steps = live.steps()
    assert oldest_basis(steps) <= AGE_S
    assert (moving_t(steps) <= 0.005).all()
    tripped = steps[(steps["now"] > t) & (steps["gate_state"] == GateState.TRIPPED)]
    if ppm < 0:
        assert not len(tripped)
        assert not live.heard("clock.jumped")
    else:
        assert tripped["now"][0] - t == pytest.approx(0.005 / 200e-6, abs=5.0)
        assert live.heard("clock.jumped")
