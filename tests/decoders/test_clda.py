"""SmoothBatch: a decoder that knows nothing learns, an old one forgets by half, a bad batch changes nothing."""

import numpy as np
import pytest
import reference_decoders as twin

from bmi.errors import ContractError, NotFittedError
from bmi.signals import Chunk, StreamSpec
from decoders.clda import SmoothBatch
from decoders.kalman import Kalman
from decoders.linear import Ridge

DT, M = 0.05, 20
SPEC = StreamSpec(name="features", n_channels=M, rate_hz=1 / DT, unit="count")


def subject(seed):
    """An encoder, and a function that draws (features, intention)."""
    rng = np.random.default_rng(seed)
    C, b = 0.03 * rng.standard_normal((M, 2)), 3 + rng.random(M)

    def draw():
        v = 60 * rng.standard_normal(2)
        return b + C @ v + 0.5 * rng.standard_normal(M), v

    return C, b, draw


def learner_of(**settings):
    decoder = Kalman()
    decoder.cold_start([SPEC])
    learner = SmoothBatch(**settings)
    learner.bind(decoder, M, 2, DT)
    return decoder, learner


def teach(learner, draw, n):
    """Observe n samples; return every update."""
    out = []
    for i in range(n):
        y, v = draw()
        learner.observe(y, v, i * DT)
        p = learner.update()
        if p is not None:
            out.append(p)
    return out


def test_from_a_cold_start_the_first_batch_replaces():
    C, b, draw = subject(0)
    decoder, learner = learner_of(batch_s=30.0, half_life_s=1e6, penalty=0.0)
    (p,) = teach(learner, draw, 600)
    assert np.abs(p.C - C).max() < 0.003
    assert np.abs(p.b - b).max() < 0.2
    decoder.params_ = p
    decoder.bind([SPEC])
    y = (b + C @ [40.0, -25.0]).astype(np.float32)[None]
    for _ in range(20):
        intent = decoder.step((Chunk(y, np.zeros(1), 0.0),))
    np.testing.assert_allclose(intent.mean, [40.0, -25.0], atol=4.0)


def test_an_update_comes_once_a_batch_and_only_then():
    _, _, draw = subject(1)
    _, learner = learner_of(batch_s=10.0)
    assert [len(teach(learner, draw, n)) for n in (199, 1, 199, 1)] == [0, 1, 0, 1]


def test_half_of_an_old_encoder_is_left_after_a_half_life():
    """Orsborn's rule, against the twin: what a batch says is what a cold learner would have learned from it."""
    _, _, first = subject(2)
    _, learner = learner_of(batch_s=20.0, half_life_s=20.0, step_limit=1e9)
    (old,) = teach(learner, first, 400)
    _, _, draw = subject(3)
    batch = [draw() for _ in range(400)]
    (new,) = teach(learner, iter(batch).__next__, 400)
    _, fresh = learner_of(batch_s=20.0)
    (hat,) = teach(fresh, iter(batch).__next__, 400)
    for name in ("C", "Q", "b"):
        expected = twin.smooth_batch(getattr(old, name), getattr(hat, name), 20.0, 20.0)
        np.testing.assert_allclose(getattr(new, name), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(new.A, old.A)


def test_one_update_never_goes_further_than_the_limit():
    _, _, draw = subject(4)
    _, learner = learner_of(batch_s=20.0, half_life_s=0.1, step_limit=0.25)
    (old,) = teach(learner, draw, 400)
    _, _, other = subject(5)
    (new,) = teach(learner, other, 400)
    assert np.linalg.norm(new.C - old.C) == pytest.approx(0.25 * np.linalg.norm(old.C), rel=1e-6)


def test_finish_takes_the_rest_but_not_too_little():
    _, _, draw = subject(6)
    _, learner = learner_of(batch_s=20.0, min_samples=100)
    teach(learner, draw, 99)
    assert learner.finish() is None
    assert learner.rejected_["few"] == 1
    teach(learner, draw, 150)
    assert learner.finish() is not None
    assert learner.finish() is None


def test_intentions_along_one_line_teach_nothing():
    _, _, draw = subject(7)
    _, learner = learner_of(batch_s=20.0)

    def along_x():
        y, v = draw()
        return y, np.array([v[0], 0.0])

    assert teach(learner, along_x, 400) == []
    assert learner.rejected_["no variety"] == 1


def test_values_that_are_not_finite_never_reach_the_parameters():
    _, _, draw = subject(8)
    _, learner = learner_of(batch_s=20.0)
    rng = np.random.default_rng(0)

    def torn():
        y, v = draw()
        y[rng.random(M) < 0.1] = np.nan
        y[4] = np.nan
        return y, v if rng.random() < 0.9 else np.full(2, np.inf)

    (p, *_) = teach(learner, torn, 500)
    assert all(np.isfinite(a).all() for a in p)
    assert not p.C[4].any()


def test_it_says_whom_it_cannot_teach():
    with pytest.raises(ContractError, match="adapts a 'kalman' decoder, given Ridge"):
        SmoothBatch().bind(Ridge(), M, 2, DT)
    with pytest.raises(NotFittedError, match="start it cold or load"):
        SmoothBatch().bind(Kalman(), M, 2, DT)
    decoder = Kalman()
    decoder.cold_start([SPEC])
    with pytest.raises(ContractError, match="decoder has 20 features, 2 dimensions, told 21 and 2"):
        SmoothBatch().bind(decoder, 21, 2, DT)


# --- every state a decoder may have ---------------------------------------------------------------------


def kinematic(n, seed):
    """A reach as velocity, position and causal acceleration, (n, 2) each."""
    rng = np.random.default_rng(seed)
    v = np.cumsum(rng.standard_normal((n, 2)), axis=0)
    v -= v.mean(axis=0)
    return v, 40 * rng.standard_normal((n, 2)), np.vstack([np.full((1, 2), np.nan), np.diff(v, axis=0) / DT])


@pytest.mark.parametrize("q", ["diagonal", "full"])
@pytest.mark.parametrize(
    ("states", "encode_position", "columns"),
    [
        ("velocity", False, "v"),
        ("position-velocity", False, "v"),
        ("position-velocity", True, "vp"),
        ("position-velocity-acceleration", False, "va"),
        ("position-velocity-acceleration", True, "vpa"),
    ],
)
def test_every_encoded_state_is_learned_and_no_other(states, encode_position, columns, q):
    decoder = Kalman(states=states, encode_position=encode_position, q=q)
    decoder.cold_start([SPEC])
    learner = SmoothBatch(batch_s=30.0, penalty=0.0)
    learner.bind(decoder, M, 2, DT)
    v, p, a = kinematic(600, 20)
    rng = np.random.default_rng(21)
    C = {name: rng.standard_normal((2, M)) for name in columns}
    parts = {"v": v, "p": p / 10, "a": np.nan_to_num(a) / 10}
    Y = 2 + sum(parts[name] @ C[name] for name in columns) + 0.1 * rng.standard_normal((600, M))
    for i in range(600):
        learner.observe(Y[i], v[i], i * DT, p[i])
    got = learner.update().C
    scale = {"v": 1.0, "p": 0.1, "a": 0.1}
    for k, name in enumerate("vpa"[: decoder.n_states // 2]):
        wanted = scale[name] * C[name].T if name in columns else np.zeros((M, 2))
        np.testing.assert_allclose(got[:, 2 * k : 2 * k + 2], wanted, atol=0.02)


def test_acceleration_is_not_taken_across_a_gap():
    """Two pieces, the second beginning elsewhere: the jump between them is nobody's acceleration."""
    decoder = Kalman(states="position-velocity-acceleration")
    decoder.cold_start([SPEC])
    learner = SmoothBatch(batch_s=30.0, penalty=0.0, min_samples=8)
    learner.bind(decoder, M, 2, DT)
    v, _, a = kinematic(300, 22)
    rng = np.random.default_rng(23)
    C = rng.standard_normal((4, M))
    Y = np.hstack([v, np.nan_to_num(a) / 10]) @ C + 0.05 * rng.standard_normal((300, M))
    for start in (0.0, 100.0):
        for i in range(1, 300):
            learner.observe(Y[i], v[i], start + i * DT)
    got = learner.finish()
    np.testing.assert_allclose(got.C[:, :2], C[:2].T, atol=0.002)
    np.testing.assert_allclose(got.C[:, 4:], C[2:].T / 10, atol=0.002)


def test_reverting_goes_on_from_the_given_parameters_without_the_batch_begun():
    _, _, draw = subject(9)
    _, learner = learner_of(batch_s=10.0, half_life_s=10.0)
    first, second = teach(learner, draw, 400)
    teach(learner, draw, 150)
    learner.revert(first)
    assert teach(learner, draw, 199) == []
    _, wanted = learner_of(batch_s=10.0, half_life_s=10.0)
    wanted.revert(first)
    batch = [draw() for _ in range(200)]
    learner.revert(first)
    (one,), (other,) = teach(learner, iter(batch).__next__, 200), teach(wanted, iter(batch).__next__, 200)
    assert np.array_equal(one.C, other.C)
    assert not np.array_equal(one.C, second.C)
