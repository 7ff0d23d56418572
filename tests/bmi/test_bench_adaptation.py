"""The bench of adaptation: its parts are what they are called, its figures what they say; the whole is a bar."""

from types import SimpleNamespace

import numpy as np
import pytest

from bmi.bench import adaptation as bench
from bmi.bench.participants import Poisoned, observed, random_params, recipe
from bmi.learner import ADOPTED, REFUSED, ROLLED_BACK
from bmi.signals import Event

GOAL, HERE, STILL = np.array([80.0, 0.0]), np.zeros(2), np.zeros(2)


def labels(poison, n=50):
    rng = np.random.default_rng(0)
    goals = 80.0 * rng.standard_normal((n, 2))
    return goals, np.array([poison.estimate(g, 12.0, HERE, STILL, np.zeros(2)).copy() for g in goals])


@pytest.mark.parametrize("kind", ["flipped", "permuted", "constant", "nan"])
def test_a_poison_is_honest_until_told_otherwise_and_then_lies_as_named(kind):
    poison = Poisoned(kind, 0)
    poison.bind(2)
    goals, honest = labels(poison)
    assert ((goals * honest).sum(axis=1) > 0).all()
    poison.follow("poisoned", 0.0)
    _, lies = labels(poison)
    match kind:
        case "flipped":
            assert np.array_equal(lies, -honest)
        case "permuted":
            assert {tuple(v) for v in lies} <= {tuple(v) for v in honest}
            assert abs(np.corrcoef(lies[:, 0], honest[:, 0])[0, 1]) < 0.4
        case "constant":
            assert (lies == 80.0).all()
        case "nan":
            assert np.isnan(lies).all()
    poison.follow("after", 0.0)
    assert np.array_equal(labels(poison)[1], honest)


def test_a_random_decoder_is_another_for_every_seed_and_of_ordinary_size():
    one, other = random_params(0), random_params(1)
    assert abs(np.corrcoef(one.C.ravel(), other.C.ravel())[0, 1]) < 0.3
    assert np.array_equal(one.C, random_params(0).C)
    depth = 7.0 * 0.02 / 200.0
    assert 0.5 * depth < np.sqrt((one.C**2).mean()) < 2.0 * depth
    assert 0.9 < one.A[0, 0] < 0.96


def test_every_seed_is_a_participant_of_its_own_and_the_same_in_every_session():
    built = [recipe(seed, [{"name": "x", "seconds": 1}]) for seed in (3, 4)]
    assert [b.world.subject for b in built] == [b.session.seed for b in built] == [3, 4]


def test_in_observation_neurons_follow_the_cursor_late_and_tell_of_it():
    _, lag_s, r2 = observed(0, 150.0, 4.0)
    assert 0.2 < lag_s < 0.45  # reaction 0.22 s, rise 0.05 s, neurons 0.04 s
    assert 0.5 < r2 < 0.9


def run_of(*kinds):
    version, decisions = 5, []
    for kind in kinds:
        version += kind != REFUSED
        decisions.append(Event(0.0, kind, {"version": version}))
    return SimpleNamespace(decisions=tuple(decisions))


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ((), (0, 0)),
        ((REFUSED, REFUSED), (0, 0)),
        ((ADOPTED, ROLLED_BACK, REFUSED), (1, 0)),
        ((ADOPTED, ADOPTED, ROLLED_BACK), (2, 1)),
        ((ADOPTED, REFUSED, ROLLED_BACK), (1, 1)),
    ],
)
def test_an_update_survives_unless_it_is_taken_back_before_anything_else_is_decided(kinds, expected):
    assert bench.through(run_of(*kinds), 5) == expected


def test_the_ratio_is_of_mean_times_and_paired_over_seeds():
    rest = dict.fromkeys(("kalman_success", "refit_success", "lag_s", "r2", "adopted"), 1.0)
    runs = [{"kalman_s": 2.0 * t, "refit_s": t, **rest} for t in (1.0, 2.0, 4.0)]
    told = bench.told_refit(runs)
    assert told["ratio"] == [2.0, 2.0, 2.0]  # every seed says two, whatever its pace
    assert told["kalman_s"][0] == pytest.approx(14 / 3, abs=1e-3)


def test_intervals_hold_the_value_and_shrink_with_the_seeds():
    rng = np.random.default_rng(0)
    few, many = (bench.figure(rng.standard_normal(n)) for n in (8, 512))
    assert few[1] < few[0] < few[2]
    assert many[2] - many[1] == pytest.approx(2 * 1.96 / np.sqrt(512), rel=0.15)
    assert many[2] - many[1] < few[2] - few[1]


def test_a_seed_that_never_got_there_is_not_left_out_of_a_mean():
    assert np.isnan(bench.figure(np.array([60.0, np.inf, 80.0]))).all()


def test_a_bar_is_reached_by_the_interval_not_by_luck():
    out = {
        "seeds": [0, 1],
        "refit": {"default": {"ratio": [1.5, 1.1, 1.9]}},
        "random": {"smoothbatch": {"in_time": 1}},
        "poison": {"flipped, guards: all": {"unharmed": 2, "after_over_before": [1.1, 1.05, 1.2]}},
    }
    assert not any(bar["reached"] for bar in bench.bars(out).values())
    out["refit"]["default"]["ratio"] = [1.5, 1.2, 1.9]
    out["random"]["smoothbatch"]["in_time"] = 2
    out["poison"]["flipped, guards: all"]["after_over_before"] = [1.0, 0.95, 1.05]
    assert all(bar["reached"] for bar in bench.bars(out).values())


def test_a_minute_of_lies_harms_nobody_with_guards_and_anybody_without():
    guarded, bare = bench.poisoned(0, "flipped", "all"), bench.poisoned(0, "flipped", "none")
    assert guarded["survived"] == 0
    assert guarded["refused"] >= 3
    assert bare["survived"] >= 2
    assert bare["before_s"] == guarded["before_s"]  # the same session up to there
    assert bare["after_s"] > 2.0 * guarded["after_s"]


@pytest.mark.bars
@pytest.mark.timeout(3600)
def test_twenty_participants_reach_every_bar():
    result = bench.bench_adaptation(range(20))
    assert {name: bar["reached"] for name, bar in result["bars"].items()} == dict.fromkeys(result["bars"], True)
    harmed = result["poison"]["flipped, guards: none"]
    assert harmed["unharmed"] == 0
    assert harmed["after_over_before"][1] > 1.5
