"""Learning what a click looks like, beside the adaptation of the decoder: versions carry the parameters of both."""

from __future__ import annotations

from collections import deque

import numpy as np

from bmi.contracts import ClickDecoder, Params
from bmi.errors import ContractError
from bmi.learner import ADOPTED, Adaptation
from bmi.params import Both
from bmi.pipeline import Pipeline
from bmi.recipe import Recipe
from bmi.schema import make
from bmi.signals import F64, AnyArray, Event

MEMORY_S = 600.0
"""Labelled features older than so much labelled time are forgotten."""
FEWEST = 40
"""Rows with and without an intended click, below which nothing is learned."""


class ClickLearner:
    """Refits a click decoder to the labelled features of the last minutes.

    Parameters
    ----------
    click : ClickDecoder
        A copy of its own, never the live one.
    dt_s : float
        Time between two features, s.

    Attributes
    ----------
    n_refused : int
        Refits that came to nothing: too few rows, or numbers that are not finite.
    """

    def __init__(self, click: ClickDecoder, dt_s: float) -> None:
        self._click, self._dt_s = click, dt_s
        self._rows: deque[tuple[F64, bool, int]] = deque(maxlen=round(MEMORY_S / dt_s))
        self._piece, self._t = 0, -np.inf
        self.n_refused = 0

    def observe(self, y: F64, select: int, t: float) -> None:
        """Take the features (n_features,) of one bin, and whether a click was intended: 1, 0, or -1 for not known."""
        if select < 0:
            return
        self._piece += t - self._t > 1.5 * self._dt_s
        self._t = t
        self._rows.append((np.array(y), select == 1, self._piece))

    def refit(self) -> Params | None:
        """Return parameters fitted to what is remembered, or None if they would rest on too little."""
        labels = np.array([row[1] for row in self._rows], bool)
        if min(labels.sum(), (~labels).sum()) < FEWEST:
            self.n_refused += 1
            return None
        Y, pieces = np.array([row[0] for row in self._rows]), np.array([row[2] for row in self._rows])
        try:
            params = self._click.fit(Y, labels, dt_s=self._dt_s, groups=pieces).params_
        except (ContractError, np.linalg.LinAlgError):
            params = None
        if params is None or not all(np.isfinite(a).all() for a in params):
            self.n_refused += 1
            return None
        return params


class WithClicks:
    """An adaptation whose versions hold the parameters of both decoders.

    The click decoder is refitted whenever the decoder has a new version, and at the end of every block in which
    there was something to learn.

    Parameters
    ----------
    adaptation : Adaptation
        Of the decoder.
    clicks : ClickLearner
    params : Both
        What the pipeline begins with.
    permute : int or None
        As in ``Adaptation``.
    """

    def __init__(self, adaptation: Adaptation, clicks: ClickLearner, params: Both, permute: int | None = None) -> None:
        self._adaptation, self._clicks, self._params = adaptation, clicks, params
        self._permute, self._order = permute, None if permute is None else np.zeros(0, int)
        self._block = -1

    @property
    def version(self) -> int:
        """The newest."""
        return self._adaptation.version

    @property
    def events(self) -> list[Event]:
        """What became of the decoder's updates."""
        return self._adaptation.events

    def take(self, rows: AnyArray) -> list[tuple[int, Params]]:
        """Learn from feature records; return the new versions in order, mostly none."""
        out: list[tuple[int, Params]] = []
        for i in range(len(rows)):
            out += self._one(rows[i : i + 1])
        return out

    def _one(self, rows: AnyArray) -> list[tuple[int, Params]]:
        row, new = rows[0], self._adaptation.take(rows)
        ended = self._block >= 0 and row["block"] != self._block
        click = self._clicks.refit() if new or ended else None
        if click is not None:
            self._params = self._params._replace(click=click)
        if not new and click is not None:
            self._adaptation.version += 1
            new = [(self._adaptation.version, self._params.decoder)]
            self.events.append(Event(float(row["t"]), ADOPTED, {"version": self._adaptation.version, "part": "click"}))
        self._block = int(row["block"]) if row["select"] >= 0 else -1 if ended else self._block
        self._clicks.observe(self._seen(row["y"]), int(row["select"]), float(row["t"]))
        out: list[tuple[int, Params]] = []
        for version, params in new:
            self._params = self._params._replace(decoder=params)
            out.append((version, self._params))
        return out

    def _seen(self, y: F64) -> F64:
        """Return the features as the learner is to see them."""
        if self._order is None:
            return y
        if len(self._order) != len(y):
            self._order = np.random.default_rng(self._permute).permutation(len(y))
        return y[self._order]


def adaptation(recipe: Recipe, pipeline: Pipeline, n_features: int, n_dims: int) -> Adaptation | WithClicks:
    """Return what a recipe's learner does with feature records, for a bound pipeline."""
    assert recipe.learner is not None  # noqa: S101 - asked of recipes that learn
    dt_s = 1.0 / pipeline.features[0].rate_hz
    permute = recipe.session.seed if recipe.session.permute_channels else None
    alone = Adaptation(
        recipe.learner, pipeline.decoder, n_features, n_dims, dt_s, permute,
        intention=recipe.intention, guards=recipe.guards,
    )  # fmt: skip
    if recipe.click is None:
        return alone
    settings = {k: v for k, v in recipe.raw["click"].items() if k not in ("use", "params")}
    own = make("clicks", recipe.names["click"], settings, recipe.where)
    return WithClicks(alone, ClickLearner(own, dt_s), pipeline.params_, permute)
