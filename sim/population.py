"""A population of motor-cortical neurons, tuned to where the user intends to move.

Each neuron fires as an inhomogeneous Poisson process. Its rate follows the intended velocity v some tens of
milliseconds late, with a preferred direction d and a term for speed alone [1]_, [2]_, changes while a click c is
intended (a grasp) [4]_, and rides on a slow fluctuation z that neurons share [3]_::

    rate_i(t) = max(0, b_i + m_i d_i·v(t - lag_i) / v_ref + s_i |v(t - lag_i)| / v_ref + g_i c(t - lag_i) + l_i·z(t))

Refractoriness is left out: at 10–60 Hz it changes the counts of a 20 ms bin by less than their Poisson noise.

.. [1] Georgopoulos et al. (1982) J Neurosci 2:1527. Cosine tuning.
.. [2] Moran & Schwartz (1999) J Neurophysiol 82:2676. Direction and speed.
.. [3] Kohn & Smith (2005) J Neurosci 25:3661; Smith & Kohn (2008) J Neurosci 28:12591. Shared variability.
.. [4] Kim et al. (2011) IEEE TNSRE 19:193. A grasp intended during neural cursor control, decoded as a click.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import F32, F64, I64
from sim import GRID_S
from sim._population_kernels import poisson_block, tuned_rates


@dataclass(kw_only=True)
class Population:
    """How the neurons of a subject are distributed, and, once bound, the neurons themselves."""

    baseline_hz: Annotated[float, Gt(0)] = 10.0
    """Median firing rate at rest, Hz; lognormal over neurons."""
    baseline_spread: Annotated[float, Ge(0)] = 0.5
    """Standard deviation of its logarithm."""
    depth_hz: Annotated[float, Ge(0)] = 7.0
    """Median modulation by direction at the reference speed, Hz; lognormal over neurons."""
    depth_spread: Annotated[float, Ge(0)] = 0.5
    """Standard deviation of its logarithm."""
    speed_hz: Annotated[float, Ge(0)] = 2.0
    """Standard deviation over neurons of the modulation by speed alone, Hz at the reference speed."""
    click_hz: Annotated[float, Ge(0)] = 8.0
    """Standard deviation over neurons of the modulation by an intended click, Hz."""
    reference_mm_s: Annotated[float, Gt(0)] = 200.0
    """Intended speed at which a neuron is modulated by its full depth, mm/s."""
    lag_min_s: Annotated[float, Ge(0)] = 0.0
    """Shortest lag from intention to firing, s."""
    lag_max_s: Annotated[float, Ge(0)] = 0.08
    """Longest lag, s; uniform over neurons."""
    shared: Annotated[float, Ge(0)] = 0.2
    """Standard deviation of the common fluctuation, as a fraction of each neuron's baseline."""
    shared_rank: Annotated[int, Ge(1)] = 2
    """How many independent fluctuations the neurons share."""
    shared_s: Annotated[float, Gt(0)] = 0.3
    """Correlation time of the fluctuations, s."""

    def bind(
        self,
        subject: np.random.Generator,
        noise: np.random.Generator,
        *,
        n_neurons: int,
        n_dims: int,
        rate_hz: float,
    ) -> None:
        """Draw the neurons from ``subject``; what they will fire comes from ``noise``.

        Raises
        ------
        ContractError
            If 10 ms are not a whole number of samples, or the lags are the wrong way round.
        """
        n_samples = round(rate_hz * GRID_S)
        if n_samples < 1 or abs(n_samples - rate_hz * GRID_S) > 1e-9:
            raise ContractError(
                f"Population: rate_hz is {rate_hz:g}, expected a multiple of {1 / GRID_S:g} Hz, because "
                f"counts are drawn in blocks of {GRID_S * 1e3:g} ms; give e.g. 1000"
            )
        if self.lag_max_s < self.lag_min_s:
            raise ContractError(
                f"Population: lag_max_s is {self.lag_max_s:g}, expected at least "
                f"lag_min_s = {self.lag_min_s:g}; exchange them"
            )
        self._draw_neurons(subject, n_neurons, n_dims, rate_hz)
        self._noise = noise
        self._dt_s = 1.0 / rate_hz
        self._decay = math.exp(-GRID_S / self.shared_s)
        self._lags: I64 = np.stack(np.divmod(self.lags_, n_samples), axis=1)
        self._coefficients: F64 = np.column_stack(
            [
                self.depths_hz_[:, None] * self.directions_ / self.reference_mm_s,
                self.speeds_hz_ / self.reference_mm_s,
                self.baselines_hz_,
            ]
        )
        self._history: F64 = np.tile(self.baselines_hz_, (int(self._lags[:, 0].max()) + 2, 1))
        self._fluctuation: F64 = noise.standard_normal(self.shared_rank)
        self._uniform: F64 = np.empty((n_samples, n_neurons))
        self._normal: F64 = np.empty(self.shared_rank)
        self._block = 0
        self._warm()

    def _warm(self) -> None:
        """Compile what ``step`` calls, so that the first block costs what the others do."""
        rates, n_dims = self.baselines_hz_.copy(), self.directions_.shape[1]
        tuned_rates(self._coefficients, np.zeros(n_dims), rates)
        counts = np.empty(self._uniform.shape, np.float32)
        poisson_block(0, self._dt_s, self._history, self._lags, rates, np.zeros(counts.shape), counts)

    def _draw_neurons(self, rng: np.random.Generator, n: int, n_dims: int, rate_hz: float) -> None:
        self.baselines_hz_: F64 = self.baseline_hz * np.exp(self.baseline_spread * rng.standard_normal(n))
        self.depths_hz_: F64 = self.depth_hz * np.exp(self.depth_spread * rng.standard_normal(n))
        self.speeds_hz_: F64 = self.speed_hz * rng.standard_normal(n)
        self.directions_: F64 = preferred_directions(rng, n, n_dims)
        lags_s = rng.uniform(self.lag_min_s, self.lag_max_s, n)
        self.lags_: npt.NDArray[np.int64] = np.rint(lags_s * rate_hz).astype(np.int64)
        """Lag of each neuron, samples."""
        loadings: F64 = rng.standard_normal((n, self.shared_rank))
        loadings[:, 0] = (
            1.0 + 0.5 * loadings[:, 0]
        )  # most neurons rise together: noise correlations are positive
        loadings /= np.linalg.norm(loadings, axis=1, keepdims=True)
        self.loadings_hz_: F64 = self.shared * self.baselines_hz_[:, None] * loadings
        self.clicks_hz_: F64 = self.click_hz * rng.standard_normal(n)

    @property
    def n_samples(self) -> int:
        """Samples in a block of 10 ms."""
        return len(self._uniform)

    def step(self, velocity: F64, counts: F32, click: float = 0.0) -> None:
        """Write the next 10 ms of spike counts into ``counts`` (n_samples, n_neurons), given the intention.

        ``velocity`` (n_dims,), mm/s, and ``click``, 0 to 1, hold for the whole block. Every block takes the same
        number of random numbers in the same order, so nothing depends on how the samples are cut into chunks later.
        """
        self._noise.standard_normal(out=self._normal)
        self._noise.random(out=self._uniform)
        self._fluctuation *= self._decay
        self._fluctuation += math.sqrt(1.0 - self._decay**2) * self._normal
        rates = self._history[self._block % len(self._history)]
        tuned_rates(self._coefficients, velocity, rates)
        if click:
            rates += click * self.clicks_hz_
        shared = self.loadings_hz_ @ self._fluctuation
        poisson_block(self._block, self._dt_s, self._history, self._lags, shared, self._uniform, counts)
        self._block += 1


def preferred_directions(rng: np.random.Generator, n: int, n_dims: int) -> F64:
    """Return ``n`` unit vectors (n, n_dims), uniform over directions.

    In the plane they are spread evenly (one in each of n equal sectors, in random order), so that a small
    population has no blind direction by chance; elsewhere they are drawn independently.
    """
    if n_dims == 2:
        angle = 2.0 * np.pi * (rng.permutation(n) + rng.random(n)) / n
        return np.column_stack([np.cos(angle), np.sin(angle)])
    vector: F64 = rng.standard_normal((n, n_dims))
    vector /= np.linalg.norm(vector, axis=1, keepdims=True)
    return vector
