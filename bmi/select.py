"""From the probability of a click to the one command that selects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi import limits as house
from bmi.contracts import State
from bmi.errors import ContractError
from bmi.signals import F64

READY, T_ROSE, T_LAST = 0, 1, 2
_ROUNDING_S = 1e-6


@dataclass(kw_only=True, eq=False)
class Selection:
    """When the gate lets a click pass: on a rise of its probability, once, never in passing.

    A selection is made when the probability has been ``threshold`` or more for ``hold_s``, having been below
    ``release`` before. Then for ``refractory_s`` nothing is selected, and a rise within that time is lost, not
    put off: by then the effector points at something else. While the gate lets nothing pass (stale, silent or
    future samples, abstaining, not armed, tripped, stopped, waiting for the neutral command) nothing is selected
    either, and afterwards the probability must have been below ``release`` again: what rose unseen does not count.

    What is no probability (NaN, below 0, above 1) counts as nothing passing.
    """

    threshold: Annotated[float, Gt(0), Le(1)] = 0.5
    """Probability from which a click is taken for intended."""
    release: Annotated[float, Gt(0), Le(1)] = 0.3
    """Probability below which the click before is over."""
    hold_s: Annotated[float, Ge(0)] = 0.04
    """Time the probability must stay up."""
    refractory_s: Annotated[float, Gt(0)] = 0.3
    """Time after a selection in which there is no other."""

    def __post_init__(self) -> None:
        if self.release > self.threshold:
            raise ContractError(
                f"gate.select: release={self.release:g} is above threshold={self.threshold:g}; a click must be over "
                "before the next: make it the lower of the two"
            )
        if self.refractory_s < house.SELECT_REFRACTORY_S:
            raise ContractError(
                f"gate.select: refractory_s={self.refractory_s:g} s must be at least {house.SELECT_REFRACTORY_S:g} s; "
                "configuration can only make the house's limit stricter. Raise it or leave it out."
            )
        self._memory: F64 = np.empty(3)
        self.reset()

    def step(self, probability: float, now: float) -> bool:
        """Return whether the command of this step selects; called once for every intent that passes.

        *Realtime*: every bin of a session with a click decoder, 0.5 µs.
        """
        memory = self._memory
        if not 0.0 <= probability <= 1.0 or now - memory.item(T_LAST) < self.refractory_s - _ROUNDING_S:
            self.block()
        elif probability < self.threshold:
            memory[T_ROSE] = math.inf
            if probability < self.release:
                memory[READY] = 1.0
        elif memory.item(READY):
            memory[T_ROSE] = rose = min(memory.item(T_ROSE), now)
            if now - rose >= self.hold_s - _ROUNDING_S:
                memory[T_LAST] = now
                self.block()
                return True
        return False

    def block(self) -> None:
        """Nothing passes now: a rise that has begun is void."""
        self._memory[READY] = 0.0
        self._memory[T_ROSE] = math.inf

    def state(self) -> State:
        """Return whether a rise would count, when it began, and when the last selection was, (3,)."""
        return (self._memory,)

    def reset(self) -> None:
        """Forget what was selected; a rise counts once the probability was below ``release``."""
        self.block()
        self._memory[T_LAST] = -math.inf
