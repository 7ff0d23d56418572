"""The grid: every selection takes a cell, right or wrong, and the next target is there at once."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi.contracts import Task
from bmi.errors import ContractError
from bmi.tasks.grid import Grid

STEP_S = 0.02


def bound(seed=1, **settings):
    task = Grid(**settings)
    task.bind(2, np.random.default_rng(seed))
    return task


def started(seed=1, **settings):
    task = bound(seed, **settings)
    task.step(50.0, np.zeros(2))
    return task



@pytest.fixture
def task():
    return started()


def target(task):
    return task.cell(task.goal.position)


def ends(task):
    return [(e.data["outcome"], e.data["cell"]) for e in task.events() if e.kind == "trial.end"]


def test_it_is_a_task_that_is_clicked():
    assert isinstance(bound(), Task)
    assert bound().selects
    assert not bound(select="dwell").selects
    assert bound(cells=9).n_targets == 81


# --- the square ---------------------------------------------------------------------------------------


def test_cells_by_hand():
    task = bound(cells=2, side_mm=100.0)
    assert [task.cell(np.array(p)) for p in ((-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0))] == [0, 1, 2, 3]
    assert [task.centre(c).tolist() for c in range(4)] == [[-25.0, -25.0], [25.0, -25.0], [-25.0, 25.0], [25.0, 25.0]]


@pytest.mark.parametrize(
    ("place", "cell"),
    [((-50.0, -50.0), 0), ((50.0, 50.0), 3), ((50.001, 0.0), -1), ((0.0, -50.001), -1), ((np.nan, 0.0), -1)],
)
def test_the_outer_rim_belongs_to_the_grid_and_what_is_beyond_to_no_cell(place, cell):
    assert bound(cells=2, side_mm=100.0).cell(np.array(place)) == cell


@given(cells=st.integers(2, 12), side=st.floats(50.0, 300.0), x=st.floats(-0.5, 0.5), y=st.floats(-0.5, 0.5))
def test_every_place_is_in_the_cell_whose_centre_is_nearest(cells, side, x, y):
    task = bound(cells=cells, side_mm=side)
    place = side * np.array([x, y])
    gap = np.abs(place - task.centre(task.cell(place)))
    assert (gap <= 0.5 * side / cells * (1 + 1e-9)).all()


def test_the_goal_is_the_circle_inscribed_in_the_target_cell(task):
    assert task.goal.radius == pytest.approx(200.0 / 6 / 2)
    assert np.array_equal(task.goal.position, task.centre(target(task)))


# --- selecting ----------------------------------------------------------------------------------------


def test_a_click_in_the_target_is_right_and_the_next_target_is_there_at_once(task):
    first, cell = task.goal.position.copy(), target(task)
    task.step(50.5, first)
    assert not task.results()
    task.step(51.0, first, True)
    (r,) = task.results()
    assert (r.success, r.trial, r.target, r.t_start_s, r.acquire_s) == (True, 0, cell, 50.0, 1.0)
    assert r.distance_mm == pytest.approx(np.hypot(*first))
    assert r.path_mm == pytest.approx(np.hypot(*first))
    assert r.width_mm == pytest.approx(200.0 / 6)
    assert (task.goal.trial, task.goal.t_onset, task.goal.active) == (1, 51.0, True)
    assert target(task) != cell
    assert ends(task) == [("success", cell)]


def test_a_click_in_another_cell_is_wrong_and_costs_the_trial(task):
    wrong = (target(task) + 1) % 36
    task.step(51.0, task.centre(wrong), True)
    (r,) = task.results()
    assert (r.success, r.acquire_s, task.goal.trial) == (False, 1.0, 1)
    assert ends(task) == [("wrong", wrong)]


def test_the_corner_of_the_target_cell_selects_it_though_it_is_outside_the_circle(task):
    task.step(51.0, task.goal.position + 0.99 * task.goal.radius, True)
    assert task.results()[0].success


def test_a_click_beside_the_grid_selects_nothing(task):
    goal = task.goal.position.copy()
    task.step(51.0, np.array([100.1, 0.0]), True)
    assert not task.results()
    assert np.array_equal(task.goal.position, goal)


def test_without_a_click_nothing_is_selected():
    task = started(timeout_s=None)
    for k in range(1000):
        task.step(50.0 + k * STEP_S, task.goal.position)
    assert not task.results()


def test_a_click_in_the_step_in_which_the_first_target_appears_selects_nothing():
    task = bound()
    task.step(50.0, np.zeros(2), True)
    assert not task.results()


def test_entering_and_leaving_the_circle_is_told(task):
    goal, radius = task.goal.position.copy(), task.goal.radius
    for k, offset in enumerate((0.0, 1.01 * radius, 0.5 * radius)):
        task.step(50.1 + k, goal + np.array([offset, 0.0]))
    assert [e.kind for e in task.events()] == ["trial.start", "target.enter", "target.leave", "target.enter"]


# --- dwelling -----------------------------------------------------------------------------------------


def dwell(task, place, seconds, t):
    """Stay at a place; return when the time is over."""
    for _ in range(round(seconds / STEP_S)):
        task.step(t, place)
        t += STEP_S
    return t


def test_dwelling_in_a_cell_selects_it():
    task = started(select="dwell", dwell_s=0.4)
    goal = task.goal.position.copy()
    t = dwell(task, goal, 0.42, 50.02)
    assert [(r.success, r.acquire_s) for r in task.results()] == [(True, pytest.approx(0.42))]
    dwell(task, goal, 0.38, t)
    assert len(task.results()) == 1, "the next dwell counts from the next target's appearance"
    dwell(task, goal, 0.06, t + 0.38)
    assert [r.success for r in task.results()] == [True, False]


def test_leaving_the_cell_begins_the_dwell_anew():
    task = started(select="dwell", dwell_s=0.4)
    goal = task.goal.position.copy()
    t = dwell(task, goal, 0.3, 50.02)
    t = dwell(task, goal + 2.0 * task.goal.radius, 0.3, t)
    dwell(task, goal, 0.38, t)
    assert not task.results()


def test_a_click_means_nothing_where_dwelling_selects():
    task = started(select="dwell")
    task.step(50.1, task.goal.position, True)
    assert not task.results()


def test_beside_the_grid_one_may_dwell_for_ever():
    task = started(select="dwell")
    dwell(task, np.array([150.0, 0.0]), 3.0, 50.02)
    assert not task.results()


# --- time, order, life --------------------------------------------------------------------------------


def test_a_time_out_counts_as_a_wrong_selection():
    task = started(timeout_s=2.0)
    dwell(task, np.array([150.0, 0.0]), 2.1, 50.02)
    (r,) = task.results()
    assert (r.success, r.acquire_s) == (False, pytest.approx(2.0))
    assert ends(task) == [("timeout", -1)]


def asked(task, n=400):
    """Click at once where the target is, n times; return the targets."""
    task.step(50.0, np.zeros(2))
    for k in range(n):
        task.step(50.1 + k, task.goal.position.copy(), True)
    return [r.target for r in task.results()]


def test_the_same_cell_is_never_asked_twice_running_and_all_are_asked():
    targets = asked(bound(cells=3))
    assert all(a != b for a, b in itertools.pairwise(targets))
    counts = np.bincount(targets, minlength=9)
    assert (np.abs(counts - 400 / 9) < 5 * np.sqrt(400 / 9)).all()


def test_what_is_asked_follows_from_the_seed():
    assert asked(bound()) == asked(bound()) != asked(bound(seed=2))


def test_reset_equals_fresh():
    task = bound()
    first = asked(task)
    task.reset()
    assert (task.goal.active, task.goal.trial, list(task.results())) == (False, -1, [])
    assert asked(task) == first


def test_the_goal_is_one_object(task):
    goal = task.goal
    task.step(51.0, goal.position.copy(), True)
    assert task.step(51.1, np.zeros(2)) is goal is task.goal


@pytest.mark.parametrize("n_dims", [1, 3])
def test_a_square_needs_two_dimensions(n_dims):
    with pytest.raises(ContractError, match="grid: a square has 2 dimensions"):
        Grid().bind(n_dims, np.random.default_rng(0))
