"""Random-target pursuit: the next target is there the moment the last one is over, anywhere in the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.contracts import TrialResult
from bmi.errors import ContractError
from bmi.signals import F64, Event, Goal
from bmi.tasks.trial import Reach

FARTHEST = 0.8  # of the way from the middle to an edge: then at least a tenth of all places is far enough


@dataclass(kw_only=True, eq=False)
class Pursuit:
    """Random-target pursuit (Hatsopoulos et al., *J. Neurosci.* 27:5105, 2007; O'Doherty et al. 2017).

    Centres of targets are uniform in a box of ``workspace_mm`` around the origin, in any number of dimensions, so
    that every target lies within it whole and at least ``min_distance_mm`` from the one before (the first, from
    the origin). A target is acquired when the effector stays within ``radius_mm`` for ``hold_s``; it is lost when
    the hold has not begun ``timeout_s`` after it appeared (a hold in progress may finish). Either way the next one
    appears at once: movements follow each other without rest, in directions and over distances that never repeat.

    The sequence of targets depends on the generator given to ``bind`` alone, not on what was done: two decoders
    under one seed are asked the same.
    """

    workspace_mm: Annotated[float, Gt(0)] = 200.0
    """Full width of the box on every axis, centred on the origin."""
    radius_mm: Annotated[float, Gt(0)] = 12.0
    """Acceptance radius; the effector is a point."""
    min_distance_mm: Annotated[float, Ge(0)] = 50.0
    """From the centre of one target to the next, at least."""
    hold_s: Annotated[float, Ge(0)] = 0.2
    """Time to stay inside."""
    timeout_s: Annotated[float, Gt(0)] = 4.0
    """Time for one target."""

    def __post_init__(self) -> None:
        self._half = 0.5 * self.workspace_mm - self.radius_mm
        if self._half <= 0:
            raise ContractError(
                f"pursuit: targets of radius_mm={self.radius_mm:g} do not fit into workspace_mm="
                f"{self.workspace_mm:g}; make the one smaller or the other larger"
            )
        if self.min_distance_mm > FARTHEST * self._half:
            raise ContractError(
                f"pursuit: min_distance_mm={self.min_distance_mm:g} leaves too little room from the middle of the "
                f"workspace, from where centres reach {self._half:g} mm; give at most {FARTHEST * self._half:g}"
            )

    @property
    def n_targets(self) -> int:
        """Targets that fit side by side, for the bit rate."""
        return int(max(self.workspace_mm // (2.0 * self.radius_mm), 1.0) ** self._n)

    @property
    def goal(self) -> Goal:
        """What is asked right now; one object, updated in place."""
        return self._reach.goal

    def bind(self, n_dims: int, rng: np.random.Generator) -> None:
        """Fix the number of dimensions; one draw from ``rng`` fixes the sequence of targets."""
        self._n = n_dims
        self._seed = int(rng.integers(1 << 63))
        self._reach = Reach(n_dims, self.radius_mm)
        self.reset()

    def reset(self) -> None:
        """Begin again from the first target, in the same order."""
        self._reach.reset()
        self._rng = np.random.default_rng(self._seed)
        self._place: F64 = np.zeros(self._n)
        self._trial = -1

    def step(self, now: float, position: F64, selected: bool = False) -> Goal:
        """Advance to ``now`` with the effector at ``position`` (n_dims,), mm.

        *Realtime*: every step of the live lane, 2 µs; when a target appears, 20 µs.
        """
        reach = self._reach
        if not reach.goal.active:
            self._next(now, position)
            return reach.goal
        inside = reach.follow(now, position)
        if inside and reach.held(now, self.hold_s):
            self._end(now, position, reach.acquired())
        elif not inside and reach.late(now, self.timeout_s):
            self._end(now, position, reach.missed(now))
        return reach.goal

    def events(self) -> Sequence[Event]:
        """Return what happened since the last call, and forget it."""
        return self._reach.said()

    def results(self) -> Sequence[TrialResult]:
        """Return every trial ended since ``reset``; a target's number is its trial's."""
        return self._reach.results

    def _end(self, now: float, position: F64, result: TrialResult) -> None:
        reach = self._reach
        reach.results.append(result)
        outcome = "success" if result.success else "timeout"
        reach.say(now, "trial.end", outcome=outcome, acquire_s=result.acquire_s)
        self._next(now, position)

    def _next(self, now: float, position: F64) -> None:
        reach = self._reach
        self._trial += 1
        last = self._place
        while True:
            self._place = self._rng.uniform(-self._half, self._half, self._n)
            if np.linalg.norm(self._place - last) >= self.min_distance_mm:
                break
        reach.begin(now, position, self._place, self._trial, self._trial)
        reach.say(now, "trial.start", position=self._place.tolist())
