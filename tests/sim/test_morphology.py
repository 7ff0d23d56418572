"""A cell is a tree of cylinders: sizes, resistances, order of elimination, and what cannot be a cell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim.cable import resistances
from sim.morphology import Branch, cylinder, grow, hines


def branch(name, parent="", **other):
    return Branch(**{"name": name, "parent": parent, "length_um": 100.0, "diameter_um": 2.0, **other})


def test_a_cylinder_has_its_area_capacity_and_axial_resistance():
    tree = grow(cylinder(length_um=500, diameter_um=4, compartments=10, ra_ohm_cm=150))
    assert tree.area_um2.sum() == pytest.approx(np.pi * 4 * 500)
    assert tree.capacity_nf.sum() == pytest.approx(np.pi * 4 * 500 * 1e-8 * 1e3)
    # 150 Ω cm over 450 µm between the outer middles, cross-section π 4 µm²
    assert (1 / tree.axial_us).sum() == pytest.approx(150 * 450e-4 / (np.pi * 4e-8) * 1e-6)
    assert tree.distance_um == pytest.approx(np.arange(25, 500, 50))


def test_a_branch_that_goes_on_alone_is_joined_half_to_half():
    tree = grow((branch("a", diameter_um=2), branch("b", "a", diameter_um=4)))
    assert tree.n_nodes == 2
    half = [100 * 50e-4 / (np.pi / 4 * d**2 * 1e-8) * 1e-6 for d in (2, 4)]
    assert 1 / tree.axial_us[0] == pytest.approx(sum(half))


def test_branches_meet_in_a_point_without_membrane():
    tree = grow((branch("a"), branch("b", "a"), branch("c", "a")))
    assert tree.n_nodes == 4
    assert sorted(map(sorted, tree.edges.tolist())) == [[0, 3], [1, 3], [2, 3]]


def test_a_tree_of_the_three_halves_rule_is_a_cylinder():
    """Rall 1959: diameters to the power 3/2 add up, ends equally far in units of λ."""
    d = 2.0
    thin = d / 2 ** (2 / 3)
    trunk = branch("trunk", diameter_um=d, length_um=200, compartments=100)
    length = 200 * np.sqrt(thin / d)
    twigs = [branch(k, "trunk", diameter_um=thin, length_um=length, compartments=100) for k in "ab"]
    tree = grow((trunk, *twigs))
    whole = grow((branch("one", diameter_um=d, length_um=400, compartments=200),))
    assert resistances(tree, 0)[0] == pytest.approx(resistances(whole, 0)[0], rel=1e-9)
    assert resistances(tree, 0)[-1] == pytest.approx(resistances(whole, 0)[-1], rel=1e-9)


@st.composite
def cells(draw):
    n = draw(st.integers(1, 7))
    made = []
    for i in range(n):
        made.append(
            branch(
                f"b{i}", f"b{draw(st.integers(0, i - 1))}" if i else "", compartments=draw(st.integers(1, 4)),
                at=draw(st.sampled_from([1.0, 1.0, 0.5])), diameter_um=draw(st.floats(0.5, 10)),
            )
        )  # fmt: skip
    return grow(made)


@given(cells())
@settings(max_examples=40, deadline=None)
def test_every_tree_is_put_in_an_order_where_parents_come_first(tree):
    order = hines(tree)
    assert sorted(order.node.tolist()) == list(range(tree.n_nodes))
    assert order.parent[0] == -1
    assert (order.parent[1:] >= 0).all()
    assert (order.parent < np.arange(tree.n_nodes)).all()
    pairs = zip(order.node[1:], order.node[order.parent[1:]], strict=True)
    walked = dict(zip(map(frozenset, pairs), order.axial_us[1:], strict=True))
    assert walked == {frozenset(e): g for e, g in zip(tree.edges.tolist(), tree.axial_us, strict=True)}


@given(cells())
@settings(max_examples=40, deadline=None)
def test_resistances_are_those_of_the_whole_matrix_and_the_same_either_way(tree):
    n = len(tree.area_um2)
    matrix = np.diag(np.concatenate([tree.leak_us, np.zeros(tree.n_nodes - n)]))
    for (a, b), g in zip(tree.edges, tree.axial_us, strict=True):
        matrix[[a, b], [a, b]] += g
        matrix[[a, b], [b, a]] -= g
    found = np.array([resistances(tree, i) for i in range(n)])
    assert found == pytest.approx(np.linalg.inv(matrix)[:n, :n], rel=1e-8)
    assert found == pytest.approx(found.T, rel=1e-10)


@pytest.mark.parametrize(
    ("branches", "said"),
    [
        ((), "no branches"),
        ((branch("a", diameter_um=-1.0),), "diameter_um is -1.0"),
        ((branch("a", length_um=0.0),), "length_um is 0.0"),
        ((branch("a", length_um=float("nan")),), "length_um is nan"),
        ((branch("a", g_na_ms_cm2=-1.0),), "g_na_ms_cm2"),
        ((branch("a", compartments=0),), "compartments is 0"),
        ((branch("a"), branch("a", "a")), "name of its own"),
        ((branch("a"), branch("b", "trunk")), "parent 'trunk' is not among the branches before it: a"),
        ((branch("a", "b"), branch("b")), "first branch has no parent"),
        ((branch("a"), branch("b", "a", at=0.0)), "at is 0.0"),
    ],
)
def test_what_cannot_be_a_cell_is_refused_by_name(branches, said):
    with pytest.raises(ContractError, match=said):
        grow(branches)


def test_an_unknown_place_is_refused():
    tree = grow((branch("a"),))
    with pytest.raises(ContractError, match="no branch 'b'; the cell's branches are a"):
        tree.compartment("b", 0.5)
    with pytest.raises(ContractError, match=r"at is 1\.5"):
        tree.compartment("a", 1.5)
    with pytest.raises(ContractError, match="no compartment 1"):
        resistances(tree, 1)
