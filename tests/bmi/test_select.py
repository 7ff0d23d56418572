"""A click passes the gate once, on a rise of its probability, and never while anything else is held back."""

import math

import numpy as np
import pytest
from gate_rig import DECODER, HARDWARE, PERIOD_S, SIMULATED, Rig
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_gate import ReferenceSelection

from bmi.errors import ContractError
from bmi.gate import Gate
from bmi.limits import SELECT_REFRACTORY_S
from bmi.select import Selection
from bmi.signals import GateFlag, GateState, Intent

CLICK = {"select": Selection(threshold=0.5, release=0.3, hold_s=0.04, refractory_s=0.3)}


def rig(device=SIMULATED, **rules):
    rules = {"threshold": 0.5, "release": 0.3, "hold_s": 0.04, "refractory_s": 0.3} | rules
    return Rig(device, selects=True, select=Selection(**rules))


def said(r, *probabilities, **words):
    """Say each, a bin apart; return in which commands a selection passed."""
    return [r.say(select=p, **words).select for p in probabilities]


def up(r, n=3, p=0.9, **words):
    return said(r, *[p] * n, **words)


# --- a rise, once -------------------------------------------------------------------------------------------


def test_what_has_been_up_for_the_hold_selects_in_one_command():
    r = rig()
    assert said(r, 0.1, 0.5, 0.5, 0.5, 0.9, 0.9) == [False, False, False, True, False, False]


def test_without_a_hold_the_first_bin_up_selects():
    assert said(rig(hold_s=0.0), 0.1, 0.5, 0.9) == [False, True, False]


def test_a_dip_below_the_threshold_begins_the_hold_anew():
    assert said(rig(), 0.1, 0.9, 0.9, 0.49, 0.9, 0.9, 0.9) == [False] * 6 + [True]


def test_what_is_up_from_the_start_is_no_rise():
    r = rig()
    assert not any(up(r, 20))
    assert said(r, 0.29, 0.9, 0.9, 0.9) == [False, False, False, True]


def test_however_long_it_stays_up_it_selects_once_and_next_only_after_it_was_below_release():
    r = rig()
    said(r, 0.1)
    assert up(r, 100).count(True) == 1
    assert said(r, 0.31, *[0.9] * 20).count(True) == 0
    assert said(r, 0.29, *[0.9] * 20).count(True) == 1


def test_a_rise_within_the_refractory_time_is_lost_not_put_off():
    r = rig(hold_s=0.0)
    assert said(r, 0.1, 0.9) == [False, True]
    assert not any(said(r, 0.1, *[0.9] * 30))
    assert said(r, 0.1, 0.9) == [False, True]


def test_two_selections_are_the_refractory_time_apart_at_least():
    r, times = rig(hold_s=0.0, refractory_s=0.1), []
    for k in range(200):
        if r.say(select=0.9 * (k % 2)).select:
            times.append(r.now)
    gaps = np.diff(times)
    assert len(gaps) > 20
    assert gaps.min() == pytest.approx(0.12)


def test_turns_without_an_intent_change_nothing():
    r = rig()
    said(r, 0.1, 0.9)
    assert [r.wait(0.01) for _ in range(3)] == [None] * 3
    assert said(r, 0.9) == [True]


# --- never while anything is wrong -----------------------------------------------------------------------------


def refuses(r, fault):
    """Whether a rise that a fault interrupts is void, and the next whole one counts again."""
    said(r, 0.1, 0.1)
    assert up(r, 2) == [False, False]
    command = fault(r)
    assert command is None or not command.select
    assert not any(up(r, 20)), "what rose unseen does not count"
    return said(r, 0.1, 0.9, 0.9, 0.9)


FAULTS = {
    "stale": lambda r: r.say(select=0.9, age=0.151),
    "old sample, newest one fresh": lambda r: r.say(select=0.9, age=3.0),
    "silent source": lambda r: r.silence(0.15, fresh=False)[-1] and None,
    "silent decoder": lambda r: r.silence(0.09)[-1] and None,
    "disarmed by silence": lambda r: r.silence(0.6)[-1] and None,
    "abstaining": lambda r: r.say(select=0.9, abstains=True),
    "not finite": lambda r: r.say((math.nan, 0.0), select=0.9),
    "no position": lambda r: r.say(select=0.9, position=np.array([math.nan, 0.0])),
    "disarmed": lambda r: r.say(select=0.9, arm=False),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_voids_the_rise(fault):
    assert refuses(rig(), FAULTS[fault]) == [False, False, False, True]


@pytest.mark.parametrize("bad", [math.nan, -0.01, 1.01, math.inf])
def test_what_is_no_probability_voids_the_rise(bad):
    r = rig()
    said(r, 0.1, 0.9, 0.9)
    assert said(r, bad, *[0.9] * 10) == [False] * 11
    assert said(r, 0.1, 0.9, 0.9, 0.9) == [False, False, False, True]


@pytest.mark.parametrize(
    ("words", "state"), [({"age": -0.006}, GateState.TRIPPED), ({"stop": True}, GateState.STOPPED)]
)
def test_tripped_and_stopped_nothing_selects_until_armed_again(words, state):
    r = rig()
    said(r, 0.1, 0.9, 0.9)
    assert not r.say(select=0.9, **words).select
    assert said(r, *[0.1, 0.9, 0.9, 0.9] * 5) == [False] * 20
    assert r.state == state
    r.say(arm=False)
    assert said(r, 0.1, 0.9, 0.9, 0.9) == [False, False, False, True]


def test_hardware_that_awaits_the_neutral_command_is_not_clicked():
    r = rig(HARDWARE)
    assert said(r, *[0.1, 0.9, 0.9, 0.9] * 5) == [False] * 20
    assert r.state == GateState.NEUTRAL
    r.say((0.0, 0.0))
    assert said(r, 0.1, 0.9, 0.9, 0.9) == [False, False, False, True]


def test_commands_without_an_intent_never_select():
    r = rig(hold_s=0.0)
    said(r, 0.1, 0.9)
    r.now += 0.1
    assert not r.wait(fresh=False).select


def test_without_a_click_decoder_no_command_selects():
    r = Rig(**CLICK)
    assert said(r, 0.1, *[0.9] * 20) == [False] * 21
    assert len(r.gate.state()) == 2, "and there is no more state than there was"


# --- the twin ------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    threshold=st.sampled_from([0.3, 0.5, 0.9]),
    hold=st.sampled_from([0.0, 0.02, 0.05]),
    refractory=st.sampled_from([0.1, 0.3]),
)
def test_the_gate_selects_as_its_plain_twin(seed, threshold, hold, refractory):
    rules = {"threshold": threshold, "release": 0.3, "hold_s": hold, "refractory_s": refractory}
    rng, r, twin = np.random.default_rng(seed), rig(**rules), ReferenceSelection(**rules)
    p = 0.1
    for _ in range(300):
        kind = rng.choice(["say", "wait", "old", "abstain", "disarm", "stop"], p=[0.87, 0.1, 0.01, 0.01, 0.005, 0.005])
        if rng.random() < 0.25:
            p = rng.choice([0.0, 0.1, 0.29, 0.3, 0.45, 0.5, 0.7, 1.0, math.nan], p=[0.2, 0.2] + [0.08] * 6 + [0.12])
        words = {"arm": kind != "disarm", "stop": kind == "stop"}
        if kind == "wait":
            command = r.wait(rng.choice([0.005, 0.1]), **words)
        else:
            command = r.say(select=p, age=0.2 if kind == "old" else 0.0, abstains=kind == "abstain", **words)
        expected = twin.step(None if kind == "wait" else p, r.now, r.state == GateState.ACTIVE)
        assert (command is not None and command.select) == expected
        if r.state == GateState.STOPPED:
            r.say(arm=False)
            twin.step(None, r.now, False)


def test_the_comparison_with_the_twin_is_of_many_selections():
    r = rig(hold_s=0.0, refractory_s=0.1)
    rng = np.random.default_rng(1)
    assert sum(said(r, *rng.choice([0.1, 0.9], 1000))) > 50


# --- state ---------------------------------------------------------------------------------------------------------


@given(cut=st.integers(0, 60), seed=st.integers(0, 20))
@settings(max_examples=20, deadline=None)
def test_state_is_everything(cut, seed):
    rng = np.random.default_rng(seed)
    p = np.where(rng.random(80) < 0.5, 0.1, 0.9).repeat(2)
    one, two = rig(), rig()
    said(one, *p[:cut])
    for a, b in zip(two.gate.state(), one.gate.state(), strict=True):
        a[...] = b
    two.now = two.newest = one.now
    assert said(one, *p[cut:]) == said(two, *p[cut:])


def test_reset_equals_fresh():
    r, fresh = rig(), rig()
    said(r, 0.1, 0.9, 0.9, 0.9)
    r.gate.reset()
    assert all(np.array_equal(a, b) for a, b in zip(r.gate.state(), fresh.gate.state(), strict=True))


def test_the_flag_of_the_wire_is_none_of_the_gates():
    assert all(flag < 65536 for flag in GateFlag)


# --- configuration ---------------------------------------------------------------------------------------------------


def test_the_refractory_time_can_only_be_made_longer():
    assert Selection(refractory_s=SELECT_REFRACTORY_S).refractory_s == 0.1
    with pytest.raises(ContractError, match=r"refractory_s=0\.09 s must be at least 0\.1 s"):
        Selection(refractory_s=0.09)


def test_release_lies_below_the_threshold():
    with pytest.raises(ContractError, match=r"release=0\.6 is above threshold=0\.5"):
        Selection(release=0.6)


def test_a_click_says_nothing_of_where_one_goes():
    """The same velocities with and without a click."""
    a, b = rig(hold_s=0.0), rig(hold_s=0.0)
    for k in range(50):
        wish = (100.0 * math.sin(k / 5), 50.0)
        assert np.array_equal(a.say(wish, select=0.9 * (k % 2)).values, b.say(wish).values)


def test_an_intent_that_never_heard_of_clicks_selects_nothing():
    gate = Gate()
    gate.bind(DECODER, SIMULATED, PERIOD_S, selects=True)
    intent = Intent(np.zeros(2), np.eye(2), 1.0, 1.0)
    command = gate.step(intent, 1.0, np.zeros(2), np.zeros(2), arm=True, stop=False, newest_t=1.0, newest_arrival=1.0)
    assert command.select is False
