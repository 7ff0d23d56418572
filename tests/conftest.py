"""Every pytest run sees its own LSL streams and nobody else's, and can be interrupted like what it starts."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import beside
import hypothesis
import pytest
from figures import told

from bmi.lsl.config import private_lsl_config

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

# At import, before any test module can touch liblsl, which reads its configuration once.
if "pylsl" in sys.modules:
    raise RuntimeError("pylsl was imported before tests/conftest.py could isolate it")
_folder = Path(tempfile.mkdtemp(prefix="bmi-tests-lsl-"))
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ.update(private_lsl_config(_folder))

# A shell has what it starts in the background ignore Ctrl-C, and what the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# An example that waits for the processor is not a wrong one; tests that promise a time measure it themselves.
hypothesis.settings.register_profile("untimed", parent=hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Share out a whole run; one that asks for less, or to watch it happen, stays in this process."""
    asked = config.option
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and asked.markexpr == "not bars"
    less = asked.keyword or asked.maxfail or asked.usepdb or asked.capture == "no"
    if whole and not less and not hasattr(config, "workerinput"):  # who was given a share does not share it out again
        asked.dist, asked.tx = "loadscope", list(beside.PROCESSES)


def pytest_configure_node(node: WorkerController) -> None:
    """Tell a process that it gives way."""
    node.workerinput["gives_way"] = bool(node.gateway.spec.nice)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> beside.Sharing:
    """Keep what lives in real time together."""
    config.option.loadscopereorder = False  # the order is that of the collection
    return beside.Sharing(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put live tests first in a run that is shared out, and let those that give way take their time."""
    if not hasattr(config, "workerinput"):
        return
    items.sort(key=lambda item: beside.turn(item.nodeid))
    for item in items:
        if beside.turn(item.nodeid) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(beside.PATIENCE_S))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Give way if told to, now that nobody waits any more."""
    if getattr(session.config, "workerinput", {}).get("gives_way"):
        beside.give_way()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """End a run of the bars with what was measured."""
    if config.option.markexpr != "not bars" and (lines := told()):
        terminalreporter.section("measured: least, median, most, how many")
        for line in lines:
            terminalreporter.write_line(line)
