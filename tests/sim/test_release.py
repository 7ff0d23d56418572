"""The calcium sensor of a vesicle, and the table that turns a calcium transient into a release probability."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_synapses import sensor_generator, transient_release
from scipy.linalg import expm

from bmi.errors import ContractError
from sim.release import BOLLMANN, SCHNEGGENBURGER_NEHER, Release, Sensor, exponential

CALCIUM = st.floats(0.0, 1000.0)


@given(CALCIUM)
def test_what_leaves_a_state_arrives_in_another(ca_um):
    q = BOLLMANN.generator(ca_um)
    assert np.abs(q.sum(0)).max() <= 1e-12 * np.abs(q).max()
    assert (q - np.diag(np.diag(q)) >= 0).all()


@given(st.floats(0.0, 100.0), st.floats(0.0, 0.1))
@settings(max_examples=25, deadline=None)
def test_a_vesicle_is_always_in_one_state(ca_um, t_s):
    occupancy = SCHNEGGENBURGER_NEHER.occupancy(ca_um, t_s)
    assert abs(occupancy.sum() - 1.0) < 1e-12
    assert (occupancy > -1e-12).all()


@pytest.mark.parametrize("sensor", [SCHNEGGENBURGER_NEHER, BOLLMANN], ids=["schneggenburger", "bollmann"])
def test_the_generator_is_that_of_the_scheme(sensor):
    q = sensor_generator(7.0, sensor.kon_per_m_s, sensor.koff_per_s, sensor.cooperativity, sensor.fusion_per_s)
    np.testing.assert_allclose(sensor.generator(7.0), q, rtol=1e-14)


@pytest.mark.parametrize(("ca_um", "rate"), [(1, 0.0118), (2, 0.304), (5, 13.5), (10, 106), (20, 408)])
def test_calcium_steps_release_at_the_known_rates(ca_um, rate):
    assert SCHNEGGENBURGER_NEHER.peak_rate(ca_um) == pytest.approx(rate, rel=0.02)


def test_release_rises_with_the_fourth_power_of_calcium():
    for sensor in SCHNEGGENBURGER_NEHER, BOLLMANN:
        slope = np.log(sensor.peak_rate(5.0) / sensor.peak_rate(2.0)) / np.log(2.5)
        assert slope == pytest.approx(4.1, abs=0.2)


def test_thirty_micromolar_empty_the_pool_within_half_a_millisecond():
    assert BOLLMANN.occupancy(30.0, 0.5e-3)[6] > 0.8


def test_the_exponential_of_a_stack_is_scipys():
    stack = np.stack([SCHNEGGENBURGER_NEHER.generator(c) for c in (0.0, 1.0, 900.0)]) * 1e-5
    np.testing.assert_allclose(exponential(stack), [expm(a) for a in stack], rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("ca_um", [12.0, 53.0])
def test_the_table_is_what_the_transient_releases(ca_um):
    expected = transient_release(SCHNEGGENBURGER_NEHER.generator, ca_um, 0.5e-3)
    assert Release().probability(ca_um) == pytest.approx(expected, rel=2e-3)


@given(st.floats(0.01, 1000.0), st.floats(1.0001, 3.0))
def test_more_calcium_never_releases_less(ca_um, factor):
    release = Release()
    more = min(1000.0, factor * ca_um)
    assert release.probability(ca_um) <= release.probability(more)


@given(st.floats(1e-6, 0.999))
def test_the_peak_behind_a_probability_can_be_told(p):
    assert Release().probability(Release().ca_peak_um(p)) == pytest.approx(p, rel=1e-9)


def test_no_calcium_releases_nothing_and_little_calcium_its_fifth_power():
    release = Release()
    assert release.probability(0.0) == 0.0
    assert release.probability(0.02) / release.probability(0.01) == pytest.approx(32.0, rel=1e-6)


def test_half_the_influx_costs_far_more_than_half_the_release():
    release = Release()
    peak = release.ca_peak_um(0.1)
    assert 8.0 < 0.1 / release.probability(0.5 * peak) < 32.0


def test_a_longer_transient_releases_more():
    assert Release(width_s=0.4e-3).probability(20.0) < Release(width_s=0.6e-3).probability(20.0)


@pytest.mark.parametrize("ca_um", [-1.0, 1001.0, np.nan])
def test_a_transient_outside_the_table_is_refused(ca_um):
    with pytest.raises(ContractError, match="expected 0 to 1000"):
        Release().probability(ca_um)


@pytest.mark.parametrize("p", [0.0, 1.0, np.nan])
def test_a_probability_nobody_reaches_is_refused(p):
    with pytest.raises(ContractError, match="p is"):
        Release().ca_peak_um(p)


def test_a_sensor_is_asked_about_the_future_of_real_calcium():
    with pytest.raises(ContractError, match="not below 0"):
        Sensor().occupancy(-1.0, 0.1)
    with pytest.raises(ContractError, match="not below 0"):
        Sensor().rate(1.0, -0.1)


@pytest.mark.parametrize("fields", [{"kon_per_m_s": 0.0}, {"cooperativity": 1.5}, {"fusion_per_s": np.nan}])
def test_a_sensor_that_cannot_be_is_refused(fields):
    with pytest.raises(ContractError, match="Sensor"):
        Sensor(**fields)


@pytest.mark.parametrize("width_s", [0.0, 0.1, np.nan])
def test_a_transient_no_terminal_has_is_refused(width_s):
    with pytest.raises(ContractError, match="width_s"):
        Release(width_s=width_s)
