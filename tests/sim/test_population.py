"""The population fires as its equation says: tuned, late, Poisson, and together only as far as asked."""

from __future__ import annotations

import numpy as np
import pytest
import reference_sim
from scipy import stats

from bmi.errors import ContractError
from sim import GRID_S
from sim._population_kernels import poisson_block, tuned_rates
from sim.population import Population, preferred_directions


def bound(population: Population, *, seed=1, n_neurons=96, n_dims=2, rate_hz=1000.0) -> Population:
    rng = np.random.default_rng(seed)
    population.bind(*rng.spawn(2), n_neurons=n_neurons, n_dims=n_dims, rate_hz=rate_hz)
    return population


def fire(population: Population, velocity: np.ndarray) -> np.ndarray:
    """Return counts (n_blocks, n_samples, n_neurons) for intended velocities (n_blocks, n_dims)."""
    n = len(population.baselines_hz_)
    counts = np.empty((len(velocity), population.n_samples, n), np.float32)
    for v, block in zip(velocity, counts, strict=True):
        population.step(v, block)
    return counts


def wandering(seconds: float, *, seed=2, n_dims=2, sd_mm_s=120.0, tau_s=0.2) -> np.ndarray:
    """Return intended velocities that wander without preferred direction."""
    normal = np.random.default_rng(seed).standard_normal((round(seconds / GRID_S), n_dims))
    decay = np.exp(-GRID_S / tau_s)
    velocity = np.zeros_like(normal)
    for i in range(1, len(normal)):
        velocity[i] = decay * velocity[i - 1] + np.sqrt(1 - decay**2) * normal[i]
    return sd_mm_s * velocity


class TestTuning:
    def test_regressing_counts_on_intention_recovers_directions_and_depths(self):
        population = bound(Population(shared=0.0, baseline_hz=40.0, baseline_spread=0.1, lag_max_s=0.0))
        velocity = wandering(300.0)
        rates = fire(population, velocity).sum(axis=1) / GRID_S
        speed = np.linalg.norm(velocity, axis=1)
        regressors = np.column_stack([velocity, speed, np.ones_like(speed)]) / [200.0, 200.0, 200.0, 1.0]
        found = np.linalg.lstsq(regressors, rates, rcond=None)[0]

        depth = np.linalg.norm(found[:2], axis=0)
        cosine = np.sum(found[:2].T / depth[:, None] * population.directions_, axis=1)
        error_deg = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        assert np.median(error_deg) < 5.0
        assert np.percentile(error_deg[population.depths_hz_ > 7.0], 95) < 8.0
        assert np.abs(depth / population.depths_hz_ - 1).mean() < 0.15
        assert np.abs(found[2] - population.speeds_hz_).mean() < 1.0
        assert np.allclose(found[3], population.baselines_hz_, rtol=0.1)

    def test_depths_and_baselines_are_lognormal_about_their_medians(self):
        population = bound(Population(), n_neurons=4000)
        for values, median, spread in (
            (population.depths_hz_, population.depth_hz, population.depth_spread),
            (population.baselines_hz_, population.baseline_hz, population.baseline_spread),
        ):
            assert stats.kstest(np.log(values / median) / spread, "norm").pvalue > 0.01

    @pytest.mark.parametrize("n_dims", [1, 2, 3])
    def test_preferred_directions_are_unit_vectors_that_favour_none(self, n_dims):
        directions = preferred_directions(np.random.default_rng(3), 3000, n_dims)
        assert np.allclose(np.linalg.norm(directions, axis=1), 1.0)
        assert np.abs(directions.mean(axis=0)).max() < 0.05
        assert np.allclose(directions.T @ directions / 3000, np.eye(n_dims) / n_dims, atol=0.03)

    def test_even_a_dozen_neurons_leave_no_blind_direction_in_the_plane(self):
        for seed in range(20):
            angle = np.arctan2(*preferred_directions(np.random.default_rng(seed), 12, 2).T)
            gaps = np.diff(np.sort(angle), append=np.sort(angle)[0] + 2 * np.pi)
            assert gaps.max() < 2 * 2 * np.pi / 12

    def test_cross_correlation_finds_the_lag_of_every_neuron(self):
        population = bound(
            Population(shared=0.0, depth_hz=40.0, depth_spread=0.0, baseline_hz=60.0, lag_max_s=0.08),
            n_neurons=12,
        )
        velocity = wandering(120.0, tau_s=0.03)
        counts = fire(population, velocity).reshape(-1, 12)
        per_sample = np.repeat(velocity, population.n_samples, axis=0)
        candidates = np.arange(0, 101)
        for i, lag in enumerate(population.lags_):
            drive = per_sample @ population.directions_[i]
            drive -= drive.mean()
            at = np.flatnonzero(counts[:, i])
            at = at[at >= candidates[-1]]
            match = [np.dot(counts[at, i], drive[at - c]) for c in candidates]
            assert abs(candidates[int(np.argmax(match))] - lag) <= 8
        assert population.lags_.max() - population.lags_.min() > 30

    def test_a_neuron_answers_a_sudden_intention_exactly_after_its_lag(self):
        population = bound(
            Population(
                shared=0.0,
                baseline_hz=1e-9,
                depth_hz=50_000.0,
                depth_spread=0.0,
                speed_hz=0.0,
                lag_max_s=0.08,
            ),
            n_neurons=64,
        )
        onset = 10
        velocity = np.zeros((30, 2))
        velocity[onset:] = 200.0, 0.0
        counts = fire(population, velocity).reshape(-1, 64)
        willing = population.directions_[:, 0] > 0.5
        first = np.argmax(counts > 0, axis=0)
        assert np.array_equal(first[willing], onset * 10 + population.lags_[willing])
        assert not counts[:, population.directions_[:, 0] < 0].any()


class TestSpikes:
    def test_counts_at_rest_are_poisson_without_shared_noise(self):
        population = bound(Population(shared=0.0))
        counts = fire(population, np.zeros((20_000, 2))).reshape(2000, -1, 96).sum(axis=1)
        fano = counts.var(axis=0, ddof=1) / counts.mean(axis=0)
        assert abs(fano.mean() - 1.0) < 0.02
        assert np.allclose(counts.mean(axis=0) / 0.1, population.baselines_hz_, rtol=0.2)
        mean = counts[:, 0].mean()
        expected = stats.poisson.pmf(np.arange(3), mean) * len(counts)
        observed = [(counts[:, 0] == k).sum() for k in range(3)]
        assert (
            stats.chisquare([*observed, 2000 - sum(observed)], [*expected, 2000 - expected.sum()]).pvalue
            > 0.001
        )

    def test_shared_noise_raises_the_fano_factor_and_correlates_neurons(self):
        def second_counts(shared):
            population = bound(Population(shared=shared))
            return fire(population, np.zeros((40_000, 2))).reshape(400, -1, 96).sum(axis=1)

        alone, together = second_counts(0.0), second_counts(0.3)
        pairs = np.triu_indices(96, 1)
        fano = (together.var(axis=0, ddof=1) / together.mean(axis=0)).mean()
        assert 1.2 < fano < 2.0
        assert abs(np.corrcoef(alone.T)[pairs].mean()) < 0.01
        assert 0.05 < np.corrcoef(together.T)[pairs].mean() < 0.4

    def test_no_two_channels_carry_the_same_noise(self):
        population = bound(Population(shared=0.0, baseline_spread=0.0, depth_hz=0.0, speed_hz=0.0))
        counts = fire(population, np.zeros((2000, 2))).reshape(-1, 96)
        assert len(np.unique(counts, axis=1).T) == 96
        assert np.abs(np.corrcoef(counts.T)[np.triu_indices(96, 1)]).max() < 0.05

    def test_a_rate_below_zero_is_silence(self):
        population = bound(Population(baseline_hz=1.0, depth_hz=500.0, speed_hz=0.0, shared=0.0))
        counts = fire(population, np.tile([200.0, 0.0], (200, 1)))[20:].sum(axis=(0, 1))
        assert not counts[population.directions_[:, 0] < -0.1].any()

    def test_each_session_of_a_subject_has_new_noise_on_the_same_neurons(self):
        sessions = []
        for noise in (1, 2):
            population = Population()
            population.bind(
                np.random.default_rng(7), np.random.default_rng(noise), n_neurons=20, n_dims=2, rate_hz=1000.0
            )
            sessions.append((population.directions_, fire(population, np.zeros((100, 2)))))
        assert np.array_equal(sessions[0][0], sessions[1][0])
        assert not np.array_equal(sessions[0][1], sessions[1][1])


class TestKernels:
    def test_tuned_rates_equal_the_equation(self):
        rng = np.random.default_rng(4)
        for n_dims in (1, 2, 3):
            coefficients, velocity = rng.normal(size=(50, n_dims + 2)), rng.normal(size=n_dims)
            rates = np.empty(50)
            tuned_rates(coefficients, velocity, rates)
            assert np.allclose(rates, reference_sim.tuned_rates(coefficients, velocity), rtol=1e-12)

    @pytest.mark.parametrize("rate_hz", [100.0, 1000.0, 3000.0])
    def test_counts_equal_poisson_quantiles_at_lagged_rates(self, rate_hz):
        rng = np.random.default_rng(5)
        n, n_samples, n_blocks = 30, round(rate_hz * GRID_S), 12
        rates = rng.uniform(-100.0, 600.0, (n_blocks, n))
        lags = rng.integers(0, 8 * n_samples, n)
        lags[:3] = 0, n_samples, 8 * n_samples
        split = np.stack(np.divmod(lags, n_samples), axis=1)
        history = np.zeros((split[:, 0].max() + 2, n))
        for block in range(n_blocks):
            history[block % len(history)] = rates[block]
        shared, uniform = rng.normal(0, 50.0, n), rng.random((n_samples, n))
        counts = np.empty((n_samples, n), np.float32)
        poisson_block(n_blocks - 1, 1 / rate_hz, history, split, shared, uniform, counts)
        expected = reference_sim.poisson_block(
            n_blocks - 1, 1 / rate_hz, rates, lags, shared, uniform, n_samples
        )
        assert np.array_equal(counts, expected)
        assert counts.max() > 0

    def test_the_most_unlikely_draw_ends(self):
        uniform = np.full((10, 1), np.nextafter(1.0, 0.0))
        counts = np.empty((10, 1), np.float32)
        poisson_block(
            0, 1e-3, np.full((2, 1), 20.0), np.zeros((1, 2), np.int64), np.zeros(1), uniform, counts
        )
        assert ((counts > 0) & (counts < 15)).all()


class TestRefusals:
    def test_a_rate_that_does_not_fill_ten_milliseconds(self):
        with pytest.raises(ContractError, match=r"rate_hz is 1024.*multiple of 100 Hz"):
            bound(Population(), rate_hz=1024.0)

    def test_lags_the_wrong_way_round(self):
        with pytest.raises(ContractError, match=r"lag_max_s is 0.01.*lag_min_s = 0.05"):
            bound(Population(lag_min_s=0.05, lag_max_s=0.01))
