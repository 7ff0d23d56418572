"""Kalman filter: what the user wants, from what was seen and how movements go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from scipy.linalg import cho_factor, cho_solve

from bmi.compiled import entry, rows
from bmi.contracts import State
from bmi.errors import ContractError, NotFittedError
from bmi.signals import F64, AnyArray, Bundle, Intent, IntentSpec, StreamSpec
from decoders import _kalman_kernels as kernels
from decoders.statespace import (
    KalmanParams,
    fit_dynamics,
    fit_encoder,
    kinematic_states,
    params_from,
    rest_dynamics,
)
from decoders.streams import aligned, axes, bin_s, check_fit, check_rows, hold


@dataclass(kw_only=True)
class Kalman:
    """Kalman filter over velocity, position and acceleration (Wu 2006; Kim 2008; Malik 2011).

    States are ordered velocity, position, acceleration, ``n_dims`` each. The intent is the velocity with its
    covariance. Baselines are an explicit offset ``b`` (no constant state: the filter stays as small as it can
    be). A feature that is NaN, or whose ``mask_`` is False, contributes nothing; the result equals the
    covariance form without that row. Lost bins are bridged by the dynamics alone.

    Attributes
    ----------
    params_ : KalmanParams or None
        Assign between two steps to swap; costs one copy of the numbers.
    mask_ : (n_features,) bool
        After ``bind``; set an element False to silence a feature.
    y_ : (n_features,) float64
        Features the last step used, streams concatenated.

    Notes
    -----
    *Realtime*: one call a bundle. 10 states x 256 channels: information form ~5 µs, steady state ~1.6 µs; both
    allocate nothing. A swap ~20 µs, of a full Q over 256 channels ~35 µs. The covariance form (a millisecond or
    more, allocates) is there to be compared with.
    Missing features cost the information form one more pass over the channels; under a full Q,
    k^3/3 + k m n more; the steady form takes a missing feature to be as predicted.
    """

    states: Literal["velocity", "position-velocity", "position-velocity-acceleration"] = "velocity"
    """What the state holds."""
    form: Literal["information", "covariance", "steady"] = "information"
    """Algebra of the update; the first two agree exactly, the third once the gain has settled."""
    n_dims: Annotated[int, Ge(1), Le(16)] = 2
    """Dimensions of the movement."""
    encode_position: bool = False
    """Whether features may be tuned to position; otherwise they tell of it through velocity alone (Kim 2008)."""
    position: Literal["integrated", "fed-back"] = "integrated"
    """The filter's position: the integral of its velocity, or the effector's own, known for certain (the
    intervention of ReFIT, Gilja 2012: what is not known of the velocity no longer spills over)."""
    q: Literal["diagonal", "full"] = "full"
    """Encoding noise: independent channels, or a covariance shrunk by ``q_shrinkage``."""
    q_shrinkage: Annotated[float, Ge(0), Le(1)] = 0.1
    """Shrinkage of a full Q toward its diagonal."""
    prior_speed_mm_s: Annotated[float, Gt(0)] = 100.0
    """Cold start: standard deviation of intended velocity per dimension, in ``unit``."""
    tau_s: Annotated[float, Gt(0)] = 0.3
    """Cold start: time constant of intended velocity, s."""
    unit: str = "mm/s"
    """Unit of the intent."""

    params_version: int = field(default=0, init=False, repr=False)
    y_: F64 = field(default_factory=lambda: np.zeros(0), init=False, repr=False)
    mask_: AnyArray = field(default_factory=lambda: np.zeros(0, bool), init=False, repr=False)

    def __post_init__(self) -> None:
        if self.position == "fed-back" and self.states == "velocity":
            raise ContractError(
                "kalman: position 'fed-back' needs a state that holds it; set states to position-velocity"
            )
        self.position_: F64 | None = None
        """Once bound, and if fed back: where the effector is, (n_dims,) mm; the line writes it before a step."""
        self._params: KalmanParams | None = None
        self._packed: tuple[F64, ...] = ()

    # ------------------------------------------------------------------------------------- parameters
    @property
    def n_states(self) -> int:
        """States of the filter."""
        return self.n_dims * self._order

    @property
    def _order(self) -> int:
        return self.states.count("-") + 1

    @property
    def _encoded(self) -> AnyArray:
        """Columns of the state the features may be tuned to."""
        d, n = self.n_dims, self.n_states
        return np.arange(n) if self.encode_position else np.r_[:d, min(2 * d, n) : n]

    @property
    def params_(self) -> KalmanParams | None:
        """Learned values; assigning checks shapes and copies them where the kernel reads."""
        return self._params

    @params_.setter
    def params_(self, new: KalmanParams | None) -> None:
        if self._packed:
            if new is None:
                raise NotFittedError("kalman: a bound decoder cannot lose its parameters; assign others")
            for slot, name in zip(self._packed, self._layout, strict=True):
                value = getattr(new, name)
                if value.shape != slot.shape:
                    raise ContractError(
                        f"kalman: params_.{name} has shape {value.shape}, bound to {slot.shape}; "
                        "new parameters must keep features and settings"
                    )
            for slot, name in zip(self._packed, self._layout, strict=True):
                np.copyto(slot, getattr(new, name))
        self._params = new

    @property
    def _layout(self) -> tuple[str, ...]:
        """Fields the kernel reads."""
        if self.form == "steady":
            return ("C", "K", "M", "b", "A", "P")
        return ("C", "G", "b", "A", "W", "D", "Qinv") if self.q == "full" else ("C", "G", "b", "A", "W", "D")

    def _lay_out(self, n: int, m: int) -> tuple[F64, tuple[F64, ...]]:
        """Return the kernel's parameter vector, and where in it each field of ``_layout`` lies.

        Encoding matrices lie transposed and padded, so that sums over channels run along whole cache lines.
        """
        vector = aligned(kernels.params_size(self.form, n, m, self.q == "full"))
        vector[:2] = n, self.n_dims
        m8, n8, at, slots = -(-m // 8) * 8, -(-n // 8) * 8, kernels.HEAD, []
        for name in self._layout:
            if name == "K":
                both = vector[at : at + n * (m8 + n8)].reshape(n, m8 + n8)
                slots += [both[:, :m].T, both[:, m8 : m8 + n]]
                at += both.size
            elif name in "CG":
                slots.append(vector[at : at + n * m8].reshape(n, m8)[:, :m].T)
                at += n * m8
            elif name == "b":
                slots.append(vector[at : at + m])
                at += m8
            elif name != "M":  # lies beside K
                k = m if name == "Qinv" else n
                slots.append(vector[at : at + k * k].reshape(k, k))
                at += k * k
        return vector, tuple(slots)

    def params_like(self, n_features: int) -> KalmanParams:
        """Return zero parameters of the shapes this decoder has with ``n_features``."""
        n, m = self.n_states, n_features
        nn, mn, q = np.zeros((n, n)), np.zeros((m, n)), np.zeros((m, m) if self.q == "full" else m)
        b = np.zeros(m)
        return KalmanParams(nn, nn, mn, q, b, q, mn, nn, nn, mn, nn, np.zeros(1))

    def fit(self, Y: F64, X: F64, *, dt_s: float, groups: AnyArray | None = None) -> Kalman:
        """Fit A, W, C, Q, b by least squares.

        Parameters
        ----------
        Y : (n, n_features)
            Features per bin; NaN where missing.
        X : (n, n_dims) or (n, n_states)
            Velocity in ``unit``; or every state, ordered velocity, position, acceleration. Rows with NaN are
            not learned from (rest between movements, say).
        dt_s : float
            Bin width, s.
        groups : (n,), optional
            Number of the contiguous piece (trial) of each row.

        Raises
        ------
        ContractError
            If lengths differ or there are too few rows.
        """
        Y, X = np.asarray(Y, dtype=np.float64), np.asarray(X, dtype=np.float64)
        groups = np.zeros(len(Y), int) if groups is None else np.asarray(groups)
        check_rows("kalman", Y, X, groups)
        S = kinematic_states(X, self._order, self.n_dims, dt_s, groups)
        A, W = self._pinned(*fit_dynamics(S, self._order, self.n_dims, dt_s, groups))
        C, Q, b = fit_encoder(Y, S, self._encoded, full=self.q == "full", shrinkage=self.q_shrinkage)
        self.params_ = params_from(A, W, C, Q, b, dt_s)
        return self

    def cold_start(self, specs: Sequence[StreamSpec]) -> None:
        """Set parameters that decode to rest: no tuning, unit noise, the prior's dynamics."""
        m, dt_s = sum(s.n_channels for s in specs), bin_s("kalman", specs[0])
        A, W = self._pinned(*rest_dynamics(self._order, self.n_dims, dt_s, self.tau_s, self.prior_speed_mm_s))
        Q = np.eye(m) if self.q == "full" else np.ones(m)
        self.params_ = params_from(A, W, np.zeros((m, self.n_states)), Q, np.zeros(m), dt_s)

    def _pinned(self, A: F64, W: F64) -> tuple[F64, F64]:
        """Where position is fed back it stays as told, without variance, until told again."""
        if self.position == "fed-back":
            d = self.n_dims
            A[d : 2 * d], W[d : 2 * d], W[:, d : 2 * d] = 0.0, 0.0, 0.0
            A[d : 2 * d, d : 2 * d] = np.eye(d)
        return A, W

    # ------------------------------------------------------------------------------------------- life
    def bind(self, specs: Sequence[StreamSpec]) -> IntentSpec:
        """Fix shapes for these feature streams, primary first; compile what is needed.

        Raises
        ------
        NotFittedError
            Without parameters.
        ContractError
            If number of features or bin width differ from what the parameters were made for.
        """
        p, m, n, d = self._params, sum(s.n_channels for s in specs), self.n_states, self.n_dims
        check_fit("kalman", p and (len(p.C), p.dt_s.item()), specs, m)
        assert p is not None  # noqa: S101 - just checked
        if p.C.shape != (m, n):
            raise ContractError(
                f"kalman: parameters have {p.A.shape[0]} states, the settings {n}; "
                "use the settings they were fitted with"
            )
        if self.position == "fed-back" and p.A[d : 2 * d, :d].any():
            raise ContractError(
                "kalman: these parameters integrate the position, the settings feed it back; fit them again"
            )
        self._vector, self._packed = self._lay_out(n, m)
        self.params_ = p
        self._starts = tuple(int(i) for i in np.cumsum([0, *(s.n_channels for s in specs)]))
        self._memory = aligned(kernels.memory_size(n, m, d, self.q == "full"))
        end = n + n * n + m
        self._state, self.y_, self.mask_ = self._memory[:end], self._memory[end - m : end], np.ones(m, bool)
        self.position_ = self._memory[d : 2 * d] if self.position == "fed-back" else None
        out = self._memory[end : end + d + d * d].reshape(d + 1, d)
        cov = self._packed[-1][:d, :d] if self.form == "steady" else out[1:]
        self._intent = Intent(out[0], cov, 0.0, 0.0)
        warm = np.zeros((1, specs[0].n_channels), np.float32)
        warm.flags.writeable = False
        kernel = kernels.steady_rows if self.form == "steady" else kernels.information_rows
        self._kernel = entry(kernel, warm, 0, self.mask_, self._vector, self._memory)
        if self.form == "covariance":
            self._kernel = self._covariance_rows
        self._kernel(warm, 0, self.mask_, self._vector, self._memory)
        self.reset()
        return IntentSpec(dims=axes(d), unit=self.unit, rate_hz=specs[0].rate_hz)

    def step(self, bundle: Bundle) -> Intent | None:
        """Decode every row of the primary chunk; other streams hold their latest row, NaN until seen."""
        if len(bundle) > 1:
            hold(bundle, self.y_, self._starts)
        chunk = bundle[0]
        if chunk is None:
            return None
        seen = self._kernel(rows(chunk.data), chunk.n_lost_before, self.mask_, self._vector, self._memory)
        intent = self._intent
        intent.t = chunk.t.item(-1)
        intent.t_arrival = chunk.t_arrival
        intent.params_version = self.params_version
        intent.abstains = seen == 0
        return intent

    def state(self) -> State:
        """Mean, covariance (n n), and the feature vector with what other streams last said, as one vector."""
        return (self._state,)

    def reset(self) -> None:
        """Known to be at rest; other streams not yet seen."""
        self._state[:] = 0.0
        self.y_[:] = np.nan

    def _covariance_rows(self, data: AnyArray, n_lost: int, mask: AnyArray, params: F64, memory: F64) -> int:
        """The textbook update with the innovation covariance, n_features cubed: to be compared with."""
        p, n, d = self._params, self.n_states, self.n_dims
        x, P, y = memory[:n], memory[n : n + n * n].reshape(n, n), self.y_
        assert p is not None  # noqa: S101 - bind has seen to it
        for _ in range(min(n_lost, kernels.MAX_COAST)):
            x[:], P[:] = p.A @ x, p.A @ P @ p.A.T + p.W
        seen = 0
        for row in data:
            y[: row.size] = row
            x[:], P[:] = p.A @ x, p.A @ P @ p.A.T + p.W
            ok = np.flatnonzero(mask & np.isfinite(y))
            seen = ok.size
            if seen == 0:
                continue
            C = p.C[ok]
            Q = np.diag(p.Q[ok]) if p.Q.ndim == 1 else p.Q[np.ix_(ok, ok)]
            CP = C @ P
            K = cho_solve(cho_factor(CP @ C.T + Q, lower=True, check_finite=False), CP, check_finite=False).T
            x += K @ (y[ok] - p.b[ok] - C @ x)
            P -= K @ CP
            P[:] = 0.5 * (P + P.T)
        self._intent.mean[:], self._intent.cov[:] = x[:d], P[:d, :d]
        return seen
