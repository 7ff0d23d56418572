"""How well one of several things was selected: confusion, accuracy and its chance, AUC, information transfer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import bdtr

from bmi.bootstrap import Estimate, resampled
from bmi.errors import ContractError
from bmi.signals import F64, I64, AnyArray


def confusion(truth: AnyArray, said: AnyArray, n_classes: int) -> I64:
    """Count how often each class (row) was taken for each (column), (n_classes, n_classes)."""
    truth, said = np.asarray(truth), np.asarray(said)
    if truth.ndim != 1 or truth.shape != said.shape or truth.dtype.kind not in "iu" or said.dtype.kind not in "iu":
        raise ContractError(
            f"confusion: expected two (n,) integer arrays, given {truth.shape} {truth.dtype}, {said.shape} {said.dtype}"
        )
    for name, x in (("truth", truth), ("said", said)):
        if len(x) and not 0 <= x.min() <= x.max() < n_classes:
            raise ContractError(
                f"confusion: classes are 0 to {n_classes - 1}, given {x.min()} to {x.max()} as {name}"
            )
    return np.bincount(truth * n_classes + said, minlength=n_classes**2).reshape(n_classes, n_classes)


def accuracy(counts: I64) -> float:
    """Share of right selections of a confusion matrix; its chance level is that of ``chance_accuracy``."""
    n = int(np.sum(counts))
    return float(np.trace(counts)) / n if n else math.nan


def kappa(counts: I64) -> float:
    """Cohen's kappa of a confusion matrix: accuracy beyond what the shares of rows and columns give by chance.

    1 is perfect, 0 chance; NaN if there is but one class (Cohen, *Educ. Psychol. Meas.* 20:37, 1960).
    """
    counts = np.asarray(counts, np.float64)
    n = counts.sum()
    if not n:
        return math.nan
    by_chance = float(counts.sum(0) @ counts.sum(1)) / n**2
    return (float(np.trace(counts)) / n - by_chance) / (1.0 - by_chance) if by_chance < 1.0 else math.nan


def chance_accuracy(n_trials: int, n_classes: int, *, alpha: float = 0.05, prior: float | None = None) -> float:
    """Accuracy that ``n_trials`` of guessing stay at or below with probability ``1 - alpha``.

    With few trials that is far above ``1 / n_classes``: 0.7 for two classes and 20 trials. An accuracy beats
    chance if it is larger (Combrisson & Jerbi, *J. Neurosci. Methods* 250:126, 2015).

    Parameters
    ----------
    n_trials, n_classes : int
        At least 1 and 2.
    alpha : float
        How often a guesser may pass.
    prior : float, optional
        Share of the commonest class, where classes are not equally frequent: what always saying it gives.
    """
    p = 1.0 / n_classes if prior is None and n_classes else prior
    if n_trials < 1 or n_classes < 2 or not 0 < alpha < 1 or p is None or not 0 < p < 1:
        raise ContractError(
            "chance_accuracy: expected n_trials >= 1, n_classes >= 2, alpha and prior between 0 and 1, "
            f"given {n_trials}, {n_classes}, {alpha:g} and {prior}"
        )
    at_most = bdtr(np.arange(n_trials + 1), n_trials, p)  # probability of at most k right
    return float(np.argmax(at_most >= 1.0 - alpha)) / n_trials


def auc(truth: AnyArray, score: F64) -> float:
    """Area under the receiver operating characteristic: how often a true one outscores a false one.

    Ties count one half; chance is 1/2 whatever the shares of the two; NaN if either is missing (Hanley & McNeil,
    *Radiology* 143:29, 1982).
    """
    true, score = np.asarray(truth, bool), np.asarray(score, np.float64)
    if true.ndim != 1 or true.shape != score.shape or np.isnan(score).any():
        raise ContractError(f"auc: expected one score, not NaN, a trial, given shapes {true.shape} and {score.shape}")
    n_true, n_false = int(true.sum()), int((~true).sum())
    if not n_true or not n_false:
        return math.nan
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - 0.5 * (count - 1))[place]  # mean rank of each run of ties
    return float((rank[true].sum() - 0.5 * n_true * (n_true + 1)) / (n_true * n_false))


def itr_bit(n_classes: int, accuracy: float) -> float:
    """Information of one selection, bit: ``log2 N + P log2 P + (1 - P) log2((1 - P) / (N - 1))``.

    Holds where classes are equally likely, errors fall on all others alike, and selections do not depend on each
    other (Wolpaw et al., *Clin. Neurophysiol.* 113:767, 2002); otherwise it is but a label. Below chance, ``P <=
    1 / N``, the formula rises again; 0 is returned there. Divide by the seconds of a selection, pauses included.
    """
    if n_classes < 2 or not 0.0 <= accuracy <= 1.0:
        raise ContractError(f"itr: expected n_classes >= 2 and an accuracy of 0 to 1, given {n_classes}, {accuracy:g}")
    return float(_itr(n_classes, np.array([accuracy]))[0])


def itr_interval(
    n_classes: int,
    correct: Sequence[bool] | AnyArray,
    seconds: Sequence[float] | F64,
    seed: int,
    *,
    n_bootstrap: int = 2000,
) -> Estimate:
    """Information transfer rate, bit/s, with its 95 % interval over selections: ``itr_bit`` over the mean time.

    Parameters
    ----------
    n_classes : int
        To choose among.
    correct : (n,) bool
        Whether each selection was right.
    seconds : (n,)
        How long it took, the pause after it included.
    seed, n_bootstrap
        As in ``bmi.bootstrap.resampled``.
    """
    right, took = np.asarray(correct, bool), np.asarray(seconds, np.float64)
    if n_classes < 2 or right.ndim != 1 or right.shape != took.shape or not (took > 0).all():
        raise ContractError(
            "itr_interval: expected n_classes >= 2 and one time above 0 s a selection, "
            f"given {n_classes}, shapes {right.shape} and {took.shape}"
        )
    return resampled(
        lambda i: _itr(n_classes, right[i].mean(-1)) / took[i].mean(-1), len(right), seed, n_bootstrap=n_bootstrap
    )


def _itr(n: int, p: F64) -> F64:
    hit, miss = np.where(p > 0, p, 1.0), np.where(p < 1, 1.0 - p, 1.0)  # x log x goes to 0 with x
    bits = math.log2(n) + p * np.log2(hit) + (1.0 - p) * np.log2(miss / (n - 1))
    return np.where(p > 1.0 / n, np.maximum(bits, 0.0), 0.0)
