"""The Kalman filter: three forms of one algebra, missing channels, lost bins, other streams, swaps."""

import numpy as np
import pytest
import reference_decoders as twin
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError, NotFittedError
from bmi.signals import Chunk, StreamSpec
from decoders.kalman import Kalman
from decoders.statespace import params_from, rest_dynamics, steady_covariance

DT = 0.02


def spec(m, name="features", rate_hz=1 / DT):
    return StreamSpec(name=name, n_channels=m, rate_hz=rate_hz, unit="count", max_samples=20)


def tuned(seed, m, d, q="diagonal", order=1, encoded=None, scale=0.05):
    """Parameters of a random encoder over rest dynamics."""
    rng = np.random.default_rng(seed)
    A, W = rest_dynamics(order, d, DT, 0.3, 100.0)
    C = scale * rng.standard_normal((m, order * d))
    C[:, [c for c in range(order * d) if c not in (encoded or range(d))]] = 0.0
    Q = 0.5 + rng.random(m)
    if q == "full":
        B = rng.standard_normal((m, m)) / np.sqrt(m)
        Q = np.diag(Q) + B @ B.T
    return params_from(A, W, C, Q, rng.standard_normal(m), DT)


def bound(params, m, **settings_):
    decoder = Kalman(**settings_)
    decoder.params_ = params
    decoder.bind([spec(m)])
    return decoder


def run(decoder, Y):
    """Means and covariances of every state, row by row."""
    n, means, covs = decoder.n_states, [], []
    for i, y in enumerate(np.atleast_2d(Y).astype(np.float32)):
        decoder.step((Chunk(y[None], np.array([i * DT]), i * DT),))
        state = decoder.state()[0]
        means.append(state[:n].copy())
        covs.append(state[n : n + n * n].reshape(n, n).copy())
    return np.array(means), np.array(covs)


def observations(seed, n, m):
    return np.random.default_rng(seed + 1).standard_normal((n, m)).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16), m=st.integers(1, 12), d=st.integers(1, 3), q=st.sampled_from(["diagonal", "full"]),
    order=st.integers(1, 3), missing=st.floats(0, 1),
)  # fmt: skip
def test_every_form_is_the_textbook_filter_whatever_is_missing(seed, m, d, q, order, missing):
    p = tuned(seed, m, d, q, order)
    Y = observations(seed, 30, m)
    Y[np.random.default_rng(seed).random(Y.shape) < missing] = np.nan
    kind = ("velocity", "position-velocity", "position-velocity-acceleration")[order - 1]
    means, covs = twin.kalman(Y.astype(float), p.A, p.W, p.C, p.Q, p.b)
    for form in ("information", "covariance"):
        got, cov = run(bound(p, m, n_dims=d, q=q, states=kind, form=form), Y)
        np.testing.assert_allclose(got, means, rtol=1e-9, atol=1e-9 * (1 + np.abs(means).max()))
        np.testing.assert_allclose(cov, covs, rtol=1e-9, atol=1e-9 * (1 + np.abs(covs).max()))


@pytest.mark.parametrize("q", ["diagonal", "full"])
def test_information_equals_covariance_to_ten_digits_at_10_states_and_256_channels(q):
    p = tuned(0, 256, 5, q, order=2)
    Y = observations(0, 40, 256)
    Y[10:20, 3:40] = np.nan
    forms = [bound(p, 256, n_dims=5, q=q, states="position-velocity", form=f) for f in ("information", "covariance")]
    (a, Pa), (b, Pb) = (run(f, Y) for f in forms)
    assert np.abs(a - b).max() < 1e-10
    assert np.abs(Pa - Pb).max() < 1e-10 * np.abs(Pb).max()


@pytest.mark.parametrize("order", [1, 2, 3])
def test_steady_form_is_the_full_filter_once_its_gain_has_settled(order):
    kind = ("velocity", "position-velocity", "position-velocity-acceleration")[order - 1]
    p = tuned(3, 20, 2, order=order)
    Y = observations(3, 400, 20)
    full, steady = (bound(p, 20, states=kind, q="diagonal", form=f) for f in ("information", "steady"))
    _, covs = run(full, Y[:200])
    change = np.abs(np.diff(p.G @ covs, axis=0)).max(axis=(1, 2))
    assert change[-1] < 1e-12
    steady.state()[0][:] = full.state()[0]
    a, b = run(full, Y[200:])[0], run(steady, Y[200:])[0]
    assert np.abs(a - b).max() < 1e-10 * (1 + np.abs(a).max())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), m=st.integers(1, 8), d=st.integers(1, 3))
def test_doubling_reaches_what_the_riccati_recursion_reaches(seed, m, d):
    p = tuned(seed, m, d)
    expected = twin.riccati(p.A, p.W, p.C, p.Q, steps=500)
    np.testing.assert_allclose(p.P, expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())


def test_an_integrated_position_grows_uncertain_without_moving_the_gain():
    A, W = rest_dynamics(2, 2, DT, 0.3, 100.0)
    C = np.hstack([np.random.default_rng(0).standard_normal((6, 2)), np.zeros((6, 2))])
    P = steady_covariance(A, W, C.T @ C)
    assert np.isfinite(P).all()
    more = A @ P @ A.T + W
    more = np.linalg.solve(np.eye(4) + more @ (C.T @ C), more)
    np.testing.assert_allclose(C @ more, C @ P, rtol=1e-9)
    assert more[2, 2] > P[2, 2]


@pytest.mark.parametrize("q", ["diagonal", "full"])
def test_a_masked_channel_is_a_missing_channel(q):
    p, Y = tuned(2, 10, 2, q), observations(2, 30, 10)
    masked, missing = (bound(p, 10, q=q) for _ in range(2))
    masked.mask_[[1, 7]] = False
    holes = Y.copy()
    holes[:, [1, 7]] = np.nan
    for a, b in zip(run(masked, Y), run(missing, holes), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_missing_channel_does_not_surprise_the_steady_form():
    """Its innovation is nil: as though it had said what the state predicts."""
    p, Y = tuned(4, 6, 2), observations(4, 20, 6)
    decoder = bound(p, 6, q="diagonal", form="steady")
    x = np.zeros(2)
    Y[5:, 2] = np.nan
    for y, got in zip(Y.astype(float), run(decoder, Y)[0], strict=True):
        prior = p.A @ x
        e = np.nan_to_num(y - p.b - p.C @ prior)
        x = prior + p.K.T @ e
        np.testing.assert_allclose(got, x, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("form", ["information", "covariance", "steady"])
def test_lost_bins_are_bridged_by_the_dynamics(form):
    p, Y = tuned(5, 6, 2), observations(5, 20, 6)
    gap, nothing = (bound(p, 6, q="diagonal", form=form) for _ in range(2))
    run(gap, Y[:10])
    run(nothing, Y[:10])
    gap.step((Chunk(Y[10:11], np.zeros(1), 0.0, 13, 3),))
    run(nothing, np.full((3, 6), np.nan))
    nothing.step((Chunk(Y[10:11], np.zeros(1), 0.0),))
    np.testing.assert_allclose(gap.state()[0][:6], nothing.state()[0][:6], rtol=1e-9)


def test_silence_of_every_channel_abstains_and_comes_to_rest():
    decoder = bound(tuned(6, 6, 2), 6, q="diagonal")
    run(decoder, 3 + observations(6, 10, 6))
    moving = np.linalg.norm(decoder._intent.mean)
    for _ in range(200):
        intent = decoder.step((Chunk(np.full((1, 6), np.nan, np.float32), np.zeros(1), 0.0),))
    assert intent.abstains
    assert np.linalg.norm(intent.mean) < 1e-4 * moving


@pytest.mark.parametrize("form", ["information", "steady"])
def test_swapped_parameters_are_copied_not_watched(form):
    """What the learner later does to its own arrays must not reach the live lane."""
    p, Y = tuned(7, 6, 2), observations(7, 2, 6)
    a, b = (bound(p, 6, q="diagonal", form=form) for _ in range(2))
    new = p._replace(**{f: getattr(p, f).copy() for f in p._fields})
    a.params_ = new
    for array in new:
        array[:] = np.nan
    np.testing.assert_array_equal(run(a, Y)[0], run(b, Y)[0])


def test_parameters_of_another_shape_are_refused_and_leave_the_old_in_place():
    p, Y = tuned(8, 6, 2), observations(8, 3, 6)
    decoder, untouched = (bound(p, 6, q="diagonal") for _ in range(2))
    with pytest.raises(ContractError, match=r"params_\.C has shape \(7, 2\), bound to \(6, 2\)"):
        decoder.params_ = tuned(8, 7, 2)
    np.testing.assert_array_equal(run(decoder, Y)[0], run(untouched, Y)[0])


def test_bind_says_what_does_not_fit():
    with pytest.raises(NotFittedError, match="fit, load a calibration, or start cold"):
        Kalman().bind([spec(4)])
    decoder = Kalman(q="diagonal")
    decoder.params_ = tuned(0, 4, 2)
    with pytest.raises(ContractError, match=r"parameters are for 4 features.* bring 5"):
        decoder.bind([spec(5)])
    with pytest.raises(ContractError, match=r"bins of 0\.02 s.* bins of 0\.05 s"):
        decoder.bind([spec(4, rate_hz=20.0)])
    with pytest.raises(ContractError, match="irregular"):
        decoder.bind([spec(4, rate_hz=0.0)])


def test_fit_recovers_the_model_that_made_the_data():
    rng, m, d = np.random.default_rng(0), 15, 2
    truth = tuned(9, m, d)
    X = np.zeros((40_000, d))
    L = np.linalg.cholesky(truth.W)
    for i in range(1, len(X)):
        X[i] = truth.A @ X[i - 1] + L @ rng.standard_normal(d)
    Y = truth.b + X @ truth.C.T + np.sqrt(truth.Q) * rng.standard_normal((len(X), m))
    p = Kalman(q="full", q_shrinkage=0.0).fit(Y, X, dt_s=DT).params_
    np.testing.assert_allclose(p.A, truth.A, atol=0.01)
    np.testing.assert_allclose(p.W, truth.W, rtol=0.05, atol=0.02 * truth.W.max())
    np.testing.assert_allclose(p.C, truth.C, atol=0.001)
    np.testing.assert_allclose(p.Q, np.diag(truth.Q), atol=0.05)
    np.testing.assert_allclose(p.b, truth.b, atol=0.03)


def test_nothing_is_learned_across_the_seam_of_two_trials():
    """Two trials that jump at the seam: the jump must not pass for process noise."""
    X = np.concatenate([np.full((200, 1), 50.0), np.full((200, 1), -50.0)])
    X += 0.1 * np.random.default_rng(0).standard_normal(X.shape)
    Y = X + np.random.default_rng(1).standard_normal(X.shape)
    groups = np.repeat([0, 1], 200)
    apart = Kalman(n_dims=1).fit(Y, X, dt_s=DT, groups=groups).params_
    joined = Kalman(n_dims=1).fit(Y, X, dt_s=DT).params_
    assert apart.W[0, 0] < 0.1 < 10 < joined.W[0, 0]


def test_rows_without_kinematics_teach_nothing():
    rng = np.random.default_rng(0)
    X = np.cumsum(rng.standard_normal((600, 2)), axis=0)
    Y = X @ rng.standard_normal((2, 5)) + rng.standard_normal((600, 5))
    keep = slice(100, 500)
    holes = np.full_like(X, np.nan)
    holes[keep] = X[keep]
    Y_wild = Y.copy()
    Y_wild[:100] = 1e6
    a = Kalman().fit(Y_wild, holes, dt_s=DT).params_
    b = Kalman().fit(Y[keep], X[keep], dt_s=DT).params_
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-9)


def test_a_channel_silent_during_calibration_never_passes_for_a_perfect_one():
    rng = np.random.default_rng(0)
    X = np.cumsum(rng.standard_normal((500, 2)), axis=0)
    Y = X @ rng.standard_normal((2, 5)) + rng.standard_normal((500, 5))
    Y[:, 3] = 0.0
    decoder = Kalman().fit(Y, X, dt_s=DT)
    decoder.bind([spec(5)])
    a = run(decoder, np.zeros((1, 5)))[0]
    decoder.reset()
    b = run(decoder, np.array([[0, 0, 0, 5, 0]]))[0]
    np.testing.assert_allclose(a, b, atol=1e-6)
