"""Senders and lanes for the faults of a live stream."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stream_rig import LiveRig, Senders


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
