"""Patient days: schedules put together, options, and bundles of them."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim.brain.generated import generated
from sim.disease.options import OPTIONS, PRESETS, timeline
from sim.disease.timeline import Steady, Timeline
from sim.patient.theta import THETA, Combine, baseline, shape

BRAIN = generated(n=16, seed=1)
DAYS = st.floats(-100.0, 5000.0)
NAMES = st.sampled_from(list(THETA))


def steady(name, value, **fields):
    return Steady(values={name: value}, **fields)


def same(a, b):
    return a.keys() == b.keys() and all(a[k].tobytes() == b[k].tobytes() for k in a)


# --- one cause, or none -----------------------------------------------------------------------------


@given(DAYS)
def test_without_causes_every_day_is_the_baseline_to_the_last_bit(day):
    assert same(Timeline(n_regions=4).at(day), baseline(4))


@given(NAMES, st.floats(0.0, 1.0), DAYS)
def test_one_cause_alone_gives_what_it_says(name, part, day):
    p = THETA[name]
    value = min(p.high, p.low + part * (p.high - p.low))
    found = Timeline(n_regions=3, schedules=(steady(name, value),)).at(day)
    np.testing.assert_array_equal(found.pop(name), np.full(shape(name, 3), value))
    rest = baseline(3)
    del rest[name]
    assert same(found, rest)


def test_a_cause_sets_in_on_its_day():
    days = Timeline(n_regions=1, schedules=(steady("nav11", 0.65, from_day=200.0),))
    assert [float(days.at(d)["nav11"]) for d in (0.0, 199.9, 200.0, 300.0)] == [1.0, 1.0, 0.65, 0.65]


# --- several ----------------------------------------------------------------------------------------


@given(NAMES, st.floats(0.0, 0.5), st.floats(0.0, 0.5))
def test_causes_combine_as_the_parameter_declares_in_any_order(name, a, b):
    p = THETA[name]
    u, v = (p.baseline + part * (p.ill - p.baseline) for part in (a, b))
    both, turned = (Timeline(n_regions=1, schedules=tuple(steady(name, x) for x in order)).at(0.0)[name]
                    for order in ((u, v), (v, u)))  # fmt: skip
    expected = {
        Combine.PRODUCT: u * v, Combine.SUM: np.clip(u + v - p.baseline, p.low, p.high),
        Combine.SHARE: 1.0 - (1.0 - u) * (1.0 - v),
    }[p.combine]  # fmt: skip
    np.testing.assert_allclose(both, expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(both, turned, rtol=1e-12, atol=1e-15)


@given(NAMES, st.floats(0.0, 1.0))
def test_a_cause_at_the_baseline_changes_nothing(name, part):
    p = THETA[name]
    ill = steady(name, p.baseline + part * (p.ill - p.baseline))
    alone, beside = (Timeline(n_regions=2, schedules=s).at(1.0) for s in ((ill,), (ill, steady(name, p.baseline))))
    np.testing.assert_allclose(beside[name], alone[name], rtol=1e-15, atol=1e-15)


def test_no_brain_loses_more_dopamine_than_it_has_nor_less_than_nothing():
    for a, b, expected in ((0.9, 0.3, 1.0), (0.0, -0.15, 0.0)):
        days = Timeline(n_regions=1, schedules=(steady("dopamine_loss", a), steady("dopamine_loss", b)))
        assert float(days.at(0.0)["dopamine_loss"]) == expected


def test_scales_that_together_leave_the_sound_range_are_refused():
    with pytest.raises(ContractError, match=r"theta\.nav11: expected 0\.5 to 1"):
        Timeline(n_regions=1, schedules=(steady("nav11", 0.65), steady("nav11", 0.65)))


# --- tables and wrong input -------------------------------------------------------------------------


def test_a_table_is_the_days_one_below_the_other():
    days = patient(*PRESETS["year"])
    table = days.table([0.0, 100.0, 365.0])
    for name in THETA:
        assert table[name].shape == (3, *shape(name, 16))
        for row, day in zip(table[name], (0.0, 100.0, 365.0), strict=True):
            np.testing.assert_array_equal(row, days.at(day)[name])
    assert days.table([])["amyloid"].shape == (0, 16)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Timeline(n_regions=0), "n_regions: expected at least 1"),
        (lambda: Timeline(n_regions=2, schedules=(object(),)), r"schedules\[0\]: expected an object with at"),
        (lambda: Timeline(n_regions=2, schedules=(steady("nav12", 1.0),)), "did you mean 'nav11'"),
        (lambda: Timeline(n_regions=2, schedules=(steady("tau", [0.1, 0.1, 0.1]),)), r"tau the shape \(3,\)"),
        (lambda: Timeline(n_regions=2).at(float("nan")), "expected a day, a finite number"),
        (lambda: timeline("parkinsn", BRAIN), "did you mean 'parkinson'"),
    ],
)
def test_what_does_not_fit_is_refused(build, message):
    with pytest.raises(ContractError, match=message):
        build()


# --- options ----------------------------------------------------------------------------------------


MOVES = {
    "ageing": {"snr", "impedance", "turnover", "dead"}, "levodopa": {"dopamine_loss"}, "treated": {"dopamine_loss"},
    "progression": {"dopamine_loss"}, "stroke": {"lesion"}, "alzheimer": {"amyloid", "tau"},
    "epilepsy": {"nav11", "excitability"}, "als": {"survival", "mu_amplitude"},
}  # fmt: skip


@cache
def patient(*names):
    return timeline(names, BRAIN)


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_moves_what_it_is_about_and_nothing_else(name):
    table, rest = patient(name).table([0.3, *np.arange(0.0, 500.0, 40.0)]), baseline(16)
    assert {k for k, values in table.items() if (values != rest[k]).any()} == MOVES[name]


@pytest.mark.parametrize("left_out", PRESETS["year"])
def test_turning_an_option_off_gives_the_others_as_they_are_and_the_baseline_for_its_own(left_out):
    rest = [name for name in PRESETS["year"] if name != left_out]
    whole, without, healthy = patient(*PRESETS["year"]), patient(*rest), baseline(16)
    shared = set().union(*(MOVES[name] for name in rest))
    for day in (0.3, 150.4, 365.0):
        a, b = whole.at(day), without.at(day)
        for name in THETA:
            if name not in MOVES[left_out]:
                assert a[name].tobytes() == b[name].tobytes(), name
            elif name not in shared:
                assert b[name].tobytes() == healthy[name].tobytes(), name


def test_a_bundle_is_its_options():
    for name, options in PRESETS.items():
        assert same(timeline(name, BRAIN).at(300.3), patient(*options).at(300.3))
    assert not set(PRESETS) & set(OPTIONS) - {name for name, options in PRESETS.items() if options == (name,)}


def test_a_cause_named_twice_happens_once():
    assert same(patient("epilepsy", "year", "epilepsy").at(300.0), patient(*PRESETS["year"]).at(300.0))


def test_a_brain_without_the_regions_says_which_are_missing():
    from sim.brain.connectome import Connectome

    brain = Connectome(labels=("a", "b"), weights=np.array([[0.0, 1.0], [1.0, 0.0]]), lengths_mm=np.ones((2, 2)))
    with pytest.raises(ContractError, match="stroke begins in M1, of which this brain of 2 regions has none"):
        timeline("stroke", brain)
    assert timeline("ageing", brain).n_regions == 2
