"""Parameters travel as one vector and as one file, and a damaged file is never believed."""

import json
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes
from safetensors.numpy import save_file

from bmi import params
from bmi.errors import ContractError, RecordingError


class Tuning(NamedTuple):
    C: np.ndarray
    b: np.ndarray


def tuning(seed=0, m=3):
    rng = np.random.default_rng(seed)
    return Tuning(rng.standard_normal((m, 2)), rng.standard_normal(m))


@given(
    array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
def test_flatten_and_back_is_the_same(a, b):
    rng = np.random.default_rng(0)
    p = Tuning(np.array(rng.standard_normal(a)), np.array(rng.standard_normal(b)))
    v = params.flatten(p)
    assert v.shape == (params.size(p),)
    back = params.unflatten(Tuning(np.zeros(a), np.zeros(b)), v)
    assert isinstance(back, Tuning)
    for x, y in zip(p, back, strict=True):
        assert x.shape == y.shape
        np.testing.assert_array_equal(x, y)


def test_unflatten_copies_nothing():
    v = params.flatten(tuning())
    back = params.unflatten(tuning(), v)
    v[:] = 7
    assert (back.C == 7).all()
    assert (back.b == 7).all()


def test_flatten_fills_the_slot_it_is_given():
    slot = np.zeros(9)
    assert params.flatten(tuning(), slot) is slot
    np.testing.assert_array_equal(slot, params.flatten(tuning()))
    with pytest.raises(ContractError, match="vector of 9, given float64"):
        params.flatten(tuning(), np.zeros(8))


def test_a_transposed_array_flattens_as_it_reads():
    p = Tuning(np.arange(6.0).reshape(2, 3).T, np.zeros(3))
    back = params.unflatten(tuning(), params.flatten(p))
    np.testing.assert_array_equal(back.C, p.C)


@pytest.mark.parametrize("bad", [np.zeros(8), np.zeros(9, np.float32), np.zeros(18)[::2]])
def test_a_vector_that_does_not_fit_is_refused(bad):
    with pytest.raises(ContractError, match="Tuning needs a contiguous float64 vector of 9"):
        params.unflatten(tuning(), bad)


def test_only_named_tuples_of_float64_are_parameters():
    with pytest.raises(ContractError, match="expected a NamedTuple"):
        params.size({"C": np.zeros(3)})
    with pytest.raises(ContractError, match=r"Tuning\.b must be a float64 array, given float32"):
        params.size(Tuning(np.zeros((3, 2)), np.zeros(3, np.float32)))
    with pytest.raises(ContractError, match=r"Tuning\.C must be a float64 array, given list"):
        params.size(Tuning([1.0], np.zeros(3)))


def test_a_file_brings_everything_back(tmp_path):
    path = params.save(tmp_path / "day3.safetensors", "kalman", tuning(), {"settings": {"n_dims": 2}})
    loaded = params.load(path)
    assert loaded.decoder == "kalman"
    assert loaded.manifest == {"settings": {"n_dims": 2}}
    for a, b in zip(tuning(), params.restore(tuning(1), loaded), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [p.name for p in tmp_path.iterdir()] == ["day3.safetensors"]


def test_a_file_for_other_features_is_refused_by_field(tmp_path):
    loaded = params.load(params.save(tmp_path / "p.safetensors", "kalman", tuning(m=4)))
    with pytest.raises(ContractError, match=r"C: expected \(3, 2\), file has \(4, 2\).*calibrate again"):
        params.restore(tuning(m=3), loaded)


def test_any_changed_byte_of_the_numbers_is_noticed(tmp_path):
    path = params.save(tmp_path / "p.safetensors", "kalman", tuning())
    good = path.read_bytes()
    for at in range(len(good) - 9 * 8, len(good), 5):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises(RecordingError, match="SHA-256"):
            params.load(path)


@pytest.mark.parametrize("cut", [0, 4, 8, 100, -1])
def test_a_torn_file_is_refused_in_words(tmp_path, cut):
    path = params.save(tmp_path / "p.safetensors", "kalman", tuning())
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(RecordingError, match="not a readable parameter file"):
        params.load(path)


@pytest.mark.parametrize(
    "head", [None, "{", "[]", "{}", json.dumps({"format": "bmi-params/9"}), json.dumps({"format": params.FORMAT})]
)
def test_a_strangers_file_is_refused_in_words(tmp_path, head):
    path = tmp_path / "p.safetensors"
    save_file({"C": np.zeros(3)}, str(path), metadata=None if head is None else {"bmi": head})
    with pytest.raises(RecordingError, match=r"not a readable|expected format|manifest"):
        params.load(path)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(RecordingError, match="no such parameter file"):
        params.load(tmp_path / "none.safetensors")


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(RecordingError, match=r"no-such-folder.*cannot be written"):
        params.save(tmp_path / "no-such-folder" / "p.safetensors", "kalman", tuning())
