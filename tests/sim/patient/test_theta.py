"""The patient's slow parameters: what they are, what is sound, and what each does to a sensor."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim.patient.theta import STATISTICS, THETA, baseline, checked, shape, slow

NAMES = st.sampled_from(list(THETA))


@pytest.mark.parametrize("name", THETA)
def test_each_parameter_is_sound_at_its_baseline_and_where_it_is_ill(name):
    p = THETA[name]
    assert p.low <= p.baseline <= p.high
    assert p.low <= p.ill <= p.high
    assert p.ill != p.baseline
    assert p.about


@pytest.mark.parametrize("name", THETA)
def test_each_parameter_moves_at_least_one_statistic_of_a_sensor(name):
    effects = THETA[name].effects
    assert effects
    for effect in effects:
        assert effect.statistic in STATISTICS
        assert effect.sign in (-1, 1)
        assert effect.sensor in {"eeg", "lfp", "field", "spikes"}
    assert len({(e.sensor, e.statistic) for e in effects}) == len(effects)


def test_no_statistic_is_there_for_nothing():
    assert {effect.statistic for p in THETA.values() for effect in p.effects} == set(STATISTICS)


def test_healthy_is_one_for_scales_nothing_for_losses_and_below_threshold_for_the_focus():
    found = {name: p.baseline for name, p in THETA.items() if p.baseline not in (0.0, 1.0)}
    assert found == {"excitability": -2.2}
    assert {name for name, p in THETA.items() if p.per_region} == {"amyloid", "tau", "lesion"}
    zero = {name for name, p in THETA.items() if p.baseline == 0.0}
    assert zero == {"dopamine_loss", "amyloid", "tau", "lesion", "dead", "turnover"}


def test_a_baseline_belongs_to_whom_it_was_given():
    first, second = baseline(5), baseline(5)
    first["lesion"][2] = 0.5
    assert not second["lesion"].any()
    assert {name: v.shape for name, v in second.items()} == {name: shape(name, 5) for name in THETA}


@given(NAMES, st.floats(0.0, 1.0), st.integers(1, 9))
def test_sound_values_pass_unchanged(name, part, n):
    p = THETA[name]
    value = np.full(shape(name, n), p.low + part * (p.high - p.low))
    np.clip(value, p.low, p.high, out=value)
    found = checked(name, value, n)
    np.testing.assert_array_equal(found, value)
    assert found is not value
    assert found.dtype == np.float64


@given(NAMES, st.sampled_from([np.nan, np.inf, -np.inf, 1e3, -1e3]))
def test_values_beyond_the_sound_range_are_refused_with_the_range(name, value):
    p = THETA[name]
    with pytest.raises(ContractError, match=rf"theta\.{name}: expected {p.low:g} to {p.high:g}"):
        checked(name, np.full(shape(name, 4), value), 4)


def test_the_region_of_a_wrong_value_is_named():
    lesion = np.zeros(6)
    lesion[4] = 1.5
    with pytest.raises(ContractError, match=r"lesion.*given 1\.5 in region 4"):
        checked("lesion", lesion, 6)


def test_wrong_shapes_are_refused():
    with pytest.raises(ContractError, match=r"one value a region, given \(5,\)"):
        checked("tau", np.zeros(5), 6)
    with pytest.raises(ContractError, match="one number for the whole patient"):
        checked("nav11", np.ones(6), 6)


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(ContractError, match=r"no slow parameter 'nav1'; did you mean 'nav11'"):
        slow("nav1")


def test_every_parameter_is_moved_and_looked_at_by_the_acceptance_rows() -> None:
    from sim.validation.patient import SLOW

    assert tuple(THETA) == SLOW
