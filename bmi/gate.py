"""The one door between intent and device."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Protocol

import numpy as np
from annotated_types import Gt

from bmi import limits as house
from bmi.compiled import entry
from bmi.contracts import State
from bmi.errors import ContractError
from bmi.limits import Limits, check_stricter
from bmi.select import Selection
from bmi.signals import F64, Command, DeviceSpec, GateState, Intent, IntentSpec

UNIT = "mm/s"
_NEVER = -np.inf
_ACTIVE = int(GateState.ACTIVE)
_F64 = np.dtype(np.float64)


@dataclass(kw_only=True, eq=False)
class Gate:
    """Decides what a device may ever receive: freshness, arming, dead-man, STOP, and the limiter.

    Defaults are the house's limits; a looser value is refused. ``step`` is a function of its arguments and
    of ``state()`` alone (no clock, no chance), so a replay repeats it bit by bit. A command's age is
    ``now - min(t, t_arrival)``, no other definition.

    ===============================================  ==================================================
    what happens                                     what the gate does
    ===============================================  ==================================================
    newest sample older than ``max_age_s``           NEUTRAL: brakes under the limiter (STALE)
    no sample for max(5 chunks, 100 ms)              NEUTRAL (SILENT)
    NaN, Inf, wrong shape; decoder abstains          NEUTRAL (NOT_FINITE; ABSTAINED)
    no usable intent for ``deadman_s``               NEUTRAL (DEADMAN), repeated every 20 ms
    ... for ``disarm_s``                             DISARMED; simulated devices re-arm with the next
                                                     good intent, hardware with an arm edge and a
                                                     neutral intent (slower than a tenth of the limit)
    a sample stamped > ``future_tolerance_s`` ahead  TRIPPED: brakes; latched until an arm edge, but where it
                                                     re-arms by itself until all was well for ``disarm_s``
    STOP                                             STOPPED: zero at once; latched until an arm edge
    ===============================================  ==================================================

    An abstaining decoder is alive: it commands neutral, yet never disarms.

    A click passes through the same door: ``Command.select`` is True in the one command that selects, under the
    rules of ``select``, and only in the state ACTIVE.
    """

    speed_limit_mm_s: Annotated[float, Gt(0)] = house.SPEED_LIMIT_MM_S
    """Norm of the velocity."""
    acceleration_limit_mm_s2: Annotated[float, Gt(0)] = house.ACCELERATION_LIMIT_MM_S2
    """Of every axis."""
    jerk_limit_mm_s3: Annotated[float, Gt(0)] = house.JERK_LIMIT_MM_S3
    """Of every axis."""
    workspace_mm: tuple[float, ...] = (house.WORKSPACE_MM, house.WORKSPACE_MM)
    """Full width of every axis, centred on the origin."""
    max_age_s: Annotated[float, Gt(0)] = house.MAX_AGE_S
    """Age of the newest sample a command may rest on."""
    future_tolerance_s: Annotated[float, Gt(0)] = house.FUTURE_TOLERANCE_S
    """How far in the future a sample may be stamped."""
    deadman_s: Annotated[float, Gt(0)] = house.DEADMAN_S
    """No usable intent for this long: neutral."""
    disarm_s: Annotated[float, Gt(0)] = house.DISARM_S
    """No usable intent for this long: disarmed."""
    auto_rearm: bool | None = None
    """Re-arm by itself after silence; by default simulated devices do. Refused for hardware."""
    select: Selection = field(default_factory=Selection)
    """When a click passes."""
    position_: F64 = field(init=False, repr=False)
    """Position of the effector the last ``step`` was told, (n_dims,) mm; borrowed."""
    velocity_: F64 = field(init=False, repr=False)
    """Its velocity, (n_dims,) mm/s; borrowed."""

    def __post_init__(self) -> None:
        for name, limit, unit in (
            ("speed_limit_mm_s", house.SPEED_LIMIT_MM_S, "mm/s"),
            ("acceleration_limit_mm_s2", house.ACCELERATION_LIMIT_MM_S2, "mm/s²"),
            ("jerk_limit_mm_s3", house.JERK_LIMIT_MM_S3, "mm/s³"),
        ):
            check_stricter("gate", name, getattr(self, name), limit, unit)
        check_times("gate", self)
        self.workspace_mm = tuple(float(w) for w in self.workspace_mm)
        for i, width in enumerate(self.workspace_mm):
            check_stricter("gate", f"workspace_mm[{i}]", width, house.WORKSPACE_MM, "mm")

    def bind(
        self, intent_spec: IntentSpec, device_spec: DeviceSpec, chunk_period_s: float, *, selects: bool = False
    ) -> None:
        """Compare units and dimensions, take the stricter of our limits and the device's, allocate.

        Unless it ``selects`` (there is a click decoder), no command ever does.

        Raises
        ------
        ContractError
            If decoder, gate and device do not speak of the same quantity.
        """
        n = self._check(intent_spec, device_spec)
        self.limits_ = Limits(
            speed=min(self.speed_limit_mm_s, device_spec.speed_limit),
            acceleration=self.acceleration_limit_mm_s2,
            jerk=self.jerk_limit_mm_s3,
            half_width=tuple(0.5 * w for w in self.workspace_mm),
        )
        self.watchdog_s_ = watchdog_s(chunk_period_s)
        self._rules = rules_of(self, intent_spec, device_spec, chunk_period_s, self.limits_.speed)
        self._limits = self.limits_.pack()
        self._work = np.zeros((6, n))
        self._desired, self._position, self._measured, out = self._work[:4]
        self.position_, self.velocity_ = self._position, self._measured
        self._stamps = np.zeros(4)
        self._memory = np.empty(2 + 2 * n)
        self._counts = np.zeros(4, np.int64)
        self._shape = (n,)
        self._selects = selects
        self._state: State = (self._memory, self._counts, *(self.select.state() if selects else ()))
        self._command = Command(out, _NEVER, _NEVER, _NEVER, -1, int(GateState.DISARMED), 0)
        from bmi import _gate_kernels as kernels  # numba: only once there is something to bind

        arrays = (self._stamps, self._rules, self._limits, self._work, self._memory, self._counts)
        self._kernel = entry(kernels.gate_step, 0, 0.0, *arrays)
        self.reset()
        self._kernel(0, 0.0, *arrays)
        self.reset()

    def _check(self, intent_spec: IntentSpec, device_spec: DeviceSpec) -> int:
        n = len(device_spec.dims)
        where = f"gate, between the decoder and device {device_spec.name!r}"
        if intent_spec.kind != "continuous":
            raise ContractError(f"{where}: expected a continuous intent, given {intent_spec.kind!r}")
        if intent_spec.unit != device_spec.unit:
            raise ContractError(
                f"{where}: the device takes {device_spec.unit!r}, the decoder gives {intent_spec.unit!r}; "
                "convert in the decoder, the gate never guesses a scale"
            )
        if device_spec.unit != UNIT or device_spec.position_unit != "mm":
            raise ContractError(
                f"{where}: the gate's limits are in 'mm' and {UNIT!r}, "
                f"given {device_spec.position_unit!r} and {device_spec.unit!r}; use a device in those units"
            )
        if len(intent_spec.dims) != n or (
            set(intent_spec.dims) == set(device_spec.dims) and intent_spec.dims != device_spec.dims
        ):
            raise ContractError(
                f"{where}: the device moves in {device_spec.dims}, the decoder gives {intent_spec.dims}"
            )
        check_pace(self, intent_spec, where, "decoder")
        if len(self.workspace_mm) != n:
            raise ContractError(
                f"{where}: workspace_mm has {len(self.workspace_mm)} widths, the device has {n} dimensions; "
                "give one full width in mm for each"
            )
        check_arming(self, device_spec, where)
        if device_spec.speed_limit <= 0:
            raise ContractError(f"{where}: the device declares a speed limit of {device_spec.speed_limit:g}")
        return n

    def step(
        self,
        intent: Intent | None,
        now: float,
        position: F64,
        velocity: F64,
        *,
        arm: bool,
        stop: bool,
        newest_t: float,
        newest_arrival: float,
    ) -> Command | None:
        """Return what the device is to do, or None while there is nothing to say.

        Parameters
        ----------
        intent : Intent or None
            What the decoder said in this step, in mm/s.
        now : float
            The single ``now`` of the step, s.
        position, velocity : (n_dims,) float64
            Effector state at ``now``, mm and mm/s.
        arm, stop : bool
            The operator's words; arming happens on the edge, STOP while it is up.
        newest_t, newest_arrival : float
            Newest sample of the primary stream, s.

        Returns
        -------
        Command or None
            Borrowed until the next step.

        Notes
        -----
        *Realtime*: every step of the live lane, about 2 µs, allocates no arrays.
        """
        bits = (4 if arm else 0) | (8 if stop else 0)
        stamps = self._stamps
        if intent is None:
            t, t_arrival = newest_t, newest_arrival
        else:
            t, t_arrival = intent.t, intent.t_arrival
            bits |= 3 if intent.abstains else 1
            if not take(self._desired, intent.mean, self._shape):
                bits |= 16
        if not take(self._position, position, self._shape):
            bits |= 16
        if not take(self._measured, velocity, self._shape):
            bits |= 16
        stamps[0] = t
        stamps[1] = t_arrival
        stamps[2] = newest_t
        stamps[3] = newest_arrival
        code = self._kernel(bits, now, stamps, self._rules, self._limits, self._work, self._memory, self._counts)
        selected = self._selects and self._selected(intent, now)
        if code < 0:
            return None
        command = self._command
        command.select = selected
        command.t = t
        command.t_arrival = t_arrival
        command.t_command = now
        command.seq = code >> 24
        command.state = code >> 16 & 0xFF
        command.flags = code & 0xFFFF
        return command

    def _selected(self, intent: Intent | None, now: float) -> bool:
        """Whether this step selects. ACTIVE after a step with an intent means that the intent passed."""
        if self._counts.item(0) != _ACTIVE:
            self.select.block()
            return False
        return intent is not None and self.select.step(intent.select, now)

    @property
    def status(self) -> int:
        """What the gate lets through right now, a GateState."""
        return int(self._counts[0])

    def state(self) -> State:
        """Return what ``step`` depends on: times and motion; state, seq, last arm word, awaits neutral; clicks."""
        return self._state

    def reset(self) -> None:
        """Disarm and forget all motion."""
        self._memory[:2] = _NEVER
        self._memory[2:] = 0.0
        self._counts[:] = 0
        self.select.reset()


class Timed(Protocol):
    """What both gates say of time: how fresh, how long silent, whether to arm again."""

    max_age_s: float
    future_tolerance_s: float
    deadman_s: float
    disarm_s: float
    auto_rearm: bool | None


def check_times(part: str, gate: Timed) -> None:
    """Raise ContractError unless every time limit of ``gate`` is the house's or stricter."""
    for name, limit in (
        ("max_age_s", house.MAX_AGE_S),
        ("future_tolerance_s", house.FUTURE_TOLERANCE_S),
        ("deadman_s", house.DEADMAN_S),
        ("disarm_s", house.DISARM_S),
    ):
        check_stricter(part, name, getattr(gate, name), limit, "s")


def check_pace(gate: Timed, intent_spec: IntentSpec, where: str, speaker: str) -> None:
    """Raise ContractError if intents come so seldom that the dead-man takes them for silence."""
    if 0.0 < intent_spec.rate_hz <= 1.0 / gate.deadman_s:
        raise ContractError(
            f"{where}: the {speaker} speaks {intent_spec.rate_hz:g} times a second, which the dead-man of "
            f"{gate.deadman_s:g} s takes for silence; use shorter bins"
        )


def check_arming(gate: Timed, device_spec: DeviceSpec, where: str) -> None:
    """Raise ContractError if hardware would arm itself."""
    if device_spec.hardware and gate.auto_rearm:
        raise ContractError(f"{where}: auto_rearm=true is for simulated devices only; leave it out")


def watchdog_s(chunk_period_s: float) -> float:
    """Return after how long without a sample a source is silent, s."""
    return max(house.WATCHDOG_CHUNKS * chunk_period_s, house.WATCHDOG_S)


def rules_of(
    gate: Timed, intent_spec: IntentSpec, device_spec: DeviceSpec, chunk_period_s: float, largest: float
) -> F64:
    """Return the rules of time and arming, (10,), as the kernels want them; ``largest`` is the largest command."""
    auto = not device_spec.hardware if gate.auto_rearm is None else gate.auto_rearm
    return np.array(
        [
            gate.max_age_s,
            gate.future_tolerance_s,
            gate.deadman_s,
            gate.disarm_s,
            watchdog_s(chunk_period_s),
            house.REPEAT_S,
            min(1.0 / intent_spec.rate_hz if intent_spec.rate_hz > 0 else chunk_period_s, house.REPEAT_S),
            house.NEUTRAL_FRACTION * largest,
            float(auto),
            float(device_spec.hardware),
        ]
    )


def take(into: F64, values: F64, shape: tuple[int, ...]) -> bool:
    """Copy ``values`` if they have the shape and are real numbers; else say so."""
    dtype = getattr(values, "dtype", None)
    if dtype is _F64 and values.shape == shape:
        into[...] = values
        return True
    if dtype is not _F64 and getattr(dtype, "kind", "?") not in "fiu":
        return False
    if values.shape != shape:
        return False
    into[...] = values
    return True
