"""Compiled kernels are called without type dispatch, so what comes from outside is looked at first."""

import copy

import numpy as np
import pytest

from bmi.compiled import direct, entry, rows
from bmi.errors import ContractError
from decoders import _kalman_kernels as kernels
from sim.patient._patch_kernels import unusual


def test_rows_of_the_promised_kind_pass_untouched():
    data = np.zeros((3, 4), np.float32)
    assert rows(data) is data


def test_rows_in_another_layout_are_copied_not_misread():
    data = np.arange(12, dtype=np.float32).reshape(3, 4).T
    out = rows(data)
    assert out.flags.c_contiguous
    np.testing.assert_array_equal(out, data)


@pytest.mark.parametrize("data", [np.zeros((3, 4)), np.zeros((3, 4), np.int32), np.zeros(4, np.float32)])
def test_rows_of_another_kind_are_refused_with_what_was_given(data):
    with pytest.raises(ContractError, match=r"float32; given \(.*\) (float64|int32|float32)"):
        rows(data)


def test_entry_computes_what_the_dispatcher_computes():
    kernel = kernels.steady_rows
    from bmi.signals import Chunk, StreamSpec
    from decoders.kalman import Kalman

    rng = np.random.default_rng(0)
    decoder = Kalman(form="steady").fit(rng.random((300, 5)), rng.random((300, 2)), dt_s=0.02)
    decoder.bind([StreamSpec(name="y", n_channels=5, rate_hz=50.0, unit="count")])
    y = rng.random((1, 5)).astype(np.float32)
    fast = decoder.step((Chunk(y, np.zeros(1), 0.0),)).mean.copy()
    decoder.reset()
    args = (y, 0, decoder.mask_, decoder._vector, decoder._memory)
    assert entry(kernel, *args) is not kernel
    kernel(*args)
    np.testing.assert_array_equal(decoder._intent.mean, fast)


def test_a_direct_kernel_is_resolved_once_and_refuses_other_types():
    kernel = direct(unusual)
    rates, out = np.arange(6.0).reshape(3, 2), np.zeros((3, 2))
    kernel(rates, 0.5, 0.1, np.zeros((2, 2)), out)
    wanted = np.zeros((3, 2))
    unusual(rates, 0.5, 0.1, np.zeros((2, 2)), wanted)
    assert out.any()
    assert np.array_equal(out, wanted)
    with pytest.raises(TypeError):
        kernel(rates.astype(np.float32), 0.5, 0.1, np.zeros((2, 2)), out)
    assert copy.deepcopy(kernel) is kernel
