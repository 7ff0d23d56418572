"""Centre-out-and-back: reach from the centre to one of several targets on a circle, and hold it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.contracts import TrialResult
from bmi.errors import ContractError
from bmi.signals import F64, Event, Goal
from bmi.tasks.trial import ROUNDING_S, Reach

PAUSE, REACH = 0, 1
CENTRE = -1


@dataclass(kw_only=True, eq=False)
class CentreOut:
    """The centre-out task (Georgopoulos et al., *J. Neurosci.* 2:1527, 1982).

    Targets lie evenly on a circle in the first two dimensions (in one dimension: right, left, right ...).
    Each appears once in a shuffled block. A target is acquired when the effector stays within ``radius_mm``
    for ``hold_s``; it is lost when the hold has not begun ``timeout_s`` after it appeared (a hold in progress
    may finish). Between targets nothing is asked for ``inter_trial_s``.

    With ``return_to_centre`` the centre is shown between peripheral targets. Reaches to the centre are
    neither numbered nor scored, unless ``centre_trials`` says so; they then count as target ``targets``.

    Everything follows from the ``(now, position)`` sequence and the generator given to ``bind``.
    """

    targets: Annotated[int, Ge(2)] = 8
    """Peripheral targets."""
    distance_mm: Annotated[float, Gt(0)] = 80.0
    """From the centre to each."""
    radius_mm: Annotated[float, Gt(0)] = 12.0
    """Acceptance radius; the effector is a point."""
    hold_s: Annotated[float, Ge(0)] = 0.3
    """Time to stay inside."""
    timeout_s: Annotated[float, Gt(0)] = 4.0
    """Time for one target."""
    inter_trial_s: Annotated[float, Ge(0)] = 0.3
    """Rest between targets."""
    return_to_centre: bool = True
    """Show the centre between peripheral targets."""
    centre_trials: bool = False
    """Number and score reaches to the centre as well."""

    def __post_init__(self) -> None:
        if self.radius_mm >= self.distance_mm:
            raise ContractError(
                f"centre-out: radius_mm={self.radius_mm:g} reaches the centre at "
                f"distance_mm={self.distance_mm:g}; "
                "make the targets smaller or farther"
            )
        if self.centre_trials and not self.return_to_centre:
            raise ContractError("centre-out: centre_trials needs return_to_centre")

    @property
    def n_targets(self) -> int:
        """Targets that count, for chance level and bit rate."""
        return self.targets + (1 if self.centre_trials else 0)

    @property
    def goal(self) -> Goal:
        """What is asked right now; one object, updated in place."""
        return self._reach.goal

    def bind(self, n_dims: int, rng: np.random.Generator) -> None:
        """Place the targets in ``n_dims`` dimensions; one draw from ``rng`` fixes their order."""
        self._seed = int(rng.integers(1 << 63))
        self._places = np.zeros((self.targets + 1, n_dims))  # the last row is the centre
        turns = np.arange(self.targets) / (self.targets if n_dims > 1 else 2)
        angle = 2 * np.pi * turns
        self._places[:-1, 0] = self.distance_mm * np.cos(angle)
        if n_dims > 1:
            self._places[:-1, 1] = self.distance_mm * np.sin(angle)
        self._places[np.abs(self._places) < 1e-9] = 0.0
        self._reach = Reach(n_dims, self.radius_mm)
        self.reset()

    def reset(self) -> None:
        """Begin again from the first target, in the same order."""
        self._reach.reset()
        self._trial = -1  # newest scored trial
        self._target = CENTRE if self.return_to_centre else 0
        self._order: list[int] = []
        self._block = 0
        self._was_centre = not self.return_to_centre
        self._phase = PAUSE
        self._t_phase = -math.inf  # the first target appears with the first step

    def step(self, now: float, position: F64, selected: bool = False) -> Goal:
        """Advance to ``now`` with the effector at ``position`` (n_dims,), mm.

        *Realtime*: every step of the live lane, 2 µs; allocates only when a target appears or ends.
        """
        reach = self._reach
        if self._phase == PAUSE:
            if now - self._t_phase >= self.inter_trial_s - ROUNDING_S:
                self._begin(now, position)
            return reach.goal
        inside = reach.follow(now, position)
        if inside and reach.held(now, self.hold_s):
            self._end(now, reach.acquired())
        elif not inside and reach.late(now, self.timeout_s):
            self._end(now, reach.missed(now))
        return reach.goal

    def events(self) -> Sequence[Event]:
        """Return what happened since the last call, and forget it."""
        return self._reach.said()

    def results(self) -> Sequence[TrialResult]:
        """Return every scored trial ended since ``reset``."""
        return self._reach.results

    def _begin(self, now: float, position: F64) -> None:
        reach = self._reach
        to_centre = self.return_to_centre and not self._was_centre
        self._was_centre = to_centre
        self._target = CENTRE if to_centre else self._draw()
        if self._scored():
            self._trial += 1
        reach.begin(now, position, self._places[self._target], self._trial, self._target % (self.targets + 1))
        self._phase = REACH
        reach.say(now, "trial.start" if self._scored() else "centre.start", position=reach.goal.position.tolist())

    def _end(self, now: float, result: TrialResult) -> None:
        reach = self._reach
        if self._scored():
            reach.results.append(result)
        outcome = "success" if result.success else "timeout"
        kind = "trial.end" if self._scored() else "centre.end"
        reach.say(now, kind, outcome=outcome, acquire_s=result.acquire_s)
        reach.goal.active = False
        self._phase, self._t_phase = PAUSE, now

    def _scored(self) -> bool:
        return self._target != CENTRE or self.centre_trials

    def _draw(self) -> int:
        if not self._order:
            self._order = np.random.default_rng([self._seed, self._block]).permutation(self.targets).tolist()
            self._block += 1
        return self._order.pop()
