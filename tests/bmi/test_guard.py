"""The guard looks, and stops what nobody drives any more; the lane that comes back begins anew."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from live_rig import short

from bmi.check import check
from bmi.contracts import Guarded
from bmi.control import Control, LaneState, Word
from bmi.errors import BMIError, ContractError, RecipeError
from bmi.guard import HEARD_NS, Guard, Heed, accept, hand_over, offer
from bmi.links import GuardLink
from bmi.nodes import GuardNode
from bmi.recipe import build, load, read
from bmi.recording import Recording
from bmi.session import Session, as_event
from bmi.signals import DeviceSpec, EffectorState
from devices.emulators.udp import STOPPED, UDPEmulator
from devices.null import Null
from devices.udp import UDPDevice


class Watch:
    """A guard over a process that sleeps, its link a pipe."""

    def __init__(self, folder: Path, repeat: int = 2):
        self.control = Control.create(folder / "control")
        self.lane = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        self.control.set(Word.LANE_PID, self.lane.pid)
        self.control.set(Word.LANE_STATE, LaneState.RUNNING)
        self.read_end, write_end = os.pipe()
        os.set_blocking(self.read_end, False)
        self.log = folder / "guard.log"
        self.guard = Guard(self.control, GuardLink(write_end, b"STOP", repeat), 0.08, self.log)
        self._write_end = write_end

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.lane.kill()
        self.lane.wait()
        self.guard.close()
        os.close(self.read_end)
        os.close(self._write_end)

    def beat(self, ago_s: float = 0.0):
        self.control.set(Word.LANE_BEAT_NS, time.perf_counter_ns() - int(ago_s * 1e9))

    def look(self) -> bytes:
        self.more = self.guard.once(0)
        try:
            return os.read(self.read_end, 4096)
        except BlockingIOError:
            return b""


@pytest.fixture
def watch(tmp_path):
    with Watch(tmp_path) as w:
        yield w


def test_a_lane_that_turns_is_left_alone(watch):
    for ago in (0.0, 0.02, 0.07):
        watch.beat(ago)
        assert watch.look() == b""
    assert watch.control.get(Word.GUARD_TRIPS) == 0
    assert watch.control.get(Word.GUARD_BEAT_NS) > 0


def test_a_silent_lane_is_stopped_again_and_again_and_counted_once(watch):
    watch.beat(0.081)
    assert watch.look() == b"STOPSTOP"
    assert watch.look() == b""  # not before 20 ms
    time.sleep(0.021)
    assert watch.look() == b"STOPSTOP"
    assert watch.control.get(Word.GUARD_TRIPS) == 1
    watch.beat()
    assert watch.look() == b""
    assert [line.split('"')[3] for line in watch.log.read_text().splitlines()] == ["guard.trip", "guard.clear"]


@pytest.mark.parametrize("state", [LaneState.STARTING, LaneState.READY])
def test_a_lane_that_does_not_run_yet_or_any_more_may_be_silent(watch, state):
    watch.control.set(Word.LANE_STATE, state)
    watch.beat(5.0)
    assert watch.look() == b""


def test_a_lane_that_runs_but_has_not_turned_once_is_compiling_nothing_and_moves_nothing(watch):
    assert watch.look() == b""


def test_a_lane_that_is_gone_is_stopped_at_once_and_then_there_is_nothing_left_to_guard(watch):
    watch.beat()
    watch.lane.kill()
    watch.lane.wait()
    assert watch.look() == b"STOPSTOP"
    assert watch.more
    t_end = time.monotonic() + 2.0
    while watch.more:
        assert time.monotonic() < t_end
        watch.look()
        time.sleep(0.01)
    assert watch.control.get(Word.GUARD_TRIPS) == 1


def test_a_lane_that_ended_in_order_is_no_trip(watch):
    watch.control.set(Word.LANE_STATE, LaneState.DONE)
    watch.lane.kill()
    watch.lane.wait()
    assert watch.look() == b""
    assert not watch.more
    assert watch.control.get(Word.GUARD_TRIPS) == 0


def test_stop_is_said_once_for_every_time_it_is_pressed(watch):
    watch.beat()
    watch.control.press_stop()
    assert watch.look() == b"STOPSTOP"
    watch.beat()
    assert watch.look() == b""
    watch.control.release_stop()
    watch.look()
    watch.control.press_stop()
    watch.beat()
    assert watch.look() == b"STOPSTOP"


def test_a_broken_link_does_not_end_the_guard(watch):
    os.close(watch.read_end)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    watch.read_end = os.open("/dev/null", os.O_RDONLY)
    watch.beat(1.0)
    watch.guard.once(0)
    assert watch.control.get(Word.GUARD_TRIPS) == 1


# --- the lane heeds it ------------------------------------------------------------------------------


@pytest.mark.parametrize("hardware", [False, True])
def test_after_a_trip_one_step_is_not_armed_and_hardware_waits_for_the_operator(tmp_path, hardware):
    control = Control.create(tmp_path / "control")
    control.set(Word.ARM, 1)
    control.set(Word.GUARD_BEAT_NS, 1_000_000)
    heed = Heed(control, hardware=hardware)
    assert heed.arms(2_000_000)
    control.add(Word.GUARD_TRIPS)
    assert not heed.arms(3_000_000)
    assert heed.arms(4_000_000)
    assert control.get(Word.ARM) == (0 if hardware else 1)


def test_hardware_is_not_driven_without_a_guard_that_looks(tmp_path):
    control = Control.create(tmp_path / "control")
    heed = Heed(control, hardware=True)
    assert not heed.arms(10**9)  # none has ever looked
    control.set(Word.GUARD_BEAT_NS, 10**9)
    assert heed.arms(10**9 + HEARD_NS - 1)
    assert not heed.arms(10**9 + HEARD_NS)
    assert Heed(control, hardware=False).arms(10**12)


# --- the link -----------------------------------------------------------------------------------------


def test_the_link_is_handed_over_as_a_descriptor_of_its_own(tmp_path):
    read_end, write_end = os.pipe()
    with offer(tmp_path) as listener:
        assert accept(listener) is None
        hand_over(tmp_path, GuardLink(write_end, b"\x00\xff!", 5))
        link = accept(listener)
    os.close(write_end)  # the lane may die; the guard's copy lives
    assert (link.stop, link.repeat) == (b"\x00\xff!", 5)
    os.write(link.fd, link.stop)
    assert os.read(read_end, 10) == b"\x00\xff!"
    os.close(link.fd)
    os.close(read_end)


def test_without_anybody_listening_nothing_is_handed_over(tmp_path):
    read_end, write_end = os.pipe()
    hand_over(tmp_path, GuardLink(write_end, b"x", 1))
    assert not list(tmp_path.iterdir())
    assert os.write(write_end, b"x") == 1  # and the device keeps its descriptor
    os.close(read_end)
    os.close(write_end)


def test_a_datagram_device_stops_over_its_guard_link_whatever_was_said_before():
    with UDPEmulator(hold_s=60.0) as there:
        device = UDPDevice(port=there.port)
        assert isinstance(device, Guarded)
        device.open()
        there.wait_for(lambda e: e.n_good >= 3)
        link = device.guard_link()
        os.write(link.fd, link.stop)
        assert there.wait_for(lambda e: e.n_good >= 4)
        assert there.frames[-1].state == STOPPED
        device.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(link.fd)


# --- the session ----------------------------------------------------------------------------------------


class Unguarded(Null):
    """Hardware that only the lane can stop."""

    def __post_init__(self):
        super().__post_init__()
        self._spec = DeviceSpec(name="unguarded", dims=("x", "y"), unit="mm/s", hardware=True)

    @property
    def spec(self):
        return self._spec

    @property
    def effector(self):
        return EffectorState(np.zeros(2), np.zeros(2))


def test_hardware_without_a_link_is_refused():
    recipe = load("center_out")
    recipe.device = Unguarded()
    with pytest.raises(ContractError, match="'unguarded' is hardware and has no guard_link"):
        check(recipe)


def test_the_limit_can_only_be_made_stricter():
    assert GuardNode(deadman_s=0.05).deadman_s == 0.05
    with pytest.raises(RecipeError, match=r"guard: deadman_s=0\.2 s: configuration can only make"):
        build(read("center_out", {"guard.deadman_s": 0.2}))


def test_a_session_with_a_device_out_there_has_a_guard_and_gets_it_back_if_it_dies(tmp_path):
    async def live(port: int):
        device = {"device": {"use": "udp", "port": port}}
        async with Session.open("center_out", {**short(30.0), **device}, out=tmp_path / "out") as s:
            events, pids = [], [s.control.get(Word.GUARD_PID)]
            running = asyncio.create_task(s.run(lambda t: events.append(t.last_event)))
            await asyncio.sleep(0.5)
            os.kill(pids[0], signal.SIGKILL)
            t_end = time.monotonic() + 10.0
            while s.control.get(Word.GUARD_PID) == pids[0]:
                assert time.monotonic() < t_end
                await asyncio.sleep(0.01)
            pids.append(s.control.get(Word.GUARD_PID))
            await asyncio.sleep(0.5)
            os.kill(s.control.get(Word.LANE_PID), signal.SIGKILL)
            since = time.monotonic()
            with pytest.raises(BMIError, match="lane process ended"):
                await running
        return events, pids, since

    with UDPEmulator(hold_s=60.0) as there:
        events, pids, since = asyncio.run(live(there.port))
        stops = [f.t_received for f in there.frames if f.state == STOPPED and f.t_received >= since]
    assert len(set(pids)) == 2
    assert any("guard.restarted" in e for e in events)
    told = [as_event(row) for row in Recording.open(tmp_path / "out").read("/service")]
    assert [e.kind for e in told].count("guard.restarted") == 1  # the recording knows of it too
    assert stops
    assert stops[0] - since < 3 * 0.120
    assert not any(there.velocity)
