"""The Wiener filter: its history, its penalty, its seams."""

import numpy as np
import pytest
import reference_decoders as twin

from bmi.errors import ContractError
from bmi.signals import Chunk, StreamSpec
from decoders.linear import Ridge

DT, M = 0.05, 6
SPEC = StreamSpec(name="features", n_channels=M, rate_hz=1 / DT, unit="count", max_samples=20)


def data(n=1500, lag=3, seed=0):
    """Features that say now what the hand will do ``lag`` bins later."""
    rng = np.random.default_rng(seed)
    X = np.zeros((n + lag, 2))
    for i in range(1, len(X)):
        X[i] = 0.9 * X[i - 1] + 10 * rng.standard_normal(2)
    Y = 5 + X[lag:] @ (0.1 * rng.standard_normal((2, M))) + 0.3 * rng.standard_normal((n, M))
    return Y, X[:n]


def decode(decoder, Y):
    out = []
    for i, y in enumerate(Y.astype(np.float32)):
        out.append(decoder.step((Chunk(y[None], np.array([i * DT]), 0.0),)).mean.copy())
    return np.array(out)


def bound(decoder):
    decoder.bind([SPEC])
    return decoder


def test_a_step_is_the_weighted_sum_of_the_history():
    Y, X = data()
    decoder = bound(Ridge(history=5).fit(Y, X, dt_s=DT))
    Y = Y[:60].copy()
    Y[20:23, 1] = np.nan
    p = decoder.params_
    expected = twin.linear_history(Y.astype(np.float32).astype(float), p.mean, p.offset, p.W)
    np.testing.assert_allclose(decode(decoder, Y), expected, rtol=1e-10, atol=1e-10)


def test_a_lost_bin_counts_as_the_mean():
    Y, X = data()
    gap, mean = (bound(Ridge(history=5).fit(Y, X, dt_s=DT)) for _ in range(2))
    decode(gap, Y[:10])
    decode(mean, Y[:10])
    got = gap.step((Chunk(Y[12:13].astype(np.float32), np.zeros(1), 0.0, 12, 2),)).mean
    expected = decode(mean, np.vstack([np.full((2, M), np.nan), Y[12:13]]))[-1]
    np.testing.assert_array_equal(got, expected)


def test_with_no_penalty_it_is_least_squares():
    Y, X = data(400)
    p = Ridge(history=3, alphas=(0.0,)).fit(Y, X, dt_s=DT).params_
    Z = np.hstack([Y[2:], Y[1:-1], Y[:-2], np.ones((398, 1))])
    expected = Z @ np.linalg.lstsq(Z, X[2:], rcond=None)[0]
    got = twin.linear_history(Y, p.mean, p.offset, p.W)[2:]
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_history_tells_what_the_present_bin_cannot():
    Y, X = data()
    short, long = (bound(Ridge(history=h).fit(Y[:1000], X[:1000], dt_s=DT)) for h in (1, 8))
    error = [((decode(d, Y[1000:]) - X[1000:]) ** 2).sum() for d in (short, long)]
    assert error[1] < 0.5 * error[0]


def test_the_penalty_is_chosen_on_held_out_pieces():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 2))
    Y = np.hstack([X + 0.5 * rng.standard_normal((120, 2)), rng.standard_normal((120, 40))])
    assert Ridge(history=2, alphas=(1e-6, 1.0)).fit(Y, X, dt_s=DT).alpha_ == 1.0
    assert Ridge(history=1, alphas=(1e-6, 100.0)).fit(X, X, dt_s=DT).alpha_ == 1e-6


def test_the_covariance_is_that_of_errors_not_yet_seen():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((4000, 2))
    Y = np.hstack([X, rng.standard_normal((4000, 4))]) + 0.5 * rng.standard_normal((4000, 6))
    p = Ridge(history=2).fit(Y, X, dt_s=DT).params_
    np.testing.assert_allclose(p.cov, np.eye(2) * (0.25 / 1.25), atol=0.02)


def test_no_row_borrows_history_from_another_trial():
    Y, X = data(200)
    groups = np.repeat(np.arange(4), 50)
    poisoned = Y.copy()
    a = Ridge(history=5, alphas=(0.1,)).fit(Y, X, dt_s=DT, groups=groups).params_
    order = np.r_[150:200, 0:150]
    b = Ridge(history=5, alphas=(0.1,)).fit(poisoned[order], X[order], dt_s=DT, groups=groups[order]).params_
    np.testing.assert_allclose(a.W, b.W, rtol=1e-8, atol=1e-12)


def test_rows_without_kinematics_lend_history_only():
    Y, X = data(300)
    holes = X.copy()
    holes[:50] = np.nan
    a = Ridge(history=5, alphas=(0.1,)).fit(Y, holes, dt_s=DT).params_
    b = Ridge(history=5, alphas=(0.1,)).fit(Y[46:], X[46:], dt_s=DT).params_
    np.testing.assert_allclose(
        twin.linear_history(Y, a.mean, a.offset, a.W)[10:], twin.linear_history(Y, b.mean, b.offset, b.W)[10:]
    )


def test_it_says_what_is_wrong_with_the_data():
    Y, X = data(100)
    with pytest.raises(ContractError, match="X has 2 columns, n_dims is 3"):
        Ridge(n_dims=3).fit(Y, X, dt_s=DT)
    with pytest.raises(ContractError, match="100, 99 and 100 rows"):
        Ridge().fit(Y, X[:99], dt_s=DT)
    with pytest.raises(ContractError, match="record longer pieces or shorten the history"):
        Ridge(history=30).fit(Y, X, dt_s=DT, groups=np.repeat(np.arange(10), 10))
    decoder = Ridge(history=4).fit(Y, X, dt_s=DT)
    decoder.history = 5
    with pytest.raises(ContractError, match="4 bins of history, settings say 2 and 5"):
        decoder.bind([SPEC])
