"""Recursive maximum likelihood: the weighted least squares of the recent past, without keeping it."""

import numpy as np
import pytest

from bmi.errors import ContractError
from bmi.signals import StreamSpec
from decoders.kalman import Kalman
from decoders.linear import Ridge
from decoders.rml import RML

DT, M = 0.05, 12
SPEC = StreamSpec(name="features", n_channels=M, rate_hz=1 / DT, unit="count")
NAMES = ("C", "Q", "b")


def subject(seed):
    """A function that draws (features, intention) of a linear encoder."""
    rng = np.random.default_rng(seed)
    C, b = 0.03 * rng.standard_normal((M, 2)), 3 + rng.random(M)

    def draw(n):
        v = 60 * rng.standard_normal((n, 2)) + [10, -5]
        return b + v @ C.T + 0.5 * rng.standard_normal((n, M)), v

    return draw


def learner_of(decoder=None, **settings):
    decoder = decoder or Kalman(q="diagonal")
    if decoder.params_ is None:
        decoder.cold_start([SPEC])
    learner = RML(**{"update_s": 1.0, "min_samples": 20, "penalty": 0.0, **settings})
    learner.bind(decoder, M, 2, DT)
    return learner


def teach(learner, Y, X, t0=0.0):
    """Observe rows; return every update."""
    out = []
    for i, (y, v) in enumerate(zip(Y, X, strict=True)):
        learner.observe(y, v, t0 + i * DT)
        p = learner.update()
        if p is not None:
            out.append(p)
    return out


def weighted(Y, X, w):
    """Weighted least squares with baseline, as in a textbook: C, Q (full), b."""
    Z = np.column_stack([X, np.ones(len(X))]) * np.sqrt(w)[:, None]
    B = np.linalg.lstsq(Z, Y * np.sqrt(w)[:, None], rcond=None)[0].T
    rest = Y - np.column_stack([X, np.ones(len(X))]) @ B.T
    return B[:, :-1], (rest * w[:, None]).T @ rest / w.sum(), B[:, -1]


def test_without_forgetting_it_is_least_squares_of_everything_seen():
    Y, X = subject(0)(200)
    (*_, p) = teach(learner_of(half_life_s=1e9), Y, X)
    C, Q, b = weighted(Y, X, np.ones(200))
    np.testing.assert_allclose(p.C, C, rtol=1e-6)
    np.testing.assert_allclose(p.b, b, rtol=1e-6)
    np.testing.assert_allclose(p.Q, np.diag(Q), rtol=1e-5)


@pytest.mark.parametrize("q", ["diagonal", "full"])
def test_it_forgets_by_half_in_a_half_life(q):
    """Against weighted least squares on all rows at once; one update's rows weigh alike."""
    Y, X = subject(1)(240)
    decoder = Kalman(q=q, q_shrinkage=0.0)
    (*_, p) = teach(learner_of(decoder, half_life_s=2.0), Y, X)
    w = 0.5 ** (np.repeat(np.arange(12)[::-1], 20) * 20 * DT / 2.0)
    C, Q, b = weighted(Y, X, w)
    np.testing.assert_allclose(p.C, C, rtol=1e-6)
    np.testing.assert_allclose(p.b, b, rtol=1e-6)
    if q == "full":
        Q *= 1 - M / (M + w.sum()) * (1 - np.eye(M))  # few rows tell little of many covariances
        np.testing.assert_allclose(p.Q, Q, rtol=1e-6, atol=1e-9)
    else:
        np.testing.assert_allclose(p.Q, np.diag(Q), rtol=1e-6)


def test_it_begins_with_a_full_memory_of_the_decoder_it_finds():
    """After one half-life of other data, old and new weigh alike."""
    old = Kalman(q="diagonal").fit(*subject(2)(4000), dt_s=DT)
    Y, X = subject(3)(400)
    (p,) = teach(learner_of(old, half_life_s=20.0, update_s=20.0), Y, X)
    C, _, b = weighted(Y, X, np.ones(400))
    # the old memory holds half_life / (dt ln 2) samples, faded by half; the new 400
    share = 0.5 / np.log(2) / (0.5 / np.log(2) + 1.0)
    np.testing.assert_allclose(p.C, share * old.params_.C + (1 - share) * C, atol=1e-6)
    np.testing.assert_allclose(p.b, share * old.params_.b + (1 - share) * b, atol=1e-3)


def test_data_of_the_decoders_own_encoder_change_nothing():
    draw = subject(4)
    old = Kalman(q="full").fit(*draw(20_000), dt_s=DT)
    (*_, p) = teach(learner_of(old, half_life_s=100.0, update_s=10.0), *draw(4000))
    assert np.linalg.norm(p.C - old.params_.C) < 0.03 * np.linalg.norm(old.params_.C)
    np.testing.assert_allclose(np.diag(p.Q), np.diag(old.params_.Q), rtol=0.1)


@pytest.mark.parametrize("q", ["diagonal", "full"])
def test_a_missing_feature_leaves_what_was_known_of_it(q):
    draw = subject(5)
    old = Kalman(q=q).fit(*draw(4000), dt_s=DT)
    Y, X = draw(400)
    Y[:, 3] = np.nan
    (*_, p) = teach(learner_of(old, half_life_s=5.0), Y, X)
    for name in ("C", "b"):
        np.testing.assert_allclose(getattr(p, name)[3], getattr(old.params_, name)[3], rtol=1e-6)
    variance = [x.Q[3] if q == "diagonal" else x.Q[3, 3] for x in (p, old.params_)]
    assert variance[0] == pytest.approx(variance[1], rel=1e-6)  # silent is not the same as perfect
    assert not np.allclose(p.C[4], old.params_.C[4], rtol=1e-3)


def test_how_updates_are_asked_for_does_not_change_what_is_known():
    """A learner on hold (an update on trial) goes on observing."""
    Y, X = subject(6)(120)
    asked, held = learner_of(half_life_s=4.0), learner_of(half_life_s=4.0)
    (*_, p) = teach(asked, Y, X)
    for i in range(120):
        held.observe(Y[i], X[i], i * DT)
    np.testing.assert_allclose(held.update().C, p.C, rtol=1e-9)


def test_reverting_forgets_what_was_learned_since():
    draw = subject(7)
    clean, lie = draw(200), draw(100)
    one, other = learner_of(half_life_s=5.0), learner_of(half_life_s=5.0)
    (*_, good) = teach(one, *clean)
    (*_, same) = teach(other, *clean)
    teach(one, lie[0], -lie[1], t0=100.0)
    one.revert(good)
    after = draw(100)
    (*_, p) = teach(one, *after, t0=200.0)
    (*_, wanted) = teach(other, *after, t0=200.0)
    assert np.array_equal(good.C, same.C)
    for name in NAMES:
        assert np.array_equal(getattr(p, name), getattr(wanted, name))


def test_reverting_to_the_beginning_begins_again():
    old = Kalman(q="diagonal").fit(*subject(8)(2000), dt_s=DT)
    one, other = learner_of(old), learner_of(old)
    start, (Y, X) = old.params_, subject(9)(100)
    teach(one, Y, -X)
    one.revert(start)
    (*_, p), (*_, wanted) = teach(one, Y, X), teach(other, Y, X)
    assert np.array_equal(p.C, wanted.C)


def test_dynamics_follow_only_if_told_to():
    rng = np.random.default_rng(10)
    X = np.zeros((3000, 2))
    for i in range(1, len(X)):
        X[i] = 0.8 * X[i - 1] + 20 * rng.standard_normal(2)
    Y = 1 + X @ (0.03 * rng.standard_normal((2, M))) + 0.3 * rng.standard_normal((3000, M))
    (*_, kept) = teach(learner_of(half_life_s=1e6), Y, X)
    (*_, learned) = teach(learner_of(half_life_s=1e6, dynamics="learned"), Y, X)
    cold = learner_of()._params
    assert np.array_equal(kept.A, cold.A)
    np.testing.assert_allclose(learned.A, 0.8 * np.eye(2), atol=0.05)
    np.testing.assert_allclose(learned.W, 400 * np.eye(2), rtol=0.1, atol=30)


def test_position_is_encoded_where_it_may_be():
    rng = np.random.default_rng(11)
    decoder = Kalman(states="position-velocity", encode_position=True, position="fed-back", q="diagonal")
    learner = learner_of(decoder, half_life_s=1e6)
    C = 0.03 * rng.standard_normal((M, 4))
    X, P = 60 * rng.standard_normal((600, 2)), 40 * rng.standard_normal((600, 2))
    Y = 2 + np.hstack([X, P]) @ C.T + 0.2 * rng.standard_normal((600, M))
    for i in range(600):
        learner.observe(Y[i], X[i], i * DT, P[i])
    p = learner.finish()
    np.testing.assert_allclose(p.C, C, atol=0.002)


def test_intentions_along_one_line_and_few_samples_teach_nothing():
    Y, X = subject(12)(100)
    learner = learner_of()
    X[:, 1] = 0.0
    assert teach(learner, Y, X) == []
    assert learner.rejected_["no variety"] == 5
    learner = learner_of(min_samples=50)
    assert len(teach(learner, *subject(12)(60))) == 1
    assert learner.rejected_["few"] == 2


def test_finish_knows_what_came_since_the_last_update_and_only_then():
    learner = learner_of()
    teach(learner, *subject(13)(50))
    assert learner.finish() is not None
    assert learner.finish() is None


def test_it_says_whom_it_cannot_teach():
    with pytest.raises(ContractError, match="rml adapts a 'kalman' decoder, given Ridge"):
        RML().bind(Ridge(), M, 2, DT)
