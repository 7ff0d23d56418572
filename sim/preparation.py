"""A component on the bench: stimulated through its inputs, recorded, and repeatable to the last bit.

Named after what physiologists call a tissue kept alive under electrodes. A preparation computes whole blocks of
10 ms; inputs take effect on that grid; asking for output only slices what the blocks gave. So nothing depends on how
a run is cut, and a snapshot, which holds every bit, can be restored or forked.
"""

from __future__ import annotations

import copy
import math
from collections import deque
from typing import Any, NamedTuple

import numpy as np

from bmi.compiled import direct
from bmi.errors import BMIError, ContractError
from bmi.signals import AnyArray
from sim import GRID_S
from sim._finite_kernels import total_of
from sim.component import Component, Port, checked, port, whole_steps


class Diverged(BMIError):
    """A state of the simulation is no longer a number; the run stops here.

    Parameters
    ----------
    component, variable : str
        Whose state it is.
    where : str
        Which elements, in words.
    t0_s, t1_s : float
        It happened after the first and at or before the second time, s since bind.
    """

    exit_code = 3

    def __init__(self, component: str, variable: str, where: str, t0_s: float, t1_s: float) -> None:
        self.component, self.variable, self.t0_s, self.t1_s = component, variable, t0_s, t1_s
        super().__init__(
            f"{component}: {variable} {where} is not finite, between {t0_s:.3f} s and {t1_s:.3f} s of the simulation; "
            "the run is stopped. Look at the inputs of that time, or take a smaller step (dt_s)."
        )


class Snapshot(NamedTuple):
    """Everything a preparation is at one moment; the arrays are its own."""

    component: str
    state: dict[str, AnyArray]
    pending: tuple[tuple[int, int, str, AnyArray], ...]
    """Inputs given and not yet applied: block, order, port, value."""
    counters: tuple[int, int, int, int]
    """Blocks computed, steps handed out, inputs given, inputs late."""
    kept: tuple[AnyArray, ...]
    """Output computed and not yet handed out."""


class Preparation:
    """Runs one component.

    Parameters
    ----------
    component : Component
        Bound here; borrowed from then on.
    seed : int

    Attributes
    ----------
    late : int
        Inputs whose block had been computed when they were given; they took effect in the next one.
    """

    def __init__(self, component: Component, seed: int) -> None:
        self.component = component
        self.n_block = whole_steps(component.name, component.dt_s)
        self._seed = seed
        self._unbound = copy.deepcopy(component)  # a bound one may hold views, which a copy would cut loose
        component.bind(seed)
        self._begin()

    def _begin(self) -> None:
        self._blocks = 0
        self._steps = 0
        self._given = 0
        self.late = 0
        self._pending: deque[tuple[int, int, str, AnyArray]] = deque()
        self._outputs = self.component.outputs  # settled by bind, and asked for in every block
        self._kept: list[list[AnyArray]] = [[] for _ in self._outputs]
        self._states = _States(self.component)

    @property
    def t_s(self) -> float:
        """Time up to which output was handed out, s since bind."""
        return self._steps * self.component.dt_s

    def give(self, name: str, t_s: float, value: Any, unit: str | None = None) -> None:
        """Set the input ``name`` to ``value`` from the first grid line at or after ``t_s``, s since bind.

        Parameters
        ----------
        name : str
        t_s : float
        value : array_like
            Of the port's shape.
        unit : str, optional
            What the value is in; refused if the port is in another unit.

        Raises
        ------
        ContractError
            If there is no such input, or shape, unit or value do not fit.
        """
        array = checked(self.component, name, value)
        if unit is not None and unit != (declared := port(self.component, name).unit):
            raise ContractError(f"{self.component.name}.{name}: expected {declared or 'a plain number'}, given {unit}")
        if not math.isfinite(t_s):
            raise ContractError(f"{self.component.name}.{name}: expected a finite time, s, given {t_s!r}")
        block = math.ceil(t_s / GRID_S - 1e-9)
        if block < self._blocks:
            self.late += 1
            block = self._blocks
        last = self._pending[-1][0] if self._pending else block
        self._pending.append((block, self._given, name, array))
        self._given += 1
        if block < last:
            self._pending = deque(sorted(self._pending, key=lambda p: p[:2]))

    def advance(self, n: int) -> dict[str, AnyArray]:
        """Advance by ``n`` steps of the component and return each output's rows or events since; the caller's to keep.

        Raises
        ------
        Diverged
            If a state is no longer finite.
        """
        self._steps += n
        while self._blocks * self.n_block < self._steps:
            self._block()
        if self._blocks * self.n_block == self._steps:  # everything there is
            shown = {p.name: self._joined(i) for i, p in enumerate(self._outputs)}
            self._kept = [[] for _ in self._outputs]
            return shown
        return {p.name: self._hand_out(i, p) for i, p in enumerate(self._outputs)}

    def advance_s(self, seconds: float) -> dict[str, AnyArray]:
        """Advance by ``seconds``, a whole number of steps; as ``advance``."""
        n = round(seconds / self.component.dt_s)
        if abs(n * self.component.dt_s - seconds) > 1e-9 * max(1.0, seconds):
            raise ContractError(
                f"{self.component.name}: {seconds:g} s is no whole number of steps of {self.component.dt_s:g} s"
            )
        return self.advance(n)

    def _block(self) -> None:
        while self._pending and self._pending[0][0] <= self._blocks:
            _, _, name, value = self._pending.popleft()
            self.component.receive(name, value)
        shown = self.component.step(self.n_block)
        t0 = self._blocks * GRID_S
        self._blocks += 1
        if not self._states.finite():
            watch(self.component, t0, t0 + GRID_S)
        for kept, rows in zip(self._kept, shown, strict=True):
            kept.append(rows.copy())

    def _hand_out(self, i: int, p: Port) -> AnyArray:
        kept = self._joined(i)
        if _events(p):
            n = int(np.searchsorted(kept[:, 0], self._steps))
        else:
            every = 1.0 / (p.rate_hz * self.component.dt_s)
            due = math.floor(self._steps / every + 1e-9)
            done = math.floor(self._blocks * self.n_block / every + 1e-9) - len(kept)
            n = due - done
        self._kept[i] = [kept[n:]]
        return kept[:n]

    def _joined(self, i: int) -> AnyArray:
        """Return what output ``i`` showed and was not handed out."""
        kept, p = self._kept[i], self._outputs[i]
        if not kept:
            return np.zeros((0, 2), np.int64) if _events(p) else np.zeros((0, *p.shape), np.float32)
        return kept[0] if len(kept) == 1 else np.concatenate(kept)

    def snapshot(self) -> Snapshot:
        """Return everything this preparation is now."""
        state = {k: v.copy() for k, v in self.component.state().items()}
        counters = (self._blocks, self._steps, self._given, self.late)
        pending = tuple((b, k, name, v.copy()) for b, k, name, v in self._pending)
        kept = tuple(self._joined(i).copy() for i in range(len(self._kept)))
        return Snapshot(self.component.name, state, pending, counters, kept)

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to ``snapshot``, taken of this component or one bound like it.

        Raises
        ------
        ContractError
            If the snapshot is of another component, or of one of other shapes.
        """
        state = self.component.state()
        if snapshot.component != self.component.name or state.keys() != snapshot.state.keys():
            raise ContractError(f"{self.component.name}: the snapshot is of {snapshot.component!r}, another component")
        for k, v in state.items():
            if v.shape != snapshot.state[k].shape or v.dtype != snapshot.state[k].dtype:
                raise ContractError(
                    f"{self.component.name}.{k}: expected {v.dtype} {v.shape}, the snapshot holds "
                    f"{snapshot.state[k].dtype} {snapshot.state[k].shape}; bind the component as it was then"
                )
        for k, v in state.items():
            v[...] = snapshot.state[k]
        self._blocks, self._steps, self._given, self.late = snapshot.counters
        self._pending = deque((b, k, name, v.copy()) for b, k, name, v in snapshot.pending)
        self._kept = [[k.copy()] for k in snapshot.kept]

    def fork(self) -> Preparation:
        """Return an independent preparation in the same state: what if the stimulus had been another?"""
        other = Preparation(copy.deepcopy(self._unbound), self._seed)
        other.restore(self.snapshot())
        return other

    def reset(self) -> None:
        """Forget everything since bind."""
        self.component.reset()
        self._begin()


def _events(p: Port) -> bool:
    return p.rate_hz == 0.0


class _States:
    """Every floating-point state of a component, looked at once a block: a patient has two hundred."""

    def __init__(self, component: Component) -> None:
        self._states = [a for a in component.state().values() if a.dtype in (np.float64, np.float32) and a.size]
        """Kept, so that what lies at their addresses stays there."""
        self._strided = [a for a in self._states if not a.flags.c_contiguous]
        self._gathered = np.zeros(sum(a.size for a in self._strided))
        whole = [a for a in (self._gathered, *self._states) if a.size and a.flags.c_contiguous]
        self._where = np.array([(a.ctypes.data, a.size, a.itemsize) for a in whole], np.int64).reshape(-1, 3)
        self._total = direct(total_of)
        self.finite()

    def finite(self) -> bool:
        """Return True only if all are: a sum tells, unless it overflows and makes us look more closely."""
        if self._strided:
            np.concatenate(self._strided, axis=None, out=self._gathered)
        return math.isfinite(self._total(self._where))


def watch(component: Component, t0_s: float, t1_s: float) -> None:
    """Raise Diverged if a state of ``component`` is no longer finite at ``t1_s``."""
    for name, array in component.state().items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            bad = np.argwhere(~np.isfinite(array))
            at = ", ".join(str(tuple(int(i) for i in b)) for b in bad[:3])
            raise Diverged(component.name, name, f"[{at}{', …' if len(bad) > 3 else ''}]", t0_s, t1_s)
