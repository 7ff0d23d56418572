"""The guard as its session sees it: given the device's link, started again if it dies, heard when it acted."""

from __future__ import annotations

import asyncio
import json
import os
import time

from bmi.control import ProcessState, Word
from bmi.errors import BMIError
from bmi.guard import LOG_FILE, accept, offer
from bmi.links import GuardLink
from bmi.processes import Processes
from bmi.recipe import Recipe
from bmi.signals import Event

LINK_S = 5.0


class Watched:
    """A guard for the device of one session.

    Parameters
    ----------
    processes : Processes
    recipe : Recipe
        Whose device hands out a link when the lane opens it.
    """

    def __init__(self, processes: Processes, recipe: Recipe) -> None:
        self._procs, self._deadman_s = processes, recipe.guard.deadman_s
        self._listener = offer(processes.runtime)
        self._link: GuardLink | None = None
        self._read = 0

    async def begin(self) -> None:
        """Take the link the lane offers and start the guard. Raises BMIError if the lane offers none."""
        t_end = time.monotonic() + LINK_S
        while self._link is None:
            self._link = accept(self._listener)
            if time.monotonic() > t_end:
                raise BMIError("the live lane did not hand over the device's guard link; nothing may move unguarded")
            if self._link is None:
                await asyncio.sleep(0.005)
        self._listener.close()
        await self._start()

    async def _start(self) -> None:
        assert self._link is not None  # noqa: S101 - begin has seen to it
        self._procs.control.set(Word.GUARD_STATE, ProcessState.STARTING)
        await self._procs.spawn_guard(self._link, self._deadman_s)
        await self._procs.until(Word.GUARD_STATE, ProcessState.RUNNING, "guard")

    async def look(self, now: float) -> list[Event]:
        """Return what the guard did since the last look; start it again if it is gone while the lane lives."""
        events = self._said(now)
        code = self._procs.exit_code("guard")
        if code is not None and self._procs.exit_code("lane") is None:
            events.append(Event(now, "guard.restarted", {"exit": code}))
            await self._start()
        return events

    def _said(self, now: float) -> list[Event]:
        path = self._procs.runtime / LOG_FILE
        if not path.exists():
            return []
        with path.open(encoding="utf-8") as f:
            f.seek(self._read)
            text = f.read()
        whole = text[: text.rfind("\n") + 1]
        self._read += len(whole.encode())
        told = [json.loads(line) for line in whole.splitlines()]
        return [Event(now, word.pop("kind"), word) for word in told]

    def close(self) -> None:
        """Give the link back; idempotent."""
        self._listener.close()
        if self._link is not None:
            os.close(self._link.fd)
            self._link = None
