"""Adaptation: labelled features in, numbered parameters out, once and in order."""

import threading
import time

import numpy as np
import pytest
from line_rig import BIN_S, N, fitted

from bmi import learner
from bmi.control import Control, ProcessState, Word
from bmi.errors import ContractError
from bmi.journal import feature_dtype
from bmi.learner import Adaptation
from bmi.params import flatten, unflatten
from bmi.ring import Ring
from bmi.slots import Slots
from decoders.clda import SmoothBatch
from decoders.kalman import Kalman
from decoders.linear import Ridge

BATCH = 50
SEED = 11


def rows(n, *, block=0, learn=1, seed=SEED, C=None):
    """Return feature records of a linear encoder of the intended velocity."""
    rng = np.random.default_rng(seed)
    out = np.zeros(n, feature_dtype(N, 2))
    out["block"], out["learn"], out["t"] = block, learn, np.arange(n) * BIN_S
    out["intended"] = 100.0 * rng.standard_normal((n, 2))
    out["y"] = 1.0 + out["intended"] @ (encoder() if C is None else C) + 0.1 * rng.standard_normal((n, N))
    return out


def encoder():
    return 0.01 * np.random.default_rng(0).standard_normal((2, N))


def adaptation(*, permute=None, decoder=None, **settings):
    settings = {"batch_s": BATCH * BIN_S, "half_life_s": 1.0, "min_samples": 10, **settings}
    return Adaptation(SmoothBatch(**settings), decoder or fitted(), N, 2, BIN_S, permute)


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
    bad["y"] = 1e6
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
