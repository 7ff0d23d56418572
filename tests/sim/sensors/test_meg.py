"""Magnetic fields of dipoles in a sphere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim.sensors.head import Head
from sim.sensors.meg import Helmet, field_ft, helmet


def vector_field(places: np.ndarray, source: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """Return the whole field of one dipole at ``places`` (n, 3)."""
    ways = [np.tile(axis, (len(places), 1)) for axis in np.eye(3)]
    return np.stack([field_ft(places, way, source[None, :])[:, 0] @ moment for way in ways], axis=1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_a_radial_dipole_is_silent(seed):
    rng = np.random.default_rng(seed)
    ways = rng.standard_normal((12, 3))
    ways /= np.sqrt((ways**2).sum(axis=1, keepdims=True))
    source = rng.uniform(-45.0, 45.0, (1, 3))
    radial = source[0] / np.sqrt((source**2).sum())
    field = field_ft(rng.uniform(0.9, 1.2, (12, 1)) * helmet(12).positions_mm, ways, source)[:, 0]
    assert np.abs(field @ radial).max() < 1e-12 * np.abs(field).max()


def test_outside_the_head_the_field_has_no_sources_and_no_currents():
    source, moment, h = np.array([10.0, 30.0, 50.0]), np.array([5.0, -3.0, 2.0]), 1e-2
    place = np.array([20.0, 70.0, 100.0])
    steps = np.concatenate([place + h * np.eye(3), place - h * np.eye(3)])
    b = vector_field(steps, source, moment)
    gradient = (b[:3] - b[3:]) / (2 * h)  # row: derivative along, column: component
    size = np.abs(gradient).max()
    assert abs(np.trace(gradient)) < 1e-6 * size
    np.testing.assert_allclose(gradient, gradient.T, atol=1e-6 * size)


def test_the_radial_component_is_that_of_the_dipole_alone():
    """Currents that return through the sphere have no radial field: Biot and Savart's law of the dipole remains."""
    around = helmet(30)
    source, moment = np.array([[10.0, -20.0, 50.0]]), np.array([1.0, 2.0, 3.0])
    away = around.positions_mm - source
    primary = np.cross(moment, away) / np.sqrt((away**2).sum(axis=1, keepdims=True)) ** 3
    found = field_ft(around.positions_mm, around.directions, source)[:, 0] @ moment
    # 1e-7 T·m/A times nA·m over mm²: 1e5 fT.
    np.testing.assert_allclose(found, 1e5 * (primary * around.directions).sum(axis=1), rtol=1e-10)


def test_a_helmet_gives_a_lead_field_without_reference():
    field = Head().meg(helmet(50), np.array([[0.0, 30.0, 50.0], [30.0, 0.0, 50.0]]), labels=("a", "b"))
    assert field.matrix.shape == (50, 6)
    assert field.unit == "fT/(nA·m)"
    assert field.measures == "fT"
    with pytest.raises(ContractError, match="no reference"):
        field.average_reference()
    # 10 nA·m, 5 cm below the sensors: of the order of 100 fT, as textbooks have it.
    assert 30.0 < 10.0 * np.abs(field.matrix).max() < 300.0


def test_a_magnetometer_in_the_head_is_refused():
    inside = Helmet(("m",), np.array([[0.0, 0.0, 85.0]]), np.array([[0.0, 0.0, 1.0]]))
    with pytest.raises(ContractError, match="beyond 90 mm"):
        Head().meg(inside, np.array([[0.0, 0.0, 50.0]]))
