"""Scores with known answers."""

import numpy as np
import pytest

from bmi.errors import ContractError
from decoders.metrics import cc, r2, r2_interval, r2_mean, r2_weighted, rmse

X = np.random.default_rng(0).standard_normal((1000, 2)) * [1.0, 10.0]


def test_a_perfect_decoder():
    np.testing.assert_allclose([*r2(X, X), r2_weighted(X, X), *cc(X, X)], 1.0)
    np.testing.assert_array_equal(rmse(X, X), 0.0)


def test_the_mean_explains_nothing_and_the_opposite_less():
    np.testing.assert_allclose(r2(X, np.tile(X.mean(axis=0), (1000, 1))), 0.0, atol=1e-12)
    np.testing.assert_allclose(r2(X - X.mean(axis=0), X.mean(axis=0) - X), -3.0)


def test_correlation_is_blind_to_gain_and_offset_r2_is_not():
    np.testing.assert_allclose(cc(X, 3 * X + 7), 1.0)
    assert (r2(X, 3 * X + 7) < 0).all()


def test_the_weighted_score_follows_the_larger_dimension():
    half = X * np.array([0.0, 1.0])
    assert r2_weighted(X, half) == pytest.approx(1 - X[:, 0].var() / X.var(axis=0).sum(), abs=1e-3)


def test_known_errors():
    np.testing.assert_allclose(rmse(X, X + np.array([3.0, -4.0])), [3.0, 4.0])


def test_a_constant_has_no_score():
    assert np.isnan(r2(np.ones((5, 1)), np.zeros((5, 1)))).all()
    assert np.isnan(cc(np.ones((5, 1)), np.zeros((5, 1)))).all()


def test_shapes_that_differ_are_refused():
    with pytest.raises(ContractError, match=r"\(1000, 2\) and \(999, 2\)"):
        r2(X, X[:-1])


def test_five_samples_by_hand():
    """Truth 0, 1, 2, 3, 4 (sum of squares about 2: 10) decoded 1, 1, 1, 3, 4: errors 1, 0, 1, 0, 0."""
    x, hat = np.arange(5.0)[:, None], np.array([1.0, 1, 1, 3, 4])[:, None]
    assert r2(x, hat) == pytest.approx(0.8)
    assert rmse(x, hat) == pytest.approx(np.sqrt(0.4))
    # about their means 2 and 2: products 2 + 1 + 0 + 1 + 4 = 8; squares 10 and 1 + 1 + 1 + 1 + 4 = 8
    assert cc(x, hat) == pytest.approx(8 / np.sqrt(80))


def test_the_mean_counts_every_dimension_the_same():
    """The second dimension is decoded, the first is not: 0 and 1."""
    half = np.column_stack([np.full(1000, X[:, 0].mean()), X[:, 1]])
    assert r2_mean(X, half) == pytest.approx(0.5)
    assert r2_weighted(X, half) > 0.98
    assert r2_mean(np.column_stack([X[:, 0], np.ones(1000)]), np.zeros((1000, 2))) == pytest.approx(0.0, abs=0.01)
    assert np.isnan(r2_mean(np.ones((5, 1)), np.ones((5, 1))))


TRIALS = np.sort(np.random.default_rng(9).integers(20, size=1000))


def test_the_interval_is_of_whole_trials():
    """A single resample is the score of its trials put end to end."""
    rng = np.random.default_rng(1)
    x = X + TRIALS[:, None] + 300.0  # trials differ in length and mean
    hat = x + rng.normal(size=X.shape) * [1.0, 5.0]
    found = r2_interval(x, hat, TRIALS, 7, n_bootstrap=1)
    drawn = np.random.default_rng(7).integers(20, size=20)
    rows = np.concatenate([np.flatnonzero(k == TRIALS) for k in drawn])
    assert found.value == pytest.approx(r2_weighted(x, hat))
    assert found.low == found.high == pytest.approx(r2_weighted(x[rows], hat[rows]))


def test_errors_that_last_a_trial_leave_more_doubt_than_their_samples_seem_to():
    offset = np.random.default_rng(2).normal(size=(20, 2))[TRIALS] * [1.0, 10.0]
    by_trial, by_sample = (r2_interval(X, X + offset, g, 0) for g in (TRIALS, np.arange(1000)))
    assert by_trial.high - by_trial.low > 3 * (by_sample.high - by_sample.low)


def test_every_sample_belongs_to_a_trial():
    with pytest.raises(ContractError, match="one group a sample"):
        r2_interval(X, X, TRIALS[:-1], 0)
    assert r2_interval(X, X, TRIALS, 0) == (1.0, 1.0, 1.0)
