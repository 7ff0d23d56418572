"""Adaptive exponential neurons: their twin, Brian2's spike times, and runs cut anywhere."""

import numpy as np
import pytest
from reference_circuits import adex_steps

from bmi.errors import ContractError
from sim.circuits.adex import AdEx
from sim.circuits.connectivity import Probability
from sim.component import Component
from sim.preparation import Preparation
from sim.validation import stored

PUBLISHED = {"c": 281.0, "g_l": 30.0, "e_l": -70.6, "v_t": -50.4, "delta_t": 2.0, "tau_w_ms": 144.0, "a": 4.0,
             "b": 80.5, "v_reset": -70.6}  # fmt: skip
HALF_A_STEP = -50.4 + 2.0 * np.log(2 * 281.0 / (30.0 * 0.1))
"""mV from which the exponential alone takes 0.05 ms to infinity."""


def single(current, dt_s=1e-4, **changes):
    c = AdEx(n_excitatory=len(current), n_inhibitory=0, dt_s=dt_s, **changes)
    c.bind(0)
    c.receive("current_pa", np.asarray(current, float))
    return c


def test_it_is_its_twin():
    current = np.array([500.0, 650.0, 800.0, 1500.0])
    c = single(current)
    found = c.step(1000)[0]
    published = {**PUBLISHED, "v_peak": HALF_A_STEP}
    expected, v, w = adex_steps(1000, 0.1, np.full(4, -70.6), np.zeros(4), current, published)
    assert len(expected) > 10
    np.testing.assert_array_equal(found[:, 1], expected[:, 1])
    assert np.abs(found[:, 0] - expected[:, 0]).max() <= 1
    np.testing.assert_allclose(c.state()["v"][:3], v[:3], atol=0.05)
    np.testing.assert_allclose(c.state()["w"][:3], w[:3], atol=0.5)


def test_it_fires_as_in_brian2():
    """Spike times are rounded to the grid, so that errors do not add up over the 49 of the last neuron."""
    other = stored("brian2_adex").arrays
    c = single(other["current_pa"], 2.5e-5)
    found = c.step(20_000)[0]
    for i in range(len(other["current_pa"])):
        ours, theirs = (found[found[:, 1] == i, 0] + 1) * 2.5e-5, other["t_s"][other["neuron"] == i]
        assert len(ours) == len(theirs)
        assert np.all(np.abs(ours - theirs) < 5e-5)


def test_intervals_lengthen_as_it_adapts():
    steps = single([1000.0]).step(3000)[0][:, 0]
    assert np.diff(steps)[0] < 0.5 * np.diff(steps)[-1]


def test_a_run_may_be_cut_anywhere_and_repeated():
    def build():
        return AdEx(
            n_excitatory=40, n_inhibitory=10, wiring=Probability(p=0.2), external_hz=3000.0, external_ns=4.0,
            weight_e_ns=2.0, weight_i_ns=10.0,
        )  # fmt: skip

    whole, cut = build(), build()
    assert isinstance(whole, Component)
    whole.bind(1)
    cut.bind(1)
    expected = whole.step(500)[0]
    assert len(expected) > 20
    np.testing.assert_array_equal(np.concatenate([cut.step(n)[0] for n in (3, 7, 190, 300)]), expected)
    for name, array in whole.state().items():
        np.testing.assert_array_equal(array, cut.state()[name], err_msg=name)
    p = Preparation(build(), 1)
    first = p.advance_s(0.05)["spikes"]
    np.testing.assert_array_equal(first, expected)
    fork, kept = p.fork(), p.snapshot()
    later = p.advance_s(0.05)["spikes"]
    np.testing.assert_array_equal(fork.advance_s(0.05)["spikes"], later)
    p.restore(kept)
    np.testing.assert_array_equal(p.advance_s(0.05)["spikes"], later)
    p.reset()
    np.testing.assert_array_equal(p.advance_s(0.05)["spikes"], first)


def test_inhibition_silences_and_its_weight_is_an_input():
    rates = []
    for scale in ([1.0, 0.0], [1.0, 1.0]):
        c = AdEx(wiring=Probability(p=0.2), external_hz=3000.0, external_ns=4.0, weight_i_ns=10.0)
        c.bind(1)
        c.receive("weight_scale", np.array(scale))
        rates.append(len(c.step(1000)[0]))
    assert rates[1] < rates[0]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dt_s": 2e-4}, "at most 0.1 ms"),
        ({"v_peak_mv": -60.0}, "expected above v_reset_mv"),
        ({"v_peak_mv": 60.0}, "ends single precision"),
        ({"c_pf": 0.0}, "c_pf is 0.0"),
        ({"delay_s": 5e-5}, "below the step"),
        ({"external_hz": -1.0}, "expected 0 to"),
        ({"n_excitatory": 0, "n_inhibitory": 0}, "expected at least one"),
    ],
)
def test_what_cannot_be_is_refused(changes, told):
    with pytest.raises(ContractError, match=told):
        AdEx(**changes).bind(0)


def test_inputs_that_cannot_be_are_refused():
    c = single([0.0])
    with pytest.raises(ContractError, match="no negative factor"):
        c.receive("weight_scale", np.array([1.0, -1.0]))
    with pytest.raises(ContractError, match="expected shape"):
        c.receive("current_pa", np.zeros(2))
