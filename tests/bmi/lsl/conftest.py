"""Real liblsl, real sockets, real processes; streams are named per test so that nothing can be mixed up."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from bmi.signals import StreamSpec

SENDER = textwrap.dedent(
    """
    import sys, time
    import numpy as np
    from pylsl import local_clock
    from bmi.lsl.outlet import Outlet
    from bmi.signals import StreamSpec
    name, n, rate, push, unit = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5]
    spec = StreamSpec(name=name, n_channels=n, rate_hz=rate, unit=unit, type="test", source_id="id-" + name)
    out = Outlet(spec, push)
    data = np.zeros((push, n), np.float32)
    print("up", flush=True)
    t = local_clock()
    while True:
        t += push / rate
        time.sleep(max(0.0, t - local_clock()))
        data[:] = out.n_pushed
        out.push(data, t)
    """
)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"{request.node.name}"


@pytest.fixture
def make_spec(name: str) -> Callable[..., StreamSpec]:
    def make(**changes: object) -> StreamSpec:
        promised = {"name": name, "n_channels": 4, "rate_hz": 1000.0, "unit": "µV", "type": "test"} | changes
        return StreamSpec(**promised)  # type: ignore[arg-type]

    return make


@pytest.fixture
def sender(name: str) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a process that sends in real time; it can be killed like any other."""
    running: list[subprocess.Popen[str]] = []

    def start(n_channels: int = 4, rate_hz: int = 1000, push: int = 5, unit: str = "µV") -> subprocess.Popen[str]:
        argv = [sys.executable, "-c", SENDER, name, *map(str, (n_channels, rate_hz, push)), unit]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)
