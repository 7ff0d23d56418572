"""Guards around any learner: what new parameters must pass before they move a device, and after.

Before adoption, a candidate decodes recent and trusted features in a shadow of the decoder. After it, the
participant's own success is watched. Whatever goes wrong ends in the last good parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.contracts import Decoder, Params
from bmi.params import fields
from bmi.reservoir import Reservoir, Shadow, agreement, rms
from bmi.signals import F64, AnyArray

FEW = 20
"""Samples below which a check has nothing to say."""
OPTIMISM_S = 10.0
"""Trusted features, s, on which parameters fitted to them are flattered by as much as is tolerated."""
RECENT = 0.2
"""Share of the tolerances for features a candidate was fitted to: honest updates are better there, not worse."""
NEAR = 2.0
"""Within so many radii of a goal corrections go every way: there success is no matter of direction."""


class Refusal(NamedTuple):
    """Why parameters were not adopted, or not kept."""

    reason: str
    measured: float
    limit: float


@dataclass(kw_only=True, eq=False)
class Guards:
    """Decides whether what a learner offers is adopted, and whether it stays.

    ================  ==============================================================================
    refused because   what is looked at
    ================  ==============================================================================
    ``not finite``    any parameter, or anything the candidate decodes
    ``labels``        the labels since the last decision: do they point to the goals at all?
    ``norm``          decoded speed, against that of a goal-directed participant
    ``step``          change of what is decoded, against the same plus what is decoded now
    ``confidence``    squared errors of the candidate in units of its own covariance
    ``recent``        agreement with goal-directed intention on the features since the last decision,
                      against what the present parameters reach there
    ``reservoir``     the same with the labels of trusted features: those of updates that proved good
    ================  ==============================================================================

    An adopted update is on trial for ``trial_s``: if decoded velocities point less to the goals than before, by
    more than ``fall`` (twice as much after a quarter of the time, one over its square root in between), the last
    good parameters return. No other update is adopted meanwhile: a bad one is gone before the next.
    """

    norm_limit: Annotated[float, Gt(1)] = 3.0
    """Fastest decoded speed, as a multiple of the goal-directed speed (root mean squares)."""
    step_limit: Annotated[float, Gt(0)] = 1.5
    """Largest change of what is decoded, as a multiple of goal-directed plus present speed."""
    label_agreement: Annotated[float, Ge(-1), Le(1)] = 0.3
    """Least mean cosine between labels and the direction to the goal."""
    overconfidence: Annotated[float, Gt(1)] = 20.0
    """Largest mean squared error in units of the decoder's own variance (1 if it knows itself), or half as much
    again as the present parameters have."""
    tolerance: Annotated[float, Ge(0)] = 0.05
    """How much worse a candidate may agree with trusted features than the present parameters; with recent ones,
    to which it was fitted and they were not, a fifth of it."""
    error_tolerance: Annotated[float, Ge(0)] = 0.15
    """How much larger its error there may be, as a fraction of what was wanted (root mean squares); likewise."""
    reservoir_s: Annotated[float, Gt(0)] = 40.0
    """How much is kept of trusted features, s."""
    reservoir_age_s: Annotated[float, Gt(0)] = 300.0
    """Trusted features older than this have no say: neurons change."""
    trial_s: Annotated[float, Gt(0)] = 4.0
    """Labelled time an update is on trial, s."""
    fall: Annotated[float, Gt(0), Le(2)] = 0.3
    """Fall of the mean cosine between decoded velocity and direction to the goal that ends a trial."""

    def bind(self, decoder: Decoder, n_features: int, n_dims: int, dt_s: float) -> None:
        """Allocate, and copy the decoder. Raises ContractError if it cannot be copied."""
        n, self._dt_s = round(self.reservoir_s / dt_s), dt_s
        self._fresh, self._pending, self._trusted = (Reservoir(n, n_features, n_dims) for _ in range(3))
        self._shadow = Shadow(decoder, n_features, n_dims, dt_s)
        self._trial_n = max(round(self.trial_s / dt_s), FEW)
        self._cosines = np.zeros(4 * self._trial_n)
        self._n_cosines = self._tried = 0
        self._before = math.nan
        self.on_trial = False
        """Whether the parameters in use still have to prove themselves."""

    # ------------------------------------------------------------------------------------ before adoption
    def keep(self, row: AnyArray, y: F64, label: F64 | None) -> None:
        """Keep one feature record; ``label`` is what the learner was told, None if it was told nothing."""
        kept = self._fresh.place()
        aim = row["goal"] - row["position"]
        far = math.sqrt(float(aim @ aim))
        kept["t"], kept["y"] = row["t"], y
        kept["taught"] = label is not None and bool(np.isfinite(label).all() and np.isfinite(row["intended"]).all())
        kept["label"] = label if kept["taught"] else 0.0
        kept["ideal"] = row["intended"]
        kept["aim"] = aim / far if far > row["radius"] else 0.0

    def judge(self, candidate: Params, current: Params, now: float) -> Refusal | None:
        """Return why ``candidate`` must not replace ``current``, or None; what was fresh is decided upon.

        Parameters
        ----------
        now : float
            Time of the newest feature, s.
        """
        rows = self._fresh.rows()
        self._fresh.clear()
        refusal = self._judge(candidate, current, rows, now)
        if refusal is None:
            self._pending.take(rows)
        return refusal

    def _judge(self, candidate: Params, current: Params, rows: AnyArray, now: float) -> Refusal | None:
        if not all(np.isfinite(a).all() for _, a in fields(candidate)):
            return Refusal("not finite", math.nan, math.inf)
        taught = rows["taught"] == 1
        told = taught & rows["aim"].any(axis=1) & rows["label"].any(axis=1)
        if told.sum() >= FEW:
            labels = rows["label"][told]
            unit = labels / np.linalg.norm(labels, axis=1)[:, None]
            cosine = float((unit * rows["aim"][told]).sum(axis=1).mean())
            if cosine < self.label_agreement:
                return Refusal("labels", cosine, self.label_agreement)
        if taught.sum() < FEW:
            return None
        new, cov = (a[taught] for a in self._shadow.decode(candidate, rows))
        old, old_cov = (a[taught] for a in self._shadow.decode(current, rows))
        ideal, label = rows["ideal"][taught], rows["label"][taught]
        if not (np.isfinite(new).all() and np.isfinite(cov).all()):
            return Refusal("not finite", math.nan, math.inf)
        return (
            self._sane(new, old, ideal)
            or self._sure(excess(new, cov, label), excess(old, old_cov, label))
            or self._not_worse("recent", new, old, ideal, RECENT)
            or self._reservoir(candidate, current, now)
        )

    def _sane(self, new: F64, old: F64, ideal: F64) -> Refusal | None:
        """Norm and step, in units of what a participant may want."""
        scale = rms(ideal)
        if scale == 0.0:
            return None
        norm, step = rms(new) / scale, rms(new - old) / (scale + rms(old))
        if norm > self.norm_limit:
            return Refusal("norm", norm, self.norm_limit)
        return Refusal("step", step, self.step_limit) if step > self.step_limit else None

    def _sure(self, own: float, present: float) -> Refusal | None:
        """Whether errors are of the size the candidate says they are, or at least as honest as now."""
        most = max(self.overconfidence, 1.5 * present if math.isfinite(present) else 0.0)
        return None if 0.0 <= own <= most else Refusal("confidence", own, most)

    def _reservoir(self, candidate: Params, current: Params, now: float) -> Refusal | None:
        rows = self._trusted.rows(since=now - self.reservoir_age_s)
        taught = rows["taught"] == 1
        seconds = taught.sum() * self._dt_s
        if seconds < 0.5 * OPTIMISM_S:
            return None
        new, old = (self._shadow.decode(p, rows)[0][taught] for p in (candidate, current))
        # The present parameters were fitted to these very features: on few of them they look better than they are.
        return self._not_worse("reservoir", new, old, rows["label"][taught], 1.0 + OPTIMISM_S / seconds)

    def _not_worse(self, reason: str, new: F64, old: F64, wanted: F64, share: float) -> Refusal | None:
        """Direction first, then size: twice the speed agrees perfectly and is of no use."""
        reached, least = agreement(new, wanted), agreement(old, wanted) - share * self.tolerance
        if reached < least:
            return Refusal(reason, reached, least)
        scale = max(rms(wanted), 1e-12)
        error, most = rms(new - wanted) / scale, rms(old - wanted) / scale + share * self.error_tolerance
        return Refusal(reason + " error", error, most) if error > most else None

    # ------------------------------------------------------------------------------------- after adoption
    @property
    def agreement(self) -> float:
        """Mean cosine between decoded velocity and direction to the goal, lately; NaN if little is known."""
        n = min(self._n_cosines, len(self._cosines))
        return float(self._cosines[:n].mean()) if n >= FEW else math.nan

    def watch(self, row: AnyArray) -> None:
        """Take one feature record in which there was a goal, whether one may learn from it or not."""
        self._tried += 1
        aim, decoded = row["goal"] - row["position"], row["decoded"]
        far, speed = math.sqrt(float(aim @ aim)), math.sqrt(float(decoded @ decoded))
        if not far > NEAR * row["radius"]:
            return
        cosine = float(aim @ decoded) / (far * speed) if speed > 0.0 else 0.0  # at rest it points nowhere
        self._cosines[self._n_cosines % len(self._cosines)] = cosine
        self._n_cosines += 1

    def adopt(self) -> None:
        """Begin the trial of what was just adopted; one in progress goes on with it."""
        before = self.agreement
        if math.isfinite(before) and not self.on_trial:
            self._before = before
        self._n_cosines = self._tried = 0
        self.on_trial = True

    def verdict(self) -> Refusal | None:
        """Return why what is on trial must go, or None; with its time over it has passed."""
        n, whole = min(self._n_cosines, self._trial_n), self._trial_n
        if not self.on_trial:
            return None
        if n >= max(whole // 4, FEW):
            least, now = self._before - self.fall * math.sqrt(whole / n), float(self._cosines[:n].mean())
            if now < least:
                self._close(passed=False)
                return Refusal("agreement", now, least)
        if self._tried >= whole:
            self._close(passed=True)
        return None

    def _close(self, *, passed: bool) -> None:
        """End the trial: what was learned from is trusted from now on, or forgotten with all that came since."""
        self.on_trial = False
        if passed:
            self._trusted.take(self._pending.rows())
        else:
            self._fresh.clear()
            self._n_cosines = 0
        self._pending.clear()


def excess(decoded: F64, cov: F64, wanted: F64) -> float:
    """Return the mean squared error of velocities (n, n_dims) in units of their own variance; infinite if it is 0."""
    error: F64 = decoded - wanted
    try:
        squares = (np.linalg.solve(cov, error[:, :, None])[:, :, 0] * error).sum(axis=1)
    except np.linalg.LinAlgError:
        return math.inf
    return float(squares.mean() / decoded.shape[1])
