"""The recorder of a live session is killed again and again: the live lane does not notice, the recording hardly does.

The promise is at most 20 ms of samples lost each time (house, "Limits"); what lies in the rings is not lost
at all, so the figure expected here is none.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_rig import short

from bmi.control import ProcessState, Word
from bmi.manifest import read_manifest
from bmi.manifest import verify as verify_manifest
from bmi.recording import Recording
from bmi.recover import recover
from bmi.replay import verify
from bmi.session import Session

LOST_S, BEAT_S = 0.020, 0.100
CI_SLACK = 3.0
"""Deadlines of the default suite, which shares its cores, are this many times the promised ones."""


@dataclass
class Survived:
    """What a session came to whose recorder was killed ``kills`` times."""

    out: Path
    pids: list[int] = field(default_factory=list)
    steps_while_dead: list[int] = field(default_factory=list)
    """Steps the lane took between a kill and the next recorder's first row."""
    away_s: list[float] = field(default_factory=list)
    """From each kill until the next recorder wrote, s."""
    summary: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What the terminal view said last, picture by picture."""


async def survive(out: Path, kills: int, seed: int, **more: Any) -> Survived:
    """Run a session, kill its recorder at random moments, end it a little after the last return."""
    rng, told = np.random.default_rng(seed), Survived(out)
    async with Session.open("center_out", short(600.0, **more), out=out) as s:
        get = s.control.get
        running = asyncio.create_task(s.run(lambda t: told.notes.append(t.last_event)))
        for _ in range(kills):
            await asyncio.sleep(rng.uniform(0.2, 1.0))
            pid = get(Word.RECORDER_PID)
            assert get(Word.RECORDER_STATE) == ProcessState.RUNNING
            told.pids.append(pid)
            os.kill(pid, signal.SIGKILL)
            t, steps = time.monotonic(), get(Word.LANE_STEPS)
            while get(Word.RECORDER_PID) == pid or get(Word.RECORDER_STATE) != ProcessState.RUNNING:
                assert time.monotonic() - t < 20.0, "the session did not start its recorder again"
                assert not running.done()
                await asyncio.sleep(0.005)
            told.away_s.append(time.monotonic() - t)
            told.steps_while_dead.append(get(Word.LANE_STEPS) - steps)
        await asyncio.sleep(0.3)
        s.quit()
        told.summary = await running
    return told


def check(told: Survived, kills: int, beat_s: float) -> None:
    """Hold a survived session to its promises."""
    assert len(set(told.pids)) == kills
    assert told.summary["recorder_restarts"] == kills
    assert told.summary["recorder_dropped"] == told.summary["dropped"] == 0

    # The lane: 200 steps a second, whoever dies.
    for steps, away in zip(told.steps_while_dead, told.away_s, strict=True):
        assert steps > 150 * away
    torn = Recording.open(told.out)
    assert not torn.complete
    report = recover(told.out)
    assert report.rebuilt == kills
    whole = Recording.open(told.out)
    assert whole.complete
    assert verify_manifest(told.out) == []
    assert len(read_manifest(told.out)["parts"]) == kills + 1

    steps = whole.read("/steps")
    assert np.diff(steps["now"]).max() < beat_s

    # The recording: every gap is shorter than was promised; there should be none.
    samples = whole.read("/samples/m1")
    gaps = whole.gaps("/samples/m1")
    assert len(gaps) <= kills
    assert all((end - first) / 1000.0 <= LOST_S for first, end in gaps)
    assert gaps == whole.gaps("/steps") == []
    assert samples["seq"][-1] - samples["seq"][0] + 1 == len(samples)
    assert len(samples) == told.summary["samples"]
    assert len(steps) == told.summary["steps"]

    # And it repeats across every seam.
    again = verify(told.out)
    assert (again["n_differing"], again["n_skipped"]) == (0, 0)
    assert again["n_steps"] == len(steps)


async def test_three_times_without_a_lost_sample_or_a_missed_beat(tmp_path):
    told = await survive(tmp_path / "out", 3, seed=1)
    check(told, 3, CI_SLACK * BEAT_S)
    assert "recorder.restarted" in told.notes, "the operator is told"


async def test_one_that_cannot_write_is_given_up_by_name_and_the_session_goes_on(tmp_path):
    out, notes = tmp_path / "out", []
    async with Session.open("center_out", short(600.0), out=out) as s:
        running = asyncio.create_task(s.run(lambda t: notes.append(t.last_event)))
        shutil.rmtree(out)
        out.write_text("in the way")
        os.kill(s.control.get(Word.RECORDER_PID), signal.SIGKILL)
        deadline = time.monotonic() + 40.0
        while "recorder.gave_up" not in notes:
            assert time.monotonic() < deadline
            assert not running.done()
            await asyncio.sleep(0.05)
        steps = s.control.get(Word.LANE_STEPS)
        await asyncio.sleep(0.3)
        assert s.control.get(Word.LANE_STEPS) > steps + 20
        s.quit()
        summary = await running
    assert "out" in summary["not_saved"]
    assert summary["commands"] > 0


@pytest.mark.bars
@pytest.mark.timeout(300)
async def test_twenty_times_without_a_lost_sample_or_a_missed_beat(tmp_path):
    check(await survive(tmp_path / "out", 20, seed=2), 20, BEAT_S)


@pytest.mark.bars
@pytest.mark.timeout(120)
async def test_away_for_longer_than_the_rings_hold_it_counts_what_is_gone_and_repeats_the_rest(tmp_path):
    told = await survive(tmp_path / "out", 3, seed=3, record__ring_s=0.2)
    recover(told.out)
    whole = Recording.open(told.out)
    steps, samples, gaps = whole.read("/steps"), whole.read("/samples/m1"), whole.gaps("/samples/m1")
    assert 1 <= len(gaps) <= 4, "a recorder takes longer than 0.2 s to start, the first one too"
    gone = sum(end - first for first, end in gaps)
    assert len(samples) + gone == whole.counters()[-1]["rings"]["/samples/m1"]["count"]
    assert told.summary["recorder_dropped"] > 0
    holes = np.diff(samples["seq"]) - 1
    assert holes[holes > 0].tolist() == [end - first for first, end in gaps if first > 0]
    report = verify(told.out)
    assert report["n_differing"] == 0
    assert report["n_skipped"] > 0
    assert report["n_steps"] + report["n_skipped"] == len(steps)


@pytest.mark.bars
@pytest.mark.timeout(1500)
async def test_ten_minutes_repeat_without_one_differing_value(tmp_path):
    minutes = float(os.environ.get("BMI_BARS_MINUTES", "10"))
    blocks = {"blocks.1.trials": 1_000_000, "blocks.1.seconds": minutes * 60.0}
    async with Session.open("center_out", blocks, out=tmp_path / "out") as s:
        summary = await s.run()
    report = verify(tmp_path / "out")
    assert report["n_steps"] == summary["steps"] > minutes * 60.0 * 190.0
    assert report["n_values"] > 8 * report["n_steps"]
    assert (report["n_differing"], report["n_skipped"]) == (0, 0)
    assert summary["recorder_dropped"] == summary["dropped"] == 0
    assert summary["stale"] == 0
    assert Recording.open(tmp_path / "out").complete
