"""A live session: opens the processes, watches them, tells what happens, closes everything.

The face of the framework in Python::

    async with Session.open("configs/center_out.yaml") as s:
        summary = await s.run()

and, beside ``run``, ``async for`` over ``s.events()``, ``s.intents()`` and ``s.commands()``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from bmi.clock import LSLClock
from bmi.contracts import Guarded
from bmi.control import LaneState, ProcessState, Word
from bmi.errors import RecordingError, StreamLost
from bmi.journal import EVENT_DTYPE, event_text
from bmi.markers import RING as MARKERS
from bmi.markers import Ears, Voice
from bmi.params import like, save, unflatten
from bmi.processes import Processes
from bmi.recipe import Recipe, load
from bmi.ring import Reader, Ring
from bmi.signals import AnyArray, Command, Event
from bmi.summary import Score
from bmi.telemetry import Telemetry, TelemetryReader, seen_mm
from bmi.therapy import RING as THERAPY
from bmi.watched import Watched

SERVICE, LEARNER = "service.ring", "learner.ring"
POLL_S = 0.05
GONE_S = 5.0
"""A session whose simulated participant is gone ends after this, s."""
MOST_RESTARTS = 5
"""A recorder that fails by itself more often than this in a minute is not started again."""


class Session:
    """One session: live lane, recorder, learner and, if simulated, the world, each in its own process.

    Build it with ``Session.open``; it is an asynchronous context manager.

    Attributes
    ----------
    recipe : Recipe
    out : Path
        Folder of the recording.
    control : Control
        Shared words: STOP, ARM, counters.
    telemetry, picture : Telemetry or None
        The newest picture of the session, and the newest in which something was asked for.
    progress : callable
        Told in words what is being waited for; replace it before entering.
    summary : dict
        Filled when ``run`` has returned.
    """

    def __init__(self, recipe: Recipe, out: Path) -> None:
        self.recipe, self.out = recipe, out
        self.progress: Callable[[str], object] = _silent
        self.runtime: Path
        self.telemetry: Telemetry | None = None
        self.picture: Telemetry | None = None
        self.summary: dict[str, Any] = {}
        self.restarts: dict[str, int] = {}
        self._procs: Processes
        self._watched: Watched | None = None
        self._learner: Reader | None = None
        self._doses: Reader | None = None
        self._ears: Ears | None = None
        self._voice: Voice | None = None
        self._notes: list[Event] = []
        self._gone: dict[str, float] = {}
        self._restarts: list[float] = []
        self._over = asyncio.Event()

    @classmethod
    def open(
        cls,
        recipe: str | Path | Recipe,
        overrides: Mapping[str, Any] | None = None,
        *,
        out: str | Path | None = None,
    ) -> Session:
        """Check a recipe and prepare a session; nothing is started before ``async with``.

        Parameters
        ----------
        recipe : path or Recipe
            A file, or the name of a recipe that ships with the framework.
        overrides : mapping, optional
            ``dotted.key → value``, laid over the recipe.
        out : path, optional
            Folder of the recording; by default ``<record.dir>/<name>-<time>``.

        Raises
        ------
        RecipeError
            With every problem of the recipe at once; nothing was started.
        """
        checked = recipe if isinstance(recipe, Recipe) else load(recipe, overrides)
        return cls(checked, folder_for(checked, out))

    # --- life ---------------------------------------------------------------------------------------

    async def __aenter__(self) -> Session:
        self._procs = Processes(self.recipe, self.out)
        self.runtime, self.control = self._procs.runtime, self._procs.control
        spawn, until = self._procs.spawn, self._procs.until
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(self._close)
            self._watched = Watched(self._procs, self.recipe) if isinstance(self.recipe.device, Guarded) else None
            if self.recipe.world is not None:
                self.progress("starting the simulated participant")
                await spawn("world")
            self.progress("starting the live lane (the first start compiles its kernels)")
            await spawn("lane")
            await until(Word.LANE_STATE, LaneState.READY, "lane")
            if self._watched is not None:
                await self._watched.begin()
            self.progress("starting recorder and learner")
            await spawn("record")
            if self.recipe.learner is not None:
                await spawn("learn")
                await until(Word.LEARNER_STATE, ProcessState.RUNNING, "learn")
            await until(Word.RECORDER_STATE, ProcessState.RUNNING, "record")
            self._listen()
            self._steps = Ring.open(self.runtime / "steps.ring").reader("oldest")
            self._events = Ring.open(self.runtime / "events.ring").reader("oldest")
            if self.recipe.therapy is not None:
                self._doses = Ring.open(self.runtime / THERAPY).reader("oldest")
            self._reader = TelemetryReader(
                name=self.recipe.session.name, blocks=[b.name for b in self.recipe.blocks],
                block_trials=[b.trials for b in self.recipe.blocks],
                workspace_mm=seen_mm(self.recipe.gate.workspace_mm), recording=str(self.out),
                site=self.recipe.therapy.site if self.recipe.therapy is not None else "",
            )  # fmt: skip
            self._score = Score(self.recipe)
            undo.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    def _listen(self) -> None:
        """Hear the recipe's marker streams and the learner; tell a live session's events to others.

        What happens to the session's own processes goes into a ring as well: the recording knows of it. What is
        simulated stays on this machine.
        """
        self._service = Ring.create(self.runtime / SERVICE, EVENT_DTYPE, 256, topic="/service")
        if self.recipe.learner is not None:
            self._learner = Ring.open(self.runtime / LEARNER).reader("oldest")
        if self.recipe.markers:
            self._ears = Ears(self.runtime, self.recipe.markers)
            self._heard = self._ears.ring.reader("oldest")
            self._ears.start()
        if self.recipe.world is None:
            self._voice = Voice(self.runtime, self.recipe.session.name)

    async def _close(self) -> None:
        """Stop everything, the lane first; wait for the recorder to finish its file."""
        if self._ears is not None:
            self._ears.close()
        await self._procs.close()
        if self._voice is not None:
            self._voice.close()
        if self._watched is not None:
            self._watched.close()
        self._over.set()
        with contextlib.suppress(OSError):
            self.out.rmdir()  # nothing was recorded: leave no empty folder behind

    # --- running ------------------------------------------------------------------------------------

    def arm(self) -> None:
        """Let commands through; blocks begin at the first arming."""
        self.control.set(Word.ARM, 1)

    def stop(self) -> None:
        """Press STOP: latched, on the wire within 50 ms."""
        self.control.press_stop()

    def quit(self) -> None:
        """End the session in order."""
        self.control.set(Word.QUIT, 1)

    async def run(self, on_telemetry: Callable[[Telemetry], None] | None = None) -> dict[str, Any]:
        """Run to the end of the last block and return the summary.

        A simulated device is armed at once; hardware waits for ``arm``.

        Raises
        ------
        BMIError
            What stopped the lane, e.g. StreamLost.
        """
        if not self.recipe.device.spec.hardware:
            self.arm()
        last = False
        while not last:
            last = self.control.get(Word.LANE_STATE) >= LaneState.DONE or self._procs.exit_code("lane") is not None
            self._watch_lane()
            self.telemetry = self._take()
            if self.telemetry.goal_active:
                self.picture = self.telemetry
            if on_telemetry is not None:
                on_telemetry(self.telemetry)
            await self._watch_others()
            if not last:
                await asyncio.sleep(POLL_S)
        counters = self.counters()
        self.control.set(Word.QUIT, 1)
        await self._procs.wait("record")
        counters |= {k: v for k, v in self.counters().items() if k.startswith("recorder_")}  # its last words
        self._over.set()
        self.summary = self._score.summary(counters, self.telemetry, self.out)
        try:
            self._save_params()
            (self.out / "summary.json").write_text(json.dumps(self.summary, indent=2), encoding="utf-8")
        except (OSError, RecordingError) as e:  # a full or lost disk must not take the result with it
            self.summary["not_saved"] = str(e)
        return self.summary

    def _save_params(self) -> None:
        """Keep what was learned where the next recipe can name it: ``decoder.params``."""
        if self.recipe.learner is None:
            return
        row = Ring.open(self.runtime / "params.ring").reader("oldest").latest()
        n_features = Ring.open(self.runtime / "features.ring").dtype["y"].shape[0]
        recipe = self.recipe
        if row is not None:
            values = unflatten(like(recipe.decoder, recipe.click, n_features), np.array(row["values"]))
            notes = {"n_features": n_features, "version": int(row["version"]), "session": recipe.session.name}
            notes |= {"click": recipe.names["click"]} if recipe.click is not None else {}
            save(self.out / "params.safetensors", recipe.names["decoder"], values, notes)
            self.summary["params"] = str(self.out / "params.safetensors")

    def _watch_lane(self) -> None:
        state, ended = self.control.get(Word.LANE_STATE), self._procs.exit_code("lane") is not None
        if state == LaneState.FAULT or (ended and state != LaneState.DONE):
            self._procs.raise_if_failed("lane")

    async def _watch_others(self) -> None:
        """Start a recorder that died again; say once that another process is gone; end without a participant."""
        if self.control.get(Word.QUIT):
            return
        now = LSLClock().now()
        for role in ("world", "learn"):
            code = self._procs.exit_code(role)
            if code is not None and role not in self._gone:
                self._gone[role] = now
                self._notes.append(Event(now, f"{role}.gone", {"exit": code}))
        if now - self._gone.get("world", now) > GONE_S:
            raise StreamLost(
                f"the simulated participant's process ended ({self._procs.exit_code('world')}); the device is at "
                f"rest since. What was recorded is in {self.out}; start the session again."
            )
        if self._watched is not None:
            self._notes += await self._watched.look(now)
        code = self._procs.exit_code("record")
        if code is None or "record" in self._gone:
            return
        self._restarts = [t for t in self._restarts if now - t < 60.0]
        if len(self._restarts) >= MOST_RESTARTS:
            self._gone["record"] = now
            self._notes.append(Event(now, "recorder.gave_up", {"exit": code}))
            return
        if code > 0:  # its own fault, a full disk say; whoever was killed only gets up again
            self._restarts.append(now)
        self.restarts["record"] = self.restarts.get("record", 0) + 1
        self._notes.append(Event(now, "recorder.restarted", {"exit": code}))
        await self._procs.spawn("record")

    def _take(self) -> Telemetry:
        """Read what is new in the rings."""
        steps = self._steps.read()
        events = [as_event(row) for row in self._events.read()]
        doses = self._doses.read() if self._doses is not None else None
        self._score.take(steps, events, doses)
        notes, self._notes = self._notes, []
        row = np.zeros(1, EVENT_DTYPE)
        for note in notes:
            row["t"], row["text"] = note.t, event_text(note)
            self._service.write(row)
        if self._learner is not None:
            notes += map(as_event, self._learner.read())
        if self._ears is not None:  # what becomes of marker streams; the markers themselves are many
            notes += [e for e in map(as_event, self._heard.read()) if e.kind != "marker"]
        if doses is not None and len(doses):
            self._reader.treated(doses[-1])
        return self._reader.update(steps, self.counters(), events + notes)

    def counters(self) -> dict[str, float]:
        """Return every counter of the session."""
        get = self.control.get
        return {
            "armed": get(Word.ARM),
            "stopped": get(Word.STOP),
            "missed_deadlines": get(Word.MISSED_DEADLINES),
            "recorder_bytes": get(Word.RECORDER_BYTES),
            "recorder_dropped": get(Word.RECORDER_DROPPED),
            "world_overruns": get(Word.WORLD_OVERRUNS),
            "world_samples": get(Word.WORLD_SAMPLES),
            "learner_updates": get(Word.LEARNER_UPDATES),
            "learner_refused": get(Word.LEARNER_REFUSED),
            "learner_rolled_back": get(Word.LEARNER_ROLLED_BACK),
            "dropped": self._steps.dropped + self._events.dropped,
            "recorder_restarts": self.restarts.get("record", 0),
            "guard_trips": get(Word.GUARD_TRIPS),
        }

    # --- what happens, as it happens ----------------------------------------------------------------

    async def _follow(self, *rings: str) -> AsyncIterator[AnyArray]:
        readers: list[Reader] = [Ring.open(self.runtime / ring).reader("now") for ring in rings]
        while True:
            over = self._over.is_set()
            for reader in readers:
                for row in reader.read():
                    yield row
            if over:
                return
            await asyncio.sleep(0.01)

    async def events(self) -> AsyncIterator[Event]:
        """Yield what happens until the session ends: trials, blocks, streams, processes, the learner, markers."""
        more = [LEARNER] if self._learner is not None else []
        more += [MARKERS] if self._ears is not None else []
        async for row in self._follow("events.ring", SERVICE, *more):
            yield as_event(row)

    async def intents(self) -> AsyncIterator[AnyArray]:
        """Yield the journal record (``bmi.journal.step_dtype``) of every step in which the decoder spoke."""
        async for row in self._follow("steps.ring"):
            if row["has_intent"]:
                yield row

    async def commands(self) -> AsyncIterator[Command]:
        """Yield every command that was written to the device."""
        async for row in self._follow("steps.ring"):
            if row["command_seq"] >= 0:
                yield Command(
                    np.array(row["command"]), float(row["t"]), float(row["t_arrival"]), float(row["now"]),
                    int(row["command_seq"]), int(row["gate_state"]), int(row["gate_flags"]),
                    bool(row["select"]),
                )  # fmt: skip


def folder_for(recipe: Recipe, out: str | Path | None) -> Path:
    """Return a folder for a new recording: ``out``, or ``<record.dir>/<name>-<time>``; numbered if it is taken."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = Path(out) if out else Path(recipe.record.dir) / f"{recipe.session.name}-{stamp}"
    n = 1
    base = folder
    while folder.exists() and any(folder.iterdir()):
        n += 1
        folder = base.with_name(f"{base.name}-{n}")
    return folder


def _silent(text: str) -> None:
    """Say nothing: the default of ``progress``."""


def as_event(row: AnyArray) -> Event:
    """Read one event back from its ring record."""
    data = json.loads(bytes(row["text"]))
    return Event(float(row["t"]), data.pop("kind"), data)
