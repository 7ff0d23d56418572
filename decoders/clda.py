"""Closed-loop decoder adaptation: the encoder is refitted while the participant uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.contracts import Decoder
from bmi.errors import ContractError, NotFittedError
from bmi.signals import F64
from decoders.kalman import Kalman
from decoders.statespace import KalmanParams, fit_encoder, params_from


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
        """Start from the decoder's parameters.

        Raises
        ------
        ContractError
            If the decoder is no Kalman filter, or of another size.
        NotFittedError
            If it has no parameters, not even a cold start.
        """
        if not isinstance(decoder, Kalman):
            raise ContractError(
                f"smoothbatch adapts a 'kalman' decoder, given {type(decoder).__name__}; choose another learner"
            )
        if decoder.params_ is None:
            raise NotFittedError("smoothbatch: the decoder has no parameters; start it cold or load a calibration")
        if decoder.params_.C.shape[0] != n_features or decoder.n_dims != n_dims:
            raise ContractError(
                f"smoothbatch: decoder has {len(decoder.params_.C)} features, {decoder.n_dims} dimensions, "
                f"told {n_features} and {n_dims}"
            )
        self._params: KalmanParams = decoder.params_
        self._full, self._shrinkage = decoder.q == "full", decoder.q_shrinkage
        self._dt_s, self._d = dt_s, n_dims
        self._capacity = max(round(self.batch_s / dt_s), self.min_samples)
        self._y = np.zeros((self._capacity, n_features))
        self._x = np.zeros((self._capacity, n_dims))
        self._n = 0
        self.rejected_ = {"few": 0, "not finite": 0, "no variety": 0}

    def observe(self, y: F64, intended: F64, t: float) -> None:
        """Take one feature vector (n_features,), NaN where missing, and the velocity intended (n_dims,)."""
        if self._n < self._capacity and np.isfinite(intended).all():
            self._y[self._n] = y
            self._x[self._n] = intended
            self._n += 1

    def update(self) -> KalmanParams | None:
        """Return new parameters once a batch is full and passes the guards, else None."""
        return self._learn() if self._n == self._capacity else None

    def finish(self) -> KalmanParams | None:
        """Return the parameters after the last, partial batch, or None if it holds too little."""
        return self._learn()

    def _learn(self) -> KalmanParams | None:
        """Fit, guard, mix; the batch is forgotten whatever comes of it."""
        n, self._n = self._n, 0
        if n < self.min_samples:
            self.rejected_["few"] += 1
            return None
        Y, X, old = self._y[:n], self._x[:n], self._params
        spread = np.linalg.eigvalsh(np.atleast_2d(np.cov(X.T)))
        if spread[0] <= 1e-3 * spread[-1]:  # intentions along one line say nothing of the other directions
            self.rejected_["no variety"] += 1
            return None
        S = np.zeros((n, old.A.shape[0]))
        S[:, : self._d] = X
        C, Q, b = fit_encoder(
            Y, S, np.arange(self._d), full=self._full, shrinkage=self._shrinkage, penalty=self.penalty
        )
        unseen = np.isfinite(Y).sum(axis=0) < self.min_samples  # keep what was known of silent channels
        C[unseen], b[unseen] = old.C[unseen], old.b[unseen]
        if not self._full:
            Q[unseen] = old.Q[unseen]
        if not all(np.isfinite(a).all() for a in (C, Q, b)):
            self.rejected_["not finite"] += 1
            return None
        if old.C.any():
            # a partial batch weighs by what it holds
            rho = 0.5 ** (n * self._dt_s / self.half_life_s)
            C[:, self._d :] = old.C[:, self._d :]
            norm, step = np.linalg.norm(old.C), np.linalg.norm((1 - rho) * (C - old.C))
            rho = 1 - (1 - rho) * min(1.0, self.step_limit * norm / max(step, 1e-300))
            C, Q, b = (rho * o + (1 - rho) * a for o, a in ((old.C, C), (old.Q, Q), (old.b, b)))
        self._params = params_from(old.A, old.W, C, Q, b, self._dt_s)
        return self._params
