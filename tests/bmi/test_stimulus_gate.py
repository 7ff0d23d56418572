"""The stimulus gate: what may pass, how fast it may change, and that zero is where everything wrong ends."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_stimulus import ReferenceStimulusGate
from stimulus_rig import CONTROLLER, MACRO, PERIOD_S, Rig

from bmi import limits as house
from bmi.errors import ContractError
from bmi.signals import DeviceSpec, GateFlag, GateState, Intent, IntentSpec
from bmi.stimulus import StimulusProgram
from bmi.stimulus_gate import StimulusGate
from devices.cursor import Cursor
from devices.stimulator import Stimulator

# --- what passes --------------------------------------------------------------------------------------


def test_an_amplitude_is_reached_by_the_ramp_and_held():
    rig = Rig(amplitude_limit_ma=3.0, ramp_ma_s=12.0)
    rig.say(2.0)
    said = [float(rig.say(2.0).values[0]) for _ in range(10)]
    np.testing.assert_allclose(np.diff(said[:6]), 0.24)
    assert said[-1] == 2.0
    assert rig.applied == 2.0
    assert rig.state == GateState.ACTIVE


def test_the_ramp_is_said_while_it_acts():
    rig = Rig()
    assert rig.say(2.0).flags & GateFlag.RAMP
    assert not rig.settle(2.0).flags & GateFlag.RAMP


def test_more_than_the_cap_is_the_cap_and_less_than_nothing_is_nothing():
    rig = Rig(amplitude_limit_ma=3.0)
    command = rig.settle(50.0)
    assert (float(command.values[0]), command.flags) == (3.0, GateFlag.AMPLITUDE)
    command = rig.settle(-50.0)
    assert (float(command.values[0]), command.flags) == (0.0, GateFlag.AMPLITUDE)


def test_the_device_may_be_the_stricter_of_the_two():
    rig = Rig(device={"amplitude_limit_ma": 1.0}, amplitude_limit_ma=3.0)
    assert float(rig.settle(2.0).values[0]) == 1.0
    assert rig.gate.limits_.ramp == 4.0


@pytest.mark.parametrize(
    ("device", "gate", "ceiling", "rule"),
    [
        # charge 0.06 µC a mA; 0.12 µC are 2 mA
        ({}, {"charge_limit_uc": 0.12}, 2.0, "charge per phase"),
        # 6 mm² are 0.06 cm²: 1 µC/cm² are 0.06 µC, 1 mA
        ({}, {"density_limit_uc_cm2": 1.0}, 1.0, "charge density"),
        # Q² / A = 10^k: with k = -1, Q = sqrt(0.006) µC
        ({}, {"shannon_k": -1.0}, math.sqrt(0.006) / 0.06, "Shannon's line"),
        ({"pulse_us": 450.0, "frequency_hz": 20.0}, {}, 1.0 / 0.45, "charge per phase"),
        ({"electrode_area_mm2": 0.2, "pulse_us": 450.0, "frequency_hz": 20.0}, {}, 0.06 / 0.45, "charge density"),
    ],
)
def test_charge_sets_the_ceiling_where_it_is_the_strictest(device, gate, ceiling, rule):
    rig = Rig(device=device, **gate)
    command = rig.settle(4.9, steps=60)
    assert float(command.values[0]) == pytest.approx(ceiling, rel=1e-12)
    assert command.flags & GateFlag.CHARGE
    assert rig.gate.limits_.rule == rule


@given(
    area=st.floats(0.2, 100.0), pulse=st.floats(10.0, 450.0), k=st.floats(-3.0, 1.5), density=st.floats(0.1, 30.0),
    charge=st.floats(0.001, 1.0), wanted=st.floats(0.0, 1e6),
)  # fmt: skip
@settings(max_examples=60)
def test_no_pulse_carries_more_than_any_rule_permits(area, pulse, k, density, charge, wanted):
    rig = Rig(
        device={"electrode_area_mm2": area, "pulse_us": pulse, "frequency_hz": 100.0},
        shannon_k=k, density_limit_uc_cm2=density, charge_limit_uc=charge,
    )  # fmt: skip
    ma, program = float(rig.settle(wanted, steps=15).values[0]), rig.device.program
    assert ma <= house.STIMULUS_AMPLITUDE_MA
    assert program.charge_uc(ma) <= charge * (1 + 1e-12)
    assert program.density_uc_cm2(ma) <= density * (1 + 1e-12)
    assert program.shannon_k(ma) <= k + 1e-9


# --- every way to zero --------------------------------------------------------------------------------


def test_stop_is_zero_at_once_and_latched_until_an_arm_edge():
    rig = Rig()
    rig.settle()
    command = rig.wait(stop=True)
    assert (command.values.tolist(), command.state) == ([0.0], GateState.STOPPED)
    assert rig.applied == 0.0
    rig.settle()
    assert (rig.applied, rig.state) == (0.0, GateState.STOPPED)
    rig.say(arm=False)
    rig.settle()
    assert rig.applied == 2.0


def test_a_stamp_in_the_future_is_zero_at_once_and_trips():
    rig = Rig()
    rig.settle()
    command = rig.say(age=-0.01)
    assert (command.values.tolist(), command.state) == ([0.0], GateState.TRIPPED)
    assert command.flags & GateFlag.FUTURE
    rig.say()
    assert rig.state == GateState.TRIPPED
    rig.settle(steps=60)
    assert rig.applied == 2.0, "a simulated one arms itself once all was well for half a second"


@pytest.mark.parametrize(
    ("how", "flag"),
    [
        ({"age": 0.2}, GateFlag.STALE),
        ({"wanted": math.nan}, GateFlag.NOT_FINITE),
        ({"wanted": math.inf}, GateFlag.NOT_FINITE),
        ({"wanted": [1.0, 1.0]}, GateFlag.NOT_FINITE),
        ({"abstains": True}, GateFlag.ABSTAINED),
        ({"arm": False}, GateFlag.NOT_ARMED),
    ],
    ids=str,
)
def test_what_must_not_pass_ramps_to_zero_in_a_quarter_of_a_second(how, flag):
    rig = Rig(amplitude_limit_ma=2.0, ramp_ma_s=1.0)  # ordered changes are slower than the way to safety
    rig.settle(2.0, steps=150)
    assert rig.applied == 2.0
    seen = []
    for _ in range(13):
        command = rig.say(**{"wanted": 2.0, **how})
        seen.append(float(command.values[0]))
        assert command.flags & flag
    np.testing.assert_allclose(seen[:12], 2.0 - 8.0 * PERIOD_S * np.arange(1, 13))
    assert seen[-1] == 0.0


def test_a_silent_controller_is_let_go_after_80_ms():
    rig = Rig()
    rig.settle()
    seen = rig.silence(0.7)
    assert all(ma == 2.0 for t, ma, _ in seen if t < 0.0799)
    assert all(ma == 0.0 for t, ma, _ in seen if t > 0.0851)
    assert rig.state == GateState.DISARMED
    ma = float(rig.say(2.0).values[0])
    assert ma == pytest.approx(20.0 * PERIOD_S), "it sets out from zero again"


def test_a_silent_stream_is_let_go_too():
    rig = Rig()
    rig.settle()
    assert rig.silence(0.3, fresh=False)[-1][1] == 0.0
    assert rig.state == GateState.NEUTRAL


def test_hardware_waits_for_an_edge_and_for_next_to_nothing():
    gate = StimulusGate()
    spec = Stimulator(**MACRO).spec
    real = DeviceSpec(**{**{f: getattr(spec, f) for f in spec.__slots__}, "hardware": True})
    gate.bind(CONTROLLER, real, 0.01)
    now, does = 1000.0, np.zeros(1)

    def say(wanted, arm):
        nonlocal now
        now += PERIOD_S
        intent = Intent(np.array([wanted]), np.eye(1), now, now)
        command = gate.step(intent, now, does, arm=arm, stop=False, newest_t=now, newest_arrival=now)
        return float(command.values[0])

    assert [say(2.0, False), say(2.0, True), say(2.0, True), say(0.0, True)] == [0.0] * 4
    assert say(2.0, True) > 0.0


# --- hostile worlds -----------------------------------------------------------------------------------


def fuzz(seed, n):
    """Steps of a hostile world: (gap, speaks, mean, age, abstains, arm, stop)."""
    rng = np.random.default_rng(seed)
    arm = True
    for _ in range(n):
        gaps = [0.001, 0.005, 0.02, rng.uniform(1e-3, 0.1), rng.uniform(0.1, 0.7)]
        gap = rng.choice(gaps, p=[0.2, 0.3, 0.3, 0.19, 0.01])
        mean = rng.normal(1.0, 10 ** rng.uniform(-1, 2), 1)
        if rng.random() < 0.1:
            mean[0] = rng.choice([math.nan, math.inf, -math.inf, 1e308, -1e308])
        if rng.random() < 0.02:
            mean = np.ones(2)
        age = rng.choice([0.0, rng.uniform(0, 0.14), rng.uniform(0, 0.3), -rng.uniform(0, 0.005)])
        if rng.random() < 0.003:
            age = -rng.uniform(0.01, 1e3)
        if rng.random() < (0.02 if arm else 0.3):
            arm = not arm
        yield gap, rng.random() < 0.6, mean, age, rng.random() < 0.05, arm, rng.random() < 0.003


def walk(gate, device, steps, now=500.0):
    """Take a gate and its stimulator through a hostile world; yield (now, does, said, command, words)."""
    for gap, speaks, mean, age, abstains, arm, stop in steps:
        now += gap
        does = device.read(now).position.copy()
        newest = now - max(age, 0.0)
        intent = Intent(mean, np.eye(1), now - age, now, 0, abstains) if speaks else None
        words = {"arm": arm, "stop": stop, "newest_t": newest, "newest_arrival": newest}
        command = gate.step(intent, now, does, **words)
        yield now, does, (mean, now - age, now, abstains) if speaks else None, command, words
        if command is not None:
            device.write(command, now)


def bound(**more):
    gate, device = StimulusGate(amplitude_limit_ma=3.0, ramp_ma_s=10.0, **more), Stimulator(**MACRO)
    gate.bind(CONTROLLER, device.spec, 0.01)
    device.open()
    device.arm()
    return gate, device


LONG = [pytest.mark.bars, pytest.mark.timeout(900)]


@pytest.mark.parametrize("n_steps", [20_000, pytest.param(1_000_000, marks=LONG)])
def test_nothing_illegal_reaches_the_stimulator_in_many_hostile_steps(n_steps):
    gate, device = bound()
    t_was, was, passed, n_active = -math.inf, 0.0, 0, 0
    for now, does, said, command, words in walk(gate, device, fuzz(11, n_steps)):
        if command is None:
            continue
        ma = float(command.values[0])
        assert 0.0 <= ma <= 3.0
        if command.state in (GateState.STOPPED, GateState.TRIPPED):
            assert ma == 0.0
        if command.state == GateState.ACTIVE:
            n_active += 1
            assert said is not None
            assert words["arm"]
            assert not words["stop"]
            assert np.isfinite(said[0]).all()
            assert command.age_s(now) <= 0.15
            assert command.t - now <= 0.005
        since, start = (now - t_was, was) if now - t_was <= 0.080 else (PERIOD_S, float(does[0]))
        assert ma - start <= 10.0 * since + 1e-12, "never up faster than the ramp"
        if command.state == GateState.ACTIVE:
            assert start - ma <= 10.0 * since + 1e-12, "nor down, while it is ordered"
        elif command.state in (GateState.NEUTRAL, GateState.DISARMED):
            assert start - ma <= 12.0 * since + 1e-12, "and to safety by the steepest ramp there may be"
        t_was, was = now, ma
        passed += ma > 0.0
    assert n_active > n_steps / 10, "it was not simply shut"
    assert passed > n_steps / 20


@given(st.integers(0, 2**32), st.integers(1, 40))
@settings(max_examples=40)
def test_after_stop_nothing_passes_until_it_is_armed_again(seed, before):
    gate, device = bound()
    steps = [(*s[:5], True, False) for s in fuzz(seed, before + 60)]
    steps[before] = (*steps[before][:6], True)
    for k, (*_, command, _) in enumerate(walk(gate, device, steps)):
        if k >= before:
            assert gate.status == GateState.STOPPED
            assert command is None or not command.values.any()
            assert k == before or not device.effector.position.any()


@pytest.mark.parametrize("by_charge", [False, True])
def test_the_stimulus_gate_equals_its_plain_twin(by_charge):
    gate, device = bound(charge_limit_uc=0.12) if by_charge else bound()
    limits = gate.limits_
    twin = ReferenceStimulusGate(
        amplitude=limits.amplitude, ramp=limits.ramp, fall=limits.fall, by_charge=by_charge,
        watchdog_s=0.1, period_s=PERIOD_S,
    )  # fmt: skip
    seen = set()
    for now, does, said, command, words in walk(gate, device, fuzz(23, 4000)):
        plain = (said[0].tolist(), *said[1:]) if said is not None else None
        expected = twin.step(plain, now, does.tolist(), [0.0], **words)
        assert (command is None) == (expected is None)
        assert gate.status == twin.state
        if command is None:
            continue
        values, state, flags, seq = expected
        # whether a ramp just ends or not may hang on the last bit
        assert (command.state, command.flags & ~GateFlag.RAMP, command.seq) == (state, flags & ~GateFlag.RAMP, seq)
        np.testing.assert_allclose(command.values, values, rtol=1e-9, atol=1e-12)
        twin.amplitude = float(command.values[0])
        seen.add(state)
    assert seen == set(GateState)


def test_restoring_state_restores_what_follows_bit_by_bit():
    def outputs(gate, device, steps, now):
        told = []
        for *_, command, _ in walk(gate, device, steps, now):
            told.append(None if command is None else (command.values.tobytes(), command.seq, command.flags))
        return told

    steps = list(fuzz(31, 2000))
    gate, device = bound()
    now = [at for at, *_ in walk(gate, device, steps[:1000])][-1]
    saved = [a.copy() for part in (gate, device) for a in part.state()]
    first = outputs(gate, device, steps[1000:], now)
    gate, device = bound()
    for array, copy in zip([a for part in (gate, device) for a in part.state()], saved, strict=True):
        array[...] = copy
    assert outputs(gate, device, steps[1000:], now) == first


def test_reset_equals_fresh():
    gate, device = bound()
    for _ in walk(gate, device, fuzz(5, 50)):
        pass
    gate.reset()
    for a, b in zip(gate.state(), bound()[0].state(), strict=True):
        assert np.array_equal(a, b)


# --- what is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "looser",
    [
        {"amplitude_limit_ma": 5.1}, {"ramp_ma_s": 20.1}, {"amplitude_limit_ma": 1.0, "ramp_ma_s": 4.1},
        {"charge_limit_uc": 1.1}, {"density_limit_uc_cm2": 31.0}, {"shannon_k": 1.6}, {"shannon_k": math.nan},
        {"frequency_limit_hz": 251.0}, {"pulse_limit_us": 451.0}, {"max_age_s": 0.2}, {"deadman_s": 0.1},
        {"disarm_s": 0.6}, {"future_tolerance_s": 0.01}, {"amplitude_limit_ma": 0.0}, {"amplitude_limit_ma": math.nan},
    ],
    ids=str,
)  # fmt: skip
def test_configuration_can_only_be_stricter(looser):
    with pytest.raises(ContractError, match=f"{list(looser)[-1]}=.*stricter"):
        StimulusGate(**looser)


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ({"frequency_hz": 260.0}, "frequency of the program is 260 Hz, at most 250"),
        ({"pulse_us": 500.0}, "duration of a phase of the program is 500 µs, at most 450"),
        ({"recharge_us": 500.0}, "duration of a phase of the program is 500 µs, at most 450"),
        ({"imbalance": 0.02}, "does not return of the program is 2 %, at most 1"),
        ({"electrode_area_mm2": 0.002}, "0.002 mm² is a micro-electrode.*amplitude_limit_ma and gate.charge_limit_uc"),
        ({"electrode_area_mm2": None}, "area is not known.*amplitude_limit_ma and gate.charge_limit_uc"),
    ],
    ids=str,
)
def test_a_program_that_may_not_run_is_refused_before_anything_passes(device, words):
    with pytest.raises(ContractError, match=words):
        Rig(device=device)


def test_a_micro_electrode_with_caps_of_its_own_is_admitted():
    rig = Rig(device={"electrode_area_mm2": 0.002}, amplitude_limit_ma=0.1, charge_limit_uc=0.004)
    ma = float(rig.settle(1.0).values[0])
    assert ma == pytest.approx(30.0 * 2e-5 / 0.06), "charge density holds beside the caps"
    assert rig.gate.limits_.rule == "charge density"


@pytest.mark.parametrize(
    ("intent", "device", "words"),
    [
        (CONTROLLER, Cursor(n_dims=1).spec, "expected a stimulator"),
        (IntentSpec(dims=("x",), unit="mm/s", rate_hz=50.0), Stimulator(**MACRO).spec, "one level in 'mA'"),
        (IntentSpec(dims=("a", "b"), unit="mA", kind="level"), Stimulator(**MACRO).spec, "one level in 'mA'"),
        (IntentSpec(dims=("a",), unit="mA", kind="level", rate_hz=10.0), Stimulator(**MACRO).spec, "silence"),
    ],
)
def test_parts_that_do_not_speak_of_one_amplitude_do_not_bind(intent, device, words):
    with pytest.raises(ContractError, match=words):
        StimulusGate().bind(intent, device, 0.01)


def test_a_program_knows_its_charge():
    """A brain stimulator's usual setting: 3 mA of 60 µs through 6 mm²."""
    program = StimulusProgram(frequency_hz=130.0, pulse_us=60.0, electrode_area_mm2=6.0)
    assert program.charge_uc(3.0) == pytest.approx(0.18)
    assert program.density_uc_cm2(3.0) == pytest.approx(3.0)
    assert program.shannon_k(3.0) == pytest.approx(math.log10(3.0) + math.log10(0.18))
    assert program.shannon_k(0.0) == -math.inf
    assert program.duty == pytest.approx(0.0156)
    assert program.power_uw(3.0, 1000.0) == pytest.approx(9.0 * 1000.0 * 2 * 60e-6 * 130.0)


def test_a_slow_recharge_takes_back_the_same_charge_with_less_current():
    fast = StimulusProgram(frequency_hz=100.0, pulse_us=60.0)
    slow = StimulusProgram(frequency_hz=100.0, pulse_us=60.0, recharge_us=240.0, gap_us=50.0)
    assert slow.duration_us == 350.0
    first = 60e-6 * 100.0 * 1000.0
    assert fast.power_uw(1.0, 1000.0) == pytest.approx(2 * first)
    assert slow.power_uw(1.0, 1000.0) == pytest.approx(first * (1 + 60 / 240))
