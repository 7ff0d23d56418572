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
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from bmi import errors
from bmi.clock import LSLClock
from bmi.control import CONTROL_FILE, Control, LaneState, ProcessState, Word
from bmi.errors import BMIError, RecordingError, StreamLost
from bmi.lsl.config import private_lsl_config
from bmi.params import save, unflatten
from bmi.provenance import provenance
from bmi.recipe import Recipe, load
from bmi.recorder import META_FILE
from bmi.ring import Reader, Ring
from bmi.signals import AnyArray, Command, Event
from bmi.summary import Score
from bmi.telemetry import Telemetry, TelemetryReader, seen_mm

POLL_S = 0.05
GONE_S = 5.0
"""A session whose simulated participant is gone ends after this, s."""
MOST_RESTARTS = 5
"""A recorder that fails by itself more often than this in a minute is not started again."""
READY_S = 120.0
"""Longest wait for the lane to be ready: a cold kernel cache compiles for some tens of seconds."""


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
        self._procs: dict[str, asyncio.subprocess.Process] = {}
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
        stamp = time.strftime("%Y%m%d-%H%M%S")
        folder = Path(out) if out else Path(checked.record.dir) / f"{checked.session.name}-{stamp}"
        n = 1
        base = folder
        while folder.exists() and any(folder.iterdir()):
            n += 1
            folder = base.with_name(f"{base.name}-{n}")
        return cls(checked, folder)

    # --- life ---------------------------------------------------------------------------------------

    async def __aenter__(self) -> Session:
        shm = Path("/dev/shm")  # noqa: S108 - memory, not a temporary file: rings must not wait for a disk
        self.runtime = Path(tempfile.mkdtemp(prefix="bmi-", dir=shm if shm.is_dir() else None))
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            (self.runtime / "recipe.json").write_text(self.recipe.to_json(), encoding="utf-8")
            (self.runtime / "out.txt").write_text(str(self.out.resolve()), encoding="utf-8")
            (self.runtime / META_FILE).write_text(json.dumps(provenance(self.recipe)), encoding="utf-8")
            self.control = Control.create(self.runtime / CONTROL_FILE)
            self.control.set(Word.SERVICE_PID, os.getpid())
            self._env = private_lsl_config(self.runtime) if self.recipe.world is not None else {}
            if self.recipe.world is not None:
                self.progress("starting the simulated participant")
                await self._spawn("world")
            self.progress("starting the live lane (the first start compiles its kernels)")
            await self._spawn("lane")
            await self._until(Word.LANE_STATE, LaneState.READY, "lane")
            self.progress("starting recorder and learner")
            await self._spawn("record")
            if self.recipe.learner is not None:
                await self._spawn("learn")
                await self._until(Word.LEARNER_STATE, ProcessState.RUNNING, "learn")
            await self._until(Word.RECORDER_STATE, ProcessState.RUNNING, "record")
            self._steps = Ring.open(self.runtime / "steps.ring").reader("oldest")
            self._events = Ring.open(self.runtime / "events.ring").reader("oldest")
            self._reader = TelemetryReader(
                name=self.recipe.session.name, blocks=[b.name for b in self.recipe.blocks],
                block_trials=[b.trials for b in self.recipe.blocks],
                workspace_mm=seen_mm(self.recipe.gate.workspace_mm), recording=str(self.out),
            )  # fmt: skip
            self._score = Score(self.recipe)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _spawn(self, role: str) -> None:
        env = {**os.environ, **self._env, "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._procs[role] = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bmi.process", role, str(self.runtime), env=env, start_new_session=True
        )

    async def _until(self, word: Word, state: int, role: str) -> None:
        """Wait until a process has come at least as far as ``state``; pass on its error if it fails."""
        t_end = time.monotonic() + READY_S
        while self.control.get(word) < state or self.control.get(word) == LaneState.FAULT:
            self._raise_if_failed(role)
            if time.monotonic() > t_end:
                raise BMIError(f"the {role} process is not ready after {READY_S:g} s; see {self.runtime}/{role}.log")
            await asyncio.sleep(0.02)

    def _raise_if_failed(self, role: str) -> None:
        path = self.runtime / f"{role}.err"
        process = self._procs[role]
        if path.exists() and (text := path.read_text(encoding="utf-8")):
            told = json.loads(text)
            cls = getattr(errors, told["type"], BMIError)
            error = cls(told["message"]) if cls.__init__ is Exception.__init__ else BMIError(told["message"])
            error.exit_code = told["exit_code"]
            raise error
        if process.returncode is not None:
            fault = BMIError(f"the {role} process ended with {process.returncode} and left no word")
            fault.exit_code = 3
            raise fault

    async def _close(self) -> None:
        """Stop everything, the lane first; wait for the recorder to finish its file."""
        control = getattr(self, "control", None)
        if control is not None:
            if "lane" in self._procs and self._procs["lane"].returncode not in (None, 0):
                control.set(Word.LANE_STATE, LaneState.FAULT)  # a killed lane cannot say so: nobody waits for it
            control.set(Word.QUIT, 1)
        for role in ("lane", "world", "learn", "record"):
            process = self._procs.get(role)
            if process is None or process.returncode is not None:
                continue
            try:
                await asyncio.wait_for(process.wait(), 30.0 if role == "record" else 5.0)
            except TimeoutError:
                process.kill()
                await process.wait()
        self._over.set()
        shutil.rmtree(self.runtime, ignore_errors=True)
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
            last = self.control.get(Word.LANE_STATE) >= LaneState.DONE or self._procs["lane"].returncode is not None
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
        await self._procs["record"].wait()
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
        decoder = self.recipe.decoder
        if row is not None:
            values = unflatten(decoder.params_like(n_features), np.array(row["values"]))
            notes = {"n_features": n_features, "version": int(row["version"]), "session": self.recipe.session.name}
            save(self.out / "params.safetensors", self.recipe.names["decoder"], values, notes)
            self.summary["params"] = str(self.out / "params.safetensors")

    def _watch_lane(self) -> None:
        state, ended = self.control.get(Word.LANE_STATE), self._procs["lane"].returncode is not None
        if state == LaneState.FAULT or (ended and state != LaneState.DONE):
            self._raise_if_failed("lane")

    async def _watch_others(self) -> None:
        """Start a recorder that died again; say once that another process is gone; end without a participant."""
        if self.control.get(Word.QUIT):
            return
        now = LSLClock().now()
        for role in ("world", "learn"):
            process = self._procs.get(role)
            if process is not None and process.returncode is not None and role not in self._gone:
                self._gone[role] = now
                self._notes.append(Event(now, f"{role}.gone", {"exit": process.returncode}))
        if now - self._gone.get("world", now) > GONE_S:
            raise StreamLost(
                f"the simulated participant's process ended ({self._procs['world'].returncode}); the device is at "
                f"rest since. What was recorded is in {self.out}; start the session again."
            )
        process = self._procs["record"]
        if process.returncode is None or "record" in self._gone:
            return
        self._restarts = [t for t in self._restarts if now - t < 60.0]
        if len(self._restarts) >= MOST_RESTARTS:
            self._gone["record"] = now
            self._notes.append(Event(now, "recorder.gave_up", {"exit": process.returncode}))
            return
        if process.returncode > 0:  # its own fault, a full disk say; whoever was killed only gets up again
            self._restarts.append(now)
        self.restarts["record"] = self.restarts.get("record", 0) + 1
        self._notes.append(Event(now, "recorder.restarted", {"exit": process.returncode}))
        await self._spawn("record")

    def _take(self) -> Telemetry:
        """Read what is new in the rings."""
        steps = self._steps.read()
        events = [as_event(row) for row in self._events.read()]
        self._score.take(steps, events)
        notes, self._notes = self._notes, []
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
            "dropped": self._steps.dropped + self._events.dropped,
            "recorder_restarts": self.restarts.get("record", 0),
        }

    # --- what happens, as it happens ----------------------------------------------------------------

    async def _follow(self, ring: str) -> AsyncIterator[AnyArray]:
        reader: Reader = Ring.open(self.runtime / ring).reader("now")
        while True:
            over = self._over.is_set()
            for row in reader.read():
                yield row
            if over:
                return
            await asyncio.sleep(0.01)

    async def events(self) -> AsyncIterator[Event]:
        """Yield trial, block and stream events until the session ends."""
        async for row in self._follow("events.ring"):
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
                )  # fmt: skip


def _silent(text: str) -> None:
    """Say nothing: the default of ``progress``."""


def as_event(row: AnyArray) -> Event:
    """Read one event back from its ring record."""
    data = json.loads(bytes(row["text"]))
    return Event(float(row["t"]), data.pop("kind"), data)
