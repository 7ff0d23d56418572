"""Where nodes lie in tiles, against a loop over cells, nodes and lanes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim._cable_kernels import LANES
from sim.tiles import Tiles


def plain(values: np.ndarray, place: np.ndarray, lanes: int) -> np.ndarray:
    """Return (n_groups, n_tiles * LANES): place p of lane k lies at p * lanes + k."""
    n_cells, width = values.shape
    groups, tiles = -(-n_cells // lanes), -(-len(place) * lanes // LANES)
    out = np.zeros((groups, tiles * LANES))
    for g in range(groups):
        for lane in range(lanes):
            cell = min(g * lanes + lane, n_cells - 1)
            for node in range(width):
                out[g, place[node] * lanes + lane] = values[cell, node]
    return out


@given(st.integers(0, 2**31), st.integers(1, 40), st.integers(1, 24), st.integers(0, 3))
def test_every_node_of_every_cell_lies_where_it_should(seed, n_cells, n_nodes, joints):
    rng = np.random.default_rng(seed)
    place = rng.permutation(n_nodes)
    tiles = Tiles(n_cells, place)
    for width in (n_nodes, max(1, n_nodes - joints)):
        for _ in range(2):  # what was worked out for a width serves again
            values = rng.normal(size=(n_cells, width))
            found = tiles.nodes(values)
            assert found.shape == (tiles.groups, tiles.tiles, LANES)
            assert np.array_equal(found.reshape(tiles.groups, -1), plain(values, place, tiles.lanes))


@pytest.mark.parametrize(("n_cells", "lanes", "groups"), [(1, 1, 1), (2, 4, 1), (4, 4, 1), (5, 16, 1), (33, 16, 3)])
def test_cells_lie_as_many_side_by_side_as_there_are(n_cells, lanes, groups):
    tiles = Tiles(n_cells, np.arange(3))
    assert (tiles.lanes, tiles.groups) == (lanes, groups)
    at_sites = np.arange(2.0 * n_cells).reshape(n_cells, 2)
    laid = tiles.lay(at_sites)
    assert laid.shape == (groups, 2, lanes)
    assert np.array_equal(laid.swapaxes(1, 2).reshape(-1, 2)[:n_cells], at_sites)
