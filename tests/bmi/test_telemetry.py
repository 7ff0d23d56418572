"""Telemetry says what the journal says: nothing more, nothing less, however the records arrive."""

import numpy as np
import pytest
from reference_face import reaches

from bmi.signals import Event, GateFlag, GateState
from bmi.telemetry import TelemetryReader, age_ns, flag_words, own_ns


def test_an_empty_update_is_a_session_before_its_first_step():
    steps, _ = reaches(1)
    v = TelemetryReader(name="x").update(steps[:0])
    assert (v.name, v.trial, v.commands, v.gate_state) == ("x", -1, 0, GateState.DISARMED)


def test_sample_age_is_written_minus_the_older_of_time_and_arrival():
    steps, _ = reaches(1)
    assert age_ns(steps) == pytest.approx(4e6, rel=1e-6)
    steps["t"], steps["t_arrival"] = steps["t_arrival"], steps["t"].copy()  # a stamp ahead of its arrival
    assert age_ns(steps) == pytest.approx(4e6, rel=1e-6)


def test_our_own_is_decoding_gate_and_write():
    steps, _ = reaches(1)
    assert set(own_ns(steps)) == {100_000}
    v = TelemetryReader().update(steps)
    assert v.own.p50 == v.own.max == 100_000
    assert v.age.p50 == pytest.approx(4e6, rel=0.005)


def test_only_written_commands_have_a_latency():
    steps, _ = reaches(1)
    steps["command_seq"][10:] = -1
    steps["decode_ns"][10:] = 10**9
    v = TelemetryReader().update(steps)
    assert (v.commands, v.own.n, v.own.max) == (10, 10, 100_000)


@pytest.mark.parametrize("cut", [1, 7, 400])
def test_ages_begin_anew_with_the_first_command_that_may_move(cut):
    """A session begins without a sample, or with a backlog; a stream that fails later is in the figures."""
    steps, _ = reaches(8)
    steps["gate_state"] = GateState.ACTIVE
    steps["gate_state"][:20], steps["t_written"][:20] = GateState.NEUTRAL, steps["t"][:20] + 2.0
    waiting = TelemetryReader().update(steps[:20])
    assert (waiting.age.n, waiting.age.max) == (20, pytest.approx(2e9, rel=1e-6))
    steps["gate_state"][300:310], steps["t_written"][300:310] = GateState.NEUTRAL, steps["t"][300:310] + 0.5
    reader = TelemetryReader()
    for i in range(0, len(steps), cut):
        v = reader.update(steps[i : i + cut])
    assert v.commands == len(steps) == v.own.n
    assert (v.age.n, v.age.max) == (len(steps) - 20, pytest.approx(5e8, rel=1e-6))
    assert v.age.p50 == pytest.approx(4e6, rel=0.005)


@pytest.mark.parametrize("cut", [1, 7, 50, 400])
def test_how_the_records_are_cut_does_not_matter(cut):
    steps, _ = reaches(8)
    whole = TelemetryReader(blocks=("free",)).update(steps)
    reader = TelemetryReader(blocks=("free",))
    for i in range(0, len(steps), cut):
        v = reader.update(steps[i : i + cut])
    for name in whole.__slots__:
        assert np.array_equal(getattr(v, name), getattr(whole, name), equal_nan=name.endswith("speed")), name


def test_it_keeps_nothing_of_the_records_it_was_given():
    steps, _ = reaches(2)
    v = TelemetryReader().update(steps)
    before = v.position.copy(), v.trail.copy(), v.decoded_speed.copy()
    steps[:] = np.zeros(1, steps.dtype)
    for kept, was in zip((v.position, v.trail, v.decoded_speed), before, strict=True):
        np.testing.assert_array_equal(kept, was)


def test_an_old_snapshot_does_not_change():
    steps, _ = reaches(2)
    reader = TelemetryReader()
    first = reader.update(steps[:10])
    t, trail = first.t, first.trail.copy()
    reader.update(steps[10:])
    assert first.t == t
    np.testing.assert_array_equal(first.trail, trail)


def test_targets_are_remembered_and_the_trail_is_one_second():
    steps, _ = reaches(8)
    v = TelemetryReader().update(steps)
    assert v.targets.shape == (8, 2)
    assert np.linalg.norm(v.targets, axis=1) == pytest.approx(80.0, rel=1e-4)
    assert len(v.trail) == 50
    np.testing.assert_array_equal(v.trail[-1], v.position)


def test_memory_is_bounded_by_the_windows():
    steps, _ = reaches(8)
    reader = TelemetryReader(history_s=2.0)
    for _ in range(20):
        steps["now"] += 8.0
        steps["step"] += len(steps)
        reader.update(steps)
    assert len(reader._window) <= 101


def test_speed_history_follows_the_command():
    steps, _ = reaches(8)
    v = TelemetryReader(history_s=6.0, n_history=60).update(steps)
    assert v.command_speed.shape == v.decoded_speed.shape == (60,)
    assert np.nanmax(v.command_speed) == pytest.approx(
        150.0, rel=0.04
    )  # 1.875 x 80 mm in 1 s, averaged over 0.1 s
    steps["has_intent"] = 0
    assert np.isnan(TelemetryReader().update(steps).decoded_speed).all()


def test_a_moving_command_on_an_old_sample_is_stale_and_a_withheld_one_is_not():
    steps, _ = reaches(1)
    steps["t"][20:23] -= 0.2
    steps["gate_state"][22] = GateState.NEUTRAL
    steps["gate_flags"][22] = GateFlag.STALE
    v = TelemetryReader().update(steps)
    assert (v.stale_commands, v.stale_withheld) == (2, 1)


def test_loss_and_steps_it_did_not_see_are_counted():
    steps, _ = reaches(2)
    steps["n_lost"][5] = 3
    reader = TelemetryReader()
    v = reader.update(steps[:10])
    assert (v.samples, v.lost, v.unseen) == (10, 3, 0)
    assert reader.update(steps[14:20]).unseen == 4


def test_counters_win_over_what_the_records_add_up_to():
    steps, _ = reaches(1)
    v = TelemetryReader().update(
        steps, {"samples": 1234, "lost": 5, "recorder_bytes": 10**6, "world_overruns": 2, "stopped": 1}
    )
    assert (v.samples, v.lost, v.recorder_bytes, v.world_overruns, v.stopped) == (1234, 5, 10**6, 2, True)
    assert v.commands == len(steps)


def test_gate_state_and_flags_are_spelled_out():
    steps, _ = reaches(1)
    steps["gate_flags"][-1] = GateFlag.SPEED | GateFlag.STALE
    v = TelemetryReader().update(steps)
    assert v.gate_state is GateState.ACTIVE
    assert v.gate_flags == ("stale sample", "speed limit")


def test_every_flag_has_a_word():
    assert len(flag_words(sum(GateFlag))) == len(list(GateFlag))
    assert flag_words(0) == ()


def test_trials_are_counted_by_block_and_a_late_event_belongs_to_the_block_before():
    steps, _ = reaches(4)
    steps["block"][100:] = 1
    reader = TelemetryReader(blocks=("calibrate", "free"), block_trials=(None, 50))
    ends = [Event(101.0 + k, "trial.end", {"outcome": "timeout" if k == 2 else "success"}) for k in range(3)]
    v = reader.update(steps[:100], events=ends[:1])
    assert (v.block, v.block_trials, v.block_trials_planned) == ("calibrate", 1, 0)
    ends[1].t = steps["now"][100] - 0.001
    v = reader.update(steps[100:], events=ends[1:])
    assert (v.block, v.block_trials, v.block_successes, v.block_trials_planned) == ("free", 1, 0, 50)
    assert (v.trials, v.successes) == (3, 2)


def test_after_the_last_block_it_says_done():
    steps, _ = reaches(1)
    steps["block"][-1] = 1
    assert TelemetryReader(blocks=("free",)).update(steps).block == "done"


def test_other_events_are_shown():
    steps, _ = reaches(1)
    assert TelemetryReader().update(steps, events=[Event(1.0, "stream.lost")]).last_event == "stream.lost"


def test_three_dimensions_two_streams():
    from bmi.journal import step_dtype

    steps = np.zeros(4, step_dtype(2, 3))
    steps["step"], steps["now"], steps["n_samples"] = np.arange(4), np.arange(4) * 0.02, [[2, 1]] * 4
    v = TelemetryReader().update(steps)
    assert (v.samples, v.position.shape, v.targets.shape) == (12, (3,), (0, 3))
