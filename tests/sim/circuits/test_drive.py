"""The tissue's edges, against plain NumPy: an intention as drive, spikes as rates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.circuits._drive_kernels import intend, mean_rates

N_EXC, N = 30, 37


@pytest.mark.parametrize("n_dims", [1, 2, 3])
def test_the_drive_is_that_of_the_equation(n_dims):
    rng = np.random.default_rng(n_dims)
    drive, slope = rng.normal(10.0, 1.0, N), rng.uniform(1.0, 4.0, N)
    tuned, velocity = rng.normal(size=(N_EXC, n_dims)), rng.normal(size=n_dims)
    speeds, clicks = rng.uniform(0.0, 5.0, (2, N_EXC))
    speed, out = float(np.sqrt(velocity @ velocity)), np.zeros(N, np.float32)
    intend(drive, tuned, speeds, clicks, slope, velocity, speed, 1.0, 0.3, out)
    wanted = drive.copy()
    wanted[:N_EXC] += (tuned * velocity).sum(axis=1) + (speeds * speed + clicks) / slope[:N_EXC] + 0.3
    np.testing.assert_allclose(out, wanted, rtol=1e-7)
    if n_dims < 3:  # of three, NumPy adds the last two first
        assert np.array_equal(out, wanted.astype(np.float32))


@given(st.integers(0, 2**31), st.integers(1, 40), st.integers(1, 40), st.integers(1, 10))
def test_rates_are_the_very_means(seed, n_exc, n_inh, n_ms):
    counts = np.random.default_rng(seed).poisson(0.3, (n_ms, n_exc + n_inh)).astype(np.float32)
    out = np.zeros((n_ms, 2), np.float32)
    mean_rates(counts, n_exc, out)
    wanted = np.stack([counts[:, :n_exc].mean(1), counts[:, n_exc:].mean(1)], axis=1) * np.float32(1000.0)
    assert np.array_equal(out, wanted)
