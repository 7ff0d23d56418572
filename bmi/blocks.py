"""Blocks of a session: what is asked, for how long, with how much assist, and whether one may learn from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le


@dataclass(kw_only=True)
class Until:
    """A block may end early: enough of the last trials were won."""

    success: Annotated[float, Gt(0), Le(1)]
    """Share of them that must be won."""
    of: Annotated[int, Ge(1)] = 8
    """How many trials to look back at; with fewer the block goes on."""

    def met(self, won: Sequence[bool]) -> bool:
        """Return whether the trials ended so far, oldest first, are good enough."""
        return len(won) >= self.of and sum(won[-self.of :]) >= self.success * self.of - 1e-9


@dataclass(kw_only=True)
class Block:
    """One block: it ends after ``seconds`` or ``trials``, whichever comes first; with neither, when told."""

    name: str
    """Shown to the operator and written to the recording."""
    seconds: Annotated[float, Gt(0)] | None = None
    """Longest duration, s."""
    trials: Annotated[int, Gt(0)] | None = None
    """Number of trials."""
    assist: tuple[float, float] = (0.0, 0.0)
    """Share of the goal-directed intention in the command at the beginning and at the end, 0 to 1; linear over
    ``seconds``."""
    assist_step: Annotated[float, Gt(0), Le(1)] | None = None
    """Let assist fall by this much after every trial won and rise after every one lost, between the two values of
    ``assist``, instead of with time. The block ends once it has reached the second."""
    until: Until | None = None
    """When the block may end before its ``seconds`` or ``trials``."""
    learn: bool = False
    """Whether the learner may use this block."""
    scored: bool = False
    """Whether the summary speaks of this block. Scored blocks take no assist."""
    rest_s: Annotated[float, Ge(0)] = 0.0
    """Pause without goals before the block, s: time for the last parameter update to arrive."""

    def __post_init__(self) -> None:
        if not all(0.0 <= a <= 1.0 for a in self.assist):
            raise ValueError(f"assist goes from 0 to 1, given {self.assist}")
        if self.scored and any(self.assist):
            raise ValueError(f"a scored block takes no assist, given {self.assist}")
        if self.assist[0] != self.assist[1] and self.seconds is None and self.assist_step is None:
            raise ValueError("assist that changes needs 'seconds', over which it changes, or 'assist_step'")
        if self.assist_step is not None and self.assist[0] <= self.assist[1]:
            raise ValueError(f"assist_step lets assist fall from the first value to the second, given {self.assist}")


class Blocks:
    """Walks through the blocks; a function of ``now`` and of how the trials ended.

    Attributes
    ----------
    index : int
        Current block; ``len(blocks)`` when all are over.
    assist : float
        Share of assist now.
    resting : bool
        In the pause before the block.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = tuple(blocks)
        self.index = 0
        self.assist = self.blocks[0].assist[0]
        self.resting = self.blocks[0].rest_s > 0
        self._t_start: float | None = None
        self._seen = 0

    @property
    def current(self) -> Block:
        """The current block; after the end, the last."""
        return self.blocks[min(self.index, len(self.blocks) - 1)]

    @property
    def done(self) -> bool:
        """True once every block is over."""
        return self.index >= len(self.blocks)

    @property
    def learning(self) -> bool:
        """Whether labels of this moment may be learned from."""
        return not self.done and not self.resting and self.current.learn

    def step(self, now: float, won: Sequence[bool]) -> bool:
        """Advance to ``now``; ``won`` says how each trial of this block ended. Return True when a block ended."""
        if self.done:
            return False
        if self._t_start is None:
            self._t_start = now + self.current.rest_s
        block, elapsed = self.current, now - self._t_start
        self.resting = elapsed < 0
        over = (block.seconds is not None and elapsed >= block.seconds) or (
            block.trials is not None and len(won) >= block.trials
        )
        if len(won) != self._seen:
            self._seen = len(won)
            over = over or self._after_trial(block, won)
        if over:
            self.end()
            return True
        if block.seconds is not None and block.assist_step is None:
            a0, a1 = block.assist
            self.assist = a0 + (a1 - a0) * min(max(elapsed / block.seconds, 0.0), 1.0)
        return False

    def _after_trial(self, block: Block, won: Sequence[bool]) -> bool:
        """Let assist follow the trial that just ended; return whether the block has reached its aim."""
        if block.assist_step is not None:
            highest, lowest = block.assist
            level = self.assist + (-block.assist_step if won[-1] else block.assist_step)
            self.assist = min(max(level, lowest), highest)
            if self.assist <= lowest + 1e-9:
                return block.until is None or block.until.met(won)
            return False
        return block.until is not None and block.until.met(won)

    def share(self, now: float) -> float:
        """Return how much of the current block's ``seconds`` is over, 0 to 1; 0 if it has none."""
        if self._t_start is None or not self.current.seconds:
            return 0.0
        return min(max((now - self._t_start) / self.current.seconds, 0.0), 1.0)

    def end(self) -> None:
        """End the current block now."""
        self.index += 1
        self._t_start = None
        self._seen = 0
        self.assist = 0.0 if self.done else self.current.assist[0]
        self.resting = not self.done and self.current.rest_s > 0
