"""ReFIT: one batch of closed-loop use, fitted on intentions; the position of the cursor is known, not inferred."""

import numpy as np
import pytest
import reference_decoders as twin

from bmi.errors import ContractError
from bmi.signals import Chunk, StreamSpec
from decoders.intent import Rotated
from decoders.kalman import Kalman
from decoders.refit import ReFIT

DT, M = 0.02, 16
SPEC = StreamSpec(name="features", n_channels=M, rate_hz=1 / DT, unit="count")


def walk(n, seed, decay=0.9):
    rng = np.random.default_rng(seed)
    v = np.zeros((n, 2))
    for i in range(1, n):
        v[i] = decay * v[i - 1] + 20 * rng.standard_normal(2)
    return v


def encoded(v, seed, C=None):
    rng = np.random.default_rng(seed)
    C = 0.02 * np.random.default_rng(0).standard_normal((v.shape[1], M)) if C is None else C
    return 1.0 + v @ C + 0.3 * rng.standard_normal((len(v), M))


def first(**settings):
    v = walk(2000, 1)
    return Kalman(**settings).fit(encoded(v, 2), v, dt_s=DT)


def use(learner, Y, X, t=None, positions=None):
    """Observe rows; return every update and what is left at the end."""
    out = []
    for i in range(len(Y)):
        learner.observe(Y[i], X[i], (i if t is None else t[i]) * DT, None if positions is None else positions[i])
        out.append(learner.update())
    return [p for p in [*out, learner.finish()] if p is not None]


@pytest.mark.parametrize("q", ["diagonal", "full"])
def test_it_is_an_offline_fit_to_the_intentions_of_the_block(q):
    old, v = first(q=q), walk(1200, 3)
    Y = encoded(v, 4)
    learner = ReFIT()
    learner.bind(old, M, 2, DT)
    (p,) = use(learner, Y, v)
    wanted = Kalman(q=q).fit(Y, v, dt_s=DT).params_
    for name in ("A", "W", "C", "Q", "b"):
        np.testing.assert_allclose(getattr(p, name), getattr(wanted, name), rtol=1e-9, atol=1e-12)


def test_dynamics_are_not_learned_across_the_gaps_between_reaches():
    """Each reach ends at full speed and the next begins at rest: across the seam nothing follows from anything."""
    old, v = first(), walk(1200, 5)
    for start in range(0, 1200, 40):
        v[start : start + 40] = walk(40, 100 + start)
    t = np.arange(1200) + 30 * (np.arange(1200) // 40)
    learner = ReFIT()
    learner.bind(old, M, 2, DT)
    (p,) = use(learner, encoded(v, 6), v, t)
    wanted = Kalman().fit(encoded(v, 6), v, dt_s=DT, groups=np.arange(1200) // 40).params_
    np.testing.assert_allclose(p.A, wanted.A, rtol=1e-9, atol=1e-12)
    assert not np.allclose(p.A, Kalman().fit(encoded(v, 6), v, dt_s=DT).params_.A, atol=1e-4)


def test_dynamics_may_stay_those_of_the_first_decoder():
    old, v = first(), walk(1200, 7, decay=0.5)
    learner = ReFIT(dynamics="kept")
    learner.bind(old, M, 2, DT)
    (p,) = use(learner, encoded(v, 8), v)
    assert np.array_equal(p.A, old.params_.A)
    assert np.array_equal(p.W, old.params_.W)
    assert not np.array_equal(p.C, old.params_.C)


def test_with_a_batch_it_refits_every_so_often():
    learner = ReFIT(batch_s=10.0)
    learner.bind(first(), M, 2, DT)
    v = walk(1100, 9)
    assert len(use(learner, encoded(v, 10), v)) == 2  # the last 100 rows are too few
    assert learner.rejected_["few"] == 1


def test_a_batch_beyond_its_own_limit_is_refused():
    with pytest.raises(ContractError, match="batch_s=1000 is beyond max_s=900"):
        ReFIT(batch_s=1000.0)


def test_reverting_forgets_the_block():
    learner = ReFIT()
    learner.bind(first(), M, 2, DT)
    v = walk(600, 11)
    for i in range(600):
        learner.observe(encoded(v, 12)[i] if i == 0 else np.zeros(M), v[i], i * DT)
    learner.revert(learner._params)
    assert learner.finish() is None


def test_what_it_cannot_learn_from_is_counted():
    learner = ReFIT()
    learner.bind(first(), M, 2, DT)
    v = walk(600, 13)
    v[:, 1] = 0.5 * v[:, 0]
    assert use(learner, encoded(v, 14), v) == []
    assert learner.rejected_ == {"few": 0, "not finite": 0, "no variety": 1}


def test_it_asks_for_rotated_labels():
    from bmi import registry

    assert registry.load("intentions", ReFIT.intention) is Rotated


# --- the intervention: position fed back ------------------------------------------------------------------------------


def fed_back(**settings):
    rng = np.random.default_rng(20)
    decoder = Kalman(states="position-velocity", encode_position=True, position="fed-back", **settings)
    v, p = walk(3000, 21), 30 * rng.standard_normal((3000, 2))
    C = 0.02 * rng.standard_normal((4, M))
    return decoder.fit(encoded(np.hstack([v, p]), 22, C), np.hstack([v, p]), dt_s=DT), C


@pytest.mark.parametrize("form", ["information", "covariance", "steady"])
@pytest.mark.parametrize("q", ["diagonal", "full"])
def test_a_position_fed_back_is_certain_and_explains_its_part_of_the_features(form, q):
    """The filter is then a velocity filter of what position leaves unexplained (Gilja 2012, supplement)."""
    decoder, _ = fed_back(form=form, q=q)
    decoder.bind([SPEC])
    rng, p = np.random.default_rng(23), decoder.params_
    Y, positions = encoded(walk(200, 24), 25), 50 * rng.standard_normal((200, 2))
    Y32 = Y.astype(np.float32)
    said = []
    for y, position in zip(Y32, positions, strict=True):
        decoder.position_[:] = position
        said.append(decoder.step((Chunk(y[None], np.zeros(1), 0.0),)).mean.copy())
    unexplained = Y32.astype(float) - positions @ p.C[:, 2:].T
    wanted, _ = twin.kalman(unexplained, p.A[:2, :2], p.W[:2, :2], p.C[:, :2], p.Q, p.b)
    settled = 100 if form == "steady" else 0
    np.testing.assert_allclose(np.array(said)[settled:], wanted[settled:, :2], rtol=1e-6, atol=1e-5)
    assert np.array_equal(decoder.position_, positions[-1])


def test_refit_fits_position_columns_and_keeps_the_position_certain():
    decoder, C = fed_back()
    learner = ReFIT()
    learner.bind(decoder, M, 2, DT)
    rng = np.random.default_rng(26)
    v, p = walk(2000, 27), 30 * rng.standard_normal((2000, 2))
    (new,) = use(learner, encoded(np.hstack([v, p]), 28, C), v, positions=p)
    np.testing.assert_allclose(new.C, C.T, atol=0.003)
    assert np.array_equal(new.A[2:], decoder.params_.A[2:])
    assert not new.W[2:].any()


def test_without_a_position_nothing_is_learned_where_features_may_be_tuned_to_it():
    decoder, _ = fed_back()
    learner = ReFIT()
    learner.bind(decoder, M, 2, DT)
    v = walk(1000, 29)
    assert use(learner, encoded(v, 30), v) == []
    assert learner.rejected_["few"] == 1


def test_only_a_state_that_holds_the_position_can_be_told_it():
    with pytest.raises(ContractError, match="set states to position-velocity"):
        Kalman(position="fed-back")
    decoder, _ = fed_back()
    integrated = Kalman(states="position-velocity", encode_position=True)
    integrated.params_ = decoder.params_._replace(A=Kalman(states="position-velocity").fit(
        encoded(walk(500, 31), 32), walk(500, 31), dt_s=DT).params_.A)  # fmt: skip
    decoder.params_ = integrated.params_
    with pytest.raises(ContractError, match="integrate the position, the settings feed it back"):
        decoder.bind([SPEC])
