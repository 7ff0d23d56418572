"""A preparation gives the same bits however it is cut, restored or forked, and stops when a state is no number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oscillator import Oscillators

from bmi.errors import ContractError
from sim.component import Component, whole_steps
from sim.preparation import Diverged, Preparation

PUSHES = [(0.0, (1.0, 0.0)), (0.0431, (0.0, -2.0)), (0.110, (3.0, 3.0)), (0.2999, (0.0, 0.0))]


def run(cuts: list[int]) -> dict[str, np.ndarray]:
    preparation = Preparation(Oscillators(), 5)
    for t, force in PUSHES:
        preparation.give("force", t, force)
    pieces = [preparation.advance(n) for n in cuts]
    return {k: np.concatenate([p[k] for p in pieces]) for k in pieces[0]}


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(a[k], b[k]) for k in a)


def test_the_oscillator_is_a_component():
    assert isinstance(Oscillators(), Component)


class TestCutting:
    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.integers(1, 150), min_size=2, max_size=12))
    def test_how_a_run_is_cut_only_slices_the_output(self, cuts):
        assert same(run(cuts), run([sum(cuts)]))

    def test_output_is_due_to_the_row_and_to_the_event(self):
        preparation = Preparation(Oscillators(), 5)
        shown = [preparation.advance(1)["position"] for _ in range(8)]
        assert [len(rows) for rows in shown] == [0, 1, 0, 1, 0, 1, 0, 1]
        events = run([400])["crossing"]
        assert len(events) > 3
        assert np.all(np.diff(events[:, 0]) >= 0)

    def test_advance_s_wants_whole_steps(self):
        preparation = Preparation(Oscillators(), 5)
        assert len(preparation.advance_s(0.1)["position"]) == 50
        with pytest.raises(ContractError, match=r"0\.0005 s is no whole number of steps of 0\.001 s"):
            preparation.advance_s(0.0005)


class TestInputs:
    def test_an_input_acts_from_the_next_grid_line_on(self):
        quiet, pushed = Preparation(Oscillators(), 5), Preparation(Oscillators(), 5)
        pushed.give("force", 0.0431, (50.0, 0.0))
        a, b = quiet.advance(100)["position"], pushed.advance(100)["position"]
        first = np.flatnonzero((a != b).any(axis=1))[0]
        assert first == 25  # the row at 52 ms, the first after 50 ms

    def test_of_two_for_the_same_moment_the_later_given_holds(self):
        twice, once = Preparation(Oscillators(), 5), Preparation(Oscillators(), 5)
        twice.give("force", 0.02, (50.0, 0.0))
        twice.give("force", 0.02, (0.0, 1.0))
        once.give("force", 0.02, (0.0, 1.0))
        assert same(twice.advance(100), once.advance(100))

    def test_one_that_comes_too_late_acts_next_and_is_counted(self):
        preparation = Preparation(Oscillators(), 5)
        preparation.advance(25)  # blocks up to 30 ms are computed
        preparation.give("force", 0.025, (1.0, 1.0))
        assert preparation.late == 0
        preparation.give("force", 0.001, (1.0, 1.0))
        assert preparation.late == 1

    @pytest.mark.parametrize(
        ("port", "t", "value", "message"),
        [
            ("forse", 0.0, (1.0, 0.0), "has no input 'forse'; its inputs are: force, noise"),
            ("force", 0.0, 1.0, r"force: expected shape \(2,\) \(N\), given \(\)"),
            ("force", 0.0, (np.nan, 0.0), "force: expected finite values"),
            ("force", np.inf, (1.0, 0.0), "expected a finite time"),
        ],
    )
    def test_what_does_not_fit_is_refused_and_nothing_changes(self, port, t, value, message):
        preparation = Preparation(Oscillators(), 5)
        with pytest.raises(ContractError, match=message):
            preparation.give(port, t, value)
        assert same(preparation.advance(50), Preparation(Oscillators(), 5).advance(50))


    def test_a_value_in_another_unit_is_refused(self):
        preparation = Preparation(Oscillators(), 5)
        preparation.give("force", 0.0, (1.0, 0.0), unit="N")
        with pytest.raises(ContractError, match="force: expected N, given mN"):
            preparation.give("force", 0.0, (1.0, 0.0), unit="mN")
        with pytest.raises(ContractError, match="noise: expected a plain number, given N"):
            preparation.give("noise", 0.0, 1.0, unit="N")


class TestSnapshots:
    @pytest.mark.parametrize("moment", [1, 137, 250])
    def test_what_follows_a_restored_snapshot_is_what_followed_it_first(self, moment):
        preparation = Preparation(Oscillators(), 5)
        for t, force in PUSHES:
            preparation.give("force", t, force)
        preparation.advance(moment)
        snapshot = preparation.snapshot()
        first = preparation.advance(300)
        preparation.give("noise", preparation.t_s, 0.0)
        preparation.advance(77)
        preparation.restore(snapshot)
        assert same(preparation.advance(300), first)

    def test_a_snapshot_serves_another_preparation_bound_alike(self):
        one, other = Preparation(Oscillators(), 5), Preparation(Oscillators(), 5)
        one.give("force", 0.15, (9.0, 9.0))
        one.advance(123)
        other.restore(one.snapshot())
        assert same(one.advance(200), other.advance(200))

    def test_a_fork_with_equal_input_is_equal_and_with_another_is_not(self):
        trunk = Preparation(Oscillators(), 5)
        trunk.advance(64)
        equal, pushed = trunk.fork(), trunk.fork()
        pushed.give("force", 0.064, (50.0, 0.0))
        after = trunk.advance(200)
        assert same(equal.advance(200), after)
        assert not same(pushed.advance(200), after)

    def test_a_snapshot_of_something_else_is_refused(self):
        snapshot = Preparation(Oscillators(name="others"), 5).snapshot()
        with pytest.raises(ContractError, match="the snapshot is of 'others', another component"):
            Preparation(Oscillators(), 5).restore(snapshot)

    def test_reset_is_freshly_bound(self):
        preparation = Preparation(Oscillators(), 5)
        first = preparation.advance(100)
        preparation.give("force", 0.2, (9.0, 9.0))
        preparation.reset()
        assert preparation.t_s == 0.0
        assert same(preparation.advance(100), first)


class Holding(Oscillators):
    """Holds arrays of every kind beside its own state."""

    def bind(self, seed: int) -> None:
        super().bind(seed)
        self.name = "holding"
        self._held = {
            "few": np.ones(7), "many": np.ones(9000), "single": np.ones((3, 9001), np.float32),
            "strided": np.ones((9000, 2))[:, 1],
        }  # fmt: skip

    def state(self):
        return dict(super().state()) | self._held


class TestWatch:
    def test_a_state_that_is_no_number_stops_the_run_and_is_named(self):
        preparation = Preparation(Oscillators(dt_s=0.01, rate_hz=100.0), 5)
        preparation.give("force", 0.2, (1e308, 0.0))
        with np.errstate(all="ignore"), pytest.raises(Diverged) as told:
            preparation.advance_s(3.0)
        e = told.value
        assert (e.component, e.exit_code) == ("oscillators", 3)
        assert e.variable in {"x", "v"}
        assert e.t0_s >= 0.2
        assert e.t1_s == pytest.approx(e.t0_s + 0.01)
        assert "[(0,)] is not finite" in str(e)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("name", ["few", "many", "single", "strided"])
    def test_no_state_escapes_however_large_and_however_laid_out(self, name, value):
        held = Holding()
        preparation = Preparation(held, 1)
        preparation.advance_s(0.05)
        held.state()[name][-1] = value
        with pytest.raises(Diverged, match=rf"holding: {name} .* between 0\.050 s and 0\.060 s"):
            preparation.advance_s(0.01)

    def test_numbers_whose_sum_is_too_large_are_numbers(self):
        held = Holding()
        preparation = Preparation(held, 1)
        held.state()["single"][:] = 1e38
        preparation.advance_s(0.05)
        assert (held.state()["single"] == np.float32(1e38)).all()


class TestSteps:
    @pytest.mark.parametrize("dt_s", [0.01, 0.005, 0.0005, 0.00025, 0.0001, 0.000025, 0.00001])
    def test_the_grid_is_a_whole_number_of_steps(self, dt_s):
        assert whole_steps("x", dt_s) * dt_s == pytest.approx(0.01)

    @pytest.mark.parametrize(
        ("dt_s", "message"), [(0.003, "give e.g. 0.0033"), (0.02, "at most 10 ms"), (0.0, "above 0")]
    )
    def test_others_are_refused(self, dt_s, message):
        with pytest.raises(ContractError, match=message):
            whole_steps("x", dt_s)
