"""Integrate-and-fire networks: exact between spikes, equal to their twin, and the same however a run is cut."""

import math

import numpy as np
import pytest
from reference_circuits import lif_steps

from bmi.errors import ContractError
from sim.circuits.connectivity import InDegree, Probability
from sim.circuits.lif import LIF, charge_of, poisson_below
from sim.circuits.siegert import Neuron, noiseless_rate, siegert
from sim.component import Component
from sim.preparation import Preparation


def network(**changes):
    default = {
        "n_excitatory": 40, "n_inhibitory": 10, "wiring": InDegree(excitatory=8, inhibitory=2), "weight_e_mv": 0.8,
        "weight_i_mv": -3.0, "external_hz": 3000.0, "external_mv": 0.4, "noise_mv": 1.0,
    }  # fmt: skip
    return LIF(**{**default, **changes})


def decaying(**changes):
    return network(synapses="exponential", external_mv=2.0, weight_e_mv=2.0, weight_i_mv=-6.0, **changes)


def dense(graph, n_e, we, wi):
    n = len(graph.start) - 1
    out = np.zeros((n, n))
    out[np.repeat(np.arange(n), np.diff(graph.start)), graph.targets] = 1.0
    return out * np.where(np.arange(n) < n_e, we, wi)[:, None]


@pytest.mark.parametrize(
    ("synapses", "delay_s"),
    [("jump", 1e-4), ("jump", 1.5e-3), ("exponential", 0.0), ("exponential", 1e-4), ("exponential", 1.5e-3)],
)
def test_it_is_its_twin(synapses, delay_s):
    c = network(synapses=synapses, delay_s=delay_s, external_hz=0.0, noise_mv=0.0, rest_mv=24.0)
    c.bind(5)
    v = c.state()["v"].astype(float)
    cell = {"dt_s": 1e-4, "tau_m_s": 20e-3, "tau_e_s": 5e-3, "tau_i_s": 10e-3, "rest_mv": 24.0, "reset_mv": 10.0,
            "threshold_mv": 20.0, "hold": 20, "n_e": 40, "delay": round(delay_s / 1e-4),
            "synapses": synapses}  # fmt: skip
    edges = dense(c.graph_, 40, 0.8, -3.0)
    expected, v = lif_steps(600, v, np.zeros(50), np.zeros(50), edges, cell)
    found = c.step(600)[0]
    assert len(found) > 60
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(c.state()["v"], v, atol=2e-4)


@pytest.mark.parametrize("build", [network, decaying])
def test_a_run_may_be_cut_anywhere(build):
    whole, cut = build(), build()
    whole.bind(1)
    cut.bind(1)
    expected = whole.step(320)[0]
    parts = [cut.step(n)[0] for n in (3, 7, 0, 90, 1, 219)]
    assert len(expected) > 20
    np.testing.assert_array_equal(np.concatenate(parts), expected)
    for name, array in whole.state().items():
        np.testing.assert_array_equal(array, cut.state()[name], err_msg=name)


@pytest.mark.parametrize("build", [network, decaying])
def test_snapshot_fork_and_reset_repeat_it_to_the_last_bit(build):
    p = Preparation(build(), 2)
    p.give("noise_mv", 0.02, 2.0)
    p.give("external_hz", 0.03, 5000.0)
    first = p.advance_s(0.025)["spikes"]
    kept, fork = p.snapshot(), p.fork()
    later = p.advance_s(0.055)["spikes"]
    np.testing.assert_array_equal(fork.advance_s(0.055)["spikes"], later)
    p.restore(kept)
    np.testing.assert_array_equal(p.advance_s(0.055)["spikes"], later)
    p.reset()
    np.testing.assert_array_equal(p.advance_s(0.02)["spikes"], first[first[:, 0] < 200])


def test_it_is_a_component_and_a_seed_is_a_network():
    a, b, c = network(), network(), network()
    assert isinstance(a, Component)
    for part, seed in ((a, 1), (b, 1), (c, 2)):
        part.bind(seed)
    np.testing.assert_array_equal(a.step(200)[0], b.step(200)[0])
    assert not np.array_equal(a.graph_.targets, c.graph_.targets)


@pytest.mark.parametrize("mu", [20.5, 25.0, 60.0])
@pytest.mark.parametrize("dt_s", [1e-4, 2.5e-4])
def test_without_noise_intervals_are_right_to_a_step(mu, dt_s):
    c = LIF(n_excitatory=1, n_inhibitory=0, rest_mv=mu, start_mv=(10.0, 10.0), dt_s=dt_s)
    c.bind(0)
    steps = c.step(round(1.0 / dt_s))[0][:, 0]
    interval = 1.0 / noiseless_rate(mu, Neuron())
    assert np.all(np.abs(np.diff(steps) * dt_s - interval) <= dt_s * (1 + 1e-3))
    assert len(set(np.diff(steps))) == 1


def test_the_crossing_between_steps_is_counted():
    """Siegert's rate at a coarse step; without the moved threshold it is 8 % low."""
    c = LIF(n_excitatory=400, n_inhibitory=0, rest_mv=18.0, noise_mv=5.0, dt_s=1e-4)
    c.bind(3)
    c.step(2000)
    rate = len(c.step(20000)[0]) / 400 / 2.0
    assert rate == pytest.approx(siegert(18.0, 5.0, Neuron()), rel=0.03)


def test_external_events_have_the_moments_of_poisson():
    c = LIF(n_excitatory=2000, n_inhibitory=0, external_hz=8000.0, external_mv=0.1, threshold_mv=1e6, start_mv=(0, 0))
    c.bind(4)
    c.step(2000)
    v = np.concatenate([(c.step(200), c.state()["v"].copy())[1] for _ in range(5)])
    assert v.mean() == pytest.approx(8000 * 0.1 * 0.02, rel=0.01)
    assert v.var() == pytest.approx(8000 * 0.1**2 * 0.02 / 2, rel=0.06)


def test_tabulated_probabilities_are_those_of_poisson():
    from scipy.stats import poisson

    for mean in (0.01, 1.0, 8.0):
        np.testing.assert_allclose(poisson_below(mean), poisson.cdf(np.arange(48), mean), atol=2e-7)
    np.testing.assert_array_equal(poisson_below(0.0), 1.0)


@pytest.mark.parametrize("tau_s", [5e-3, 20e-3, 20e-3 * (1 + 1e-9), 50e-3])
def test_charge_is_the_integral_of_a_decaying_input(tau_s):
    s = np.linspace(0, 1e-4, 2001)
    f = np.exp(-s / tau_s) * np.exp(-(1e-4 - s) / 20e-3) / 20e-3
    assert charge_of(1e-4, 20e-3, tau_s) == pytest.approx(np.trapezoid(f, s), rel=1e-8)


@pytest.mark.parametrize("build", [network, decaying])
def test_a_network_that_falls_silent_has_nothing_left_that_is_slow(build):
    """Numbers below 1e-38 cost fifty times as much; what decays ends at 0 before."""
    c = build()
    c.bind(0)
    c.step(500)
    c.receive("noise_mv", 0.0)
    c.receive("external_hz", 0.0)
    c.step(30_000)
    for name in ("v", "ge", "gi"):
        np.testing.assert_array_equal(c.state()[name], 0.0, err_msg=name)


def test_inputs_do_what_they_say():
    silent = LIF(n_excitatory=4, n_inhibitory=0, start_mv=(0.0, 0.0))
    silent.bind(0)
    assert len(silent.step(1000)[0]) == 0
    silent.receive("current_mv", np.array([0.0, 19.9, 25.0, 30.0]))
    counts = np.bincount(silent.step(10000)[0][:, 1], minlength=4)
    assert counts[0] == counts[1] == 0
    assert 0 < counts[2] < counts[3]
    a, b = network(external_hz=6000.0), network(external_hz=6000.0)
    for c, scale in ((a, [1.0, 1.0]), (b, [1.0, 0.0])):
        c.bind(1)
        c.receive("weight_scale", np.array(scale))
    assert len(b.step(1000)[0]) > len(a.step(1000)[0])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"delay_s": -1e-3}, "delay_s is -0.001, expected no negative time"),
        ({"delay_s": 5e-5}, "below the step"),
        ({"delay_s": 0.0}, "below the step"),
        ({"wiring": Probability(p=1.2)}, "p is 1.2, expected a probability"),
        ({"wiring": InDegree(excitatory=41, inhibitory=1)}, "k is 41 of 40"),
        ({"n_excitatory": 0, "n_inhibitory": 0}, "expected at least one"),
        ({"synapses": "alpha"}, "expected 'jump' or 'exponential'"),
        ({"tau_m_s": 0.0}, "tau_m_s is 0.0"),
        ({"refractory_s": -1.0}, "refractory_s is -1.0"),
        ({"reset_mv": 20.0}, "expected below the threshold"),
        ({"external_hz": 1e6}, "expected 0 to 80000"),
        ({"dt_s": 3e-4}, "expected a whole number"),
    ],
)
def test_what_cannot_be_is_refused(changes, told):
    with pytest.raises(ContractError, match=told):
        network(**changes).bind(0)


@pytest.mark.parametrize(
    ("port", "value", "told"),
    [
        ("current_mv", np.zeros(3), r"expected shape \(50,\)"),
        ("current_mv", np.full(50, math.nan), "expected finite"),
        ("noise_mv", -1.0, "no negative value"),
        ("external_hz", -1.0, "expected 0 to"),
        ("voltage", 1.0, "has no input 'voltage'"),
    ],
)
def test_inputs_that_cannot_be_are_refused(port, value, told):
    c = network()
    c.bind(0)
    with pytest.raises(ContractError, match=told):
        c.receive(port, value)
