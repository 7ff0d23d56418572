"""The motor-cortex tissue: as wired, as tuned, as drawn; the same bits however it is run."""

from __future__ import annotations

import numpy as np
import pytest
from figures import measured
from reference_tissue import Twin

from bmi.errors import ContractError
from sim.circuits.anatomy import Circuit, Tuning
from sim.circuits.fast_spiking import fast_spiking, with_sodium
from sim.circuits.meanfield import Membrane, drive_for, efficacy, rates
from sim.circuits.tissue import Tissue
from sim.circuits.wiring import sources, without_turning
from sim.component import Component
from sim.exactness import exactness
from sim.plasticity import Homeostasis, PairRule

SECOND = 4000
"""Steps."""


def small(**settings) -> Tissue:
    return Tissue(**{"n_neurons": 250, "contacts": 40, **settings})


def bound(seed=1, **settings) -> Tissue:
    tissue = small(**settings)
    tissue.bind(seed)
    return tissue


def mean_rates(tissue: Tissue, seconds: int) -> np.ndarray:
    """Return the mean rate of each neuron, Hz, after a first half second."""
    tissue.step(SECOND // 2)
    return tissue.step(seconds * SECOND)[1].sum(axis=0) / seconds


def test_it_is_a_component_and_declares_its_cost():
    tissue = bound()
    assert isinstance(tissue, Component)
    assert Tissue().cost <= 0.15


def test_it_fires_and_learns_as_its_equations_say():
    tissue = bound(3, n_neurons=60, contacts=12, facilitate_s=0.05)
    tissue.receive("reward", 5.0)
    spikes = tissue.step(600)[0]
    learned = tissue.state()["weight"]
    twin = Twin(tissue, 3, reward=5.0)
    expected, weights = twin.run(600)
    assert len(expected) > 50
    assert np.array_equal(spikes, expected)
    assert np.abs(learned - tissue.anatomy_.plastic.weight).max() > 1e-4
    np.testing.assert_allclose(learned, weights[twin.there], atol=1e-5)


def test_not_a_bit_depends_on_how_it_is_run():
    drive = [("velocity", 0.0, [150.0, -60.0]), ("reward", 0.05, 2.0), ("gaba_decay", 0.1, 1.5),
             ("electrode_um", 0.0, [500.0, 500.0, 200.0]), ("stimulus_mv", 0.08, 400.0),
             ("stimulus_hz", 0.08, 130.0)]  # fmt: skip
    for count in exactness(lambda: small(n_neurons=120, contacts=20), drive, seconds=0.15):
        assert count.values > 10_000
        assert count.differing == 0, count.how


def test_after_a_reset_it_is_as_freshly_bound():
    tissue = bound()
    first = tissue.step(997)[0].copy()
    tissue.receive("velocity", [100.0, 0.0])
    tissue.step(500)
    tissue.reset()
    assert np.array_equal(tissue.step(997)[0], first)


def test_a_subject_keeps_the_neurons_and_not_the_noise():
    one, other = bound(1, subject=5), bound(2, subject=5)
    assert np.array_equal(one.anatomy_.plastic.weight, other.anatomy_.plastic.weight)
    assert not np.array_equal(one.step(400)[0], other.step(400)[0])
    assert not np.array_equal(bound(1).anatomy_.directions, bound(2).anatomy_.directions)


def test_neurons_fire_at_the_rates_drawn_for_them():
    tissue = bound(n_neurons=500, contacts=60, circuit=Circuit(rank=0))
    found, wanted = mean_rates(tissue, 8), tissue.anatomy_.baselines_hz
    assert found.mean() == pytest.approx(wanted.mean(), rel=0.12)
    assert np.corrcoef(found, wanted)[0, 1] > 0.9
    assert wanted.min() >= 5.0
    assert wanted.max() <= 20.0


def test_a_neuron_prefers_its_afferent_direction_in_three_dimensions_too():
    tissue = bound(n_dims=3, plastic=False, tuning=Tuning(depth_spread=0.0))
    toward = []
    for axis in np.eye(3):
        responses = []
        for sign in (1.0, -1.0):
            tissue.receive("velocity", 200.0 * sign * axis)
            responses.append(mean_rates(tissue, 5)[: tissue.anatomy_.n_exc])
        toward.append((responses[0] - responses[1]) / 2.0)
    slopes, true = np.stack(toward, axis=1), tissue.anatomy_.directions
    assert np.mean((slopes * true).sum(axis=1) / np.linalg.norm(slopes, axis=1)) > 0.95
    assert np.median(np.linalg.norm(slopes, axis=1)) == pytest.approx(7.0, rel=0.25)


def test_every_neuron_receives_its_contacts_and_none_from_itself():
    found = sources(np.random.default_rng(0), 30, range(10, 40), 29, same=True)
    assert all(set(row) == set(range(10, 40)) - {10 + i} for i, row in enumerate(found))
    tissue = bound()
    a = tissue.anatomy_
    received = np.bincount(np.concatenate([a.plastic.to, a.fixed.to]), minlength=250)
    assert (received == 40).all()


def test_recurrent_contacts_add_nothing_at_a_right_angle_to_what_a_neuron_prefers():
    rng = np.random.default_rng(0)
    carried, keep = rng.standard_normal((20, 15, 3)), rng.standard_normal((20, 3))
    keep /= np.linalg.norm(keep, axis=1, keepdims=True)
    weights = rng.random((20, 15))
    sums = np.einsum("ik,ikd->id", without_turning(weights, carried, keep), carried)
    np.testing.assert_allclose(sums, (sums * keep).sum(axis=1, keepdims=True) * keep, atol=1e-12)
    np.testing.assert_allclose(np.einsum("ik,ikd->id", without_turning(weights, carried, None), carried), 0, atol=1e-12)
    again = without_turning(without_turning(weights, carried, keep), carried, keep)
    np.testing.assert_allclose(again, without_turning(weights, carried, keep))


def test_without_fluctuation_the_mean_field_is_the_membrane_itself():
    cell, mean = Membrane(), np.array([22.0, 30.0, 60.0])
    exact = 1.0 / (cell.refractory_s + cell.tau_s * np.log((mean - cell.reset_mv) / (mean - cell.threshold_mv)))
    np.testing.assert_allclose(rates(cell, mean, 0.02, 0.0), exact, rtol=1e-3)
    drive, slope = drive_for(cell, np.array([5.0, 20.0]), 6.0, 0.1)
    np.testing.assert_allclose(rates(cell, drive, 6.0, 0.1), [5.0, 20.0], rtol=2e-3)
    step = (rates(cell, drive + 0.01, 6.0, 0.1) - rates(cell, drive - 0.01, 6.0, 0.1)) / 0.02
    np.testing.assert_allclose(slope, step, rtol=0.02)


def test_a_depressing_terminal_is_worth_less_the_more_it_fires():
    worth, onward = efficacy(np.array([0.001, 10.0]), 0.25, 0.2, 0.0)
    np.testing.assert_allclose(worth, [1.0, 1.0 / 1.5], rtol=1e-3)
    np.testing.assert_allclose(onward, [1.0, 1.0 / 1.5**2], rtol=1e-3)


@pytest.mark.parametrize(
    ("port", "value", "rises"),
    [("gaba", 0.7, True), ("gaba_decay", 1.3, False), ("ampa", 1.2, True), ("nmda", 0.5, False), ("m1_hz", 10.0, True)],
)
def test_drugs_and_a_mass_upstream_change_the_rate(port, value, rises):
    changed, usual = bound(plastic=False), bound(plastic=False)
    changed.receive(port, value)
    assert (mean_rates(changed, 2).mean() > mean_rates(usual, 2).mean()) == rises


def test_stimulation_reaches_the_disc_and_one_pulse_one_spike_at_most():
    tissue = bound(plastic=False)
    near = np.hypot(*(tissue.anatomy_.positions_um - [500.0, 500.0]).T) < 250.0
    before = mean_rates(tissue, 2)
    tissue.receive("electrode_um", [500.0, 500.0, 250.0])
    tissue.receive("stimulus_mv", 2000.0)
    tissue.receive("stimulus_hz", 50.0)
    gained = mean_rates(tissue, 2) - before
    assert gained[near].mean() == pytest.approx(50.0, abs=8.0)
    assert abs(gained[~near].mean()) < 10.0


def test_reward_moves_weights_and_its_absence_leaves_them():
    moved = []
    for reward in (1.0, -1.0, 0.0):
        tissue = bound(pairs=PairRule(high=8.0), homeostasis=Homeostasis(target_hz=1.0, tau_scaling_s=1e9))
        before = tissue.state()["weight"].copy()
        tissue.receive("reward", reward)
        tissue.step(SECOND // 2)
        moved.append(tissue.state()["weight"] - before)
    inside = (before > 0.5) & (before < before.max())
    assert np.abs(moved[0]).max() > 0.01
    assert np.corrcoef(moved[0][inside], moved[1][inside])[0, 1] < -0.5
    assert np.abs(moved[2]).max() < 1e-6


def test_homeostasis_weakens_what_drives_a_neuron_too_much():
    tissue = bound(homeostasis=Homeostasis(target_hz=1.0, tau_rate_s=0.5, tau_scaling_s=5.0))
    tissue.receive("m1_hz", 40.0)
    tissue.step(SECOND // 2)
    early = tissue.step(SECOND // 2)[2][:, 0].mean()
    tissue.step(5 * SECOND)
    assert tissue.step(2 * SECOND)[2][:, 0].mean() < 0.9 * early
    assert tissue.state()["weight"].mean() < 0.8 * tissue.anatomy_.plastic.weight.mean()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"contacts": 300}, "expected at most"),
        ({"dt_s": 0.001}, "at most 0.5 ms"),
        ({"dt_s": 0.0003}, "whole number"),
        ({"dt_s": 0.0004}, "whole part of 1 ms"),
        ({"tuning": Tuning(baseline_hz=30.0)}, "between least_hz = 5 and most_hz = 20"),
        ({"tuning": Tuning(baseline_hz=900.0, least_hz=800.0, most_hz=990.0)}, "its membrane can fire at"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(ContractError, match=message):
        bound(**settings)


@pytest.mark.parametrize(
    ("port", "value", "message"),
    [
        ("velocity", [1.0, 2.0, 3.0], r"expected shape \(2,\)"),
        ("velocity", [np.nan, 0.0], "expected finite"),
        ("speed", 1.0, "no input 'speed'; its inputs are: velocity"),
        ("gaba", -1.0, "at least 0"),
        ("gaba_decay", 0.0, "at least 0.1"),
        ("nav11", 0.5, "expected 0.6 to 1.2"),
    ],
)
def test_inputs_out_of_range_are_refused_and_change_nothing(port, value, message):
    tissue, usual = bound(n_neurons=60, contacts=10), bound(n_neurons=60, contacts=10)
    with pytest.raises(ContractError, match=message):
        tissue.receive(port, value)
    assert np.array_equal(tissue.step(200)[0], usual.step(200)[0])


@pytest.mark.bars
def test_a_loss_of_sodium_channels_reaches_the_circuit():
    from sim.refit import lif_for

    fit, healthy = lif_for("pv"), fast_spiking()
    assert healthy.tau_s == pytest.approx(fit.tau_m_s, rel=0.02)
    assert healthy.threshold_mv == pytest.approx(fit.threshold_mv - fit.rest_mv, rel=0.02)
    assert healthy.reset_mv == pytest.approx(fit.reset_mv - fit.rest_mv, rel=0.02)
    assert with_sodium(healthy, 0.65).threshold_mv > 2.0 * healthy.threshold_mv
    found = []
    for share in (1.0, 0.8, 0.65):
        tissue = bound(plastic=False)
        tissue.receive("nav11", share)
        found.append(mean_rates(tissue, 5)[: tissue.anatomy_.n_exc].mean())
    measured("excitatory rate, Hz", found)
    assert found[0] < found[1] < found[2]
