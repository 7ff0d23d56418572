"""Components side by side: wired on the grid, the same numbers on one thread and on many."""

from __future__ import annotations

import numpy as np
import pytest
from oscillator import Oscillators

from bmi.errors import ContractError
from sim.assembly import Assembly, Wire


def push(rows: np.ndarray) -> np.ndarray:
    return 900.0 * rows[-1]


def assembly(threads: int, seed: int = 4) -> Assembly:
    parts = [Oscillators(name=f"o{i}") for i in range(3)]
    wires = [Wire(f"o{i}", "position", f"o{(i + 1) % 3}", "force", push) for i in range(3)]
    return Assembly(parts, wires, seed=seed, threads=threads)


def flat(shown: dict[str, dict[str, np.ndarray]]) -> np.ndarray:
    return np.concatenate([rows.ravel() for part in shown.values() for rows in part.values()])


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_no_number(threads):
    assert np.array_equal(flat(assembly(1).advance(40)), flat(assembly(threads).advance(40)))


def test_cutting_changes_no_number():
    cut = assembly(2)
    pieces = [cut.advance(n) for n in (1, 7, 32)]
    whole = assembly(1).advance(40)
    for name, outputs in whole.items():
        for key, rows in outputs.items():
            assert np.array_equal(np.concatenate([p[name][key] for p in pieces]), rows)


def test_a_wire_carries_a_block_later():
    alone = Assembly([Oscillators(name=f"o{i}") for i in range(3)], seed=4).advance(3)
    wired = assembly(1).advance(3)
    same = wired["o1"]["position"] == alone["o1"]["position"]
    assert same[:5].all()  # the first 10 ms know of nothing
    assert not same[5:].all(axis=1).any()


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        (Wire("o9", "position", "o1", "force", push), "a wire names 'o9'; the components are o0, o1, o2"),
        (Wire("o0", "velocity", "o1", "force", push), "no output 'velocity'; its outputs are position, crossing"),
        (Wire("o0", "position", "o1", "weight", push), "o1: has no input 'weight'; its inputs are force, noise"),
    ],
)
def test_a_wire_from_or_to_nowhere_is_refused(wire, message):
    with pytest.raises(ContractError, match=message):
        Assembly([Oscillators(name=f"o{i}") for i in range(3)], [wire], seed=4)


def test_names_and_threads_are_checked():
    with pytest.raises(ContractError, match="a name of its own"):
        Assembly([Oscillators(), Oscillators()], seed=4)
    with pytest.raises(ContractError, match="threads is 0"):
        Assembly([Oscillators()], seed=4, threads=0)
