"""A whole session whose amplifier dies and returns, while a stimulus program sends markers: what it tells and keeps."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import numpy as np
import pytest
from live_rig import short
from stream_rig import AGE_S, CI_SLACK, RETURN_S, moved_after, oldest_basis

from bmi.clock import LSLClock
from bmi.control import Word
from bmi.lsl.markers import MarkerInlet, MarkerOutlet, find_markers
from bmi.recording import Recording
from bmi.replay import verify
from bmi.ring import Ring
from bmi.session import Session, as_event
from bmi.signals import GateState

TOLD = ("lost", "resumed", "silent")


class Story:
    """What a session with faults was, told by its own events and by its recording."""

    def __init__(self, out):
        self.out, self.events, self.overheard = out, [], []
        self.now = LSLClock().now

    async def listen(self, session):
        async for event in session.events():
            self.events.append(event)

    async def overhear(self, name):
        """Hear the session's own events as another program would."""
        inlet = MarkerInlet(await asyncio.to_thread(find_markers, {"name": name}, 5.0))
        while not any(e["kind"] == "block.end" for e in self.overheard):
            self.overheard += [json.loads(m.text) for m in await asyncio.to_thread(inlet.pull, 0.2)]
        inlet.close()

    async def until(self, met, most_s):
        end = self.now() + most_s
        while not met():
            assert self.now() < end, [e.kind for e in self.events]
            await asyncio.sleep(0.01)

    def told(self, kind):
        return [e for e in self.events if e.kind == kind]


def overrides(name):
    return {
        **short(1.0),
        "world": None,
        "session.name": f"{name}-session",
        "sources.0.name": name,
        "sources.0.type": "test",
        "sources.0.max_backlog_s": 0.3,
        "blocks": [{"name": "listen", "seconds": 5.0, "assist": [1.0, 1.0]}],
        "markers": [{"name": f"{name}-cues"}],
    }


async def live_through(senders, name, out):
    """Kill the source and restart it, freeze the lane for a second, send markers all the while."""
    first, second, story = senders.take(), senders.take(), Story(out)
    first.go(name, wait=True, sync=False)
    session = Session.open("center_out", overrides(name), out=out)
    async with session as s:
        tasks = [asyncio.create_task(t) for t in (story.listen(s), story.overhear(f"{name}-session-events"))]
        running = asyncio.create_task(s.run())
        with MarkerOutlet(f"{name}-cues") as cues:
            await story.until(lambda: story.told("marker.connected"), 5.0)
            cues.push("cue 1", story.now())
            await asyncio.sleep(0.5)
            samples = Ring.open(s.runtime / "samples-story.ring").reader("now")
            await story.until(lambda: first.sent - samples.latest()["seq"] - 1 <= 5, 10.0)  # a starved one holds more
            story.t_fault = story.now()
            first.kill()
            await story.until(lambda: story.told("stream.lost"), 1.0)
            await asyncio.sleep(0.3)
            story.t_good = second.go(name, sync=False)
            await story.until(lambda: story.told("stream.resumed"), CI_SLACK * RETURN_S)
            cues.push("cue 2", story.now())
            os.kill(s.control.get(Word.LANE_PID), signal.SIGSTOP)
            await asyncio.sleep(0.8)
            os.kill(s.control.get(Word.LANE_PID), signal.SIGCONT)
            story.t_woken = story.now()
            await asyncio.sleep(0.5)
            second.say(halt=True)
            story.summary = await running
        await asyncio.gather(*tasks)
    story.sent = first.sent, second.sent
    return story


@pytest.fixture(scope="module")
def story(pool, tmp_path_factory):
    out = tmp_path_factory.mktemp("story") / "out"
    yield asyncio.run(live_through(pool, "story", out))
    pool.close(all_of_them=False)


def test_the_session_lives_through_it_and_tells_each_thing_once_in_order(story):
    (lost,), resumed = story.told("stream.lost"), [e for e in story.told("stream.resumed") if e.data["new_sender"]]
    assert story.t_fault < lost.t < story.t_good < resumed[0].t
    assert len(resumed) == 1
    assert {e.kind for e in story.events if e.kind[:7] == "stream."} <= {f"stream.{k}" for k in TOLD}
    assert story.summary["subject"] == "live"


def test_decoding_goes_on_and_nothing_stale_moves(story):
    steps = Recording.open(story.out).read("/steps")
    away = steps[(steps["now"] > story.t_fault + CI_SLACK * 0.2) & (steps["now"] < story.t_good)]
    assert not np.isin(away["gate_state"], GateState.ACTIVE).any()
    assert moved_after(steps, story.t_good) <= CI_SLACK * RETURN_S
    assert moved_after(steps, story.t_woken) <= CI_SLACK * RETURN_S
    assert oldest_basis(steps) <= AGE_S


def test_the_summary_accounts_for_every_sample_of_every_stream(story):
    samples = Recording.open(story.out).read("/samples/story")
    counted = story.summary["streams"]["story"]
    assert counted == {"samples": story.summary["samples"], "lost": story.summary["lost"]}
    assert counted["samples"] == len(samples)
    assert counted["lost"] > 0
    assert samples["seq"][-1] - samples["seq"][0] + 1 == counted["samples"] + counted["lost"]
    # Before the first step samples are read and forgotten; what the killed sender held in its own memory is unknown.
    went = sum(story.sent) - samples["seq"][0] - counted["samples"] - counted["lost"]
    assert 0 <= went <= 20


def test_markers_are_told_and_recorded_beside_the_rest(story):
    assert [e.data for e in story.told("marker")] == [{"stream": "story-cues", "text": f"cue {k}"} for k in (1, 2)]
    filed = [as_event(row) for row in Recording.open(story.out).read("/markers")]
    assert [(e.kind, e.data) for e in filed if e.kind == "marker"] == [("marker", e.data) for e in story.told("marker")]
    assert next(e.kind for e in filed if e.kind != "marker") in ("marker.waiting", "marker.connected")


def test_other_programs_can_hear_the_sessions_own_events(story):
    kinds = [e["kind"] for e in story.overheard]
    told = [e.kind for e in story.events if not e.kind.startswith("marker")]
    assert kinds == told[-len(kinds) :] or set(told) <= set(kinds)
    assert {"stream.lost", "stream.resumed", "block.end"} <= set(kinds)


def test_a_replay_repeats_it_through_every_fault(story):
    report = verify(story.out)
    assert (report["n_differing"], report["n_skipped"]) == (0, 0)
    assert report["n_steps"] == story.summary["steps"]
