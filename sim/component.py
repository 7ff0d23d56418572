"""What every part of the simulator promises: one fixed step, declared ports, declared cost, no hidden state.

A component is a piece of the patient at one scale: a cell, a circuit, a nucleus. It advances in steps of ``dt_s``
only, takes what others do to it through declared inputs and shows itself through declared outputs. Its noise is a
function of seed and step (:class:`Noise`), its whole state lies in named arrays. Snapshot, restore, fork, replay and
independence of how a run is cut follow from that without further code; ``sim.preparation`` provides them.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from bmi.compiled import direct
from bmi.errors import ContractError
from bmi.signals import F32, AnyArray
from sim import GRID_S
from sim._noise_kernels import normals, uniforms


class Port(NamedTuple):
    """One input or output of a component."""

    name: str
    unit: str
    """Physical unit of the values; "" for plain numbers."""
    shape: tuple[int, ...] = ()
    """Shape of an input's value, or of one row of an output."""
    rate_hz: float = 0.0
    """Rows a second of an output that is sampled; 0 for an output of events and for inputs."""
    about: str = ""
    """What it means, in one line."""
    sensed: bool = False
    """Whether an output is what a sensor measures. Only such an output may ever reach a decoder; everything else is
    privileged: truth that an experimenter may plot and no participant's electrodes could tell."""


@runtime_checkable
class Component(Protocol):
    """A part of the simulated patient. Constructor, ``bind``, ``step``, ``reset``, as everywhere in this house.

    ``step(n)`` may be called with any n, and ``step(3)`` then ``step(7)`` leave the very bits ``step(10)`` does. An
    input holds from the moment it is received until the next one; whoever runs the component hands inputs over on the
    grid of 10 ms, so ``dt_s`` divides it.
    """

    @property
    def name(self) -> str:
        """Which component this is, for messages and outputs."""
        ...

    @property
    def dt_s(self) -> float:
        """The step, s."""
        ...

    @property
    def inputs(self) -> tuple[Port, ...]: ...

    @property
    def outputs(self) -> tuple[Port, ...]: ...

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second takes, declared; measured by ``bmi bench simulator``."""
        ...

    def bind(self, seed: int) -> None:
        """Draw what is random about the component from ``seed``; allocate; call every kernel once."""
        ...

    def receive(self, port: str, value: AnyArray) -> None:
        """Take ``value`` (the port's shape and unit) as input from now on."""
        ...

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` steps and return what each output showed meanwhile, in declared order; borrowed.

        A sampled output is (n_rows, *shape), a row every 1 / rate_hz, the row k being due when step
        (k + 1) / (rate_hz dt_s) has been taken. An output of events is (n_events, 2) int64: step since bind, counted
        from 0, and index (neuron).
        """
        ...

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array ``step`` mutates or depends on that ``receive`` or ``step`` may change, by name.

        Always the same objects. Step counters and inputs are among them; what only ``bind`` writes is not.
        """
        ...

    def reset(self) -> None:
        """Forget state, keep parameters: afterwards equal to freshly bound with the same seed."""
        ...


def whole_steps(name: str, dt_s: float, limit_s: float = GRID_S) -> int:
    """Return how many steps of ``dt_s`` make up the grid of 10 ms.

    Raises
    ------
    ContractError
        If the step is not positive, longer than ``limit_s`` (beyond which the component's method is wrong), or no
        whole number of steps makes up the grid.
    """
    if not 0.0 < dt_s <= limit_s * (1.0 + 1e-9):
        raise ContractError(
            f"{name}: dt_s is {dt_s:g} s, expected above 0 and at most {limit_s * 1e3:g} ms; give e.g. {limit_s:g}"
        )
    n = round(GRID_S / dt_s)
    if abs(n * dt_s - GRID_S) > 1e-9 * GRID_S:
        raise ContractError(
            f"{name}: dt_s is {dt_s * 1e3:g} ms, of which {GRID_S / dt_s:g} make up the grid of {GRID_S * 1e3:g} ms; "
            f"expected a whole number: give e.g. {GRID_S / n:g}"
        )
    return n


def port(component: Component, name: str) -> Port:
    """Return the input called ``name``. Raises ContractError, naming those there are."""
    for p in component.inputs:
        if p.name == name:
            return p
    known = ", ".join(p.name for p in component.inputs) or "none"
    raise ContractError(f"{component.name}: has no input {name!r}; its inputs are: {known}")


def checked(component: Component, name: str, value: Any) -> npt.NDArray[np.float64]:
    """Return ``value`` as a float64 array of the shape the input ``name`` declares.

    Raises
    ------
    ContractError
        If there is no such input, the shape is another one, or a value is not finite.
    """
    p = port(component, name)
    array = np.array(value, np.float64)
    if array.shape != p.shape:
        raise ContractError(
            f"{component.name}.{name}: expected shape {p.shape} ({p.unit or 'a number'}), given {array.shape}"
        )
    if not _finite(array):
        raise ContractError(f"{component.name}.{name}: expected finite values ({p.unit}), given {array.ravel()[:8]}")
    return array


def mean(rows: AnyArray) -> Any:
    """Return the mean over the first axis of ``rows`` (n, ...): the bits of its own ``mean``, at half the price."""
    return np.add.reduce(rows, axis=0) / rows.dtype.type(len(rows))


def _finite(array: npt.NDArray[np.float64]) -> bool:
    """Return whether all are; a plain number, as most inputs are, is not worth an array's calls."""
    return math.isfinite(array) if array.ndim == 0 else bool(np.isfinite(array).all())


class Noise:
    """Random numbers that depend on seed, name, step and place only (Philox4x32-10 [1]_), never on the call before.

    Two runs that are cut differently, forked or spread over threads draw the same numbers at the same steps.

    Parameters
    ----------
    seed : int
        Of the session.
    name : str
        Of the component, so that two components of one seed differ.
    n : int
        Numbers a step.

    References
    ----------
    .. [1] Salmon, Moraes, Dror & Shaw (2011) Parallel random numbers: as easy as 1, 2, 3. SC'11.
    """

    def __init__(self, seed: int, name: str, n: int) -> None:
        self.key = np.uint64(np.random.SeedSequence([seed, zlib.crc32(name.encode())]).generate_state(1, np.uint64)[0])
        self.words = np.zeros((2, max(1, -(-n // 4))), np.uint64)
        self.four: F32 = np.zeros((4, self.words.shape[1]), np.float32)
        self._n = n
        self._normals, self._uniforms = direct(normals), direct(uniforms)
        self.normal(0, 0)
        self.uniform(0, 0)

    def normal(self, stream: int, step: int) -> F32:
        """Return (n,) standard normal numbers; borrowed."""
        self._normals(self.key, np.uint64(stream), np.uint64(step), self.words, self.four)
        return self.four.reshape(-1)[: self._n]

    def uniform(self, stream: int, step: int) -> F32:
        """Return (n,) numbers uniform on [0, 1); borrowed."""
        self._uniforms(self.key, np.uint64(stream), np.uint64(step), self.words, self.four)
        return self.four.reshape(-1)[: self._n]
