"""A loop on the bench: tissue, its field, features, a controller, the gate, and current back into the tissue.

The smallest thing that closes the loop, for figures; a patient in a session is stimulated through a recipe. Parts come
by name, so that what is measured here is what anybody would use. Each block of 10 ms is computed, sensed and decided
upon, and the stimulator takes the decision up at the next block's beginning.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from bmi.contracts import Controller, Stage
from bmi.schema import make
from bmi.signals import F64, AnyArray, Chunk, DeviceSpec, StreamSpec
from bmi.stimulus import StimulusProgram
from bmi.stimulus_gate import StimulusGate
from sim import GRID_S
from sim.component import Component, Noise
from sim.preparation import Preparation

Node = tuple[str, Mapping[str, Any]]
"""A part by name, and its settings."""


class Course(NamedTuple):
    """What happened."""

    outputs: dict[str, AnyArray]
    """Of the component, as of ``Preparation.advance``."""
    amplitude_ma: F64
    """(n_blocks,) what the stimulator did."""
    level: F64
    """(n_blocks,) what the controller measured, NaN where it did not look."""
    wall_s: F64
    """(n_blocks,) computing time from the block's samples to the command."""


@dataclass(kw_only=True)
class ClosedLoop:
    """One component, one sensed output, one site.

    Parameters
    ----------
    component : Component
        Bound here.
    senses : str
        The sampled output that the electrode picks up.
    stages, controller : nodes
        By name, with settings; the controller may be None, then the loop is open.
    port : str
        The input that takes the current.
    drive : callable
        Turns the stimulator's amplitude, mA, into what that input takes.
    program : StimulusProgram
    amplitude_limit_ma : float
        Of the gate, whose ramp is this in 250 ms.
    field_sd : float
        White noise of electrode and amplifier, in the unit of the output, on every sample.
    seed : int
    """

    component: Component
    senses: str
    stages: Sequence[Node]
    controller: Node | None
    port: str
    drive: Callable[[float], Any]
    program: StimulusProgram
    amplitude_limit_ma: float
    field_sd: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        self.preparation = Preparation(self.component, self.seed)
        sensed = next(p for p in self.component.outputs if p.name == self.senses)
        self._n = math.prod(sensed.shape)
        spec = StreamSpec(
            name=self.senses, n_channels=self._n, rate_hz=sensed.rate_hz, unit=sensed.unit or "1",
            max_samples=round(sensed.rate_hz * GRID_S),
        )  # fmt: skip
        self._rows, self._rate_hz = spec.max_samples, spec.rate_hz
        self._noise = Noise(self.seed, f"{self.component.name}.field", self._n * self._rows)
        self.features, spec = bound(self.stages, spec)
        self.control: Controller | None = None
        if self.controller is not None:
            name, settings = self.controller
            self.control = make("controllers", name, settings, "closed loop")
            self._gate = self._door(self.control, spec)
        self._blocks, self._amplitude = 0, np.zeros(1)

    def _door(self, control: Controller, spec: StreamSpec) -> StimulusGate:
        device = DeviceSpec(
            name="bench", dims=("amplitude",), unit="mA", position_unit="mA", program=self.program,
            speed_limit=self.amplitude_limit_ma,
        )  # fmt: skip
        gate = StimulusGate(amplitude_limit_ma=self.amplitude_limit_ma)
        gate.bind(control.bind(spec), device, GRID_S)
        return gate

    def run(
        self, seconds: float, inputs: Callable[[float], Mapping[str, Any]] | None = None,
        open_loop: Callable[[float], float] | None = None,
    ) -> Course:  # fmt: skip
        """Go on for ``seconds``.

        Parameters
        ----------
        seconds : float
        inputs : callable, optional
            What other inputs take at a time, s since bind; asked before every block.
        open_loop : callable, optional
            Amplitude at a time, mA, given whatever the controller wants: sham stimulation, continuous stimulation.
        """
        n = round(seconds / GRID_S)
        shown: dict[str, list[AnyArray]] = {p.name: [] for p in self.component.outputs}
        amplitude, level, wall = np.zeros(n), np.full(n, np.nan), np.zeros(n)
        for k in range(n):
            t = self._blocks * GRID_S
            if open_loop is not None:
                self._amplitude[0] = open_loop(t)
            amplitude[k] = self._amplitude[0]
            for name, value in (inputs(t) if inputs is not None else {}).items():
                self.preparation.give(name, t, value)
            self.preparation.give(self.port, t, self.drive(float(self._amplitude[0])))
            block = self.preparation.advance(self.preparation.n_block)
            for name, rows in block.items():
                shown[name].append(rows)
            level[k], wall[k] = self._decide(block[self.senses], t + GRID_S, held=open_loop is not None)
            self._blocks += 1
        return Course({k: np.concatenate(v) for k, v in shown.items()}, amplitude, level, wall)

    def _decide(self, rows: AnyArray, now: float, *, held: bool) -> tuple[float, float]:
        """Sense a block and let the controller say what comes next; return what it measured and computing time."""
        if self.control is None:
            return math.nan, 0.0
        noise = self.field_sd * self._noise.normal(0, self._blocks).reshape(self._rows, self._n)
        data = np.ascontiguousarray(rows.reshape(self._rows, self._n) + noise, np.float32)
        t = now - GRID_S + np.arange(1, self._rows + 1) / self._rate_hz
        chunk: Chunk | None = Chunk(data, t, now, self._blocks * self._rows)
        begin = perf_counter()
        for stage in self.features:
            chunk = None if chunk is None else stage.step(chunk)
        self.control.told(float(self._amplitude[0]), now)
        intent = None if chunk is None else self.control.step(chunk)
        command = self._gate.step(intent, now, self._amplitude, arm=True, stop=False, newest_t=now, newest_arrival=now)
        if command is not None and not held:
            self._amplitude[0] = command.values[0]
        return self.control.level_ if intent is not None else math.nan, perf_counter() - begin


def bound(stages: Sequence[Node], spec: StreamSpec) -> tuple[list[Stage], StreamSpec]:
    """Return stages made by name and bound one behind another, and what the last puts out."""
    made = []
    for name, settings in stages:
        stage: Stage = make("stages", name, settings, "closed loop")
        spec = stage.bind(spec)
        made.append(stage)
    return made, spec
