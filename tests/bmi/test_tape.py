"""Signals alone: every sample that was sent stands in the recording, and nothing else was started."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from live_rig import processes_of

from bmi.control import Word
from bmi.errors import RecipeError
from bmi.recipe import build, read, signals_of
from bmi.recording import Recording
from bmi.tape import Tape

SIGNALS = {
    "session": {"name": "signals", "seed": 3},
    "world": {"use": "population", "n_neurons": 12, "rate_hz": 1000, "chunk_s": 0.005},
    "record": {"ring_s": 4.0},
    "sources": [{"use": "lsl", "name": "m1", "type": "spikes", "unit": "count"}],
}


def recipe(**more):
    return build({**SIGNALS, **more}, signals=True)


def test_every_sample_is_recorded_in_order_and_nothing_but_the_tap_ran(tmp_path):
    async def tape():
        async with Tape(recipe(), tmp_path / "out") as t:
            roles = {p.name.removesuffix(".log") for p in t.runtime.glob("*.log")}
            states = []
            summary = await t.run(1.5, lambda s: states.append(s.elapsed_s))
            sent = t.control.get(Word.WORLD_SAMPLES)
        return roles, states, summary, sent

    roles, states, summary, sent = asyncio.run(tape())
    assert roles == {"world", "tap", "record"}
    assert len(states) > 5
    rows = Recording.open(tmp_path / "out").read("/samples/m1")
    assert (np.diff(rows["seq"]) == 1).all()
    assert len(rows) == summary["streams"][0]["samples"] <= sent
    assert len(rows) > 1000
    assert summary["streams"][0]["lost"] == summary["recorder_dropped"] == 0
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == summary
    # A machine that stood still tells so as an event of the stream; no decision, command or state stands beside it.
    recording = Recording.open(tmp_path / "out")
    assert set(recording.topics) - {"/events"} == {"/samples/m1"}
    assert all(e.kind.startswith("stream.") and e.kind != "stream.lost" for e in recording.events())


def test_a_killed_recorder_costs_no_sample(tmp_path):
    async def tape():
        async with Tape(recipe(), tmp_path / "out") as t:
            running = asyncio.create_task(t.run(2.5))
            await asyncio.sleep(0.7)
            os.kill(t.control.get(Word.RECORDER_PID), signal.SIGKILL)
            return await running

    summary = asyncio.run(tape())
    from bmi.recover import recover

    recover(tmp_path / "out")
    rows = Recording.open(tmp_path / "out").read("/samples/m1")
    assert (np.diff(rows["seq"]) == 1).all()
    assert len(rows) == summary["streams"][0]["samples"] > 1500


def test_the_command_ends_in_order_on_ctrl_c(tmp_path):
    path = tmp_path / "rig.json"
    path.write_text(json.dumps(SIGNALS))
    command = [Path(sys.executable).parent / "bmi", "record", str(path), "--out", str(tmp_path / "out"), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while sum(p.stat().st_size for p in tmp_path.glob("out/*.mcap")) < 80_000:  # about a second is on disk
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 0, stderr
    assert "not a medical device" in stderr
    assert json.loads(stdout)["recording"] == str(tmp_path / "out")
    assert Recording.open(tmp_path / "out").complete
    assert not processes_of("bmi-")


def test_of_a_whole_recipe_only_the_signals_are_looked_at():
    raw = read("center_out")
    checked = build(signals_of(raw), signals=True)
    assert checked.decoder is None
    assert checked.device is None
    with pytest.raises(RecipeError, match="decoder"):
        build(signals_of(raw))


def test_an_unknown_key_is_refused_here_too():
    with pytest.raises(RecipeError, match="unknown key 'sourcess'; did you mean 'sources'"):
        build(signals_of({**SIGNALS, "sourcess": []}), signals=True)


def test_a_missing_stream_is_named_and_leaves_no_folder(tmp_path):
    alone = {k: v for k, v in SIGNALS.items() if k != "world"}
    alone["sources"] = [{"use": "lsl", "name": "nobody-sends-this", "resolve_timeout_s": 0.3}]
    (tmp_path / "rig.json").write_text(json.dumps(alone))
    command = [Path(sys.executable).parent / "bmi", "record", tmp_path / "rig.json", "--out", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "nobody-sends-this" in done.stderr
    assert not (tmp_path / "out").exists()
