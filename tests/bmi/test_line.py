"""One bundle in, one command out, and a journal record from which the step can be repeated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from line_rig import BIN_S, PUSH, SPEC, T0, Rig, chunks, fitted, saved

from bmi.assist import GoalDirected
from bmi.blocks import Block, Blocks
from bmi.errors import ContractError, NotFittedError
from bmi.gate import Gate
from bmi.line import Line
from bmi.pipeline import Pipeline, unpack
from bmi.signals import GateFlag, GateState
from bmi.tasks.centre_out import CentreOut
from decoders.features.spikes import Bin
from decoders.kalman import Kalman
from devices.cursor import Cursor
from devices.null import Null


def repeat(line, record, data, age_s=0.0):
    """Feed the inputs of a journal record to ``decide``; return what it says, as {name: bytes} of every output."""
    n, seq = int(record["n_samples"][0]), int(record["seq"][0])
    chunk = None
    if n:
        (chunk,) = chunks(data[seq : seq + n], [n], t0=T0 - age_s, seq=seq)
        chunk.t_arrival = float(record["arrival"][0])
    command = line.decide(
        (chunk,), float(record["now"]), record["goal"] if record["goal_active"] else None, float(record["assist"]),
        record["position"], record["velocity"], bool(record["arm_word"]), bool(record["stop_word"]),
    )  # fmt: skip
    intent, intended = line.intent, line.intended
    said = {
        "has_intent": intent is not None,
        "command_seq": -1 if command is None else command.seq,
        "gate_state": line.gate.status,
        "gate_flags": 0 if command is None else command.flags,
        "command": np.zeros(2) if command is None else command.values,
    }
    if intent is not None:
        said |= {"decoded": intent.mean, "cov": intent.cov, "intended": intended.mean, "abstains": intent.abstains}
    return {k: np.asarray(v).astype(record[k].dtype).tobytes() for k, v in said.items()}


# --- one step ---------------------------------------------------------------------------------------


def test_a_full_bin_becomes_a_command_that_the_device_has_when_step_returns():
    rig = Rig()
    armed = rig.push()
    assert (armed.state, armed.values.tolist()) == (GateState.NEUTRAL, [0.0, 0.0])  # at rest until something is decoded
    said = [rig.push() for _ in range(39)]
    assert [c is not None for c in said] == [False, False, True, *[False, False, False, True] * 9]
    command = said[-1]
    assert command.state == GateState.ACTIVE
    assert np.array_equal(rig.device.effector.velocity, command.values)
    assert np.linalg.norm(command.values) > 0.0


def test_a_command_rests_on_the_newest_sample_of_its_bin():
    rig = Rig()
    for _ in range(3):
        rig.push()
    command = rig.push(age_s=0.004)
    assert command.t == pytest.approx(T0 - 0.004 + 0.02, abs=1e-9)
    assert command.t_arrival == pytest.approx(T0 + 0.02, abs=1e-9)
    assert command.age_s(rig.clock.now()) == pytest.approx(0.004, abs=1e-9)


def test_the_journal_says_what_the_step_had_and_what_it_did():
    rig = Rig()
    for k in range(4):
        command = rig.push()
        row = rig.line.record.row[0]
        assert (row["step"], row["block"], row["n_samples"][0], row["seq"][0]) == (k, 0, PUSH, k * PUSH)
        assert row["now"] == row["t_written"] or command is None
    assert row["command_seq"] == command.seq == 1
    assert row["has_intent"] == 1
    assert np.array_equal(row["command"], command.values)
    assert np.array_equal(row["applied"], rig.device.effector.velocity)
    assert np.array_equal(row["decoded"], rig.line.intent.mean)
    rig.wait()
    row = rig.line.record.row[0]
    assert (row["step"], row["n_samples"][0], row["has_intent"], row["command_seq"]) == (4, 0, 0, -1)
    assert not row["command"].any()


def test_a_goal_acts_from_the_step_after_the_one_in_which_it_appeared():
    rig = Rig()
    records = rig.run(0.01)
    assert records["goal_active"].tolist() == [0, 1]
    assert rig.line.task.goal.t_onset == records["now"][0] == records["goal_onset"][1]
    assert records["goal_radius"][1] == 8.0


def test_the_time_the_command_left_is_asked_once_and_after_the_write():
    rig = Rig()
    asked = []

    def clock():
        asked.append(rig.device.effector.velocity.copy())
        return rig.clock.now() + 0.001

    for k in range(4):
        rig.push(clock=clock)
        assert len(asked) == k + 1
    row = rig.line.record.row[0]
    assert row["t_written"] == row["now"] + 0.001
    assert np.array_equal(asked[-1], row["command"])


def test_time_each_part_took_is_written_down():
    rig = Rig()
    records = rig.run(0.02)
    assert (records["decode_ns"] > 0).all()
    assert (records["gate_ns"] > 0).all()
    assert records["write_ns"][-1] > 0


# --- repeating --------------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 5),
    cut=st.integers(0, 200),
    words=st.lists(
        st.sampled_from(["push"] * 12 + ["wait", "long wait", "stop", "disarm", "old"]), min_size=250, max_size=250
    ),
)
def test_a_restored_line_given_the_journals_inputs_says_the_same_to_the_bit(seed, cut, words):
    blocks = [Block(name="a", seconds=0.6, assist=(1.0, 0.2)), Block(name="b")]
    rig = Rig(blocks, seed=seed)
    records, snapshot = [], b""
    for k, word in enumerate(words):
        if k == cut:
            snapshot = saved(rig.line)
        age_s = 0.2 if word == "old" else 0.0
        if "wait" in word:
            rig.wait(0.09 if "long" in word else 0.005)
        else:
            rig.push(stop=word == "stop", arm=word != "disarm", age_s=age_s)
        records.append((rig.line.record.row[0].copy(), age_s))
    other = Rig(blocks, seed=seed).line
    unpack(other.state(), snapshot)
    n_spoke = 0
    for record, age_s in records[cut:]:
        again = repeat(other, record, rig.data, age_s)
        assert again == {k: record[k].tobytes() for k in again}
        n_spoke += "decoded" in again
    assert n_spoke >= (250 - cut) // 20


def test_one_bit_of_state_more_or_less_is_noticed():
    rig = Rig()
    rig.run(0.5)
    snapshot = saved(rig.line)
    records = rig.run(0.1)
    other = Rig().line
    unpack(other.state(), snapshot)
    other.pipeline.decoder.state()[0][0] += 1e-9
    said = [repeat(other, r, rig.data) for r in records]
    assert any(again != {k: r[k].tobytes() for k in again} for again, r in zip(said, records, strict=True))


def test_the_same_session_twice_is_the_same_session():
    keep = [n for n in Rig().run(0.005).dtype.names if not n.endswith("_ns")]
    blocks = [Block(name="a", seconds=1.0, assist=(1.0, 0.0))]
    one, two = Rig(blocks, seed=3).run(1.0), Rig(blocks, seed=3).run(1.0)
    assert all(one[n].tobytes() == two[n].tobytes() for n in keep)
    assert np.abs(one["position"]).max() > 5.0


# --- STOP and arming --------------------------------------------------------------------------------


def test_stop_acts_in_the_step_that_sees_it_and_stays():
    rig = Rig()
    rig.run(0.5)
    assert rig.device.effector.velocity.any()
    command = rig.wait(0.001, stop=True)
    assert (command.state, command.values.tolist()) == (GateState.STOPPED, [0.0, 0.0])
    assert command.flags & GateFlag.STOP
    assert rig.device.effector.velocity.tolist() == [0.0, 0.0]
    at = rig.device.effector.position.copy()
    records = rig.run(0.5)
    assert (records["gate_state"] == GateState.STOPPED).all()
    assert np.array_equal(rig.device.effector.position, at)


def test_what_is_not_armed_does_not_move():
    rig = Rig()
    records = rig.run(0.5, arm=False)
    assert (records["gate_state"] == GateState.DISARMED).all()
    assert not records["command"].any()
    assert not rig.device.effector.position.any()


def test_silence_before_the_first_sample_counts_from_the_first_step():
    rig = Rig()
    flags = [c.flags for _ in range(60) if (c := rig.wait()) is not None]
    assert flags
    assert flags[-1] & GateFlag.SILENT


# --- blocks and task --------------------------------------------------------------------------------


def test_blocks_begin_when_first_armed_and_go_on_when_disarmed():
    rig = Rig([Block(name="a", seconds=1.0), Block(name="b")])
    rig.run(5.0, arm=False)
    assert rig.line.blocks.index == 0
    assert not rig.line.events
    assert rig.line.task.goal.trial == -1
    rig.run(0.1, arm=True)
    assert rig.line.task.goal.active
    rig.run(0.85, arm=False)
    assert rig.line.blocks.index == 0
    rig.run(0.1, arm=False)
    assert rig.line.blocks.index == 1


def test_the_end_of_a_block_is_told_with_its_trials_and_the_task_begins_anew():
    rig = Rig([Block(name="a", trials=2), Block(name="b", rest_s=0.5)])
    rig.run(9.0)
    (end,) = [e for e in rig.line.events if e.kind == "block.end"]
    assert end.data == {"block": 0, "name": "a", "trials": 2}
    assert len(rig.line.results) == 1
    assert [r.trial for r in rig.line.results[0]] == [0, 1]
    after = [e for e in rig.line.events if e.t > end.t]
    first = next(e for e in after if e.kind == "trial.start")
    assert (first.data["block"], first.data["trial"]) == (1, 0)
    assert first.t - end.t >= 0.5


def test_every_event_of_the_task_says_its_block_and_the_end_of_a_trial_how_it_went():
    rig = Rig([Block(name="a", trials=2)])
    rig.run(9.0)
    assert all("block" in e.data for e in rig.line.events)
    ends = [e.data for e in rig.line.events if e.kind == "trial.end"]
    assert [e["trial"] for e in ends] == [0, 1]
    assert [e["success"] for e in ends] == [r.success for r in rig.line.results[0]]
    assert {"acquire_s", "path_mm", "distance_mm", "target", "outcome"} <= ends[0].keys()


def test_after_the_last_block_nothing_is_asked_any_more():
    rig = Rig([Block(name="a", seconds=0.5)])
    rig.run(0.6)
    n = len(rig.line.events)
    rig.run(2.0)
    assert rig.line.blocks.done
    assert len(rig.line.events) == n
    assert not rig.line.task.goal.active


# --- assist and labels ------------------------------------------------------------------------------


def test_with_full_assist_the_command_is_the_goal_directed_one():
    rig = Rig([Block(name="a", assist=(1.0, 1.0))])
    records = rig.run(1.2)
    spoke = records[(records["has_intent"] == 1) & (records["goal_active"] == 1)]
    ideal = np.zeros(2)
    for r in spoke:
        rig.line.assist.intention(r["goal"], r["position"], ideal)
        assert np.array_equal(r["intended"], ideal)
    assert len(spoke) > 20
    assert np.linalg.norm(spoke["goal"][-1]) == pytest.approx(40.0)
    assert np.linalg.norm(rig.device.effector.position - spoke["goal"][-1]) < 9.0


def test_between_trials_assist_is_toward_rest():
    rig = Rig([Block(name="a", assist=(1.0, 1.0))])
    records = rig.run(6.0)
    idle = records[(records["has_intent"] == 1) & (records["goal_active"] == 0)]
    assert len(idle) > 10
    assert not idle["intended"].any()


def test_without_assist_what_is_intended_is_what_was_decoded():
    records = Rig().run(1.0)
    spoke = records[records["has_intent"] == 1]
    assert np.array_equal(spoke["intended"], spoke["decoded"])
    assert spoke["decoded"].any()


def test_half_assist_mixes_by_halves():
    rig = Rig([Block(name="a", assist=(0.5, 0.5))])
    rig.run(0.8)
    r, ideal = rig.line.record.row[0], np.zeros(2)
    rig.line.assist.intention(r["goal"], r["position"], ideal)
    assert ideal.any()
    assert np.allclose(r["intended"], 0.5 * r["decoded"] + 0.5 * ideal, rtol=1e-12)


def test_what_comes_before_a_participant_can_react_is_not_learned_from():
    rig = Rig([Block(name="a", learn=True)], reaction_s=0.25)
    seen = []
    for _ in range(400):
        rig.push()
        if rig.line.intent is not None:
            row = rig.line.record.row[0]
            seen.append((bool(row["goal_active"]), float(row["now"] - row["goal_onset"]), rig.line.learnable()))
    assert {learn for active, _, learn in seen if not active} == {False}
    assert {learn for active, age, learn in seen if active and age < 0.25} == {False}
    assert {learn for active, age, learn in seen if active and age >= 0.25} == {True}


def test_one_does_not_learn_in_a_block_that_does_not_say_so_nor_between_bins():
    rig = Rig([Block(name="a")])
    rig.run(1.0)
    assert not rig.line.learnable()
    rig = Rig([Block(name="a", learn=True)])
    rig.run(1.0)
    assert rig.line.learnable()
    rig.push()
    assert not rig.line.learnable()  # no features in this step


def test_the_label_is_the_intention_from_where_the_cursor_was():
    rig = Rig([Block(name="a", learn=True, assist=(0.5, 0.5))])
    rig.run(0.8)
    row, label = rig.line.record.row[0], np.zeros(2)
    assert rig.line.label(label) is label
    away = row["goal"] - row["position"]
    assert np.linalg.norm(label) > 0.0
    assert label @ away == pytest.approx(np.linalg.norm(label) * np.linalg.norm(away))


# --- misfits ----------------------------------------------------------------------------------------


def line(**parts):
    return Line(
        pipeline=Pipeline({"m1": [Bin(bin_s=BIN_S)]}, parts.get("decoder", fitted())),
        gate=Gate(**parts.get("gate", {})), device=parts.get("device", Cursor()), task=CentreOut(),
        blocks=Blocks([Block(name="a")]), assist=GoalDirected(),
    )  # fmt: skip


def bind(line, **kwargs):
    return line.bind((SPEC,), np.random.default_rng(0), **kwargs)


def test_binding_says_what_the_decoder_will_say():
    spec = bind(line())
    assert (spec.dims, spec.unit, spec.kind, spec.rate_hz) == (("x", "y"), "mm/s", "continuous", 50.0)


def test_decoder_and_device_of_different_units_are_refused():
    with pytest.raises(ContractError, match=r"device 'null'.*takes 'deg/s', the decoder gives 'mm/s'"):
        bind(line(device=Null(unit="deg/s")))


def test_decoder_and_device_of_different_dimensions_are_refused():
    with pytest.raises(ContractError, match=r"gives 2 dimensions .*'cursor' takes 3 .*set n_dims"):
        bind(line(device=Cursor(n_dims=3)))


def test_a_workspace_of_other_dimensions_is_refused():
    with pytest.raises(ContractError, match="workspace_mm has 3 widths, the device has 2 dimensions"):
        bind(line(gate={"workspace_mm": (300.0, 300.0, 300.0)}))


def test_a_decoder_that_was_never_fitted_is_refused_unless_it_will_learn():
    with pytest.raises(NotFittedError):
        bind(line(decoder=Kalman()))
    assert bind(line(decoder=Kalman()), cold_start=True).unit == "mm/s"
