"""A grid of cells, one of them the target: selecting as fast and as surely as one can."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt

from bmi.contracts import TrialResult
from bmi.errors import ContractError
from bmi.signals import F64, Event, Goal
from bmi.tasks.trial import ROUNDING_S, Reach

NOWHERE = -1


@dataclass(kw_only=True, eq=False)
class Grid:
    """The grid task, also known as WebGrid.

    A square is divided into ``cells`` by ``cells``; one cell is the target, and every cell can be selected. A
    selection anywhere in the grid takes the cell under the effector, right or wrong, and the next target appears at
    once: never in the same place twice running. A wrong selection counts against a right one:

    .. math:: B = \\log_2(N - 1) \\, \\max(S_c - S_i, 0) / t, \\qquad N = \\mathrm{cells}^2

    bit/s [1]_, [2]_. Selecting is a click (``Command.select``, see ``bmi.gate``), or staying in one cell for
    ``dwell_s``, counted from the entry or from the appearance of the target, whichever came later.

    The cells are numbered row by row from the corner of smallest x and y. The goal handed out is the circle
    inscribed in the target's cell; what selects is the cell. A target during whose ``timeout_s`` nothing was selected
    counts as a wrong selection: stricter than leaving it out.

    .. [1] Nuyujukian et al. (2015) IEEE Trans Biomed Eng 62:21.
    .. [2] Pandarinath et al. (2017) eLife 6:e18554.
    """

    cells: Annotated[int, Ge(2)] = 6
    """Cells along each side."""
    side_mm: Annotated[float, Gt(0)] = 200.0
    """Side of the whole square, centred on the origin."""
    select: Literal["click", "dwell"] = "click"
    """How a cell is selected."""
    dwell_s: Annotated[float, Gt(0)] = 0.5
    """Time in one cell that selects it, with ``select: dwell``."""
    timeout_s: Annotated[float, Gt(0)] | None = 10.0
    """Time for one target; null waits for ever."""

    @property
    def n_targets(self) -> int:
        """Cells that can be selected, N."""
        return self.cells * self.cells

    @property
    def selects(self) -> bool:
        """Whether the participant is to click."""
        return self.select == "click"

    @property
    def goal(self) -> Goal:
        """What is asked right now; one object, updated in place."""
        return self._reach.goal

    def bind(self, n_dims: int, rng: np.random.Generator) -> None:
        """Lay out the cells; one draw from ``rng`` fixes the sequence of targets.

        Raises
        ------
        ContractError
            Unless the effector moves in two dimensions.
        """
        if n_dims != 2:
            raise ContractError(f"grid: a square has 2 dimensions, the effector moves in {n_dims}: set its n_dims to 2")
        self._seed = int(rng.integers(1 << 63))
        self._width = self.side_mm / self.cells
        self._reach = Reach(2, 0.5 * self._width)
        self.reset()

    def reset(self) -> None:
        """Begin again from the first target, in the same order."""
        self._reach.reset()
        self._rng = np.random.default_rng(self._seed)
        self._trial = -1
        self._cell, self._t_cell = NOWHERE, math.nan

    def cell(self, position: F64) -> int:
        """Return the number of the cell at ``position`` (2,), mm; -1 beside the grid. The outer rim belongs to it."""
        index = 0
        for value in (float(position[1]), float(position[0])):
            at = value + 0.5 * self.side_mm
            if not 0.0 <= at <= self.side_mm:
                return NOWHERE
            index = index * self.cells + min(int(at / self._width), self.cells - 1)
        return index

    def centre(self, cell: int) -> F64:
        """Return the centre of a cell, (2,), mm."""
        row, column = divmod(cell, self.cells)
        return (np.array([column, row]) + 0.5) * self._width - 0.5 * self.side_mm

    def step(self, now: float, position: F64, selected: bool = False) -> Goal:
        """Advance to ``now`` with the effector at ``position`` (2,), mm; ``selected`` if a click passed the gate.

        *Realtime*: every step of the live lane, 3 µs; when a target appears, 10 µs.
        """
        reach = self._reach
        cell = self.cell(position)
        if cell != self._cell:
            self._cell, self._t_cell = cell, now
        if not reach.goal.active:
            self._next(now, position)
            return reach.goal
        reach.follow(now, position)
        if cell != NOWHERE and self._taken(now, selected):
            self._end(now, position, "success" if cell == reach.target else "wrong")
        elif self.timeout_s is not None and reach.late(now, self.timeout_s):
            self._end(now, position, "timeout")
        return reach.goal

    def events(self) -> Sequence[Event]:
        """Return what happened since the last call, and forget it."""
        return self._reach.said()

    def results(self) -> Sequence[TrialResult]:
        """Return every selection since ``reset``; ``success`` if it was the right one."""
        return self._reach.results

    def _taken(self, now: float, selected: bool) -> bool:
        if self.selects:
            return selected
        return now - max(self._t_cell, self._reach.goal.t_onset) >= self.dwell_s - ROUNDING_S

    def _end(self, now: float, position: F64, outcome: str) -> None:
        reach = self._reach
        result = reach.result(outcome == "success", now, reach.path_mm)
        reach.results.append(result)
        reach.say(now, "trial.end", outcome=outcome, acquire_s=result.acquire_s, cell=self._cell)
        self._next(now, position)

    def _next(self, now: float, position: F64) -> None:
        """Ask for another cell than the last."""
        reach = self._reach
        self._trial += 1
        if reach.target == NOWHERE:
            target = int(self._rng.integers(self.n_targets))
        else:
            target = (reach.target + 1 + int(self._rng.integers(self.n_targets - 1))) % self.n_targets
        reach.begin(now, position, self.centre(target), self._trial, target)
        reach.say(now, "trial.start", position=reach.goal.position.tolist())
