"""How well text was decoded: word and character error rates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from bmi.bootstrap import Estimate, ratio_interval
from bmi.errors import ContractError


def edits(truth: Sequence[Any], said: Sequence[Any]) -> int:
    """Fewest substitutions, insertions and deletions that turn one sequence into the other (Levenshtein 1966)."""
    above = list(range(len(said) + 1))
    for i, wanted in enumerate(truth, 1):
        row = [i]
        for j, given in enumerate(said, 1):
            row.append(min(row[-1] + 1, above[j] + 1, above[j - 1] + (wanted != given)))
        above = row
    return above[-1]


def wer(truth: Sequence[str], said: Sequence[str]) -> float:
    """Word error rate over all sentences: edits over words of the truth; more than 1 if much was made up.

    Words are what stands between spaces, compared as they are: case and punctuation are the caller's.
    """
    return _rate(truth, said, "word")


def cer(truth: Sequence[str], said: Sequence[str]) -> float:
    """Character error rate over all sentences: edits over characters of the truth, spaces included."""
    return _rate(truth, said, "character")


def error_rate_interval(
    truth: Sequence[str],
    said: Sequence[str],
    seed: int,
    *,
    by: Literal["word", "character"] = "word",
    n_bootstrap: int = 2000,
) -> Estimate:
    """Error rate with its 95 % interval: sentences are resampled, each with its edits and its length."""
    wrong, length = _counts(truth, said, by)
    return ratio_interval(wrong, length, seed, n_bootstrap=n_bootstrap)


def _rate(truth: Sequence[str], said: Sequence[str], by: str) -> float:
    wrong, length = _counts(truth, said, by)
    return sum(wrong) / sum(length) if sum(length) else float("nan")


def _counts(truth: Sequence[str], said: Sequence[str], by: str) -> tuple[list[int], list[int]]:
    """Return the edits and the length of each sentence."""
    if isinstance(truth, str) or isinstance(said, str) or len(truth) != len(said):
        raise ContractError("error rate: expected two lists of sentences, as many decoded as true")
    if by not in ("word", "character"):
        raise ContractError(f"error rate: expected by='word' or 'character', given {by!r}")
    pairs = [(a.split(), b.split()) if by == "word" else (list(a), list(b)) for a, b in zip(truth, said, strict=True)]
    return [edits(a, b) for a, b in pairs], [len(a) for a, _ in pairs]
