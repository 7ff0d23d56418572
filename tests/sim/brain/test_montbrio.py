"""The exact mean field of quadratic neurons, and the neurons: fixed points, twins, one against the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_mean_fields import montbrio, network, qif

from bmi.errors import ContractError
from sim.brain.connectome import Connectome
from sim.brain.montbrio import MontbrioPazoRoxin
from sim.brain.qif import QIF, spread
from sim.component import Noise
from sim.preparation import Preparation

RNG = np.random.default_rng(3)
WEIGHTS = np.where(RNG.random((3, 3)) < 0.7, RNG.random((3, 3)), 0.0)
LENGTHS = RNG.uniform(0.0, 8.0, (3, 3)).round(1)
TRACTS = Connectome(labels=("a", "b", "c"), weights=WEIGHTS, lengths_mm=LENGTHS)


def bound(component, seed=1):
    component.bind(seed)
    return component


def test_the_lower_fixed_point_solves_the_cubic():
    r = bound(MontbrioPazoRoxin()).step(5000)[0][-1, 0] * 0.01
    v = -1.0 / (2.0 * np.pi * r)
    assert v**2 - 5.0 + 15.0 * r - (np.pi * r) ** 2 == pytest.approx(0.0, abs=1e-9)


def test_a_pulse_moves_it_to_the_upper_state():
    p = Preparation(MontbrioPazoRoxin(), 1)
    p.give("drive", 0.1, [3.0])
    p.give("drive", 0.4, [0.0])
    rate = p.advance_s(1.4)["rate"][:, 0] * 0.01
    assert rate[99] == pytest.approx(0.0811, abs=1e-4)
    assert rate[399] == pytest.approx(1.3732, abs=5e-3)
    assert rate[-1] == pytest.approx(1.0306, abs=1e-4)


def test_a_network_is_its_twin():
    net = bound(MontbrioPazoRoxin(connectome=TRACTS, gain=1.5, drive=(0.0, 0.3, 0.6), noise=2.0))
    rate, v, arriving = net.step(300)
    noise = Noise(1, net.name, 3)
    delays = np.rint(LENGTHS * 1e-3 / 4.0 / 1e-4).astype(int)
    there = network(
        montbrio, np.tile([[0.0811], [-1.9625]], 3), lambda x: x[0], 1.5 * WEIGHTS, delays, 1e-4, 300,
        np.array([0.0, 0.3, 0.6]), lambda t: 2.0 * np.sqrt(10.0) * noise.normal(0, t).astype(float),
    )[9::10]  # fmt: skip
    np.testing.assert_allclose(rate * 0.01, there[:, 0], rtol=1e-9)
    np.testing.assert_allclose(v, there[:, 1], rtol=1e-9)
    assert arriving.shape == (30, 3)


def test_a_proxied_region_is_heard_as_given():
    def others(proxy):
        net = bound(MontbrioPazoRoxin(connectome=TRACTS, gain=1.5, proxied=(0,)))
        net.receive("proxy", np.array([proxy, 0.0, 0.0]))
        return net.step(5000)

    rate, _, arriving = others(20.0)
    np.testing.assert_array_equal(rate[:, 0], 20.0)
    assert arriving[-1, 1] == pytest.approx(1.5 * (WEIGHTS[1] @ rate[-1]) * 0.01, rel=1e-6)
    silent = others(0.0)[0]
    heard = WEIGHTS[1:, 0] > 0.0
    assert (silent[-1, 1:] < rate[-1, 1:])[heard].all()


@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_steps_compose(cuts):
    def net():
        return bound(MontbrioPazoRoxin(connectome=TRACTS, noise=1.0))

    a, b = net(), net()
    parts = np.concatenate([a.step(n)[0] for n in cuts])
    np.testing.assert_array_equal(parts, b.step(sum(cuts))[0])
    assert all(np.array_equal(a.state()[k], b.state()[k]) for k in a.state())
    a.reset()
    assert all(np.array_equal(v, net().state()[k]) for k, v in a.state().items())


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"dt_s": 5e-4}, "fiftieth"), ({"width": 0.0}, "width"), ({"proxied": (3,)}, "proxied"),
     ({"drive": (1.0, 2.0)}, "one for each of 3")],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(wrong, told):
    with pytest.raises(ContractError, match=told):
        MontbrioPazoRoxin(**{"connectome": TRACTS} | wrong).bind(1)


def test_a_negative_rate_is_refused():
    with pytest.raises(ContractError, match="at least 0"):
        bound(MontbrioPazoRoxin()).receive("proxy", [-1.0])


@pytest.mark.parametrize("n", [10, 11, 4000])
def test_the_spread_is_that_of_cauchy(n):
    eta = spread(n)
    assert len(eta) == n
    assert (np.diff(eta) > 0.0).all()
    np.testing.assert_allclose(eta, -eta[::-1])
    quantile = 0.5 + np.arctan(eta) / np.pi
    assert ((quantile > np.arange(n) / n) & (quantile < np.arange(1, n + 1) / n)).all()


def test_neurons_are_their_twin():
    cells = bound(QIF(n_neurons=200, start=0.5, drive=1.0))
    v = cells.state()["v"].astype(float)
    kept = cells.state()["kept"][0]
    there = qif(v, -5.0 + spread(200), 1.0, weight=15.0 / 200, h=0.01, n_steps=300, heard=kept)
    counts = cells.step(300)[0]
    assert counts.sum() > 100
    np.testing.assert_allclose(counts, there.reshape(-1, 10).sum(1), atol=1)
    assert counts.sum() == pytest.approx(there.sum(), abs=2)


def test_neurons_fire_as_their_mean_field():
    cells = bound(QIF(n_neurons=2000, start=1.03), 2)
    cells.step(2000)
    assert cells.step(5000)[1].mean() * 0.01 == pytest.approx(1.0306, rel=0.01)


def test_a_neuron_alone_fires_at_the_root_of_what_drives_it():
    cells = bound(QIF(n_neurons=1, coupling=0.0, eta=4.0, start=0.0))
    assert cells.step(100_000)[1].mean() == pytest.approx(100.0 * 2.0 / np.pi, rel=2e-3)


def test_neurons_twice_in_a_step_are_refused():
    with pytest.raises(ContractError, match="fire twice"):
        QIF(n_neurons=10, eta=1e6).bind(1)
