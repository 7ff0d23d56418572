"""What the participant intended, estimated afterwards: the labels of closed-loop learning.

Nobody can ask a participant for a velocity. What can be known is what was asked (the goal), where the effector
was, and what the decoder made of it; each estimator is an assumption about how these belong together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt
from scipy.linalg import solve_discrete_are

from bmi.signals import F64


def _toward(goal: F64, position: F64, out: F64) -> float:
    """Write the unit vector from ``position`` to ``goal`` into ``out``, 0 at the goal; return the distance."""
    np.subtract(goal, position, out=out)
    far = math.sqrt(float(out @ out))
    if far > 0.0:
        out /= far
    return far


@dataclass(kw_only=True)
class GoalDirected:
    """Straight to the goal, ``min(gain distance, speed)``, at rest near it: what the assist intends."""

    speed_mm_s: Annotated[float, Gt(0)] = 150.0
    """Largest speed."""
    gain_1_s: Annotated[float, Gt(0)] = 4.0
    """Speed per distance; near the goal the intention slows down."""
    rest_mm: Annotated[float, Ge(0)] = 8.0
    """Distance to the centre of the goal within which rest is intended."""

    def bind(self, n_dims: int) -> None:
        """Do nothing: there is nothing to prepare."""

    def estimate(self, goal: F64, radius: float, position: F64, decoded: F64, out: F64) -> F64:
        """Write the intended velocity (n_dims,), mm/s, into ``out`` and return it."""
        far = _toward(goal, position, out)
        out *= min(self.gain_1_s * far, self.speed_mm_s) if far > self.rest_mm else 0.0
        return out


@dataclass(kw_only=True)
class Rotated:
    """The decoded speed turned toward the goal, zero inside it (ReFIT; Gilja et al. 2012, Nat Neurosci 15:1752).

    The participant is taken to have meant every movement for the goal, as fast as it was made, and to have
    wanted to stay once there.
    """

    def bind(self, n_dims: int) -> None:
        """Do nothing: there is nothing to prepare."""

    def estimate(self, goal: F64, radius: float, position: F64, decoded: F64, out: F64) -> F64:
        """Write the intended velocity (n_dims,), mm/s, into ``out`` and return it."""
        far = _toward(goal, position, out)
        out *= math.sqrt(float(decoded @ decoded)) if far > radius else 0.0
        return out


@dataclass(kw_only=True)
class OptimalFeedback:
    """The next velocity of an optimal feedback controller (Shanechi et al. 2016, PLoS Comput Biol 12:e1004730).

    The participant is modelled as a linear-quadratic regulator of a point at position p that moves with the
    decoded velocity v: with x = (p - g, v), ``x' = [[1, h], [0, a]] x + [0, 1] u``, h the controller's step and
    ``a = exp(-h / tau)``, it minimises ``sum |p - g|² + velocity_weight |v|² + effort_weight |u|²``. The
    intention is the velocity it would choose next, ``a v + u``, no faster than ``speed_mm_s``. Unlike a straight
    line it brakes ahead of the goal and sets right what the decoder did.
    """

    step_s: Annotated[float, Gt(0)] = 0.05
    """Step of the controller, s."""
    tau_s: Annotated[float, Gt(0)] = 0.2
    """Time constant with which a velocity left alone decays, s."""
    velocity_weight_s2: Annotated[float, Ge(0)] = 0.02
    """Cost of speed against distance, s²."""
    effort_weight_s2: Annotated[float, Gt(0)] = 0.05
    """Cost of a change of speed against distance, s²."""
    speed_mm_s: Annotated[float, Gt(0)] = 200.0
    """Largest speed."""

    def bind(self, n_dims: int) -> None:
        """Solve for the controller's gains; every dimension has the same."""
        a = math.exp(-self.step_s / self.tau_s)
        A, B = np.array([[1.0, self.step_s], [0.0, a]]), np.array([[0.0], [1.0]])
        cost = np.diag([1.0, self.velocity_weight_s2])
        X = solve_discrete_are(A, B, cost, np.array([[self.effort_weight_s2]]))
        gains = np.linalg.solve(self.effort_weight_s2 + B.T @ X @ B, B.T @ X @ A)[0]
        self.approach_1_s_ = float(gains[0])
        """Intended speed per distance, 1/s."""
        self.keep_ = float(a - gains[1])
        """Share of the decoded velocity that is kept."""

    def estimate(self, goal: F64, radius: float, position: F64, decoded: F64, out: F64) -> F64:
        """Write the intended velocity (n_dims,), mm/s, into ``out`` and return it."""
        out[:] = self.approach_1_s_ * (goal - position) + self.keep_ * decoded
        speed = math.sqrt(float(out @ out))
        if speed > self.speed_mm_s:
            out *= self.speed_mm_s / speed
        return out
