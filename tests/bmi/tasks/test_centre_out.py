"""Centre-out: what is asked, when, and how it is scored."""

import numpy as np
import pytest

from bmi.contracts import Task
from bmi.errors import ContractError
from bmi.tasks.centre_out import CentreOut

STEP_S = 0.02


def bound(n_dims=2, seed=1, **settings):
    task = CentreOut(**settings)
    task.bind(n_dims, np.random.default_rng(seed))
    return task


def play(task, seconds, speed=200.0, position=None, t0=50.0):
    """Move straight at every goal; return (events, position)."""
    p = np.zeros(len(task.goal.position)) if position is None else position
    events = []
    for k in range(round(seconds / STEP_S)):
        goal = task.step(t0 + k * STEP_S, p)
        if goal.active:
            gap = goal.position - p
            d = np.linalg.norm(gap)
            p += gap * min(1.0, speed * STEP_S / d) if d > 0 else 0.0
        events += task.events()
    return events, p


def kinds(events):
    return [e.kind for e in events]


def test_it_is_a_task():
    assert isinstance(bound(), Task)


def test_centre_then_out_then_back():
    task = bound()
    events, _ = play(task, 6.0)
    starts = [e for e in events if e.kind.endswith(".start")]
    assert kinds(starts)[:5] == ["centre.start", "trial.start"] * 2 + ["centre.start"]
    assert starts[0].data["position"] == [0.0, 0.0]
    assert np.hypot(*starts[1].data["position"]) == pytest.approx(80.0)


def test_only_peripheral_targets_are_numbered_and_scored():
    task = bound()
    events, _ = play(task, 20.0)
    results = task.results()
    assert [r.trial for r in results] == list(range(len(results)))
    assert {r.target for r in results} <= set(range(8))
    ended = [e for e in events if e.kind == "trial.end"]
    assert [e.data["trial"] for e in ended] == [r.trial for r in results]
    assert task.n_targets == 8


def test_centre_trials_count_as_one_more_target():
    task = bound(centre_trials=True)
    play(task, 20.0)
    assert [r.target for r in task.results()][::2] == [8] * len(task.results()[::2])
    assert task.n_targets == 9


def test_without_return_it_goes_from_target_to_target():
    task = bound(return_to_centre=False)
    events, _ = play(task, 10.0)
    assert "centre.start" not in kinds(events)
    assert task.results()[1].distance_mm != pytest.approx(80.0, abs=5.0)


def test_every_target_appears_once_in_a_block_and_blocks_are_shuffled():
    task = bound(return_to_centre=False, hold_s=0.1, inter_trial_s=0.0)
    play(task, 40.0, speed=2000.0)
    targets = [r.target for r in task.results()]
    blocks = [targets[k : k + 8] for k in range(0, 32, 8)]
    assert all(sorted(b) == list(range(8)) for b in blocks)
    assert len({tuple(b) for b in blocks}) == 4


def test_one_trial_by_hand():
    """80 mm at 200 mm/s: inside 12 mm after 68 mm = 0.34 s, acquired 0.3 s later."""
    task = bound()
    events, _ = play(task, 3.0)
    out = next(e for e in events if e.kind == "trial.start")
    enter = next(e for e in events if e.kind == "target.enter" and e.t > out.t)
    end = next(e for e in events if e.kind == "trial.end")
    assert enter.t - out.t == pytest.approx(0.34, abs=STEP_S)
    assert end.t - enter.t == pytest.approx(0.3)
    (r, *_) = task.results()
    assert r.success
    assert r.t_start_s == out.t
    assert r.acquire_s == pytest.approx(enter.t - out.t)
    assert r.path_mm == pytest.approx(68.0, abs=4.0)
    assert r.distance_mm == pytest.approx(80.0)
    assert r.width_mm == 24.0
    assert end.data["outcome"] == "success"


def test_pause_between_targets():
    task = bound()
    events, _ = play(task, 3.0)
    end, start = (next(e for e in events if e.kind == k) for k in ("centre.end", "trial.start"))
    assert start.t - end.t == pytest.approx(0.3)


def test_a_target_out_of_reach_times_out():
    task = bound(return_to_centre=False)
    events, _ = play(task, 4.5, speed=0.0)
    (r,) = task.results()
    assert not r.success
    assert r.acquire_s == pytest.approx(4.0)
    assert r.path_mm == 0.0
    assert next(e for e in events if e.kind == "trial.end").data["outcome"] == "timeout"


def scripted(task, *stops):
    """Stand at places: (place relative to the goal, seconds)."""
    t = 50.0
    task.step(t, np.zeros(2))
    for offset, seconds in stops:
        for _ in range(round(seconds / STEP_S)):
            t += STEP_S
            task.step(t, task.goal.position + np.array([offset, 0.0]))
    return kinds(task.events())


def test_leaving_before_the_hold_is_over_starts_it_again():
    task = bound(return_to_centre=False)
    seen = scripted(task, (0.0, 0.2), (13.0, 0.2), (0.0, 0.34))
    assert seen == ["trial.start", "target.enter", "target.leave", "target.enter", "trial.end"]
    assert task.results()[0].acquire_s == pytest.approx(0.42)


def test_a_hold_in_progress_at_the_time_limit_may_finish():
    task = bound(return_to_centre=False)
    scripted(task, (50.0, 3.9), (0.0, 0.5))
    assert task.results()[0].success
    task = bound(return_to_centre=False)
    scripted(task, (50.0, 3.9), (0.0, 0.2), (50.0, 0.1))
    assert not task.results()[0].success


def test_the_rim_belongs_to_the_target():
    for offset, inside in ((12.0, True), (12.001, False)):
        task = bound(return_to_centre=False, targets=2)  # centres at ±80, exact in binary
        assert ("target.enter" in scripted(task, (offset, 0.1))) == inside


def history(task, seconds=15.0):
    events, p = play(task, seconds)
    return [(e.t, e.kind, str(e.data)) for e in events], list(task.results()), p.tolist()


def test_it_follows_from_positions_and_seed_alone():
    assert history(bound()) == history(bound())
    assert history(bound(seed=2)) != history(bound())


def test_reset_equals_fresh():
    task = bound()
    first = history(task)
    task.reset()
    assert not task.goal.active
    assert task.goal.trial == -1
    assert not task.results()
    assert history(task) == first


def test_the_goal_is_one_object():
    task = bound()
    goal = task.goal
    play(task, 5.0)
    assert task.goal is goal
    assert task.step(60.0, np.zeros(2)) is goal


@pytest.mark.parametrize("n_dims", [1, 2, 3])
def test_targets_lie_at_their_distance_in_any_number_of_dimensions(n_dims):
    task = bound(n_dims, targets=2 if n_dims == 1 else 6, return_to_centre=False)
    events, _ = play(task, 12.0)
    places = [e.data["position"] for e in events if e.kind == "trial.start"]
    assert all(np.linalg.norm(p) == pytest.approx(80.0) for p in places)
    assert len({tuple(np.round(p, 6)) for p in places}) == (2 if n_dims == 1 else 6)


@pytest.mark.parametrize(
    "settings", [{"radius_mm": 80.0}, {"centre_trials": True, "return_to_centre": False}], ids=str
)
def test_tasks_that_make_no_sense_are_refused(settings):
    with pytest.raises(ContractError, match="centre-out"):
        CentreOut(**settings)
