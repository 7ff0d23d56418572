"""Point cells with ion channels, driven by currents: a component, and the rate at which a class of cells fires.

Exponential Euler on gates and voltage (Rush & Larsen 1978 [1]_), gates half a step ahead, in double precision. Cells
are lanes: every current of an f-I curve is one of them.

References
----------
.. [1] Rush & Larsen (1978) A practical algorithm for solving dynamic membrane equations. IEEE Trans Biomed Eng 25:389.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Gt, Interval
from numpy.typing import ArrayLike

from bmi.errors import ContractError
from bmi.signals import F64, AnyArray
from sim._cells_kernels import Membrane, advance
from sim.cell_classes import CELL_CLASSES, gates_at, membrane, named, rest_mv, scales_of
from sim.component import Port, checked, whole_steps

__all__ = ["CELL_CLASSES", "Cells", "Run", "firing_rate", "run"]

LIMIT_S = 5e-5
"""Longest step, s: a spike's upstroke is resolved."""


class Run(NamedTuple):
    """What cells did."""

    t_s: F64
    """When each spike crossed, s, interpolated between steps; in order of steps."""
    cell: AnyArray
    """Which cell it was."""
    v_mv: F64
    """Voltages (rows, n)."""


def run(
    cell_class: str, currents_ua_cm2: ArrayLike, seconds: float, *, scales: Mapping[str, float] | None = None,
    temperature_c: float | None = None, dt_s: float = 2.5e-5, every: int = 0, state: F64 | None = None,
) -> Run:  # fmt: skip
    """Simulate a cell per current, at rest before the current is switched on, and return what they did.

    Parameters
    ----------
    cell_class : str
        Of the class.
    currents_ua_cm2 : array, (n,)
        Constant currents, µA/cm².
    seconds : float
    scales : mapping, optional
        Of the channels' conductances; the rest a cell starts from is the one it has with them.
    temperature_c : float, optional
        °C; by default the one the class's rates are given for.
    dt_s : float
        At most 50 µs.
    every : int
        Show voltage after so many steps; 0: never.
    state : array, (7, n), optional
        Where the cells start instead of at rest (``gates_at``); unchanged.

    Raises
    ------
    ContractError
        If there is no such class or channel, or a number is out of its range.
    """
    of = named(cell_class)
    whole_steps(f"run({cell_class})", dt_s, LIMIT_S)
    current = np.array(currents_ua_cm2, np.float64).reshape(-1)
    if not np.isfinite(current).all():
        wrong = current[~np.isfinite(current)]
        raise ContractError(f"{cell_class}: expected finite currents, µA/cm², given {wrong[:3]}")
    p, scale = membrane(of, dt_s, temperature_c), scales_of(of, scales)
    n, n_steps = current.size, round(seconds / dt_s)
    state = gates_at(of, p, np.full(n, rest_mv(of, p, scale))) if state is None else state.copy()
    bench = _Bench(p, n, every)
    scale_rows = np.ascontiguousarray(np.repeat(scale[:, None], n, axis=1))
    shown = [bench.advance(current, scale_rows, first, min(STRETCH, n_steps - first), state)
             for first in range(0, n_steps, STRETCH)]  # fmt: skip
    events, parts, v = (np.concatenate(x) for x in zip(*shown, strict=True))
    return Run((events[:, 0] + parts) * dt_s, events[:, 1], v)


STRETCH = 400
"""Steps taken at a time, so that what a stretch can give at most is bounded."""


class _Bench:
    """Arrays the kernel writes to."""

    def __init__(self, p: Membrane, n: int, every: int) -> None:
        most = n * (STRETCH // 2 + 1)
        self.p, self.every = p, every
        self.work = np.zeros((4, n))
        self.events = np.zeros((most, 2), np.int64)
        self.parts = np.zeros(most)
        self.shown = np.zeros((STRETCH // every + 1 if every else 0, n))

    def advance(self, current: F64, scales: F64, first: int, n_steps: int, state: F64) -> tuple[AnyArray, F64, F64]:
        """Take at most STRETCH steps and return events, their broken parts and voltages; the caller's to keep."""
        n_events, n_shown = advance(self.p, current, scales, (first, n_steps, self.every), state, self.work,
                                    self.events, self.parts, self.shown)  # fmt: skip
        return self.events[:n_events].copy(), self.parts[:n_events].copy(), self.shown[:n_shown].copy()


def firing_rate(
    cell_class: str, currents_ua_cm2: ArrayLike, *, scales: Mapping[str, float] | None = None,
    temperature_c: float | None = None, dt_s: float = 2.5e-5, seconds: float = 2.0, settle_s: float = 0.5,
) -> F64:  # fmt: skip
    """Return the rate at which a cell of a class keeps firing at each current, Hz.

    The protocol: at rest, the current is switched on for ``seconds``; the rate is the inverse of the mean interval
    between spikes after ``settle_s``. A cell that then has fewer than two, or has stopped for two intervals at the
    end, is silent. It matters: the squid axon has both rest and firing between 6.2 and 9.8 µA/cm².

    Parameters
    ----------
    cell_class : str
        Of the class: one of CELL_CLASSES.
    currents_ua_cm2 : array, (n,)
        µA/cm²; all at once.
    scales : mapping, optional
        What conductances are multiplied by, ``{"na": 0.65}``.
    temperature_c, dt_s
        As in ``run``.
    seconds, settle_s : float

    Returns
    -------
    array, (n,)
        Hz.
    """
    currents = np.array(currents_ua_cm2, np.float64).reshape(-1)
    done = run(cell_class, currents, seconds, scales=scales, temperature_c=temperature_c, dt_s=dt_s)
    late = done.t_s > settle_s
    t, cell = done.t_s[late], done.cell[late]
    count = np.bincount(cell, minlength=currents.size)
    first, last = np.full(currents.size, seconds), np.zeros(currents.size)
    np.minimum.at(first, cell, t)
    np.maximum.at(last, cell, t)
    several = count >= 2
    span = np.where(several, last - first, 1.0)
    hz = np.where(several, (count - 1) / span, 0.0)
    return np.where((seconds - last) * hz <= 2.0, hz, 0.0)


@dataclass(kw_only=True)
class Cells:
    """Point cells of one class, driven by currents: a component.

    Exponential Euler on gates and voltage, gates half a step ahead, double precision. Inputs are ``current`` and, for
    each channel of the class, ``<channel>_scale``: 1 in health, {"na": 0.65} a Nav1.1 haploinsufficiency of "pv".
    """

    cell_class: str = "squid"
    """One of CELL_CLASSES."""
    n: Annotated[int, Gt(0)] = 1
    """Cells."""
    dt_s: Annotated[float, Interval(gt=0, le=LIMIT_S)] = 2.5e-5
    """Step, s."""
    temperature_c: Annotated[float, Interval(ge=0, le=45)] | None = None
    """°C; by default the one the class's rates are given for."""
    scales: Mapping[str, float] = field(default_factory=dict)
    """What conductances are multiplied by, by channel, until an input says otherwise."""
    voltage_rate_hz: Annotated[float, Gt(0)] = 1000.0
    """Rows a second of the output ``voltage``."""
    name: str = "cells"

    @property
    def inputs(self) -> tuple[Port, ...]:
        """Current, and a scale for every channel."""
        scales = (
            Port(f"{c}_scale", "", about=f"what the conductance of {c!r} is multiplied by")
            for c in named(self.cell_class).channels
        )
        return Port("current", "µA/cm²", (self.n,), about="injected; depolarises where positive"), *scales

    @property
    def outputs(self) -> tuple[Port, ...]:
        """Spikes and voltage."""
        return (
            Port("spikes", "", (2,), about="upward crossings of the class's spike voltage"),
            Port("voltage", "mV", (self.n,), self.voltage_rate_hz),
        )

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second: measured, 28 ns a cell and step, 54 with T channels, and 0.45 µs a step."""
        a_cell_s = 54e-9 if named(self.cell_class).p_t_cm_s else 28e-9
        return (0.45e-6 + self.n * a_cell_s) / self.dt_s

    def bind(self, seed: int) -> None:
        """Allocate, find rest, call the kernel. Nothing is random here."""
        of = named(self.cell_class)
        whole_steps(self.name, self.dt_s, LIMIT_S)
        every = 1.0 / (self.voltage_rate_hz * self.dt_s)
        if abs(every - round(every)) > 1e-9 * every or every < 1.0 - 1e-9:
            raise ContractError(
                f"{self.name}: voltage_rate_hz is {self.voltage_rate_hz:g}, of which a row takes {every:g} steps; "
                f"expected a whole number: give e.g. {1.0 / (max(1, round(every)) * self.dt_s):g}"
            )
        self._scales0 = scales_of(of, self.scales)
        self._p = membrane(of, self.dt_s, self.temperature_c)
        self._bench = _Bench(self._p, self.n, round(every))
        self._start = gates_at(of, self._p, np.full(self.n, rest_mv(of, self._p, self._scales0)))
        self._state = self._start.copy()
        self._scales = np.ascontiguousarray(np.repeat(self._scales0[:, None], self.n, axis=1))
        self._current = np.zeros(self.n)
        self._step = np.zeros(1, np.int64)
        self._bench.advance(self._current, self._scales, 0, 1, self._state)
        self.reset()

    def receive(self, port: str, value: AnyArray) -> None:
        """Take a current (n,) µA/cm² or a channel's scale. Raises ContractError if a scale is negative."""
        array = checked(self, port, value)
        if port == "current":
            self._current[:] = array
            return
        channel = port.removesuffix("_scale")
        row = ("na", "k", "leak", "t").index(channel)
        self._scales[row] = scales_of(named(self.cell_class), {channel: float(array)})[row]

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` steps; return spikes (n_events, 2) int64 and voltage (rows, n) float32."""
        events, rows = [], []
        while n > 0:
            stretch = min(n, STRETCH)
            e, _, v = self._bench.advance(self._current, self._scales, int(self._step[0]), stretch, self._state)
            self._step += stretch
            n -= stretch
            events.append(e)
            rows.append(v)
        if not events:
            return np.zeros((0, 2), np.int64), np.zeros((0, self.n), np.float32)
        return np.concatenate(events), np.concatenate(rows).astype(np.float32)

    def state(self) -> dict[str, AnyArray]:
        """Return voltage and gates, inputs and the step counter."""
        return {"state": self._state, "current": self._current, "scales": self._scales, "step": self._step}

    def reset(self) -> None:
        """Go back to rest without current, scales as constructed."""
        self._state[:] = self._start
        self._scales[:] = self._scales0[:, None]
        self._current[:] = 0.0
        self._step[:] = 0
