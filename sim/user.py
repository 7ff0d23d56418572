"""The person in the loop: sees the cursor late, the goal later still, and intends to bring one to the other.

The intention is a velocity toward the goal, as fast as the user likes while far and in proportion to the
distance near it, so that a reach starts smoothly, has a bell-shaped speed and stops inside the target [1]_.
Sight is old by the visual delay; the user makes up for it by remembering what was intended since (an
efference copy) [2]_, [3]_. Noise grows with the intended speed [4]_.

Everything happens on a grid of 10 ms, and what is seen is stamped: its ``t`` decides when it takes effect,
not the moment of the call. A goal that gives way to another at once, without a pause, is pursued until the new one
has been perceived; the error of aim is drawn anew with it.

Who watches while the cursor is assisted need not steer: with ``imagery`` the user then imagines the movement seen,
later and weaker than an intention of their own. A decoder calibrated on such data alone meets another modulation
when the user takes over [5]_, [6]_.

.. [1] Flash & Hogan (1985) J Neurosci 5:1688. Minimum-jerk reaches.
.. [2] Miall & Wolpert (1996) Neural Networks 9:1265. Forward models.
.. [3] Golub, Yu & Chase (2015) eLife 4:e10015. Internal models of a brain-machine interface.
.. [4] Harris & Wolpert (1998) Nature 394:780. Signal-dependent noise.
.. [5] Tkach, Reimer & Hatsopoulos (2007) J Neurosci 27:13241. Motor cortex while watching a familiar task.
.. [6] Jarosiewicz et al. (2013) J Neural Eng 10:046012. Open-loop against closed-loop calibration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.signals import F64, EffectorState, Goal
from sim import GRID_S
from sim.clicking import Clicking


class _Delay:
    """What was seen, waiting for the grid step at which it takes effect; of two for one step the newer."""

    def __init__(self, delay_s: float, t0: float, n_values: int) -> None:
        self.delay_s, self.t0 = delay_s, t0
        n_slots = math.ceil(delay_s / GRID_S) + 100  # a sender may be a second early
        self.values: F64 = np.zeros((n_slots, n_values))
        self.stamps = [-math.inf] * n_slots
        self.held: F64 = np.zeros(n_values)
        self.held_t = -math.inf

    def put(self, step: int, t: float) -> F64 | None:
        """Return the row to fill with what was seen at ``t``, or None if something newer is there already."""
        due = math.ceil((t - self.t0 + self.delay_s) / GRID_S - 1e-6)
        slot = min(max(due, step), step + len(self.stamps) - 1) % len(self.stamps)
        if t < self.stamps[slot] or t < self.held_t:
            return None
        self.stamps[slot] = t
        row: F64 = self.values[slot]
        return row

    def take(self, step: int) -> F64:
        """Return what is perceived at grid step ``step``."""
        slot = step % len(self.stamps)
        stamp, self.stamps[slot] = self.stamps[slot], -math.inf
        if stamp >= self.held_t and stamp > -math.inf:
            self.held[:] = self.values[slot]
            self.held_t = stamp
        return self.held


@dataclass(kw_only=True)
class User:
    """A participant who tries: delays, speed, steadiness."""

    reaction_s: Annotated[float, Gt(0)] = 0.22
    """From the appearance of a goal to the first intention toward it, s."""
    feedback_delay_s: Annotated[float, Gt(0)] = 0.10
    """Age of the cursor position the user acts upon, s."""
    speed_mm_s: Annotated[float, Gt(0)] = 200.0
    """Intended speed while far from the goal, mm/s."""
    gain_1_s: Annotated[float, Gt(0)] = 4.0
    """Intended speed per distance near the goal, 1/s."""
    rise_s: Annotated[float, Ge(0)] = 0.05
    """Time constant with which the intention follows its plan, s."""
    forward_model: Annotated[float, Ge(0), Le(1)] = 0.7
    """How much of the own intention since the seen position is added to it: 0 nothing, 1 all."""
    rest_fraction: Annotated[float, Ge(0), Le(1)] = 0.3
    """Inside this fraction of the goal's radius the user is content and intends to rest."""
    noise: Annotated[float, Ge(0)] = 0.15
    """Standard deviation of the intention, as a fraction of its speed."""
    noise_s: Annotated[float, Gt(0)] = 0.10
    """Correlation time of that noise, s."""
    aim_noise_rad: Annotated[float, Ge(0)] = 0.05
    """Standard deviation of the error of aim, drawn anew for every goal, rad."""
    imagery: Annotated[float, Ge(0), Le(1)] = 0.0
    """While the cursor is fully assisted, share of the imagined seen movement in the intention; in proportion to the
    assist before. 0 steers as if in control."""
    imagery_gain: Annotated[float, Ge(0)] = 0.7
    """Imagined speed per speed seen."""
    clicks: bool = False
    """Whether the user clicks on what is reached; the intended velocity rests meanwhile."""
    click_after_s: Annotated[float, Gt(0)] = 0.10
    """The cursor is seen inside the goal for so long before a click, s."""
    click_s: Annotated[float, Gt(0)] = 0.20
    """How long a click is intended, s."""
    click_patience_s: Annotated[float, Ge(0)] = 0.60
    """How long its effect is waited for before another try, s."""

    def bind(self, rng: np.random.Generator, *, n_dims: int, t0: float) -> None:
        """Sit the user down at time ``t0``, s, at rest, with nothing asked."""
        self._rng = rng
        self._step = 0
        self._cursor = _Delay(self.feedback_delay_s, t0, 2 * n_dims + 1)
        self._goal = _Delay(self.reaction_s, t0, n_dims + 3)
        self._trial = -1.0
        self._efference: F64 = np.zeros((max(1, round(self.feedback_delay_s / GRID_S)), n_dims))
        self._plan: F64 = np.zeros(n_dims)
        self._tremor: F64 = rng.standard_normal(n_dims)
        self._misaim: F64 = np.zeros(n_dims)
        self._normal: F64 = np.empty((2, n_dims))
        self._follow = 1.0 if self.rise_s == 0 else 1.0 - math.exp(-GRID_S / self.rise_s)
        self._decay = math.exp(-GRID_S / self.noise_s)
        self.intended: F64 = np.zeros(n_dims)
        """Intended velocity (n_dims,), mm/s, since the last step; updated in place."""
        steps = [round(s / GRID_S) for s in (self.click_after_s, self.click_s, self.click_patience_s)]
        self._clicking = Clicking(*steps) if self.clicks else None
        self.intended_click = 0.0
        """1 while a click is intended, else 0, since the last step."""

    def see(self, t: float, effector: EffectorState, goal: Goal) -> None:
        """Show the cursor and the goal as they are at ``t``, s; the values are copied.

        They take effect ``feedback_delay_s`` and ``reaction_s`` after ``t``, or at the next grid step if that
        has passed already.
        """
        row = self._cursor.put(self._step, t)
        if row is not None:
            n = len(effector.position)
            row[:n] = effector.position
            row[n:-1] = effector.velocity
            row[-1] = goal.assist
        row = self._goal.put(self._step, t)
        if row is not None:
            row[:-3] = goal.position
            row[-3], row[-2], row[-1] = goal.radius, goal.active, goal.trial

    @property
    def seen(self) -> F64:
        """Where the user perceives the effector, (n_dims,), mm: late; borrowed."""
        return self._cursor.held[: len(self.intended)]

    @property
    def asked(self) -> F64:
        """What the user knows of the goal, (n_dims + 3,): position, radius, mm, whether it is on, trial; borrowed."""
        return self._goal.held

    def step(self) -> F64:
        """Return the velocity intended for the next 10 ms, (n_dims,), mm/s; borrowed."""
        self._rng.standard_normal(out=self._normal)
        cursor, goal = self._cursor.take(self._step), self._goal.take(self._step)
        n = len(self.intended)
        seen = cursor[:n]
        radius, active, trial = goal[-3:].tolist()
        if trial != self._trial:
            self._trial = trial
            self._misaim = self.aim_noise_rad * self._normal[1]
        believed = seen + (self.forward_model * GRID_S) * np.add.reduce(self._efference)
        wanted = self._toward(goal[:-3] - believed, radius) if active else 0.0
        if self._clicking is not None:
            inside = active and math.dist(seen.tolist(), goal[:-3].tolist()) <= radius
            self.intended_click = float(self._clicking.step(inside, trial))
            wanted = 0.0 if self.intended_click else wanted
        watching = self.imagery * cursor[-1]
        if watching:
            wanted = (1.0 - watching) * wanted + (watching * self.imagery_gain) * cursor[n:-1]
        self._plan += self._follow * (wanted - self._plan)
        self._tremor *= self._decay
        self._tremor += math.sqrt(1.0 - self._decay**2) * self._normal[0]
        self.intended[:] = self._plan + (self.noise * math.hypot(*self._plan.tolist())) * self._tremor
        self._efference[self._step % len(self._efference)] = self.intended
        self._step += 1
        return self.intended

    def _toward(self, error: F64, radius: float) -> F64:
        distance = math.hypot(*error.tolist())
        beyond = distance - self.rest_fraction * radius
        if beyond <= 0.0:
            return np.zeros_like(error)
        direction = error / distance
        across = self._misaim - (self._misaim @ direction) * direction
        speed = min(self.speed_mm_s, self.gain_1_s * beyond)
        return speed * (direction + across)
