"""Who comes back is not who left: refused by name, never listened to, and no obstacle to the right one."""

from __future__ import annotations

import pytest
from stream_rig import (
    AGE_S,
    CI_SLACK,
    NEUTRAL_S,
    OTHER_HOST,
    RETURN_S,
    hosts_can_be_had,
    moved_after,
    neutral_after,
    oldest_basis,
    took,
)

from bmi.errors import StreamNotFound

needs_hosts = pytest.mark.skipif(not hosts_can_be_had(), reason="another host name takes a UTS namespace of its own")
LABELS = [f"e{i}" for i in range(8)]
RIGHT = {"n_channels": 8, "rate_hz": 1000.0, "labels": LABELS, "unit": "count", "push": 5}
CHANGES = {
    "another rate": ({"rate_hz": 500.0}, "rate_hz was 1000, is now 500"),
    "more channels": ({"n_channels": 9, "labels": [*LABELS, "e8"]}, "channels was 9, is now 10"),
    "other labels": ({"labels": ["e0", "x1", *LABELS[2:]]}, "labels was 'e1', 'e2', 'e3', … (from the 2. on), is now"),
    "another unit": ({"unit": "µV"}, "unit was 'count', is now 'µV'"),
    "longer pushes": ({"push": 10}, "samples per push was 5, is now 10"),
    "another source_id": ({"source_id": "else"}, "source_id was 'id-"),
    "no numbers": ({"stranger": True}, "channels was 9, is now 8"),
}
"""What is different, and the words for it."""


def refused_in_turn(live, impostor, name, slack):
    """Let it come back as one thing after the other; return how long it took to name each, s."""
    seconds = []
    for what, (change, words) in CHANGES.items():
        read = live.source.n_read
        t_up = impostor.become(**{**RIGHT, "source_id": f"id-{name}", **change})
        live.until(lambda words=words: any(words in e.data["difference"] for e in live.events("stream.refused")),
                   slack * RETURN_S)  # fmt: skip
        seconds.append(took("refused by name", live.clock.now() - t_up))
        live.live(0.1)
        assert live.source.n_read == read, f"{what}: it was listened to"
        assert not live.active
    return seconds


promised = pytest.mark.parametrize("slack", [CI_SLACK, *[pytest.param(1.0, marks=pytest.mark.bars)] * 3])


@promised
def test_each_is_refused_by_name_and_the_right_one_followed_after_all_of_them(senders, lane, name, slack):
    sender, impostor = senders.take(), senders.take()
    sender.go(name, **RIGHT)
    live = lane()
    live.steady()
    t_fault = live.clock.now()
    sender.kill()
    live.live(0.3)
    impostor.go(name, **{**RIGHT, "rate_hz": 250.0})
    live.until(lambda: live.heard("stream.refused"), slack * RETURN_S)
    assert max(refused_in_turn(live, impostor, name, slack)) <= slack * RETURN_S
    t_good = impostor.become(**RIGHT, source_id=f"id-{name}", stranger=False)
    live.until(lambda: live.active, slack * RETURN_S)
    steps = live.steps()
    assert neutral_after(steps, t_fault) <= slack * NEUTRAL_S
    assert moved_after(steps, t_good) <= slack * RETURN_S
    assert oldest_basis(steps) <= AGE_S
    assert len(live.events("stream.refused")) == len(CHANGES) + 1, "once each"
    assert len(live.events("stream.lost")) == len(live.returned(new=True)) == 1


@needs_hosts
@promised
def test_a_stream_from_another_host_is_refused_by_its_name_unless_the_list_allows_it(senders, lane, name, slack):
    here, there = senders.take(), senders.take(host=OTHER_HOST)
    here.go(name)
    live = lane()
    live.steady()
    here.kill()
    t_up = there.go(name)
    live.until(lambda: live.heard("stream.refused"), slack * RETURN_S)
    assert took("refused by name", live.clock.now() - t_up) <= slack * RETURN_S
    (refused,) = live.events("stream.refused")
    assert refused.data["host"] == OTHER_HOST
    assert f"host was {live.source.spec.hostname!r}, is now {OTHER_HOST!r}" in refused.data["difference"]
    assert live.source.n_reconnects == 0


@needs_hosts
def test_at_opening_a_host_or_an_id_that_is_not_allowed_is_refused_by_name(senders, lane, name):
    senders.take().go(name)
    with pytest.raises(StreamNotFound, match=rf"host '.*' is not among the allowed '{OTHER_HOST}'"):
        lane(hosts=[OTHER_HOST], resolve_timeout_s=0.5)


def test_at_opening_an_id_that_is_not_on_the_list_is_refused_and_later_one_that_is_is_followed(senders, lane, name):
    first, second, third = senders.take(), senders.take(), senders.take()
    first.go(name, source_id="a")
    live = lane(source_ids=["a", "c"])
    live.steady()
    first.kill()
    second.go(name, source_id="b")
    live.until(lambda: live.heard("stream.refused"), CI_SLACK * RETURN_S)
    (refused,) = live.events("stream.refused")
    assert refused.data["difference"] == "source_id 'b' is not among the allowed 'a', 'c'"
    third.go(name, source_id="c")
    live.until(lambda: live.active, CI_SLACK * RETURN_S)


@promised
def test_a_second_sender_that_was_there_beside_ours_is_no_restart_of_it(senders, lane, name, slack):
    ours, twin, restarted = senders.take(), senders.take(), senders.take()
    ours.go(name)
    live = lane()
    live.steady()
    twin.go(name)
    live.live(0.2)
    read, t_fault = live.source.n_read, live.clock.now()
    ours.kill()
    live.until(lambda: live.heard("stream.refused"), slack * RETURN_S)
    assert took("refused by name", live.events("stream.refused")[0].t - t_fault) <= slack * RETURN_S
    live.live(0.7)
    assert live.source.n_read - read < 50, "only what ours had sent"
    assert not live.active
    assert "a second sender, not a restart" in live.events("stream.refused")[0].data["difference"]
    assert live.heard("stream.duplicate")
    t_good = restarted.go(name)
    live.until(lambda: live.active, slack * RETURN_S)
    assert moved_after(live.steps(), t_good) <= slack * RETURN_S


def test_two_from_the_beginning_are_told_and_with_consent_the_other_one_is_followed(senders, lane, name):
    old, new = senders.take(), senders.take()
    old.go(name)
    new.go(name)
    live = lane(duplicates="follow")
    live.steady()
    (told,) = live.events("stream.duplicate")
    assert "1 more sender of the same promises; the newest was opened" in told.data["difference"]
    t_fault = live.clock.now()
    new.kill()
    live.live(0.3)
    live.until(lambda: live.active, CI_SLACK * RETURN_S)
    steps = live.steps()
    assert neutral_after(steps, t_fault) <= CI_SLACK * NEUTRAL_S
    assert moved_after(steps, t_fault + 0.3) <= CI_SLACK * RETURN_S
    assert live.source.n_reconnects == 1
    assert oldest_basis(steps) <= AGE_S
