"""What every task keeps of the reach in progress, and of those that ended."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bmi.contracts import TrialResult
from bmi.signals import F64, Event, Goal

ROUNDING_S = 1e-6
"""So that 15 steps of 20 ms are 0.3 s."""


class Reach:
    """One reach as it goes: its goal, the way since the goal appeared, and whether the effector is inside.

    Being inside means within ``goal.radius`` of the centre, rim included; the effector is a point.

    Attributes
    ----------
    goal : Goal
        What is asked right now; one object, updated in place.
    target : int
        Number of the target, as the task counts them.
    t_enter : float
        When the effector entered the target without having left it since, s; NaN outside.
    path_mm, path_enter_mm : float
        Way since onset, and until that entry.
    results : list of TrialResult
        Trials ended since ``reset``.
    """

    def __init__(self, n_dims: int, radius_mm: float) -> None:
        self.goal = Goal(np.zeros(n_dims), float(radius_mm))
        self.results: list[TrialResult] = []
        self._events: list[Event] = []
        self._n = n_dims
        self.reset()

    def reset(self) -> None:
        """Nothing asked, nothing done."""
        goal = self.goal
        goal.active, goal.trial, goal.t_onset = False, -1, 0.0
        goal.position[:] = 0.0
        self.results.clear()
        self._events.clear()
        self.target = -1
        self._at = self._start = [0.0] * self._n
        self.path_mm = self.path_enter_mm = 0.0
        self.t_enter = math.nan

    def begin(self, now: float, position: F64, place: F64, trial: int, target: int) -> None:
        """Ask for the target with its centre at ``place`` (n_dims,), mm, as trial number ``trial``."""
        goal = self.goal
        goal.position[:] = place
        goal.active, goal.trial, goal.t_onset = True, trial, now
        self.target = target
        self._at = [float(p) for p in position]
        self._start = list(self._at)
        self.path_mm = self.path_enter_mm = 0.0
        self.t_enter = math.nan

    def follow(self, now: float, position: F64) -> bool:
        """Go with the effector to ``position`` (n_dims,), mm; return whether it is inside, and say if that is new."""
        square = 0.0
        for i, was in enumerate(self._at):
            here = float(position[i])
            square += (here - was) * (here - was)
            self._at[i] = here
        self.path_mm += math.sqrt(square)
        inside = math.dist(self._at, self.goal.position) <= self.goal.radius
        if inside and math.isnan(self.t_enter):
            self.t_enter, self.path_enter_mm = now, self.path_mm
            self.say(now, "target.enter")
        elif not inside and not math.isnan(self.t_enter):
            self.t_enter = math.nan
            self.say(now, "target.leave")
        return inside

    def held(self, now: float, hold_s: float) -> bool:
        """Whether the effector has been inside for ``hold_s``."""
        return now - self.t_enter >= hold_s - ROUNDING_S

    def late(self, now: float, timeout_s: float) -> bool:
        """Whether the target has been there for ``timeout_s``."""
        return now - self.goal.t_onset >= timeout_s - ROUNDING_S

    def result(self, success: bool, t: float, path_mm: float) -> TrialResult:
        """Return what the reach came to if it ended at ``t``, s, after a way of ``path_mm``."""
        goal = self.goal
        return TrialResult(
            trial=goal.trial,
            success=success,
            t_start_s=goal.t_onset,
            acquire_s=t - goal.t_onset,
            path_mm=path_mm,
            distance_mm=math.dist(self._start, goal.position),
            width_mm=2.0 * goal.radius,
            target=self.target,
        )

    def acquired(self) -> TrialResult:
        """Return the result of a target that was held: it was acquired at the entry that was held."""
        return self.result(True, self.t_enter, self.path_enter_mm)

    def missed(self, now: float) -> TrialResult:
        """Return the result of a target that was not acquired in time."""
        return self.result(False, now, self.path_mm)

    def say(self, now: float, kind: str, **data: object) -> None:
        """Note an event of this trial and target."""
        self._events.append(Event(now, kind, {"trial": self.goal.trial, "target": self.target, **data}))

    def said(self) -> Sequence[Event]:
        """Return what happened since the last call, and forget it."""
        if not self._events:
            return ()
        out = tuple(self._events)
        self._events.clear()
        return out
