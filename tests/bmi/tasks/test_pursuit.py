"""Random-target pursuit: the next target is there the moment the last one is over."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.contracts import Task
from bmi.errors import ContractError
from bmi.tasks.pursuit import Pursuit

STEP_S = 0.02


def bound(n_dims=2, seed=1, **settings):
    task = Pursuit(**settings)
    task.bind(n_dims, np.random.default_rng(seed))
    return task


def play(task, seconds, speed=200.0, t0=50.0):
    """Move straight at every goal; return (events, positions)."""
    p = np.zeros(len(task.goal.position))
    events, way = [], []
    for k in range(round(seconds / STEP_S)):
        goal = task.step(t0 + k * STEP_S, p)
        gap = goal.position - p
        d = np.linalg.norm(gap)
        p = p + gap * min(1.0, speed * STEP_S / d) if d > 0 else p
        events += task.events()
        way.append(p)
    return events, way


def places(task, seconds=30.0, **words):
    return np.array([e.data["position"] for e in play(task, seconds, **words)[0] if e.kind == "trial.start"])


def test_it_is_a_task():
    assert isinstance(bound(), Task)


def test_a_target_follows_the_last_in_the_same_step():
    task = bound()
    events, _ = play(task, 20.0)
    starts = [e for e in events if e.kind == "trial.start"]
    ends = [e for e in events if e.kind == "trial.end"]
    assert len(ends) > 10
    assert [e.t for e in ends] == [e.t for e in starts[1 : len(ends) + 1]]
    assert [e.data["trial"] for e in starts] == list(range(len(starts)))
    assert task.goal.active
    assert task.goal.t_onset == starts[-1].t


def test_one_trial_by_hand():
    """Straight at 200 mm/s: inside once the distance less the radius is done, acquired a hold later."""
    task = bound(hold_s=0.3)
    events, _ = play(task, 5.0)
    r = task.results()[0]
    first = next(e for e in events if e.kind == "trial.start")
    end = next(e for e in events if e.kind == "trial.end")
    distance = np.hypot(*first.data["position"])
    assert r.success
    assert (r.t_start_s, r.target, r.width_mm) == (first.t, 0, 24.0)
    assert r.distance_mm == pytest.approx(distance)
    assert r.acquire_s == pytest.approx((distance - 12.0) / 200.0, abs=STEP_S)
    assert r.path_mm == pytest.approx(distance - 12.0, abs=4.0)
    assert end.t - first.t - r.acquire_s == pytest.approx(0.3)


def test_who_does_not_move_is_timed_out_again_and_again():
    task = bound(timeout_s=1.5)
    events, _ = play(task, 6.1, speed=0.0)
    assert [r.success for r in task.results()] == [False] * 4
    assert [r.acquire_s for r in task.results()] == pytest.approx([1.5] * 4)
    assert {e.data["outcome"] for e in events if e.kind == "trial.end"} == {"timeout"}


def test_a_hold_in_progress_at_the_time_limit_may_finish():
    task = bound(timeout_s=1.0, hold_s=0.2)
    task.step(50.0, np.zeros(2))
    place = task.goal.position.copy()
    task.step(50.95, place)
    task.step(51.05, place)
    assert not task.results()
    task.step(51.15, place)
    assert task.results()[0].success


@settings(max_examples=25, deadline=None)
@given(
    n_dims=st.integers(1, 4),
    seed=st.integers(0, 100),
    workspace=st.floats(60.0, 300.0),
    share=st.floats(0.0, 0.8),
)
def test_targets_lie_within_the_workspace_whole_and_far_enough_apart(n_dims, seed, workspace, share):
    half = 0.5 * workspace - 10.0
    task = bound(n_dims, seed, workspace_mm=workspace, radius_mm=10.0, min_distance_mm=share * half, timeout_s=0.1)
    at = places(task, 4.0, speed=0.0)
    assert len(at) > 15
    assert np.abs(at).max() <= half
    steps = np.diff(np.vstack([np.zeros(n_dims), at]), axis=0)
    assert np.linalg.norm(steps, axis=1).min() >= share * half


def test_targets_are_everywhere():
    """Without a least distance, each quarter of the box holds a quarter of 2000 centres (5 standard errors)."""
    at = places(bound(min_distance_mm=0.0, timeout_s=STEP_S), 2000 * STEP_S, speed=0.0)
    for x in (-1, 1):
        for y in (-1, 1):
            share = np.mean((np.sign(at[:, 0]) == x) & (np.sign(at[:, 1]) == y))
            assert abs(share - 0.25) < 5 * np.sqrt(0.25 * 0.75 / len(at))
    assert np.abs(at).max() > 0.95 * 88.0


def test_what_is_asked_does_not_depend_on_what_is_done():
    slow, quick = places(bound(), 40.0, speed=60.0), places(bound(), 40.0, speed=400.0)
    n = min(len(slow), len(quick))
    assert n > 5
    assert np.array_equal(slow[:n], quick[:n])
    assert not np.array_equal(places(bound(seed=2))[:5], quick[:5])


def test_reset_equals_fresh():
    task = bound()
    first = places(task), list(task.results())
    task.reset()
    assert (task.goal.active, task.goal.trial, list(task.results())) == (False, -1, [])
    again = places(task), list(task.results())
    assert np.array_equal(first[0], again[0])
    assert first[1] == again[1]


def test_the_goal_is_one_object():
    task = bound()
    goal = task.goal
    play(task, 5.0)
    assert task.step(60.0, np.zeros(2)) is goal is task.goal


@pytest.mark.parametrize(("n_dims", "n"), [(1, 8), (2, 64), (3, 512)])
def test_the_targets_that_fit_side_by_side_count_for_the_bit_rate(n_dims, n):
    assert bound(n_dims).n_targets == n  # 200 mm / 24 mm


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"radius_mm": 100.0}, "do not fit"), ({"min_distance_mm": 80.0}, "at most 70.4")],
    ids=["too large", "too far"],
)
def test_tasks_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ContractError, match=f"pursuit: .*{message}"):
        Pursuit(**settings)
