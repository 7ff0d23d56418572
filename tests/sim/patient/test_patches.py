"""What a patch of the tissue shows on the scalp: its rate, smoothed, less what it usually is."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sim.patient._patch_kernels import unusual

RATES = arrays(np.float64, (10, 4), elements=st.floats(0.0, 500.0))


@given(RATES, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_the_kernel_equals_its_plain_twin(rates, share, slow):
    smooth, out = np.array([np.arange(4.0), np.ones(4)]), np.zeros((10, 4))
    fast, usual = smooth.copy()
    unusual(rates, share, slow, smooth, out)
    for k, row in enumerate(rates):
        fast += share * (row - fast)
        usual += slow * (row - usual)
        np.testing.assert_allclose(out[k], fast - usual, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(smooth, [fast, usual], rtol=1e-12)


def test_a_constant_rate_shows_nothing_and_a_step_fades():
    share, slow, smooth = 0.05, 0.0005, np.full((2, 1), 8.0)
    out = np.zeros((20_000, 1))
    unusual(np.full((100, 1), 8.0), share, slow, smooth, out[:100])
    assert not out[:100].any()
    unusual(np.full((20_000, 1), 12.0), share, slow, smooth, out)
    k = np.arange(1, 20_001)
    np.testing.assert_allclose(out[:, 0], 4.0 * ((1 - slow) ** k - (1 - share) ** k), atol=1e-9)
