"""An outlet numbers what it sends and says when somebody listens."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time

import numpy as np
import pylsl
import pytest
from pylsl import local_clock

from bmi.errors import ContractError
from bmi.lsl.inlet import LSLSource
from bmi.lsl.outlet import Outlet
from bmi.signals import SEQ_MODULO


@pytest.mark.parametrize("sync", [True, False])
def test_any_lsl_program_can_read_it_samples_stamps_and_numbers(make_spec, name, rng, sync):
    x = rng.normal(size=(9, 4)).astype(np.float32)
    with Outlet(make_spec(), 3, sync) as out:
        (info,) = pylsl.resolve_byprop("name", name, timeout=5.0)
        inlet = pylsl.StreamInlet(info, recover=False)
        inlet.open_stream(timeout=5.0)
        for i in range(0, 9, 3):
            out.push(x[i : i + 3], 100.0 + i)
        rows, stamps = inlet.pull_chunk(timeout=2.0, max_samples=9)
    rows = np.asarray(rows, np.float32)
    np.testing.assert_array_equal(rows[:, :4], x)
    np.testing.assert_array_equal(rows[:, 4], np.arange(9))
    np.testing.assert_allclose(stamps, 99.998 + np.array([0, 1, 2, 3000, 3001, 3002, 6000, 6001, 6002]) * 1e-3)


def test_numbers_wrap_where_float32_stops_being_exact(make_spec, name):
    with Outlet(make_spec(), 4) as out, LSLSource(name=name) as source:
        out.n_pushed = SEQ_MODULO - 6
        for i in range(3):
            out.push(np.full((4, 4), i, np.float32), 1.0 + i)
        chunks = [(c.seq, c.n_lost_before, float(c.data[0, 0])) for c in iter(lambda: source.read(0.5), None)]
    assert chunks == [(0, 0, 0.0), (4, 0, 1.0), (8, 0, 2.0)]


def test_a_long_push_goes_out_in_pushes_of_the_promised_length(make_spec, name, rng):
    x = rng.normal(size=(20, 4)).astype(np.float32)
    with Outlet(make_spec(), 5) as out, LSLSource(name=name) as source:
        out.push(x, 50.0)
        chunks = [(c.data.copy(), c.t.copy() - source.clock_offset) for c in iter(lambda: source.read(0.3), None)]
    assert [len(d) for d, _ in chunks] == [5, 5, 5, 5]
    np.testing.assert_array_equal(np.vstack([d for d, _ in chunks]), x)
    np.testing.assert_allclose(np.concatenate([t for _, t in chunks]), 50.0 + np.arange(-19, 1) * 1e-3, atol=1e-9)


def test_a_push_of_another_length_is_refused(make_spec):
    with Outlet(make_spec(), 5) as out, pytest.raises(ContractError, match="multiples of 5 samples, got 7"):
        out.push(np.zeros((7, 4), np.float32), 1.0)


def test_promises_that_contradict_themselves_are_refused(make_spec):
    with pytest.raises(ContractError, match="2 labels for 4 channels"):
        Outlet(make_spec(labels=("a", "b")))
    with pytest.raises(ContractError, match="samples_per_push must be >= 1"):
        Outlet(make_spec(), 0)


def test_it_knows_whether_somebody_listens(make_spec, name):
    with Outlet(make_spec()) as out:
        assert not out.wait_for_consumers(0.05)
        with LSLSource(name=name):
            assert out.wait_for_consumers(2.0)


def test_closing_twice_is_closing_once(make_spec):
    out = Outlet(make_spec())
    out.close()
    out.close()
    assert out._handle is None, "liblsl's object is given back once and not kept"


STOPPED_READER = """
import os, signal, sys
from bmi.lsl.inlet import LSLSource
source = LSLSource(name=sys.argv[1])
source.open()
assert source.read(5.0) is not None
print("stopping", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
n = source.n_read
while (chunk := source.read(1.0)) is not None:
    n += len(chunk)
print(n + source.n_lost, flush=True)
"""


def test_a_reader_that_is_stopped_holds_nobody_up_unless_asked_for_and_finds_its_loss_counted(make_spec, name):
    with Outlet(make_spec(n_channels=96, rate_hz=1000.0), 10, sync=False, buffer_s=2.0) as out:
        x = np.zeros((10, 96), np.float32)
        reader = subprocess.Popen([sys.executable, "-c", STOPPED_READER, name], stdout=subprocess.PIPE, text=True)
        try:
            assert out.wait_for_consumers(20.0)
            while not select.select([reader.stdout], [], [], 0.01)[0]:
                out.push(x, local_clock())
            os.waitpid(reader.pid, os.WUNTRACED)
            longest = 0.0
            for _ in range(15_000):  # 58 MB: more than the sockets of both sides hold (37 MB here)
                t = time.perf_counter()
                out.push(x, local_clock())
                longest = max(longest, time.perf_counter() - t)
            assert longest < 0.25
            reader.send_signal(signal.SIGCONT)
            told = reader.communicate(timeout=30)[0].split()
        finally:
            reader.kill()
            reader.wait()
            reader.stdout.close()
        assert int(told[-1]) == out.n_pushed
