"""Controllers of stimulation: how much is wanted, from what features say while the stimulator lets them say it.

**Sensing beside a stimulator.** What stimulation feeds into a feature must never be what keeps it on. Filters ring when
the stimulator is switched, tissue rebounds when it stops, and pulses reach the band through its skirts; an envelope
that is read meanwhile finds its own echo. So a row of features is *trusted* only if the stimulator, as it told, has
been silent for ``blank_s``: the time tissue and filter take to settle plus the window of the feature, so that nothing
of the stimulus is left in it. A controller that has switched on holds for ``on_s`` without looking, then pauses and
decides anew from the first trusted row. The pauses are the price of an honest look, ``(ramp + blank_s) / on_s`` of the
time. Amplitude limits, ramp and charge are the gate's business, not theirs.

Features are taken from the first stream only, the mean of their finite channels.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.compiled import vector
from bmi.contracts import State
from bmi.errors import ContractError
from bmi.limits import DEADMAN_S
from bmi.signals import F64, Chunk, Intent, IntentSpec, StreamSpec
from decoders.detect import Seizure, mean, rate

DIM = "amplitude"
SILENT_S = 1.0
"""Without one finite feature for so long a controller has no opinion, whatever it did before."""


class _Controller(ABC):
    """What controllers do alike: hear the stimulator, go through rows, say one amplitude."""

    level_: float = math.nan

    def bind(self, spec: StreamSpec) -> IntentSpec:
        """Meet the features.

        Raises
        ------
        ContractError
            If they come irregularly, or less often than the gate wants to hear of its controller.
        """
        per_s = rate(spec, self._who)
        if per_s <= 1.0 / DEADMAN_S:
            raise ContractError(
                f"{self._who}: features {spec.name!r} come {per_s:g} times a second; the gate takes a controller that "
                f"speaks {1.0 / DEADMAN_S:g} times or less for silent: give the stage before it a shorter every_s"
            )
        self._heard: F64 = np.zeros(3)
        self._wants: F64 = np.zeros(5)
        self._mean: F64 = np.zeros(1)
        self._intent = Intent(self._mean, np.zeros((1, 1)), 0.0, 0.0)
        self._y: F64 = np.zeros(spec.n_channels)
        _Controller.reset(self)
        return IntentSpec(dims=(DIM,), unit="mA", kind="level", rate_hz=per_s)

    @property
    def _who(self) -> str:
        return type(self).__name__

    @abstractmethod
    def _row(self, y: F64, t: float, trusted: bool) -> float:
        """Take a row of features (m,); return the amplitude wanted from now on, mA."""

    @property
    def _blank_s(self) -> float:
        """How long the stimulator must have been silent."""
        return 0.0

    def told(self, amplitude_ma: float, now: float) -> None:
        """Hear what the stimulator does, mA."""
        heard = self._heard
        if amplitude_ma > 0.0 or heard.item(AMPLITUDE) > 0.0:
            heard[BUSY_UNTIL] = now
        heard[AMPLITUDE] = amplitude_ma

    def step(self, chunk: Chunk) -> Intent | None:
        """Take every row in turn; return the newest intent, borrowed."""
        heard, y = self._heard, self._y
        wanted = 0.0
        if heard.item(BUSY_UNTIL) == LONG_AGO:  # windows are empty yet
            heard[BUSY_UNTIL] = chunk.t[0]
        for k, t in enumerate(chunk.t.tolist()):
            y[:] = chunk.data[k]
            if math.isfinite(mean(y)):
                heard[FINITE_AT] = t
            trusted = heard.item(AMPLITUDE) <= 0.0 and t - heard.item(BUSY_UNTIL) >= self._blank_s - 1e-9
            wanted = self._row(y, t, trusted)
        intent = self._intent
        intent.t, intent.t_arrival = float(chunk.t[-1]), chunk.t_arrival
        intent.abstains = intent.t - heard.item(FINITE_AT) > SILENT_S or not self._sure
        self._mean[0] = 0.0 if intent.abstains else wanted
        return intent

    @property
    def _sure(self) -> bool:
        """Whether it has an opinion at all."""
        return True

    def state(self) -> State:
        """What the stimulator does and since when it is silent; what is wanted and until when."""
        return self._heard, self._wants

    def reset(self) -> None:
        """Forget everything heard and seen."""
        self.level_ = math.nan
        self._heard[:] = 0.0, LONG_AGO, LONG_AGO
        self._wants[:] = 0.0, LONG_AGO, 0.0, 0.0, 0.0


AMPLITUDE, BUSY_UNTIL, FINITE_AT = 0, 1, 2
"""Places in what was heard: the stimulator's amplitude, when it was last busy, when a feature was last finite."""
WANTED, HOLD_UNTIL, WAS_ON, LEVEL, SEEN = 0, 1, 2, 3, 4
"""Places in what is wanted: amplitude, until when without looking, whether the last look found reason to stimulate,
the mean since the silence began and rows in it."""
LONG_AGO = -1e300


@dataclass(kw_only=True)
class Constant(_Controller):
    """The same amplitude always: continuous stimulation, what adaptive controllers are compared with."""

    amplitude_ma: Annotated[float, Ge(0)]
    """Wanted, mA."""

    def _row(self, y: F64, t: float, trusted: bool) -> float:
        self.level_ = mean(y)
        return self.amplitude_ma


@dataclass(kw_only=True)
class _Looking(_Controller):
    """Holds for a while, pauses, looks, decides."""

    on_s: Annotated[float, Gt(0)] = 10.0
    """How long it stimulates before it looks again, s."""
    blank_s: Annotated[float, Ge(0)] = 0.7
    """Silence of the stimulator before features are trusted, s: settling plus the window of the feature."""
    smooth_s: Annotated[float, Ge(0)] = 4.0
    """Memory of the mean over trusted rows, which begins anew with every silence, s: the longer it may look, the surer
    it is; 0 takes each row as it is."""

    def bind(self, spec: StreamSpec) -> IntentSpec:
        """As others; turn times into rows."""
        self._memory = max(self.smooth_s * rate(spec, self._who), 1.0)
        return super().bind(spec)

    @property
    def _blank_s(self) -> float:
        return self.blank_s

    @abstractmethod
    def _amplitude(self, level: float, was_on: bool) -> float:
        """Return what is wanted at a trusted level, mA."""

    def _row(self, y: F64, t: float, trusted: bool) -> float:
        wants, self.level_ = self._wants, math.nan
        if wants.item(WANTED) > 0.0:
            if t < wants.item(HOLD_UNTIL) - 1e-9:
                return float(wants.item(WANTED))
            wants[WANTED] = 0.0
        now = mean(y) if trusted else math.nan
        if not trusted:
            wants[SEEN] = 0.0
        elif now == now:
            wants[SEEN] = min(wants.item(SEEN) + 1.0, self._memory)
            wants[LEVEL] += (now - wants.item(LEVEL)) / wants.item(SEEN)
            self.level_ = wants.item(LEVEL)
            wanted = self._amplitude(self.level_, wants.item(WAS_ON) > 0.0)
            wants[WANTED], wants[WAS_ON] = wanted, float(wanted > 0.0)
            if wanted > 0.0:
                wants[HOLD_UNTIL] = t + self.on_s
        return float(wants.item(WANTED))


@dataclass(kw_only=True)
class BetaThreshold(_Looking):
    """On while the feature is at or above ``threshold``, else off (Little et al. 2013, Ann Neurol 74: 449-457)."""

    amplitude_ma: Annotated[float, Gt(0)]
    """Wanted when on, mA."""
    threshold: float
    """In the unit of the features."""

    def _amplitude(self, level: float, was_on: bool) -> float:
        return self.amplitude_ma if level >= self.threshold else 0.0


@dataclass(kw_only=True)
class DualThreshold(_Looking):
    """Goes on at or above ``upper``, off below ``lower``; between them it stays as it was.

    References
    ----------
    Velisar et al. (2019) Dual threshold neural closed loop deep brain stimulation in Parkinson disease patients. Brain
    Stimul 12: 868-876.
    """

    amplitude_ma: Annotated[float, Gt(0)]
    """Wanted when on, mA."""
    upper: float
    """Goes on at or above, in the unit of the features."""
    lower: float
    """Goes off below; at most ``upper``."""

    def __post_init__(self) -> None:
        if not self.lower <= self.upper:
            raise ContractError(f"dual-threshold: lower {self.lower:g} is above upper {self.upper:g}")

    def _amplitude(self, level: float, was_on: bool) -> float:
        return self.amplitude_ma if level >= (self.lower if was_on else self.upper) else 0.0


@dataclass(kw_only=True)
class Proportional(_Looking):
    """Amplitude in proportion to the feature, from nothing at ``low`` to ``amplitude_ma`` at ``high``.

    References
    ----------
    Arlotti et al. (2018) Eight-hours adaptive deep brain stimulation in patients with Parkinson disease. Neurology 90:
    e971-e976.
    """

    amplitude_ma: Annotated[float, Gt(0)]
    """Wanted at ``high`` and above, mA."""
    low: float
    """Feature at and below which nothing is wanted, in its unit."""
    high: float
    """Feature at and above which all is wanted; above ``low``."""
    least_ma: Annotated[float, Ge(0)] = 0.0
    """Less than this is not worth giving, mA: nothing is wanted instead."""

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ContractError(f"proportional: low {self.low:g} is not below high {self.high:g}")

    def _amplitude(self, level: float, was_on: bool) -> float:
        share = min(max((level - self.low) / (self.high - self.low), 0.0), 1.0)
        wanted = share * self.amplitude_ma
        return wanted if wanted >= self.least_ma else 0.0


@dataclass(kw_only=True)
class AbortPulse(_Controller):
    """A train of pulses when a seizure is detected, and another after a rest if it goes on.

    Rows of features that are not trusted are not shown to the detector: what it was sure of, it stays sure of. But a
    train, the first or another, is only given on what trusted rows show now: a detection ends some time after its
    seizure did, and one that is merely not over yet is no reason for another train.

    Attributes
    ----------
    detector : Seizure
        Its ``count_`` are the detections.
    """

    amplitude_ma: Annotated[float, Gt(0)]
    """Wanted during a train, mA."""
    detector: Seizure = field(default_factory=Seizure)
    """What says that there is a seizure."""
    train_s: Annotated[float, Gt(0)] = 0.2
    """Length of a train, s."""
    rest_s: Annotated[float, Ge(0)] = 2.0
    """From the end of a train to the earliest next, s."""
    blank_s: Annotated[float, Ge(0)] = 0.6
    """Silence of the stimulator before features are trusted, s: settling plus the window of the feature."""
    per_hour: Annotated[int, Gt(0)] = 60
    """Most trains in any hour."""

    @property
    def count_(self) -> int:
        """Trains since reset."""
        return int(self._wants[TRAINS])

    @property
    def _blank_s(self) -> float:
        return self.blank_s

    @property
    def _sure(self) -> bool:
        return self.detector.warm_

    def bind(self, spec: StreamSpec) -> IntentSpec:
        """As others; the detector meets the features too."""
        said = super().bind(spec)
        self.detector.bind(spec)
        self._began: F64 = np.full(self.per_hour, LONG_AGO)
        return said

    def _row(self, y: F64, t: float, trusted: bool) -> float:
        wants = self._wants
        seizing = trusted and self.detector.step(vector(y)) and self.detector.evident_
        self.level_ = self.detector.score_
        if wants.item(WANTED) > 0.0 and t >= wants.item(HOLD_UNTIL) - 1e-9:
            wants[WANTED] = 0.0
        oldest = int(wants.item(TRAINS)) % self.per_hour
        rested = t >= wants.item(HOLD_UNTIL) + self.rest_s - 1e-9
        if seizing and wants.item(WANTED) <= 0.0 and rested and t - self._began.item(oldest) >= 3600.0:
            wants[WANTED], wants[HOLD_UNTIL] = self.amplitude_ma, t + self.train_s
            wants[TRAINS] += 1.0
            self._began[oldest] = t
            self.detector.look_anew()
        return float(wants.item(WANTED))

    def state(self) -> State:
        """As others'; when the trains of the last hour began; the detector's."""
        return *super().state(), self._began, *self.detector.state()

    def reset(self) -> None:
        """Forget everything heard and seen."""
        super().reset()
        self._began[:] = LONG_AGO
        self.detector.reset()


TRAINS = 2
"""Place in what is wanted, of ``AbortPulse``: trains so far."""
