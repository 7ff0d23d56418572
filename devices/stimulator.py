"""A stimulator: the simulated device that passes current instead of moving something."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.contracts import State
from bmi.errors import ContractError, DeviceError
from bmi.limits import DEADMAN_S, STIMULUS_AMPLITUDE_MA
from bmi.signals import F64, Command, DeviceSpec, EffectorState
from bmi.stimulus import StimulusProgram

_T, _ARMED, _REFUSED, _ONSETS = range(4)
_AMPLITUDE, _ON_S, _DOSE = 0, 1, 2


@dataclass(kw_only=True, eq=False)
class Stimulator:
    """Pulses of one program through one contact; a command is their amplitude, mA.

    An amplitude is held until the next one, at most 80 ms; exactly then it is zero. What it does and what it has given
    depend on the sequence of (now, command) alone, not on how often it is read. Amplitudes below zero are zero, more
    than the limit is the limit; NaN and Inf are zero.

    States: closed, idle (open), armed. ``write`` while idle passes nothing, so that a late command from before ``stop``
    is dropped; while closed it raises DeviceError. ``open`` starts at zero with nothing given.

    ``effector.position`` is the amplitude now, (1,) mA; ``effector.velocity`` stays zero.
    """

    site: str
    """Where the contact lies, e.g. ``stn``; the name of its one dimension."""
    frequency_hz: Annotated[float, Gt(0)] = 130.0
    """Pulses a second."""
    pulse_us: Annotated[float, Gt(0)] = 60.0
    """Duration of the first phase."""
    gap_us: Annotated[float, Ge(0)] = 0.0
    """Time between the phases."""
    recharge_us: Annotated[float, Gt(0)] | None = None
    """Duration of the second phase; by default the first mirrored."""
    polarity: Literal["cathodic", "anodic"] = "cathodic"
    """Sign of the first phase."""
    electrode_area_mm2: Annotated[float, Gt(0)] | None = None
    """Area of the contact; without it the gate asks for caps."""
    imbalance: Annotated[float, Ge(0), Le(1)] = 0.0
    """Share of a phase's charge that does not return; the gate refuses more than one percent."""
    impedance_ohm: Annotated[float, Gt(0)] = 1000.0
    """Of the tissue between contact and return, for the energy."""
    amplitude_limit_ma: Annotated[float, Gt(0)] = STIMULUS_AMPLITUDE_MA
    """Hard cap of its own, at most the house's."""

    def __post_init__(self) -> None:
        if not self.site:
            raise ContractError("stimulator: site names where the contact lies, given an empty name")
        if not self.amplitude_limit_ma <= STIMULUS_AMPLITUDE_MA:
            raise ContractError(
                f"stimulator: amplitude_limit_ma={self.amplitude_limit_ma:g} mA is beyond the house's "
                f"{STIMULUS_AMPLITUDE_MA:g} mA; lower it or leave it out"
            )
        self.program = StimulusProgram(
            frequency_hz=self.frequency_hz, pulse_us=self.pulse_us, gap_us=self.gap_us, recharge_us=self.recharge_us,
            polarity=self.polarity, electrode_area_mm2=self.electrode_area_mm2, imbalance=self.imbalance,
        )  # fmt: skip
        self._spec = DeviceSpec(
            name="stimulator", dims=(self.site,), unit="mA", position_unit="mA",
            speed_limit=float(self.amplitude_limit_ma), stop_ms=1.0, program=self.program,
        )  # fmt: skip
        self._power_uw = self.program.power_uw(1.0, self.impedance_ohm)
        self._head: F64 = np.zeros(4)
        self._then: F64 = np.zeros(4)  # at the last command: amplitude, time on, its integrals of amplitude and square
        self._now: F64 = np.zeros(4)
        self._applied: F64 = self._then[:1]
        self._effector = EffectorState(self._now[:1], np.zeros(1), 0.0)
        self._open = False

    @property
    def spec(self) -> DeviceSpec:
        """What it can do."""
        return self._spec

    @property
    def effector(self) -> EffectorState:
        """What it did when last read or written."""
        return self._effector

    @property
    def on_s(self) -> float:
        """Time with current since ``open``, s."""
        return float(self._now[_ON_S])

    @property
    def n_pulses(self) -> float:
        """Pulses given: time on times frequency."""
        return self.on_s * self.frequency_hz

    @property
    def charge_uc(self) -> float:
        """Charge of all first phases, µC; their second phases took it back."""
        return float(self._now[_DOSE]) * self.program.charge_uc(1.0) * self.frequency_hz

    @property
    def energy_uj(self) -> float:
        """Electrical energy of both phases, µJ."""
        return float(self._now[_DOSE + 1]) * self._power_uw

    @property
    def n_onsets(self) -> int:
        """How often it went from zero to more."""
        return int(self._head[_ONSETS])

    @property
    def n_refused(self) -> int:
        """Commands that passed nothing: not armed, or not finite."""
        return int(self._head[_REFUSED])

    def open(self) -> None:
        """Start at zero with nothing given; nothing passes until armed."""
        self._head[:] = 0.0
        self._then[:] = 0.0
        self._now[:] = 0.0
        self._effector.t = 0.0
        self._open = True

    def calibrate(self) -> Mapping[str, Any]:
        """Return nothing: the impedance of simulated tissue is given."""
        return {}

    def arm(self) -> None:
        """Let commands through. Raises DeviceError while closed."""
        if not self._open:
            raise DeviceError("stimulator: arm() while closed; call open() first")
        self._head[_ARMED] = 1.0

    def write(self, command: Command, now: float) -> F64:
        """Go on until ``now``, then take the amplitude; return the one applied, (1,) mA, borrowed.

        *Realtime*: every command of a controller, about 4 µs; allocates nothing that stays.
        """
        if not self._open:
            raise DeviceError("stimulator: write() while closed; call open() and arm() first")
        self._look(now)
        head, then = self._head, self._then
        values = command.values
        wanted = float(values[0]) if values.shape == (1,) else math.nan
        was = self._now.item(_AMPLITUDE)
        refused = not math.isfinite(wanted) or head[_ARMED] == 0.0
        amplitude = 0.0 if refused else min(max(wanted, 0.0), self.amplitude_limit_ma)
        head[_REFUSED] += refused
        head[_ONSETS] += was == 0.0 and amplitude > 0.0
        head[_T] = now
        then[:] = self._now
        then[_AMPLITUDE] = self._now[_AMPLITUDE] = amplitude
        if head[_ARMED] == 0.0:  # stop() may have come from another thread in between
            then[_AMPLITUDE] = self._now[_AMPLITUDE] = 0.0
        self._effector.t = now
        return self._applied

    def read(self, now: float) -> EffectorState:
        """Return what it does at ``now``; one object, updated in place."""
        self._look(now)
        self._effector.t = now
        return self._effector

    def _look(self, now: float) -> None:
        """Let the last amplitude be held until ``now``, at most for 80 ms."""
        head, then, at = self._head, self._then, self._now
        amplitude, since = then.item(_AMPLITUDE), now - head.item(_T)
        if amplitude == 0.0:
            at[_AMPLITUDE] = 0.0
            return
        held = min(max(since, 0.0), DEADMAN_S)
        at[_AMPLITUDE] = 0.0 if since >= DEADMAN_S else amplitude
        at[_ON_S] = then[_ON_S] + held
        at[_DOSE] = then[_DOSE] + held * amplitude
        at[_DOSE + 1] = then[_DOSE + 1] + held * amplitude * amplitude

    def stop(self, reason: str) -> None:
        """Zero at once, and disarm; never raises, from any thread."""
        self._head[_ARMED] = 0.0
        self._then[:] = self._now
        self._then[_AMPLITUDE] = self._now[_AMPLITUDE] = 0.0

    def recover(self) -> None:
        """Do nothing: it has no faults; ``arm`` again to stimulate."""

    def close(self) -> None:
        """Stop and close; idempotent."""
        self.stop("close")
        self._open = False

    def state(self) -> State:
        """Return times, arming and counts (4,); amplitude and what was given at the last command and now, (4,) each."""
        return (self._head, self._then, self._now)
