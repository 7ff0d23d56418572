"""Several components and the wires between them, on one clock.

Components exchange on the grid of 10 ms and not in between, so that within a block each runs alone, on whatever
thread is free: the numbers are the same with one thread and with many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from bmi.errors import ContractError
from bmi.signals import AnyArray
from sim import GRID_S
from sim.component import Component
from sim.preparation import Preparation


class Wire(NamedTuple):
    """Carries an output of one component into an input of another, a block of 10 ms later."""

    source: str
    output: str
    target: str
    input: str
    carry: Callable[[AnyArray], AnyArray]
    """Turns the rows or events of one block into the input's value; pure."""


class Assembly:
    """Runs components side by side.

    Parameters
    ----------
    components : sequence of Component
        With names of their own.
    wires : sequence of Wire
    seed : int
        Every component draws from it under its own name.
    threads : int
        Components that may run at once; changes no number.
    """

    def __init__(
        self, components: Sequence[Component], wires: Sequence[Wire] = (), *, seed: int, threads: int = 1
    ) -> None:
        names = [c.name for c in components]
        if len(set(names)) != len(names):
            raise ContractError(f"Assembly: expected a name of its own for every component, given {names}")
        if threads < 1:
            raise ContractError(f"Assembly: threads is {threads}, expected at least 1")
        self.parts = {c.name: Preparation(c, seed) for c in components}
        for w in wires:
            self._check(w)
        self._wires = tuple(wires)
        self._threads = threads
        self._blocks = 0

    def _check(self, wire: Wire) -> None:
        for end in (wire.source, wire.target):
            if end not in self.parts:
                raise ContractError(f"Assembly: a wire names {end!r}; the components are {', '.join(self.parts)}")
        outputs = [p.name for p in self.parts[wire.source].component.outputs]
        if wire.output not in outputs:
            raise ContractError(f"{wire.source}: has no output {wire.output!r}; its outputs are {', '.join(outputs)}")
        inputs = [p.name for p in self.parts[wire.target].component.inputs]
        if wire.input not in inputs:
            raise ContractError(f"{wire.target}: has no input {wire.input!r}; its inputs are {', '.join(inputs)}")

    def advance(self, n_blocks: int) -> dict[str, dict[str, AnyArray]]:
        """Advance by ``n_blocks`` of 10 ms; return what every output of every component showed, by their names."""
        shown: dict[str, dict[str, list[AnyArray]]] = {
            name: {p.name: [] for p in part.component.outputs} for name, part in self.parts.items()
        }
        with ThreadPoolExecutor(self._threads) as pool:
            for _ in range(n_blocks):
                blocks = pool.map(lambda part: part.advance(part.n_block), self.parts.values())
                for name, outputs in zip(self.parts, list(blocks), strict=True):
                    for key, rows in outputs.items():
                        shown[name][key].append(rows)
                self._blocks += 1
                for w in self._wires:
                    value = w.carry(shown[w.source][w.output][-1])
                    self.parts[w.target].give(w.input, self._blocks * GRID_S, value)
        return {
            name: {key: np.concatenate(rows) for key, rows in outputs.items()} for name, outputs in shown.items()
        }
