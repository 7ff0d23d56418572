"""The gate against a hostile world: everything wrong at once, at any pace."""

import math
import tracemalloc

import numpy as np
import pytest
from gate_rig import DECODER, HARDWARE, PERIOD_S, SIMULATED, Rig
from reference_gate import ReferenceGate

from bmi.gate import Gate
from bmi.signals import GateFlag, GateState, Intent
from devices.cursor import Cursor

LONG = [pytest.mark.bars, pytest.mark.timeout(900)]


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
@pytest.mark.parametrize("n_steps", [30_000, pytest.param(1_000_000, marks=LONG)])
def test_nothing_illegal_reaches_the_device_in_many_hostile_steps(hardware, n_steps):
    gate, cursor = Gate(), Cursor(speed_limit_mm_s=1e9)
    gate.bind(DECODER, HARDWARE if hardware else SIMULATED, PERIOD_S)
    cursor.open()
    cursor.arm()
    now, moved, t_active = 500.0, 0, 500.0
    for gap, speaks, mean, age, abstains, arm, stop in fuzz(11, n_steps):
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
    assert moved > n_steps / 10, "it was not simply shut"


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
