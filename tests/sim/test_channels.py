"""Channels follow the published rates, take limits where a formula has none, and help each other as far as 4 k."""

import math

import numpy as np
import pytest
import reference_cells as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from bmi.errors import ContractError
from sim._channels_kernels import constant_field, rates, relax, t_gates
from sim.cell_classes import CELL_CLASSES
from sim.channels import (
    exponential,
    linoid,
    rate,
    reversal_mv,
    sigmoid,
    t_current,
    t_steady,
    t_type,
    temperature_factor,
)
from sim.cooperative import Cooperative
from sim.validation import stored

VOLTAGES = np.concatenate([np.linspace(-120.0, 60.0, 181), [-40.0 + 1e-9, -55.0 - 1e-7, -40.29, -39.71]])


class TestRates:
    @pytest.mark.parametrize("name", list(CELL_CLASSES))
    def test_every_class_follows_its_paper(self, name):
        cell = CELL_CLASSES[name]
        for k, gate in enumerate((cell.m, cell.h, cell.n)):
            for way, of in enumerate(gate):
                expected = [reference.RATES[name](v)[k][way] for v in VOLTAGES]
                np.testing.assert_allclose(rate(of, VOLTAGES), expected, rtol=2e-13)

    def test_removable_singularities_take_their_limit(self):
        assert rate(linoid(1.0, -40.0, 10.0), -40.0) == 1.0
        assert rate(linoid(1.4, -27.0, -5.0), -27.0) == 1.4

    @given(st.floats(-0.031, 0.031))
    @settings(max_examples=60, deadline=None)
    def test_series_and_formula_meet_without_a_seam(self, x):
        expected = 1.0 if x == 0.0 else x / -math.expm1(-x)
        assert float(rate(linoid(1.0, 0.0, 1.0), x)) == pytest.approx(expected, rel=2e-14)

    @given(st.floats(-1e300, 1e300))
    @settings(max_examples=60, deadline=None)
    def test_no_voltage_makes_a_rate_other_than_a_positive_number(self, v):
        for of in (exponential(1.0, 0.0, 10.0), sigmoid(1.0, 0.0, -5.0), linoid(1.0, 0.0, 5.0)):
            assert 0.0 <= float(rate(of, v)) < math.inf

    def test_twin_of_the_kernel_that_relaxes_a_gate(self):
        opening, closing = np.array([0.2, 1.0, 1e-9]), np.array([0.1, 3.0, 1e-9])
        gate = np.array([0.0, 0.9, 0.5])
        expected = opening / (opening + closing)
        expected = expected + (gate - expected) * np.exp(-(opening + closing) * 0.7)
        relax(opening, closing, 0.7, gate)
        np.testing.assert_allclose(gate, expected, rtol=1e-14)

    def test_three_times_as_fast_ten_degrees_warmer(self):
        assert temperature_factor(3.0, 16.3, 6.3) == pytest.approx(3.0, rel=1e-14)
        assert temperature_factor(3.0, 18.5, 6.3) == pytest.approx(3.0**1.22, rel=1e-12)

    @pytest.mark.parametrize("celsius", [-1.0, 45.1, math.nan])
    def test_temperatures_nobody_measured_at_are_refused(self, celsius):
        with pytest.raises(ContractError, match="0 to 45 °C"):
            temperature_factor(3.0, celsius, 6.3)

    def test_kernel_rates_writes_every_lane(self):
        out = np.full(5, np.nan)
        rates(sigmoid(2.0, 0.0, 1.0), np.zeros(5), out)
        assert (out == 1.0).all()


class TestTType:
    def test_gates_follow_the_paper(self):
        v = np.linspace(-110.0, 40.0, 151)
        out = np.empty((4, v.size))
        t_gates(v, *out)
        np.testing.assert_allclose(out.T, [reference.t_gates(x) for x in v], rtol=1e-13)

    def test_constant_field_is_that_of_the_textbook_and_of_neuron(self):
        t = t_type(1.5e-4, 36.0)
        v = np.concatenate([np.linspace(-100.0, 60.0, 33), [1e-5, -0.3, 0.41]])
        out = np.empty(v.size)
        constant_field(t, v, out)
        np.testing.assert_allclose(out, [reference.ghk(x, 1.5e-4, 36.0) for x in v], rtol=1e-10, atol=1e-12)
        peer = stored("neuron_t_current").arrays
        np.testing.assert_allclose(t_current(t, peer["ghk_mv"], 1.0, 1.0), peer["ghk_ua_cm2"], rtol=1e-9)

    def test_no_current_at_the_reversal_potential(self):
        t = t_type(1e-4, 36.0)
        assert reversal_mv(t) == pytest.approx(120.1, abs=0.5)
        assert abs(t_current(t, reversal_mv(t), 1.0, 1.0)[0]) < 1e-12

    def test_warmth_shortens_activation_more_than_inactivation(self):
        cold, warm = (t_steady(t_type(1e-4, c), -70.0) for c in (24.0, 34.0))
        assert cold.tau_m_ms / warm.tau_m_ms == pytest.approx(5.0, rel=1e-12)
        assert cold.tau_h_ms / warm.tau_h_ms == pytest.approx(3.0, rel=1e-12)
        assert cold.m == warm.m


class TestCooperative:
    def test_alone_each_follows_boltzmann(self):
        v = np.linspace(-120.0, 60.0, 721)
        expected = 1.0 / (1.0 + np.exp(-(v + 30.0) / 6.0))
        assert np.abs(Cooperative().open_at(v) - expected).max() < 1e-9

    @given(st.floats(2.0, 12.0), st.floats(0.0, 8.0), st.floats(-60.0, 0.0))
    @settings(max_examples=25, deadline=None)
    def test_stable_shares_are_the_outer_roots(self, k, ratio, v):
        c = Cooperative(k_mv=k, j_mv=ratio * k)
        roots = reference.cooperative_roots(v, -30.0, k, ratio * k)
        if len(roots) not in (1, 3):
            return  # a root upon a grid line
        low, high = float(c.open_at(v)), float(c.open_at(v, from_above=True))
        if len(roots) == 3:
            assert c.bistable
            assert low == pytest.approx(roots[0], abs=1e-9)
            assert high == pytest.approx(roots[2], abs=1e-9)
        elif not c.bistable:
            assert low == pytest.approx(roots[0], abs=1e-9)
            assert high == pytest.approx(low, abs=1e-9)

    @pytest.mark.parametrize("times", [0.5, 0.99, 1.0, 1.01, 3.0])
    def test_hysteresis_exactly_beyond_four_k(self, times):
        c = Cooperative(k_mv=6.0, j_mv=24.0 * times)
        middle = -30.0 - 0.5 * c.j_mv
        apart = float(c.open_at(middle, from_above=True) - c.open_at(middle))
        assert (apart > 0.01) == (times > 1.0) == c.bistable == (c.folds() is not None)

    def test_folds_are_where_the_slope_is_infinite(self):
        c = Cooperative(k_mv=6.0, j_mv=30.0)
        low, high = c.folds()
        assert low < high
        for v, above in ((low, True), (high, False)):
            o = c.open_at(v + (1e-9 if above else -1e-9), from_above=above)
            assert abs(c.slope(o)) > 100.0

    def test_slope_is_the_derivative(self):
        c = Cooperative(k_mv=6.0, j_mv=12.0)
        v = np.linspace(-70.0, 10.0, 41)
        difference = (c.open_at(v + 1e-5) - c.open_at(v - 1e-5)) / 2e-5
        np.testing.assert_allclose(c.slope(c.open_at(v)), difference, rtol=1e-6)

    def test_a_slow_sweep_jumps_at_the_folds(self):
        c = Cooperative(k_mv=6.0, j_mv=36.0)
        v = np.linspace(-70.0, -20.0, 8001)
        low, high = c.folds()
        up = v[np.argmax(c.follow(v, 0.0, 1e-3, 1e-3) > 0.5)]
        down = v[::-1][np.argmax(c.follow(v[::-1], 1.0, 1e-3, 1e-3) < 0.5)]
        assert high <= up < high + 1.0
        assert low - 1.0 < down <= low

    def test_a_step_beyond_the_time_constant_is_refused(self):
        with pytest.raises(ContractError, match="at most tau_s"):
            Cooperative().follow([0.0], 0.0, 1e-3, 2e-3)

    @pytest.mark.parametrize("j", [0.0, 8.0])
    def test_pairs_flip_with_gibbs_weights(self, j):
        n, c = 100_000, Cooperative(j_mv=j)
        a, b = c.pairs(-33.0, n, 30, seed=5)
        found = np.array([np.sum(~a & ~b), np.sum(a & ~b), np.sum(~a & b), np.sum(a & b)])
        expected = n * c.pair(-33.0)
        assert ((found - expected) ** 2 / expected).sum() < chi2.ppf(0.999, 3)
        p = c.pair(-33.0)
        alone = (p[1] + p[3]) * (p[2] + p[3])
        assert p[3] > alone + 0.05 if j else p[3] == pytest.approx(alone, rel=1e-12)
