"""Guards: each fault is refused by the guard it is for, honest updates pass, and a trial ends one way or the other."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from line_rig import BIN_S, N

from bmi import recipe
from bmi.errors import RecipeError
from bmi.guarding import Guards, excess
from bmi.journal import feature_dtype
from bmi.signals import StreamSpec
from decoders.kalman import Kalman
from decoders.linear import Ridge

ENCODER = 0.01 * np.random.default_rng(0).standard_normal((2, N))
OPEN = {"label_agreement": -1, "tolerance": 1e9, "error_tolerance": 1e9, "norm_limit": 1e9, "step_limit": 1e9,
        "overconfidence": 1e300}  # fmt: skip
NOW = 100.0


def movement(n, seed):
    """Velocities toward goals, each held for a while."""
    rng = np.random.default_rng(seed)
    angle = np.repeat(2 * np.pi * rng.random(-(-n // 25)), 25)[:n]
    return 100.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def features(v, seed, encoder=ENCODER):
    return 1.0 + v @ encoder + 0.3 * np.random.default_rng(seed).standard_normal((len(v), N))


def fit(v, Y, decoder=None):
    return (decoder or Kalman()).fit(Y, v, dt_s=BIN_S)


def good(seed=1, decoder=None):
    v = movement(2000, seed)
    return fit(v, features(v, seed + 100), decoder)


def guards_of(decoder=None, **settings):
    guards = Guards(**settings)
    guards.bind(decoder or good(), N, 2, BIN_S)
    return guards


def shown(guards, n=500, *, seed=7, label=lambda v: v, t0=0.0, mirrored=False):
    """Let guards see reaches; return what a learner would have fitted to the labels it was told.

    ``mirrored``: the goal itself is reported on the wrong side, so that everything derived from it is wrong.
    """
    v = movement(n, seed)
    Y, side = features(v, seed + 1), -1.0 if mirrored else 1.0
    rows = np.zeros(n, feature_dtype(N, 2))
    rows["goal"], rows["radius"], rows["intended"], rows["y"] = 2.0 * side * v, 10.0, side * v, Y
    rows["t"] = t0 + np.arange(n) * BIN_S
    told = label(side * v)
    for row, x in zip(rows, told, strict=True):
        guards.keep(row, row["y"], x)
    return fit(np.where(np.isfinite(told), told, 0.0), Y).params_


def verdict_on(candidate, guards, current=None):
    refusal = guards.judge(candidate, (current or good()).params_, NOW)
    return None if refusal is None else refusal.reason


# --- before adoption ------------------------------------------------------------------------------------


@pytest.mark.parametrize("decoder", [Kalman, Ridge, lambda: Kalman(q="diagonal"), lambda: Kalman(form="steady")])
def test_an_honest_update_passes_whatever_the_decoder(decoder):
    current = good(decoder=decoder())
    guards = guards_of(current)
    shown(guards)
    assert verdict_on(good(3, decoder()).params_, guards, current) is None


def test_the_first_update_of_a_cold_start_passes():
    cold = Kalman()
    cold.cold_start([StreamSpec(name="f", n_channels=N, rate_hz=1 / BIN_S, unit="count")])
    guards = guards_of(cold)
    candidate = shown(guards)
    assert verdict_on(candidate, guards, cold) is None


def test_numbers_that_are_not_finite_never_pass():
    guards = guards_of(**OPEN)
    shown(guards)
    p = good().params_
    for name in p._fields:
        broken = getattr(p, name).copy()
        broken.flat[0] = np.inf
        assert verdict_on(p._replace(**{name: broken}), guards) == "not finite"


def test_what_decodes_to_numbers_that_are_not_finite_does_not_pass_either():
    guards = guards_of(**OPEN)
    shown(guards)
    p = good().params_
    assert verdict_on(p._replace(A=1e300 * p.A, W=1e300 * p.W), guards) == "not finite"


def permuted(v):
    return v[np.random.default_rng(5).permutation(len(v))]


LIES = {"flipped": lambda v: -v, "permuted": permuted, "constant": lambda v: np.full_like(v, 70.0)}


@pytest.mark.parametrize("lie", LIES)
def test_labels_that_do_not_point_to_the_goals_are_refused_for_it(lie):
    guards = guards_of()
    candidate = shown(guards, label=LIES[lie])
    assert verdict_on(candidate, guards) == "labels"


@pytest.mark.parametrize("lie", LIES)
def test_unseen_by_the_label_guard_they_are_refused_for_what_they_teach(lie):
    guards = guards_of(label_agreement=-1)
    candidate = shown(guards, label=LIES[lie])
    assert verdict_on(candidate, guards) in ("recent", "recent error", "norm", "confidence")


def test_twice_the_speed_in_the_right_direction_is_refused_for_its_error():
    guards = guards_of()
    candidate = shown(guards, label=lambda v: 2.0 * v)
    assert verdict_on(candidate, guards) == "recent error"


def test_ten_times_the_speed_is_refused_for_its_norm():
    guards = guards_of()
    assert verdict_on(shown(guards, label=lambda v: 10.0 * v), guards) == "norm"


def test_a_step_too_large_is_refused():
    guards = guards_of(label_agreement=-1, step_limit=0.8)
    assert verdict_on(shown(guards, label=lambda v: -v), guards) == "step"


def test_a_decoder_too_sure_of_itself_is_refused():
    guards = guards_of()
    shown(guards)
    p = good().params_
    assert verdict_on(p._replace(W=1e-3 * p.W), guards) == "confidence"


def test_a_decoder_that_was_as_sure_of_itself_before_may_go_on_learning():
    sure, more = good(), good(3)
    sure.params_, more.params_ = (x.params_._replace(W=1e-3 * x.params_.W) for x in (sure, more))
    guards = guards_of(sure)
    shown(guards)
    rows = guards._fresh.rows()
    own = [excess(*guards._shadow.decode(x.params_, rows), rows["label"]) for x in (sure, more)]
    assert min(own) > guards.overconfidence
    assert verdict_on(more.params_, guards, sure) is None


def test_goals_reported_on_the_wrong_side_are_refused_by_what_was_trusted_before():
    """Labels, aims and goal-directed intention all lie alike; only trusted features speak against them."""
    guards = guards_of(trial_s=20 * BIN_S)
    current = fit(movement(500, 7), features(movement(500, 7), 8))
    assert verdict_on(shown(guards), guards) is None
    guards.adopt()
    pass_trial(guards)
    candidate = shown(guards, seed=9, t0=20.0, mirrored=True)
    assert verdict_on(candidate, guards, current) == "reservoir"


def test_what_was_refused_or_never_proved_itself_is_not_trusted():
    guards = guards_of(trial_s=20 * BIN_S)
    current = good()
    assert verdict_on(shown(guards), guards, current) is None
    guards.adopt()  # and no trial
    assert verdict_on(shown(guards, seed=9, t0=20.0, mirrored=True), guards, current) is None


def test_what_was_trusted_long_ago_has_no_say():
    guards = guards_of(trial_s=20 * BIN_S, reservoir_age_s=50.0)
    verdict_on(shown(guards), guards)
    guards.adopt()
    pass_trial(guards)
    assert verdict_on(shown(guards, seed=9, t0=80.0, mirrored=True), guards) is None


def test_too_little_to_go_by_decides_nothing_but_finiteness():
    guards = guards_of()
    shown(guards, n=10, label=lambda v: -v)
    assert verdict_on(good(3).params_, guards) is None


def test_labels_that_are_nan_are_no_labels():
    guards = guards_of()
    shown(guards, label=lambda v: np.full_like(v, np.nan))
    assert verdict_on(good(3).params_, guards) is None


def test_each_decision_is_about_what_came_since_the_last():
    guards = guards_of()
    assert verdict_on(shown(guards, label=lambda v: -v), guards) == "labels"
    assert verdict_on(shown(guards, t0=20.0), guards) is None


def test_excess_is_one_where_errors_are_as_large_as_they_are_said_to_be():
    rng = np.random.default_rng(0)
    S = np.array([[4.0, 1.0], [1.0, 2.0]])
    wanted = rng.standard_normal((20_000, 2))
    decoded = wanted + rng.multivariate_normal([0, 0], S, 20_000)
    cov = np.broadcast_to(S, (20_000, 2, 2))
    assert excess(decoded, cov, wanted) == pytest.approx(1.0, rel=0.03)
    assert excess(decoded, cov / 9.0, wanted) == pytest.approx(9.0, rel=0.03)
    assert excess(decoded, 0.0 * cov, wanted) == math.inf


# --- after adoption -------------------------------------------------------------------------------------


def watch(guards, cosine, n=1, far=200.0):
    """Let guards see ``n`` moments in which the decoder points ``cosine`` to the goal; return the verdict if any."""
    row = np.zeros(1, feature_dtype(N, 2))[0]
    row["goal"], row["radius"] = [far, 0.0], 10.0
    row["decoded"] = [cosine, math.sqrt(1 - cosine**2)]
    for i in range(n):
        guards.watch(row)
        refusal = guards.verdict()
        if refusal is not None:
            return i + 1, refusal
    return None


def pass_trial(guards):
    assert watch(guards, 0.9, 20) is None
    assert not guards.on_trial


def on_trial(before=0.9, **settings):
    guards = guards_of(trial_s=2.0, **settings)
    assert watch(guards, before, 200) is None
    assert guards.agreement == pytest.approx(before)
    guards.adopt()
    assert guards.on_trial
    return guards


def test_without_a_trial_no_failure_is_anyones_fault():
    guards = guards_of()
    assert watch(guards, 0.9, 400) is None
    assert watch(guards, -1.0, 400) is None


def test_a_collapse_ends_the_trial_in_a_quarter_of_its_time():
    n, refusal = watch(on_trial(), -0.9, 100)
    assert n == 25
    assert refusal.reason == "agreement"
    assert refusal.measured == pytest.approx(-0.9)
    assert refusal.limit == pytest.approx(0.9 - 0.3 * 2)


def test_a_smaller_fall_takes_longer_to_be_sure_of_and_a_small_one_passes():
    n, _ = watch(on_trial(), 0.9 - 0.4, 100)
    assert n == math.floor(100 * (0.3 / 0.4) ** 2) + 1
    guards = on_trial()
    assert watch(guards, 0.9 - 0.29, 100) is None
    assert not guards.on_trial


@settings(deadline=None)
@given(before=st.floats(0.0, 1.0), after=st.floats(-1.0, 1.0))
def test_a_trial_always_ends(before, after):
    guards = on_trial(before)
    said = watch(guards, after, 100)
    assert not guards.on_trial
    assert (said is None) == (after >= before - 0.3 or math.isclose(after, before - 0.3))


def test_a_decoder_at_rest_points_nowhere():
    guards = on_trial()
    row = np.zeros(1, feature_dtype(N, 2))[0]
    row["goal"], row["radius"] = [200.0, 0.0], 10.0
    for _ in range(100):
        guards.watch(row)
        refusal = guards.verdict()
        if refusal:
            break
    assert refusal is not None
    assert refusal.measured == 0.0


def test_a_goal_nobody_knows_says_nothing():
    guards = on_trial()
    assert watch(guards, 0.5, 99, far=math.nan) is None
    assert guards.on_trial
    assert watch(guards, -0.9, 1) is None
    assert math.isnan(guards.agreement)


def test_what_happens_near_the_goal_is_no_matter_of_direction():
    guards = on_trial()
    assert watch(guards, -1.0, 99, far=15.0) is None
    assert guards.on_trial


def test_a_second_update_is_tried_against_what_was_before_the_first():
    guards = on_trial()
    watch(guards, 0.0, 24)  # not yet enough to say
    guards.adopt()
    n, refusal = watch(guards, 0.0, 100)
    assert refusal.limit == pytest.approx(0.9 - 0.3 * math.sqrt(100 / n))


def test_after_a_failed_trial_the_former_standard_holds():
    guards = on_trial()
    watch(guards, -0.9, 100)
    guards.adopt()
    assert watch(guards, -0.9, 100) is not None


def test_a_node_of_the_recipe_sets_them_and_says_what_it_cannot_read():
    learner = {"use": "smoothbatch", "guards": {"tolerance": 0.2, "trial_s": 3.0}}
    built = recipe.load("center_out", {"decoder.learner": learner})
    assert (built.guards.tolerance, built.guards.trial_s) == (0.2, 3.0)
    assert recipe.load("center_out").guards.tolerance == Guards().tolerance
    learner["guards"] = {"tolerence": 0.2, "fall": -1}
    with pytest.raises(RecipeError) as caught:
        recipe.load("center_out", {"decoder.learner": learner})
    paths = {p.path: p.message for p in caught.value.problems}
    assert "did you mean 'tolerance'" in paths["decoder.learner.guards.tolerence"]
    assert "decoder.learner.guards.fall" in paths
