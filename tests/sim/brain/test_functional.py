"""Connectivity: as in the papers, as MNE-Connectivity and statsmodels have it, and the same running as in one go."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_connectivity import granger as reference_granger
from reference_connectivity import pair

from bmi.errors import ContractError
from sim.brain import directed
from sim.brain import functional as fc
from sim.brain.recursive import Running
from sim.validation import stored
from sim.validation.functional import planted


def complex_samples(seed, n=80, channels=4):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, channels)) + 1j * rng.standard_normal((n, channels))
    x[:, 1] += 0.9 * np.exp(0.7j) * x[:, 0]
    x[:, 2] += 0.5 * x[:, 0]
    return x


@pytest.mark.parametrize("measure", fc.MEASURES)
def test_a_measure_is_what_its_paper_says(measure):
    x = complex_samples(1)
    found = fc.MEASURES[measure](x)
    for i, j in ((0, 1), (1, 0), (2, 0), (3, 2)):
        assert found[i, j] == pytest.approx(pair(measure, x[:, i], x[:, j]), abs=1e-12)


@pytest.mark.parametrize("measure", fc.MEASURES)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100.0), turn=st.floats(0.0, 6.28))
def test_gains_and_a_common_phase_change_nothing_and_bounds_hold(measure, seed, scale, turn):
    x = complex_samples(seed, n=30)
    found = fc.MEASURES[measure](x)
    assert np.abs(found).max() <= 1.0 + 1e-9
    np.testing.assert_allclose(found, (-1 if measure == "imaginary_coherence" else 1) * found.T, atol=1e-12)
    other = fc.MEASURES[measure](x * np.exp(1j * turn) * np.array([1.0, scale, 1.0, 1.0]))
    np.testing.assert_allclose(other, found, atol=1e-9)


def test_a_copy_is_fully_coherent_and_has_no_lag():
    x = complex_samples(2)
    x[:, 3] = 2.0 * x[:, 0]
    for measure, value in {"coherence": 1, "plv": 1, "imaginary_coherence": 0, "pli": 0, "wpli": 0, "aec": 0}.items():
        assert fc.MEASURES[measure](x)[3, 0] == pytest.approx(value, abs=1e-12), measure


def test_a_constant_lag_is_what_imaginary_measures_see():
    x = complex_samples(3)
    x[:, 3] = np.exp(-0.5j) * x[:, 0]
    assert fc.wpli(x)[0, 3] == fc.pli(x)[0, 3] == pytest.approx(1.0)
    assert fc.imaginary_coherence(x)[0, 3] == pytest.approx(np.sin(0.5))


def test_a_silent_channel_is_connected_to_none():
    x = complex_samples(4)
    x[:, 2] = 0.0
    for measure in fc.MEASURES.values():
        found = measure(x)
        assert np.isfinite(found).all()
        assert not found[2].any()


def test_pearson_partial_and_dynamics():
    rng = np.random.default_rng(5)
    a = rng.standard_normal((4000, 4))
    a[:, 1] += a[:, 0]
    a[:, 2] += a[:, 1]
    np.testing.assert_allclose(fc.pearson(a), np.corrcoef(a.T), atol=1e-12)
    assert fc.pearson(a)[0, 2] > 0.5 > 0.05 > abs(fc.partial(a)[0, 2])  # 0 reaches 2 through 1 only
    c = a - a.mean(0)
    left = c - c[:, [1, 3]] @ np.linalg.lstsq(c[:, [1, 3]], c, rcond=None)[0]
    assert fc.partial(a)[0, 2] == pytest.approx(np.corrcoef(left[:, [0, 2]].T)[0, 1], abs=1e-12)
    with pytest.raises(ContractError, match="independent channels"):
        fc.partial(a - a.mean(1, keepdims=True))
    two_states = np.concatenate([a[:1000], a[:1000, ::-1], a[1000:2000]])
    alike = fc.dynamics(two_states, 1000, 1000)
    assert alike[0, 2] > 0.9 > 0.5 > alike[0, 1]
    with pytest.raises(ContractError, match="room for two windows"):
        fc.dynamics(a, 4000, 10)


def test_the_band_is_cut_out_without_delay():
    t = np.arange(2000) / 200.0
    x = np.column_stack([np.cos(2 * np.pi * 10 * t + 0.3), np.cos(2 * np.pi * 40 * t)])
    y = fc.analytic(x, 200.0, 8.0, 12.0)[400:1600]
    np.testing.assert_allclose(y[:, 0], 0.5 * np.exp(0.3j), atol=0.002)
    assert np.abs(y[:, 1]).max() < 0.01


def test_equal_to_mne_connectivity_and_statsmodels():
    a = stored("mne_spectral").arrays
    x = a["samples"] / 1024.0
    f, spectra = fc.epoch_spectra(x.reshape(30, 100, -1), 100.0)
    k = 7
    at = int(np.argmin(np.abs(f - a["frequencies_hz"][k])))
    for measure in set(fc.MEASURES) - {"aec"}:
        np.testing.assert_allclose(
            fc.MEASURES[measure](spectra[:, at])[np.tril_indices(5, -1)], a[measure][:, k], atol=1e-10, err_msg=measure
        )
    a = stored("statsmodels_granger").arrays
    fit = directed.autoregression(a["samples"] / 1024.0, 3)
    for name in ("coefficients", "constant", "covariance"):
        np.testing.assert_allclose(getattr(fit, name), a[name], atol=1e-12)
    pairwise = directed.granger(a["samples"][:, [1, 0]] / 1024.0, 3)
    assert pairwise.f[0, 1] == pytest.approx(float(a["pair_f"]), rel=1e-9)


@pytest.mark.parametrize("bad", [np.zeros((5, 3)), np.zeros(5, complex), np.full((5, 3), np.nan + 0j)])
def test_what_is_no_complex_recording_is_refused(bad):
    for measure in fc.MEASURES.values():
        with pytest.raises(ContractError, match="expected"):
            measure(bad)


def test_a_band_that_does_not_fit_the_rate_is_refused():
    for low, high in ((0.0, 10.0), (12.0, 8.0), (8.0, 60.0)):
        with pytest.raises(ContractError, match="0 < low < high < 50 Hz"):
            fc.analytic(np.zeros((100, 2)), 100.0, low, high)
        with pytest.raises(ContractError, match="0 < low < high < 50 Hz"):
            Running(low_hz=low, high_hz=high).bind(2, 100.0)


def stream(seed, n=1500, channels=4):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, channels))
    x[2:, 1] += x[:-2, 0]
    return x


def bound(**kwargs):
    running = Running(**kwargs)
    running.bind(4, 200.0)
    return running


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 300), max_size=6))
def test_however_a_stream_is_cut_the_same_bits_come_of_it(cuts):
    x, whole, parts = stream(6, n=300), bound(), bound()
    whole.step(x)
    for piece in np.split(x, sorted(cuts)):
        parts.step(piece)
    for name, array in whole.state().items():
        np.testing.assert_array_equal(parts.state()[name], array, err_msg=name)


@pytest.mark.parametrize("measure", fc.MEASURES)
def test_running_means_are_means_weighted_by_age(measure):
    """Against the same samples, each counted with the weight the recursion gives it."""
    x, running = stream(7), bound(memory_s=1.0)
    seen = []
    take = running._take
    running._take = lambda y: (seen.append(y.copy()), take(y))
    running.step(x)
    y = np.array(seen)
    weight = np.zeros(len(y))
    forget = -np.expm1(-running._every / 200.0)
    for k in range(len(y)):
        new = max(1.0 / (k + 1), forget)
        weight *= 1.0 - new
        weight[k] = new
    assert weight.sum() == pytest.approx(1.0)
    found = running.value(measure)
    for i, j in ((0, 1), (3, 2)):
        assert found[i, j] == pytest.approx(pair(measure, y[:, i], y[:, j], weight), abs=1e-9)


def test_it_follows_a_change_and_forgets():
    rng = np.random.default_rng(8)
    apart, together = rng.standard_normal((2, 8000, 4))
    together[:, 1] = together[:, 0] + 0.3 * together[:, 1]
    running = bound(memory_s=5.0)
    running.step(apart)
    before = running.value("coherence")[0, 1]
    running.step(together)
    assert running.value("coherence")[0, 1] > 0.9 > 0.6 > before


def test_reset_is_freshly_bound_and_state_is_the_very_arrays():
    running, fresh = bound(), bound()
    running.step(stream(9))
    kept = {k: v.copy() for k, v in running.state().items()}
    running.reset()
    assert all((running.state()[k] == fresh.state()[k]).all() for k in kept)
    for k, v in running.state().items():
        v[...] = kept[k]
    again = bound()
    again.step(np.concatenate([stream(9), stream(10)]))
    running.step(stream(10))
    np.testing.assert_array_equal(running.value("wpli"), again.value("wpli"))


def test_bad_use_of_a_stream_is_refused():
    with pytest.raises(ContractError, match="two or more channels"):
        Running().bind(1, 200.0)
    with pytest.raises(ContractError, match=r"samples \(n_samples, 4\), given shape \(3, 5\)"):
        bound().step(np.zeros((3, 5)))
    with pytest.raises(ContractError, match="no measure 'wply'; did you mean 'wpli'"):
        bound().value("wply")
    with pytest.raises(ContractError, match="finite"):
        bound().step(np.full((3, 4), np.nan))


def test_granger_from_one_fit_is_granger_from_many():
    x, _ = planted(1, 4, 600)
    found = directed.granger(x, 3).strength
    for i, j in ((0, 1), (2, 3), (3, 0)):
        assert found[i, j] == pytest.approx(reference_granger(x, j, i, 3), abs=1e-10)


def test_parents_are_found_and_the_fit_is_the_system():
    x, parents = planted(2, 6, 6000)
    found, off = directed.granger(x, 2), ~np.eye(6, dtype=bool)
    assert found.strength[parents > 0].min() > found.strength[off & (parents == 0)].max()
    assert found.p_value[parents > 0].max() < 1e-3
    assert directed.autoregression(x, 2).spectral_radius < 1.0


def test_directed_measures_of_a_chain_have_their_closed_form():
    """x1(t) = a x0(t - 1) + e: PDC of 0 to 1 is a / √(1 + a²), and so is DTF, at every frequency."""
    a = 0.7
    fit = directed.Autoregression(np.array([[[0, 0], [a, 0]]]), np.zeros(2), np.eye(2), np.eye(2), 100)
    pdc = directed.partial_directed_coherence(fit, [0.0, 10.0, 50.0], 100.0)
    dtf = directed.directed_transfer(fit, [0.0, 10.0, 50.0], 100.0)
    np.testing.assert_allclose(pdc[:, 1, 0], a / np.hypot(1, a))
    np.testing.assert_allclose(dtf[:, 1, 0], a / np.hypot(1, a))
    np.testing.assert_allclose(pdc[:, 0, 1], 0.0)
    with pytest.raises(ContractError, match="at most 50 Hz"):
        directed.directed_transfer(fit, [60.0], 100.0)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_directed_measures_add_up(seed):
    fit = directed.autoregression(np.random.default_rng(seed).standard_normal((200, 3)), 2)
    f = np.linspace(0.0, 50.0, 5)
    np.testing.assert_allclose((directed.partial_directed_coherence(fit, f, 100.0) ** 2).sum(1), 1.0)
    np.testing.assert_allclose((directed.directed_transfer(fit, f, 100.0) ** 2).sum(2), 1.0)


def test_transfer_entropy_of_a_noisy_copy_is_the_capacity_of_its_channel():
    rng = np.random.default_rng(11)
    source = rng.integers(0, 2, 200_000)
    flipped = rng.random(len(source)) < 0.1
    target = np.concatenate([[0], (source ^ flipped)[:-1]])
    entropy = -(0.1 * np.log2(0.1) + 0.9 * np.log2(0.9))
    assert directed.transfer_entropy(source, target) == pytest.approx(1.0 - entropy, abs=0.005)
    assert directed.transfer_entropy(target, source) == pytest.approx(0.0, abs=1e-4)
    own = np.resize([0, 0, 1], 999)  # two symbols of its own past tell all, so nobody can tell more
    assert directed.transfer_entropy(rng.integers(0, 2, 999), own, history=2) == pytest.approx(0.0, abs=1e-12)


def test_bad_input_to_directed_measures_is_refused():
    x = np.random.default_rng(12).standard_normal((100, 3))
    for order in (0, 40):
        with pytest.raises(ContractError, match="order is"):
            directed.autoregression(x, order)
    with pytest.raises(ContractError, match="independent channels"):
        directed.granger(x - x.mean(1, keepdims=True), 2)
    for source, target, said in (
        (np.zeros(5, int), np.zeros(6, int), "one length"), (np.zeros(5), np.zeros(5), "symbols"),
        (np.full(5, -1), np.zeros(5, int), "symbols"), (np.arange(50), np.arange(50), "words cannot be counted"),
    ):  # fmt: skip
        with pytest.raises(ContractError, match=said):
            directed.transfer_entropy(source, target)
