"""Spikes beside masses: Poisson events, kernels, bookkeeping of the exchange, bits, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from bmi.errors import ContractError
from sim.brain._cosimulation_kernels import poisson as drawn
from sim.brain.connectome import Connectome
from sim.brain.cosimulation import Cosimulation, ToRate, ToSpikes, fitted_gain
from sim.brain.montbrio import MontbrioPazoRoxin
from sim.brain.qif import QIF
from sim.exactness import exactness

TRACTS = Connectome(
    labels=("a", "b", "c"), weights=np.array([[0.0, 0.5, 0.5], [1.0, 0.0, 0.2], [0.7, 0.3, 0.0]]),
    lengths_mm=np.array([[0.0, 20.0, 40.0], [20.0, 0.0, 30.0], [40.0, 30.0, 0.0]]),
)  # fmt: skip


def both(**fields):
    parts = {
        "network": MontbrioPazoRoxin(connectome=TRACTS, gain=2.0, noise=1.0, proxied=(0,)),
        "neurons": QIF(n_neurons=400, noise=1.0), "down": ToSpikes(n_afferents=400), "up": ToRate(n_neurons=400),
    }  # fmt: skip
    return Cosimulation(**parts | fields)


def bound(component, seed=1):
    component.bind(seed)
    return component


@given(mean=st.floats(0.0, 480.0), u=st.floats(0.001, 0.999))
@settings(max_examples=60, deadline=None)
def test_a_poisson_number_is_the_quantile(mean, u):
    k = drawn(mean, u)
    assert poisson.cdf(k - 1, mean) - 1e-9 <= u <= poisson.cdf(k, mean) + 1e-9


def test_events_are_poisson_of_the_rate_and_conserved():
    down = bound(ToSpikes(n_afferents=50, n_targets=40))
    rates = 5.0 + 4.0 * np.sin(np.arange(2000) * 0.01)
    events = down.step(rates)
    assert down.sent == events.sum()
    assert down.heard_hz(events) == pytest.approx(rates.mean(), rel=0.02)
    mean = 0.05 * rates
    assert ((events - mean[:, None]) ** 2).mean() == pytest.approx(mean.mean(), rel=0.03)
    assert np.corrcoef(events.sum(1), rates)[0, 1] > 0.8
    assert np.abs(np.corrcoef((events - mean[:, None])[:, :6].T)[np.triu_indices(6, 1)]).max() < 0.1


@settings(max_examples=10, deadline=None)
@given(cut=st.integers(1, 49))
def test_events_do_not_depend_on_how_rows_are_handed_over(cut):
    a, b = bound(ToSpikes(n_targets=3)), bound(ToSpikes(n_targets=3))
    rates = np.linspace(0.0, 100.0, 50)
    np.testing.assert_array_equal(np.concatenate([a.step(rates[:cut]), a.step(rates[cut:])]), b.step(rates))


def test_rates_out_of_range_are_held():
    down = bound(ToSpikes(n_afferents=100, most_hz=10.0))
    assert down.step(np.full(10, -3.0)).sum() == 0
    assert down.heard_hz(down.step(np.full(3000, 1e6))) == pytest.approx(10.0, rel=0.05)


def test_a_spike_becomes_a_kernel_that_holds_it():
    up = bound(ToRate(n_neurons=10, tau_s=0.015, gain=2.0))
    counts = np.zeros(400)
    counts[3] = 7
    rates = up.step(counts)
    assert (rates[:3] == 0.0).all()
    np.testing.assert_allclose(rates[4:] / rates[3:-1], np.exp(-1.0 / 15.0))
    assert rates.sum() * 1e-3 * 10 / 2.0 == pytest.approx(7.0)
    assert up.heard == 7


def test_spikes_are_conserved_up_to_what_the_kernel_still_holds():
    up = bound(ToRate(n_neurons=100))
    counts = np.random.default_rng(1).poisson(3.0, 200)
    heard = up.step(counts).sum() * 1e-3 * 100
    share = 1.0 - np.exp(-0.1)
    waiting = up.state()["kept"][0] * (1.0 - share) / share * 1e-3 * 100
    assert heard + waiting == pytest.approx(counts.sum())


def test_a_gain_makes_stationary_rates_agree():
    assert fitted_gain([2.0, 4.0], [1.0, 2.0]) == pytest.approx(0.5)
    for wrong in (([0.0], [1.0]), ([1.0, 2.0], [1.0]), ([np.nan], [1.0])):
        with pytest.raises(ContractError, match="fitted_gain"):
            fitted_gain(*wrong)


def test_what_neurons_say_is_heard_one_window_later():
    pair = bound(both())
    rate, counts, events = pair.step(300)
    translated = bound(ToRate(n_neurons=400)).step(counts)
    np.testing.assert_allclose(rate[5:, 0], translated[:-5], rtol=1e-12)
    assert pair.down.sent == events.sum() + pair.state()["events"].sum()
    assert pair.up.heard == counts.sum() > 0


def test_however_it_is_run_no_value_differs():
    drive = [("drive", 0.02, np.array([1.0, 0.5, 0.0]))]
    counts = exactness(both, drive, seconds=0.1, seed=3)
    assert all(c.differing == 0 and c.values > 100 for c in counts)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"network": MontbrioPazoRoxin(connectome=TRACTS)}, "one region"),
        ({"network": MontbrioPazoRoxin(connectome=TRACTS, gain=0.0, proxied=(0,))}, "nothing reaches"),
        ({"network": MontbrioPazoRoxin(connectome=TRACTS, speed_m_s=8.0, proxied=(0,))}, "shortest delay"),
        ({"neurons": QIF(tau_s=0.02)}, "tau_s"),
        ({"down": ToSpikes(dt_s=0.002)}, "dt_s"),
    ],
)
def test_sides_that_do_not_fit_are_refused(wrong, told):
    with pytest.raises(ContractError, match=told):
        both(**wrong).bind(1)


def test_translators_refuse_what_they_cannot():
    with pytest.raises(ContractError, match="at most 500"):
        ToSpikes(n_afferents=10_000).bind(1)
    with pytest.raises(ContractError, match=r"0\.010 to 0\.020"):
        ToRate(tau_s=0.05).bind(1)
