"""What every component leans on: means, sums over states, inputs that are checked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oscillator import Oscillators

from bmi.errors import ContractError
from sim._finite_kernels import total_of
from sim.component import checked, mean

SHAPES = st.lists(st.integers(1, 40), min_size=1, max_size=3)


@given(st.integers(0, 2**31), SHAPES, st.sampled_from([np.float32, np.float64]))
def test_a_mean_has_the_bits_of_numpys(seed, shape, dtype):
    rows = np.random.default_rng(seed).normal(size=shape).astype(dtype)
    assert np.array_equal(mean(rows), rows.mean(axis=0))
    assert mean(rows).dtype == dtype


def addresses(arrays: list[np.ndarray]) -> np.ndarray:
    return np.array([(a.ctypes.data, a.size, a.itemsize) for a in arrays], np.int64)


@given(st.integers(0, 2**31), st.lists(st.sampled_from([np.float32, np.float64]), min_size=1, max_size=12))
def test_many_arrays_are_summed_where_they_lie(seed, dtypes):
    rng = np.random.default_rng(seed)
    arrays = [rng.integers(-9, 9, rng.integers(1, 5000)).astype(dtype) for dtype in dtypes]
    where = addresses(arrays)
    assert total_of(where) == sum(a.sum(dtype=np.float64) for a in arrays)
    one = arrays[rng.integers(len(arrays))]
    one[rng.integers(one.size)] = rng.choice([np.nan, np.inf, -np.inf])
    assert not np.isfinite(total_of(where))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_input_that_is_no_number_is_refused(value):
    part = Oscillators()
    part.bind(1)
    with pytest.raises(ContractError, match="expected finite values"):
        checked(part, "force", (0.0, value))
