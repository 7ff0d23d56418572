"""Network measures: what they are on networks one can compute by hand, and what bctpy and networkx say."""

import sys
import time

import networkx as nx
import numpy as np
import pytest
import reference_graphs as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError, PluginError
from sim.circuits import graphs, structure
from sim.validation import stored

TIGHT = 1e-9


@st.composite
def networks(draw):
    n, seed, density = draw(st.integers(2, 9)), draw(st.integers(0, 2**32 - 1)), draw(st.floats(0.0, 1.0))
    rng = np.random.default_rng(seed)
    w = np.triu(rng.random((n, n)) * (rng.random((n, n)) < density), 1)
    return w + w.T, rng.integers(0, 3, n)


def star(n):
    w = np.zeros((n, n))
    w[0, 1:] = w[1:, 0] = 1.0
    return w


def complete(n):
    return 1.0 - np.eye(n)


@settings(max_examples=25, deadline=None)
@given(networks())
def test_matrices_give_what_the_definitions_give_node_by_node(drawn):
    w, modules = drawn
    found = graphs.node_measures(w, modules)
    np.testing.assert_allclose(found.strength, [sum(row) for row in w], atol=TIGHT)
    np.testing.assert_allclose(found.participation, reference.participation(w, modules), atol=TIGHT)
    np.testing.assert_allclose(graphs.distances(w), reference.distances(w), atol=TIGHT)
    np.testing.assert_allclose(graphs.communicability(w), reference.walks(w), rtol=TIGHT)
    if w.any():
        np.testing.assert_allclose(found.clustering, reference.clustering(w), atol=TIGHT)
        assert graphs.modularity(w, modules) == pytest.approx(reference.modularity(w, modules), abs=TIGHT)


@settings(max_examples=15, deadline=None)
@given(networks(), st.integers(0, 1000))
def test_nodes_have_no_order(drawn, seed):
    w, modules = drawn
    order = np.random.default_rng(seed).permutation(len(w))
    here, there = graphs.node_measures(w, modules), graphs.node_measures(w[np.ix_(order, order)], modules[order])
    for a, b in zip(here, there, strict=True):
        np.testing.assert_allclose(a[order], b, atol=TIGHT)


@pytest.mark.parametrize("k", range(20))
def test_twenty_networks_measured_by_the_brain_connectivity_toolbox_and_networkx(k):
    a = {name: array[k] for name, array in stored("graphs_bctpy").arrays.items()}
    n = len(a["modules"])
    w = np.zeros((n, n))
    w[np.triu_indices(n, 1)] = a["weights"] / 65535.0
    w = w + w.T
    live = graphs.node_measures(w, a["modules"])
    club = structure.rich_club(w)[1:]
    ours = {
        "degree": graphs.degree(w), "strength": live.strength, "clustering": live.clustering,
        "participation": live.participation, "path_length": graphs.path_length(w),
        "efficiency": graphs.efficiency(w), "modularity": graphs.modularity(w, a["modules"]),
        "betweenness": structure.betweenness(w), "subgraph": np.diagonal(graphs.communicability(w > 0)),
        "rich_club": np.pad(club, (0, n - len(club)), constant_values=np.nan),
        "nx_clustering": live.clustering, "nx_path_length": graphs.path_length(w),
        "nx_modularity": graphs.modularity(w, a["modules"]),
        "nx_communicability": graphs.communicability(w > 0)[np.triu_indices(n)],
    }  # fmt: skip
    assert ours.keys() == a.keys() - {"weights", "modules"}
    for name, value in ours.items():
        np.testing.assert_allclose(value, a[name], rtol=TIGHT, atol=TIGHT, err_msg=name)


def test_single_measures_are_those_of_the_live_set():
    w, modules = nx.to_numpy_array(nx.karate_club_graph()), np.arange(34) % 4
    live = graphs.node_measures(w, modules)
    np.testing.assert_array_equal(graphs.strength(w), live.strength)
    np.testing.assert_array_equal(graphs.clustering(w), live.clustering)
    np.testing.assert_array_equal(graphs.participation(w, modules), live.participation)


def test_in_a_complete_network_everyone_is_the_same():
    w = complete(6)
    np.testing.assert_allclose(graphs.clustering(w), 1.0)
    np.testing.assert_array_equal(graphs.degree(w), 5)
    np.testing.assert_allclose(structure.betweenness(w), 0.0)
    np.testing.assert_allclose(structure.rich_club(w), 1.0)
    assert graphs.path_length(w) == graphs.efficiency(w) == 1.0


def test_every_path_of_a_star_leads_through_its_middle():
    w = star(7)
    np.testing.assert_allclose(structure.betweenness(w), [1, 0, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(graphs.clustering(w), 0.0)
    assert graphs.path_length(w) == pytest.approx((6 * 1 + 15 * 2) / 21)
    club = structure.rich_club(w)
    assert club[0] == pytest.approx(2 / 7)
    assert np.isnan(club[1:]).all(), "only the middle has more than one connection"


def test_a_node_that_serves_all_modules_alike_participates_most():
    w = np.zeros((5, 5))
    w[0, 1:] = w[1:, 0] = 2.0
    np.testing.assert_allclose(graphs.participation(w, np.array([0, 0, 1, 2, 3])), [0.75, 0, 0, 0, 0])


def test_parts_are_infinitely_far_and_lower_the_efficiency():
    w = np.kron(np.eye(2), complete(3))
    assert graphs.path_length(w) == np.inf
    assert graphs.efficiency(w) == pytest.approx(2 / 5)
    assert graphs.modularity(w, np.repeat([0, 1], 3)) == pytest.approx(0.5)


def test_normalised_communicability_does_not_know_the_unit_of_the_weights():
    w = nx.to_numpy_array(nx.karate_club_graph())
    there = graphs.communicability(3.0 * w, normalised=True)
    np.testing.assert_allclose(there, graphs.communicability(w, normalised=True), rtol=1e-12)
    assert np.linalg.eigvalsh(there).max() == pytest.approx(np.e), "the largest normalised eigenvalue is 1"


def test_louvain_finds_the_clubs_of_a_caveman_and_says_the_same_twice():
    w = nx.to_numpy_array(nx.connected_caveman_graph(5, 6))
    found = structure.louvain(w, seed=3, n=5)
    np.testing.assert_array_equal(found.labels, np.repeat(np.arange(5), 6))
    assert found.q == graphs.modularity(w, found.labels)
    np.testing.assert_array_equal(structure.louvain(w, seed=3, n=5).labels, found.labels)


def test_louvain_of_a_network_without_modules_leaves_it_whole():
    found = structure.louvain(complete(5), seed=1, n=3)
    assert found.q == 0.0
    np.testing.assert_array_equal(found.labels, 0)


def test_a_lattice_a_small_world_and_a_random_network_are_told_apart():
    rewired = [nx.to_numpy_array(nx.connected_watts_strogatz_graph(60, 6, p, seed=2)) for p in (0.0, 0.1, 1.0)]
    found = [structure.small_world(w, seed=1, n_references=2) for w in rewired]
    lattice, small, random = found
    assert lattice.omega < small.omega < random.omega
    assert lattice.clustering == lattice.clustering_lattice == pytest.approx(0.6)
    assert small.sigma > 2.0 > random.sigma


def test_random_references_keep_the_degrees():
    w = nx.to_numpy_array(nx.karate_club_graph(), weight=None)
    found = structure.small_world(w, seed=1, n_references=3)
    again = structure.small_world(w, seed=1, n_references=3)
    assert found == again
    assert found.sigma == pytest.approx(
        (found.clustering / found.clustering_random) / (found.path_length / found.path_length_random)
    )
    assert found.clustering_random > 0.15, "a network of equal density, degrees not kept, has 0.14"


@pytest.mark.bars
def test_eighty_four_nodes_are_measured_in_time():
    from figures import measured

    rng = np.random.default_rng(1)
    w = rng.random((84, 84))
    w = w + w.T - np.diag(2 * np.diagonal(w))
    modules = rng.integers(0, 7, 84)
    taken = []
    for _ in range(200):
        begun = time.perf_counter()
        graphs.node_measures(w, modules)
        taken.append(1e3 * (time.perf_counter() - begun))
    measured("84 nodes, ms", taken)
    assert np.median(taken) < 10.0


def bad(change):
    w = complete(4)
    change(w)
    return w


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (np.zeros((3, 4)), r"\(3, 4\)"),
        (np.zeros(4), r"\(4,\)"),
        (bad(lambda w: w.__setitem__((1, 2), 0.5)), r"symmetric.*0.5 at \(1, 2\)"),
        (bad(lambda w: w.__setitem__((1, 2), np.nan)), r"finite.*nan at \(1, 2\)"),
        (bad(lambda w: w.__setitem__((1, 2), np.inf)), r"finite.*inf at \(1, 2\)"),
        (bad(lambda w: w.__setitem__((0, 3), -1.0)), r"at least 0.*-1 at \(0, 3\)"),
        (bad(lambda w: w.__setitem__((2, 2), 1.0)), r"self-connections.*\(2, 2\)"),
    ],
)
@pytest.mark.parametrize(
    "measure",
    [
        graphs.degree, graphs.clustering, graphs.path_length, graphs.communicability, structure.betweenness,
        structure.rich_club, lambda w: graphs.node_measures(w, np.zeros(4, int)),
        lambda w: structure.louvain(w, seed=1), lambda w: structure.small_world(w, seed=1),
    ],
)  # fmt: skip
def test_what_is_no_undirected_network_is_refused_with_the_place(measure, weights, said):
    with pytest.raises(ContractError, match=said):
        measure(weights)


@pytest.mark.parametrize("modules", [[0, 1, 2], [0.0, 1.0, 2.0, 3.0], [[0, 1, 2, 3]]])
def test_modules_are_a_whole_number_for_each_node(modules):
    with pytest.raises(ContractError, match="whole number for each of 4 nodes"):
        graphs.participation(complete(4), modules)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ContractError, match="connected"):
        structure.small_world(np.kron(np.eye(2), complete(3)), seed=1)
    with pytest.raises(ContractError, match="cannot be rewired"):
        structure.small_world(complete(6), seed=1)
    with pytest.raises(ContractError, match="at least one connection"):
        graphs.modularity(np.zeros((3, 3)), [0, 0, 1])
    with pytest.raises(ContractError, match="n is 0"):
        structure.louvain(complete(3), seed=1, n=0)
    with pytest.raises(ContractError, match="n_references is 0"):
        structure.small_world(complete(3), seed=1, n_references=0)


def test_without_networkx_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(PluginError, match=r"multiscale-bmi\[graphs\]"):
        structure.betweenness(complete(4))
