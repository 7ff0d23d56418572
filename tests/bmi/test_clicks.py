"""Learning what a click looks like: labelled features in, versions out that hold the parameters of both decoders."""

import numpy as np
import pytest
from line_rig import BIN_S, N, fitted

from bmi.clicks import FEWEST, ClickLearner, WithClicks
from bmi.journal import feature_dtype
from bmi.learner import Adaptation
from bmi.params import Both, flatten
from bmi.testing.clicks import clicking
from decoders.clda import SmoothBatch
from decoders.click import HMM, LDA

BATCH = 100


def rows(n, *, block=0, learn=1, first=0, select=None, seed=0):
    """Return feature records: a linear encoder of the intended velocity, and a click on top."""
    rng = np.random.default_rng(seed + first)
    tuned, clicks = 0.01 * np.random.default_rng(1).standard_normal((2, N)), np.random.default_rng(2).standard_normal(N)
    out = np.zeros(n, feature_dtype(N, 2))
    k = first + np.arange(n)
    out["block"], out["learn"], out["t"] = block, learn, k * BIN_S
    out["intended"] = 100.0 * np.stack([np.sin(k / 9), np.cos(k / 13)], axis=1)
    out["goal"] = out["decoded"] = out["intended"]
    out["select"] = (k % 50 < 22).astype(int) if select is None else select
    out["y"] = 1.0 + out["intended"] @ tuned + 0.3 * rng.standard_normal((n, N))
    out["y"] += (out["select"] == 1)[:, None] * clicks
    return out


def adapting(*, permute=None, kind=HMM):
    decoder = fitted()
    learner = SmoothBatch(batch_s=BATCH * BIN_S, half_life_s=1.0, min_samples=10)
    cold = kind()
    cold.params_ = cold.params_like(N)._replace(dt_s=np.array([BIN_S]))
    alone = Adaptation(learner, decoder, N, 2, BIN_S, permute)
    return WithClicks(alone, ClickLearner(kind(), BIN_S), Both(decoder.params_, cold.params_), permute)


def same(a, b):
    return np.array_equal(flatten(a), flatten(b))


# --- the learner ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [LDA, HMM])
def test_it_fits_what_it_was_told_in_contiguous_pieces(kind):
    """As though the click decoder had been fitted offline on the rows whose label is known."""
    Y, clicked = clicking(N, 1500)
    label = np.where(np.arange(1500) % 40 < 5, -1, clicked)
    learner = ClickLearner(kind(), BIN_S)
    for k in range(1500):
        learner.observe(Y[k], int(label[k]), k * BIN_S)
    known = label >= 0
    pieces = np.cumsum(np.diff(np.flatnonzero(known), prepend=-2) > 1)
    offline = kind().fit(Y[known], label[known] == 1, dt_s=BIN_S, groups=pieces)
    assert same(learner.refit(), offline.params_)
    assert learner.n_refused == 0


def test_features_are_copied():
    learner, y = ClickLearner(HMM(), BIN_S), np.zeros(N)
    Y, clicked = clicking(N, 500)
    for k in range(500):
        y[:] = Y[k]
        learner.observe(y, int(clicked[k]), k * BIN_S)
    assert same(learner.refit(), HMM().fit(Y, clicked, dt_s=BIN_S).params_)


def test_too_few_clicks_or_numbers_that_are_none_are_refused_and_counted():
    learner = ClickLearner(HMM(), BIN_S)
    Y, _ = clicking(N, 500)
    for k in range(500):
        learner.observe(Y[k], int(k < FEWEST - 1), k * BIN_S)
    assert learner.refit() is None
    learner.observe(np.full(N, 1e200), 1, 500 * BIN_S)
    learner.observe(np.full(N, -1e200), 1, 501 * BIN_S)
    with np.errstate(all="ignore"):
        assert learner.refit() is None
    assert learner.n_refused == 2


# --- beside the decoder ------------------------------------------------------------------------------------------


def test_every_version_of_the_decoder_carries_the_newest_clicks():
    a = adapting()
    told = rows(3 * BATCH)
    versions = a.take(told)
    alone = Adaptation(SmoothBatch(batch_s=BATCH * BIN_S, half_life_s=1.0, min_samples=10), fitted(), N, 2, BIN_S)
    expected = alone.take(told)
    assert len(versions) >= 1
    assert [v for v, _ in versions] == [v for v, _ in expected]
    for (_, pair), (_, decoder) in zip(versions, expected, strict=True):
        assert isinstance(pair, Both)
        assert same(pair.decoder, decoder)
    last = versions[-1][1].click
    assert last.w.any()
    assert last.w @ np.random.default_rng(2).standard_normal(N) > 0.0


def test_what_is_left_at_the_end_of_a_block_makes_a_version_of_its_own():
    """The decoder learns nothing here; the clicks do, in the first record after the block."""
    a = adapting()
    assert a.take(rows(300, learn=0)) == []
    ((version, pair),) = a.take(rows(1, block=1, first=300, select=-1, learn=0))
    assert version == 1
    assert same(pair.decoder, fitted().params_)
    assert pair.click.w.any()
    assert a.events[-1].data == {"version": 1, "part": "click"}
    assert a.take(rows(50, block=1, first=301, select=-1, learn=0)) == []


def test_unknown_labels_teach_nothing():
    a = adapting()
    a.take(rows(300, learn=0, select=-1))
    assert a.take(rows(1, block=1, first=300, select=-1, learn=0)) == []


def test_taken_at_once_or_one_by_one_it_is_the_same():
    told = np.concatenate([rows(250), rows(20, block=1, first=250, learn=0, select=-1)])
    one, many = adapting(), adapting()
    together = one.take(told)
    single = [v for i in range(len(told)) for v in many.take(told[i : i + 1])]
    assert [v for v, _ in together] == [v for v, _ in single]
    assert all(same(a, b) for (_, a), (_, b) in zip(together, single, strict=True))


def test_the_negative_control_permutes_the_channels_of_the_clicks_as_well():
    end = rows(1, block=1, first=300, select=-1, learn=0)
    told = np.concatenate([rows(300, learn=0), end])
    order = np.random.default_rng(5).permutation(N)
    ((_, straight),) = adapting().take(told)
    ((_, permuted),) = adapting(permute=5).take(told)
    np.testing.assert_allclose(permuted.click.w, straight.click.w[order], rtol=1e-6)
    assert not np.allclose(permuted.click.w, straight.click.w)
