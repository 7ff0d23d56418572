"""What one region sends reaches another after its own delay, in whole steps, however tracts are sorted and read."""

from __future__ import annotations

import numpy as np
import pytest
import reference_masses as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim.brain._delay_kernels import add, deliver, post
from sim.brain._heun_kernels import move, move_both
from sim.brain.connectome import Connectome
from sim.brain.network import forget, lines, padded, per_region, rows_each_ms

DT_S = 1e-4


def tracts(weights, lengths) -> Connectome:
    return Connectome(labels=tuple(f"r{k}" for k in range(len(weights))), weights=weights, lengths_mm=lengths)


class TestDelays:
    @settings(max_examples=8, deadline=None)
    @given(seed=st.integers(0, 10**6), n=st.integers(1, 7), speed=st.sampled_from([0.7, 4.0, 50.0]))
    def test_what_arrives_is_what_was_sent_so_many_steps_before(self, seed, n, speed):
        weights, lengths = reference.network(seed, n)
        travelling = lines("x", tracts(weights, lengths), speed, DT_S)
        delay = reference.steps_of_delay(lengths, speed, DT_S)
        rng = np.random.default_rng(seed)
        before, got, sent = rng.normal(size=n), np.zeros(n), []
        forget(travelling, before)
        for t in range(100):
            sent.append(rng.normal(size=n))
            post(t, sent[t], travelling)
            deliver(t, travelling, got)
            assert np.allclose(got, reference.received(sent, before, weights, delay), rtol=0, atol=1e-12)

    def test_a_pulse_arrives_after_each_delay_and_only_then(self):
        n = 70
        weights, lengths = np.zeros((n, n)), np.zeros((n, n))
        weights[:, 0], lengths[:, 0] = 1.0, 0.4 * np.arange(n)
        travelling = lines("x", tracts(weights, lengths), 4.0, DT_S)
        got, arrived = np.zeros(n), np.zeros((100, n))
        for t in range(100):
            post(t, np.full(n, float(t == 9)), travelling)
            deliver(t, travelling, got)
            arrived[t] = got
        expected = np.zeros((100, n))
        expected[9 + np.arange(n), np.arange(n)] = 1.0
        assert np.array_equal(arrived, expected)

    def test_a_piece_never_looks_ahead(self):
        weights, lengths = reference.network(3, 12)
        found = lines("x", tracts(weights, lengths), 4.0, DT_S).tracts
        piece = np.repeat(found.piece, np.diff(found.first))
        assert (piece <= found.delay + 1).all()
        assert (2 * piece > np.minimum(found.delay + 1, 64)).all()
        assert len(found.to) == np.count_nonzero(weights)

    def test_a_single_region_has_no_tracts(self):
        alone = lines("x", None, 4.0, DT_S)
        got = np.ones(1)
        post(0, np.array([3.0]), alone)
        deliver(0, alone, got)
        assert got[0] == 0.0

    def test_absurd_delays_and_speeds_are_refused(self):
        two = tracts(np.array([[0.0, 1.0], [0.0, 0.0]]), np.full((2, 2), 1e5))
        with pytest.raises(ContractError, match=r"masses: the longest tract takes 100 s .* lengths are in mm"):
            lines("masses", two, 1.0, DT_S)
        with pytest.raises(ContractError, match=r"masses: speed_m_s is -1\.0, expected above 0"):
            lines("masses", two, -1.0, DT_S)


class TestPieces:
    def test_add_is_a_product_and_sum_on_flat_arrays(self):
        rng = np.random.default_rng(0)
        a, b = rng.normal(size=40), rng.normal(size=30)
        expected = b.copy()
        expected[7:19] += 0.3 * a[20:32]
        add(0.3, a, np.uint64(20), b, np.uint64(7), np.uint64(12))
        assert np.array_equal(b, expected)

    def test_a_step_moves_along_its_slopes(self):
        x, slope, other, out = (np.random.default_rng(k).normal(size=9) for k in range(4))
        move(x, 0.1, slope, out)
        assert np.allclose(out, x + 0.1 * slope, rtol=0, atol=1e-15)
        expected = x + 0.05 * (slope + other)
        move_both(x, 0.05, slope, other)
        assert np.allclose(x, expected, rtol=0, atol=1e-15)

    @given(n=st.integers(1, 5000))
    def test_rows_are_an_odd_number_of_cache_lines(self, n):
        assert padded(n) >= n
        assert padded(n) % 16 == 8
        assert padded(n) < n + 16


class TestParameters:
    def test_one_value_serves_all_regions_or_each_has_its_own(self):
        assert per_region("m", "a", 2.0, 3).tolist() == [2.0, 2.0, 2.0]
        assert per_region("m", "a", (1.0, 2.0), 2).tolist() == [1.0, 2.0]

    @pytest.mark.parametrize(
        ("value", "message"),
        [((1.0, 2.0), r"m\.a: expected a number or one for each of 3 regions, given \(2,\)"),
         (np.array([1.0, np.nan, 1.0]), r"m\.a: expected finite values .* given nan in region 1"),
         ((1.0, 1.0, -2.0), r"at least 0, given -2 in region 2")],
    )  # fmt: skip
    def test_others_are_refused(self, value, message):
        with pytest.raises(ContractError, match=message):
            per_region("m", "a", value, 3, 0.0)

    @pytest.mark.parametrize("dt_s", [0.0, 3e-4, 2e-3])
    def test_a_step_that_does_not_make_up_a_millisecond_is_refused(self, dt_s):
        with pytest.raises(ContractError, match="expected a whole part of 1 ms"):
            rows_each_ms("m", dt_s)
