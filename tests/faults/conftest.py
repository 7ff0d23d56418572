"""Senders and lanes for the faults of a live stream."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stream_rig import FIGURES, LiveRig, Senders


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Senders]:
    pool = Senders(tmp_path_factory.mktemp("senders"))
    yield pool
    pool.close()


@pytest.fixture
def senders(pool: Senders) -> Iterator[Senders]:
    """Processes that send, by this test alone."""
    yield pool
    pool.close(all_of_them=False)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A stream of this test's own."""
    return re.sub(r"\W", "-", request.node.name)


@pytest.fixture
def lane(tmp_path: Path, name: str) -> Iterator[Callable[..., LiveRig]]:
    """Open the stream of this test in a live lane."""
    made: list[LiveRig] = []

    def build(**settings: Any) -> LiveRig:
        made.append(LiveRig(tmp_path, name, **settings))
        return made[-1]

    yield build
    for rig in made:
        rig.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was measured at the promised bounds."""
    if config.option.markexpr == "not bars" or not FIGURES:
        return
    terminalreporter.section("faults of a live stream, ms: median / max (n)")
    for (test, what), seconds in FIGURES.items():
        ms = 1e3 * np.array(seconds)
        terminalreporter.write_line(f"{what:18} {np.median(ms):6.0f} / {ms.max():6.0f} ({len(ms):2})  {test}")
