"""Whether a decoder is as sure as it should be, by hand and by drawing from what it says."""

import numpy as np
import pytest
from scipy import stats

from bmi.errors import ContractError
from decoders.metrics import coverage, inside, nees, nees_bounds, nll


def at(errors):
    """Return (X, mean) with these errors."""
    errors = np.asarray(errors, float)
    mean = np.arange(errors.size, dtype=float).reshape(errors.shape)
    return mean + errors, mean


def drawn(n=4000, n_dims=3, seed=0):
    """Return (X, mean, cov) where the truth is drawn from the decoder's own posterior, another each sample."""
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(n, n_dims, n_dims))
    cov = half @ half.transpose(0, 2, 1) + 0.1 * np.eye(n_dims)
    mean = rng.normal(size=(n, n_dims)) * 50.0
    error = np.einsum("nij,nj->ni", np.linalg.cholesky(cov), rng.normal(size=(n, n_dims)))
    return mean + error, mean, cov


def test_one_error_by_hand():
    """(3, 4) with variances 9 and 16: one standard deviation in each dimension."""
    X, mean = at([[3.0, 4.0]])
    cov = np.diag([9.0, 16.0])
    assert nees(X, mean, cov) == pytest.approx([2.0])
    # half of 2 ln 2 pi = 3.67575, ln 144 = 4.96981 and 2
    assert nll(X, mean, cov) == pytest.approx(5.32278, abs=1e-5)
    assert nll(mean[:, :1], mean[:, :1], np.eye(1)) == pytest.approx(0.91894, abs=1e-5)  # half of ln 2 pi


def test_correlated_errors_by_hand():
    """The inverse of [[2, 1], [1, 2]] is [[2, -1], [-1, 2]] / 3: (1, 1) gives 2/3, (1, -1) gives 2."""
    X, mean = at([[1.0, 1.0], [1.0, -1.0]])
    assert nees(X, mean, np.array([[2.0, 1.0], [1.0, 2.0]])) == pytest.approx([2 / 3, 2.0])


def test_ellipses_by_hand():
    """In two dimensions half lies within -2 ln 0.5 = 1.386, 90 % within 4.605, 95 % within 5.991."""
    X, mean = at([[1.0, 0.0], [0.0, np.sqrt(2.0)], [np.sqrt(5.0), 0.0], [0.0, 3.0]])  # squares 1, 2, 5, 9
    np.testing.assert_array_equal(coverage(X, mean, np.eye(2)), [0.25, 0.5, 0.75])
    np.testing.assert_array_equal(inside(X, mean, np.eye(2), 0.9), [True, True, False, False])


def test_in_one_dimension_95_percent_is_1_96_standard_deviations():
    X, mean = at([[1.95], [1.97]])
    np.testing.assert_array_equal(inside(X, mean, np.eye(1), 0.95), [True, False])


def test_who_says_what_is_so_is_calibrated():
    X, mean, cov = drawn()
    np.testing.assert_allclose(coverage(X, mean, cov), [0.5, 0.9, 0.95], atol=0.025)
    low, high = nees_bounds(len(X), 3, level=0.999)
    assert low < nees(X, mean, cov).mean() < high
    entropy = 0.5 * (3 * np.log(2 * np.pi * np.e) + np.linalg.slogdet(cov)[1]).mean()
    assert nll(X, mean, cov) == pytest.approx(entropy, abs=0.06)


@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_too_sure_or_too_shy_is_told_by_every_figure(factor):
    X, mean, cov = drawn()
    low, high = nees_bounds(len(X), 3)
    found = nees(X, mean, factor * cov).mean()
    assert found == pytest.approx(3.0 / factor, rel=0.05)
    assert not low < found < high
    assert ((coverage(X, mean, factor * cov) < [0.5, 0.9, 0.95]) == (factor < 1)).all()
    assert nll(X, mean, factor * cov) > nll(X, mean, cov)


def test_the_unit_of_the_axes_changes_no_calibration():
    X, mean, cov = drawn(200)
    turn = np.array([[2.0, 1, 0], [0, 3, 1], [1, 0, 1]])
    turned = (X @ turn.T, mean @ turn.T, turn @ cov @ turn.T)
    np.testing.assert_allclose(nees(*turned), nees(X, mean, cov), rtol=1e-6)


def test_likelihood_agrees_with_another_implementation():
    X, mean, cov = drawn(20)
    theirs = [-stats.multivariate_normal(m, c).logpdf(x) for x, m, c in zip(X, mean, cov, strict=True)]
    assert nll(X, mean, cov) == pytest.approx(np.mean(theirs))


def test_bounds_of_the_mean_are_those_of_chi_square():
    assert nees_bounds(1, 1) == pytest.approx((0.000982, 5.0239), rel=1e-3)  # tables, one degree of freedom
    assert nees_bounds(50, 2) == pytest.approx((74.222 / 50, 129.561 / 50), rel=1e-4)  # tables, one hundred


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nees(np.zeros((3, 2)), np.zeros((3, 2)), np.eye(3)), r"given \(3, 2\), \(3, 2\) and \(3, 3\)"),
        (lambda: nees(np.zeros((0, 2)), np.zeros((0, 2)), np.eye(2)), "posterior: expected"),
        (lambda: nll(np.zeros((2, 1)), np.zeros((2, 1)), np.array([[[1.0]], [[0.0]]])), "sample 1 is not finite"),
        (lambda: nll(np.array([[np.nan]]), np.zeros((1, 1)), np.eye(1)), "where the decoder abstained"),
        (lambda: inside(np.zeros((1, 1)), np.zeros((1, 1)), np.eye(1), 95), "level=95"),
        (lambda: nees_bounds(0, 1), "given 0, 1"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ContractError, match=message):
        call()
