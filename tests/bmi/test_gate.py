"""The gate, row by row of the house's table of limits."""

import math

import numpy as np
import pytest
from gate_rig import DECODER, HARDWARE, PERIOD_S, Rig

from bmi.errors import ContractError
from bmi.gate import Gate
from bmi.signals import DeviceSpec, GateFlag, GateState, Intent, IntentSpec

# --- what passes --------------------------------------------------------------------------------------


def test_a_simulated_device_arms_with_the_first_good_intent_and_follows_it():
    rig = Rig()
    assert rig.state == GateState.DISARMED
    command = rig.cruise()
    assert rig.state == GateState.ACTIVE == command.state
    np.testing.assert_allclose(command.values, [100.0, 0.0], atol=0.01)
    assert command.seq == 4
    assert command.t_command == rig.now
    assert command.age_s(rig.now) == 0.0


def test_nothing_is_said_while_all_is_fresh_and_the_decoder_is_between_two_bins():
    rig = Rig()
    rig.cruise()
    assert [rig.wait() for _ in range(3)] == [None] * 3
    assert rig.state == GateState.ACTIVE


def test_unarmed_intents_become_rest():
    rig = Rig()
    command = rig.say(arm=False)
    assert command.values.tolist() == [0.0, 0.0]
    assert command.flags & GateFlag.NOT_ARMED
    assert rig.state == GateState.DISARMED


def test_lowering_the_arm_word_brakes_at_once():
    rig = Rig()
    rig.cruise()
    assert np.linalg.norm(rig.say(arm=False).values) < 25.0
    for _ in range(5):
        command = rig.say(arm=False)
    assert command.values.tolist() == [0.0, 0.0]
    assert rig.state == GateState.DISARMED
    assert rig.wait(arm=False) is None, "at rest and disarmed there is nothing to say"


# --- age of the newest sample: 150 ms -----------------------------------------------------------------


@pytest.mark.parametrize(("age", "passes"), [(0.1499, True), (0.1501, False), (3600.0, False)])
def test_an_intent_on_old_samples_is_not_obeyed(age, passes):
    rig = Rig()
    rig.cruise()
    command = rig.say((0.0, 100.0), age=age)
    assert (command.state == GateState.ACTIVE) == passes
    assert bool(command.flags & GateFlag.STALE) != passes
    assert (command.values[1] > 0) == passes
    assert command.age_s(rig.now) == pytest.approx(age)


def test_age_counts_from_the_older_of_stamp_and_arrival():
    """A stamp corrected into the future of its arrival makes nothing younger."""
    rig = Rig()
    rig.cruise()
    rig.now += PERIOD_S
    intent = Intent(np.ones(2), np.eye(2), rig.now, rig.now - 0.2)
    rest, words = np.zeros(2), {"newest_t": rig.now, "newest_arrival": rig.now}
    command = rig.gate.step(intent, rig.now, rest, rest, arm=True, stop=False, **words)
    assert command.flags & GateFlag.STALE
    assert command.age_s(rig.now) == pytest.approx(0.2)


def test_a_nan_stamp_is_an_old_stamp():
    rig = Rig()
    rig.cruise()
    assert rig.say(age=math.nan).flags & GateFlag.STALE


# --- dead-man 80 ms, disarm 500 ms --------------------------------------------------------------------


def test_a_silent_decoder_is_braked_after_80_ms_and_disarmed_after_500():
    rig = Rig()
    rig.cruise((200.0, 0.0))
    said = rig.silence(0.6)
    first = said[0][0]
    assert 0.080 <= first <= 0.0851
    assert all(f & GateFlag.DEADMAN for t, _, f in said if t < 0.5)
    speeds = np.array([np.linalg.norm(v) for _, v, _ in said])
    assert np.all(np.diff(speeds) <= 0)
    assert speeds[3] == 0.0, "at rest within 60 ms of braking"
    gaps = np.diff([t for t, *_ in said])
    assert np.all(gaps >= 0.020 - 1e-9), "repeated at a bounded rate"
    assert rig.state == GateState.DISARMED
    assert said[-1][0] == pytest.approx(0.5, abs=0.0051), "disarming is the last thing said"


def test_no_command_within_the_dead_man_time_is_late():
    rig = Rig()
    rig.cruise()
    for _ in range(20):
        assert not rig.say(after=0.075).flags & GateFlag.DEADMAN


def test_simulated_devices_rearm_by_themselves_with_the_next_good_intent():
    rig = Rig()
    rig.cruise()
    rig.silence(0.6)
    assert rig.say((math.nan, 0.0)).state == GateState.DISARMED
    command = rig.say((100.0, 0.0))
    assert command.state == GateState.ACTIVE
    assert 0 < command.values[0] <= 8e3 * PERIOD_S + 1e-9, "it sets out from rest"


def test_simulated_devices_wait_for_the_operator_if_told_to():
    rig = Rig(auto_rearm=False)
    assert rig.say(arm=False).state == GateState.DISARMED
    assert rig.say(arm=True).state == GateState.ACTIVE
    rig.silence(0.6)
    assert rig.say().state == GateState.DISARMED
    rig.say(arm=False)
    assert rig.say().state == GateState.ACTIVE


def test_hardware_waits_for_an_arm_edge_and_a_neutral_command():
    rig = Rig(HARDWARE)
    command = rig.say((100.0, 0.0))
    assert command.state == GateState.NEUTRAL
    assert command.flags & GateFlag.NOT_ARMED
    assert rig.say((100.0, 0.0)).values.tolist() == [0.0, 0.0]
    assert rig.say((10.0, 10.0)).state == GateState.ACTIVE
    assert rig.say((100.0, 0.0)).values[0] > 0
    rig.silence(0.6)
    assert rig.state == GateState.DISARMED
    assert rig.say((0.0, 0.0)).state == GateState.DISARMED, "no edge: it stays disarmed"
    rig.say((0.0, 0.0), arm=False)
    assert rig.say((100.0, 0.0)).state == GateState.NEUTRAL
    assert rig.say(abstains=True).state == GateState.NEUTRAL, "abstaining is neutral"
    assert rig.say((100.0, 0.0)).state == GateState.ACTIVE


def test_arming_alone_is_answered_by_a_neutral_command():
    rig = Rig(HARDWARE)
    assert rig.wait(arm=False) is None
    command = rig.wait(arm=True)
    assert command.values.tolist() == [0.0, 0.0]
    assert command.state == GateState.NEUTRAL


# --- source watchdog ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("chunk_s", "limit_s"), [(0.001, 0.1), (0.02, 0.1), (0.03, 0.15)])
def test_a_silent_source_means_neutral_after_five_chunks_or_100_ms(chunk_s, limit_s):
    rig = Rig(chunk_s=chunk_s)
    rig.cruise()
    said = rig.silence(0.25, fresh=False)
    silent = [t for t, _, f in said if f & GateFlag.SILENT]
    assert limit_s < silent[0] <= min(limit_s + 0.0251, 0.2)
    assert rig.cursor.read(rig.now).velocity.tolist() == [0.0, 0.0]


# --- future stamps, STOP: latched ---------------------------------------------------------------------


@pytest.mark.parametrize(("ahead", "trips"), [(0.0049, False), (0.0051, True), (1e6, True)])
def test_a_stamp_from_the_future_trips(ahead, trips):
    rig = Rig()
    rig.cruise()
    command = rig.say(age=-ahead)
    assert (command.state == GateState.TRIPPED) == trips
    assert bool(command.flags & GateFlag.FUTURE) == trips


def test_a_trip_brakes_and_stays_until_armed_again():
    rig = Rig()
    rig.cruise((200.0, 0.0))
    speeds = [np.linalg.norm(rig.say(age=-1.0).values)]
    for _ in range(5):
        speeds.append(np.linalg.norm(rig.say().values))
        assert rig.state == GateState.TRIPPED
    assert speeds[0] < 70.0
    assert speeds[-1] == 0.0
    assert rig.say(arm=False).state == GateState.TRIPPED
    assert rig.say(arm=True).state == GateState.ACTIVE


def test_a_newest_sample_from_the_future_trips_without_an_intent():
    rig = Rig()
    rig.cruise()
    rig.newest = rig.now + 1.0
    assert rig.wait(fresh=False).state == GateState.TRIPPED


@pytest.mark.parametrize("say", ["say", "wait"])
def test_stop_is_zero_at_once_and_latched(say):
    rig = Rig()
    rig.cruise((250.0, 0.0))
    command = getattr(rig, say)(stop=True)
    assert command.values.tolist() == [0.0, 0.0]
    assert command.flags & GateFlag.STOP
    for _ in range(10):
        assert rig.say((100.0, 0.0)).values.tolist() == [0.0, 0.0]
    assert rig.state == GateState.STOPPED
    assert rig.say(arm=False).state == GateState.STOPPED
    assert rig.say(arm=True, stop=True).state == GateState.STOPPED, "no arming while STOP is pressed"
    assert rig.say(arm=True).state == GateState.STOPPED, "that edge is spent"
    rig.say(arm=False)
    assert rig.say(arm=True).state == GateState.ACTIVE


def test_a_future_stamp_does_not_undo_stop():
    rig = Rig()
    rig.cruise()
    rig.say(stop=True)
    assert rig.say(age=-1.0).state == GateState.STOPPED


# --- what is not a command ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mean",
    [
        (math.nan, 0.0),
        (0.0, math.inf),
        (-math.inf, 1.0),
        (1.0,),
        (1.0, 2.0, 3.0),
        ((1.0, 2.0),),
        (),
        (1j, 0.0),
        ("a", "b"),
    ],
    ids=str,
)
def test_what_is_not_a_velocity_becomes_neutral(mean):
    rig = Rig()
    rig.cruise()
    command = rig.say(mean)
    assert command.flags & GateFlag.NOT_FINITE
    assert command.state == GateState.NEUTRAL
    assert 0 <= command.values[0] < 25.0
    assert command.values[1] == 0.0
    assert rig.say((0.0, 50.0)).state == GateState.ACTIVE


def test_a_decoder_that_keeps_saying_nonsense_is_disarmed():
    rig = Rig()
    rig.cruise()
    for _ in range(26):
        command = rig.say((math.nan, 0.0))
    assert command.state == GateState.DISARMED


def test_an_abstaining_decoder_is_neutral_and_alive():
    rig = Rig()
    rig.cruise()
    for _ in range(50):
        command = rig.say((200.0, 0.0), abstains=True)
        assert command.flags & GateFlag.ABSTAINED
        assert command.state == GateState.NEUTRAL
    assert command.values.tolist() == [0.0, 0.0]


def test_without_a_position_nothing_moves():
    rig = Rig()
    rig.cruise()
    command = rig.say(position=np.array([math.nan, 0.0]))
    assert command.flags & GateFlag.NOT_FINITE
    assert command.state == GateState.NEUTRAL


# --- bind: units, dimensions, the stricter limit ------------------------------------------------------


@pytest.mark.parametrize(
    ("decoder", "device", "message"),
    [
        ({"unit": "cm/s"}, {}, "'mm/s', the decoder gives 'cm/s'"),
        ({"unit": "cm/s"}, {"unit": "cm/s"}, "limits are in 'mm'"),
        ({}, {"position_unit": "m"}, "limits are in 'mm'"),
        ({"kind": "categorical"}, {}, "continuous"),
        ({"dims": ("x",)}, {}, "decoder gives"),
        ({"dims": ("y", "x")}, {}, "decoder gives"),
        ({"dims": ("x", "y", "z")}, {"dims": ("x", "y", "z")}, "workspace_mm has 2 widths"),
        ({}, {"speed_limit": 0.0}, "speed limit of 0"),
        ({"rate_hz": 10.0}, {}, "dead-man"),
    ],
)
def test_parts_that_do_not_fit_are_refused_at_bind(decoder, device, message):
    a = IntentSpec(**{"dims": ("x", "y"), "unit": "mm/s", "rate_hz": 50.0} | decoder)
    b = DeviceSpec(**{"name": "d", "dims": ("x", "y"), "unit": "mm/s"} | device)
    with pytest.raises(ContractError, match=message):
        Gate().bind(a, b, PERIOD_S)


def test_hardware_never_rearms_by_itself():
    with pytest.raises(ContractError, match="auto_rearm"):
        Gate(auto_rearm=True).bind(DECODER, HARDWARE, PERIOD_S)


@pytest.mark.parametrize(("own", "device", "effective"), [(250.0, 100.0, 100.0), (80.0, 500.0, 80.0)])
def test_the_stricter_of_gate_and_device_holds(own, device, effective):
    spec = DeviceSpec(name="d", dims=("x", "y"), unit="mm/s", speed_limit=device)
    rig = Rig(spec, speed_limit_mm_s=own)
    command = rig.cruise((1000.0, 1000.0), 20)
    assert np.linalg.norm(command.values) == pytest.approx(effective, rel=1e-6)
    assert command.flags & GateFlag.SPEED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("speed_limit_mm_s", 251.0),
        ("acceleration_limit_mm_s2", 1e5),
        ("jerk_limit_mm_s3", 1e6),
        ("max_age_s", 0.151),
        ("future_tolerance_s", 0.006),
        ("deadman_s", 0.1),
        ("disarm_s", 1.0),
        ("deadman_s", 0.0),
        ("workspace_mm", (300.0, 301.0)),
    ],
)
def test_configuration_can_only_make_it_stricter(name, value):
    with pytest.raises(ContractError, match=name):
        Gate(**{name: value})
