"""What a goal-directed participant intends, and how much of it helps the decoder."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.contracts import State
from bmi.signals import F64

INSIDE, T_CHANGED = 0, 1


@dataclass(kw_only=True, eq=False)
class GoalDirected:
    """The intention of someone who wants to reach the goal and stay there.

    With the goal at *g* and the effector at *p*, *d = |g - p|*,

    .. math:: v = \\min(k d, s) \\, (g - p) / d, \\qquad v = 0 \\text{ if } d \\le r

    and 0 while nothing is asked. Where the task is to click, the click is intended once the effector has been
    inside the target for ``select_after_s``.

    Learners fit decoders to it as the label (straight at the target, rest inside it; Gilja et al., *Nat.
    Neurosci.* 15:1752, 2012), and ``blend`` assists with it.
    """

    speed_mm_s: Annotated[float, Gt(0)] = 150.0
    """Largest speed *s*."""
    gain_1_s: Annotated[float, Gt(0)] = 4.0
    """Speed per distance *k*; near the goal the intention slows down."""
    rest_mm: Annotated[float, Ge(0)] = 8.0
    """Distance *r* to the centre of the goal within which rest is intended; inside the target's radius."""
    reaction_s: Annotated[float, Ge(0)] = 0.25
    """A participant has not reacted before: labels this soon after a goal are not learned from, s."""
    select_after_s: Annotated[float, Ge(0)] = 0.5
    """Inside the target for so long, s, assist clicks. Longer than ``reaction_s``, so that there is a click to learn
    from before it is taken out of the participant's hands."""
    select_for_s: Annotated[float, Gt(0)] = 0.25
    """A participant who has reacted clicks for so long, s; whether also later inside the target is not known."""

    def bind(self, n_dims: int) -> None:
        """Allocate for ``n_dims`` dimensions and compile."""
        from bmi import _gate_kernels as kernels

        self._toward, self._mix = kernels.toward, kernels.mix
        self._ideal: F64 = np.zeros(n_dims)
        self.blend(np.zeros(n_dims), np.zeros(n_dims), np.zeros(n_dims), 0.5, np.zeros(n_dims))
        self._ideal[:] = 0.0
        self._where = np.array([0.0, -math.inf])

    def watch(self, goal: F64 | None, radius: float, position: F64, now: float) -> float:
        """Take note of whether the effector is inside the goal; return 1.0 if a click is intended by now, else 0.0.

        *Realtime*: every intent of a task that is clicked, 0.5 µs.

        Parameters
        ----------
        goal : (n_dims,) float64 or None
            Centre of the target, mm; None while nothing is asked.
        radius : float
            Acceptance radius, mm.
        position : (n_dims,) float64
            Where the effector is, mm.
        now : float
            Time of the step, s.
        """
        where = self._where
        inside = goal is not None and math.dist(position, goal) <= radius
        if inside != (where.item(INSIDE) == 1.0):
            where[INSIDE], where[T_CHANGED] = inside, now
        return 1.0 if inside and now - where.item(T_CHANGED) >= self.select_after_s else 0.0

    def clicking(self, now: float) -> int:
        """Return whether a click was intended in the step last watched: 1 yes, 0 no, -1 not known.

        The participant answers after ``reaction_s`` to having come inside the target, and to having left it.
        """
        where = self._where
        since = now - where.item(T_CHANGED) - self.reaction_s
        if where.item(INSIDE):
            return 1 if 0.0 <= since < self.select_for_s else -1
        return 0 if since >= 0.0 else -1

    def state(self) -> State:
        """Return where the effector is known to be, and since when, (2,)."""
        return (self._where,)

    def intention(self, goal: F64 | None, position: F64, out: F64) -> F64:
        """Write the intended velocity, mm/s, into ``out`` and return it.

        Parameters
        ----------
        goal : (n_dims,) float64 or None
            Centre of the target, mm; None while nothing is asked.
        position : (n_dims,) float64
            Where the effector is, mm.
        out : (n_dims,) float64
            Takes the result.
        """
        if goal is None:
            out[:] = 0.0
        else:
            self._toward(goal, position, self.rest_mm, self.gain_1_s, self.speed_mm_s, out)
        return out

    def blend(self, decoded: F64, goal: F64 | None, position: F64, assist: float, out: F64) -> F64:
        """Write ``(1 - assist) decoded + assist intention`` into ``out`` and return it.

        Exact at both ends: with ``assist`` 1 a NaN in ``decoded`` does no harm, with 0 the decoder is alone.

        *Realtime*: every intent of an assisted block, about 1.5 µs, allocates nothing.
        """
        self._mix(decoded, self.intention(goal, position, self._ideal), assist, out)
        return out


def blend(decoded: F64, ideal: F64, assist: float, out: F64) -> F64:
    """Write ``(1 - assist) decoded + assist ideal``, all (n_dims,), into ``out`` and return it."""
    from bmi import _gate_kernels as kernels

    kernels.mix(decoded, ideal, assist, out)
    return out
