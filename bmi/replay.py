"""Repeat a recorded session: to watch it again, or to prove that every step repeats to the last bit.

The journal holds all inputs of every step. Replay feeds them to the same ``Line.decide`` and compares what
comes out with what was recorded, as bits. Where samples are missing from the recording (the recorder was
killed), it goes on from the next snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bmi.contracts import State
from bmi.errors import RecordingError
from bmi.line import Line
from bmi.params import unflatten
from bmi.pipeline import unpack
from bmi.process import bind_line, make_line
from bmi.recipe import Recipe, build
from bmi.recording import Recording
from bmi.signals import AnyArray, Chunk, StreamSpec
from bmi.therapy import COMPARED as TREATED
from bmi.therapy import RECORD
from bmi.therapy import TOPIC as THERAPY

COMPARED = ("has_intent", "abstains", "params_version", "decoded", "cov", "intended", "command_seq", "command",
            "gate_state", "gate_flags", "select", "decoded_select", "intended_select")  # fmt: skip
"""Outputs of a step that must repeat; latencies are measured, not decided."""


def recipe_of(recording: Recording) -> Recipe:
    """Return the recipe a session was run with. Raises RecordingError if the recording has none."""
    group = recording.metadata.get("recipe", {})
    if "json" not in group:
        raise RecordingError(f"{recording.path}: holds no recipe; it was not made by 'bmi run' or 'bmi demo'")
    return build(json.loads(group["json"]), where=f"{recording.path} (recipe)")


class Replay:
    """A recorded session, step by step.

    Parameters
    ----------
    recording : Recording

    Attributes
    ----------
    steps : structured array of ``bmi.journal.step_dtype``
        The journal as recorded; what an earlier journal did not hold is 0.
    compared : tuple of str
        Outputs that are compared: those the journal holds.
    therapy : Therapy or None
        What stimulated beside the line.
    treated : pair of arrays or None
        The therapy's record of the step last yielded, as recorded and as repeated; None if there is none.
    n_skipped : int
        Steps that could not be repeated because their samples are not in the recording.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.recipe = recipe_of(recording)
        self.steps = recording.read("/steps")
        if not len(self.steps):
            raise RecordingError(f"{recording.path}: holds no steps")
        self._samples = [recording.read(f"/samples/{s.label}") for s in self.recipe.sources]
        self._params = recording.read("/params")
        self._snapshots = recording.read("/snapshots")
        self.therapy = self.recipe.therapy
        self._treated = recording.read(THERAPY) if self.therapy is not None else None
        self.treated: tuple[AnyArray, AnyArray] | None = None
        self.line = self._bound()
        self.steps, self.compared = _whole(self.steps, self.line.record.row.dtype)
        self.n_skipped = 0

    def _bound(self) -> Line:
        line = make_line(self.recipe)
        specs = []
        for source, rows in zip(self.recipe.sources, self._samples, strict=True):
            meta = self.recording.meta(f"/samples/{source.label}")
            specs.append(
                StreamSpec(name=source.label, n_channels=rows.dtype["data"].shape[0], rate_hz=meta["rate_hz"],
                           unit=meta["unit"], max_samples=meta["max_samples"])
            )  # fmt: skip
        bind_line(self.recipe, line, tuple(specs))
        return line

    def repeat(self) -> Iterator[tuple[AnyArray, AnyArray]]:
        """Yield (recorded, repeated) records of every step that can be repeated, in order."""
        steps = self.steps
        starts = {int(s["step"]): i for i, s in enumerate(self._snapshots)}
        next_param, synced, expected = 0, False, -1
        for row in steps:
            k = int(row["step"])
            if k != expected:
                synced = False  # records of steps are missing here
            expected = k + 1
            while next_param < len(self._params) and self._params[next_param]["step"] <= k:
                self._swap(self._params[next_param])
                next_param += 1
            if not synced and k in starts:
                unpack(self._state(), self._snapshots[starts[k]]["state"])
                synced = True
            bundle, dose = self._bundle(row), self._dose(k)
            if bundle is None or not synced or (dose is None) != (self.therapy is None):
                synced = False
                self.n_skipped += 1
                continue
            repeated = self._again(row, bundle)
            if self.therapy is not None and dose is not None:
                self.treated = dose, self.therapy.again(bundle[self.therapy.index], dose)
            yield row, repeated

    def _state(self) -> State:
        return self.line.state() if self.therapy is None else (*self.line.state(), *self.therapy.state())

    def _dose(self, step: int) -> AnyArray | None:
        """Return the therapy's record of a step; None if it is missing."""
        if self._treated is None:
            return None
        i = int(np.searchsorted(self._treated["step"], step))
        found: AnyArray | None = self._treated[i] if i < len(self._treated) else None
        return found if found is not None and found["step"] == step else None

    def _swap(self, param: AnyArray) -> None:
        pipeline = self.line.pipeline
        pipeline.adopt(unflatten(pipeline.params_, np.array(param["values"])), int(param["version"]))

    def _bundle(self, row: AnyArray) -> tuple[Chunk | None, ...] | None:
        """Cut the samples of one step from the recording; None if some are missing."""
        out: list[Chunk | None] = []
        for k, rows in enumerate(self._samples):
            n, seq = int(row["n_samples"][k]), int(row["seq"][k])
            if n == 0:
                out.append(None)
                continue
            i = int(np.searchsorted(rows["seq"], seq))
            part = rows[i : i + n]
            if len(part) < n or part["seq"][0] != seq or part["seq"][-1] != seq + n - 1:
                return None
            out.append(
                Chunk(np.ascontiguousarray(part["data"]), np.ascontiguousarray(part["t"]),
                      float(row["arrival"][k]), seq, int(row["n_lost"][k]))
            )  # fmt: skip
        return tuple(out)

    def _again(self, row: AnyArray, bundle: tuple[Chunk | None, ...]) -> AnyArray:
        """Repeat one step and return its record, outputs only."""
        line = self.line
        position, velocity = np.array(row["position"]), np.array(row["velocity"])
        goal = np.array(row["goal"]) if row["goal_active"] else None
        command = line.decide(
            bundle, float(row["now"]), goal, float(row["assist"]), position, velocity,
            bool(row["arm_word"]), bool(row["stop_word"]), float(row["goal_radius"]),
        )  # fmt: skip
        r = line.record
        r.row[0] = row
        for name in ("has_intent", "abstains", "command_seq", "select", "decoded_select", "intended_select"):
            r.row[name] = -1 if name == "command_seq" else 0
        r.command[:] = 0.0
        if line.intent is not None and line.intended is not None:
            r.spoke(line.intent, line.intended)
        if command is not None:
            r.sent(command, float(row["t_written"]))
        flags = command.flags if command is not None else 0
        r.end(line.gate.status, flags, int(row["decode_ns"]), int(row["gate_ns"]), int(row["write_ns"]))
        repeated: AnyArray = r.row[0]
        return repeated


def _whole(steps: AnyArray, dtype: np.dtype[np.void]) -> tuple[AnyArray, tuple[str, ...]]:
    """Return a journal in today's fields, and which outputs it tells of: earlier ones knew of no clicks."""
    names = steps.dtype.names or ()
    if steps.dtype != dtype:
        out = np.zeros(len(steps), dtype)
        for name in set(names) & set(dtype.names or ()):
            out[name] = steps[name]
        steps = out
    return steps, tuple(n for n in COMPARED if n in names)


def verify(path: Path) -> dict[str, Any]:
    """Repeat a session and count the values that differ, compared as bits.

    Returns
    -------
    dict
        ``n_steps`` repeated, ``n_values`` compared, ``n_differing``, ``n_skipped`` (no samples or no snapshot),
        ``first_difference`` in words or None.
    """
    replay = Replay(Recording.open(path))
    n_steps = n_values = n_differing = 0
    first: str | None = None
    for was, now in replay.repeat():
        n_steps += 1
        told = [(was, now, name, name) for name in replay.compared]
        if replay.treated is not None:
            told += [(*replay.treated, name, f"therapy {name}") for name in TREATED]
        for a, b, name, called in told:
            if _kept(a, name):
                continue
            old, new = np.atleast_1d(a[name]).view("<i8").ravel(), np.atleast_1d(b[name]).view("<i8").ravel()
            n_values += old.size
            bad = int((old != new).sum())
            if bad and first is None:
                first = f"step {int(a['step'])}, {called}: recorded {a[name]}, repeated {b[name]}"
            n_differing += bad
    return {"path": str(path), "n_steps": n_steps, "n_values": n_values, "n_differing": n_differing,
            "n_skipped": replay.n_skipped, "first_difference": first}  # fmt: skip


def _kept(row: AnyArray, name: str) -> bool:
    """Whether a record only keeps the last value of a field, because there was none in its step."""
    if name in ("decoded", "cov", "intended", "level", "wanted"):
        return not row["has_intent"]
    return bool(name == "command" and row.dtype == RECORD and row["command_seq"] < 0)


def watch(path: Path, speed: float) -> None:
    """Show a recorded session in the terminal view, ``speed`` times real time."""
    import time

    from bmi.session import as_event
    from bmi.telemetry import TelemetryReader, seen_mm
    from bmi.view import View

    recording = Recording.open(path)
    steps, events = recording.read("/steps"), recording.read("/events")
    recipe = recipe_of(recording)
    reader = TelemetryReader(
        name=f"replay of {recipe.session.name}", blocks=[b.name for b in recipe.blocks],
        block_trials=[b.trials for b in recipe.blocks],
        workspace_mm=seen_mm(recipe.gate.workspace_mm), recording=str(path),
    )  # fmt: skip
    over = []
    with View(on_quit=lambda: over.append(True)) as view:
        t0, wall, at, heard = float(steps["now"][0]), time.monotonic(), 0, 0
        while at < len(steps) and not over:
            t = t0 + (time.monotonic() - wall) * speed
            end = int(np.searchsorted(steps["now"], t))
            last = int(np.searchsorted(events["t"], t))
            view.show(reader.update(steps[at:end], {}, [as_event(e) for e in events[heard:last]]))
            at, heard = end, last
            time.sleep(0.05)
