"""Does a component give the same bits however it is run? Counts the values that differ.

Cut into chunks, on one thread and on several, from a snapshot taken at a random moment, and forked: each run is
compared with one that was made in one piece. The contract allows no difference at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from bmi.signals import AnyArray
from sim.assembly import Assembly
from sim.component import Component
from sim.preparation import Preparation

CHUNKS_S = (0.001, 0.007, 0.010, 1.0)
"""Chunks a run is cut into, s."""

Drive = Sequence[tuple[str, float, Any]]
"""Inputs to give: port, time in s, value."""


class Count(NamedTuple):
    """What a comparison found."""

    how: str
    values: int
    """Values compared: every output and every state at the end."""
    differing: int


def exactness(make: Callable[[], Component], drive: Drive = (), *, seconds: float = 2.0, seed: int = 1) -> list[Count]:
    """Run what ``make`` gives in every way and compare.

    Parameters
    ----------
    make : callable
        Returns the component, unbound, as often as it is called.
    drive : sequence of (port, time, value)
        What it is given.
    seconds : float
        Length of a run; a whole number of milliseconds.
    seed : int
        Of the component, and of the random moment.
    """
    whole = _run(make, drive, seed, [seconds])
    counts = []
    for chunk in CHUNKS_S:
        n = int(seconds / chunk + 1e-9)
        cuts = [chunk] * n + ([seconds - n * chunk] if seconds - n * chunk > 1e-9 else [])
        counts.append(_compare(f"chunks of {1e3 * chunk:g} ms", whole, _run(make, drive, seed, cuts)))
    counts.append(_threads(make, drive, seed, seconds))
    moment = round(np.random.default_rng(seed).uniform(0.1, 0.9) * seconds, 3)
    return counts + _branches(make, drive, seed, seconds, moment)


def _started(make: Callable[[], Component], drive: Drive, seed: int) -> Preparation:
    preparation = Preparation(make(), seed)
    for name, t, value in drive:
        preparation.give(name, t, value)
    return preparation


def _run(make: Callable[[], Component], drive: Drive, seed: int, cuts: Sequence[float]) -> dict[str, AnyArray]:
    preparation = _started(make, drive, seed)
    return _joined([preparation.advance_s(c) for c in cuts], preparation)


def _joined(pieces: list[dict[str, AnyArray]], preparation: Preparation) -> dict[str, AnyArray]:
    shown = {k: np.concatenate([p[k] for p in pieces]) for k in pieces[0]}
    return shown | {f"state {k}": v.copy() for k, v in preparation.component.state().items()}


def _threads(make: Callable[[], Component], drive: Drive, seed: int, seconds: float) -> Count:
    """Compare two of them side by side on one thread with the same on two."""
    runs = []
    for threads in (1, 2):
        first, second = make(), make()
        second.name = f"{second.name} 2"  # type: ignore[misc]  # a field of the dataclass every component is
        both = Assembly([first, second], seed=seed, threads=threads)
        for part in both.parts.values():
            for name, t, value in drive:
                part.give(name, t, value)
        shown = both.advance(round(seconds * 100))
        run = {f"{p} {k}": rows for p, outputs in shown.items() for k, rows in outputs.items()}
        for p, part in both.parts.items():
            run |= {f"{p} state {k}": v for k, v in part.component.state().items()}
        runs.append(run)
    return _compare("1 and 2 threads", *runs)


def _branches(
    make: Callable[[], Component], drive: Drive, seed: int, seconds: float, moment: float
) -> list[Count]:
    trunk = _started(make, drive, seed)
    trunk.advance_s(moment)
    snapshot, fork = trunk.snapshot(), trunk.fork()
    rest = round(seconds - moment, 3)
    first = _joined([trunk.advance_s(rest)], trunk)
    trunk.advance_s(0.123)
    trunk.restore(snapshot)
    return [
        _compare(f"snapshot at {moment:g} s, restored", first, _joined([trunk.advance_s(rest)], trunk)),
        _compare(f"fork at {moment:g} s", first, _joined([fork.advance_s(rest)], fork)),
    ]


def _compare(how: str, one: dict[str, AnyArray], other: dict[str, AnyArray]) -> Count:
    values = differing = 0
    for key, a in one.items():
        b = other[key]
        values += a.size
        if a.shape != b.shape:
            differing += max(a.size, b.size)
        elif a.dtype.kind == "f":
            differing += int(np.count_nonzero((a != b) & ~(np.isnan(a) & np.isnan(b))))
        else:
            differing += int(np.count_nonzero(a != b))
    return Count(how, values, differing)
