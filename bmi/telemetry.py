"""What a session is doing right now, computed from its own journal.

The live lane shows nothing and formats nothing: it appends one record a step to a ring. Whoever wants to
look (terminal view, API, replay, tests) feeds those records to a `TelemetryReader` in another process
and gets a `Telemetry`: everything a view shows, and nothing a view has to compute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from bmi.latency import Histogram, LatencySummary
from bmi.limits import MAX_AGE_S
from bmi.signals import F64, Event, GateFlag, GateState

COUNTERS = (
    "samples",  # read from every inlet
    "lost",  # samples the senders numbered and nobody received
    "dropped",  # records the rings gave up because a reader was slow
    "missed_deadlines",  # steps that took longer than their budget
    "commands",
    "recorder_bytes",  # written to the recording
    "recorder_dropped",  # records the recorder did not get
    "world_overruns",  # samples the simulated subject sent late
)
WORDS = ("armed", "stopped")
"""Names `TelemetryReader.update` looks up in ``counters``; `WORDS` are control words. Each may be absent."""

_ROUTINE = ("trial.", "centre.", "target.", "block.")
"""Events the view shows in other ways."""

Steps = npt.NDArray[np.void]


@dataclass(slots=True, kw_only=True)
class Telemetry:
    """One snapshot. Lengths in mm, speeds in mm/s, times in s on the LSL clock, latencies in ns."""

    name: str = ""
    t: float = 0.0
    elapsed_s: float = 0.0
    block: str = ""
    block_index: int = -1
    n_blocks: int = 0
    trial: int = -1
    """Number of the trial, counted through the session; -1 before the first."""
    block_trials: int = 0
    """Trials ended in this block."""
    block_trials_planned: int = 0
    """0 if the block is not counted in trials."""
    block_successes: int = 0
    trials: int = 0
    """Trials ended in the session."""
    successes: int = 0
    assist: float = 0.0
    """0: the decoder moves; 1: the computer moves."""
    params_version: int = 0
    workspace_mm: tuple[float, float] = (300.0, 300.0)
    position: F64 = field(default_factory=lambda: np.zeros(2))
    goal: F64 = field(default_factory=lambda: np.zeros(2))
    goal_radius: float = 0.0
    goal_active: bool = False
    targets: F64 = field(default_factory=lambda: np.zeros((0, 2)))
    """(n, n_dims) centres of every target seen so far."""
    trail: F64 = field(default_factory=lambda: np.zeros((0, 2)))
    """(n, n_dims) positions of the last second, oldest first."""
    decoded: F64 = field(default_factory=lambda: np.zeros(2))
    intended: F64 = field(default_factory=lambda: np.zeros(2))
    """After assistance, before the gate."""
    command: F64 = field(default_factory=lambda: np.zeros(2))
    """After the gate."""
    decoded_speed: F64 = field(default_factory=lambda: np.zeros(0))
    """(n_history,) mean speed per tenth of a second or so, oldest first; NaN where nothing was decoded."""
    command_speed: F64 = field(default_factory=lambda: np.zeros(0))
    age: LatencySummary = field(default_factory=LatencySummary)
    """Age of the newest sample when the device had the command: ``t_written - min(t, t_arrival)``."""
    own: LatencySummary = field(default_factory=LatencySummary)
    """Our own making: chunk in hand to ``device.write`` returned."""
    age_recent_max: float = 0.0
    """Largest age in the last second."""
    own_recent_max: float = 0.0
    samples: int = 0
    lost: int = 0
    dropped: int = 0
    unseen: int = 0
    """Steps this reader missed because it was slow; its figures do not hold them."""
    commands: int = 0
    stale_commands: int = 0
    """Commands that moved although they rested on a sample older than the limit. Must stay 0."""
    stale_withheld: int = 0
    """Commands the gate turned neutral for that reason."""
    missed_deadlines: int = 0
    gate_state: GateState = GateState.DISARMED
    gate_flags: tuple[str, ...] = ()
    """Why the newest command differs from its intent, in words."""
    armed: bool = False
    stopped: bool = False
    recording: str = ""
    recorder_bytes: int = 0
    recorder_dropped: int = 0
    world_overruns: int = 0
    last_event: str = ""
    site: str = ""
    """Where a therapy stimulates; empty without one."""
    stimulus_ma: float = 0.0
    stimulus_state: GateState = GateState.DISARMED
    stimulus_flags: tuple[str, ...] = ()


_FLAG_WORDS = {
    GateFlag.STALE: "stale sample",
    GateFlag.SILENT: "source silent",
    GateFlag.FUTURE: "stamp in future",
    GateFlag.NOT_FINITE: "not finite",
    GateFlag.ABSTAINED: "decoder abstains",
    GateFlag.SPEED: "speed limit",
    GateFlag.ACCELERATION: "acceleration limit",
    GateFlag.JERK: "jerk limit",
    GateFlag.WORKSPACE: "workspace edge",
    GateFlag.DEADMAN: "dead-man",
    GateFlag.STOP: "STOP",
    GateFlag.NOT_ARMED: "not armed",
    GateFlag.AMPLITUDE: "amplitude limit",
    GateFlag.RAMP: "ramp",
    GateFlag.CHARGE: "charge limit",
}


def seen_mm(workspace_mm: Sequence[float]) -> tuple[float, float]:
    """Return the part of a workspace a flat screen shows, mm: its first two widths, the first twice if alone."""
    widths = (*workspace_mm, workspace_mm[0])
    return float(widths[0]), float(widths[1])


def flag_words(flags: int) -> tuple[str, ...]:
    """Spell out GateFlag bits, most serious first as they are numbered."""
    return tuple(word for bit, word in _FLAG_WORDS.items() if flags & bit)


def age_ns(steps: Steps) -> F64:
    """Return how old the newest sample was once written, (n,) ns: t_written - min(t, t_arrival)."""
    return np.asarray((steps["t_written"] - np.minimum(steps["t"], steps["t_arrival"])) * 1e9)


def first_active(steps: Steps) -> int | None:
    """Return the place of the first command that the gate let pass; None if there is none.

    Ages are those of commands since then. Before it nothing moves, and a session has no sample yet or a backlog of
    them, whose age says when it was opened.
    """
    passed = np.flatnonzero((steps["command_seq"] >= 0) & (steps["gate_state"] == GateState.ACTIVE))
    return int(passed[0]) if len(passed) else None


def own_ns(steps: Steps) -> npt.NDArray[np.int64]:
    """Return what we ourselves added for each record, ns: decoding, gate and write."""
    return np.asarray(steps["decode_ns"] + steps["gate_ns"] + steps["write_ns"])


@dataclass(kw_only=True)
class TelemetryReader:
    """Turns new step records into a `Telemetry`; memory is bounded by the windows below.

    Raises nothing on an empty update: it returns the snapshot it has, with fresh counters.
    """

    name: str = ""
    blocks: Sequence[str] = ()
    """Names of the recipe's blocks, by index."""
    block_trials: Sequence[int | None] = ()
    """Planned trials of each block; 0 or None where a block is timed."""
    workspace_mm: tuple[float, float] = (300.0, 300.0)
    recording: str = ""
    """Where the recording goes, to be shown."""
    age_limit_s: float = MAX_AGE_S
    trail_s: float = 1.0
    history_s: float = 6.0
    """Width of the speed history."""
    n_history: int = 60
    site: str = ""
    """Where a therapy stimulates, if there is one."""

    def __post_init__(self) -> None:
        self.age = Histogram()
        self.own = Histogram()
        self._begun = False
        self._t0: float | None = None
        self._last_step = -1
        self._t_block = 0.0
        self._targets: dict[tuple[float, ...], None] = {}
        self._window: Steps | None = None
        self._now = Telemetry(
            name=self.name,
            workspace_mm=self.workspace_mm,
            n_blocks=len(self.blocks),
            recording=self.recording,
            site=self.site,
        )

    def treated(self, row: Steps) -> None:
        """Take the newest record of the therapy, of `bmi.therapy.RECORD`; the next snapshot shows it."""
        now = self._now
        now.stimulus_ma = float(row["applied"])
        now.stimulus_state = GateState(int(row["gate_state"]))
        if row["command_seq"] >= 0:
            now.stimulus_flags = flag_words(int(row["gate_flags"]))

    def update(
        self,
        steps: Steps,
        counters: Mapping[str, float] | None = None,
        events: Sequence[Event] = (),
    ) -> Telemetry:
        """Take records of `bmi.journal.step_dtype` (n,), oldest first, and return the new snapshot.

        Parameters
        ----------
        steps : (n,) structured
            New records since the last call; may be empty. Not kept.
        counters
            Control words and counters by the names in `COUNTERS`; they win over what the records add up
            to, because a slow reader does not see every record.
        events
            New events; ``trial.end`` with its ``outcome`` is counted, the newest other kind is shown.
        """
        if len(steps):
            self._count(steps)
            self._look(steps)
        for event in events:
            self._hear(event)
        now = self._now
        given = counters or {}
        for key in COUNTERS:
            if key in given:
                setattr(now, key, int(given[key]))
        for key in WORDS:
            if key in given:
                setattr(now, key, bool(given[key]))
        now.age, now.own = self.age.summary(), self.own.summary()
        return replace(now)  # arrays are replaced, never written to, so a shallow copy is a snapshot

    def _count(self, steps: Steps) -> None:
        now = self._now
        expected = self._last_step + 1
        if self._last_step >= 0:
            now.unseen += max(0, int(steps["step"][-1]) - expected + 1 - len(steps))
        self._last_step = int(steps["step"][-1])
        now.samples += int(steps["n_samples"].sum())
        now.lost += int(steps["n_lost"][steps["n_samples"] > 0].sum())
        sent = steps[steps["command_seq"] >= 0]
        now.commands += len(sent)
        if not len(sent):
            return
        age = age_ns(sent)
        begins = None if self._begun else first_active(sent)
        if begins is not None:  # the ages of what only waited were shown; from now on they would hide the others
            self._begun, self.age = True, Histogram()
        self.age.add(age[begins:])
        self.own.add(own_ns(sent))
        moving = (sent["gate_state"] == GateState.ACTIVE) & np.any(sent["command"] != 0.0, axis=1)
        now.stale_commands += int(np.count_nonzero(moving & (age > self.age_limit_s * 1e9)))
        now.stale_withheld += int(np.count_nonzero(sent["gate_flags"] & GateFlag.STALE))

    def _look(self, steps: Steps) -> None:
        now, last = self._now, steps[-1]
        t = float(last["now"])
        self._t0 = float(steps[0]["now"]) if self._t0 is None else self._t0
        now.t, now.elapsed_s = t, t - self._t0
        if int(last["block"]) != now.block_index:
            entered = steps["now"][steps["block"] == last["block"]]
            self._enter(int(last["block"]), float(entered[0]))
        now.trial, now.assist = int(last["trial"]), float(last["assist"])
        now.params_version = int(last["params_version"])
        now.position, now.goal = last["position"].copy(), last["goal"].copy()
        now.goal_radius, now.goal_active = float(last["goal_radius"]), bool(last["goal_active"])
        now.armed, now.stopped = bool(last["arm_word"]), bool(last["stop_word"])
        now.gate_state = GateState(int(last["gate_state"]))
        asked = steps["goal"][steps["goal_active"] != 0].round(3) + 0.0  # -0.0 is 0.0
        _, first = np.unique(asked, axis=0, return_index=True)
        for goal in asked[np.sort(first)]:
            if len(self._targets) < 64:
                self._targets.setdefault(tuple(goal.tolist()))
        now.targets = np.array(list(self._targets)).reshape(-1, now.position.size)
        sent = steps[steps["command_seq"] >= 0]
        if len(sent):
            now.gate_flags = flag_words(int(sent[-1]["gate_flags"]))
            now.command = sent[-1]["command"].copy()
        spoke = steps[steps["has_intent"] != 0]
        if len(spoke):
            now.decoded, now.intended = spoke[-1]["decoded"].copy(), spoke[-1]["intended"].copy()
        self._remember(steps, t)

    def _remember(self, steps: Steps, t: float) -> None:
        """Keep the records of the last ``history_s`` and compute what is drawn from them."""
        now = self._now
        keep = steps if self._window is None else np.concatenate([self._window, steps])
        keep = keep[keep["now"] > t - self.history_s]
        self._window = keep
        now.trail = np.ascontiguousarray(keep["position"][keep["now"] > t - self.trail_s])
        spoke = keep[keep["has_intent"] != 0]
        sent = keep[keep["command_seq"] >= 0]
        now.decoded_speed = self._binned(spoke["now"], np.linalg.norm(spoke["decoded"], axis=1), t)
        now.command_speed = self._binned(sent["now"], np.linalg.norm(sent["command"], axis=1), t)
        recent = sent[sent["now"] > t - 1.0]
        now.age_recent_max = float(age_ns(recent).max()) if len(recent) else 0.0
        now.own_recent_max = float(own_ns(recent).max()) if len(recent) else 0.0

    def _binned(self, times: F64, values: F64, t: float) -> F64:
        """Mean of ``values`` in ``n_history`` equal bins that end at ``t``; NaN where there is none."""
        # Bins are fixed on the clock, not on `t`, so that the history scrolls instead of shimmering.
        width = self.history_s / self.n_history
        k = np.floor(times / width).astype(np.int64) - int(np.floor(t / width)) + self.n_history - 1
        inside = (k >= 0) & (k < self.n_history)
        n = np.bincount(k[inside], minlength=self.n_history)
        total = np.bincount(k[inside], weights=np.nan_to_num(values[inside]), minlength=self.n_history)
        return np.where(n > 0, total / np.maximum(n, 1), np.nan)

    def _enter(self, index: int, t: float) -> None:
        now = self._now
        self._t_block = t
        now.block_index = index
        if index < len(self.blocks):
            now.block = self.blocks[index]
        else:
            now.block = "done" if self.blocks else f"block {index}"
        planned = self.block_trials[index] if index < len(self.block_trials) else 0
        now.block_trials_planned = planned or 0
        now.block_trials = now.block_successes = 0

    def _hear(self, event: Event) -> None:
        now = self._now
        if event.kind == "trial.end":
            won = int(event.data.get("outcome") == "success")
            now.trials += 1
            now.successes += won
            if event.t >= self._t_block:  # else it still belongs to the block before
                now.block_trials += 1
                now.block_successes += won
        if not event.kind.startswith(_ROUTINE):
            now.last_event = event.kind
