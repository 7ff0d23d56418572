"""The exponential of our own stays as close to libm's as it says, and never leaves the numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sim._math_kernels import exp32, exp64


@settings(max_examples=500, deadline=None)
@given(st.floats(-86.0, 87.0, width=32))
def test_single_precision_is_within_its_promise(x):
    assert abs(float(exp32(np.float32(x))) / np.exp(x) - 1.0) < 1e-5


@settings(max_examples=500, deadline=None)
@given(st.floats(-700.0, 700.0))
def test_double_precision_is_within_its_promise(x):
    assert abs(exp64(x) / np.exp(x) - 1.0) < 2e-14


def test_at_the_edges_it_stays_finite_and_positive():
    for x in (-1e30, -88.0, 88.0, 1e30):
        assert 0.0 < exp32(np.float32(x)) < np.inf
        assert 0.0 < exp64(10.0 * x) < np.inf
