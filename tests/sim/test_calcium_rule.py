"""Calcium above one threshold weakens a synapse, above the other strengthens it; it settles strong or weak."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference_plasticity as reference

from bmi.errors import ContractError
from sim.calcium_rule import CalciumRule
from sim.validation.plasticity import calcium

QUIET = CalciumRule(sigma=0.0)


def evolved(rule, rho, pre_s=(), post_s=(), seconds=1.0, seed=1):
    return rule.evolve(rho, pre_s, post_s, seconds=seconds, rng=np.random.default_rng(seed))


def test_every_figure_is_within_its_tolerance():
    rows = list(calcium())
    assert len(rows) == 4
    assert all(row.passed for row in rows), rows


def test_between_spikes_it_is_the_equation_in_small_steps():
    for rule in (QUIET, CalciumRule(sigma=0.0, theta_d=2.0, theta_p=1.0, tau_s=20.0)):
        pre, post = np.array([0.05, 0.08, 0.2]), np.array([0.06, 0.15, 0.16])
        small_steps = reference.calcium_rule(rule, np.array([0.1, 0.5, 0.9]), pre, post, seconds=0.3, dt_s=2e-5)
        assert np.abs(evolved(rule, [0.1, 0.5, 0.9], pre, post, 0.3) - small_steps).max() < 5e-4
        assert np.abs(small_steps - [0.1, 0.5, 0.9]).max() > 0.02


def test_without_spikes_a_synapse_stays_or_falls_to_its_side():
    assert evolved(CalciumRule(), [0.0, 0.5, 1.0], seconds=1e4).tolist() == [0.0, 0.5, 1.0]
    assert np.allclose(evolved(CalciumRule(), [0.49, 0.51], seconds=1e4), [0.0, 1.0], atol=1e-9)


def test_without_spikes_the_way_down_is_the_double_wells():
    """(rho - 1/2)^2 is logistic: the time from .4 to .1 is 2 tau ln(ratio of its odds)."""
    odds = [0.25 / (r - 0.5) ** 2 - 1.0 for r in (0.4, 0.1)]
    assert evolved(QUIET, [0.4], seconds=2.0 * 150.0 * math.log(odds[0] / odds[1]))[0] == pytest.approx(0.1, abs=1e-12)


def test_noise_acts_only_while_calcium_is_high_and_as_told():
    rule = CalciumRule()
    pairs = np.arange(30) * 0.5 + 0.1
    rho = evolved(rule, np.full(4000, 0.5), pairs, pairs + 0.010, seconds=15.1)
    assert rho.std() == pytest.approx(rule.expected(0.5, 0.010, n_pairs=30, period_s=0.5)[1], rel=0.05)
    assert np.ptp(evolved(rule, np.full(50, 0.3), pairs[:0], pairs[:0], seconds=15.0)) == 0.0


def test_no_share_of_time_is_counted_twice():
    rule = CalciumRule(c_pre=3.0, c_post=3.0)
    far, _ = rule.shares_above(10.0, 1.0)
    assert far == pytest.approx(2.0 * 0.020 * math.log(3.0 / 1.3))
    assert rule.shares_above(rule.delay_s, 1.0)[0] == pytest.approx(0.020 * math.log(6.0 / 1.3))
    assert CalciumRule(c_pre=0.5, c_post=0.5).expected(0.3, 0.5, n_pairs=60, period_s=1.0) == (0.3, 0.0)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"tau_s": -150.0}, "tau_s: expected a positive"),
        ({"tau_calcium_s": 0.0}, "tau_calcium_s: expected a positive"),
        ({"theta_p": 0.0}, "theta_p: expected a positive"),
        ({"c_pre": -1.0}, "c_pre: expected a finite number from 0"),
        ({"sigma": math.nan}, "sigma: expected a finite number from 0"),
    ],
)
def test_a_setting_outside_its_range_is_refused(settings, told):
    with pytest.raises(ContractError, match=told):
        evolved(CalciumRule(**settings), [0.5])


def test_what_cannot_evolve_is_refused():
    for rho, post in (([[0.5]], []), ([math.nan], []), ([0.5], [-0.1])):
        with pytest.raises(ContractError, match="expected efficacies"):
            evolved(QUIET, rho, (), post)
