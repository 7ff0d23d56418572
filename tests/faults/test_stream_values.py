"""Electrodes fail while the stream flows: some, and decoding goes on; all, and the device rests until they return."""

from __future__ import annotations

import numpy as np
import pytest
from stream_rig import AGE_S, CI_SLACK, NEUTRAL_S, RETURN_S, moved_after, neutral_after, oldest_basis

from bmi import registry
from bmi.signals import GateFlag

COUNTS = [{"use": "bin", "bin_s": 0.02}]
VOLTS = [{"use": "quality"}, {"use": "band-power", "low_hz": 60, "high_hz": 200, "every_s": 0.02}]
needs_quality = pytest.mark.skipif("quality" not in registry.names("stages"), reason="no stage 'quality' is installed")


def finite(steps):
    """Whether every command that was ever written was of numbers."""
    return bool(np.isfinite(steps["command"]).all() and np.isfinite(steps["applied"]).all())


def some_then_all(live, sender, kind, slack=CI_SLACK):
    """Spoil three of eight channels, then all, then none."""
    live.steady()
    t_some = live.clock.now()
    sender.say(bad={"which": 3, "kind": kind})
    live.live(0.5)
    t_all = live.clock.now()
    steps = live.steps()
    during = steps[(steps["now"] > t_some) & (steps["has_intent"] == 1)]
    assert (during["gate_state"] == 2).mean() > 0.9, "with five good channels it works on"
    assert during["command"].any()
    sender.say(bad={"which": 8, "kind": kind})
    live.until(lambda: not live.active, slack * NEUTRAL_S)
    live.live(0.5)
    t_good = live.clock.now()
    steps = live.steps()
    resting = steps[(steps["now"] > t_good - 0.3) & (steps["command_seq"] >= 0)]
    assert not resting["command"].any()
    assert (resting["gate_flags"] & (GateFlag.ABSTAINED | GateFlag.DEADMAN | GateFlag.NOT_ARMED) > 0).all()
    sender.say(bad=None)
    live.until(lambda: live.active, slack * RETURN_S)
    live.live(0.1)
    steps = live.steps()
    assert finite(steps)
    assert neutral_after(steps, t_all) <= slack * NEUTRAL_S
    assert moved_after(steps, t_good) <= slack * RETURN_S
    assert oldest_basis(steps) <= AGE_S
    assert not live.events("stream.lost"), "the stream itself has no fault"


@pytest.mark.parametrize("kind", ["nan", "inf"])
def test_counts_that_are_no_numbers(senders, lane, name, kind):
    sender = senders.take()
    sender.go(name)
    live = lane(stages=COUNTS)
    some_then_all(live, sender, kind)
    assert live.source.n_nan > 0


@needs_quality
@pytest.mark.parametrize("kind", ["nan", "railed", "flat"])
def test_channels_that_are_no_numbers_railed_or_flat(senders, lane, name, kind):
    sender = senders.take()
    sender.go(name, unit="µV")
    some_then_all(lane(stages=VOLTS), sender, kind)


@needs_quality
@pytest.mark.bars
@pytest.mark.parametrize("kind", ["nan", "inf", "railed", "flat"])
def test_ten_times_each(senders, lane, name, kind):
    sender = senders.take()
    sender.go(name, unit="µV")
    live = lane(stages=VOLTS, device="null")
    for _ in range(10):
        some_then_all(live, sender, kind, 1.0)
