"""A click from the features to the task: assisted, labelled, repeated to the bit."""

import numpy as np
import pytest
from line_rig import BIN_S, PUSH, RATE_HZ, SPEC, T0, N, chunks, counts, fitted, saved

from bmi.assist import GoalDirected
from bmi.blocks import Block, Blocks
from bmi.clock import ManualClock
from bmi.errors import ContractError
from bmi.gate import Gate
from bmi.journal import feature_dtype
from bmi.line import Line
from bmi.pipeline import Pipeline, unpack
from bmi.select import Selection
from bmi.signals import StreamSpec
from bmi.tasks.centre_out import CentreOut
from bmi.tasks.grid import Grid
from decoders.click import HMM, LDA, LDAParams
from decoders.features.spikes import Bin
from devices.cursor import Cursor

ASSISTED = Block(name="a", assist=(1.0, 1.0), learn=True)


def told(when):
    """A click decoder that says 0.9 while channel 0 fires more than ``when`` spikes a bin, else 0.1."""
    click = LDA(smooth_s=0.0)
    w = np.zeros(N)
    w[0] = 1000.0
    click.params_ = LDAParams(np.full(N, when + 0.5), w, np.zeros(1), np.zeros(1), np.array([BIN_S]))
    return click


class Rig:
    """A line with a grid to click on; ``clicks`` says in which bins channel 0 fires."""

    def __init__(self, blocks=(ASSISTED,), *, click=True, task=None, seed=0, **assist):
        self.clock, self.device = ManualClock(T0), Cursor()
        self.line = Line(
            pipeline=Pipeline({"m1": [Bin(bin_s=BIN_S)]}, fitted(), told(100) if click is True else click),
            gate=Gate(select=Selection(hold_s=0.0)),
            device=self.device,
            task=task or Grid(cells=4, side_mm=160.0),
            blocks=Blocks(list(blocks)),
            assist=GoalDirected(**assist),
        )
        self.line.bind((SPEC,), np.random.default_rng(seed))
        self.device.open()
        self.device.arm()
        self.data = counts(60_000, seed)
        self.data[:, 0] = 0.0
        self.seq = 0
        self.features = []

    def click_at(self, seconds, length=0.1):
        """Fire on channel 0 from ``seconds`` after the beginning."""
        first = round(seconds * RATE_HZ)
        self.data[first : first + round(length * RATE_HZ), 0] = 10.0

    def run(self, seconds):
        records = []
        for _ in range(round(seconds * RATE_HZ / PUSH)):
            (chunk,) = chunks(self.data[self.seq : self.seq + PUSH], seq=self.seq)
            self.seq += PUSH
            self.clock.sleep_until(chunk.t_arrival)
            self.line.step((chunk,), self.clock.now())
            records.append(self.line.record.row[0].copy())
            if self.line.intent is not None:
                row = np.zeros(1, feature_dtype(N, 2))
                self.line.feature(row)
                self.features.append(row[0].copy())
        return np.array(records)


def selected(records):
    return [round(float(r["now"]) - T0, 3) for r in records if r["select"]]


# --- what was decoded reaches the task --------------------------------------------------------------------------


def test_a_decoded_click_takes_the_cell_under_the_cursor_in_the_step_of_its_command():
    rig = Rig([Block(name="free")])
    rig.click_at(1.0)
    records = rig.run(1.5)
    assert selected(records) == [1.02]
    (r,) = rig.line.task.results()
    assert r.t_start_s + r.acquire_s == pytest.approx(T0 + 1.02)
    row = records[np.flatnonzero(records["select"])[0]]
    assert (row["decoded_select"], row["intended_select"]) == (1.0, 1.0)
    assert row["command_seq"] >= 0


def test_what_is_not_armed_selects_nothing():
    rig = Rig([Block(name="free")])
    rig.run(0.5)
    rig.click_at(0.6)
    for _ in range(100):
        (chunk,) = chunks(rig.data[rig.seq : rig.seq + PUSH], seq=rig.seq)
        rig.seq += PUSH
        rig.clock.sleep_until(chunk.t_arrival)
        rig.line.step((chunk,), rig.clock.now(), arm=False)
        assert rig.line.record.row["select"][0] == 0
    assert not rig.line.task.results()


def test_a_probability_is_journalled_with_the_step_in_which_it_was_said():
    records = Rig([Block(name="free")]).run(0.5)
    assert set(records["decoded_select"][records["has_intent"] == 1]) == {0.0}
    rig = Rig([Block(name="free")])
    rig.data[:, 0] = 10.0
    records = rig.run(0.5)
    spoke = records["has_intent"] == 1
    assert set(records["decoded_select"][spoke]) == {1.0}
    assert not records["decoded_select"][~spoke].any()


# --- assist clicks, and takes clicks away -------------------------------------------------------------------------


def test_assist_clicks_once_the_cursor_has_been_in_the_target_for_a_while():
    rig = Rig(select_after_s=0.4)
    records = rig.run(6.0)
    events = rig.line.events
    results = rig.line.task.results()
    assert len(results) >= 3
    assert all(r.success for r in results)
    for r in results:
        enter = next(e.t for e in reversed(events) if e.kind == "target.enter" and e.data["trial"] == r.trial)
        assert 0.39 <= r.t_start_s + r.acquire_s - enter <= 0.47
    assert not records["decoded_select"].any()


def test_full_assist_lets_no_wrong_click_pass():
    rig = Rig()
    rig.data[::400, 0] = 4000.0
    records = rig.run(6.0)
    assert (records["decoded_select"] == 1.0).sum() > 10
    assert all(r.success for r in rig.line.task.results())


def test_assist_mixes_probabilities():
    rig = Rig([Block(name="a", assist=(0.25, 0.25))])
    rig.click_at(0.5)
    records = rig.run(1.0)
    spoke = records[records["has_intent"] == 1]
    assert (spoke["decoded_select"] == 1.0).sum() == 5
    np.testing.assert_array_equal(spoke["intended_select"], 0.75 * spoke["decoded_select"])


def test_where_the_task_is_not_clicked_assist_takes_clicks_away():
    rig = Rig([Block(name="a", assist=(1.0, 1.0))], task=CentreOut(distance_mm=40, radius_mm=8))
    rig.click_at(0.5)
    records = rig.run(2.0)
    assert records["decoded_select"].any()
    assert not records["intended_select"].any()
    assert selected(records) == []


# --- labels ---------------------------------------------------------------------------------------------------------


def test_labels_say_when_a_participant_who_reacts_would_click():
    rig = Rig(reaction_s=0.2, select_for_s=0.16, select_after_s=0.5)
    rig.run(8.0)
    at = {(e.data["trial"], e.kind): e.t for e in rig.line.events}
    far = next(k for k in range(9) if at[k, "target.enter"] - at[k, "trial.start"] > 0.4)
    start, enter, end = (at[far, kind] for kind in ("trial.start", "target.enter", "trial.end"))
    rows = [r for r in rig.features if start < r["t"] <= end]
    assert {int(r["select"]) for r in rows if r["t"] < start + 0.19} == {-1}, "the last click may still go on"
    assert {int(r["select"]) for r in rows if start + 0.23 < r["t"] < enter - 0.03} == {0}
    assert {int(r["select"]) for r in rows if enter + 0.03 < r["t"] < enter + 0.18} == {-1}, "no time to react yet"
    assert {int(r["select"]) for r in rows if enter + 0.24 < r["t"] < enter + 0.33} == {1}
    assert {int(r["select"]) for r in rows if r["t"] > enter + 0.41} == {-1}, "it may be over"


@pytest.mark.parametrize(
    "parts",
    [{"blocks": [Block(name="a", assist=(1.0, 1.0))]}, {"task": CentreOut(distance_mm=40, radius_mm=8)}],
    ids=["no block to learn in", "no task to click in"],
)
def test_otherwise_nothing_is_labelled(parts):
    rig = Rig(**parts)
    rig.run(3.0)
    assert {int(r["select"]) for r in rig.features} == {-1}


# --- repeating ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [0, 137, 431])
def test_a_restored_line_selects_again_to_the_bit(cut):
    blocks = [Block(name="a", seconds=2.0, assist=(1.0, 0.2)), Block(name="b")]
    rig = Rig(blocks, select_after_s=0.3)
    for k in range(12):
        rig.click_at(0.4 + 0.45 * k)
    before = rig.run(cut * PUSH / RATE_HZ)
    snapshot = saved(rig.line)
    records = rig.run(5.0)
    other = Rig(blocks, select_after_s=0.3).line
    unpack(other.state(), snapshot)
    for r in records:
        n, seq = int(r["n_samples"][0]), int(r["seq"][0])
        (chunk,) = chunks(rig.data[seq : seq + n], [n], seq=seq)
        command = other.decide(
            (chunk,), float(r["now"]), r["goal"] if r["goal_active"] else None, float(r["assist"]),
            r["position"], r["velocity"], bool(r["arm_word"]), bool(r["stop_word"]), float(r["goal_radius"]),
        )  # fmt: skip
        assert bool(r["select"]) == (command is not None and command.select)
        if r["has_intent"]:
            assert other.intent.select == r["decoded_select"]
            assert other.intended.select == r["intended_select"]
    assert len(before) == cut
    assert len(selected(records)) >= 5


def test_without_a_click_decoder_there_is_no_more_state_than_there_was():
    with_, without = Rig(), Rig(click=None, task=CentreOut())
    assert len(without.line.state()) + 3 == len(with_.line.state())  # click decoder, gate, where the cursor is


# --- misfits --------------------------------------------------------------------------------------------------------


def test_a_task_that_waits_for_clicks_needs_something_that_decodes_them():
    with pytest.raises(ContractError, match=r"task \(Grid\) waits for clicks.*click: {use: hmm}.*dwelling"):
        Rig(click=None)
    assert Rig(click=None, task=Grid(select="dwell")).run(0.1)["select"].sum() == 0


def test_a_cold_click_decoder_is_helped_until_it_has_learned():
    click = HMM()
    click.cold_start([StreamSpec(name="features", n_channels=N, rate_hz=50.0, unit="count")])
    rig = Rig(click=click)
    records = rig.run(5.0)
    assert not records["decoded_select"].any()
    assert len(rig.line.task.results()) >= 2
