"""Commands as an LSL stream: what is applied is what arrives, and a stop is always published."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from bmi.contracts import Device
from bmi.errors import DeviceError
from bmi.lsl.inlet import LSLSource
from bmi.signals import Command, GateFlag, GateState
from bmi.testing.devices import check_device
from devices.cursor import Cursor
from devices.lsl import LSLDevice


def command(seq, values, state=GateState.ACTIVE, flags=GateFlag.NONE, t=10.0):
    return Command(np.asarray(values, float), t, t + 0.001, t + 0.0025, seq, int(state), int(flags))


@pytest.fixture
def device(request):
    d = LSLDevice(stream_name=request.node.name)
    d.open()
    yield d
    d.close()


@pytest.fixture
def received(device):
    with LSLSource(name=device.stream_name) as source:

        def rows(n):
            got = []
            while len(got) < n and (chunk := source.read(2.0)) is not None:
                row = dict(zip(source.spec.labels, chunk.data[0].tolist(), strict=True))
                got.append((chunk.t[0] - source.clock_offset, row))
            return got

        yield rows


def test_what_is_applied_is_what_arrives_with_its_reasons(device, received):
    device.arm()
    device.write(command(3, [3.0, 4.0], flags=GateFlag.SPEED), 0.0)
    device.write(command(4, [1000.0, 0.0], t=11.0), 0.01)
    (t0, first), (t1, second) = received(2)
    assert (t0, t1) == pytest.approx((10.0025, 11.0025), abs=1e-9)
    assert (first["x"], first["y"], first["seq"], first["state"], first["flags"]) == (
        3.0,
        4.0,
        3.0,
        2.0,
        32.0,
    )
    assert first["age"] == pytest.approx(0.0025, abs=1e-6)
    assert second["x"] == 500.0  # slowed to the device's limit
    assert (second["position_x"], second["position_y"]) == pytest.approx((0.03, 0.04))


def test_a_selection_is_bit_16_of_the_flags(device, received):
    device.arm()
    for seq in range(3):
        c = command(seq, [1.0, 0.0], flags=GateFlag.JERK)
        c.select = seq == 1
        device.write(c, 0.01 * seq)
    assert [row["flags"] for _, row in received(3)] == [128.0, 65536.0 + 128.0, 128.0]


def test_the_stream_declares_a_unit_per_channel(device):
    import pylsl

    (info,) = pylsl.resolve_byprop("name", device.stream_name, timeout=5.0)
    inlet = pylsl.StreamInlet(info, recover=False)
    full = inlet.info(2.0)
    assert full.get_channel_labels()[:4] == ["x", "y", "position_x", "position_y"]
    assert full.get_channel_units() == ["mm/s", "mm/s", "mm", "mm", "1", "1", "1", "s", "1"]
    assert (full.type(), full.nominal_srate()) == ("command", 0.0)


def test_it_reckons_as_the_cursor_moves(device):
    rng = np.random.default_rng(6)
    cursor = Cursor()
    cursor.open()
    for d in (cursor, device):
        d.arm()
    now = 0.0
    for i in range(100):
        now += rng.uniform(0.0, 0.15)
        c = command(i, rng.normal(0, 50, 2))
        np.testing.assert_array_equal(device.write(c, now), cursor.write(c, now))
        np.testing.assert_array_equal(device.read(now + 0.01).position, cursor.read(now + 0.01).position)
    for mine, its in zip(device.state(), cursor.state(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_stop_is_published_and_nothing_follows_until_armed(device, received):
    device.arm()
    device.write(command(0, [10.0, 0.0]), 0.0)
    stopper = threading.Thread(target=device.stop, args=("another thread",))
    stopper.start()
    stopper.join()
    np.testing.assert_array_equal(device.write(command(1, [10.0, 0.0]), 0.01), [0.0, 0.0])
    device.arm()
    device.write(command(2, [20.0, 0.0]), 0.02)
    rows = [(r["seq"], r["x"], r["state"]) for _, r in received(3)]
    assert rows == [(0.0, 10.0, 2.0), (0.0, 0.0, 4.0), (2.0, 20.0, 2.0)]


def test_life_cycle(request):
    device = LSLDevice(stream_name=request.node.name, n_dims=3)
    assert isinstance(device, Device)
    assert device.spec.dims == ("x", "y", "z")
    for early in (device.arm, lambda: device.write(command(0, [0.0, 0.0, 0.0]), 0.0)):
        with pytest.raises(DeviceError, match="call open"):
            early()
    device.stop("never opened")
    for _ in range(2):
        device.open()
        device.arm()
        device.recover()
        assert device.calibrate() == {}
        device.close()
        device.close()
    device.stop("closed")


def test_it_keeps_the_contract_of_a_device(request):
    check_device(lambda: LSLDevice(stream_name=request.node.name))
