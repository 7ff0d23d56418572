"""Recursive maximum likelihood: the encoder follows every few seconds of closed-loop use."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.contracts import Decoder
from bmi.signals import F64, AnyArray
from decoders.clda import Labelled, pupil, varied
from decoders.kalman import Kalman
from decoders.statespace import KalmanParams, params_from

REMEMBERED = 8
"""Updates a learner can go back to."""


class Moments(NamedTuple):
    """Exponentially weighted sufficient statistics, of features y on z = (encoded states, 1) and of dynamics."""

    R: F64
    """(k, k) sum of z z'."""
    S: F64
    """(m, k) sum of y z'."""
    T: F64
    """(m,) or (m, m) sum of y y'."""
    n: float
    """Effective number of samples."""
    before: F64
    """(f, f) sum of x x' over states that have a next one."""
    cross: F64
    """(f, f) sum of x_next x'."""
    after: F64
    """(f, f) sum of x_next x_next'."""
    pairs: float
    """Effective number of pairs."""

    def decayed(self, rho: float) -> Moments:
        """Return them with every sum weighing ``rho`` times as much."""
        return Moments(*(rho * a for a in self))

    def __add__(self, other: Moments) -> Moments:  # type: ignore[override]
        return Moments(*(a + b for a, b in zip(self, other, strict=True)))


@dataclass(kw_only=True)
class RML:
    """Recursive maximum likelihood (Dangi et al. 2013, Neural Comput 25:1693; 2014, 26:1811).

    The likelihood of a Kalman filter's C and Q depends on the data through R = sum x x', S = sum y x',
    T = sum y y' alone: ``C = S R^-1``, ``Q = (T - C S') / n``. Each sum forgets by half in ``half_life_s`` of
    labelled data, so the decoder is at any moment the best fit to the recent past, without batches.

    It begins as if the parameters it finds had been fitted on a full memory of states like those it sees
    first; a cold start (C = 0) weighs nothing. A missing feature counts as what the encoder expects of it,
    with its variance.

    Attributes
    ----------
    rejected_ : dict of str to int
        Updates turned down, by reason.
    """

    half_life_s: Annotated[float, Gt(0)] = 60.0
    """After so much labelled data an old sample weighs half."""
    update_s: Annotated[float, Gt(0)] = 2.0
    """Labelled data between two updates, s."""
    min_samples: Annotated[int, Ge(8)] = 250
    """Fewest samples, fading ones counted as they weigh, an update may rest on."""
    dynamics: Literal["kept", "learned"] = "kept"
    """Whether A and W follow the intention too; kept, they stay those of the calibration. Labels without any
    noise of their own (goal-directed, say) teach a W near zero, under which nothing moves."""
    penalty: Annotated[float, Ge(0), Le(1)] = 0.01
    """Ridge on the encoder, as a fraction of the intention's mean square."""

    def bind(self, decoder: Decoder, n_features: int, n_dims: int, dt_s: float) -> None:
        """Start from the decoder's parameters. Raises ContractError, NotFittedError."""
        self._kalman, self._params = pupil("rml", decoder, n_features, n_dims)
        self._dt_s, self._d = dt_s, n_dims
        self._batch = Labelled(max(round(self.update_s / dt_s), 1), self._kalman, n_features, dt_s)
        self._free = free_states(self._kalman)
        self._moments: Moments | None = None
        self._history: deque[tuple[KalmanParams, Moments | None]] = deque(maxlen=REMEMBERED)
        self._history.append((self._params, None))
        self.rejected_ = {"few": 0, "not finite": 0, "no variety": 0}

    def observe(self, y: F64, intended: F64, t: float, position: F64 | None = None) -> None:
        """Take one feature vector (n_features,), NaN where missing, and the velocity intended (n_dims,)."""
        if self._batch.full:
            self._fold()
        self._batch.add(y, intended, t, position)

    def update(self) -> KalmanParams | None:
        """Return new parameters every ``update_s``, else None."""
        return self._learn() if self._batch.full else None

    def finish(self) -> KalmanParams | None:
        """Return parameters that know everything observed so far, or None if nothing came since the last."""
        return self._learn() if self._batch.n else None

    def revert(self, params: KalmanParams) -> None:
        """Go on from ``params`` and from what was known when they were made."""
        self._batch.forget()
        known = next((m for p, m in reversed(self._history) if p is params), None)
        self._params, self._moments = params, known
        self._history.append((params, known))

    # --------------------------------------------------------------------------------------- learning
    def _learn(self) -> KalmanParams | None:
        self._fold()
        m, old = self._moments, self._params
        if m is None or m.n < self.min_samples:
            self.rejected_["few"] += 1
            return None
        R, one = m.R[:-1, :-1], m.R[-1, -1]
        centred = R - np.outer(m.R[:-1, -1], m.R[-1, :-1]) / one
        if not varied(centred[: self._d, : self._d]):
            self.rejected_["no variety"] += 1
            return None
        C, Q, b = self._encoder(m, centred)
        A, W = (old.A, old.W) if self.dynamics == "kept" else self._dynamics(m)
        if not all(np.isfinite(a).all() for a in (A, W, C, Q, b)):
            self.rejected_["not finite"] += 1
            return None
        self._params = params_from(A, W, C, Q, b, self._dt_s)
        self._history.append((self._params, m))
        return self._params

    def _fold(self) -> None:
        """Take the waiting rows into the moments: the old ones fade by as much as they are long."""
        Y, S, pieces = self._batch.states()
        self._batch.forget()
        known = np.isfinite(S).all(axis=1)
        if not known.any():
            return
        new = self._count(Y, S, pieces, known)
        if self._moments is None:
            self._moments = self._as_if_fitted(new)
        self._moments = self._moments.decayed(0.5 ** (new.n * self._dt_s / self.half_life_s)) + new

    def _count(self, Y: F64, S: F64, pieces: AnyArray, known: AnyArray) -> Moments:
        p, full = self._params, self._kalman.q == "full"
        Z = np.column_stack([S[known][:, self._kalman._encoded], np.ones(known.sum())])
        expected = S[known] @ p.C.T + p.b
        missing = ~np.isfinite(Y[known])
        Yk = np.where(missing, expected, Y[known])
        if full:
            together = missing.astype(float)
            T = Yk.T @ Yk + (together.T @ together) * p.Q
        else:
            T = (Yk**2).sum(axis=0) + missing.sum(axis=0) * p.Q
        next_to = known[1:] & known[:-1] & (pieces[1:] == pieces[:-1])
        x, x_next = S[:-1][next_to][:, self._free], S[1:][next_to][:, self._free]
        return Moments(
            Z.T @ Z, Yk.T @ Z, T, float(len(Z)), x.T @ x, x_next.T @ x, x_next.T @ x_next, float(len(x))
        )

    def _as_if_fitted(self, seen: Moments) -> Moments:
        """Return what would have led to the present parameters, had states like these filled the memory."""
        p, cols, free = self._params, self._kalman._encoded, self._free
        share = self.half_life_s / (math.log(2) * self._dt_s) / seen.n if p.C.any() else 0.0
        B = np.column_stack([p.C[:, cols], p.b])
        A, W = p.A[np.ix_(free, free)], p.W[np.ix_(free, free)]
        R, before, n = share * seen.R, share * seen.before, share * seen.n
        BRB = B @ R @ B.T if p.Q.ndim == 2 else np.einsum("ik,kl,il->i", B, R, B)
        pairs = share * seen.pairs
        return Moments(R, B @ R, n * p.Q + BRB, n, before, A @ before, A @ before @ A.T + pairs * W, pairs)

    def _encoder(self, m: Moments, centred: F64) -> tuple[F64, F64, F64]:
        """Maximum likelihood of C, Q, b under a small ridge on C; Q floored and shrunk as offline."""
        cols, n_features, one = self._kalman._encoded, len(m.S), m.R[-1, -1]
        ridge = centred + (self.penalty * np.trace(centred) / len(cols) + 1e-12) * np.eye(len(cols))
        slope = np.linalg.solve(ridge, (m.S[:, :-1] - np.outer(m.S[:, -1], m.R[-1, :-1]) / one).T).T
        b = (m.S[:, -1] - slope @ m.R[:-1, -1]) / one
        B = np.column_stack([slope, b])
        C = np.zeros_like(self._params.C)
        C[:, cols] = slope
        if self._kalman.q == "full":
            Q = (m.T - B @ m.S.T - m.S @ B.T + B @ m.R @ B.T) / m.n
            var = np.diag(Q).copy()
        else:
            var = (m.T - 2 * (B * m.S).sum(axis=1) + np.einsum("ik,kl,il->i", B, m.R, B)) / m.n
        var = np.maximum(var, 1e-4 * var.mean() + 1e-12)
        if self._kalman.q != "full":
            return C, var, b
        Q = 0.5 * (Q + Q.T) * (1.0 - max(self._kalman.q_shrinkage, n_features / (n_features + m.n)))
        Q[np.diag_indices(n_features)] = var
        return C, Q, b

    def _dynamics(self, m: Moments) -> tuple[F64, F64]:
        """Maximum likelihood of A and W; position stays kinematics."""
        A, W, free = self._params.A.copy(), self._params.W.copy(), np.ix_(self._free, self._free)
        eye = np.eye(len(self._free))
        a = np.linalg.solve(m.before + 1e-9 * (np.trace(m.before) + 1e-9) * eye, m.cross.T).T
        w = (m.after - a @ m.cross.T - m.cross @ a.T + a @ m.before @ a.T) / max(m.pairs, 1.0)
        A[free], W[free] = a, 0.5 * (w + w.T)
        return A, W


def free_states(kalman: Kalman) -> AnyArray:
    """Return the states whose dynamics are statistics: all but position, which is kinematics."""
    d, n = kalman.n_dims, kalman.n_states
    return np.r_[:d, min(2 * d, n) : n]
