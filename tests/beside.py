"""What a whole run of the tests does beside them: most tests wait for real time, and a core is free meanwhile.

The checkers examine the tree and the simulator's kernels are compiled, each in a process of the least priority, started
at the beginning. What depends on them comes last and finds them done; in a run of single tests it does them itself.
"""

from __future__ import annotations

import atexit
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPTS = Path(sys.executable).parent
CHECKERS = (("lint-imports", "--no-cache"), ("ruff", "check", "--no-cache", "."), ("mypy", "--no-error-summary"))

_started: dict[tuple[str, ...], subprocess.Popen[str]] = {}


def begin() -> None:
    """Start all of it."""
    _start(sys.executable, ROOT / "tests" / "compiled.py")
    for tool, *arguments in CHECKERS:
        _started[tool, *arguments] = _start(SCRIPTS / tool, *arguments)


def result(command: tuple[str, ...]) -> tuple[int, str]:
    """Return exit code and output of one of the CHECKERS, started before or now."""
    process = _started.pop(command, None) or _start(SCRIPTS / command[0], *command[1:])
    told, _ = process.communicate()
    return process.returncode, told


def _start(*command: str | Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        ["nice", "-n", "19", *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    atexit.register(process.kill)
    return process
