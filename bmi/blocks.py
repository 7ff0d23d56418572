"""Blocks of a session: what is asked, for how long, with how much assist, and whether one may learn from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt


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
        if self.assist[0] != self.assist[1] and self.seconds is None:
            raise ValueError("assist that changes needs 'seconds', over which it changes")


class Blocks:
    """Walks through the blocks; a function of ``now`` and the number of trials ended.

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

    def step(self, now: float, n_trials: int) -> bool:
        """Advance to ``now`` with ``n_trials`` ended in this block; return True when a block ended."""
        if self.done:
            return False
        if self._t_start is None:
            self._t_start = now + self.current.rest_s
        block, elapsed = self.current, now - self._t_start
        self.resting = elapsed < 0
        over = (block.seconds is not None and elapsed >= block.seconds) or (
            block.trials is not None and n_trials >= block.trials
        )
        if over:
            self.end()
            return True
        if block.seconds is not None:
            a0, a1 = block.assist
            self.assist = a0 + (a1 - a0) * min(max(elapsed / block.seconds, 0.0), 1.0)
        return False

    def share(self, now: float) -> float:
        """Return how much of the current block's ``seconds`` is over, 0 to 1; 0 if it has none."""
        if self._t_start is None or not self.current.seconds:
            return 0.0
        return min(max((now - self._t_start) / self.current.seconds, 0.0), 1.0)

    def end(self) -> None:
        """End the current block now."""
        self.index += 1
        self._t_start = None
        self.assist = 0.0 if self.done else self.current.assist[0]
        self.resting = not self.done and self.current.rest_s > 0
