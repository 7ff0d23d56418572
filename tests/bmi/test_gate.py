"""The gate, row by row of the house's table of limits; then everything at once."""

import math

import numpy as np
import pytest
from reference_gate import ReferenceGate

from bmi.errors import ContractError
from bmi.gate import Gate
from bmi.signals import DeviceSpec, GateFlag, GateState, Intent, IntentSpec
from devices.cursor import Cursor

PERIOD_S = 0.02
DECODER = IntentSpec(dims=("x", "y"), unit="mm/s", rate_hz=50.0)
SIMULATED = DeviceSpec(name="cursor", dims=("x", "y"), unit="mm/s")
HARDWARE = DeviceSpec(name="arm", dims=("x", "y"), unit="mm/s", hardware=True)


class Rig:
    """A gate in front of a cursor, on a clock of its own."""

    def __init__(self, device=SIMULATED, chunk_s=PERIOD_S, **settings):
        self.gate = Gate(**settings)
        self.gate.bind(DECODER, device, chunk_s)
        self.cursor = Cursor()
        self.cursor.open()
        self.cursor.arm()
        self.now = 1000.0
        self.newest = self.now

    def say(self, mean=(100.0, 0.0), *, after=PERIOD_S, age=0.0, abstains=False, **words):
        """A bin later the decoder speaks, about a sample ``age`` old."""
        self.now += after
        self.newest = self.now - age
        intent = Intent(np.asarray(mean), np.eye(2), self.newest, self.now, 0, abstains)
        return self._step(intent, newest_arrival=self.now, **words)

    def wait(self, after=0.005, *, fresh=True, **words):
        """A turn later the decoder has said nothing; samples still come, or not."""
        self.now += after
        if fresh:
            self.newest = self.now
        return self._step(None, newest_arrival=self.newest, **words)

    def _step(self, intent, *, newest_arrival, arm=True, stop=False, position=None):
        e = self.cursor.read(self.now)
        command = self.gate.step(
            intent,
            self.now,
            e.position if position is None else position,
            e.velocity,
            arm=arm,
            stop=stop,
            newest_t=self.newest,
            newest_arrival=newest_arrival,
        )
        if command is not None:
            self.cursor.write(command, self.now)
        return command

    def cruise(self, mean=(100.0, 0.0), steps=5):
        for _ in range(steps):
            command = self.say(mean)
        return command

    def silence(self, seconds, **words):
        """Turns of 5 ms; returns [(time since the last intent, values, flags)] of what was commanded."""
        start, said = self.now, []
        while self.now < start + seconds - 1e-9:
            command = self.wait(**words)
            if command is not None:
                said.append((self.now - start, command.values.copy(), GateFlag(command.flags)))
        return said

    @property
    def state(self):
        return GateState(self.gate.status)


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


# --- everything at once -------------------------------------------------------------------------------


def fuzz(seed, n, n_dims=2):
    """Steps of a hostile world: (gap, kind, mean, age, abstains, arm, stop)."""
    rng = np.random.default_rng(seed)
    arm = True
    for _ in range(n):
        gaps = [0.001, 0.005, 0.02, rng.uniform(1e-3, 0.1), rng.uniform(0.1, 0.7)]
        gap = rng.choice(gaps, p=[0.2, 0.3, 0.3, 0.19, 0.01])
        mean = rng.normal(0, 10 ** rng.uniform(0, 4), n_dims)
        if rng.random() < 0.1:
            mean[rng.integers(n_dims)] = rng.choice([math.nan, math.inf, -math.inf, 1e308, -1e308])
        if rng.random() < 0.02:
            mean = mean[:-1]
        age = rng.choice([0.0, rng.uniform(0, 0.14), rng.uniform(0, 0.3), -rng.uniform(0, 0.005)])
        if rng.random() < 0.003:
            age = -rng.uniform(0.01, 1e3)
        if rng.random() < (0.02 if arm else 0.3):
            arm = not arm
        yield gap, rng.random() < 0.6, mean, age, rng.random() < 0.05, arm, rng.random() < 0.003


@pytest.mark.parametrize("hardware", [False, True], ids=["simulated", "hardware"])
def test_nothing_illegal_reaches_the_device_in_30_000_hostile_steps(hardware):
    gate, cursor = Gate(), Cursor(speed_limit_mm_s=1e9)
    gate.bind(DECODER, HARDWARE if hardware else SIMULATED, PERIOD_S)
    cursor.open()
    cursor.arm()
    now, moved, t_active = 500.0, 0, 500.0
    for gap, speaks, mean, age, abstains, arm, stop in fuzz(11, 30_000):
        now += gap
        e = cursor.read(now)
        assert np.all(np.abs(e.position) <= 150.0 + 1e-9)
        intent = Intent(mean, np.eye(2), now - age, now, 0, abstains) if speaks else None
        newest = now - max(age, 0.0) if speaks else now
        command = gate.step(
            intent, now, e.position, e.velocity, arm=arm, stop=stop, newest_t=newest, newest_arrival=now
        )
        if command is None:
            continue
        v = command.values
        assert np.all(np.isfinite(v))
        assert np.linalg.norm(v) <= 250.0 + 1e-9
        if command.state == GateState.STOPPED:
            assert not v.any()
        if command.state == GateState.ACTIVE:
            assert speaks
            assert arm
            assert not stop
            assert np.all(np.isfinite(mean))
            assert command.age_s(now) <= 0.15
            assert command.t - now <= 0.005
            t_active = now
        elif now - t_active > 0.3:
            assert np.linalg.norm(v) < 1e-6, "neutral ends at rest"
        moved += bool(v.any())
        cursor.write(command, now)
    assert moved > 3000, "it was not simply shut"


def test_acceleration_and_jerk_hold_between_commands_at_any_pace():
    """Against what the device really did: after 80 ms without a command it rests by itself."""
    rig = Rig()
    rng = np.random.default_rng(5)
    t_was, v_was, a_was = -math.inf, np.zeros(2), np.zeros(2)
    for k in range(20_000):
        if k % 30 == 0:
            wish = rng.normal(0, 300, 2)
        gap = 10 ** rng.uniform(-3, -1)
        command = rig.say(wish, after=gap)
        h = rig.now - t_was
        if h > 0.080 - 1e-9:
            v_was, a_was, h = np.zeros(2), np.zeros(2), PERIOD_S
        a = (command.values - v_was) / h
        assert np.all(np.abs(a) <= 8e3 * (1 + 1e-9) + 1e-9 / h)
        assert np.all(np.abs(a - a_was) <= 4e5 * h * (1 + 1e-9) + 2e-9 / h)
        t_was, v_was, a_was = rig.now, command.values.copy(), a
        assert np.all(np.abs(rig.cursor.read(rig.now).position) <= 150.0 + 1e-9)


@pytest.mark.parametrize("hardware", [False, True], ids=["simulated", "hardware"])
def test_the_gate_equals_its_plain_twin(hardware):
    gate = Gate()
    gate.bind(DECODER, HARDWARE if hardware else SIMULATED, PERIOD_S)
    rules = {"watchdog_s": 0.1, "period_s": PERIOD_S, "hardware": hardware, "auto": not hardware}
    twin = ReferenceGate(gate.limits_, **rules)
    cursor = Cursor()
    cursor.open()
    cursor.arm()
    now, seen = 500.0, set()
    for gap, speaks, mean, age, abstains, arm, stop in fuzz(23, 4000):
        now += gap
        e = cursor.read(now)
        newest = now - max(age, 0.0)
        words = {"arm": arm, "stop": stop, "newest_t": newest, "newest_arrival": newest}
        intent = Intent(mean, np.eye(2), now - age, now, 0, abstains) if speaks else None
        plain = (mean.tolist(), now - age, now, abstains) if speaks else None
        position, velocity = e.position.tolist(), e.velocity.tolist()
        command = gate.step(intent, now, e.position, e.velocity, **words)
        expected = twin.step(plain, now, position, velocity, **words)
        assert (command is None) == (expected is None)
        assert gate.status == twin.state
        if command is None:
            continue
        values, state, flags, seq = expected
        limited = GateFlag.SPEED | GateFlag.ACCELERATION | GateFlag.JERK | GateFlag.WORKSPACE
        assert (command.state, command.flags & ~limited, command.seq) == (state, flags, seq)
        np.testing.assert_allclose(command.values, values, rtol=1e-7, atol=1e-6)
        twin.limiter.v = command.values.tolist()  # compare steps, not accumulated rounding
        twin.limiter.a = gate.state()[0][4:6].tolist()
        seen.add(state)
        cursor.write(command, now)
    assert seen == set(GateState)


def test_restoring_state_restores_what_follows_bit_by_bit():
    gate = Gate()
    gate.bind(DECODER, SIMULATED, PERIOD_S)

    def run(steps, now):
        out = []
        for gap, speaks, mean, age, abstains, arm, stop in steps:
            now += gap
            intent = Intent(mean, np.eye(2), now - age, now, 0, abstains) if speaks else None
            c = gate.step(
                intent, now, np.zeros(2), np.zeros(2), arm=arm, stop=stop, newest_t=now, newest_arrival=now
            )
            out.append(None if c is None else (c.values.tobytes(), c.t, c.seq, c.state, c.flags))
        return out, now

    steps = list(fuzz(31, 3000))
    _, now = run(steps[:1500], 500.0)
    saved = [a.copy() for a in gate.state()]
    first, _ = run(steps[1500:], now)
    other = Gate()
    other.bind(DECODER, SIMULATED, PERIOD_S)
    gate = other
    for array, copy in zip(gate.state(), saved, strict=True):
        array[...] = copy
    again, _ = run(steps[1500:], now)
    assert first == again


def test_reset_equals_fresh():
    rig, fresh = Rig(), Rig()
    rig.cruise()
    rig.say(stop=True)
    rig.gate.reset()
    for a, b in zip(rig.gate.state(), fresh.gate.state(), strict=True):
        assert np.array_equal(a, b)


def test_a_step_allocates_nothing_that_stays():
    import tracemalloc

    rig = Rig()
    rig.cruise()
    tracemalloc.start()
    for _ in range(100):
        rig.say()
    before = tracemalloc.take_snapshot()
    for _ in range(5000):
        rig.gate.step(
            None, rig.now, rig.cursor.effector.position, rig.cursor.effector.velocity,
            arm=True, stop=False, newest_t=rig.now, newest_arrival=rig.now,
        )  # fmt: skip
    after = tracemalloc.take_snapshot().compare_to(before, "filename")
    grown = sum(s.size_diff for s in after if s.traceback[0].filename.endswith("gate.py"))
    tracemalloc.stop()
    assert grown < 2000
