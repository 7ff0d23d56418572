"""Whether the user wants to click: evidence from the same features that move the cursor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from bmi.compiled import entry, vector
from bmi.contracts import State
from bmi.errors import ContractError, NotFittedError
from bmi.signals import F64, AnyArray, StreamSpec
from decoders import _click_kernels as kernels
from decoders.discriminant import discriminant
from decoders.streams import bin_s, check_fit

NEVER = -50.0
"""Log odds of a click from which no evidence comes back."""


class LDAParams(NamedTuple):
    """Learned values; ``m`` features."""

    mean: F64
    """(m,) between the classes; what is missing counts as this."""
    w: F64
    """(m,) weights: ``w (y - mean) + b`` is the log-likelihood ratio of click to none, nats."""
    b: F64
    """(1,) its offset."""
    prior: F64
    """(1,) log odds of a click before anything is seen."""
    dt_s: F64
    """(1,) bin width, s."""


class HMMParams(NamedTuple):
    """Learned values; ``m`` features."""

    mean: F64
    """(m,) between the classes; what is missing counts as this."""
    w: F64
    """(m,) weights: ``w (y - mean) + b`` is the log-likelihood ratio of click to none in one bin, nats."""
    b: F64
    """(1,) its offset."""
    transition: F64
    """(2,) probability of a click in this bin if there was none in the last, and if there was."""
    dt_s: F64
    """(1,) bin width, s."""


@dataclass(kw_only=True)
class LDA:
    """Linear discriminant between clicking and not (Kim et al. 2011, IEEE TNSRE 19:193; Simeral et al. 2011).

    Features are smoothed over ``smooth_s``; the posterior is logistic in their projection on Fisher's
    discriminant, whose within-class covariance is shrunk toward its diagonal. How much a projection says is
    judged on held-out data, so that many features and few clicks do not make it overconfident.

    Attributes
    ----------
    params_ : LDAParams or None
        Assign between two steps to swap.

    Notes
    -----
    *Realtime*: one call a bin; 256 features ~1.5 µs; allocates nothing.
    """

    smooth_s: Annotated[float, Ge(0)] = 0.1
    """Time constant of the smoothing, s; 0 looks at each bin alone."""
    prior: Annotated[float, Gt(0), Lt(1)] = 0.2
    """Share of the time in which a click is intended, before anything is seen."""
    shrinkage: Annotated[float, Ge(0), Le(1)] = 0.1
    """Shrinkage of the within-class covariance toward its diagonal."""
    folds: Annotated[int, Ge(2)] = 5
    """Parts of the training set held out in turn."""

    params_version: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        self._params: LDAParams | None = None
        self._vector: F64 = np.zeros(0)

    @property
    def params_(self) -> LDAParams | None:
        """Learned values; assigning checks shapes and copies them where the kernel reads."""
        return self._params

    @params_.setter
    def params_(self, new: LDAParams | None) -> None:
        _take("lda", self._vector, new)
        self._params = new

    def params_like(self, n_features: int) -> LDAParams:
        """Return zero parameters of the shapes this decoder has with ``n_features``."""
        return LDAParams(np.zeros(n_features), np.zeros(n_features), np.zeros(1), np.zeros(1), np.zeros(1))

    def fit(self, Y: F64, clicked: AnyArray, *, dt_s: float, groups: AnyArray | None = None) -> LDA:
        """Fit on features ``Y`` (n, m), NaN where missing, and whether a click was intended, (n,) bool.

        Smoothing begins anew with every contiguous piece. Raises ContractError if there is too little of either.
        """
        Y, groups = np.ascontiguousarray(Y, np.float64), np.zeros(len(Y), int) if groups is None else np.asarray(groups)
        starts = np.concatenate([[True], groups[1:] != groups[:-1]])[: len(Y)]
        smoothed = np.empty_like(Y)
        kernels.smooth_all(Y, starts, _follow(self.smooth_s, dt_s), smoothed)
        mean, w, b = discriminant("lda", smoothed, clicked, groups, self.shrinkage, self.folds)
        odds = math.log(self.prior / (1.0 - self.prior))
        self.params_ = LDAParams(mean, w, np.array([b]), np.array([odds]), np.array([dt_s]))
        return self

    def cold_start(self, specs: Sequence[StreamSpec]) -> None:
        """Set parameters that never select."""
        p = self.params_like(sum(s.n_channels for s in specs))
        self.params_ = p._replace(prior=np.array([NEVER]), dt_s=np.array([bin_s("lda", specs[0])]))

    def bind(self, specs: Sequence[StreamSpec]) -> None:
        """Fix shapes for the features of these streams, primary first. Raises NotFittedError, ContractError."""
        m, p = sum(s.n_channels for s in specs), self._params
        check_fit("lda", p and (len(p.w), p.dt_s.item()), specs, m)
        self._vector = np.zeros(2 * m + 2)
        self.params_ = p
        self._alpha = _follow(self.smooth_s, bin_s("lda", specs[0]))
        self._memory = np.zeros(m)
        self._kernel = entry(kernels.lda_step, np.zeros(m), 0.5, self._vector, self._memory)
        self._kernel(np.zeros(m), 0.5, self._vector, self._memory)
        self.reset()

    def step(self, y: F64) -> float:
        """Take one feature vector (m,), NaN where missing; return the probability that a click is intended."""
        p: float = self._kernel(vector(y), self._alpha, self._vector, self._memory)
        return p

    def state(self) -> State:
        """Smoothed features."""
        return (self._memory,)

    def reset(self) -> None:
        """Forget what was seen."""
        self._memory[:] = np.nan


@dataclass(kw_only=True)
class HMM:
    """Two hidden states, clicking and not, each of which lasts (Pandarinath et al. 2017, eLife 6:e18554).

    Every bin brings evidence: its projection on Fisher's discriminant, Gaussian in either state with the same
    variance. The forward filter weighs it against how long states last. Evidence of consecutive bins is not new
    each time, since neurons share slow fluctuations: it is divided by how many bins say the same (the integrated
    autocorrelation of held-out projections), without which a chance fluctuation soon looks like certainty.

    Attributes
    ----------
    params_ : HMMParams or None
        Assign between two steps to swap.

    Notes
    -----
    *Realtime*: one call a bin; 256 features ~1 µs; allocates nothing.
    """

    click_s: Annotated[float, Gt(0)] = 0.3
    """Mean duration of an intended click, s."""
    between_s: Annotated[float, Gt(0)] = 1.5
    """Mean time from the end of one to the beginning of the next, s."""
    shrinkage: Annotated[float, Ge(0), Le(1)] = 0.1
    """Shrinkage of the within-class covariance toward its diagonal."""
    folds: Annotated[int, Ge(2)] = 5
    """Parts of the training set held out in turn."""

    params_version: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        self._params: HMMParams | None = None
        self._vector: F64 = np.zeros(0)

    @property
    def params_(self) -> HMMParams | None:
        """Learned values; assigning checks shapes and copies them where the kernel reads."""
        return self._params

    @params_.setter
    def params_(self, new: HMMParams | None) -> None:
        _take("hmm", self._vector, new)
        self._params = new

    def params_like(self, n_features: int) -> HMMParams:
        """Return zero parameters of the shapes this decoder has with ``n_features``."""
        return HMMParams(np.zeros(n_features), np.zeros(n_features), np.zeros(1), np.zeros(2), np.zeros(1))

    def fit(self, Y: F64, clicked: AnyArray, *, dt_s: float, groups: AnyArray | None = None) -> HMM:
        """Fit on features ``Y`` (n, m), NaN where missing, and whether a click was intended, (n,) bool.

        Raises ContractError if there is too little of either.
        """
        Y, groups = np.asarray(Y, np.float64), np.zeros(len(Y), int) if groups is None else np.asarray(groups)
        lags = max(round(self.click_s / dt_s), 1)
        mean, w, b = discriminant("hmm", Y, clicked, groups, self.shrinkage, self.folds, lags)
        begins, lasts = _follow(self.between_s, dt_s), 1.0 - _follow(self.click_s, dt_s)
        self.params_ = HMMParams(mean, w, np.array([b]), np.array([begins, lasts]), np.array([dt_s]))
        return self

    def cold_start(self, specs: Sequence[StreamSpec]) -> None:
        """Set parameters that never select: no click ever begins."""
        p = self.params_like(sum(s.n_channels for s in specs))
        self.params_ = p._replace(dt_s=np.array([bin_s("hmm", specs[0])]))

    def bind(self, specs: Sequence[StreamSpec]) -> None:
        """Fix shapes for the features of these streams, primary first. Raises NotFittedError, ContractError."""
        m, p = sum(s.n_channels for s in specs), self._params
        check_fit("hmm", p and (len(p.w), p.dt_s.item()), specs, m)
        self._vector = np.zeros(2 * m + 3)
        self.params_ = p
        self._memory = np.zeros(1)
        self._kernel = entry(kernels.hmm_step, np.zeros(m), self._vector, self._memory)
        self._kernel(np.zeros(m), self._vector, self._memory)
        self.reset()

    def step(self, y: F64) -> float:
        """Take one feature vector (m,), NaN where missing; return the probability that a click is intended.

        Without any feature the states go on by themselves.
        """
        p: float = self._kernel(vector(y), self._vector, self._memory)
        return p

    def state(self) -> State:
        """Posterior of a click."""
        return (self._memory,)

    def reset(self) -> None:
        """No click is intended."""
        self._memory[:] = 0.0


def _follow(time_s: float, dt_s: float) -> float:
    """Return the share of the way made in one bin toward the end of something that lasts ``time_s`` on average."""
    return -math.expm1(-dt_s / time_s) if time_s > 0 else 1.0


def _take(name: str, packed: F64, new: Any) -> None:
    """Copy everything but the bin width where the kernel reads, if bound; raise unless it fits."""
    if not packed.size:
        return
    if new is None:
        raise NotFittedError(f"{name}: a bound decoder cannot lose its parameters; assign others")
    values = np.concatenate(new[:-1])
    if values.size != packed.size or len(new.mean) != len(new.w):
        bound = (packed.size - len(new[2]) - len(new[3])) // 2
        raise ContractError(
            f"{name}: params_ are for {len(new.w)} features, bound to {bound}; new parameters must keep the features"
        )
    packed[:] = values
