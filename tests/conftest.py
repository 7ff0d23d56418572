"""Every pytest run sees its own LSL streams and nobody else's, and can be interrupted like what it starts."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import beside
import pytest
from figures import told

from bmi.lsl.config import private_lsl_config

# At import, before any test module can touch liblsl, which reads its configuration once.
if "pylsl" in sys.modules:
    raise RuntimeError("pylsl was imported before tests/conftest.py could isolate it")
_folder = Path(tempfile.mkdtemp(prefix="bmi-tests-lsl-"))
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ.update(private_lsl_config(_folder))

# A shell has what it starts in the background ignore Ctrl-C, and what the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let a whole run do beside the tests what they need at its end."""
    if session.config.args_source is pytest.Config.ArgsSource.TESTPATHS and not session.config.option.collectonly:
        beside.begin()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """End a run of the bars with what was measured."""
    if config.option.markexpr != "not bars" and (lines := told()):
        terminalreporter.section("measured: least, median, most, how many")
        for line in lines:
            terminalreporter.write_line(line)
