"""A live session: what it tells, what it keeps, how it stops, and that it leaves nothing behind.

Real processes and real LSL throughout; `live_rig.recorded` is one short session that most of these look at.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from live_rig import alive, processes_of, recorded, short

from bmi.clock import LSLClock
from bmi.control import LaneState, Word
from bmi.errors import BMIError, RecipeError, StreamNotFound
from bmi.limits import MAX_AGE_S
from bmi.lsl.outlet import Outlet
from bmi.manifest import read_manifest, verify
from bmi.recording import Recording
from bmi.session import Session, as_event
from bmi.signals import GateFlag, GateState, StreamSpec

RATE_HZ, PUSH, N_CHANNELS = 1000.0, 5, 96
CI_SLACK = 3.0  # the default suite shares its cores


@pytest.fixture(scope="module")
def lived():
    return recorded()


def ages(steps):
    """Return the age of what each command that could move something rested on, when it was written, s."""
    moving = steps[(steps["command_seq"] >= 0) & (steps["gate_state"] == GateState.ACTIVE)]
    return moving["t_written"] - np.minimum(moving["t"], moving["t_arrival"])


# ------------------------------------------------------------------ what it tells
def test_run_returns_the_summary_and_files_it(lived):
    s = lived.summary
    assert s == json.loads((lived.out / "summary.json").read_text())
    assert (s["name"], s["seed"], s["subject"], s["block"]) == ("center-out", 3, "simulated", "centre-out")
    assert s["steps"] == len(lived.recording.read("/steps")) == lived.control["LANE_STEPS"]
    assert s["learner_updates"] >= 1
    assert s["params_version"] >= 1
    assert s["dropped"] == s["recorder_dropped"] == s["recorder_restarts"] == 0
    assert s["recording"] == str(lived.out)
    assert "not a medical device" in s["notice"]
    assert lived.control["LANE_STATE"] == LaneState.DONE
    assert [w.split()[0] for w in lived.words] == ["starting"] * 3


def test_events_intents_and_commands_are_told_while_it_runs_and_are_the_recorded_ones(lived):
    steps = lived.recording.read("/steps")
    spoken, sent = steps[steps["has_intent"] == 1], steps[steps["command_seq"] >= 0]
    # Those who listen joined between the lane's first step and arming, and missed nothing since.
    assert (spoken["arm_word"] == 1).sum() <= len(lived.intents) <= len(spoken)
    assert (sent["arm_word"] == 1).sum() <= len(lived.commands) <= len(sent)
    np.testing.assert_array_equal(np.array(lived.intents), spoken[-len(lived.intents) :])
    assert [c.seq for c in lived.commands] == sent["command_seq"][-len(lived.commands) :].tolist()
    np.testing.assert_array_equal([c.values for c in lived.commands], sent["command"][-len(lived.commands) :])
    told = [(e.t, e.kind, e.data) for e in lived.events if not e.kind.startswith("learner.")]
    assert told == [(e.t, e.kind, e.data) for e in lived.recording.events()][-len(told) :]
    decided = [(e.t, e.kind) for e in lived.events if e.kind.startswith("learner.")]
    assert decided == [(e.t, e.kind) for e in map(as_event, lived.recording.read("/learner"))]
    assert "learner.adopted" in {kind for _, kind in decided}
    assert {"trial.start", "trial.end", "block.end", "block.start"} <= {e.kind for e in lived.events}
    assert [e.data["name"] for e in lived.events if e.kind == "block.end"] == ["calibrate", "centre-out"]


# ------------------------------------------------------------------ what it keeps
def test_the_recording_is_whole_and_says_what_it_rests_on(lived):
    recording = lived.recording
    assert recording.complete
    assert not recording.problems
    assert {"/events", "/features", "/params", "/samples/m1", "/snapshots", "/steps"} <= set(recording.topics)
    assert [recording.gaps(t) for t in recording.topics] == [[]] * len(recording.topics)
    (part,) = read_manifest(lived.out)["parts"]
    assert part["sha256"] == hashlib.sha256((lived.out / "part-000.mcap").read_bytes()).hexdigest()
    assert verify(lived.out) == []
    recipe, versions, machine = (recording.metadata[k] for k in ("recipe", "versions", "machine"))
    assert recipe["seed"] == "3"
    assert recipe["sha256"] == hashlib.sha256(recipe["json"].encode()).hexdigest()
    assert json.loads(recipe["json"])["decoder"]["use"] == "kalman"
    assert versions["numpy"] == np.__version__
    assert len(machine["cpu_features_sha256"]) == 16
    assert os.uname().nodename not in json.dumps(machine), "the machine is described, not named"


def test_every_row_the_lane_wrote_is_in_the_recording(lived):
    assert not len(lived.rings.pop("/service")), "no process of this session was lost"
    for topic, held in lived.rings.items():
        assert len(held) > 1, topic
        kept = lived.recording.read(topic)[-len(held) :]  # a ring holds the last seconds
        assert held.tobytes() == kept.tobytes(), topic


def test_every_sample_the_participant_sent_since_the_lane_began_was_recorded(lived):
    samples, steps = lived.recording.read("/samples/m1"), lived.recording.read("/steps")
    taken = steps[steps["n_samples"][:, 0] > 0]
    assert len(samples) == taken["n_samples"].sum() == lived.summary["samples"]
    lost = int(taken["n_lost"].sum())
    # Two witnesses: the sender's numbers, and its stamps, which lie on an exact grid of 1 ms.
    assert samples["seq"][-1] - samples["seq"][0] + 1 == len(samples) + lost
    assert round((samples["t"][-1] - samples["t"][0]) * RATE_HZ) + 1 == len(samples) + lost
    assert lived.summary["world_samples"] >= len(samples) + lost
    assert lost == lived.summary["lost"] == 0


def test_every_command_rests_on_fresh_samples(lived):
    age = ages(lived.recording.read("/steps"))
    assert len(age) > 200
    assert age.max() <= MAX_AGE_S
    assert age.min() > 0.0


# ------------------------------------------------------------------ how it stops
def test_stop_is_obeyed_within_50_ms_and_latched(lived):
    steps, t = lived.recording.read("/steps"), lived.stopped_t
    before, after = steps[steps["now"] < t], steps[steps["now"] > t + 0.001]
    first = after[after["command_seq"] >= 0][0]
    assert first["t_written"] - t < CI_SLACK * 0.05
    assert first["gate_flags"] == GateFlag.STOP
    assert np.linalg.norm(before["velocity"][-1]) > 10.0, "it was moving"
    assert before["gate_state"][-1] == GateState.ACTIVE
    assert len(after) > 100, "the session went on"
    assert (after["gate_state"] == GateState.STOPPED).all()
    assert not after["command"].any()
    assert not after["applied"].any()
    rest = after[1:]  # the state of a step is what was before its command
    assert not rest["velocity"].any()
    assert np.ptp(rest["position"], axis=0).max() == 0.0
    assert (after["arm_word"] == 1).all(), "an operator who wants it armed does not lift STOP"
    assert lived.control["STOP"] == 1


async def test_a_killed_sender_brings_the_device_to_rest_within_200_ms(tmp_path):
    session = Session.open("center_out", short(60.0), out=tmp_path / "out")
    async with session as s:
        running = asyncio.create_task(s.run())
        moving = 0
        async for command in s.commands():
            moving += command.state == GateState.ACTIVE and np.linalg.norm(command.values) > 20.0
            if moving == 5:
                break
        os.kill(s.control.get(Word.WORLD_PID), signal.SIGKILL)
        killed = LSLClock().now()
        await asyncio.sleep(0.9)
        s.quit()
        summary = await running
    steps = Recording.open(tmp_path / "out").read("/steps")
    after = steps[steps["now"] > killed + 0.2]
    assert len(after) > 50
    assert not np.isin(after["gate_state"], (GateState.ACTIVE,)).any()
    assert not after["command"].any()
    assert np.abs(after["velocity"]).max() < 1.0
    said = after[after["command_seq"] >= 0]
    assert len(said), "neutral is repeated, not left unsaid"
    assert (said["gate_flags"] & (GateFlag.SILENT | GateFlag.STALE | GateFlag.DEADMAN) > 0).all()
    assert steps["gate_state"][-1] == GateState.DISARMED
    assert ages(steps).max() <= MAX_AGE_S
    assert summary["lost"] == 0
    assert processes_of(s.runtime) == []


# ------------------------------------------------------------------ a sender that is none of ours to start
class Sender(threading.Thread):
    """Somebody's amplifier: 96 channels at 1 kHz, pushed and remembered until told to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.leave, self.t0, self.sent = threading.Event(), 0.0, []
        self.spec = StreamSpec(name="m1", type="spikes", n_channels=N_CHANNELS, rate_hz=RATE_HZ, unit="count")

    def run(self) -> None:
        clock, rng = LSLClock(), np.random.default_rng(11)
        with Outlet(self.spec, samples_per_push=PUSH) as outlet:
            self.t0 = clock.now()
            while not self.leave.is_set():
                data = rng.poisson(0.02, (PUSH, N_CHANNELS)).astype(np.float32)
                t = self.t0 + (len(self.sent) + 1) * PUSH / RATE_HZ
                clock.sleep_until(t)
                self.sent.append(data)
                outlet.push(data, t)


@pytest.fixture(scope="module")
def sender():
    thread = Sender()
    thread.start()
    yield thread
    thread.leave.set()
    thread.join()


async def test_what_came_in_is_what_was_recorded_plus_what_was_counted_as_lost(sender, tmp_path):
    overrides = {**short(3.5), "world": None, "sources.0.max_backlog_s": 0.3}
    overrides["blocks"] = [{"name": "listen", "seconds": 3.5, "learn": True, "assist": [1.0, 1.0]}]
    async with Session.open("center_out", overrides, out=tmp_path / "out") as s:
        running = asyncio.create_task(s.run())
        await asyncio.sleep(1.0)
        lane = s.control.get(Word.LANE_PID)
        os.kill(lane, signal.SIGSTOP)  # longer than liblsl may buffer
        await asyncio.sleep(1.0)
        os.kill(lane, signal.SIGCONT)
        summary = await running
    recording = Recording.open(tmp_path / "out")
    samples, steps = recording.read("/samples/m1"), recording.read("/steps")
    lost = int(steps["n_lost"][steps["n_samples"][:, 0] > 0].sum())
    assert lost == summary["lost"]
    assert 300 < lost < 1000, "the frozen second, less what was buffered"
    sent = np.concatenate(sender.sent)
    t_sent = sender.t0 + (1 + np.arange(len(sent))) / RATE_HZ
    i = np.rint((samples["t"] - t_sent[0]) * RATE_HZ).astype(int)
    np.testing.assert_allclose(samples["t"], t_sent[i], atol=2e-4)
    np.testing.assert_array_equal(samples["data"], sent[i])
    assert len(np.unique(i)) == len(i)
    assert i[-1] - i[0] + 1 == len(samples) + lost, "in = out + counted"
    assert summary["subject"] == "live"
    # A frozen lane wakes to a queue of old samples; none of them moves anything.
    assert ages(steps).max() <= MAX_AGE_S
    assert (steps["gate_state"] == GateState.ACTIVE)[-100:].all(), "and it works again"


async def test_a_missing_stream_is_named_with_those_that_are_there(sender, tmp_path):
    overrides = {"world": None, "sources.0.name": "nobody", "sources.0.resolve_timeout_s": 0.5}
    session = Session.open("center_out", overrides, out=tmp_path / "out")
    with pytest.raises(StreamNotFound, match=r"(?s)nobody.*m1") as error:
        async with session:
            pytest.fail("it must not come this far")
    assert error.value.exit_code == 2
    assert processes_of(session.runtime) == []
    assert not session.runtime.exists()


# ------------------------------------------------------------------ what it leaves behind
def test_no_process_and_no_shared_memory_stay(lived):
    assert len(set(lived.pids.values())) == 4
    assert all(lived.pids.values())
    assert not any(map(alive, lived.pids.values()))
    assert processes_of(lived.runtime) == []
    assert not lived.runtime.exists()


def test_a_wrong_recipe_names_everything_and_starts_nothing(tmp_path):
    with pytest.raises(RecipeError) as error:
        Session.open("center_out", {"gate.max_age_s": 9.0, "decoder.stats": 1}, out=tmp_path / "out")
    assert {p.path for p in error.value.problems} == {"gate", "decoder.stats"}
    assert not (tmp_path / "out").exists()
    assert processes_of(tmp_path) == []


def test_a_session_that_was_never_entered_made_nothing(tmp_path, monkeypatch):
    def refuse(*args, **settings):
        pytest.fail("a folder was made")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    session = Session.open("center_out", short(), out=tmp_path / "out")
    assert session.out == tmp_path / "out"
    assert not session.out.exists()


def test_a_recording_is_never_written_over(lived):
    assert Session.open("center_out", out=lived.out).out == lived.out.with_name("out-2")


PARENT = """
import asyncio, sys
from bmi.session import Session, as_event

async def main():
    async with Session.open("center_out", out=sys.argv[1]) as s:
        print(s.runtime, flush=True)
        await s.run()

asyncio.run(main())
"""


def test_children_end_when_their_session_is_killed(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True)
    with parent:
        runtime = Path(parent.stdout.readline().strip())
        pids = processes_of(runtime)
        time.sleep(0.5)
        parent.kill()
    deadline = time.monotonic() + 2.0
    while processes_of(runtime) and time.monotonic() < deadline:
        time.sleep(0.02)
    left, left_folder = processes_of(runtime), runtime.exists()
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(runtime, ignore_errors=True)
    assert len(pids) == 4
    assert left == []
    assert not left_folder, "shared memory is given back"
    assert len(Recording.open(tmp_path / "out").read("/samples/m1")) > 100, "what was lived is kept"


async def test_a_killed_lane_ends_the_session_with_a_word(tmp_path):
    session = Session.open("center_out", short(), out=tmp_path / "out")
    async with session as s:
        os.kill(s.control.get(Word.LANE_PID), signal.SIGKILL)
        with pytest.raises(BMIError, match="lane process ended with -9") as error:
            await asyncio.wait_for(s.run(), 5.0)
        t = time.monotonic()
    assert time.monotonic() - t < 3.0, "nobody waits for the dead"
    assert error.value.exit_code == 3
    assert processes_of(session.runtime) == []
    assert not session.runtime.exists()
