"""Siegert's rate is the integral it says, and Brunel's network provides its own input."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import erfc

from bmi.errors import ContractError
from sim.circuits.siegert import Neuron, noiseless_rate, self_consistent, siegert

NEURON = Neuron()


@settings(max_examples=60, deadline=None)
@given(st.floats(-10, 40), st.floats(1.5, 20))
def test_it_is_the_integral(mu, sigma):
    low, high = (10 - mu) / sigma, (20 - mu) / sigma
    whole = quad(lambda u: math.exp(u * u) * erfc(-u), low, high, epsrel=1e-11)[0] if low > -5 else None
    if whole is not None and high < 20:
        assert siegert(mu, sigma, NEURON) == pytest.approx(1 / (0.002 + 0.02 * math.sqrt(math.pi) * whole), rel=1e-8)


@settings(max_examples=60, deadline=None)
@given(st.floats(-20, 60), st.floats(0, 20), st.floats(0.01, 5))
def test_more_drive_is_more_spikes_and_never_more_than_refractoriness_lets(mu, sigma, more):
    a, b = siegert(mu, sigma, NEURON), siegert(mu + more, sigma, NEURON)
    assert 0 <= a <= b <= 1 / NEURON.refractory_s


@pytest.mark.parametrize("mu", [21.0, 25.0, 40.0])
def test_without_noise_it_is_the_rate_of_a_clock(mu):
    assert siegert(mu, 1e-3, NEURON) == pytest.approx(noiseless_rate(mu, NEURON), rel=1e-6)
    assert siegert(mu, 0.0, NEURON) == noiseless_rate(mu, NEURON)
    assert siegert(19.0, 0.0, NEURON) == 0.0
    assert siegert(10.0, 0.3, NEURON) == 0.0


@pytest.mark.parametrize(("g", "eta", "rate"), [(6, 4, 55.84), (5, 2, 37.95), (4.5, 0.9, 6.52)])
def test_networks_of_brunel_2000(g, eta, rate):
    assert self_consistent(g, eta, NEURON) == pytest.approx(rate, abs=0.005)


def test_what_has_no_rate_is_refused():
    with pytest.raises(ContractError, match="sigma_mv not negative"):
        siegert(10.0, -1.0, NEURON)
    with pytest.raises(ContractError, match="reset below threshold"):
        siegert(10.0, 1.0, Neuron(reset_mv=20.0))


def test_a_network_that_only_excites_is_driven_towards_refractoriness():
    assert 400 < self_consistent(0.0, 2.0, NEURON) < 1 / NEURON.refractory_s


def test_spread_is_found_where_the_mean_is_far_below():
    rates = [siegert(0.0, s, NEURON) for s in np.linspace(2, 20, 10)]
    assert np.all(np.diff(rates) > 0)
