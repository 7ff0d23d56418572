"""Noise is a function of seed, name, stream, step and place: the same numbers however they are asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_noise import MASK, philox4x32
from reference_sim import box_muller
from scipy import stats

from sim._noise_kernels import philox
from sim.component import Noise


def words(key: int, stream: int, step: int, i: int) -> tuple[int, ...]:
    """Return column ``i`` of the compiled generator as four 32-bit words."""
    out = np.zeros((2, i + 1), np.uint64)
    philox(np.uint64(key), np.uint64(stream), np.uint64(step), out)
    low, high = (int(w) for w in out[:, i])
    return low & MASK, low >> 32, high & MASK, high >> 32


PUBLISHED = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((MASK, MASK, MASK, MASK), (MASK, MASK), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


class TestGenerator:
    @pytest.mark.parametrize(("counter", "key", "answer"), PUBLISHED)
    def test_the_reference_gives_the_answers_its_authors_publish(self, counter, key, answer):
        assert philox4x32(counter, key) == answer

    @settings(max_examples=50, deadline=None)
    @given(
        st.integers(0, 2**64 - 1), st.integers(0, MASK), st.integers(0, 2**64 - 1), st.integers(0, 40)
    )  # fmt: skip
    def test_the_kernel_equals_the_reference(self, key, stream, step, i):
        counter = (i, stream, step & MASK, step >> 32)
        assert words(key, stream, step, i) == philox4x32(counter, (key & MASK, key >> 32))


class TestNoise:
    def test_normal_numbers_are_box_and_mullers_of_those_words(self):
        noise = Noise(3, "tissue", 10)
        z = noise.normal(1, 17)
        out = np.zeros((2, 3), np.uint64)
        philox(noise.key, np.uint64(1), np.uint64(17), out)
        pairs = [[box_muller(int(w)) for w in row] for row in out]
        want = np.concatenate([[p[k] for p in row] for row in pairs for k in (0, 1)])[:10]
        np.testing.assert_allclose(z, want, atol=2e-5)

    def test_the_numbers_of_a_step_do_not_depend_on_what_was_asked_before(self):
        one, other = Noise(3, "a", 33), Noise(3, "a", 33)
        for step in range(9):
            other.uniform(0, step)
        assert np.array_equal(one.normal(0, 9), other.normal(0, 9))

    @pytest.mark.parametrize("change", ["seed", "name", "stream", "step"])
    def test_another_seed_name_stream_or_step_gives_other_numbers(self, change):
        z = Noise(3, "a", 64).normal(1, 5).copy()
        other = Noise(3 + (change == "seed"), "ab"[change == "name"], 64)
        y = other.normal(1 + (change == "stream"), 5 + (change == "step"))
        assert np.abs(np.corrcoef(z, y)[0, 1]) < 0.5
        assert not np.any(z == y)

    def test_they_are_normal_and_uniform_and_independent_over_steps_and_places(self):
        noise = Noise(1, "distribution", 200)
        z = np.array([noise.normal(0, k).copy() for k in range(500)])
        u = np.array([noise.uniform(0, k).copy() for k in range(500)])
        assert stats.kstest(z.ravel(), "norm").pvalue > 0.001
        assert stats.kstest(u.ravel(), "uniform").pvalue > 0.001
        assert u.min() >= 0.0
        assert u.max() < 1.0
        limit = 4.0 / np.sqrt(z.size)
        assert abs(np.mean(z[1:] * z[:-1])) < limit
        assert abs(np.mean(z[:, 1:] * z[:, :-1])) < limit
