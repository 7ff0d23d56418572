"""Adaptation beside the live lane: labelled features in, parameter versions out.

``Adaptation`` is the logic, used synchronously in lock-step simulation; ``run`` is the process around it.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from bmi import registry
from bmi.contracts import Decoder, Intention, Learner, Params
from bmi.control import Control, ProcessState, Word
from bmi.guarding import Guards, Refusal
from bmi.journal import EVENT_DTYPE
from bmi.params import flatten
from bmi.ring import Ring
from bmi.signals import F64, AnyArray, Event
from bmi.slots import Slots

PERIOD_S = 0.01
"""A parameter update is due every few seconds; this is how late it may be seen."""
ADOPTED, REFUSED, ROLLED_BACK = "learner.adopted", "learner.refused", "learner.rolled_back"


class Adapting(Protocol):
    """Whatever makes versions of parameters from feature records."""

    @property
    def events(self) -> list[Event]:
        """What was adopted, refused and rolled back; whoever runs it takes them away."""
        ...

    def take(self, rows: AnyArray) -> list[tuple[int, Params]]:
        """Learn from feature records; return the new versions in order, mostly none."""
        ...


class Adaptation:
    """Feeds a learner with the journal's features and numbers what comes out and passes its guards.

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
    intention : Intention or None
        How labels are estimated; by default as the learner asks (its attribute ``intention``), else as the
        assist intends.
    guards : Guards or None
        What new parameters must pass; the defaults if not given. There is no way around them.

    Attributes
    ----------
    version : int
        Of the newest parameters.
    events : list of Event
        What was adopted, refused (why) and rolled back (from, to); whoever runs this takes them away.
    """

    def __init__(
        self,
        learner: Learner,
        decoder: Decoder,
        n_features: int,
        n_dims: int,
        dt_s: float,
        permute: int | None = None,
        *,
        intention: Intention | None = None,
        guards: Guards | None = None,
    ) -> None:
        learner.bind(decoder, n_features, n_dims, dt_s)
        self._learner, self._guards = learner, guards or Guards()
        self._guards.bind(decoder, n_features, n_dims, dt_s)
        wanted = getattr(learner, "intention", None)
        if intention is None and wanted is not None:
            intention = registry.load("intentions", wanted)()
        self._intention = intention
        if intention is not None:
            intention.bind(n_dims)
        self._label: F64 = np.zeros(n_dims)
        rng = np.random.default_rng(permute)
        self._order = None if permute is None else rng.permutation(n_features)
        self._block = -1
        self.version = decoder.params_version
        self._current: Params = decoder.params_
        self._proven = (self.version, self._current)
        self.events: list[Event] = []

    def take(self, rows: AnyArray) -> list[tuple[int, Params]]:
        """Learn from feature records; return the new versions in order, mostly none."""
        return [new for row in rows for new in self._one(row)]

    def _one(self, row: AnyArray) -> list[tuple[int, Params]]:
        t, out = float(row["t"]), []
        if self._block >= 0 and row["block"] != self._block:
            out += self._offer(self._learner.finish, t)
            self._block = -1
        y = row["y"] if self._order is None else row["y"][self._order]
        if row["learn"]:
            self._block = int(row["block"])
            label = self._estimate(row)
            self._learner.observe(y, label, t, row["position"])
            self._guards.keep(row, y, label)
        elif self._block >= 0:
            self._guards.keep(row, y, None)
        if row["asked"]:
            self._guards.watch(row)
            out += self._tried(t)
        if row["learn"] and not self._guards.on_trial:
            out += self._offer(self._learner.update, t)
        return out

    def _estimate(self, row: AnyArray) -> F64:
        """Return what is taken to have been intended, (n_dims,), mm/s; borrowed."""
        if self._intention is None:
            intended: F64 = row["intended"]
            return intended
        return self._intention.estimate(
            row["goal"], float(row["radius"]), row["position"], row["decoded"], self._label
        )

    def _offer(self, learned: Callable[[], Params | None], t: float) -> list[tuple[int, Params]]:
        """Adopt what the learner offers if its guards let it pass."""
        params = refusal = None
        try:
            params = learned()
            if params is not None:
                refusal = self._guards.judge(params, self._current, t)
        except np.linalg.LinAlgError:  # data nobody can learn from cost an update, not the process
            refusal = Refusal("singular", math.nan, math.nan)
        if refusal is not None:
            self._learner.revert(self._current)
            self._say(t, REFUSED, refusal, version=self.version)
        if params is None or refusal is not None:
            return []
        if not self._guards.on_trial:
            self._proven = (self.version, self._current)
        self._guards.adopt()
        return self._adopt(params, t, ADOPTED, None)

    def _tried(self, t: float) -> list[tuple[int, Params]]:
        """Go back to the last proven parameters, under a new number, if those on trial fail."""
        refusal = self._guards.verdict()
        if refusal is None:
            return []
        proven, params = self._proven
        self._learner.revert(params)
        return self._adopt(params, t, ROLLED_BACK, refusal, to=proven, **{"from": self.version})

    def _adopt(
        self, params: Params, t: float, kind: str, why: Refusal | None, **data: int
    ) -> list[tuple[int, Params]]:
        self.version += 1
        self._current = params
        self._say(t, kind, why, version=self.version, **data)
        return [(self.version, params)]

    def _say(self, t: float, kind: str, why: Refusal | None, **data: object) -> None:
        if why is not None:
            measured, limit = (round(x, 4) if math.isfinite(x) else None for x in why[1:])  # JSON has no NaN
            data |= {"reason": why.reason, "measured": measured, "limit": limit}
        self.events.append(Event(t, kind, data))


def run(runtime: Path, adaptation: Adapting, control: Control) -> None:
    """Adapt until QUIT: read the feature ring, publish to the slots the lane flips between two steps.

    What was decided goes to a ring of its own, topic ``/learner``, and into the control page's counters.
    """
    features = Ring.open(runtime / "features.ring").reader("oldest")
    told = Ring.create(runtime / "learner.ring", EVENT_DTYPE, 256, topic="/learner")
    slots = Slots.open(runtime / "params.slots")
    control.set(Word.LEARNER_STATE, ProcessState.RUNNING)
    waiting: list[tuple[int, Params]] = []
    while not control.get(Word.QUIT):
        waiting += adaptation.take(features.read())
        for event in adaptation.events:
            tell(event, told, control)
        adaptation.events.clear()
        if waiting and slots.publish(flatten(waiting[-1][1]), waiting[-1][0]):
            control.add(Word.LEARNER_UPDATES)
            waiting.clear()
        control.set(Word.LEARNER_BEAT_NS, time.perf_counter_ns())
        time.sleep(PERIOD_S)
    control.set(Word.LEARNER_STATE, ProcessState.DONE)


def tell(event: Event, ring: Ring, control: Control) -> None:
    """Write one decision down, and count it."""
    row = np.zeros(1, EVENT_DTYPE)
    row["t"], row["text"] = event.t, json.dumps({"kind": event.kind, **event.data}).encode()
    ring.write(row)
    counter = {REFUSED: Word.LEARNER_REFUSED, ROLLED_BACK: Word.LEARNER_ROLLED_BACK}.get(event.kind)
    if counter is not None:
        control.add(counter)
