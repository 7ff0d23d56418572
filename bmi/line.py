"""One bundle in, one command out: the line that runs unchanged on an LSL rig, in replay, in lock-step
simulation and in a unit test.

``decide`` is the part that is a function of the journal entry; ``step`` wraps it with the world: effector,
task, blocks and journal. The order inside ``step`` is fixed and is the latency budget: decode, blend, gate,
write; everything else comes after the command has left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter_ns

import numpy as np

from bmi.assist import GoalDirected
from bmi.blocks import Blocks
from bmi.contracts import Device, State, Task, TrialResult
from bmi.errors import ContractError
from bmi.gate import Gate
from bmi.journal import StepRecord
from bmi.limits import DEADMAN_S
from bmi.pipeline import Pipeline
from bmi.signals import F64, AnyArray, Bundle, Command, Event, Intent, IntentSpec, StreamSpec

LATE_NS = int(DEADMAN_S * 1e9)
"""A command that took longer to make than devices hold one is not sent any more."""


class Line:
    """Pipeline, gate, device and task, bound together.

    Parameters
    ----------
    pipeline, gate, device, task, blocks, assist
        The parts, constructed; the device is opened by whoever runs the line.

    Attributes
    ----------
    record : StepRecord
        The journal record of the last step, filled in place.
    intent, intended : Intent or None
        What was decoded in the last step, and what was intended after assist.
    events : list of Event
        What the task and the blocks had to say; whoever runs the line takes them away.
    results : list
        Trials of every block that ended.
    """

    def __init__(
        self, *, pipeline: Pipeline, gate: Gate, device: Device, task: Task, blocks: Blocks, assist: GoalDirected
    ) -> None:
        self.pipeline, self.gate, self.device = pipeline, gate, device
        self.task, self.blocks, self.assist = task, blocks, assist
        self.events: list[Event] = []
        self.results: list[tuple[TrialResult, ...]] = []
        self.intent: Intent | None = None
        self.intended: Intent | None = None
        self.decode_ns = self.gate_ns = 0
        self._won: list[bool] = []

    def bind(
        self, specs: tuple[StreamSpec, ...], rng: np.random.Generator, *, cold_start: bool = False
    ) -> IntentSpec:
        """Fix every shape: pipeline, gate, task, journal. Raises ContractError, NotFittedError."""
        if specs[0].rate_hz <= 0:
            raise ContractError(
                f"the primary stream {specs[0].name!r} is irregular (rate 0): silence of it could not be told from a "
                "fault. Mark a stream with a sampling rate 'primary: true'; irregular ones may stand beside it"
            )
        spec = self.pipeline.bind(specs, cold_start=cold_start)
        device = self.device.spec
        if spec.kind == "continuous" and len(spec.dims) != len(device.dims):
            raise ContractError(
                f"the decoder gives {len(spec.dims)} dimensions {spec.dims}, device {device.name!r} takes "
                f"{len(device.dims)} {device.dims}: set n_dims of the one or the other"
            )
        n = len(device.dims)
        clicks = self.pipeline.click is not None
        push_s = specs[0].max_samples / specs[0].rate_hz if specs[0].rate_hz else 0.02
        self.gate.bind(spec, device, push_s, selects=clicks)
        asked = bool(getattr(self.task, "selects", False))
        if asked and not clicks:
            raise ContractError(
                f"the task ({type(self.task).__name__}) waits for clicks, but nothing decodes them: "
                "give a click decoder (click: {use: hmm}), or let the task select by dwelling"
            )
        self._clicked = asked
        self.task.bind(n, rng)
        self.assist.bind(n)
        self.specs = specs
        self._told: F64 | None = getattr(self.pipeline.decoder, "position_", None)
        self.record = StepRecord(len(specs), n)
        self._newest = np.zeros(2)
        self._blended = Intent(np.zeros(n), np.zeros((n, n)), 0.0, 0.0)
        self._one_stream = len(specs) == 1
        self._begun = False
        return spec

    def decide(
        self,
        bundle: Bundle,
        now: float,
        goal: F64 | None,
        assist: float,
        position: F64,
        velocity: F64,
        arm: bool,
        stop: bool,
        radius: float = 0.0,
    ) -> Command | None:
        """Decode, blend, gate: a function of its arguments and of ``state()``, nothing else.

        ``goal`` is None between trials; ``radius`` is the goal's, mm. Afterwards ``intent`` holds what was decoded in
        this step (or None) and ``decode_ns``, ``gate_ns`` how long it took.
        """
        t0 = perf_counter_ns()
        chunk = bundle[0]
        newest = self._newest
        if self._told is not None:  # a decoder that is fed its effector's position back
            np.copyto(self._told, position, where=np.isfinite(position))
        if chunk is not None:
            newest[0] = chunk.t[-1]
            newest[1] = chunk.t_arrival
            intent = self.pipeline.step(bundle)
        else:
            if newest[1] == 0.0:  # nothing heard yet: the silence counts from the first step
                newest[:] = now
            intent = None if self._one_stream else self._secondary(bundle)
        t1 = perf_counter_ns()
        self.intent = intent
        if intent is not None:
            select = self.assist.watch(goal, radius, position, now) if self._clicked else 0.0
            if assist > 0.0:
                intent = self._blend(intent, goal, assist, position, select)
        self.intended = intent
        command = self.gate.step(
            intent, now, position, velocity, arm=arm, stop=stop,
            newest_t=newest[0], newest_arrival=newest[1],
        )  # fmt: skip
        self.decode_ns, self.gate_ns = t1 - t0, perf_counter_ns() - t1
        return command

    def _secondary(self, bundle: Bundle) -> Intent | None:
        """Let the other streams' stages see their chunks even when the primary brought nothing."""
        return self.pipeline.step(bundle) if any(c is not None for c in bundle) else None

    def _blend(self, intent: Intent, goal: F64 | None, assist: float, position: F64, select: float) -> Intent:
        """Mix the goal-directed intention into the decoded one; between trials it is to rest."""
        b = self._blended
        self.assist.blend(intent.mean, goal, position, assist, b.mean)
        b.cov, b.t, b.t_arrival = intent.cov, intent.t, intent.t_arrival
        b.params_version, b.abstains = intent.params_version, intent.abstains and assist < 1.0
        b.select = (1.0 - assist) * intent.select + assist * select if assist < 1.0 else select
        return b

    def step(
        self,
        bundle: Bundle,
        now: float,
        *,
        arm: bool = True,
        stop: bool = False,
        clock: Callable[[], float] | None = None,
    ) -> Command | None:
        """Take one bundle through to the device, then let the task and the blocks see the result.

        Parameters
        ----------
        bundle : tuple of Chunk or None
            One entry a stream, primary first.
        now : float
            The single time of this step, s.
        arm, stop : bool
            What the operator wants.
        clock : callable, optional
            Asked once, after the write, when the command left; without it, time stands still in a step.

        Returns
        -------
        Command or None
            What was written, if anything was.

        Notes
        -----
        *Realtime*: every push (1 kHz); some 10 µs beyond the compiled steps; allocates a handful of small objects.
        """
        goal, r = self.task.goal, self.record
        effector = self.device.read(now)
        assist, active = self.blocks.assist, goal.active
        goal.assist = assist
        command = self.decide(
            bundle, now, goal.position if active else None, assist, effector.position, effector.velocity, arm, stop,
            goal.radius,
        )  # fmt: skip
        t0 = perf_counter_ns()
        late = clock is not None and self.decode_ns + self.gate_ns > LATE_NS
        write = self._withhold if late else self.device.write
        applied = write(command, now) if command is not None else None
        write_ns = perf_counter_ns() - t0
        # The command has left: from here on nothing is urgent.
        t_written = clock() if clock is not None else now
        r.position[:], r.velocity[:] = self.gate.position_, self.gate.velocity_  # as they were before the write
        r.begin(now, self.blocks.index, assist, arm, stop, goal)
        r.heard(bundle)
        if self.intent is not None and self.intended is not None:
            r.spoke(self.intent, self.intended)
        if command is not None:
            r.sent(command, t_written)
            r.applied[:] = applied
        r.end(self.gate.status, command.flags if command is not None else 0,
              self.decode_ns, self.gate_ns, write_ns)  # fmt: skip
        if arm or self._begun:  # blocks begin when the device is first armed
            self._begun = True
            self._advance(now, command is not None and command.select and not late)
        return command

    def _withhold(self, command: Command, now: float) -> F64:
        """Rest instead of sending a command that took so long that the device was stopped meanwhile."""
        ms = (self.decode_ns + self.gate_ns) / 1e6
        self.device.stop(f"the step took {ms:.0f} ms")
        self.device.arm()
        self.events.append(Event(now, "command.withheld", {"ms": round(ms, 1)}))
        return np.zeros(len(self.record.applied))

    def _advance(self, now: float, selected: bool) -> None:
        """Let task and blocks see the new state of the effector, and whether a click passed."""
        blocks, task = self.blocks, self.task
        if not (blocks.done or blocks.resting):
            task.step(now, self.device.effector.position, selected)
            events = task.events()
            if events:
                self._hear(events)
        index = blocks.index
        if blocks.step(now, self._won):
            self.results.append(tuple(task.results()))
            data = {"block": index, "name": blocks.blocks[index].name, "trials": len(self.results[-1])}
            self.events.append(Event(now, "block.end", data))
            task.reset()
            self._won.clear()

    def _hear(self, events: Sequence[Event]) -> None:
        """Pass the task's events on: each says its block, the end of a trial how it went."""
        results = self.task.results()
        for event in events:
            event.data["block"] = self.blocks.index
            if event.kind == "trial.end":
                event.data.update(results[-1]._asdict())
        self.events.extend(events)
        self._won.extend(r.success for r in results[len(self._won) :])

    @property
    def n_trials(self) -> int:
        """Trials ended in this block."""
        return len(self._won)

    def asked(self) -> bool:
        """Whether what was decoded in the last step had a goal: asked, and time to react."""
        r = self.record
        return self.intent is not None and r.goal_active and r.goal_age_s >= self.assist.reaction_s

    def learnable(self) -> bool:
        """Whether the features of the last step carry a label worth learning from, and one may."""
        return self.blocks.learning and self.asked()

    def label(self, out: F64) -> F64:
        """Write the goal-directed intention of the last step, (n_dims,), into ``out`` and return it."""
        r = self.record
        return self.assist.intention(r.goal, r.position, out)

    def select_label(self) -> int:
        """Whether a click was intended in the last step, as a label: 1 yes, 0 no, -1 not known or not to be learned."""
        r = self.record
        if not (self._clicked and self.blocks.learning) or r.goal_age_s < self.assist.reaction_s:
            return -1  # just after a goal a participant may still be clicking the last
        return self.assist.clicking(float(r.row["now"][0]))

    def feature(self, row: AnyArray) -> None:
        """Fill a feature record (1,) of ``bmi.journal.feature_dtype`` with what a learner may want to know."""
        r, intent = self.record, self.intent
        row["step"], row["block"], row["learn"] = r.step, self.blocks.index, self.learnable()
        row["select"], row["asked"] = self.select_label(), self.asked()
        row["t"] = intent.t if intent is not None else r.row["now"]
        row["radius"] = r.row["goal_radius"]
        self.label(row["intended"][0])
        row["goal"][0], row["position"][0], row["decoded"][0] = r.goal, r.position, r.decoded
        row["y"][0] = self.pipeline.decoder.y_

    def state(self) -> State:
        """Return every array the next ``decide`` depends on."""
        seen = self.assist.state() if self._clicked else ()
        return (*self.pipeline.state(), *self.gate.state(), self._newest, *seen)
