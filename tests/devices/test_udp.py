"""Commands over UDP: what arrives is what was applied, and a silent or stopped sender means rest."""

from __future__ import annotations

import json
import math
import select
import socket
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi.contracts import Device
from bmi.errors import DeviceError
from bmi.signals import Command, GateFlag, GateState
from bmi.testing.devices import check_device
from devices.cursor import Cursor
from devices.emulators.udp import UDPEmulator, decode
from devices.udp import UDPDevice


def command(seq, values, state=GateState.ACTIVE, flags=GateFlag.NONE, t=10.0):
    return Command(np.asarray(values, float), t, t + 0.001, t + 0.002, seq, int(state), int(flags))


@pytest.fixture
def emulator():
    with UDPEmulator() as e:
        yield e


@pytest.fixture(params=["binary", "json"])
def device(request, emulator):
    d = UDPDevice(port=emulator.port, format=request.param)
    d.open()
    yield d
    d.close()


def test_the_bytes_are_as_documented():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(2.0)
        device = UDPDevice(port=receiver.getsockname()[1], n_dims=3)
        device.open()
        for _ in range(3):
            stop = receiver.recv(1000)
            assert struct.unpack_from("<4sIq", stop) == (b"BMI1", 3, -1)
            assert struct.unpack_from("<ii3d", stop, 32) == (4, 0, 0.0, 0.0, 0.0)
        device.arm()
        device.write(command(77, [1.5, -2.5, 3.5], flags=GateFlag.SPEED | GateFlag.JERK), 0.0)
        got = receiver.recv(1000)
        device.close()
    assert len(got) == 64
    assert struct.unpack("<4sIqddii3d", got) == (b"BMI1", 3, 77, 10.0, 10.002, 2, 160, 1.5, -2.5, 3.5)


def test_what_is_applied_is_what_arrives(device, emulator):
    device.arm()
    applied = [device.write(command(i, [10.0 * i, -i]), 0.01 * i).copy() for i in range(20)]
    assert emulator.wait_for(lambda e: e.n_good == 23)
    sent = [f for f in emulator.frames if f.state != GateState.STOPPED]
    np.testing.assert_array_equal([f.values for f in sent], applied)
    assert [f.seq for f in sent] == list(range(20))
    assert {(f.t, f.t_command) for f in sent} == {(10.0, 10.002)}
    assert (emulator.n_bad, emulator.n_old, emulator.n_lost) == (0, 0, 0)


def selecting(seq, select):
    c = command(seq, [10.0, 0.0], flags=GateFlag.SPEED)
    c.select = select
    return c


def test_a_selection_arrives_once_beside_the_limits_that_acted(device, emulator):
    device.arm()
    for seq in range(5):
        device.write(selecting(seq, seq == 3), 0.01 * seq)
    assert emulator.wait_for(lambda e: e.n_good == 8)
    sent = [f for f in emulator.frames if f.state != GateState.STOPPED]
    assert [f.select for f in sent] == [False, False, False, True, False]
    assert {f.flags for f in sent} == {int(GateFlag.SPEED)}
    assert emulator.n_selections == 1


def test_a_selection_is_bit_16_of_the_flags_or_a_key():
    """What an old receiver reads it still reads: the layout is the same."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(2.0)
        got = []
        for form in ("binary", "json"):
            device = UDPDevice(port=receiver.getsockname()[1], format=form)
            device.open()
            device.arm()
            device.write(selecting(7, True), 0.0)
            got.append([receiver.recv(1000) for _ in range(4)][-1])
            device.close()
            while select.select([receiver], [], [], 0.05)[0]:
                receiver.recv(1000)
    assert (len(got[0]), struct.unpack_from("<i", got[0], 36)[0]) == (56, 65536 + 32)
    told = json.loads(got[1])
    assert (told["select"], told["flags"]) == (True, 32)
    del told["select"]
    assert not decode(json.dumps(told).encode()).select


def test_a_command_beyond_the_limit_is_slowed_in_its_own_direction(emulator):
    device = UDPDevice(port=emulator.port, speed_limit_mm_s=100.0)
    device.open()
    device.arm()
    np.testing.assert_allclose(device.write(command(0, [300.0, 400.0]), 0.0), [60.0, 80.0])
    assert emulator.wait_for(lambda e: e.velocity == pytest.approx((60.0, 80.0)))
    device.close()


def test_it_reckons_as_the_cursor_moves(device):
    rng = np.random.default_rng(5)
    cursor = Cursor()
    cursor.open()
    for d in (cursor, device):
        d.arm()
    now = 0.0
    for i in range(200):
        now += rng.uniform(0.0, 0.15)  # some pauses are longer than the 80 ms a velocity is held
        c = command(i, rng.normal(0, 50, 2))
        np.testing.assert_array_equal(device.write(c, now), cursor.write(c, now))
        np.testing.assert_array_equal(device.read(now + 0.01).position, cursor.read(now + 0.01).position)
    for mine, its in zip(device.state(), cursor.state(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_the_receiver_rests_by_itself_when_the_sender_is_killed(emulator):
    code = (
        "import sys, time, numpy as np\n"
        "from bmi.signals import Command\n"
        "from devices.udp import UDPDevice\n"
        "d = UDPDevice(port=int(sys.argv[1])); d.open(); d.arm()\n"
        "for i in range(100000):\n"
        "    d.write(Command(np.ones(2), 0.0, 0.0, 0.0, i, 2, 0), time.monotonic()); time.sleep(0.01)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(emulator.port)])
    assert emulator.wait_for(lambda e: e.n_good > 20, 20.0)
    process.kill()
    process.wait()
    assert emulator.wait_for(lambda e: e.n_deadman > 0 and not any(e.velocity))
    last = emulator.frames[-1]
    assert last.values == (1.0, 1.0)
    assert 0.080 <= emulator.t_rest - last.t_received < 0.24  # three times the 80 ms, as CI is shared


def test_stop_comes_at_once_repeatedly_and_nothing_moves_after_it(device, emulator):
    device.arm()
    device.write(command(5, [10.0, 0.0]), 0.0)
    assert emulator.wait_for(lambda e: any(e.velocity))
    device.stop("test")
    device.stop("test")
    assert emulator.wait_for(lambda e: e.n_good == 3 + 1 + 6)
    assert emulator.velocity == (0.0, 0.0)
    assert math.isnan(emulator.frames[-1].t)
    np.testing.assert_array_equal(device.write(command(6, [10.0, 0.0]), 0.01), [0.0, 0.0])
    device.arm()
    device.write(command(7, [20.0, 0.0]), 0.02)
    assert emulator.wait_for(lambda e: e.velocity == (20.0, 0.0))
    assert [f.seq for f in emulator.frames if f.state == GateState.ACTIVE] == [5, 7]


def test_stop_from_other_threads_while_commands_flow_ends_in_rest(device, emulator):
    device.arm()
    stoppers = [threading.Thread(target=device.stop, args=(f"thread {i}",)) for i in range(4)]
    for i in range(400):
        device.write(command(i, [5.0, 5.0]), 1e-3 * i)
        if i % 100 == 50:
            stoppers[i // 100].start()
    for s in stoppers:
        s.join()
    assert emulator.wait_for(lambda e: bool(e.frames) and e.frames[-1].state == GateState.STOPPED)
    time.sleep(0.02)
    assert emulator.frames[-1].state == GateState.STOPPED
    assert device.effector.velocity.tolist() == [0.0, 0.0]


def test_not_armed_means_nothing_is_sent(device, emulator):
    np.testing.assert_array_equal(device.write(command(0, [10.0, 0.0]), 0.0), [0.0, 0.0])
    assert emulator.wait_for(lambda e: e.n_good == 3)
    time.sleep(0.02)
    assert all(f.state == GateState.STOPPED for f in emulator.frames)


def test_a_missing_receiver_is_counted_not_raised():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    device = UDPDevice(port=port)
    device.open()
    device.arm()
    for i in range(20):
        device.write(command(i, [1.0, 1.0]), 0.01 * i)
        time.sleep(1e-3)
    assert device.n_send_errors > 0
    device.stop("test")
    device.close()


def test_an_impossible_host_is_refused_at_open():
    with pytest.raises(DeviceError, match=r"no way to no-such-host\.invalid:9"):
        UDPDevice(host="no-such-host.invalid", port=9).open()


def test_life_cycle(emulator):
    device = UDPDevice(port=emulator.port)
    assert isinstance(device, Device)
    assert device.spec.dims == ("x", "y")
    for early in (device.arm, lambda: device.write(command(0, [0.0, 0.0]), 0.0)):
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


# ---------------------------------------------------------------------- the emulator
def test_old_and_missing_numbers_are_told_apart(emulator):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for seq in (3, 4, 4, 2, 8):
            sender.sendto(
                json.dumps(
                    {"bmi": 1, "seq": seq, "t": 0, "t_command": 0, "state": 2, "flags": 0, "values": [seq, 0]}
                ).encode(),
                ("127.0.0.1", emulator.port),
            )
    assert emulator.wait_for(lambda e: e.n_good + e.n_old == 5)
    assert (emulator.n_good, emulator.n_old, emulator.n_lost) == (3, 2, 3)


def test_it_moves_as_far_as_velocity_and_dead_man_allow(emulator):
    device = UDPDevice(port=emulator.port)
    device.open()
    device.arm()
    device.write(command(0, [100.0, -50.0]), 0.0)
    assert emulator.wait_for(lambda e: e.n_deadman == 1)
    np.testing.assert_allclose(emulator.position, (8.0, -4.0))
    device.close()


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda b: b"BMI1" + b) | st.text().map(str.encode))
def test_garbage_is_refused_by_name(datagram):
    try:
        frame = decode(datagram)
    except ValueError:
        return
    assert all(map(math.isfinite, frame.values))


def test_garbage_does_not_stop_the_receiver(emulator):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in (b"", b"BMI1", b"{}", b"{\xff", b"[1]", b"\0" * 56, b'{"bmi": 2}'):
            sender.sendto(datagram, ("127.0.0.1", emulator.port))
    assert emulator.wait_for(lambda e: e.n_bad == 7)
    assert emulator.velocity == (0.0, 0.0)


@pytest.mark.parametrize("n_dims", [1, 2, 3])
def test_it_keeps_the_contract_of_a_device(n_dims):
    with UDPEmulator(n_dims) as emulator:
        check_device(lambda: UDPDevice(port=emulator.port, n_dims=n_dims))
        assert emulator.n_bad == 0
