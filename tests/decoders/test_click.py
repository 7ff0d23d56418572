"""Clicks: what the decoders say of features, against their twins, and how well they know what they do not know."""

import time

import numpy as np
import pytest
import reference_click as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi import registry
from bmi.contracts import ClickDecoder
from bmi.errors import ContractError, NotFittedError
from bmi.signals import StreamSpec
from bmi.testing.clicks import check_click, clicking, probabilities
from decoders.click import HMM, LDA, HMMParams, LDAParams
from decoders.discriminant import discriminant, inflation

DT_S, M = 0.02, 12
SPEC = StreamSpec(name="features", n_channels=M, rate_hz=50.0, unit="count")
KINDS = [LDA, HMM]


def bound(click, spec=SPEC):
    click.bind([spec])
    return click


def fitted(kind, n=2000, strength=1.0, **words):
    Y, clicked = clicking(M, n, strength=strength)
    return bound(kind(**words).fit(Y, clicked, dt_s=DT_S))


@pytest.mark.parametrize(
    ("name", "words"), [("lda", {}), ("lda", {"smooth_s": 0.0}), ("hmm", {}), ("hmm", {"click_s": 0.1})]
)
def test_it_keeps_every_promise(name, words):
    check_click(lambda: registry.load("clicks", name)(**words))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_click_decoder(kind):
    assert isinstance(kind(), ClickDecoder)


# --- against the twins ----------------------------------------------------------------------------------


def holes(seed, share):
    Y = clicking(M, 300, seed=seed)[0]
    rng = np.random.default_rng(seed)
    Y[rng.random(Y.shape) < share] = np.nan
    Y[100:110] = np.nan
    return Y


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), share=st.sampled_from([0.0, 0.05, 0.5]), smooth_s=st.sampled_from([0.0, 0.05, 0.3]))
def test_lda_equals_its_twin(seed, share, smooth_s):
    rng, Y = np.random.default_rng(seed), holes(seed, share)
    p = LDAParams(4.0 + rng.standard_normal(M), 0.5 * rng.standard_normal(M), rng.standard_normal(1),
                  np.array([-1.0]), np.array([DT_S]))  # fmt: skip
    click = LDA(smooth_s=smooth_s)
    click.params_ = p
    twin = reference.posterior(reference.smoothed(Y, smooth_s, DT_S), p.mean, p.w, p.b, 1 / (1 + np.e))
    np.testing.assert_allclose(probabilities(bound(click), Y), twin, rtol=1e-9, atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), share=st.sampled_from([0.0, 0.05, 0.5]))
def test_hmm_equals_its_twin(seed, share):
    rng, Y = np.random.default_rng(seed), holes(seed, share)
    begins, lasts = rng.random(2)
    p = HMMParams(4.0 + rng.standard_normal(M), 0.5 * rng.standard_normal(M), rng.standard_normal(1),
                  np.array([begins, lasts]), np.array([DT_S]))  # fmt: skip
    click = HMM()
    click.params_ = p
    twin = reference.forward(Y, p.mean, p.w, p.b, begins, lasts)
    np.testing.assert_allclose(probabilities(bound(click), Y), twin, rtol=1e-9, atol=1e-12)


def test_the_direction_is_fishers_and_the_scale_that_of_held_out_rows():
    Y, clicked = clicking(M, 4000)
    mean, w, b = discriminant("lda", Y, clicked, np.zeros(4000), 0.1, 5)
    middle, direction = reference.fisher(Y, clicked, 0.1)
    np.testing.assert_allclose(mean, middle)
    np.testing.assert_allclose(w / np.linalg.norm(w), direction / np.linalg.norm(direction), rtol=1e-7)
    x = (Y - mean) @ w + b
    gap, variance = x[clicked].mean() - x[~clicked].mean(), 0.5 * (x[clicked].var() + x[~clicked].var())
    assert gap == pytest.approx(variance, rel=0.1), "a log-likelihood ratio of Gaussians: its gap is its variance"
    assert x[clicked].mean() == pytest.approx(-x[~clicked].mean(), rel=0.1)


# --- what is known and what is not ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_learned_holds_on_new_data(kind):
    Y, clicked = clicking(M, 6000, strength=1.5)
    p = probabilities(bound(kind().fit(Y[:3000], clicked[:3000], dt_s=DT_S)), Y[3000:])
    truth = clicked[3000:]
    assert p[truth].mean() > 0.6
    assert p[~truth].mean() < 0.12
    assert np.mean((p - truth) ** 2) < 0.08


@pytest.mark.parametrize("kind", KINDS)
def test_from_noise_nothing_is_learned_and_nothing_is_selected(kind):
    """96 features, 300 rows with a made-up label: a plain discriminant would separate its training rows well."""
    rng = np.random.default_rng(3)
    Y, label = rng.standard_normal((1500, 96)), np.arange(1500) % 75 < 15
    middle, direction = reference.fisher(Y, label, 0.1)
    trained = (Y - middle) @ direction
    assert trained[label].mean() - trained[~label].mean() > 0.2
    spec = StreamSpec(name="features", n_channels=96, rate_hz=50.0, unit="count")
    p = probabilities(bound(kind().fit(Y, label, dt_s=DT_S), spec), Y)
    assert p.max() < 0.5


def test_evidence_adds_up_over_bins_and_a_click_ends():
    p = HMMParams(np.zeros(M), np.full(M, 0.1), np.zeros(1), np.array([0.01, 0.94]), np.array([DT_S]))
    click = HMM()
    click.params_ = p
    said = probabilities(bound(click), np.repeat([[1.0] * M, [-1.0] * M], [6, 6], axis=0))
    assert said[0] < 0.05
    assert (np.diff(said[:6]) > 0).all()
    assert said[5] > 0.7
    assert (np.diff(said[5:]) < 0).all()


def test_without_features_the_states_go_on_by_themselves():
    click = fitted(HMM, click_s=0.3, between_s=1.5)
    silence = np.full((2000, M), np.nan)
    said = probabilities(click, silence)
    begins, ends = 1 - np.exp(-DT_S / 1.5), 1 - np.exp(-DT_S / 0.3)
    assert said[-1] == pytest.approx(begins / (begins + ends), rel=1e-6)


def test_neighbours_that_say_the_same_are_counted_once():
    """An AR(1) with rho: the sum of autocorrelations is (1 + rho) / (1 - rho)."""
    rng, x = np.random.default_rng(0), np.zeros(200_000)
    for i in range(1, len(x)):
        x[i] = 0.6 * x[i - 1] + rng.standard_normal()
    groups = np.zeros(len(x))
    assert inflation(x, groups, 200) == pytest.approx(4.0, rel=0.05)
    assert inflation(rng.standard_normal(200_000), groups, 200) == pytest.approx(1.0, abs=0.05)
    assert inflation(x, np.arange(len(x)), 200) == 1.0, "across a seam nothing is a neighbour"


def test_smoothing_begins_anew_with_every_piece():
    Y, clicked = clicking(M, 2000)
    whole = LDA().fit(Y, clicked, dt_s=DT_S, groups=np.zeros(2000))
    cut = LDA().fit(Y, clicked, dt_s=DT_S, groups=np.arange(2000) // 100)
    alone = LDA(smooth_s=0.0).fit(Y, clicked, dt_s=DT_S)
    each = LDA().fit(Y, clicked, dt_s=DT_S, groups=np.arange(2000))
    assert not np.array_equal(whole.params_.w, cut.params_.w)
    np.testing.assert_allclose(each.params_.w, alone.params_.w, rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_silent_and_constant_features_do_no_harm(kind):
    Y, clicked = clicking(M, 2000)
    Y[:, 3], Y[:, 7] = np.nan, 5.0
    click = bound(kind().fit(Y, clicked, dt_s=DT_S))
    assert click.params_.w[3] == click.params_.w[7] == 0.0
    p = probabilities(click, Y)
    assert p[clicked].mean() - p[~clicked].mean() > 0.5


# --- misfits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_too_few_clicks_are_refused_by_number(kind):
    Y, clicked = clicking(M, 2000)
    clicked[np.flatnonzero(clicked)[9:]] = False
    with pytest.raises(ContractError, match="9 rows with a click and 1991 without, expected at least 10 of each"):
        kind().fit(Y, clicked, dt_s=DT_S)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_another_length_are_refused(kind):
    with pytest.raises(ContractError, match="Y, clicked and groups have 20, 19 and 20 rows"):
        kind().fit(np.zeros((20, M)), np.zeros(19, bool), dt_s=DT_S)


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_of_other_streams_are_refused(kind):
    click = fitted(kind)
    with pytest.raises(ContractError, match="12 features"):
        click.bind([StreamSpec(name="x", n_channels=13, rate_hz=50.0, unit="count")])
    with pytest.raises(ContractError, match=r"bins of 0\.02 s"):
        click.bind([StreamSpec(name="x", n_channels=12, rate_hz=100.0, unit="count")])
    click = fitted(kind)
    with pytest.raises(ContractError, match="for 13 features, bound to 12"):
        click.params_ = click.params_like(13)
    with pytest.raises(NotFittedError):
        click.params_ = None


# --- time -------------------------------------------------------------------------------------------------


@pytest.mark.bars
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_of_256_features_takes_less_than_5_us(kind):
    Y, clicked = clicking(256, 600)
    click = bound(kind().fit(Y, clicked, dt_s=DT_S), StreamSpec(name="f", n_channels=256, rate_hz=50.0, unit="count"))
    took = []
    for k in range(20_000):
        t0 = time.perf_counter_ns()
        click.step(Y[k % 600])
        took.append(time.perf_counter_ns() - t0)
    assert np.median(took) < 5000
