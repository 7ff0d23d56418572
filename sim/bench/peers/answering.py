"""How a peer of the whole-brain benchmark talks: a line of JSON for every line it is given, until the lines end."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

Answer = Callable[..., dict[str, Any]]


def serve(name: str, tasks: Mapping[str, Answer]) -> None:
    """Say who answers; then do what each line asks, ``{"do": task, ...}``, and say what came of it."""
    say({"peer": name})
    for line in sys.stdin:
        asked = json.loads(line)
        say(tasks[asked.pop("do")](**asked))


def timed(run: Callable[[], Any]) -> dict[str, float]:
    """Run it; return seconds on the clock and of the processor, all threads together."""
    began, busy = time.perf_counter(), time.process_time()
    run()
    return {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - busy}


def say(what: Mapping[str, Any]) -> None:
    """Write a line of JSON."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()
