"""The reservoir keeps the newest, the shadow decodes what the live decoder would."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from line_rig import BIN_S, N, fitted

from bmi.errors import ContractError
from bmi.reservoir import Reservoir, Shadow, agreement, labelled_dtype, rms
from bmi.signals import Chunk, StreamSpec
from decoders.kalman import Kalman
from decoders.linear import Ridge

SPEC = StreamSpec(name="f", n_channels=N, rate_hz=1 / BIN_S, unit="1")


def records(n, t0=0.0, seed=0):
    out = np.zeros(n, labelled_dtype(N, 2))
    out["t"] = t0 + np.arange(n) * BIN_S
    out["y"] = np.random.default_rng(seed).standard_normal((n, N)).astype(np.float32)
    return out


@given(capacity=st.integers(1, 12), sizes=st.lists(st.integers(0, 20), max_size=6))
def test_it_holds_the_newest_in_order(capacity, sizes):
    reservoir, everything = Reservoir(capacity, N, 2), records(sum(sizes))
    at = 0
    for n in sizes:
        reservoir.take(everything[at : at + n])
        at += n
        wanted = everything[max(0, at - capacity) : at]
        assert len(reservoir) == len(wanted)
        assert reservoir.rows().tobytes() == wanted.tobytes()


def test_what_is_placed_is_kept_and_what_is_read_is_a_copy():
    reservoir = Reservoir(3, N, 2)
    for i in range(4):
        reservoir.place()["t"] = float(i)
    rows = reservoir.rows()
    rows["t"] = -1.0
    assert reservoir.rows()["t"].tolist() == [1.0, 2.0, 3.0]
    assert reservoir.rows(since=1.0)["t"].tolist() == [2.0, 3.0]
    reservoir.clear()
    assert len(reservoir) == len(reservoir.rows()) == 0


@pytest.mark.parametrize("decoder", [Kalman(), Kalman(q="diagonal"), Kalman(form="steady"), Ridge()], ids=repr)
def test_the_shadow_decodes_to_the_last_bit_what_the_decoder_does(decoder):
    live = fitted(decoder)
    live.bind([SPEC])
    shadow, rows = Shadow(live, N, 2, BIN_S), records(40)
    mean, cov = shadow.decode(live.params_, rows)
    for i, y in enumerate(rows["y"].astype(np.float32)):
        intent = live.step((Chunk(y[None], np.array([rows["t"][i]]), 0.0),))
        assert np.array_equal(mean[i], intent.mean)
        assert np.array_equal(cov[i], intent.cov)


def test_decoding_leaves_the_live_decoder_alone():
    live = fitted()
    live.bind([SPEC])
    before = [a.copy() for a in live.state()], live.params_
    Shadow(live, N, 2, BIN_S).decode(fitted(seed=9).params_, records(20))
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(live.state(), before[0], strict=True))
    assert live.params_ is before[1]


def test_a_seam_begins_from_rest():
    shadow = Shadow(fitted(), N, 2, BIN_S)
    params = fitted().params_
    first, second = records(15, seed=1), records(15, t0=50.0, seed=2)
    together = shadow.decode(params, np.concatenate([first, second]))[0]
    assert np.array_equal(together, np.concatenate([shadow.decode(params, part)[0] for part in (first, second)]))


def test_a_decoder_that_cannot_be_copied_from_its_settings_is_refused():
    class Plain:
        params_ = None

    with pytest.raises(ContractError, match="Plain is no dataclass"):
        Shadow(Plain(), N, 2, BIN_S)


def test_agreement_is_about_direction_not_size():
    v = np.random.default_rng(3).standard_normal((50, 2))
    assert agreement(3.0 * v, v) == pytest.approx(1.0)
    assert agreement(-0.1 * v, v) == pytest.approx(-1.0)
    assert agreement(v[:, ::-1] * [1, -1], v) == pytest.approx(0.0, abs=1e-12)
    assert agreement(np.zeros_like(v), v) == 0.0
    assert np.isnan(agreement(v, np.zeros_like(v)))


def test_rms_by_hand():
    assert rms(np.array([[3.0, 4.0], [0.0, 0.0]])) == pytest.approx(np.sqrt(12.5))
    assert rms(np.zeros((0, 2))) == 0.0
