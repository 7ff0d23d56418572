"""What a session came to, from its journal alone: only scored blocks count, however the journal arrives."""

import json

import numpy as np
import pytest
from line_rig import PUSH, RATE_HZ, Rig

from bmi import recipe
from bmi.blocks import Block
from bmi.contracts import TrialResult
from bmi.report import to_json
from bmi.signals import GateState
from bmi.summary import Score
from bmi.telemetry import TelemetryReader

TARGETS = 8


@pytest.fixture(scope="module")
def lived():
    """Return (steps, events, results) of two trials that time out, then four that are reached (by assist)."""
    rig = Rig([Block(name="alone", trials=2), Block(name="helped", trials=4, assist=(1.0, 1.0))], seed=2)
    steps = []
    while not rig.line.blocks.done:
        steps.append(rig.run(PUSH / RATE_HZ))
    return np.concatenate(steps), list(rig.line.events), rig.line.results


def scored(*which):
    """Return a recipe with the blocks of ``lived`` of which these are scored (assist aside: it is the rig's)."""
    blocks = [{"name": n, "trials": k, "scored": i in which} for i, (n, k) in enumerate([("alone", 2), ("helped", 4)])]
    task = {"use": "centre-out", "distance_mm": 40, "radius_mm": 8, "timeout_s": 1.0}
    return recipe.load("center_out", {"blocks": blocks, "task": task})


def summary(lived, *which, counters=None, telemetry=None, out=None, pieces=1):
    steps, events, _ = lived
    score = Score(scored(*which))
    for k in range(pieces):
        part = steps[k * len(steps) // pieces : (k + 1) * len(steps) // pieces]
        last = part["now"][-1] if k < pieces - 1 else np.inf
        first = part["now"][0] if k else -np.inf
        score.take(part, [e for e in events if first <= e.t <= last])
    return score, score.summary(counters or {}, telemetry, out)


def test_only_the_scored_block_is_scored(lived):
    results = lived[2]
    assert [r.success for r in results[0]] == [False] * 2
    assert [r.success for r in results[1]] == [True] * 4
    _, alone = summary(lived, 0)
    _, helped = summary(lived, 1)
    _, both = summary(lived, 0, 1)
    assert [(s["n_trials"], s["n_success"], s["block"]) for s in (alone, helped, both)] == [
        (2, 0, "alone"),
        (4, 4, "helped"),
        (6, 4, "alone, helped"),
    ]
    assert [s["success_rate"] for s in (alone, helped, both)] == [0.0, 1.0, pytest.approx(4 / 6)]


def test_the_figures_are_those_of_the_trials(lived):
    trials = lived[2][1]
    _, s = summary(lived, 1)
    assert s["acquisition_s"] == pytest.approx(np.median([r.acquire_s for r in trials]))
    straight = [(r.distance_mm - 8.0) / r.path_mm for r in trials]
    assert s["path_efficiency"] == pytest.approx(np.mean(np.minimum(straight, 1.0)))
    bits = [np.log2(r.distance_mm / 16.0 + 1.0) / r.acquire_s for r in trials]
    assert s["fitts_bits_s"] == pytest.approx(np.mean(bits))
    elapsed = trials[-1].t_start_s + trials[-1].acquire_s - trials[0].t_start_s
    assert s["bits_s"] == pytest.approx(np.log2(TARGETS - 1) * 4 / elapsed)
    low, high = s["intervals"]["acquire_s"]
    assert low <= s["acquisition_s"] <= high


def test_going_straight_to_one_target_hits_no_other(lived):
    _, s = summary(lived, 1)
    assert (s["chance"], s["overshoots"], s["dial_in_s"]) == (0.0, 0.0, 0.0)


def test_the_counts_are_of_the_whole_session(lived):
    steps = lived[0]
    _, s = summary(lived, 1)
    assert s["steps"] == len(steps)
    assert s["samples"] == PUSH * len(steps)
    assert s["commands"] == (steps["command_seq"] >= 0).sum()
    assert s["lost"] == 0


def test_losses_are_counted_once_each(lived):
    steps = lived[0].copy()
    steps["n_lost"][10], steps["n_lost"][11] = 3, 3
    steps["n_samples"][11] = 0  # the record keeps the number of the last chunk
    assert summary((steps, *lived[1:]), 1)[1]["lost"] == 3


@pytest.mark.parametrize("pieces", [2, 7, 100])
def test_however_the_journal_arrives_the_summary_is_the_same(lived, pieces):
    assert to_json(summary(lived, 1, pieces=pieces)[1]) == to_json(summary(lived, 1)[1])


def test_trials_come_back_as_the_task_told_them(lived):
    score, _ = summary(lived, 0, 1)
    assert score.results() == [*lived[2][0], *lived[2][1]]
    assert all(isinstance(r, TrialResult) for r in score.results())


def test_steps_of_scored_blocks_with_a_command_are_kept(lived):
    score, _ = summary(lived, 1)
    kept = score.scored_steps()
    steps = lived[0]
    expected = steps[(steps["block"] == 1) & (steps["command_seq"] >= 0)]
    assert kept.tobytes() == expected.tobytes()


def test_a_session_that_was_quit_before_anything_was_scored_has_empty_figures():
    score = Score(scored(1))
    s = score.summary({}, None, None)
    assert (s["n_trials"], s["n_success"], s["success_rate"], s["params_version"]) == (0, 0, None, None)
    assert len(score.scored_steps()) == 0
    assert json.loads(to_json(s))["acquisition_s"] is None


def test_lock_step_has_no_latencies_a_live_session_has_both(lived):
    reader = TelemetryReader()
    telemetry = reader.update(lived[0], {}, lived[1])
    _, without = summary(lived, 1)
    _, s = summary(lived, 1, telemetry=telemetry)
    assert not {"age_ms", "own_us", "stale"} & without.keys()
    kept = lived[0][(lived[0]["block"] == 1) & (lived[0]["command_seq"] >= 0)]
    own = (kept["decode_ns"] + kept["gate_ns"] + kept["write_ns"]) / 1e3
    assert s["own_us"]["max"] == pytest.approx(own.max())
    assert s["own_us"]["p50"] == pytest.approx(np.median(own))
    assert s["age_ms"]["n"] == len(kept)
    assert 0.0 <= s["age_ms"]["p50"] <= s["age_ms"]["p99"] <= s["age_ms"]["p999"] <= s["age_ms"]["max"] < 100.0
    assert s["stale"] == 0


def test_what_waited_before_the_first_command_that_passed_has_no_say_in_the_ages(lived):
    steps = lived[0][(lived[0]["block"] == 0) & (lived[0]["command_seq"] >= 0)].copy()
    steps["gate_state"], steps["t_written"] = GateState.ACTIVE, steps["t"] + 0.004
    steps["gate_state"][:30], steps["t_written"][:30] = GateState.DISARMED, steps["t"][:30] + 2.0
    score, telemetry = Score(scored(0)), TelemetryReader().update(steps)
    for part in np.array_split(steps, 9):
        score.take(part, [])
    s = score.summary({}, telemetry, None)
    assert (s["age_ms"]["n"], s["age_ms"]["max"]) == (len(steps) - 30, pytest.approx(4.0, rel=1e-4))
    waited = Score(scored(0))
    waited.take(steps[:30], [])
    assert waited.summary({}, telemetry, None)["age_ms"]["max"] == pytest.approx(2000.0, rel=1e-4)


def test_counters_are_passed_on_as_numbers_control_words_are_not(lived):
    _, s = summary(lived, 1, counters={"missed_deadlines": 2.0, "armed": 1, "stopped": 0})
    assert s["missed_deadlines"] == 2
    assert not {"armed", "stopped"} & s.keys()


def test_it_says_where_the_recording_is_and_how_to_replay_it(lived, tmp_path):
    _, s = summary(lived, 1, out=tmp_path)
    assert s["recording"] == str(tmp_path)
    assert s["replay"] == f"bmi replay {tmp_path} --verify"
    assert "recording" not in summary(lived, 1)[1]


def test_it_says_what_it_is_for(lived):
    _, s = summary(lived, 1)
    assert s["notice"] == "research use only; not a medical device"
    assert s["subject"] == "simulated"
