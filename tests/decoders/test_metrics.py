"""Scores with known answers."""

import numpy as np
import pytest

from bmi.errors import ContractError
from decoders.metrics import cc, r2, r2_weighted, rmse

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
