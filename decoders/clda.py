"""Closed-loop decoder adaptation: the encoder is refitted while the participant uses it.

What learners of a Kalman filter share stands here (whom they can teach, what states labels stand for), and
SmoothBatch; recursive maximum likelihood is in ``decoders.rml``, ReFIT in ``decoders.refit``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.contracts import Decoder
from bmi.errors import ContractError, NotFittedError
from bmi.signals import F64, AnyArray
from decoders.kalman import Kalman
from decoders.statespace import KalmanParams, fit_encoder, params_from


def pupil(learner: str, decoder: Decoder, n_features: int, n_dims: int) -> tuple[Kalman, KalmanParams]:
    """Return the Kalman filter to be taught, and its parameters.

    Raises
    ------
    ContractError
        If the decoder is no Kalman filter, or of another size.
    NotFittedError
        If it has no parameters, not even a cold start.
    """
    if not isinstance(decoder, Kalman):
        raise ContractError(
            f"{learner} adapts a 'kalman' decoder, given {type(decoder).__name__}; choose another learner"
        )
    params = decoder.params_
    if params is None:
        raise NotFittedError(f"{learner}: the decoder has no parameters; start it cold or load a calibration")
    if params.C.shape[0] != n_features or decoder.n_dims != n_dims:
        raise ContractError(
            f"{learner}: decoder has {len(params.C)} features, {decoder.n_dims} dimensions, "
            f"told {n_features} and {n_dims}"
        )
    return decoder, params


def varied(covariance: F64) -> bool:
    """Whether intentions of this ``covariance`` go every way: along one line they say nothing of the others."""
    spread = np.linalg.eigvalsh(np.atleast_2d(covariance))
    return bool(spread[0] > 1e-3 * spread[-1])


def untaught(velocity: F64, min_samples: int) -> Literal["few", "no variety"] | None:
    """Return why nothing can be learnt from intended velocities (n, n_dims), None if something can."""
    if len(velocity) < min_samples:
        return "few"
    return None if varied(np.cov(velocity.T)) else "no variety"


def refitted(
    Y: F64, S: F64, kalman: Kalman, old: KalmanParams, min_seen: int, penalty: float
) -> tuple[F64, F64, F64]:
    """Return C, Q, b fitted anew to features Y (n, n_features), NaN where missing, and known states S (n, n_states).

    A channel seen in fewer than ``min_seen`` of the samples fell silent: what was known of it is kept.
    """
    C, Q, b = fit_encoder(
        Y, S, kalman._encoded, full=kalman.q == "full", shrinkage=kalman.q_shrinkage, penalty=penalty
    )
    unseen = np.isfinite(Y).sum(axis=0) < min_seen
    C[unseen], b[unseen] = old.C[unseen], old.b[unseen]
    if Q.ndim == 1:
        Q[unseen] = old.Q[unseen]
    return C, Q, b


class Labelled:
    """Features with the intention estimated for each, in order of time, up to a fixed number.

    Attributes
    ----------
    n : int
        How many there are.
    """

    def __init__(self, capacity: int, decoder: Kalman, n_features: int, dt_s: float) -> None:
        d = decoder.n_dims
        self.capacity, self.n = capacity, 0
        self._d, self._order, self._encoded, self._dt_s = d, decoder.n_states // d, decoder._encoded, dt_s
        self._y, self._t = np.zeros((capacity, n_features)), np.zeros(capacity)
        self._x, self._p = np.zeros((capacity, d)), np.zeros((capacity, d))

    @property
    def full(self) -> bool:
        """Whether no more goes in."""
        return self.n == self.capacity

    def add(self, y: F64, intended: F64, t: float, position: F64 | None) -> None:
        """Take one, unless it is full or the intention is not finite."""
        if self.full or not np.isfinite(intended).all():
            return
        i = self.n
        self._y[i], self._x[i], self._t[i] = y, intended, t
        self._p[i] = np.nan if position is None else position
        self.n += 1

    def forget(self) -> None:
        """Begin anew."""
        self.n = 0

    def pieces(self) -> AnyArray:
        """Return the number of the contiguous piece of each row, (n,)."""
        seam = np.diff(self._t[: self.n], prepend=-np.inf) > 1.5 * self._dt_s
        return np.asarray(np.cumsum(seam))

    def states(self) -> tuple[F64, F64, AnyArray]:
        """Return features (n, n_features), states (n, n_states) and pieces (n,).

        Velocity is the intended one. Position, where features may be tuned to it, is the effector's, else 0.
        Acceleration is the change of the intention; it is not known where a piece begins.
        """
        n, d, pieces = self.n, self._d, self.pieces()
        S = np.zeros((n, self._order * d))
        S[:, :d] = self._x[:n]
        if d in self._encoded and self._order > 1:
            S[:, d : 2 * d] = self._p[:n]
        if self._order > 2:
            S[1:, 2 * d :] = np.diff(self._x[:n], axis=0) / self._dt_s
            S[np.flatnonzero(np.diff(pieces, prepend=-1)), 2 * d :] = np.nan
        return self._y[:n], S, pieces


@dataclass(kw_only=True)
class SmoothBatch:
    """SmoothBatch (Orsborn et al. 2012, IEEE TNSRE 20:468).

    Every ``batch_s`` of labelled data the encoder is refitted on the intended velocity and mixed into the
    old: ``C <- rho C + (1 - rho) C_hat``, the same for Q and the baseline, with
    ``rho = 0.5 ** (batch_s / half_life_s)``. Dynamics stay. From a cold start (C = 0) the first batch
    replaces.

    Attributes
    ----------
    rejected_ : dict of str to int
        Batches turned down, by reason.
    """

    batch_s: Annotated[float, Gt(0)] = 60.0
    """Labelled data per update, s."""
    half_life_s: Annotated[float, Gt(0)] = 80.0
    """After so much labelled data half of an old encoder is forgotten, s."""
    min_samples: Annotated[int, Ge(8)] = 100
    """Fewest samples an update may rest on (matters for the last, partial batch)."""
    step_limit: Annotated[float, Gt(0)] = 2.0
    """Largest change of C in one update, relative to its norm; a larger one is shortened (not the first)."""
    penalty: Annotated[float, Ge(0), Le(1)] = 0.01
    """Ridge on the batch's encoder, as a fraction of the intention's mean square."""

    def bind(self, decoder: Decoder, n_features: int, n_dims: int, dt_s: float) -> None:
        """Start from the decoder's parameters. Raises ContractError, NotFittedError."""
        self._kalman, self._params = pupil("smoothbatch", decoder, n_features, n_dims)
        self._dt_s, self._d = dt_s, n_dims
        self._batch = Labelled(max(round(self.batch_s / dt_s), self.min_samples), self._kalman, n_features, dt_s)
        self.rejected_ = {"few": 0, "not finite": 0, "no variety": 0}

    def observe(self, y: F64, intended: F64, t: float, position: F64 | None = None) -> None:
        """Take one feature vector (n_features,), NaN where missing, and the velocity intended (n_dims,)."""
        self._batch.add(y, intended, t, position)

    def update(self) -> KalmanParams | None:
        """Return new parameters once a batch is full and of use, else None."""
        return self._learn() if self._batch.full else None

    def finish(self) -> KalmanParams | None:
        """Return the parameters after the last, partial batch, or None if it holds too little."""
        return self._learn()

    def revert(self, params: KalmanParams) -> None:
        """Go on from ``params``; what was observed since is forgotten."""
        self._params = params
        self._batch.forget()

    def _learn(self) -> KalmanParams | None:
        """Fit and mix; the batch is forgotten whatever comes of it."""
        Y, S, _ = self._batch.states()
        taught = np.isfinite(S).all(axis=1)
        Y, S = Y[taught], S[taught]
        self._batch.forget()
        old = self._params
        if reason := untaught(S[:, : self._d], self.min_samples):
            self.rejected_[reason] += 1
            return None
        C, Q, b = refitted(Y, S, self._kalman, old, self.min_samples, self.penalty)
        if not all(np.isfinite(a).all() for a in (C, Q, b)):
            self.rejected_["not finite"] += 1
            return None
        if old.C.any():
            # a partial batch weighs by what it holds
            rho = 0.5 ** (len(S) * self._dt_s / self.half_life_s)
            norm, step = np.linalg.norm(old.C), np.linalg.norm((1 - rho) * (C - old.C))
            rho = 1 - (1 - rho) * min(1.0, self.step_limit * norm / max(step, 1e-300))
            C, Q, b = (rho * o + (1 - rho) * a for o, a in ((old.C, C), (old.Q, Q), (old.b, b)))
        self._params = params_from(old.A, old.W, C, Q, b, self._dt_s)
        return self._params
