"""Edits counted by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi.errors import ContractError
from decoders.metrics import cer, edits, error_rate_interval, wer

WORDS = st.text("ab", max_size=8)


@pytest.mark.parametrize(
    ("truth", "said", "n"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("abc", "acb", 2), ("ab", "ba", 2)],
)
def test_edits_by_hand(truth, said, n):
    assert edits(truth, said) == n


@given(WORDS, WORDS, WORDS)
def test_edits_are_a_distance(a, b, c):
    assert edits(a, b) == edits(b, a)
    assert (edits(a, b) == 0) == (a == b)
    assert edits(a, c) <= edits(a, b) + edits(b, c)
    assert abs(len(a) - len(b)) <= edits(a, b) <= max(len(a), len(b))


TRUTH = ["the cat sat", "go"]
SAID = ["the mat sat down", "go"]


def test_sentences_by_hand():
    """One word replaced, one inserted, of 3 + 1 words; c to m and five more characters, of 11 + 2."""
    assert wer(TRUTH, SAID) == pytest.approx(2 / 4)
    assert cer(TRUTH, SAID) == pytest.approx(6 / 13)


def test_long_sentences_weigh_more_than_short_ones():
    assert wer(["a b c d e f g h i", "x"], ["a b c d e f g h i", "y"]) == pytest.approx(0.1)


def test_what_is_made_up_counts_too():
    assert wer(["yes"], ["no no no"]) == 3.0
    assert math.isnan(wer([""], ["no"]))


def test_two_sentences_resampled_by_hand():
    """Right and wrong, two words each: 0, 1/2, 1 with 1/4, 1/2, 1/4."""
    found = error_rate_interval(["a b", "c d"], ["a b", "x y"], 0)
    assert found == (0.5, 0.0, 1.0)
    assert error_rate_interval(TRUTH, SAID, 0, by="character").value == pytest.approx(6 / 13)


def test_a_sentence_is_no_list_of_sentences():
    for call in (lambda: wer("a b", "a b"), lambda: cer(["a"], ["a", "b"]), lambda: error_rate_interval("a", "b", 0)):
        with pytest.raises(ContractError, match="two lists of sentences"):
            call()
    with pytest.raises(ContractError, match="'word' or 'character'"):
        error_rate_interval(["a"], ["a"], 0, by="phone")
