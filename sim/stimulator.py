"""The implanted stimulator: three settings in, samples of current out; what is unsafe never becomes a sample.

Settings take effect at the onset of a pulse; a pulse that has begun ends as it began, so that its charge returns
whatever is set meanwhile. A change of rate moves the next onset to one new period after the last, or to now.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.signals import F32, F64, I64, AnyArray
from sim.component import Port, checked, whole_steps
from sim.stimulation import Contact, Pulse, number

NONE = -1.0
"""In place of a step number: there is no such pulse."""


@dataclass(kw_only=True)
class Stimulator:
    """Symmetric biphasic pulses through one contact, by settings that may change every 10 ms.

    Input of ``amplitude_ua`` (current of the first phase, µA; below zero cathodic, zero silent), ``rate_hz`` (pulses
    a second, 0 none) and ``width_s`` (of a phase, s). Output ``current_ua``, a row a step: the mean current, µA,
    from which it follows that samples hold the charge of the pulse. Settings beyond a limit raise
    ``sim.stimulation.UnsafeStimulus`` before the block's first sample, at every step until they are mended.
    """

    contact: Contact
    """Through what the current passes, and what it bears."""
    amplitude_ua: float = 0.0
    """Current of the first phase until the input says otherwise, µA."""
    rate_hz: Annotated[float, Ge(0)] = 0.0
    """Pulses a second until the input says otherwise."""
    width_s: Annotated[float, Gt(0)] = 0.0002
    """Duration of a phase until the input says otherwise, s."""
    gap_s: Annotated[float, Ge(0)] = 0.0
    """Time between the phases, s."""
    dt_s: Annotated[float, Gt(0)] = 0.000025
    """The step, s."""
    name: str = "stimulator"

    @property
    def inputs(self) -> tuple[Port, ...]:
        return (
            Port("amplitude_ua", "µA", about="current of the first phase; below zero cathodic"),
            Port("rate_hz", "Hz", about="pulses a second"),
            Port("width_s", "s", about="duration of a phase"),
        )

    @property
    def outputs(self) -> tuple[Port, ...]:
        return (Port("current_ua", "µA", rate_hz=1.0 / self.dt_s, about="mean current of each step"),)

    @property
    def cost(self) -> float:
        return 0.005

    def bind(self, seed: int) -> None:
        """Allocate, and check the settings; ``seed`` changes nothing, there is no chance in a stimulator.

        Raises
        ------
        ContractError
            If the step does not fit the grid, or a setting is out of range.
        UnsafeStimulus
            If the contact may not pass what is set.
        """
        whole_steps(self.name, self.dt_s)
        self._step: I64 = np.zeros(1, np.int64)
        self._settings: F64 = np.zeros(3)
        self._held: F64 = np.zeros(3)
        self._onsets: F64 = np.zeros(2)
        self._admitted = (math.nan,) * 3
        self.reset()
        self._check()

    def receive(self, port: str, value: AnyArray) -> None:
        array = checked(self, port, value)
        self._settings[[p.name for p in self.inputs].index(port)] = float(array)

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Return (n,) float32, µA. Raises UnsafeStimulus, before any sample, if the settings are beyond a limit."""
        self._check()
        begin = int(self._step[0])
        if self._settings[1] != self._held[2]:
            self._reschedule(begin)
        out: F32 = np.zeros(n, np.float32)
        if self._onsets[0] != NONE:
            self._add(out, begin)
        while NONE < self._onsets[1] < begin + n:
            self._onsets[0] = self._onsets[1]
            self._held[:2] = self._settings[0], self._settings[2]
            self._onsets[1] += 1.0 / (self._settings[1] * self.dt_s)
            self._add(out, begin)
        self._step += n
        return (out,)

    def _check(self) -> None:
        """Raise if what is set may not pass."""
        amplitude, rate, width = now = tuple(self._settings.tolist())
        if now != self._admitted:
            number(f"{self.name}.rate_hz", rate, least=0.0)
            pulse = Pulse(amplitude_ua=amplitude, width_s=width, gap_s=self.gap_s)
            self.contact.check(pulse, rate, where=self.name)
            self._admitted = now

    def _reschedule(self, begin: int) -> None:
        """Move the next onset to where the new rate has it, not before ``begin`` nor before the last pulse ends."""
        last, rate = self._onsets[0], self._settings[1]
        self._held[2] = rate
        if rate == 0.0:
            self._onsets[1] = NONE
        elif last == NONE:
            self._onsets[1] = begin
        else:
            busy = 2.0 * self._held[1] + self.gap_s
            self._onsets[1] = max(float(begin), last + max(1.0 / rate, busy) / self.dt_s)

    def _add(self, out: F32, begin: int) -> None:
        """Add the last pulse to the samples from step ``begin`` on; it may have begun before and end after them."""
        onset, amplitude, width = self._onsets[0], self._held[0], self._held[1]
        pulse = Pulse(amplitude_ua=float(amplitude), width_s=float(width), gap_s=self.gap_s)
        first = max(0, math.floor(onset) - begin)
        last = min(len(out), math.ceil(onset + pulse.duration_s / self.dt_s) - begin)
        if first < last:
            edges = np.arange(begin + first, begin + last + 1) - onset
            out[first:last] += np.diff(pulse.charge(edges * self.dt_s)) / self.dt_s

    def state(self) -> Mapping[str, AnyArray]:
        return {"step": self._step, "settings": self._settings, "held": self._held, "onsets": self._onsets}

    def reset(self) -> None:
        self._step[:] = 0
        self._settings[:] = self.amplitude_ua, self.rate_hz, self.width_s
        self._held[:] = 0.0, self.width_s, 0.0
        self._onsets[:] = NONE
