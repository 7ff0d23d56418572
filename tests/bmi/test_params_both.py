"""A decoder's parameters and those of the click decoder beside it travel as one vector and one file."""

from typing import NamedTuple

import numpy as np
import pytest

from bmi import params
from bmi.errors import ContractError
from bmi.params import CLICK, Both


class Tuning(NamedTuple):
    C: np.ndarray
    b: np.ndarray


class Evidence(NamedTuple):
    w: np.ndarray
    b: np.ndarray


def both(seed=0, m=3):
    rng = np.random.default_rng(seed)
    return Both(
        Tuning(rng.standard_normal((m, 2)), rng.standard_normal(m)),
        Evidence(rng.standard_normal(m), rng.standard_normal(1)),
    )


def test_the_decoder_comes_first_and_the_click_decoder_behind_it():
    p = both()
    v = params.flatten(p)
    np.testing.assert_array_equal(v, np.concatenate([params.flatten(p.decoder), params.flatten(p.click)]))
    assert params.size(p) == 9 + 4
    assert [name for name, _ in params.fields(p)] == ["C", "b", "click.w", "click.b"]


def test_there_and_back_is_the_same_and_copies_nothing():
    p = both()
    v = params.flatten(p)
    back = params.unflatten(both(1), v)
    assert isinstance(back, Both)
    assert isinstance(back.decoder, Tuning)
    assert isinstance(back.click, Evidence)
    for (_, a), (_, b) in zip(params.fields(p), params.fields(back), strict=True):
        np.testing.assert_array_equal(a, b)
    v[:] = 7.0
    assert all((a == 7.0).all() for _, a in params.fields(back))
    with pytest.raises(ContractError, match="Both needs a contiguous float64 vector of 13"):
        params.unflatten(p, np.zeros(12))


def test_one_file_holds_both_and_gives_back_each(tmp_path):
    p = both()
    loaded = params.load(params.save(tmp_path / "p.safetensors", "kalman", p, {"click": "hmm"}))
    assert (loaded.decoder, loaded.manifest["click"]) == ("kalman", "hmm")
    decoder, click = params.restore(both(1).decoder, loaded), params.restore(both(1).click, loaded, CLICK)
    np.testing.assert_array_equal(params.flatten(Both(decoder, click)), params.flatten(p))


def test_a_file_without_clicks_is_what_it_always_was(tmp_path):
    p = both()
    loaded = params.load(params.save(tmp_path / "p.safetensors", "kalman", p.decoder))
    assert set(loaded.arrays) == {"C", "b"}
    np.testing.assert_array_equal(params.restore(both(1).decoder, loaded).C, p.decoder.C)
    with pytest.raises(ContractError, match=r"do not fit Evidence: b: expected \(1,\), file has none"):
        params.restore(p.click, loaded, CLICK)
