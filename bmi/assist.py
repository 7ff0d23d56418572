"""What a goal-directed participant intends, and how much of it helps the decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.errors import ContractError
from bmi.signals import F64, Goal


@dataclass(kw_only=True, eq=False)
class GoalDirected:
    """The intention of someone who wants to reach the goal and stay there.

    .. math:: v = \\begin{cases} 0 & |g - p| \\le f r \\text{ or no goal} \\\\
              \\min(k |g - p|, s) \\, (g - p) / |g - p| & \\text{else}\\end{cases}

    Learners fit decoders to it as the label ("innate" intention: straight at the target, and rest inside it;
    Gilja et al., *Nat. Neurosci.* 15:1752, 2012), and ``blend`` assists with it.
    """

    speed_mm_s: Annotated[float, Gt(0)] = 150.0
    """Largest speed *s*."""
    gain_1_s: Annotated[float, Gt(0)] = 4.0
    """Speed per distance *k*; near the goal the intention slows down."""
    hold_fraction: Annotated[float, Ge(0), Le(1)] = 1.0
    """Share *f* of the target's radius in which rest is intended."""

    def bind(self, n_dims: int) -> None:
        """Allocate for ``n_dims`` dimensions and compile."""
        from bmi import _gate_kernels as kernels

        self._kernel = kernels.toward
        self._out: F64 = np.zeros(n_dims)
        self._kernel(self._out.copy(), self._out.copy(), 0.0, 1.0, 1.0, self._out)

    def step(self, goal: Goal, position: F64) -> F64:
        """Return the intended velocity (n_dims,), mm/s, at ``position`` (n_dims,), mm. Borrowed.

        *Realtime*: every step of the live lane, 1 µs, no allocation.
        """
        if not goal.active:
            self._out[:] = 0.0
            return self._out
        near = self.hold_fraction * goal.radius
        self._kernel(goal.position, position, near, self.gain_1_s, self.speed_mm_s, self._out)
        return self._out


def blend(decoded: F64, ideal: F64, assist: float, out: F64) -> F64:
    """Write ``(1 - assist) decoded + assist ideal`` into ``out`` and return it.

    At 0 and 1 the result is exactly one of them: a NaN in a decoder that is fully assisted does no harm.

    Raises
    ------
    ContractError
        If ``assist`` is not in [0, 1].
    """
    from bmi import _gate_kernels as kernels

    if not 0.0 <= assist <= 1.0:
        raise ContractError(f"assist: expected a share in [0, 1], given {assist!r}")
    kernels.mix(decoded, ideal, assist, out)
    return out
