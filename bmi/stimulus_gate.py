"""The one door between a controller and a stimulator."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Gt

from bmi import limits as house
from bmi.compiled import entry
from bmi.contracts import State
from bmi.errors import ContractError
from bmi.gate import check_arming, check_pace, check_times, rules_of, take, watchdog_s
from bmi.limits import check_stricter
from bmi.signals import F64, Command, DeviceSpec, GateState, Intent, IntentSpec
from bmi.stimulus import MACRO_MM2, MM2_PER_CM2, StimulusProgram

UNIT = "mA"
AMPLITUDE, CHARGE, DENSITY, SHANNON, DEVICE = (
    "amplitude limit", "charge per phase", "charge density", "Shannon's line", "limit of the device"
)  # fmt: skip
_NEVER = -np.inf


class StimulusLimits(NamedTuple):
    """What one stimulator may receive."""

    amplitude: float
    """Largest amplitude, mA: the strictest of all rules."""
    ramp: float
    """Fastest change of the amplitude while it is commanded, mA/s."""
    fall: float
    """Change on the way to zero when something is wrong, mA/s."""
    rule: str
    """Which rule ``amplitude`` comes from."""
    hold_s: float = house.DEADMAN_S
    """Longest time the device holds a command."""

    def pack(self) -> F64:
        """Return them as the kernel wants them."""
        by_charge = self.rule in (CHARGE, DENSITY, SHANNON)
        return np.array([self.amplitude, self.ramp, self.fall, self.hold_s, float(by_charge)])


@dataclass(kw_only=True, eq=False)
class StimulusGate:
    """Decides what a stimulator may ever receive: freshness, arming, dead-man, STOP, and how much charge how fast.

    Time, arming and STOP are the rules of ``bmi.gate.Gate``, by the same compiled code; where that gate limits
    motion, this one limits the amplitude:

    * at most ``amplitude_limit_ma`` and what charge per phase, charge density and, on macro-electrodes, Shannon's
      line permit the device's program; never below zero;
    * no faster than ``ramp_ma_s``, up and down.

    Zero is the safe state: pulses are balanced one by one and nothing is left moving, so current can end at any
    moment. What is old, not finite, abstaining or not armed means a ramp from the limit to zero in 250 ms, however slow
    ``ramp_ma_s`` is: a step is felt, and less than what was admitted before harms nobody. STOP and a stamp in the
    future (TRIPPED: the clock that would time a ramp is in doubt) mean zero at once. A silent controller means zero
    after 80 ms: then the stimulator lets go by itself, and the ramp starts anew from what it does.

    What a program may be is decided once, in ``bind``: frequency, pulse width, balance of charge; on contacts below
    0.2 mm² or of unknown area, caps of amplitude and charge have to be given, as Shannon's line says nothing there.

    Defaults are the house's limits; a looser value is refused. ``step`` is a function of its arguments and of
    ``state()`` alone, so a replay repeats it bit by bit.
    """

    amplitude_limit_ma: Annotated[float, Gt(0)] | None = None
    """Current of the first phase; by default the house's, on micro-electrodes there is no default."""
    ramp_ma_s: Annotated[float, Gt(0)] | None = None
    """Change of the amplitude; by default, and at most, the amplitude limit in 250 ms."""
    charge_limit_uc: Annotated[float, Gt(0)] | None = None
    """Charge of a phase; by default the house's, on micro-electrodes there is no default."""
    density_limit_uc_cm2: Annotated[float, Gt(0)] = house.STIMULUS_DENSITY_UC_CM2
    """Charge of a phase on the area of the contact."""
    shannon_k: float = house.SHANNON_K
    """Shannon's k, for macro-electrodes."""
    frequency_limit_hz: Annotated[float, Gt(0)] = house.STIMULUS_FREQUENCY_HZ
    """Pulses a second."""
    pulse_limit_us: Annotated[float, Gt(0)] = house.STIMULUS_PULSE_US
    """Duration of either phase."""
    max_age_s: Annotated[float, Gt(0)] = house.MAX_AGE_S
    """Age of the newest sample a command may rest on."""
    future_tolerance_s: Annotated[float, Gt(0)] = house.FUTURE_TOLERANCE_S
    """How far in the future a sample may be stamped."""
    deadman_s: Annotated[float, Gt(0)] = house.DEADMAN_S
    """No usable intent for this long: zero."""
    disarm_s: Annotated[float, Gt(0)] = house.DISARM_S
    """No usable intent for this long: disarmed."""
    auto_rearm: bool | None = None
    """Re-arm by itself after silence; by default simulated devices do. Refused for hardware."""

    def __post_init__(self) -> None:
        where = "therapy.gate"
        for name, value, limit, unit in (
            ("amplitude_limit_ma", self.amplitude_limit_ma, house.STIMULUS_AMPLITUDE_MA, UNIT),
            ("ramp_ma_s", self.ramp_ma_s, self._steepest, "mA/s"),
            ("charge_limit_uc", self.charge_limit_uc, house.STIMULUS_CHARGE_UC, "µC"),
            ("density_limit_uc_cm2", self.density_limit_uc_cm2, house.STIMULUS_DENSITY_UC_CM2, "µC/cm²"),
            ("frequency_limit_hz", self.frequency_limit_hz, house.STIMULUS_FREQUENCY_HZ, "Hz"),
            ("pulse_limit_us", self.pulse_limit_us, house.STIMULUS_PULSE_US, "µs"),
        ):
            if value is not None:
                check_stricter(where, name, value, limit, unit)
        if not (math.isfinite(self.shannon_k) and self.shannon_k <= house.SHANNON_K):
            raise ContractError(
                f"{where}: shannon_k={self.shannon_k:g} must be at most {house.SHANNON_K:g}; configuration can only "
                "make the house's limit stricter. Lower it or leave it out."
            )
        check_times(where, self)

    @property
    def _steepest(self) -> float:
        limit = house.STIMULUS_AMPLITUDE_MA if self.amplitude_limit_ma is None else self.amplitude_limit_ma
        return limit / house.STIMULUS_RAMP_S

    def bind(self, intent_spec: IntentSpec, device_spec: DeviceSpec, chunk_period_s: float) -> None:
        """Compare units, admit the program, take the strictest of all limits, allocate.

        Raises
        ------
        ContractError
            If controller, gate and device do not speak of one amplitude, or the program may not run.
        """
        program = self._check(intent_spec, device_spec)
        ceiling, rule = self._ceiling(program, device_spec.speed_limit)
        ramp = self._steepest if self.ramp_ma_s is None else self.ramp_ma_s
        steepest = ceiling / house.STIMULUS_RAMP_S
        self.limits_ = StimulusLimits(ceiling, min(ramp, steepest), steepest, rule)
        self.watchdog_s_ = watchdog_s(chunk_period_s)
        self._rules = rules_of(self, intent_spec, device_spec, chunk_period_s, ceiling)
        self._limits = self.limits_.pack()
        self._work = np.zeros((6, 1))
        self._desired, self._does, _, out = self._work[:4]
        self._stamps = np.zeros(4)
        self._memory = np.empty(3)
        self._counts = np.zeros(4, np.int64)
        self._state: State = (self._memory, self._counts)
        self._command = Command(out, _NEVER, _NEVER, _NEVER, -1, int(GateState.DISARMED), 0)
        from bmi import _gate_kernels as kernels  # numba: only once there is something to bind

        arrays = (self._stamps, self._rules, self._limits, self._work, self._memory, self._counts)
        self._kernel = entry(kernels.stimulus_step, 0, 0.0, *arrays)
        self.reset()
        self._kernel(0, 0.0, *arrays)
        self.reset()

    def _check(self, intent_spec: IntentSpec, device_spec: DeviceSpec) -> StimulusProgram:
        where = f"therapy, between the controller and device {device_spec.name!r}"
        program = device_spec.program
        if program is None or device_spec.unit != UNIT or device_spec.position_unit != UNIT:
            raise ContractError(
                f"{where}: expected a stimulator, commanded in {UNIT!r} and with a program of its pulses; given one "
                f"commanded in {device_spec.unit!r}"
            )
        if (intent_spec.kind, intent_spec.unit, len(intent_spec.dims), len(device_spec.dims)) != ("level", UNIT, 1, 1):
            raise ContractError(
                f"{where}: expected one level in {UNIT!r} for one site, given a {intent_spec.kind!r} intent of "
                f"{intent_spec.dims} in {intent_spec.unit!r} for {device_spec.dims}"
            )
        check_pace(self, intent_spec, where, "controller")
        check_arming(self, device_spec, where)
        if not device_spec.speed_limit > 0.0:
            raise ContractError(f"{where}: the device declares a limit of {device_spec.speed_limit:g} mA")
        widths = max(program.pulse_us, program.recharge_us or 0.0)
        for name, value, limit, unit in (
            ("frequency", program.frequency_hz, self.frequency_limit_hz, "Hz"),
            ("duration of a phase", widths, self.pulse_limit_us, "µs"),
            ("charge that does not return", 100.0 * program.imbalance, 100.0 * house.STIMULUS_IMBALANCE, "%"),
        ):
            if value > limit:
                raise ContractError(f"{where}: {name} of the program is {value:g} {unit}, at most {limit:g} may be")
        if not program.macro and (self.amplitude_limit_ma is None or self.charge_limit_uc is None):
            area = program.electrode_area_mm2
            contact = "the contact's area is not known" if area is None else f"{area:g} mm² is a micro-electrode"
            raise ContractError(
                f"{where}: {contact}, and Shannon's line says nothing below {MACRO_MM2:g} mm². Give the caps that "
                "tissue and metal bear, gate.amplitude_limit_ma and gate.charge_limit_uc, or the area if it is larger"
            )
        return program

    def _ceiling(self, program: StimulusProgram, device_limit_ma: float) -> tuple[float, str]:
        """Return the largest amplitude every rule permits, mA, and the rule it comes from."""
        amplitude = house.STIMULUS_AMPLITUDE_MA if self.amplitude_limit_ma is None else self.amplitude_limit_ma
        charge = house.STIMULUS_CHARGE_UC if self.charge_limit_uc is None else self.charge_limit_uc
        per_uc = 1.0 / program.charge_uc(1.0)
        rules = [(amplitude, AMPLITUDE), (device_limit_ma, DEVICE), (charge * per_uc, CHARGE)]
        if program.electrode_area_mm2 is not None:
            cm2 = program.electrode_area_mm2 / MM2_PER_CM2
            rules.append((self.density_limit_uc_cm2 * cm2 * per_uc, DENSITY))
            if program.macro:  # k = log10(Q² / A), so Q = sqrt(A 10^k)
                rules.append((math.sqrt(cm2 * 10.0**self.shannon_k) * per_uc, SHANNON))
        return min(rules)

    def step(
        self,
        intent: Intent | None,
        now: float,
        amplitude_ma: F64,
        *,
        arm: bool,
        stop: bool,
        newest_t: float,
        newest_arrival: float,
    ) -> Command | None:
        """Return what the stimulator is to do, or None while there is nothing to say.

        Parameters
        ----------
        intent : Intent or None
            What the controller said in this step, (1,) mA.
        now : float
            The single ``now`` of the step, s.
        amplitude_ma : (1,) float64
            What the stimulator does at ``now``, mA.
        arm, stop : bool
            The operator's words; arming happens on the edge, STOP while it is up.
        newest_t, newest_arrival : float
            Newest sample of the stream the controller listens to, s.

        Returns
        -------
        Command or None
            Borrowed until the next step.

        Notes
        -----
        *Realtime*: every step of a live lane with a therapy, after the movement command has left; about 2 µs.
        """
        bits = (4 if arm else 0) | (8 if stop else 0)
        stamps = self._stamps
        if intent is None:
            t, t_arrival = newest_t, newest_arrival
        else:
            t, t_arrival = intent.t, intent.t_arrival
            bits |= 3 if intent.abstains else 1
            if not take(self._desired, intent.mean, (1,)):
                bits |= 16
        if not take(self._does, amplitude_ma, (1,)):
            bits |= 16
        stamps[0] = t
        stamps[1] = t_arrival
        stamps[2] = newest_t
        stamps[3] = newest_arrival
        code = self._kernel(bits, now, stamps, self._rules, self._limits, self._work, self._memory, self._counts)
        if code < 0:
            return None
        command = self._command
        command.t = t
        command.t_arrival = t_arrival
        command.t_command = now
        command.seq = code >> 24
        command.state = code >> 16 & 0xFF
        command.flags = code & 0xFFFF
        return command

    @property
    def status(self) -> int:
        """What the gate lets through right now, a GateState."""
        return int(self._counts[0])

    def state(self) -> State:
        """Return what ``step`` depends on: times and amplitude; state, seq, last arm word, awaits neutral."""
        return self._state

    def reset(self) -> None:
        """Disarm and forget the amplitude."""
        self._memory[:2] = _NEVER
        self._memory[2] = 0.0
        self._counts[:] = 0
