"""Where the nodes of several cells of one shape lie in memory: side by side, in tiles, as cables are computed."""

from __future__ import annotations

import numpy as np

from bmi.signals import F64, I64
from sim._cable_kernels import FEW, LANES


class Tiles:
    """Groups of cells side by side; a group's places, node by node, fill tiles of ``LANES``.

    Parameters
    ----------
    n_cells : int
    place : (n_nodes,) int64
        Place of each node in the order of elimination.
    """

    def __init__(self, n_cells: int, place: I64) -> None:
        self.lanes = next(lanes for lanes in (1, FEW, LANES) if n_cells <= lanes or lanes == LANES)
        """Cells of a group."""
        self.groups = -(-n_cells // self.lanes)
        self.tiles = -(-len(place) * self.lanes // LANES)
        """Of a group."""
        # lanes without a cell repeat the last one
        self._cells: I64 = np.minimum(np.arange(self.groups * self.lanes), n_cells - 1)
        self._place = place
        self._sources: dict[int, I64] = {}

    def lay(self, values: F64) -> F64:
        """Return (n_cells, n) as (n_groups, n, lanes)."""
        return values[self._cells].reshape(self.groups, self.lanes, -1).swapaxes(1, 2)

    def nodes(self, values: F64) -> F64:
        """Return (n_cells, n_nodes), or only the first of them, as (n_groups, n_tiles, LANES); 0 where there is none.

        Which value goes where is worked out once for each number of columns.
        """
        n_cells, width = values.shape
        if width not in self._sources:
            self._sources[width] = self._source(n_cells, width)
        behind = np.zeros(n_cells * width + 1)
        behind[:-1] = values.reshape(-1)
        spread: F64 = behind[self._sources[width]]
        return spread

    def _source(self, n_cells: int, width: int) -> I64:
        """Return which of the values, counted through, each place takes; -1 none."""
        wide = np.full((n_cells, len(self._place)), -1, np.int64)
        wide[:, self._place[:width]] = np.arange(n_cells * width).reshape(n_cells, width)
        found = np.full((self.groups, self.tiles * LANES), -1, np.int64)
        flat = self.lay(wide).reshape(self.groups, -1)
        found[:, : flat.shape[1]] = flat
        return found.reshape(self.groups, self.tiles, LANES)
