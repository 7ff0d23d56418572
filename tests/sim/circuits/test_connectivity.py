"""Random graphs have the statistics they are drawn by, the same for the same seed, and nonsense is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from bmi.errors import ContractError
from sim.circuits._connectivity_kernels import Graph, scan, split
from sim.circuits.connectivity import (
    InDegree,
    Probability,
    checked_graph,
    delay_steps,
    fixed_in_degree,
    fixed_probability,
    stacked,
)


def dense(graph, n_post):
    out = np.zeros((len(graph.start) - 1, n_post), int)
    np.add.at(out, (np.repeat(np.arange(len(out)), np.diff(graph.start)), graph.targets), 1)
    return out


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_each_neuron_hears_so_many_different_ones(n_pre, n_post, share, seed):
    k = round(share * n_pre)
    graph = checked_graph(fixed_in_degree(n_pre, n_post, k, np.random.default_rng(seed)), n_pre, n_post)
    matrix = dense(graph, n_post)
    assert matrix.max(initial=0) <= 1
    np.testing.assert_array_equal(matrix.sum(0), k)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_pairs_are_connected_at_most_once_in_ascending_order(n_pre, n_post, p, seed):
    graph = checked_graph(fixed_probability(n_pre, n_post, p, np.random.default_rng(seed)), n_pre, n_post)
    assert dense(graph, n_post).max(initial=0) <= 1
    for i in range(n_pre):
        assert np.all(np.diff(graph.targets[graph.start[i] : graph.start[i + 1]]) > 0)


def test_all_and_nothing():
    rng = np.random.default_rng(0)
    assert len(fixed_probability(7, 5, 0.0, rng).targets) == 0
    assert dense(fixed_probability(7, 5, 1.0, rng), 5).min() == 1
    assert dense(fixed_in_degree(7, 5, 7, rng), 5).min() == 1


@pytest.mark.parametrize("draw", [lambda r: fixed_in_degree(6, 4000, 2, r), lambda r: fixed_in_degree(6, 4000, 4, r)])
def test_all_sets_of_inputs_are_alike(draw):
    matrix = dense(draw(np.random.default_rng(1)), 4000)
    _, counts = np.unique(matrix.T, axis=0, return_counts=True)
    assert len(counts) == 15
    assert chisquare(counts).pvalue > 1e-3


def test_every_pair_is_as_likely_as_another():
    counts = sum(dense(fixed_probability(8, 9, 0.1, np.random.default_rng(seed)), 9) for seed in range(2000))
    assert chisquare(counts.ravel()).pvalue > 1e-3
    assert abs(counts.sum() / (2000 * 72) - 0.1) < 4 * np.sqrt(0.09 / (2000 * 72))


def test_a_seed_is_a_graph():
    for wiring in (InDegree(excitatory=10, inhibitory=5), Probability(p=0.2)):
        a, b, c = (wiring.draw(40, 10, np.random.default_rng(seed)) for seed in (3, 3, 4))
        np.testing.assert_array_equal(a.targets, b.targets)
        assert not np.array_equal(a.targets, c.targets)


def test_populations_are_stacked():
    rng = np.random.default_rng(2)
    a, b = fixed_in_degree(5, 6, 2, rng), fixed_in_degree(3, 6, 1, rng)
    np.testing.assert_array_equal(dense(stacked(a, b), 6), np.concatenate([dense(a, 6), dense(b, 6)]))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 300), st.integers(0, 2**32 - 1), st.integers(0, 300))
def test_who_is_above_threshold_is_found(n, seed, n_e):
    v = np.random.default_rng(seed).normal(-1.5, 1.0, n).astype(np.float32)
    fired = np.zeros(n, np.int32)
    k = scan(v, np.float32(0), fired)
    np.testing.assert_array_equal(fired[:k], np.flatnonzero(v > 0))
    assert split(fired, k, n_e) == np.sum(np.flatnonzero(v > 0) < n_e)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda r: fixed_probability(4, 4, 1.5, r), "p is 1.5, expected a probability"),
        (lambda r: fixed_probability(4, 4, -0.1, r), "p is -0.1"),
        (lambda r: fixed_probability(4, 4, float("nan"), r), "p is nan"),
        (lambda r: fixed_in_degree(4, 4, 5, r), "k is 5 of 4 presynaptic neurons"),
        (lambda r: delay_steps("a", -1e-3, 1e-4), "a: delay_s is -0.001, expected no negative time"),
        (lambda r: delay_steps("a", 5e-5, 1e-4), "below the step of 0.0001 s"),
        (lambda r: delay_steps("a", 0.0, 1e-4), "below the step"),
        (lambda r: delay_steps("a", 1.25e-4, 1e-4), "expected a whole number, give e.g. 0.0001"),
        (lambda r: checked_graph(Graph(np.zeros(4, np.int64), np.zeros(0, np.int32)), 4, 4), r"expected int64 \(5,\)"),
        (lambda r: checked_graph(Graph(np.array([0, 1]), np.array([4], np.int32)), 1, 4), "expected neurons 0 to 3"),
        (lambda r: checked_graph(Graph(np.array([0, 2]), np.array([1], np.int32)), 1, 4), "the 1 synapses there are"),
        (lambda r: checked_graph(Graph(np.array([0, 1]), np.array([1])), 1, 4), "contiguous int32"),
    ],
)
def test_what_cannot_be_is_refused(wrong, told):
    with pytest.raises(ContractError, match=told):
        wrong(np.random.default_rng(0))


def test_a_delay_is_whole_steps():
    assert delay_steps("a", 1.5e-3, 1e-4) == 15
    assert delay_steps("a", 0.0, 1e-4, least=0) == 0
