"""The head: electrodes by name, concentric spheres, lead fields of EEG."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim.sensors.head import Head
from sim.sensors.montage import Montage, montage, place
from sim.sensors.spheres import arrivals, homogeneous_potential, surface_potential

RADII, SIGMA = np.array([79.0, 80.0, 85.0, 90.0]), np.array([0.3, 1.5, 0.015, 0.3])


def rotation(seed: int) -> np.ndarray:
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    return q * np.sign(np.diag(r))


def test_the_cap_of_64_has_the_vertex_on_top_and_even_numbers_on_the_right():
    cap = montage(64)
    at = dict(zip(cap.labels, cap.positions_mm, strict=True))
    assert len(at) == 64
    np.testing.assert_allclose(np.sqrt((cap.positions_mm**2).sum(axis=1)), 90.0)
    np.testing.assert_allclose(at["Cz"], [0.0, 0.0, 90.0])
    np.testing.assert_allclose(at["T8"], [90.0, 0.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(at["Fpz"], [0.0, 90.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(at["C4"], 90.0 * np.sqrt(0.5) * np.array([1.0, 0.0, 1.0]), atol=1e-9)
    assert at["O1"][0] < 0.0 < at["O2"][0]
    assert at["O1"][1] < 0.0
    mirror = np.array([-1.0, 1.0, 1.0])
    for odd in (name for name in at if name[-1] in "13579"):
        even = odd[:-1] + str(int(odd[-1]) + 1) if odd[-1] != "9" else odd[:-1] + "10"
        np.testing.assert_allclose(at[even], mirror * at[odd], atol=1e-9)


def test_a_row_is_parted_in_equal_steps_on_a_circle():
    row = place(("F7", "F5", "F3", "F1", "Fz", "F2", "F4", "F6", "F8")).positions_mm
    steps = np.sqrt((np.diff(row, axis=0) ** 2).sum(axis=1))
    np.testing.assert_allclose(steps, steps[0])
    centred = row - row[0]
    assert np.linalg.svd(centred)[1][2] < 1e-9  # in one plane
    # Where tables of the 10-10 system on a sphere have F3.
    np.testing.assert_allclose(np.degrees(np.arccos(row[2][2] / 90.0)), 60.0, atol=1.0)


def test_caps_share_their_electrodes_and_names_ignore_case():
    small, large = montage(19), montage(64)
    for name, where in zip(*small, strict=True):
        np.testing.assert_array_equal(where, large.positions_mm[large.labels.index(name)])
    assert place(("fcz", "PO8")).labels == ("FCz", "PO8")
    assert len(montage(32).labels) == 32


@pytest.mark.parametrize("labels", [("C3", "T3"), ("C3", "c3"), ("X1",)])
def test_names_that_are_not_of_the_system_are_refused(labels):
    with pytest.raises(ContractError, match="montage"):
        place(labels)


def test_there_is_no_cap_of_65():
    with pytest.raises(ContractError, match="19, 32, 64"):
        montage(65)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.0, 78.5))
def test_with_equal_conductivities_shells_are_one_sphere(seed, depth):
    rng = np.random.default_rng(seed)
    way = rng.standard_normal(3)
    source = depth * way[None, :] / np.sqrt(way @ way)
    cap = montage(19).positions_mm
    series = surface_potential(cap, source, RADII, np.full(4, 0.33))
    np.testing.assert_allclose(series, homogeneous_potential(cap, source, 0.33), rtol=0, atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_turning_head_and_dipole_together_changes_nothing(seed):
    turn = rotation(seed)
    rng = np.random.default_rng(seed)
    sources = rng.uniform(-40.0, 40.0, (3, 3))
    cap = montage(19).positions_mm
    here = surface_potential(cap, sources, RADII, SIGMA)
    there = surface_potential(cap @ turn.T, sources @ turn.T, RADII, SIGMA)
    np.testing.assert_allclose(there @ turn, here, rtol=0, atol=1e-12)


def test_the_skull_makes_shells_smaller_and_smoother_than_one_sphere():
    inner = arrivals(40, RADII, SIGMA) / arrivals(40, RADII, np.full(4, 0.3))
    assert inner[0] < 1.0
    assert inner[15] < 0.4
    assert (np.diff(inner[:20]) < 0.0).all()


def test_a_dipole_at_the_middle_is_a_cosine():
    cap = montage(32).positions_mm
    field = surface_potential(cap, np.zeros((1, 3)), RADII, SIGMA)[:, 0, :]
    np.testing.assert_allclose(field / field[:, [2]][0], cap / cap[0, 2], rtol=1e-12)


def test_the_field_along_normals_is_that_of_its_three_columns():
    rng = np.random.default_rng(1)
    sources = rng.uniform(-40.0, 40.0, (5, 3))
    normals = sources / np.sqrt((sources**2).sum(axis=1, keepdims=True))
    free, fixed = (Head().eeg(montage(19), sources, normals=n, labels="abcde") for n in (None, normals))
    assert free.matrix.shape == (19, 15)
    assert fixed.matrix.shape == (19, 5)
    assert fixed.unit == "µV/(nA·m)"
    assert fixed.reference == "infinity"
    assert fixed.sources == tuple("abcde")
    np.testing.assert_allclose((free.matrix.reshape(19, 5, 3) * normals).sum(axis=2), fixed.matrix, atol=1e-15)
    assert np.abs(fixed.average_reference().matrix.sum(axis=0)).max() < 1e-12


def test_an_electrode_counts_by_its_direction():
    a = Head().eeg(montage(19), np.array([[0.0, 30.0, 40.0]]))
    b = Head().eeg(montage(19, radius_mm=100.0), np.array([[0.0, 30.0, 40.0]]))
    np.testing.assert_allclose(a.matrix, b.matrix, rtol=1e-12)


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([[0.0, 0.0, 79.0]], "source 0 is 79.0 mm from the middle"),
        ([[0.0, np.nan, 0.0]], "finite"),
        ([[0.0, 1.0]], r"\(n, 3\)"),
    ],
)
def test_sources_outside_the_brain_are_refused(sources, message):
    with pytest.raises(ContractError, match=message):
        Head().eeg(montage(19), np.array(sources))


@pytest.mark.parametrize(
    "wrong",
    [
        {"radii_mm": (80.0, 79.0), "conductivities_s_m": (0.3, 0.3)},
        {"radii_mm": (79.0, 90.0)},
        {"radii_mm": (90.0,), "conductivities_s_m": (0.0,)},
    ],
)
def test_heads_that_cannot_be_are_refused(wrong):
    with pytest.raises(ContractError, match="Head"):
        Head(**wrong)


def test_labels_must_be_as_many_as_sources():
    with pytest.raises(ContractError, match="2 labels for 1 sources"):
        Head().eeg(Montage(("Cz",), np.array([[0.0, 0.0, 90.0]])), np.zeros((1, 3)), labels=("a", "b"))
