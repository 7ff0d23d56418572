"""A connectome is checked when it is built, finds its regions by name, and never changes."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim.brain.connectome import Connectome

LABELS = ("l.M1", "l.V1", "r.M1", "r.V1")
WEIGHTS = np.array([[0, 2, 4, 0], [2, 0, 0, 1], [4, 0, 0, 2], [0, 1, 2, 0]], float)
LENGTHS = np.array([[0, 50, 90, 99], [50, 0, 99, 80], [90, 99, 0, 50], [99, 80, 50, 0]], float)
CENTRES = np.array([[-37, -20, 40], [-10, -70, 0], [37, -20, 40], [10, -70, 0]], float)


def connectome(**changes):
    fields = {"labels": LABELS, "weights": WEIGHTS, "lengths_mm": LENGTHS, "centres_mm": CENTRES}
    return Connectome(**fields | changes)


def with_value(array, at, value):
    changed = array.copy()
    changed[at] = value
    return changed


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": ("a", "a", "b", "c")}, "a more than once"),
        ({"labels": ()}, "given 0"),
        ({"labels": LABELS[:3]}, r"weights: expected shape \(3, 3\) for 3 regions, given \(4, 4\)"),
        ({"weights": WEIGHTS[:3]}, r"weights: expected shape \(4, 4\)"),
        ({"lengths_mm": LENGTHS[:, :2]}, "lengths_mm: expected shape"),
        ({"centres_mm": CENTRES[:, :2]}, r"centres_mm: expected shape \(4, 3\)"),
        ({"weights": with_value(WEIGHTS, (1, 2), -3.0)}, r"weights: .* -3 to l.V1 from r.M1 \(1, 2\)"),
        ({"weights": with_value(WEIGHTS, (1, 2), np.nan)}, "weights: expected finite .* l.V1 from r.M1"),
        ({"lengths_mm": with_value(LENGTHS, (0, 3), -1.0)}, "lengths_mm: .* -1 to l.M1 from r.V1"),
        ({"centres_mm": with_value(CENTRES, (2, 0), np.inf)}, "centres_mm: expected finite values, given inf at r.M1"),
        ({"weights": "strong"}, "weights: expected numbers"),
        ({"normals": 2.0 * np.eye(4, 3)}, "normals: expected vectors of length 1, not so at l.M1"),
        ({"centres_mm": with_value(CENTRES, 1, 0.0)}, "l.V1 is in the middle of the head"),
        ({"centres_mm": None, "normals": CENTRES}, "normals are given without centres_mm"),
    ],
)
def test_what_cannot_be_is_refused_with_the_names_of_the_regions(changes, said):
    with pytest.raises(ContractError, match=said):
        connectome(**changes)


def test_its_arrays_are_its_own_and_read_only():
    mine = WEIGHTS.copy()
    c = connectome(weights=mine)
    mine[0, 1] = 99.0
    assert c.weights[0, 1] == 2.0
    with pytest.raises(ValueError, match="read-only"):
        c.weights[0, 1] = 1.0


def test_normals_point_outward_unless_given():
    c = connectome()
    np.testing.assert_allclose(c.normals, CENTRES / np.linalg.norm(CENTRES, axis=1, keepdims=True))


def test_a_region_is_found_by_name_and_its_homologue_too():
    c = connectome()
    assert c.index("r.M1") == 2
    assert list(c.indices(["r.V1", "l.M1"])) == [3, 0]
    assert [c.homologue(x) for x in LABELS] == ["r.M1", "r.V1", "l.M1", "l.V1"]


@pytest.mark.parametrize("given", ["l.m1", "l.M", "lM1"])
def test_an_unknown_region_is_met_with_the_nearest_name(given):
    with pytest.raises(ContractError, match=r"no region is called .*did you mean 'l.M1'"):
        connectome().index(given)


@pytest.mark.parametrize(
    ("labels", "pair"),
    [(("Precentral_L", "Precentral_R"), 0), (("lM1", "rM1"), 0), (("r_insula", "l_insula"), 0),
     (("ctx-lh-cuneus", "ctx-rh-cuneus"), 0), (("Left-Thalamus", "Right-Thalamus"), 0)],
)  # fmt: skip
def test_homologues_of_the_usual_atlases(labels, pair):
    c = Connectome(labels=labels, weights=np.ones((2, 2)), lengths_mm=np.ones((2, 2)))
    assert c.homologue(labels[pair]) == labels[1 - pair]


def test_a_name_without_a_side_has_no_homologue():
    c = Connectome(labels=("brainstem", "x"), weights=np.ones((2, 2)), lengths_mm=np.ones((2, 2)))
    with pytest.raises(ContractError, match="'brainstem' has no homologue"):
        c.homologue("brainstem")


def test_asymmetry_is_refused_only_where_symmetry_is_needed():
    c = connectome(weights=with_value(WEIGHTS, (0, 1), 2.5))
    with pytest.raises(ContractError, match=r"spreading: expected .* symmetric weights, given 2.5 to l.M1 from l.V1"):
        c.require_symmetric("spreading")
    c.symmetrised().require_symmetric("spreading")
    assert c.symmetrised().weights[0, 1] == 2.25
    unequal = connectome(lengths_mm=with_value(LENGTHS, (0, 1), 60.0))
    with pytest.raises(ContractError, match="symmetric lengths_mm"):
        unequal.require_symmetric("spreading")
    connectome(lengths_mm=with_value(LENGTHS, (0, 3), 60.0)).require_symmetric("no tract there")


def test_a_tract_seen_in_one_direction_keeps_its_length():
    one_way = connectome(weights=with_value(WEIGHTS, (0, 1), 0.0), lengths_mm=with_value(LENGTHS, (0, 1), 0.0))
    assert one_way.symmetrised().lengths_mm[0, 1] == one_way.symmetrised().lengths_mm[1, 0] == 50.0


def test_who_needs_places_says_so():
    without = connectome(centres_mm=None)
    with pytest.raises(ContractError, match="eeg: expected a connectome whose regions have places"):
        without.require_places("eeg")
    centres, normals = connectome().require_places("eeg")
    assert centres.shape == normals.shape == (4, 3)


def test_normalised():
    c = connectome()
    assert c.normalised().weights.max() == 1.0
    np.testing.assert_allclose(c.normalised("incoming").weights.sum(1), 1.0)
    assert np.abs(np.linalg.eigvals(c.normalised("radius").weights)).max() == pytest.approx(1.0)
    with pytest.raises(ContractError, match="largest, incoming or radius"):
        c.normalised("mean")
    with pytest.raises(ContractError, match="given none"):
        connectome(weights=np.zeros((4, 4))).normalised()


@settings(max_examples=30, deadline=None)
@given(share=st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4))
def test_a_lesion_takes_its_share_of_both_ends_and_leaves_the_original(share):
    c = connectome()
    kept = 1.0 - np.array(share)
    np.testing.assert_array_equal(c.lesioned(share).weights, c.weights * kept[:, None] * kept[None])
    np.testing.assert_array_equal(c.weights, WEIGHTS)


def test_a_lesion_by_name_is_the_lesion_by_place():
    c = connectome()
    np.testing.assert_array_equal(c.lesioned({"r.M1": 0.3}).weights, c.lesioned([0, 0, 0.3, 0]).weights)
    assert not c.lesioned({"r.M1": 1.0}).weights[2].any()
    with pytest.raises(ContractError, match=r"no region is called 'r\.M2'"):
        c.lesioned({"r.M2": 0.3})
    with pytest.raises(ContractError, match="share of 0 to 1"):
        c.lesioned({"r.M1": 1.5})


def test_a_subset_keeps_the_tracts_among_its_regions():
    c = connectome().subset(("r.M1", "l.M1"))
    assert c.labels == ("r.M1", "l.M1")
    assert c.weights[0, 1] == 4.0
    assert c.lengths_mm[0, 1] == 90.0
    np.testing.assert_array_equal(c.centres_mm, CENTRES[[2, 0]])


def test_delays_are_lengths_over_speed():
    np.testing.assert_allclose(connectome().delays_s(5.0)[0, 1], 0.010)
    for speed in (0.0, -1.0, np.nan):
        with pytest.raises(ContractError, match="a speed above 0"):
            connectome().delays_s(speed)


def test_density_counts_tracts_between_regions_only():
    c = connectome(weights=WEIGHTS + np.eye(4))
    assert c.density == 8 / 12
    assert dataclasses.replace(c, weights=np.zeros((4, 4))).density == 0.0
