"""Detectors: from features to "it is happening now", with a beginning, an end and a count.

A detector is no recipe node of its own: a controller holds one, and code that only watches binds one itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.compiled import entry, vector
from bmi.contracts import State
from bmi.errors import ContractError
from bmi.signals import F64, StreamSpec
from decoders import _detect_kernels as kernels


@dataclass(kw_only=True)
class Threshold:
    """A detection begins when the mean of the features has reached ``on`` for ``on_s`` and ends below ``off``.

    Attributes
    ----------
    score_ : float
        What was compared last: the mean of the finite features, in their unit; NaN if there are none.

    Notes
    -----
    *Realtime*: ~1 µs a row; allocates nothing.
    """

    on: float
    """Begins at or above, in the unit of the features."""
    off: float
    """Ends below; at most ``on``."""
    on_s: Annotated[float, Ge(0)] = 0.0
    """How long above before it counts, s."""
    off_s: Annotated[float, Ge(0)] = 0.0
    """How long below before it is over, s."""
    rest_s: Annotated[float, Ge(0)] = 0.0
    """How long after an end none begins, s."""

    def __post_init__(self) -> None:
        _ordered(self.on, self.off)

    @property
    def active_(self) -> bool:
        """Whether a detection is on."""
        return bool(self._events[kernels.ACTIVE])

    @property
    def count_(self) -> int:
        """Detections since reset."""
        return int(self._events[kernels.COUNT])

    def bind(self, spec: StreamSpec) -> None:
        """Meet the features. Raises ContractError if they come irregularly."""
        self._dt_s = 1.0 / rate(spec, "threshold")
        self._rule = kernels.Rule(self.on, self.off, self.on_s, self.off_s, self.rest_s)
        self._events: F64 = np.zeros(5)
        self._decide = entry(kernels.decide, 0.0, self._rule, self._dt_s, self._events)
        self.reset()

    def step(self, y: F64) -> bool:
        """Take one row of features (m,); return whether a detection is on. Missing features (NaN) have no say."""
        self.score_ = mean(y)
        return bool(self._decide(self.score_, self._rule, self._dt_s, self._events))

    def state(self) -> State:
        """What is on, for how long, and how many there were."""
        return (self._events,)

    def reset(self) -> None:
        """Forget everything seen."""
        self.score_ = math.nan
        self._events[:] = 0.0


@dataclass(kw_only=True)
class Seizure:
    """Features that stand out together from their own recent past: made for logarithms of line length and band power.

    Each feature has a running baseline, mean and standard deviation of the last ``baseline_s`` (exponential; the plain
    mean until so much was seen). It counts how many standard deviations above it each feature is; the score is what at
    least ``votes`` features reach. A detection begins when the score has been ``on_z`` or more for ``on_s``, ends when
    it has been below ``off_z`` for ``off_s``. While one is on, and while the score is above ``off_z``, the baseline is
    frozen: else a seizure would teach the detector that seizures are usual. What lasts longer than ``freeze_s`` is a
    new normal, and the baseline follows again.

    Attributes
    ----------
    score_ : float
        Standard deviations above the baseline; NaN while warming up and where too few features are finite.

    References
    ----------
    Osorio, Frei & Wilkinson (1998) Epilepsia 39: 615-627 (ratio to a running baseline, duration constraint). Esteller
    et al. (2001) Proc 23rd IEEE EMBS: 1707-1710 (line length).

    Notes
    -----
    *Realtime*: 4 features ~1.5 µs a row; allocates nothing.
    """

    on_z: float = 4.0
    """Begins at or above, standard deviations."""
    off_z: float = 2.0
    """Ends below; at most ``on_z``."""
    on_s: Annotated[float, Ge(0)] = 0.3
    """How long above before it counts, s."""
    off_s: Annotated[float, Ge(0)] = 1.0
    """How long below before it is over, s."""
    rest_s: Annotated[float, Ge(0)] = 0.0
    """How long after an end none begins, s."""
    votes: Annotated[int, Gt(0)] = 1
    """Features that must agree."""
    baseline_s: Annotated[float, Gt(0)] = 300.0
    """Memory of the baseline, s."""
    warmup_s: Annotated[float, Gt(0)] = 10.0
    """Features seen before anything is detected, s; they are taken for normal."""
    freeze_s: Annotated[float, Gt(0)] = 120.0
    """Longest time a detection keeps the baseline from following, s."""
    least_sd: Annotated[float, Gt(0)] = 0.3
    """Smallest standard deviation believed, in the unit of the features (for logarithms a share)."""

    def __post_init__(self) -> None:
        _ordered(self.on_z, self.off_z)
        if self.warmup_s > self.baseline_s:
            raise ContractError(
                f"seizure: warmup_s {self.warmup_s:g} s is longer than the memory, baseline_s {self.baseline_s:g} s"
            )

    @property
    def active_(self) -> bool:
        """Whether a detection is on."""
        return bool(self._events[kernels.ACTIVE])

    @property
    def evident_(self) -> bool:
        """Whether what begins a detection is there now: the score at or above ``on_z``, for ``on_s`` at least."""
        above_s = self._events.item(kernels.ABOVE_S)
        return self.score_ >= self.on_z and above_s >= self.on_s - 0.5 * self._dt_s

    def look_anew(self) -> None:
        """Forget for how long the score has been above, so that it must be so again; a detection goes on."""
        self._events[kernels.ABOVE_S] = 0.0

    @property
    def count_(self) -> int:
        """Detections since reset."""
        return int(self._events[kernels.COUNT])

    @property
    def warm_(self) -> bool:
        """Whether any feature has a baseline."""
        return bool((self._base[2] >= self._pace.n_warm).any())

    def bind(self, spec: StreamSpec) -> None:
        """Meet the features.

        Raises
        ------
        ContractError
            If they come irregularly, or are fewer than the votes.
        """
        per_s, m = rate(spec, "seizure"), spec.n_channels
        if self.votes > m:
            raise ContractError(
                f"seizure: votes is {self.votes}, and {spec.name!r} has {m} features; lower votes or give it more"
            )
        self._dt_s, self._votes = 1.0 / per_s, int(self.votes)
        self._rule = kernels.Rule(self.on_z, self.off_z, self.on_s, self.off_s, self.rest_s)
        n_warm = max(math.ceil(self.warmup_s * per_s - 1e-9), 2)
        self._pace = kernels.Pace(float(n_warm), max(self.baseline_s * per_s, float(n_warm)), CLIP_SD, self.least_sd)
        self._base, self._z, self._events = np.zeros((3, m)), np.zeros(m), np.zeros(5)
        self._frozen: F64 = np.zeros(1)
        y: F64 = np.zeros(m)
        self._stand_out = entry(kernels.stand_out, y, self._base, self._pace, self._z)
        self._follow = entry(kernels.follow, y, self._base, self._pace)
        self._agreed = entry(kernels.agreed, self._z, self._votes)
        self._decide = entry(kernels.decide, 0.0, self._rule, self._dt_s, self._events)
        self.reset()

    def step(self, y: F64) -> bool:
        """Take one row of features (m,); return whether a detection is on. Missing features (NaN) have no say."""
        y = vector(y)
        self._stand_out(y, self._base, self._pace, self._z)
        self.score_ = self._agreed(self._z, self._votes)
        active = bool(self._decide(self.score_, self._rule, self._dt_s, self._events))
        if active or self.score_ >= self.off_z:
            self._frozen[0] += self._dt_s
        else:
            self._frozen[0] = 0.0
        if self._frozen.item(0) <= 0.0 or self._frozen.item(0) > self.freeze_s:
            self._follow(y, self._base, self._pace)
        return active

    def state(self) -> State:
        """Baselines; what is on, for how long, and how many there were; how long the baseline has been frozen."""
        return self._base, self._events, self._frozen

    def reset(self) -> None:
        """Forget everything seen."""
        self.score_ = math.nan
        for a in self.state():
            a[...] = 0.0


CLIP_SD = 3.0
"""A row counts for the baseline as no farther from it than so many standard deviations."""


def mean(y: F64) -> float:
    """Return the mean of the finite features, NaN if there are none."""
    total, n = 0.0, 0
    for v in y.tolist():
        if math.isfinite(v):
            total, n = total + v, n + 1
    return total / n if n else math.nan


def rate(spec: StreamSpec, who: str) -> float:
    """Return the rate of the features, Hz. Raises ContractError if they come irregularly."""
    if spec.rate_hz <= 0.0:
        raise ContractError(
            f"{who}: features {spec.name!r} come irregularly (rate 0); give the stage before it every_s"
        )
    return spec.rate_hz


def _ordered(on: float, off: float) -> None:
    if not off <= on:
        raise ContractError(f"a detection that begins at {on:g} cannot end below {off:g}: lower what ends it")
