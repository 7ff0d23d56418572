"""A therapy: one stream's stages, a controller, the stimulus gate and a stimulator, beside the line that moves.

A step of it follows the step of the line, when the movement's command has left. ``decide`` is the part that is a
function of the journal; ``step`` wraps it with the stimulator and writes the record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

import numpy as np

from bmi import registry
from bmi.contracts import Controller, Device, Stage, State, Stimulated
from bmi.errors import ContractError
from bmi.limits import DEADMAN_S
from bmi.schema import Builder
from bmi.signals import F64, I64, AnyArray, Bundle, Chunk, Command, Event, Intent, StreamSpec
from bmi.stimulus import StimulusProgram
from bmi.stimulus_gate import StimulusGate

RING = "therapy.ring"
TOPIC = "/therapy"
RECORD = np.dtype(
    [
        ("step", "<i8"),  # of the line, in /steps: which samples it saw
        ("has_intent", "<i8"),  # 1 if the controller spoke in this step
        ("abstains", "<i8"),
        ("gate_state", "<i8"),  # GateState after the step
        ("gate_flags", "<i8"),  # GateFlag bits of this step's command
        ("command_seq", "<i8"),  # -1 if nothing was commanded in this step
        ("arm_word", "<i8"),  # input
        ("stop_word", "<i8"),  # input
        ("step_ns", "<i8"),  # whole step: chunk in hand -> device.write returned
        ("now", "<f8"),  # input, s
        ("t", "<f8"),  # newest sample the command rests on, s
        ("t_arrival", "<f8"),
        ("t_written", "<f8"),  # when device.write returned; t_written - min(t, t_arrival) is the age
        ("before", "<f8"),  # input: what the stimulator did at now, mA
        ("level", "<f8"),  # what the controller measured when it last spoke, in its own scale
        ("wanted", "<f8"),  # what it wanted when it last spoke, mA
        ("command", "<f8"),  # after the gate, mA; the last one if there is none in this step
        ("applied", "<f8"),  # what the stimulator does from now on, mA
    ]
)
"""Record type of the ``/therapy`` ring: one row a step of the line."""
COMPARED = ("has_intent", "abstains", "level", "wanted", "command_seq", "command", "gate_state", "gate_flags")
"""Outputs that must repeat in a replay: of the controller where it spoke, of the gate where it commanded."""
NODE = ("source", "stages", "controller", "gate", "device")
"""Keys of a recipe's ``therapy``."""
_F = {name: at[1] // 8 for name, at in (RECORD.fields or {}).items()}
_LEVEL, _NOW = _F["level"], _F["now"]


@dataclass(kw_only=True, eq=False)
class Therapy:
    """Stages, controller, gate and stimulator, bound together; listens to one of the session's streams.

    Attributes
    ----------
    row : (1,) structured array of ``RECORD``
        The journal record of the last step, filled in place.
    intent : Intent or None
        What the controller said in the last step.
    events : list of Event
        What there is to tell; whoever runs the therapy takes it away.
    """

    source: str
    """Label of the stream it listens to."""
    stages: Sequence[Stage]
    """From samples to the controller's features."""
    controller: Controller
    gate: StimulusGate
    device: Device

    def bind(self, specs: Sequence[StreamSpec]) -> None:
        """Fix every shape for these streams, of which one is its source.

        Raises
        ------
        ContractError
            If parts do not fit, the stream is irregular, or the stimulator is real.
        """
        where = f"therapy of stream {self.source!r}"
        names = [s.name for s in specs]
        if self.source not in names:
            raise ContractError(f"{where}: no such stream is bound (streams: {', '.join(names)})")
        if self.device.spec.hardware:
            raise ContractError(
                f"{where}: device {self.device.spec.name!r} is hardware; a therapy drives simulated stimulators only, "
                "as nobody but the lane could stop it"
            )
        self.index = names.index(self.source)
        spec = specs[self.index]
        if spec.rate_hz <= 0:
            raise ContractError(f"{where}: it is irregular (rate 0), so its silence could not be told from a fault")
        push_s = spec.max_samples / spec.rate_hz
        for i, stage in enumerate(self.stages):
            try:
                spec = stage.bind(spec)
            except ContractError as e:
                raise ContractError(f"{where}: stage {i} ({type(stage).__name__}): {e}") from e
        self.features = spec
        self.gate.bind(self.controller.bind(spec), self.device.spec, push_s)
        self._chain = tuple(self.stages)
        self._newest: F64 = np.zeros(2)
        self.row: AnyArray = np.zeros(1, RECORD)
        self._i: I64 = self.row.view("<i8")
        self._f: F64 = self.row.view("<f8")
        self._f[_LEVEL] = np.nan
        self.intent: Intent | None = None
        self.events: list[Event] = []

    @property
    def site(self) -> str:
        """Where the current passes."""
        return self.device.spec.dims[0]

    @property
    def program(self) -> StimulusProgram:
        """What its pulses are."""
        program = self.device.spec.program
        assert program is not None  # noqa: S101 - the recipe and the gate have looked
        return program

    @property
    def amplitude_ma(self) -> float:
        """What the stimulator does since the last step, mA."""
        return float(self._f[-1])

    def decide(self, chunk: Chunk | None, now: float, amplitude_ma: F64, arm: bool, stop: bool) -> Command | None:
        """Tell, measure, control, gate: a function of its arguments and of ``state()``, nothing else.

        Parameters
        ----------
        chunk : Chunk or None
            What its stream brought.
        amplitude_ma : (1,) float64
            What the stimulator does at ``now``, mA.
        """
        newest, intent = self._newest, None
        self.controller.told(amplitude_ma.item(0), now)
        if chunk is not None:
            newest[0] = chunk.t[-1]
            newest[1] = chunk.t_arrival
            feature: Chunk | None = chunk
            for stage in self._chain:
                if feature is None:
                    break
                feature = stage.step(feature)
            if feature is not None:
                intent = self.controller.step(feature)
        elif newest[1] == 0.0:  # nothing heard yet: the silence counts from the first step
            newest[:] = now
        self.intent = intent
        return self.gate.step(
            intent, now, amplitude_ma, arm=arm, stop=stop, newest_t=newest[0], newest_arrival=newest[1]
        )

    def step(
        self, bundle: Bundle, now: float, step: int, *, arm: bool = True, stop: bool = False,
        clock: Callable[[], float] | None = None,
    ) -> Command | None:  # fmt: skip
        """Take what its stream brought through to the stimulator, and write the record.

        Parameters
        ----------
        bundle : tuple of Chunk or None
            What the line's step saw.
        now : float
            The single time of that step, s.
        step : int
            Its number.
        arm, stop : bool
            What the operator wants.
        clock : callable, optional
            Asked before and after the write; without it, time stands still in a step.

        Returns
        -------
        Command or None
            What was commanded, if anything was.

        Notes
        -----
        *Realtime*: every step of a lane with a therapy, after the movement's command has left: some 15 µs without a
        feature, and what stages and controller take with one.
        """
        t0 = perf_counter_ns()
        does = self.device.read(now).position
        before = does.item(0)
        command = self.decide(bundle[self.index], now, does, arm, stop)
        after = before
        if command is not None:
            late = clock is not None and clock() - now > DEADMAN_S
            write = self._withhold if late else self.device.write
            after = write(command, now).item(0)
        step_ns = perf_counter_ns() - t0
        i, f, n = self._i, self._f, _NOW
        i[0] = step
        self._said(command)
        i[6] = arm
        i[7] = stop
        i[8] = step_ns
        f[n] = now
        f[n + 3] = clock() if clock is not None else now
        f[n + 4] = before
        f[n + 8] = after
        return command

    def _said(self, command: Command | None) -> None:
        """Enter the outputs of the last ``decide``."""
        i, f, n, intent = self._i, self._f, _NOW, self.intent
        i[1], i[2] = intent is not None, intent is not None and intent.abstains
        if intent is not None:
            f[n + 5] = self.controller.level_
            f[n + 6] = intent.mean[0] if intent.mean.shape == (1,) else np.nan
        i[3] = self.gate.status
        if command is None:
            i[4], i[5] = 0, -1
            return
        i[4], i[5] = command.flags, command.seq
        f[n + 1], f[n + 2] = command.t, command.t_arrival
        f[n + 7] = command.values[0]

    def _withhold(self, command: Command, now: float) -> F64:
        """Silence instead of an amplitude that took so long that nobody knows whether it is still wanted."""
        self.device.stop("the step took too long")
        self.device.arm()
        self.events.append(Event(now, "stimulus.withheld", {"ma": float(command.values[0])}))
        return np.zeros(1)

    def again(self, chunk: Chunk | None, was: AnyArray) -> AnyArray:
        """Repeat a recorded step: feed its inputs, return its record with the outputs of today. For replay."""
        f = self._f
        self.row[0] = was
        f[_NOW + 5 : _NOW + 8] = np.nan
        words = bool(was["arm_word"]), bool(was["stop_word"])
        self._said(self.decide(chunk, float(was["now"]), f[_NOW + 4 : _NOW + 5].copy(), *words))
        repeated: AnyArray = self.row[0]
        return repeated

    def state(self) -> State:
        """Return every array the next ``decide`` depends on."""
        stages = [a for stage in self._chain for a in stage.state()]
        return (*stages, *self.controller.state(), *self.gate.state(), self._newest)


def therapy_of(b: Builder, raw: Any, sources: Sequence[Any]) -> Therapy | None:
    """Construct a recipe's therapy from its node and the session's sources."""
    labels = [s.label for s in sources]
    if not isinstance(raw, Mapping):
        b.add("therapy", f"expected a mapping of {', '.join(NODE)}, given {raw!r} ({type(raw).__name__})")
        return None
    for key in raw:
        if key not in NODE:
            near = registry.nearest(str(key), list(NODE))
            b.add(f"therapy.{key}", f"unknown key {key!r}{near} (known: {', '.join(NODE)})")
    missing = [key for key in ("source", "controller", "device") if key not in raw]
    for key in missing:
        b.add(f"therapy.{key}", f"'{key}' is required")
    source = raw.get("source")
    if source is not None and source not in labels:
        near = registry.nearest(str(source), labels)
        b.add("therapy.source", f"no source is called {source!r}{near} (sources: {', '.join(labels)})")
    stages = b.many("stages", raw.get("stages", []), "therapy.stages")
    controller = b.node("controllers", raw["controller"], "therapy.controller") if "controller" in raw else None
    gate = b.part(StimulusGate, raw.get("gate"), "therapy.gate")
    device = b.node("devices", raw["device"], "therapy.device") if "device" in raw else None
    if device is not None and device.spec.program is None:
        b.add("therapy.device", f"{b.names['therapy.device']!r} moves something; expected a stimulator")
        return None
    if missing or controller is None or gate is None or device is None:
        return None
    return Therapy(source=str(source), stages=stages, controller=controller, gate=gate, device=device)


def match_site(b: Builder, therapy: Therapy, world: Any) -> None:
    """Add a problem unless what ``therapy`` stimulates is a place the simulated participant has."""
    if not isinstance(world, Stimulated):
        b.add("therapy", f"the world {b.names['world']!r} cannot be stimulated; leave the therapy out, or take another")
    elif therapy.site not in world.sites:
        near = registry.nearest(therapy.site, list(world.sites))
        known = ", ".join(world.sites) or "none"
        b.add("therapy.device.site", f"the world has no site {therapy.site!r}{near} (sites: {known})")
