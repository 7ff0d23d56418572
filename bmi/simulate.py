"""Lock-step simulation: world and line share one process and a manual clock.

Deterministic to the last bit and faster than real time; the step is the very one used live.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bmi.clicks import adaptation
from bmi.clock import ManualClock
from bmi.contracts import Decoder, Intention, Params, Stimulated, World
from bmi.errors import Problem, RecipeError
from bmi.journal import feature_dtype
from bmi.learner import ADOPTED, REFUSED, ROLLED_BACK, Adapting
from bmi.line import Line
from bmi.process import bind_line, make_line, rng_for
from bmi.recipe import Recipe, build
from bmi.signals import AnyArray, Chunk, Event
from bmi.streams import draw
from bmi.summary import Score
from bmi.therapy import RECORD, Therapy

T0 = 1000.0
"""Simulated sessions begin at this time, s: far from zero, as on a real clock."""
KEEP = 4096


class Simulated(NamedTuple):
    """What a lock-step simulation gives."""

    summary: dict[str, Any]
    simulated_s: float
    wall_s: float
    score: Score
    decoder: Decoder
    """As the session left it, with what was learned."""
    params: Params
    """Its parameters, with those of the click decoder beside it if there is one."""
    decisions: tuple[Event, ...]
    """What became of the learner's updates."""
    features: AnyArray | None
    """Every feature record, if they were asked for and the recipe has a learner."""


def simulate(
    recipe: Recipe,
    progress: Callable[[str, float], None] = lambda _n, _f: None,
    *,
    intention: Intention | None = None,
    keep_features: bool = False,
    observe: Callable[[World, Line, Therapy | None], None] | None = None,
) -> Simulated:
    """Run a recipe's blocks on its own simulated participant, in lock-step.

    Parameters
    ----------
    recipe : Recipe
        With a ``world``; its sources are replaced by the world's own samples.
    progress : callable, optional
        Told the block's name and the share of it that is over.
    intention : Intention, optional
        Estimates labels in place of the recipe's.
    keep_features : bool
        Whether to return the records the learner saw: some 0.9 kB each for 96 features.
    observe : callable, optional
        Shown world, line and therapy after every step, to keep what it wants to know; it changes nothing.

    Raises
    ------
    RecipeError
        If the recipe has no world, or blocks that never end.
    """
    run = prepare(recipe, intention)
    run.kept = [] if keep_features else None
    line, devices = run.line, [run.line.device]
    if run.therapy is not None:
        devices.append(run.therapy.device)
    for device in devices:
        device.open()
    start = time.perf_counter()
    try:
        for device in devices:
            device.arm()
        while not line.blocks.done:
            run.step()
            if observe is not None:
                observe(run.world, line, run.therapy)
            if run.k % 200 == 0:
                progress(line.blocks.current.name, run.share())
    finally:
        for device in devices:
            device.stop("the simulation ended")
            device.close()
    run.flush()
    wall = time.perf_counter() - start
    summary = run.score.summary(run.counters(), None, None)
    return Simulated(summary, run.clock.now() - T0, wall, run.score, line.pipeline.decoder, line.pipeline.params_,
                     tuple(run.decisions), np.concatenate(run.kept) if run.kept else None)  # fmt: skip


def prepare(recipe: Recipe, intention: Intention | None = None) -> _Run:
    """Build and bind everything a simulation needs, up to its first step; the device stays closed.

    Raises
    ------
    RecipeError, ContractError
        Whatever would keep the simulation from beginning.
    """
    recipe = build(recipe.raw, recipe.where)  # parts learn; the caller's stay as they are
    recipe.intention = intention or recipe.intention
    world = participant(recipe)
    line = make_line(recipe)
    bind_line(recipe, line, recipe.world_specs)
    return _Run(recipe, line, world)


def participant(recipe: Recipe) -> World:
    """Return the recipe's world; refuse what cannot be simulated or would never end."""
    problems = []
    if recipe.world is None:
        problems.append(Problem("world", "lock-step simulation needs a simulated participant, e.g. {use: population}"))
    for i, block in enumerate(recipe.blocks):
        if block.seconds is None and block.trials is None:
            problems.append(Problem(f"blocks[{i}]", "never ends: give 'seconds' or 'trials'"))
    if problems or recipe.world is None:
        raise RecipeError(recipe.where, problems)
    world: World = recipe.world
    return world


class _Run:
    """One lock-step session: draws samples, steps the line, adapts, and shows the world what came of it."""

    def __init__(self, recipe: Recipe, line: Line, world: World) -> None:
        self.world, self.line, self.therapy = world, line, recipe.therapy
        self.clock = ManualClock(T0)
        world.bind(rng_for(recipe.session.seed, "world"), T0)
        self.streams = tuple(zip(recipe.world_streams, recipe.world_specs, strict=True))
        self.bundle = tuple(
            Chunk(np.zeros((s.max_samples, s.n_channels), np.float32), np.zeros(s.max_samples), T0)
            for _, s in self.streams
        )
        self.k = 0
        self.score = Score(recipe)
        self._steps = np.zeros(KEEP, line.record.row.dtype)
        self._doses = np.zeros(KEEP if self.therapy is not None else 0, RECORD)
        self._events: list[Event] = []
        self._at = 0
        self.decisions: list[Event] = []
        self.kept: list[AnyArray] | None = None
        self._adaptation: Adapting | None = None
        if recipe.learner is not None:
            n_features, n_dims = sum(f.n_channels for f in line.pipeline.features), len(line.record.goal)
            self._adaptation = adaptation(recipe, line.pipeline, n_features, n_dims)
            self._feature: AnyArray = np.zeros(1, feature_dtype(n_features, n_dims))

    def step(self) -> None:
        """Advance by one push of every stream."""
        line = self.line
        for chunk, (stream, spec) in zip(self.bundle, self.streams, strict=True):
            n = spec.max_samples
            first = self.k * n
            chunk.data = draw(self.world, stream, n)
            chunk.t[:] = T0 + np.arange(first + 1, first + n + 1) / spec.rate_hz
            chunk.seq = first
        arrival = float(self.bundle[0].t[-1])
        for chunk in self.bundle:
            chunk.t_arrival = arrival
        self.clock.sleep_until(arrival)
        now = self.clock.now()
        line.step(self.bundle, now)
        if self.therapy is not None:
            self._treat(self.therapy, now)
        self.world.see(now, line.device.effector, line.task.goal)
        self._keep()
        if self._adaptation is not None and line.intent is not None:
            self._adapt(self._adaptation)
        self.k += 1

    def _treat(self, therapy: Therapy, now: float) -> None:
        therapy.step(self.bundle, now, self.line.record.step)
        self._doses[self._at] = therapy.row[0]
        if isinstance(self.world, Stimulated):
            self.world.stimulate(now, therapy.site, therapy.amplitude_ma, therapy.program)

    def _adapt(self, learner: Adapting) -> None:
        line, f = self.line, self._feature
        line.feature(f)
        for version, params in learner.take(f):
            line.pipeline.adopt(params, version)
        if self.kept is not None:
            self.kept.append(f.copy())
        self.decisions += learner.events
        learner.events.clear()

    def counters(self) -> dict[str, float]:
        """Return how many of the learner's updates were adopted, refused and rolled back; nothing without one."""
        kinds = [event.kind for event in self.decisions]
        names = {"learner_updates": ADOPTED, "learner_refused": REFUSED, "learner_rolled_back": ROLLED_BACK}
        return {} if self._adaptation is None else {name: kinds.count(kind) for name, kind in names.items()}

    def _keep(self) -> None:
        self._steps[self._at] = self.line.record.row[0]
        self._at += 1
        if self.line.events:
            self._events += self.line.events
            self.line.events.clear()
        if self._at == KEEP:
            self.flush()

    def flush(self) -> None:
        """Hand what was kept to the score."""
        self.score.take(self._steps[: self._at], self._events, self._doses[: self._at])
        self._at = 0
        self._events = []

    def share(self) -> float:
        """Return how much of the current block is over, 0 to 1."""
        block, blocks = self.line.blocks.current, self.line.blocks
        if block.trials is not None:
            return min(self.line.n_trials / block.trials, 1.0)
        return blocks.share(self.clock.now())
