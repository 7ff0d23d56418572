"""The benchmark networks: the membrane is its twin, rates are Brian2's over seeds, and runs may be cut anywhere."""

import numpy as np
import pytest
from figures import measured
from reference_circuits import hodgkin_huxley_steps
from scipy.stats import ttest_ind

from bmi.errors import ContractError
from sim.circuits.vogels_abbott import COBAHH, cuba
from sim.component import Component
from sim.preparation import Preparation
from sim.validation import stored


def test_every_step_of_the_membrane_is_its_twin():
    c = COBAHH(n=60, p=0.0)
    c.bind(1)
    names, spikes = ("v", "m", "h", "n", "ge", "gi"), 0
    for _ in range(150):
        state = [c.state()[k].astype(float) for k in names]
        spikes += len(c.step(1)[0])
        expected = hodgkin_huxley_steps(1, 0.1, *state)
        for name, values, atol in zip(names, expected, (5e-3, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4), strict=True):
            np.testing.assert_allclose(c.state()[name], values, atol=atol, err_msg=name)
    assert spikes > 5


def test_no_rate_is_lost_where_it_is_a_limit():
    """At these potentials a rate is 0 / 0; a neuron that sits there goes on as its neighbours do."""
    c = COBAHH(n=6, p=0.0)
    c.bind(1)
    v = np.array([-50.0, -23.0, -48.0, -50.0005, -23.0005, -48.0005])
    for name, value in (("v", v), ("ge", 0), ("gi", 0), ("m", 0.1), ("h", 0.5), ("n", 0.3)):
        c.state()[name][:] = value
    state = [np.full(6, x) for x in (0.1, 0.5, 0.3, 0.0, 0.0)]
    expected = hodgkin_huxley_steps(1, 0.1, v, *state)
    c.step(1)
    for name, values in zip(("v", "m", "h", "n"), expected, strict=False):
        np.testing.assert_allclose(c.state()[name], values, rtol=2e-4, err_msg=name)


@pytest.mark.parametrize("build", [lambda: cuba(400, 0.2), lambda: COBAHH(n=400, p=0.2, weight_i_ns=20.0)])
def test_a_run_may_be_cut_anywhere_and_repeated(build):
    whole, cut = build(), build()
    assert isinstance(whole, Component)
    whole.bind(1)
    cut.bind(1)
    expected = whole.step(300)[0]
    assert len(expected) > 50
    np.testing.assert_array_equal(np.concatenate([cut.step(n)[0] for n in (3, 7, 90, 200)]), expected)
    for name, array in whole.state().items():
        np.testing.assert_array_equal(array, cut.state()[name], err_msg=name)
    p = Preparation(build(), 1)
    np.testing.assert_array_equal(p.advance_s(0.03)["spikes"], expected)
    fork, kept = p.fork(), p.snapshot()
    later = p.advance_s(0.02)["spikes"]
    np.testing.assert_array_equal(fork.advance_s(0.02)["spikes"], later)
    p.restore(kept)
    np.testing.assert_array_equal(p.advance_s(0.02)["spikes"], later)
    p.reset()
    np.testing.assert_array_equal(p.advance_s(0.03)["spikes"], expected)


def test_a_spike_is_counted_once():
    c = COBAHH(n=5, p=0.0)
    c.bind(0)
    c.receive("current_pa", np.full(5, 500.0))
    c.step(1000)
    spikes = c.step(5000)[0]
    intervals = np.diff(spikes[spikes[:, 1] == 0, 0])
    assert intervals.min() > 0.8 * intervals.max() > 30


def test_without_sodium_nobody_fires():
    c = COBAHH(n=50, p=0.1)
    c.bind(0)
    c.receive("sodium_scale", 0.0)
    assert len(c.step(500)[0]) == 0


def test_the_current_based_network_fires_as_in_brian2():
    other = stored("brian2_vogels_abbott").arrays["cuba_hz"]
    c, rates = cuba(), []
    for seed in range(8):
        c.bind(seed)
        rates.append(len(c.step(10_000)[0]) / 4000)
    assert ttest_ind(rates, other, equal_var=False).pvalue > 0.01
    assert np.mean(rates) == pytest.approx(other.mean(), rel=0.06)


@pytest.mark.bars
def test_the_conductance_based_network_fires_as_in_brian2():
    other = stored("brian2_vogels_abbott").arrays["cobahh_hz"]
    c, rates = COBAHH(), []
    for seed in range(24):
        c.bind(seed)
        rates.append(len(c.step(10_000)[0]) / 4000)
    measured("rate of COBAHH, Hz", rates)
    measured("rate of COBAHH in Brian2, Hz", other)
    assert ttest_ind(rates, other, equal_var=False).pvalue > 0.01


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"dt_s": 2e-4}, "at most 0.1 ms"), ({"n": 3}, "at least 5"), ({"p": 2.0}, "p is 2.0"), ({"tau_e_s": 0.0}, "tau")],
)
def test_what_cannot_be_is_refused(changes, told):
    with pytest.raises(ContractError, match=told):
        COBAHH(**changes).bind(0)


def test_inputs_that_cannot_be_are_refused():
    c = COBAHH(n=5)
    c.bind(0)
    with pytest.raises(ContractError, match="no negative factor"):
        c.receive("sodium_scale", -1.0)
    with pytest.raises(ContractError, match="expected shape"):
        c.receive("weight_scale", 1.0)
