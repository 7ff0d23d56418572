"""Adaptation beside the live lane: labelled features in, parameter versions out.

``Adaptation`` is the logic, used synchronously in lock-step simulation; ``run`` is the process around it.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from bmi.contracts import Decoder, Learner, Params
from bmi.control import Control, ProcessState, Word
from bmi.params import flatten
from bmi.ring import Ring
from bmi.signals import AnyArray
from bmi.slots import Slots

PERIOD_S = 0.01
"""A parameter update is due every few seconds; this is how late it may be seen."""


class Adaptation:
    """Feeds a learner with the journal's features and numbers what comes out.

    Parameters
    ----------
    learner : Learner
    decoder : Decoder
        Bound; a copy of the live one.
    n_features, n_dims : int
    dt_s : float
        Time between two features, s.
    permute : int or None
        Seed of a permutation of the channels the learner sees: the negative control, after which the decoder
        reads every channel as another.
    """

    def __init__(
        self, learner: Learner, decoder: Decoder, n_features: int, n_dims: int, dt_s: float, permute: int | None = None
    ) -> None:
        learner.bind(decoder, n_features, n_dims, dt_s)
        self._learner = learner
        rng = np.random.default_rng(permute)
        self._order = None if permute is None else rng.permutation(n_features)
        self._block = -1
        self.version = decoder.params_version

    def take(self, rows: AnyArray) -> list[tuple[int, Params]]:
        """Learn from feature records; return the new versions in order, mostly none."""
        out = []
        for row in rows:
            if self._block >= 0 and row["block"] != self._block:
                out += self._number(self._learner.finish())
                self._block = -1
            if row["learn"]:
                self._block = int(row["block"])
                y = row["y"] if self._order is None else row["y"][self._order]
                self._learner.observe(y, row["intended"], float(row["t"]))
                out += self._number(self._learner.update())
        return out

    def _number(self, params: Params | None) -> list[tuple[int, Params]]:
        if params is None:
            return []
        self.version += 1
        return [(self.version, params)]


def run(runtime: Path, adaptation: Adaptation, control: Control) -> None:
    """Adapt until QUIT: read the feature ring, publish to the slots the lane flips between two steps."""
    features = Ring.open(runtime / "features.ring").reader("oldest")
    slots = Slots.open(runtime / "params.slots")
    control.set(Word.LEARNER_STATE, ProcessState.RUNNING)
    waiting: list[tuple[int, Params]] = []
    while not control.get(Word.QUIT):
        waiting += adaptation.take(features.read())
        if waiting and slots.publish(flatten(waiting[-1][1]), waiting[-1][0]):
            control.add(Word.LEARNER_UPDATES)
            waiting.clear()
        control.set(Word.LEARNER_BEAT_NS, time.perf_counter_ns())
        time.sleep(PERIOD_S)
    control.set(Word.LEARNER_STATE, ProcessState.DONE)
