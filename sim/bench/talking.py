"""Peers of the whole-brain benchmark: programs in interpreters of their own that answer a line with a line."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F64

PEERS = Path(__file__).parent / "peers"


class Peer:
    """A running script of ``peers``, ``<name>_brains.py``, that says who it is."""

    def __init__(self, name: str, interpreter: str) -> None:
        self._script = PEERS / f"{name}_brains.py"
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [interpreter, str(self._script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )
        self.name: str = self._line()["peer"]

    def _line(self) -> dict[str, Any]:
        for line in iter(self._process.stdout.readline, ""):
            if line.startswith("{"):
                return dict(json.loads(line))
        self._said.seek(0)
        said = self._said.read().strip().splitlines()[-1:]
        self.close()
        raise ContractError(
            f"bench simulator: {self._process.args[0]} could not run {self._script.name}; give an interpreter that "
            f"has {self._script.stem.split('_')[0]}. It said: {said}"
        )

    def ask(self, task: str, **told: Any) -> dict[str, Any]:
        """Let it do ``task``; return what it answers. Raises ContractError, with what it said last, if it ends."""
        with suppress(BrokenPipeError):  # it has ended: what it said last is told below
            self._process.stdin.write(json.dumps({"do": task, **told}) + "\n")
            self._process.stdin.flush()
        return self._line()

    def run(self, ms: float) -> F64:
        """Let it go on by ``ms``; return seconds of the processor and of the clock for a simulated second.

        Raises ContractError if what it computed is not finite: then its time is that of another task.
        """
        told = self.ask("run", ms=ms)
        if not told.get("finite", True):
            raise ContractError(f"bench simulator: {self.name} computed values that are not finite in {ms:g} ms")
        return np.array([told["cpu_s"], told["wall_s"]]) * 1e3 / ms

    def close(self) -> None:
        """End it."""
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=60)
        self._said.close()


@contextmanager
def peer(name: str, peers: Mapping[str, str]) -> Iterator[Peer | None]:
    """Give the peer ``name`` while it runs, or None if no interpreter has it."""
    if name not in peers:
        yield None
        return
    running = Peer(name, peers[name])
    try:
        yield running
    finally:
        running.close()
