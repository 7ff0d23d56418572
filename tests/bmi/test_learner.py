"""Adaptation: labelled features in, numbered parameters out, once and in order."""

import json
import threading
import time

import numpy as np
import pytest
from line_rig import BIN_S, N, fitted

from bmi import learner
from bmi.control import Control, ProcessState, Word
from bmi.errors import ContractError
from bmi.guarding import Guards
from bmi.journal import feature_dtype
from bmi.learner import Adaptation
from bmi.params import flatten, unflatten
from bmi.ring import Ring
from bmi.slots import Slots
from decoders.clda import SmoothBatch
from decoders.kalman import Kalman
from decoders.linear import Ridge
from decoders.refit import ReFIT

BATCH = 50
SEED = 11


def rows(n, *, block=0, learn=1, seed=SEED, C=None):
    """Return feature records of a linear encoder of the intended velocity."""
    rng = np.random.default_rng(seed)
    out = np.zeros(n, feature_dtype(N, 2))
    out["block"], out["learn"], out["asked"], out["t"] = block, learn, learn, np.arange(n) * BIN_S
    out["intended"] = 100.0 * rng.standard_normal((n, 2))
    out["y"] = 1.0 + out["intended"] @ (encoder() if C is None else C) + 0.1 * rng.standard_normal((n, N))
    return out


def encoder():
    return 0.01 * np.random.default_rng(0).standard_normal((2, N))


def adaptation(*, permute=None, decoder=None, intention=None, **settings):
    """Return an adaptation whose updates are on trial for less than a batch."""
    settings = {"batch_s": BATCH * BIN_S, "half_life_s": 1.0, "min_samples": 10, **settings}
    return Adaptation(
        SmoothBatch(**settings), decoder or fitted(), N, 2, BIN_S, permute,
        intention=intention, guards=Guards(trial_s=20 * BIN_S),
    )  # fmt: skip


def same(one, other):
    return [v for v, _ in one] == [v for v, _ in other] and all(
        np.array_equal(flatten(a), flatten(b)) for (_, a), (_, b) in zip(one, other, strict=True)
    )


def test_each_full_batch_is_one_version_numbered_upwards():
    a = adaptation()
    assert a.version == 0
    assert [v for v, _ in a.take(rows(3 * BATCH + 20))] == [1, 2, 3]
    assert a.version == 3


def test_numbering_goes_on_from_the_decoders_own_version():
    decoder = fitted()
    decoder.params_version = 41
    assert [v for v, _ in adaptation(decoder=decoder).take(rows(BATCH))] == [42]


def test_the_parameters_are_the_encoder_of_the_intention():
    ((_, params),) = adaptation(half_life_s=0.01).take(rows(BATCH))
    C = params.C[:, :2].T
    assert np.corrcoef(C.ravel(), encoder().ravel())[0, 1] > 0.99


def test_however_the_records_are_cut_the_versions_are_the_same():
    records = np.concatenate([rows(120), rows(30, block=1, learn=0), rows(90, block=2)])
    whole = adaptation().take(records)
    for sizes in ([1], [7, 64], [240]):
        a, out, at = adaptation(), [], 0
        while at < len(records):
            n = sizes[len(out) % len(sizes)]
            out += a.take(records[at : at + n])
            at += n
        assert same(out, whole)
    assert len(whole) == 4  # two of the first block, its rest of 20, one of the last; its rest of 40 waits


def test_what_is_not_to_be_learned_from_changes_nothing():
    a = adaptation()
    good, bad = rows(BATCH), rows(BATCH, learn=0)
    bad["y"] = 1.0  # at rest
    mixed = np.empty(2 * BATCH, good.dtype)
    mixed[::2], mixed[1::2] = good, bad
    assert same(a.take(mixed), adaptation().take(good))


def test_the_end_of_a_block_finishes_what_is_left_of_the_batch_once():
    a = adaptation()
    assert a.take(rows(BATCH - 10)) == []
    first = a.take(rows(1, block=1, learn=0))
    assert [v for v, _ in first] == [1]
    assert a.take(rows(500, block=1, learn=0)) == []
    assert a.take(rows(500, block=2, learn=0)) == []
    alone = SmoothBatch(batch_s=BATCH * BIN_S, half_life_s=1.0, min_samples=10)
    alone.bind(fitted(), N, 2, BIN_S)
    for r in rows(BATCH - 10):
        alone.observe(r["y"], r["intended"], r["t"])
    assert np.array_equal(flatten(alone.finish()), flatten(first[0][1]))


def test_too_little_left_at_the_end_of_a_block_is_no_version():
    a = adaptation()
    a.take(rows(5))
    assert a.take(rows(1, block=1, learn=0)) == []
    assert a.version == 0


def test_two_blocks_that_learn_do_not_share_a_batch():
    a = adaptation()
    a.take(rows(30))
    out = a.take(rows(BATCH - 1, block=1, seed=SEED + 1))
    assert [v for v, _ in out] == [1]  # the 30 of the first block; the second is one short of a batch
    assert [v for v, _ in a.take(rows(1, block=1))] == [2]


def test_the_negative_control_permutes_the_channels_the_learner_sees():
    ((_, straight),) = adaptation().take(rows(BATCH))
    ((_, permuted),) = adaptation(permute=SEED).take(rows(BATCH))
    order = np.random.default_rng(SEED).permutation(N)
    assert not np.array_equal(order, np.arange(N))
    records = rows(BATCH)
    records["y"] = records["y"][:, order]
    ((_, by_hand),) = adaptation().take(records)
    assert np.array_equal(permuted.C, by_hand.C)
    assert not np.allclose(permuted.C, straight.C)


def test_the_same_permutation_holds_through_the_session_and_another_seed_gives_another():
    a = adaptation(permute=SEED)
    out = a.take(np.concatenate([rows(BATCH)] * 2))
    assert np.corrcoef(out[0][1].C.ravel(), out[1][1].C.ravel())[0, 1] > 0.99
    assert not same(out[:1], adaptation(permute=SEED + 1).take(rows(BATCH)))


def test_the_records_are_only_read():
    records = rows(2 * BATCH)
    before = records.tobytes()
    adaptation(permute=SEED).take(records)
    assert records.tobytes() == before


def test_a_learner_for_another_decoder_is_refused_at_once():
    with pytest.raises(ContractError, match="smoothbatch adapts a 'kalman' decoder, given Ridge"):
        adaptation(decoder=fitted(Ridge()))
    with pytest.raises(ContractError, match=r"decoder has 8 features.* told 9 and 2"):
        Adaptation(SmoothBatch(), fitted(), N + 1, 2, BIN_S)


# --- labels, trials, and going back --------------------------------------------------------------------


def reaches(n, *, seed=SEED, sign=1.0, decoded=None, block=0, t0=0.0):
    """Return records of reaches toward goals far away, decoded well (or as given); labels times ``sign``."""
    rng = np.random.default_rng(seed)
    out = np.zeros(n, feature_dtype(N, 2))
    angle = np.repeat(2 * np.pi * rng.random(-(-n // 10)), 10)[:n]
    aim = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    out["t"], out["block"], out["learn"], out["asked"] = t0 + np.arange(n) * BIN_S, block, 1, 1
    out["goal"], out["radius"], out["intended"] = 200.0 * aim, 10.0, 100.0 * aim * sign
    out["decoded"] = 80.0 * aim if decoded is None else decoded * aim
    out["y"] = 1.0 + 100.0 * aim @ encoder() + 0.1 * rng.standard_normal((n, N))
    return out


class Flipped:
    """An intention that is the opposite of the goal's direction."""

    def bind(self, n_dims):
        pass

    def estimate(self, goal, radius, position, decoded, out):
        out[:] = position - goal
        return out


def kinds(a):
    return [(e.kind.removeprefix("learner."), e.data["version"]) for e in a.events]


def test_labels_come_from_the_estimator_of_the_recipe():
    a = adaptation(intention=Flipped())
    assert a.take(reaches(BATCH)) == []
    (event,) = a.events
    assert (event.kind, event.data["reason"], event.data["version"]) == ("learner.refused", "labels", 0)
    assert event.data["measured"] == pytest.approx(-1.0)
    assert event.t == pytest.approx((BATCH - 1) * BIN_S)


def test_a_learner_may_ask_for_an_estimator_and_the_recipe_overrules_it():
    learner = ReFIT(min_samples=20)
    a = Adaptation(learner, fitted(), N, 2, BIN_S)
    row = reaches(1)[0]
    row["decoded"] = [30.0, 40.0]
    assert np.linalg.norm(a._estimate(row)) == pytest.approx(50.0)  # rotated: the decoded speed
    a = Adaptation(learner, fitted(), N, 2, BIN_S, intention=Flipped())
    assert a._estimate(row) @ row["goal"] < 0


def test_while_an_update_is_on_trial_no_other_is_adopted():
    a = adaptation()
    a._guards.trial_s = 2 * BATCH * BIN_S
    a._guards.bind(fitted(), N, 2, BIN_S)
    out = a.take(reaches(4 * BATCH))
    assert [v for v, _ in out] == [1, 2]
    at = [e.t for e in a.events]
    assert at[1] - at[0] >= (2 * BATCH - 1) * BIN_S


def test_an_update_after_which_the_participant_fails_is_taken_back_at_once_under_a_new_number():
    a = adaptation()
    ((_, good),) = a.take(reaches(BATCH))
    a.take(reaches(25, t0=10.0))
    ((_, bad),) = a.take(reaches(BATCH - 25, t0=20.0))
    out = a.take(reaches(30, t0=30.0, decoded=-80.0))
    ((version, params),) = out
    assert (version, a.version) == (3, 3)
    assert params is good
    assert not same([(0, params)], [(0, bad)])
    assert kinds(a) == [("adopted", 1), ("adopted", 2), ("rolled_back", 3)]
    told = a.events[-1].data
    assert (told["from"], told["to"], told["reason"]) == (2, 1, "agreement")
    assert told["measured"] < told["limit"] < 1.0


def test_the_trial_goes_on_in_a_block_where_nothing_is_learned():
    a = adaptation()
    ((_, first),) = a.take(reaches(BATCH))
    a.take(reaches(25, t0=10.0))
    free = reaches(60, block=1, t0=20.0, decoded=-80.0)
    free["learn"] = 0
    out = a.take(free)
    assert [v for v, _ in out] == [2, 3]  # the end of the block finished a batch, which fails
    assert out[1][1] is first


def test_two_updates_on_trial_are_taken_back_together_to_what_was_proven():
    a = adaptation()
    a._guards.trial_s = 40 * BIN_S
    a._guards.bind(fitted(), N, 2, BIN_S)
    ((_, proven),) = a.take(reaches(BATCH))
    a.take(reaches(45, t0=10.0))  # its trial passes
    ((_, unproven),) = a.take(reaches(BATCH - 45, t0=20.0))
    a.take(reaches(30, seed=3, t0=30.0))
    ended = reaches(60, block=1, t0=40.0, decoded=-80.0)
    ended["learn"] = 0
    (second, back) = a.take(ended)  # the block's end finished a batch before the trial of the last was over
    assert kinds(a) == [("adopted", 1), ("adopted", 2), ("adopted", 3), ("rolled_back", 4)]
    assert back[1] is proven
    assert second[1] is not unproven
    assert (a.events[-1].data["from"], a.events[-1].data["to"]) == (3, 1)


def test_after_a_roll_back_the_learner_goes_on_from_what_was_good():
    a, clean = adaptation(), adaptation()
    for x in (a, clean):
        x.take(reaches(BATCH))
        x.take(reaches(21, t0=10.0))  # the trial passes
    a.take(reaches(BATCH - 21, seed=3, t0=20.0))
    failing = iter(reaches(25, t0=30.0, decoded=-80.0))
    while kinds(a)[-1] != ("rolled_back", 3):
        a.take([next(failing)])
    clean._learner.revert(clean._current)
    more = reaches(BATCH, seed=4, t0=40.0)
    ((_, one),), ((_, other),) = a.take(more)[-1:], clean.take(more)[-1:]
    assert np.array_equal(one.C, other.C)


class Singular(SmoothBatch):
    """A learner whose batch nobody can invert."""

    def update(self):
        if self._batch.full:
            raise np.linalg.LinAlgError("Singular matrix")


def test_a_learner_that_fails_at_its_algebra_costs_an_update_not_the_process():
    a = Adaptation(Singular(batch_s=BATCH * BIN_S, min_samples=10), fitted(), N, 2, BIN_S)
    assert a.take(reaches(2 * BATCH)) == []
    assert [e.data["reason"] for e in a.events] == ["singular", "singular"]


def test_decisions_are_json():
    a = adaptation(intention=Flipped())
    a.take(reaches(BATCH))
    b = Adaptation(Singular(batch_s=BATCH * BIN_S, min_samples=10), fitted(), N, 2, BIN_S)
    b.take(reaches(BATCH))
    for event in a.events + b.events:
        assert json.loads(json.dumps(event.data, allow_nan=False)) == event.data


# --- the process around it, here in a thread ----------------------------------------------------------


@pytest.fixture
def running(tmp_path):
    """Return (runtime folder, control, feature ring, slots) of a learner at work."""
    control = Control.create(tmp_path / "control")
    ring = Ring.create(tmp_path / "features.ring", feature_dtype(N, 2), 4096, topic="/features")
    decoder = fitted(Kalman())
    vector = flatten(decoder.params_)
    slots = Slots.create(tmp_path / "params.slots", len(vector), initial=vector)
    thread = threading.Thread(target=learner.run, args=(tmp_path, adaptation(decoder=decoder), control))
    thread.start()
    yield decoder, control, ring, slots
    control.set(Word.QUIT, 1)
    thread.join(5.0)
    assert not thread.is_alive()
    assert control.get(Word.LEARNER_STATE) == ProcessState.DONE


def wait_for(condition):
    end = time.monotonic() + 5.0
    while not condition():
        assert time.monotonic() < end, "nothing came within 5 s"
        time.sleep(0.002)


def test_what_was_learned_lies_in_the_slots_for_the_lane(running):
    decoder, control, ring, slots = running
    ring.write(rows(BATCH))
    wait_for(slots.poll)
    version, vector = slots.take()
    ((_, expected),) = adaptation().take(rows(BATCH))
    assert version == 1
    assert np.array_equal(flatten(unflatten(decoder.params_, vector)), flatten(expected))
    assert control.get(Word.LEARNER_UPDATES) == 1
    assert control.get(Word.LEARNER_BEAT_NS) > 0


def test_while_the_lane_has_not_taken_the_last_one_the_newest_waits(running):
    _, control, ring, slots = running
    ring.write(rows(BATCH))
    wait_for(slots.poll)
    ring.write(rows(2 * BATCH, seed=1))
    time.sleep(0.1)
    assert control.get(Word.LEARNER_UPDATES) == 1
    assert slots.take()[0] == 1
    wait_for(slots.poll)
    assert slots.take()[0] == 3  # the second was overtaken


def test_decisions_lie_in_a_ring_of_their_own_and_are_counted(running, tmp_path):
    _, control, ring, slots = running
    ring.write(reaches(BATCH))
    wait_for(slots.poll)
    slots.take()
    ring.write(reaches(25, t0=10.0))
    ring.write(reaches(BATCH - 25, t0=20.0))
    wait_for(slots.poll)
    slots.take()
    ring.write(reaches(30, t0=30.0, decoded=-80.0))
    wait_for(slots.poll)
    assert slots.take()[0] == 3
    told = Ring.open(tmp_path / "learner.ring")
    assert told.topic == "/learner"
    events = [json.loads(row["text"]) for row in told.reader("oldest").read()]
    assert [e["kind"] for e in events] == ["learner.adopted", "learner.adopted", "learner.rolled_back"]
    assert (events[-1]["from"], events[-1]["to"]) == (2, 1)
    lies = reaches(BATCH, t0=40.0)
    lies["intended"] *= -1.0
    ring.write(lies)
    wait_for(lambda: control.get(Word.LEARNER_REFUSED) == 1)
    assert control.get(Word.LEARNER_ROLLED_BACK) == 1
    assert not slots.poll()
