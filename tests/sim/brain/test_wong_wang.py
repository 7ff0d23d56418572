"""Reduced Wong-Wang masses: their rate at rest, balance, twin, and what a rate from outside opens."""

import numpy as np
import pytest
from reference_mean_fields import network, wong_wang

from bmi.errors import ContractError
from sim.brain.balance import (
    BALANCED_GATE,
    BALANCED_HZ,
    balanced,
    critical_gain,
    growth_per_s,
    inhibitory_gate,
)
from sim.brain.connectome import Connectome
from sim.brain.wong_wang import WongWang

RNG = np.random.default_rng(5)
WEIGHTS = RNG.uniform(0.1, 0.5, (4, 4)) * (1.0 - np.eye(4))
LENGTHS = RNG.uniform(0.0, 20.0, (4, 4)).round(1)
TRACTS = Connectome(labels=tuple("abcd"), weights=WEIGHTS, lengths_mm=LENGTHS)


def bound(**fields):
    masses = WongWang(**fields)
    masses.bind(1)
    return masses


def test_balanced_regions_fire_at_3_hz():
    assert pytest.approx(3.0631, abs=1e-4) == BALANCED_HZ
    masses = bound(connectome=TRACTS, gain=1.0, inhibition_na=balanced(TRACTS, gain=1.0))
    np.testing.assert_allclose(masses.step(10_000)[0][-1], BALANCED_HZ, atol=1e-3)


def test_growth_is_the_slope_of_the_flow():
    gain = 1.1 * critical_gain(TRACTS)
    x = np.array([BALANCED_GATE, inhibitory_gate()])[:, None] * np.ones((2, 4))
    inhibition = balanced(TRACTS, gain=gain)

    def flow(flat):
        y = flat.reshape(2, 4)
        return wong_wang(y, 0.382 + 0.15 * gain * WEIGHTS @ y[0], inhibition=inhibition).ravel()

    assert np.abs(flow(x.ravel())).max() < 1e-9
    shifts = 1e-6 * np.eye(8)
    jacobian = np.array([(flow(x.ravel() + s) - flow(x.ravel() - s)) / 2e-6 for s in shifts]).T
    steepest = np.linalg.eigvals(jacobian).real.max()
    assert growth_per_s(TRACTS, gain).real == pytest.approx(steepest, rel=1e-5)
    assert steepest > 0.0
    assert growth_per_s(TRACTS, 0.9 * critical_gain(TRACTS)).real < 0.0


def test_a_network_is_its_twin():
    masses = bound(connectome=TRACTS, gain=0.5, inhibition_na=1.2)
    rate, _, gate = masses.step(200)
    delays = np.rint(LENGTHS * 1e-3 / 4.0 / 5e-4).astype(int)
    there = network(
        lambda x, u: wong_wang(x, u, inhibition=1.2), np.tile([[0.164], [0.04]], 4), lambda x: x[0],
        0.5 * 0.15 * WEIGHTS, delays, 5e-4, 200, np.full(4, 0.382),
    )[1::2]  # fmt: skip
    np.testing.assert_allclose(gate, there[:, 0], rtol=1e-9)
    assert (rate > 0.0).all()


def test_a_rate_from_outside_opens_the_gate():
    masses = bound(connectome=TRACTS, gain=0.2, proxied=(1,))
    masses.receive("proxy", np.array([0.0, 10.0, 0.0, 0.0]))
    rate, _, gate = masses.step(4000)
    np.testing.assert_array_equal(rate[10:, 1], 10.0)
    assert gate[-1, 1] == pytest.approx(0.641 / (1.0 + 0.641), rel=1e-3)


def test_what_has_no_meaning_is_refused():
    with pytest.raises(ContractError, match="nmda_na"):
        bound(connectome=TRACTS, nmda_na=(0.1, 0.15, 0.15, 0.15))
    with pytest.raises(ContractError, match="at least 0"):
        balanced(TRACTS, gain=-1.0)
    with pytest.raises(ContractError, match="expected it to be lost"):
        critical_gain(TRACTS, most=0.1)
