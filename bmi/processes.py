"""The processes of a session seen from its own: started, awaited, asked what went wrong, ended in order."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bmi import errors
from bmi.control import CONTROL_FILE, Control, LaneState, Word
from bmi.errors import BMIError
from bmi.links import GuardLink
from bmi.lsl.config import private_lsl_config
from bmi.provenance import provenance
from bmi.recipe import Recipe
from bmi.recorder import META_FILE

READY_S = 120.0
"""Longest wait for a process to be ready: a cold kernel cache compiles for some tens of seconds."""
_THREADS = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Processes:
    """Everything a session starts, by role, around one runtime folder.

    Parameters
    ----------
    recipe : Recipe
    out : Path
        Folder of the recording.

    Attributes
    ----------
    runtime : Path
        Folder with control page, rings and logs; in memory, gone after `close`.
    control : Control
    """

    def __init__(self, recipe: Recipe, out: Path) -> None:
        shm = Path("/dev/shm")  # noqa: S108 - memory, not a temporary file: rings must not wait for a disk
        self.runtime = Path(tempfile.mkdtemp(prefix="bmi-", dir=shm if shm.is_dir() else None))
        self._by_role: dict[str, asyncio.subprocess.Process] = {}
        with ExitStack() as undo:
            undo.callback(shutil.rmtree, self.runtime, ignore_errors=True)
            out.mkdir(parents=True, exist_ok=True)
            (self.runtime / "recipe.json").write_text(recipe.to_json(), encoding="utf-8")
            (self.runtime / "out.txt").write_text(str(out.resolve()), encoding="utf-8")
            (self.runtime / META_FILE).write_text(json.dumps(provenance(recipe)), encoding="utf-8")
            self.control = Control.create(self.runtime / CONTROL_FILE)
            self.control.set(Word.SERVICE_PID, os.getpid())
            self.env: Mapping[str, str] = private_lsl_config(self.runtime) if recipe.world is not None else {}
            undo.pop_all()

    def __contains__(self, role: str) -> bool:
        return role in self._by_role

    def exit_code(self, role: str) -> int | None:
        """Return how a process ended; None while it runs or if it was never started."""
        process = self._by_role.get(role)
        return None if process is None else process.returncode

    async def spawn(self, role: str) -> None:
        """Start ``python -m bmi.process <role>`` in a process group of its own."""
        await self._start(role, ["bmi.process", role, str(self.runtime)], ())

    async def spawn_guard(self, link: GuardLink, deadman_s: float) -> None:
        """Start the guard of the device that ``link`` can stop; it inherits the descriptor."""
        told = [str(self.runtime), str(link.fd), str(link.repeat), str(deadman_s), link.stop.hex()]
        await self._start("guard", ["bmi.guard", *told], (link.fd,))

    async def _start(self, role: str, words: list[str], pass_fds: tuple[int, ...]) -> None:
        env = {**os.environ, **self.env, **_THREADS}
        self._by_role[role] = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *words, env=env, start_new_session=True, pass_fds=pass_fds
        )

    async def until(self, word: Word, state: int, role: str) -> None:
        """Wait until a process has come at least as far as ``state``; pass on its error if it fails."""
        t_end = time.monotonic() + READY_S
        while self.control.get(word) < state or self.control.get(word) == LaneState.FAULT:
            self.raise_if_failed(role)
            if time.monotonic() > t_end:
                raise BMIError(f"the {role} process is not ready after {READY_S:g} s; see {self.runtime}/{role}.log")
            await asyncio.sleep(0.02)

    def raise_if_failed(self, role: str) -> None:
        """Raise what the process left as its last word, or that it left none."""
        path, code = self.runtime / f"{role}.err", self.exit_code(role)
        if path.exists() and (text := path.read_text(encoding="utf-8")):
            raise _told(json.loads(text))
        if code is not None:
            fault = BMIError(f"the {role} process ended with {code} and left no word")
            fault.exit_code = 3
            raise fault

    async def wait(self, role: str) -> None:
        """Return once the process has ended."""
        await self._by_role[role].wait()

    async def close(self) -> None:
        """End everything, whoever drives first; the recorder may finish its file. Removes the runtime folder."""
        if self.exit_code("lane") not in (None, 0):
            self.control.set(Word.LANE_STATE, LaneState.FAULT)  # a killed lane cannot say so: nobody waits for it
        self.control.set(Word.QUIT, 1)
        first = [role for role in ("lane", "tap", "world", "learn") if role in self._by_role]
        for role in [*first, *(r for r in self._by_role if r not in first and r != "record"), "record"]:
            process = self._by_role.get(role)
            if process is None or process.returncode is not None:
                continue
            try:
                await asyncio.wait_for(process.wait(), 30.0 if role == "record" else 5.0)
            except TimeoutError:
                process.kill()
                await process.wait()
        shutil.rmtree(self.runtime, ignore_errors=True)


def _told(word: Mapping[str, Any]) -> BMIError:
    """Make an exception of what a process wrote before it ended."""
    cls = getattr(errors, word["type"], BMIError)
    error: BMIError = cls(word["message"]) if cls.__init__ is Exception.__init__ else BMIError(word["message"])
    error.exit_code = word["exit_code"]
    return error
