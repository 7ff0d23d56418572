"""The limiter: no bound is ever exceeded, by any input, at any pace."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_gate import ReferenceLimiter, braking_way

from bmi.errors import ContractError
from bmi.limits import Limiter, Limits, check_stricter
from bmi.signals import GateFlag

HOUSE = Limits(speed=250.0, acceleration=8e3, jerk=4e5, half_width=(150.0, 150.0))
SOFT = Limits(speed=100.0, acceleration=500.0, jerk=5e3, half_width=(60.0, 40.0, 50.0))
OPEN = Limits(speed=1.5, acceleration=8.0, jerk=60.0, half_width=(1e6,))
HOLD_S = 0.080


def drive(limits, wishes, gaps):
    """Run a body that holds each velocity for the given gap; check every bound at every step."""
    limiter = Limiter(limits)
    n = len(limits.half_width)
    p, v_was, a_was = np.zeros(n), np.zeros(n), np.zeros(n)
    walls = np.array(limits.half_width)
    path = []
    for wish, h in zip(wishes, gaps, strict=True):
        p = p + v_was * h
        assert np.all(np.abs(p) <= walls + 1e-9), f"left the workspace: {p}"
        v = limiter.step(wish, p, h).copy()
        a = (v - v_was) / h
        noise = 1e-12 * limits.speed / h  # of forming the difference
        assert np.linalg.norm(v) <= limits.speed + 1e-9
        assert np.all(np.abs(a) <= limits.acceleration * (1 + 1e-9) + noise)
        assert np.all(np.abs(a - a_was) <= limits.jerk * h * (1 + 1e-9) + 2 * noise)
        v_was, a_was = v, limiter.acceleration.copy()
        path.append(v)
    return np.array(path), p


paces = st.sampled_from(["1 ms", "20 ms", "random", "80 ms"])


def draw_gaps(pace, n, rng):
    if pace == "random":
        return np.minimum(10 ** rng.uniform(-3, -1, n), HOLD_S)
    return np.full(n, {"1 ms": 0.001, "20 ms": 0.02, "80 ms": HOLD_S}[pace])


@pytest.mark.parametrize("limits", [HOUSE, SOFT], ids=["house", "soft"])
@given(pace=paces, seed=st.integers(0, 2**32 - 1), hold=st.integers(1, 60))
@settings(max_examples=150, deadline=None)
def test_bounds_hold_for_random_wishes_held_for_any_time(limits, pace, seed, hold):
    rng = np.random.default_rng(seed)
    n = len(limits.half_width)
    wishes = rng.normal(0, 2 * limits.speed, (400 // hold + 1, n)).repeat(hold, 0)[:400]
    drive(limits, wishes, draw_gaps(pace, 400, rng))


@pytest.mark.parametrize("limits", [HOUSE, SOFT], ids=["house", "soft"])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([-1e9, -1.0, 0.0, 1e9]), st.floats(-1e4, 1e4), st.floats(0.001, HOLD_S)),
        min_size=1,
        max_size=80,
    )
)
@settings(max_examples=150, deadline=None)
def test_bounds_hold_for_adversarial_wishes_and_paces(limits, steps):
    n = len(limits.half_width)
    wishes = [np.resize([a, b], n) for a, b, _ in steps]
    drive(limits, wishes, [h for *_, h in steps])


def test_a_body_driven_at_the_wall_comes_to_rest_at_the_wall():
    for gap in (0.001, 0.02, HOLD_S):
        _, p = drive(HOUSE, np.tile([1e3, 1e3], (round(4 / gap), 1)), np.full(round(4 / gap), gap))
        assert np.all(p > 149.9), f"at {gap} s a command it stopped early, at {p}"


def test_the_slow_zone_before_the_wall_is_narrow():
    """Full speed until 35 mm before the wall: centre-out targets (92 mm of 150 mm) never feel it."""
    limiter, x, fast_until = Limiter(HOUSE), 0.0, 0.0
    for _ in range(200):
        v = limiter.step([250.0, 0.0], [x, 0.0], 0.02)[0]
        if v > 249.0:
            fast_until = x
        x += v * 0.02
    assert 110.0 < fast_until < 150.0


def test_outside_the_workspace_one_may_only_come_back():
    limiter = Limiter(HOUSE)
    for _ in range(10):
        assert limiter.step([200.0, 0.0], [170.0, 0.0], 0.02)[0] <= 0.0
        assert limiter.flags & GateFlag.WORKSPACE
    assert Limiter(HOUSE).step([-200.0, 0.0], [170.0, 0.0], 0.02)[0] < 0.0


@given(
    v=st.floats(-300, 300),
    a=st.floats(-8e3, 8e3),
    h=st.floats(1e-4, HOLD_S),
)
@settings(max_examples=2000, deadline=None)
def test_braking_now_never_needs_more_room_than_was_reserved(v, a, h):
    """The induction the workspace bound rests on: way(v, a) >= v h + way(after one braking step of h)."""
    brake = ReferenceLimiter(HOUSE)
    brake.v, brake.a = [v, 0.0], [a, 0.0]
    x = brake._legal(brake._toward(-v, h), a, h)
    assert max(v * h + braking_way(v + x * h, x, HOUSE), 0.0) <= braking_way(v, a, HOUSE) + 1e-9


def test_a_fast_cursor_is_not_spoiled():
    """250 mm/s within three bins of 20 ms, and a lag behind a 1 Hz intention below 40 ms."""
    v = Limiter(HOUSE)
    reached = [v.step([250.0, 0.0], [0.0, 0.0], 0.02)[0] for _ in range(4)]
    assert reached[2] > 0.98 * 250.0
    t = np.arange(0, 4, 0.02)
    wish = 150.0 * np.sin(2 * np.pi * t)
    path, _ = drive(HOUSE, np.stack([wish, 0 * wish], 1), np.full(len(t), 0.02))
    lag_s = np.angle(np.sum(wish * np.exp(-2j * np.pi * t)) / np.sum(path[:, 0] * np.exp(-2j * np.pi * t)))
    assert lag_s / (2 * np.pi) < 0.040


def square_wave():
    return np.repeat(np.tile([1.5, -1.5], 5), 50)[:, None]


def clamp_without_looking_ahead(wishes, limits, h):
    v = a = 0.0
    path = []
    for (wish,) in wishes:
        want = (np.clip(wish, -limits.speed, limits.speed) - v) / h
        want = np.clip(want, -limits.acceleration, limits.acceleration)
        a += np.clip(want - a, -limits.jerk * h, limits.jerk * h)
        v += a * h
        path.append(v)
    return np.array(path)


def test_it_does_not_overshoot_where_the_plain_clamp_does():
    plain = clamp_without_looking_ahead(square_wave(), OPEN, 0.02)
    ours, _ = drive(OPEN, square_wave(), np.full(500, 0.02))
    assert np.abs(plain).max() > 1.1 * 1.5
    assert np.abs(ours).max() <= 1.5 + 1e-9
    assert np.abs(ours).max() > 1.4999, "it gets there all the same"


def test_it_is_as_quick_as_the_time_optimal_profile():
    """Ruckig (time-optimal, jerk-limited) is the oracle: ours arrives at most three steps later."""
    ruckig = pytest.importorskip("ruckig")
    h, n = 0.002, 2000
    ours, _ = drive(OPEN, np.full((n, 1), 1.5), np.full(n, h))
    oracle, given_, new = ruckig.Ruckig(1, h), ruckig.InputParameter(1), ruckig.OutputParameter(1)
    given_.control_interface = ruckig.ControlInterface.Velocity
    given_.target_velocity = [1.5]
    given_.max_acceleration, given_.max_jerk = [OPEN.acceleration], [OPEN.jerk]
    best = []
    for _ in range(n):
        oracle.update(given_, new)
        best.append(new.new_velocity[0])
        new.pass_to_input(given_)
    assert max(best) <= 1.5 + 1e-9
    arrival = [int(np.argmax(np.asarray(x).ravel() > 0.99 * 1.5)) for x in (ours, best)]
    assert arrival[0] - arrival[1] <= 3
    assert np.abs(ours[:, 0] - np.array(best)).max() < 0.05


def test_rest_is_reached_exactly():
    limiter = Limiter(HOUSE)
    for wish in [[200.0, -50.0]] * 10 + [[0.0, 0.0]] * 12:
        v = limiter.step(wish, [0.0, 0.0], 0.02)
    assert v.tolist() == [0.0, 0.0]
    assert limiter.acceleration.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("wish", "flag"),
    [([1000.0, 0.0], GateFlag.SPEED), ([250.0, 0.0], GateFlag.ACCELERATION)],
)
def test_flags_say_which_limit_acted(wish, flag):
    limiter = Limiter(HOUSE)
    limiter.step(wish, [0.0, 0.0], 0.02)
    assert limiter.flags & flag
    for _ in range(10):
        limiter.step([20.0, 0.0], [0.0, 0.0], 0.02)
    assert limiter.flags == 0


def test_jerk_has_its_flag():
    limiter = Limiter(HOUSE)
    limiter.step([200.0, 0.0], [0.0, 0.0], 0.002)
    assert limiter.flags == GateFlag.JERK


@pytest.mark.parametrize("limits", [HOUSE, SOFT], ids=["house", "soft"])
def test_the_compiled_limiter_equals_its_plain_twin(limits):
    rng = np.random.default_rng(3)
    n = len(limits.half_width)
    ours, twin = Limiter(limits), ReferenceLimiter(limits)
    p = np.zeros(n)
    for k in range(2000):
        if k % 25 == 0:
            wish = rng.normal(0, 1.5 * limits.speed, n)
        h = rng.choice([0.002, 0.02, 0.07])
        p = p + ours.velocity * h
        v = ours.step(wish, p, h)
        np.testing.assert_allclose(v, twin.step(wish, p, h), rtol=1e-7, atol=1e-6)
        twin.v, twin.a = v.tolist(), ours.acceleration.tolist()  # compare steps, not accumulated rounding


def test_state_is_complete():
    limiter = Limiter(HOUSE)
    limiter.step([200.0, 10.0], [0.0, 0.0], 0.02)
    saved = [a.copy() for a in limiter.state()]
    after = [limiter.step([50.0, 90.0], [0.0, 0.0], 0.01).copy() for _ in range(5)]
    for a, b in zip(limiter.state(), saved, strict=True):
        a[...] = b
    again = [limiter.step([50.0, 90.0], [0.0, 0.0], 0.01).copy() for _ in range(5)]
    assert np.array_equal(after, again)
    limiter.reset()
    assert not limiter.velocity.any()


@pytest.mark.parametrize("value", [0.0, -1.0, 250.001, math.inf, math.nan])
def test_a_looser_value_is_refused_by_name(value):
    with pytest.raises(ContractError, match=r"gate: speed_limit_mm_s.*\(0, 250\] mm/s"):
        check_stricter("gate", "speed_limit_mm_s", value, 250.0, "mm/s")
