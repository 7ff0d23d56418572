"""How a whole run of the tests is shared out: what lives in real time goes one after the other, the rest beside it.

Most live tests wait, and a core is free meanwhile. So one process takes every test that may have a deadline, and a
second, of the least priority, takes what only computes, a file at a time; when the first is done, it helps. A run of
single tests is one process, as ever.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

PROCESSES = ("popen", "popen//nice=19//env:OPENBLAS_NUM_THREADS=1")
"""One for live tests and one that gives way to it, as xdist writes them."""

PATIENCE_S = 900.0
"""After how long a calm test is taken to hang where others go before it."""

CALM = (
    "tests/test_house_rules.py",
    "tests/bmi/sweep/",
    "tests/sim/",
    "tests/decoders/",
    "tests/recipes/",
    "tests/bmi/formats/",
    "tests/bmi/tasks/",
    "tests/bmi/testing/",
    "tests/bmi/test_bench_adaptation.py",
    "tests/bmi/test_bench_decoders.py",
    "tests/bmi/test_calibrate.py",
    "tests/bmi/test_clicks.py",
    "tests/bmi/test_gate.py",
    "tests/bmi/test_gate_hostile.py",
    "tests/bmi/test_limits.py",
    "tests/bmi/test_pipeline.py",
    "tests/bmi/test_pipeline_click.py",
    "tests/bmi/test_recipe.py",
    "tests/bmi/test_report.py",
    "tests/bmi/test_report_sweep.py",
    "tests/bmi/test_select.py",
    "tests/bmi/test_simulate.py",
    "tests/bmi/test_stimulus_gate.py",
)
"""Where tests only compute, in the order of their turns. What waits, is waited for or has a deadline is not here."""


def turn(test: str) -> int:
    """Return when a test, by its id, has its turn in a whole run: 0 if it is live, then as CALM has it."""
    return next((k for k, place in enumerate(CALM, 1) if test.startswith(place)), 0)


def give_way() -> None:
    """Leave the processor to the live tests, with all that this process starts.

    Linux weighs sessions against each other before it looks at who is nice, and in one session whoever is woken may
    wait a tick of 4 ms for a neighbour that computes. So this becomes a session, which gets a quarter of what
    both want.
    """
    os.setsid()
    with suppress(OSError):  # a kernel that does not weigh sessions goes by the process
        Path("/proc/self/autogroup").write_text("5", encoding="ascii")


class Sharing(LoadScopeScheduling):
    """Hands all live tests to one process, and calm ones, a file at a time, to whoever is free."""

    def schedule(self) -> None:
        """Let the process that gives way to none begin: what is live is first in the queue."""
        if self.collection is None:
            first = sorted(self.assigned_work, key=lambda node: bool(node.gateway.spec.nice))
            self.assigned_work = {node: self.assigned_work[node] for node in first}
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0] if turn(nodeid) else "live"
