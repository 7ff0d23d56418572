"""Linear decoding from a short history of features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Le
from scipy.linalg import cho_factor, cho_solve

from bmi.contracts import State
from bmi.errors import ContractError, NotFittedError
from bmi.signals import F64, AnyArray, Bundle, Intent, IntentSpec, StreamSpec
from decoders import _linear_kernels as kernels
from decoders.statespace import pieces
from decoders.streams import axes, bin_s, check_fit, check_rows, hold


class RidgeParams(NamedTuple):
    """Learned values; ``m`` features, ``d`` dimensions, ``h`` bins of history."""

    mean: F64
    """(m,) mean of the features."""
    offset: F64
    """(d,) mean of the kinematics."""
    cov: F64
    """(d, d) covariance of the error on held-out data."""
    W: F64
    """(d, h, m) weights, current bin first."""
    dt_s: F64
    """(1,) bin width, s."""


@dataclass(kw_only=True)
class Ridge:
    """Wiener filter with a ridge penalty (Serruya 2002, Nature 416:141; Carmena 2003, PLoS Biol 1:193).

    Velocity is a weighted sum of the last ``history`` bins of every feature. The penalty is chosen among
    ``alphas`` by cross-validation over contiguous pieces; it treats all features alike, so put a ``zscore``
    stage before features of mixed units. A feature that is NaN, lost, or before the first bin counts as its
    mean.

    Attributes
    ----------
    params_ : RidgeParams or None
        Assign between two steps to swap.
    alpha_ : float
        The penalty chosen, as a fraction of the mean variance.
    y_ : (n_features,) float64
        Features the last step used, streams concatenated.

    Notes
    -----
    *Realtime*: one call a bundle; 256 features, 10 bins, 2 dimensions ~3 µs; allocates nothing.
    """

    history: Annotated[int, Ge(1), Le(200)] = 10
    """Bins seen, the current one included."""
    alphas: tuple[float, ...] = (0.003, 0.03, 0.3, 3.0)
    """Penalties tried, as fractions of the features' mean variance; one fixes it."""
    folds: Annotated[int, Ge(2)] = 5
    """Parts of the training set held out in turn."""
    n_dims: Annotated[int, Ge(1), Le(16)] = 2
    """Dimensions of the movement."""
    unit: str = "mm/s"
    """Unit of the intent."""

    params_version: int = field(default=0, init=False, repr=False)
    y_: F64 = field(default_factory=lambda: np.zeros(0), init=False, repr=False)

    def __post_init__(self) -> None:
        self._params: RidgeParams | None = None
        self._packed: tuple[F64, ...] = ()

    @property
    def params_(self) -> RidgeParams | None:
        """Learned values; assigning checks shapes and copies them where the kernel reads."""
        return self._params

    @params_.setter
    def params_(self, new: RidgeParams | None) -> None:
        if self._packed:
            if new is None:
                raise NotFittedError("ridge: a bound decoder cannot lose its parameters; assign others")
            for slot, value, name in zip(self._packed, new[:4], new._fields, strict=False):
                if slot.shape != value.shape:
                    raise ContractError(
                        f"ridge: params_.{name} has shape {value.shape}, bound to {slot.shape}; "
                        "new parameters must keep features and settings"
                    )
            for slot, value in zip(self._packed, new[:4], strict=True):
                np.copyto(slot, value)
        self._params = new

    def params_like(self, n_features: int) -> RidgeParams:
        """Return zero parameters of the shapes this decoder has with ``n_features``."""
        m, d = n_features, self.n_dims
        return RidgeParams(np.zeros(m), np.zeros(d), np.zeros((d, d)), np.zeros((d, self.history, m)), np.zeros(1))

    def fit(self, Y: F64, X: F64, *, dt_s: float, groups: AnyArray | None = None) -> Ridge:
        """Fit on features ``Y`` (n, n_features) and velocity ``X`` (n, n_dims) in ``unit``.

        Rows whose history would cross the start of a contiguous piece are left out. Rows whose kinematics
        are NaN lend their features as history and are not learned from (rest between movements, say).

        Raises
        ------
        ContractError
            If rows or columns do not match, or too few rows have a whole history.
        """
        Y, X = np.asarray(Y, dtype=np.float64), np.asarray(X, dtype=np.float64)
        groups = np.zeros(len(Y), int) if groups is None else np.asarray(groups)
        check_rows("ridge", Y, X, groups)
        if X.shape[1] != self.n_dims:
            raise ContractError(f"ridge.fit: X has {X.shape[1]} columns, n_dims is {self.n_dims}")
        mean = np.nanmean(Y, axis=0)
        Z, rows, fold = lagged(np.nan_to_num(Y - mean), X, self.history, groups, self.folds)
        if len(Z) < 2 * self.folds:
            raise ContractError(
                f"ridge.fit: {len(Z)} rows have a history of {self.history} bins and a target; "
                "record longer pieces or shorten the history"
            )
        middle, offset = Z.mean(axis=0), X[rows].mean(axis=0)
        Z -= middle
        V = X[rows] - offset
        self.alpha_, rest = choose(Z, V, fold, self.alphas)
        W = solve(Z.T @ Z, Z.T @ V, self.alpha_)
        offset = offset - middle @ W
        W = np.ascontiguousarray(W.T.reshape(self.n_dims, self.history, Y.shape[1]))
        self.params_ = RidgeParams(mean, offset, rest.T @ rest / len(rest), W, np.array([dt_s]))
        return self

    def cold_start(self, specs: Sequence[StreamSpec]) -> None:
        """Set parameters that decode to rest."""
        p = self.params_like(sum(s.n_channels for s in specs))
        self.params_ = p._replace(cov=np.eye(self.n_dims), dt_s=np.array([bin_s("ridge", specs[0])]))

    def bind(self, specs: Sequence[StreamSpec]) -> IntentSpec:
        """Fix shapes for these feature streams, primary first. Raises NotFittedError, ContractError."""
        p, m, d, h = self._params, sum(s.n_channels for s in specs), self.n_dims, self.history
        check_fit("ridge", p and (p.W.shape[2], p.dt_s.item()), specs, m)
        assert p is not None  # noqa: S101 - just checked
        if p.W.shape != (d, h, m):
            raise ContractError(
                f"ridge: parameters have {p.W.shape[0]} dimensions and {p.W.shape[1]} bins of history, "
                f"settings say {d} and {h}; use the settings they were fitted with"
            )
        self._vector, at, slots = np.zeros(m + d + d * d + d * h * m), 0, []
        for a in p[:4]:
            slots.append(self._vector[at : at + a.size].reshape(a.shape))
            at += a.size
        self._packed = tuple(slots)
        self.params_ = p
        self._starts = tuple(int(i) for i in np.cumsum([0, *(s.n_channels for s in specs)]))
        self._m = m
        self._memory = np.zeros(1 + h * m + m + d + d * d + m)
        end = 1 + h * m + m
        self._state, self.y_ = self._memory[:end], self._memory[end - m : end]
        self._intent = Intent(
            self._memory[end : end + d], self._memory[end + d : end + d + d * d].reshape(d, d), 0.0, 0.0
        )
        warm = np.zeros((1, specs[0].n_channels), np.float32)
        for writable in (True, False):  # two types to numba
            warm.flags.writeable = writable
            kernels.history_rows(warm, 0, m, self._vector, self._memory, h, d)
        self.reset()
        return IntentSpec(dims=axes(d), unit=self.unit, rate_hz=specs[0].rate_hz)

    def step(self, bundle: Bundle) -> Intent | None:
        """Take in every row of the primary chunk, decode the newest; others hold their latest row."""
        if len(bundle) > 1:
            hold(bundle, self.y_, self._starts)
        chunk = bundle[0]
        if chunk is None:
            return None
        seen = kernels.history_rows(
            chunk.data, chunk.n_lost_before, self._m, self._vector, self._memory, self.history, self.n_dims
        )
        intent = self._intent
        intent.t = chunk.t.item(-1)
        intent.t_arrival = chunk.t_arrival
        intent.params_version = self.params_version
        intent.abstains = seen == 0
        return intent

    def state(self) -> State:
        """Place in the history, history, and the newest features, as one vector."""
        return (self._state,)

    def reset(self) -> None:
        """Forget the history."""
        self._state[:] = np.nan
        self._state[0] = 0.0


def lagged(Y: F64, X: F64, history: int, groups: AnyArray, folds: int) -> tuple[F64, AnyArray, AnyArray]:
    """Return (rows, history n) features current first, the rows they end on, and the fold of each.

    Folds are made of whole pieces where there are enough, else of blocks of time.
    """
    taught = np.isfinite(X).all(axis=1)
    parts = [np.arange(g.start + history - 1, g.stop) for g in pieces(groups)]
    parts = [p[taught[p]] for p in parts if taught[p].any()]
    rows = np.concatenate(parts) if parts else np.zeros(0, int)
    if len(parts) >= folds:
        fold = np.concatenate([np.full(len(p), i % folds) for i, p in enumerate(parts)])
    else:
        fold = np.arange(len(rows)) * folds // max(len(rows), 1)
    return np.hstack([Y[rows - k] for k in range(history)]), rows, fold


def solve(gram: F64, cross: F64, alpha: float) -> F64:
    """Return ridge weights; ``alpha`` is relative to the mean eigenvalue of ``gram``."""
    ridge = gram + (alpha * np.trace(gram) / len(gram) + 1e-12) * np.eye(len(gram))
    return cho_solve(cho_factor(ridge, overwrite_a=True, check_finite=False), cross, check_finite=False)


def choose(Z: F64, V: F64, fold: AnyArray, alphas: Sequence[float]) -> tuple[float, F64]:
    """Return the penalty with the smallest held-out error, and its held-out errors (n, d)."""
    parts = [(Z[fold == f], V[fold == f]) for f in np.unique(fold)]
    gram, cross = Z.T @ Z, Z.T @ V
    best, best_rest = float("nan"), np.full_like(V, np.inf)
    grams = [(z.T @ z, z.T @ v) for z, v in parts]
    for alpha in alphas:
        rest = np.vstack(
            [v - z @ solve(gram - g, cross - c, alpha) for (z, v), (g, c) in zip(parts, grams, strict=True)]
        )
        if (rest**2).sum() < (best_rest**2).sum():
            best, best_rest = float(alpha), rest
    return best, best_rest
