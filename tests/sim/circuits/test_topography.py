"""Preferred directions lie in columns: like ones together, every place kept, everything else as it was."""

import numpy as np
import pytest

from bmi.errors import ContractError
from sim.circuits.anatomy import Tuning
from sim.circuits.tissue import Tissue
from sim.circuits.topography import arranged


def circle(n: int, seed: int) -> np.ndarray:
    a = np.random.default_rng(seed).uniform(0, 2 * np.pi, n)
    return np.stack([np.cos(a), np.sin(a)], axis=1)


def likeness(positions: np.ndarray, directions: np.ndarray, within_um: float) -> float:
    """Mean cosine between neighbours' preferred directions."""
    away = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    near = (away < within_um) & (away > 0)
    return float((directions @ directions.T)[near].mean())


def test_neighbours_prefer_like_directions_the_more_the_larger_the_share() -> None:
    rng = np.random.default_rng(1)
    places, directions = rng.uniform(0, 1000, (800, 2)), circle(800, 2)
    found = [likeness(arranged(np.random.default_rng(3), places, directions, s, 600.0), directions, 60.0)
             for s in (0.0, 0.5, 0.8, 1.0)]  # fmt: skip
    assert abs(found[0]) < 0.05
    assert found[0] < found[1] < found[2] < found[3]
    assert found[3] > 0.7


def test_every_place_is_taken_once() -> None:
    places = np.random.default_rng(1).uniform(0, 1000, (300, 2))
    moved = arranged(np.random.default_rng(3), places, circle(300, 2), 0.9, 400.0)
    assert np.array_equal(np.sort(places, axis=0), np.sort(moved, axis=0))


def test_one_dimension_cannot_be_mapped() -> None:
    with pytest.raises(ContractError, match="needs 2 dimensions, given 1"):
        arranged(np.random.default_rng(3), np.zeros((4, 2)), np.ones((4, 1)), 0.9, 400.0)


def test_a_map_moves_places_and_nothing_else() -> None:
    drawn = []
    for share in (0.0, 0.9):
        tissue = Tissue(n_neurons=300, contacts=30, tuning=Tuning(topography=share))
        tissue.bind(4)
        drawn.append(tissue.anatomy_)
    plain, mapped = drawn
    assert np.array_equal(plain.drive_mv, mapped.drive_mv)
    assert np.array_equal(plain.plastic.weight, mapped.plastic.weight)
    assert np.array_equal(plain.positions_um[plain.n_exc :], mapped.positions_um[mapped.n_exc :])
    assert likeness(mapped.positions_um[:240], mapped.directions, 100.0) > 0.4
