"""Silent spines: calcium through voltage, two thresholds, two fixed points."""

import numpy as np
import pytest

from bmi.errors import ContractError
from sim.heterosynaptic import CalciumThresholds


def test_half_of_the_channels_are_open_at_half_activation():
    rule = CalciumThresholds(half_mv=-30, slope_mv=6)
    assert rule.open(np.array([-30.0, -30 + 6 * np.log(3)])) == pytest.approx([0.5, 0.75], abs=1e-12)


def test_calcium_relaxes_to_what_is_open_with_its_time_constant():
    rule = CalciumThresholds(tau_s=0.02)
    v = np.full((41, 1), -10.0)
    v[0] = -65.0
    low, high = rule.open(v[0, 0]), rule.open(-10.0)
    t = np.arange(41) * 1e-3
    expected = high + (low - high) * np.exp(-t / 0.02)
    assert rule.calcium(v, 1e-3)[:, 0] == pytest.approx(expected, abs=1e-12)


def test_weights_go_to_the_fixed_point_of_their_region():
    rule = CalciumThresholds(theta_d=0.3, theta_p=0.6, w_d=0.1, w_p=0.9, tau_d_s=2.0, tau_p_s=1.0)
    calcium = np.tile([0.2, 0.45, 0.8], (1000, 1))
    w = rule.learn(calcium, np.full(3, 0.5), 1e-3)
    assert w[0] == 0.5
    assert w[1:] == pytest.approx([0.1 + 0.4 * np.exp(-0.5), 0.9 - 0.4 * np.exp(-1.0)], rel=1e-9)


def test_thresholds_the_wrong_way_round_are_refused():
    with pytest.raises(ContractError, match=r"theta_p is 0.2, expected above theta_d = 0.3"):
        CalciumThresholds(theta_p=0.2)
