"""Blocks follow one another by time or by trials, with a pause before and assist that fades."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi.blocks import Block, Blocks, Until

PERIOD_S = 0.25  # exact in binary, so that edges can be compared


def walk(blocks, until, *, start=100.0, n_trials=lambda t: 0):
    """Step every PERIOD_S; return [(time since start, index, assist, resting, ended)]."""
    seen, k = [], 0
    while k * PERIOD_S <= until:
        ended = blocks.step(start + k * PERIOD_S, [True] * n_trials(k * PERIOD_S))
        seen.append((k * PERIOD_S, blocks.index, blocks.assist, blocks.resting, ended))
        k += 1
    return seen


def test_a_block_ends_after_its_seconds_counted_from_the_first_step():
    ends = [t for t, *_, ended in walk(Blocks([Block(name="a", seconds=2.0)]), 4.0) if ended]
    assert ends == [2.0]


def test_a_block_ends_with_its_trials():
    blocks = Blocks([Block(name="a", trials=3)])
    assert not blocks.step(0.0, [])
    assert not blocks.step(1.0, [True] * 2)
    assert blocks.step(2.0, [True] * 3)
    assert blocks.done


@pytest.mark.parametrize(("trials_a_second", "end"), [(4.0, 0.75), (0.5, 2.0)])
def test_of_seconds_and_trials_whichever_comes_first_ends_it(trials_a_second, end):
    blocks = Blocks([Block(name="a", seconds=2.0, trials=3)])
    seen = walk(blocks, 5.0, n_trials=lambda t: int(t * trials_a_second))
    assert [t for t, *_, ended in seen if ended] == [end]


def test_a_block_without_an_end_ends_when_told():
    blocks = Blocks([Block(name="free"), Block(name="next", seconds=1.0)])
    assert not any(ended for *_, ended in walk(blocks, 1000.0))
    blocks.end()
    assert blocks.current.name == "next"
    assert [t for t, *_, ended in walk(blocks, 3.0, start=2000.0) if ended] == [1.0]


def test_they_follow_one_another_and_then_nothing_happens_any_more():
    blocks = Blocks([Block(name="a", seconds=1.0), Block(name="b", seconds=0.5)])
    seen = walk(blocks, 10.0)
    assert [(t, i) for t, i, *_, ended in seen if ended] == [(1.0, 1), (1.75, 2)]  # b counts from its own first step
    assert blocks.done
    assert blocks.current.name == "b"
    assert not blocks.learning
    assert blocks.assist == 0.0
    assert not blocks.step(1e6, [True] * 99)


def test_assist_fades_linearly_over_the_block():
    seen = walk(Blocks([Block(name="a", seconds=4.0, assist=(1.0, 0.0))]), 4.0)
    assert [assist for _, _, assist, _, _ in seen] == [1.0 - t / 4.0 for t, *_ in seen]


def test_assist_that_does_not_change_holds_without_seconds():
    seen = walk(Blocks([Block(name="a", assist=(0.3, 0.3))]), 9.0)
    assert {assist for _, _, assist, _, _ in seen} == {0.3}


def test_a_pause_goes_before_the_block_and_is_no_part_of_it():
    blocks = Blocks([Block(name="a", seconds=1.0, rest_s=2.0, assist=(1.0, 0.0), learn=True)])
    assert blocks.resting
    assert not blocks.learning
    seen = walk(blocks, 5.0)
    assert [t for t, _, _, resting, _ in seen if resting] == [0.25 * k for k in range(8)]
    assert [t for t, *_, ended in seen if ended] == [3.0]
    assert {assist for t, _, assist, _, _ in seen if t <= 2.0} == {1.0}


def test_the_pause_of_the_next_block_begins_at_once():
    blocks = Blocks([Block(name="a", seconds=1.0, learn=True), Block(name="b", seconds=1.0, rest_s=1.0, learn=True)])
    at = {t: (index, resting) for t, index, _, resting, _ in walk(blocks, 1.0)}
    assert at[0.75] == (0, False)
    assert at[1.0] == (1, True)
    assert not blocks.learning


def test_one_learns_in_blocks_that_say_so():
    blocks = Blocks([Block(name="a", seconds=1.0, learn=True), Block(name="b", seconds=1.0)])
    blocks.step(0.0, [])
    assert blocks.learning
    blocks.step(1.0, [])
    assert not blocks.learning


def test_the_share_that_is_over_goes_from_0_to_1():
    blocks = Blocks([Block(name="a", seconds=4.0, rest_s=1.0), Block(name="b", trials=1)])
    assert blocks.share(0.0) == 0.0
    blocks.step(10.0, [])
    assert [blocks.share(t) for t in (10.5, 11.0, 13.0, 15.0, 99.0)] == [0.0, 0.0, 0.5, 1.0, 1.0]
    blocks.end()
    blocks.step(15.0, [])
    assert blocks.share(16.0) == 0.0  # counted in trials: no share of time


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"assist": (1.5, 0.0)}, "assist goes from 0 to 1, given"),
        ({"assist": (0.5, -0.1), "seconds": 1.0}, "assist goes from 0 to 1, given"),
        ({"assist": (0.5, 0.5), "scored": True}, "a scored block takes no assist"),
        ({"assist": (1.0, 0.0)}, "assist that changes needs 'seconds'"),
        ({"assist": (0.5, 0.5), "assist_step": 0.1, "seconds": 1.0}, "assist_step lets assist fall"),
        ({"assist": (1.0, 0.0), "trials": 5}, "assist that changes needs 'seconds'"),
    ],
)
def test_a_block_that_makes_no_sense_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Block(name="x", **settings)


@given(
    seconds=st.lists(st.integers(1, 8), min_size=1, max_size=4),
    rests=st.lists(st.integers(0, 4), min_size=4, max_size=4),
    steps=st.lists(st.integers(1, 6), min_size=100, max_size=200),
)
def test_however_often_they_are_asked_they_end_in_order_and_never_early(seconds, rests, steps):
    blocks = Blocks(
        [Block(name=str(i), seconds=s, rest_s=r) for i, (s, r) in enumerate(zip(seconds, rests, strict=False))]
    )
    now, begun = 0.0, None
    for step in steps:
        index = blocks.index
        begun = now if begun is None else begun
        if blocks.step(now, []):
            assert blocks.index == index + 1
            assert now - begun >= blocks.blocks[index].seconds + blocks.blocks[index].rest_s
            begun = None
        elif not blocks.done:
            assert blocks.index == index
            assert now - begun < blocks.current.seconds + blocks.current.rest_s
        now += step * PERIOD_S
    assert blocks.done or now < sum(seconds) + sum(rests) + 6 * PERIOD_S * len(seconds)


def test_a_block_ends_early_once_enough_of_its_last_trials_were_won():
    blocks = Blocks([Block(name="free", trials=50, until=Until(success=0.75, of=4))])
    won = []
    for outcome in (True, True, True):
        won.append(outcome)
        assert not blocks.step(float(len(won)), won)  # three of three, but four are looked at
    for outcome, ends in ((False, True),):
        won.append(outcome)
        assert blocks.step(float(len(won)), won) is ends  # three of the last four
    assert blocks.done


def test_trials_lost_long_ago_do_not_count():
    until = Until(success=1.0, of=3)
    assert not until.met([True, True])
    assert not until.met([True, False, True])
    assert until.met([False, False, True, True, True])


def test_assist_follows_the_trials_down_and_up_and_the_block_ends_at_the_bottom():
    block = Block(name="assisted", seconds=100.0, assist=(1.0, 0.0), assist_step=0.25)
    blocks, won, levels = Blocks([block, Block(name="free", seconds=1.0)]), [], []
    blocks.step(0.0, won)
    for k, outcome in enumerate((True, True, False, False, False, True, True, True)):
        won.append(outcome)
        assert not blocks.step(1.0 + k, won)
        assert not blocks.step(1.5 + k, won)  # a trial counts once
        levels.append(blocks.assist)
    assert levels == [0.75, 0.5, 0.75, 1.0, 1.0, 0.75, 0.5, 0.25]
    assert blocks.step(20.0, [*won, True])
    assert blocks.current.name == "free"
    assert blocks.assist == 0.0


def test_a_staircase_that_never_comes_down_ends_with_its_seconds():
    blocks = Blocks([Block(name="assisted", seconds=2.0, assist=(1.0, 0.0), assist_step=0.25)])
    assert [t for t, *_, ended in walk(blocks, 5.0) if ended] == [2.0]
