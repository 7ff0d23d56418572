"""ReFIT: a second decoder from the first one's closed loop, with intentions in place of movements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.contracts import Decoder
from bmi.errors import ContractError
from bmi.signals import F64
from decoders.clda import Labelled, pupil, refitted, untaught
from decoders.rml import free_states
from decoders.statespace import KalmanParams, fit_dynamics, params_from


@dataclass(kw_only=True)
class ReFIT:
    """ReFIT (Gilja et al. 2012, Nat Neurosci 15:1752).

    While the participant uses a first decoder, each decoded velocity is turned toward the target, keeping its
    speed, and set to zero inside it (``bmi.intentions: rotated``, which this learner asks for unless the
    recipe names another). All parameters are then fitted anew on these intentions, in one batch.

    The other half of the paper, position known for certain in the filter, is the decoder's:
    ``states: position-velocity``, ``encode_position: true``, ``position: fed-back``.

    Attributes
    ----------
    rejected_ : dict of str to int
        Batches turned down, by reason.
    """

    intention: ClassVar[str] = "rotated"
    """Estimator of labels it is made for."""

    batch_s: Annotated[float, Gt(0)] | None = None
    """Labelled data per refit, s; None refits once, at the end of the block."""
    max_s: Annotated[float, Gt(0)] = 900.0
    """Longest batch, s: what comes later in the block is not kept."""
    min_samples: Annotated[int, Ge(8)] = 500
    """Fewest samples a refit may rest on."""
    dynamics: Literal["kept", "refitted"] = "refitted"
    """Whether A and W are fitted on the intentions too, or stay those of the first decoder."""
    penalty: Annotated[float, Ge(0), Le(1)] = 0.0
    """Ridge on the encoder, as a fraction of the intention's mean square."""

    def __post_init__(self) -> None:
        if self.batch_s is not None and self.batch_s > self.max_s:
            raise ContractError(
                f"refit: batch_s={self.batch_s:g} is beyond max_s={self.max_s:g}; raise the latter, or leave "
                "batch_s out to refit at the end of the block"
            )

    def bind(self, decoder: Decoder, n_features: int, n_dims: int, dt_s: float) -> None:
        """Start from the decoder's parameters. Raises ContractError, NotFittedError."""
        self._kalman, self._params = pupil("refit", decoder, n_features, n_dims)
        self._dt_s, self._d = dt_s, n_dims
        room = round((self.batch_s or self.max_s) / dt_s)
        self._batch = Labelled(max(room, self.min_samples), self._kalman, n_features, dt_s)
        self.rejected_ = {"few": 0, "not finite": 0, "no variety": 0}

    def observe(self, y: F64, intended: F64, t: float, position: F64 | None = None) -> None:
        """Take one feature vector (n_features,), NaN where missing, and the velocity intended (n_dims,)."""
        self._batch.add(y, intended, t, position)

    def update(self) -> KalmanParams | None:
        """Return new parameters once ``batch_s`` is full, else None."""
        return self._learn() if self.batch_s is not None and self._batch.full else None

    def finish(self) -> KalmanParams | None:
        """Return the parameters refitted on the block, or None if it holds too little."""
        return self._learn()

    def revert(self, params: KalmanParams) -> None:
        """Go on from ``params``; what was observed since is forgotten."""
        self._params = params
        self._batch.forget()

    def _learn(self) -> KalmanParams | None:
        """Fit; the batch is forgotten whatever comes of it."""
        Y, S, pieces = self._batch.states()
        self._batch.forget()
        old, kalman = self._params, self._kalman
        taught = np.isfinite(S).all(axis=1)
        if reason := untaught(S[taught, : self._d], self.min_samples):
            self.rejected_[reason] += 1
            return None
        C, Q, b = refitted(Y[taught], S[taught], kalman, old, self.min_samples // 2, self.penalty)
        A, W = old.A, old.W
        if self.dynamics == "refitted":
            free = np.ix_(free_states(kalman), free_states(kalman))
            new_A, new_W = fit_dynamics(S, kalman.n_states // self._d, self._d, self._dt_s, pieces)
            A, W = old.A.copy(), old.W.copy()
            A[free], W[free] = new_A[free], new_W[free]
        if not all(np.isfinite(a).all() for a in (A, W, C, Q, b)):
            self.rejected_["not finite"] += 1
            return None
        self._params = params_from(A, W, C, Q, b, self._dt_s)
        return self._params
