"""A search believes what Gaussian processes say, tries where most is to be gained, and finds what is there."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import multivariate_normal

from bmi.errors import ContractError
from sim.disease.search import Scales, condition, covariance, evidence, expected_improvement, fit, search
from sim.validation.adaptive_search import PUBLISHED, Programme, energy, landscape, trial

SCALES = Scales(length=np.array([0.4, 0.9]), sd=1.3, noise_sd=0.2, mean=0.5)
X = np.array([[0.0, 0.1], [0.5, 0.9], [1.0, 0.3]])
Y = np.array([0.2, 1.1, -0.4])
GRID = np.array(list(product(np.linspace(-3.0, 3.0, 13), np.linspace(10.0, 40.0, 9))))
BOWL = ((GRID - [1.0, 32.5]) / [3.0, 15.0]) ** 2 @ np.ones(2)


def matern(a, b):
    """Of one pair of points, as the book writes it: a scale an axis, nu = 5/2."""
    r = np.sqrt(sum((p - q) ** 2 / scale**2 for p, q, scale in zip(a, b, SCALES.length, strict=True)))
    return 1.69 * (1.0 + np.sqrt(5.0) * r + 5.0 * r**2 / 3.0) * np.exp(-np.sqrt(5.0) * r)


def bowl(seed, noise=0.02):
    """Return a trial of the bowl, each with noise of its own."""
    rng = np.random.default_rng(seed)
    return lambda row: float(((row - [1.0, 32.5]) / [3.0, 15.0]) ** 2 @ np.ones(2) + noise * rng.normal())


class TestProcess:
    def test_the_posterior_of_three_trials_is_that_of_a_conditioned_normal(self):
        at = np.array([[0.2, 0.2], [0.5, 0.9], [3.0, 3.0]])
        k = np.array([[matern(a, b) for b in X] for a in X]) + 0.04 * np.eye(3)
        mean, sd = condition(X, Y, SCALES).posterior(at)
        for i, point in enumerate(at):
            c = np.array([matern(point, b) for b in X])
            assert mean[i] == pytest.approx(0.5 + c @ np.linalg.inv(k) @ (Y - 0.5), rel=1e-8)
            assert sd[i] == pytest.approx(np.sqrt(1.69 - c @ np.linalg.inv(k) @ c), rel=1e-8)
        assert sd[2] > 1.29  # far away nothing is known

    def test_without_noise_it_passes_through_what_was_seen(self):
        mean, sd = condition(X, Y, SCALES._replace(noise_sd=0.0)).posterior(X)
        np.testing.assert_allclose(mean, Y, atol=1e-7)
        assert sd.max() < 1e-4

    def test_the_evidence_is_the_density_of_the_trials_and_its_gradient_their_slope(self):
        at = np.log([0.4, 0.9, 1.3, 0.2])
        k = covariance(X, X, SCALES) + 0.04 * np.eye(3)
        assert evidence(at, X, Y)[0] == pytest.approx(-multivariate_normal(np.zeros(3), k).logpdf(Y), rel=1e-8)
        for axis, step in enumerate(1e-5 * np.eye(4)):
            slope = (evidence(at + step, X, Y)[0] - evidence(at - step, X, Y)[0]) / 2e-5
            assert evidence(at, X, Y)[1][axis] == pytest.approx(slope, rel=1e-5)

    def test_a_trial_with_four_times_the_variance_counts_as_a_quarter_of_one(self):
        """Four trials of one place and their mean, once, with a quarter of the variance: the same is believed."""
        uneven = np.array([0.25, 1.0, 3.0])
        once = condition(X, np.array([0.35, 1.1, -0.4]), SCALES, uneven)
        four = condition(
            X[[0, 0, 0, 0, 1, 2]], np.array([0.1, 0.2, 0.3, 0.8, 1.1, -0.4]), SCALES, np.array([1, 1, 1, 1, 1, 3.0])
        )
        for one, other in zip(once.posterior(GRID / 40.0), four.posterior(GRID / 40.0), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
        at = np.log([0.4, 0.9, 1.3, 0.2])
        for axis, step in enumerate(1e-5 * np.eye(4)):
            slope = (evidence(at + step, X, Y, uneven)[0] - evidence(at - step, X, Y, uneven)[0]) / 2e-5
            assert evidence(at, X, Y, uneven)[1][axis] == pytest.approx(slope, rel=1e-5)

    def test_scales_are_found_from_a_drawn_surface(self):
        """Of one axis values are alike over 0.2, of the other over 2, and a trial errs by a tenth."""
        rng = np.random.default_rng(6)
        x = rng.random((90, 2))
        true = Scales(np.array([0.2, 2.0]), 1.0, 0.1)
        y = np.linalg.cholesky(covariance(x, x, true) + 0.01 * np.eye(90)) @ rng.normal(size=90) + 4.0
        found = fit(x, y).scales
        assert 0.1 < found.length[0] < 0.4
        assert found.length[1] > 0.8
        assert found.noise_sd == pytest.approx(0.1, rel=0.4)


class TestImprovement:
    @given(mean=st.floats(-2, 2), sd=st.floats(0.05, 2), best=st.floats(-2, 2))
    def test_it_is_the_integral_it_stands_for(self, mean, sd, best):
        def below(u):
            return max(best - mean - sd * u, 0.0) * np.exp(-0.5 * u**2) / np.sqrt(2.0 * np.pi)

        edge = float(np.clip((best - mean) / sd, -12.0, 12.0))
        expected = quad(below, -12.0, edge)[0]
        assert expected_improvement(np.array([mean]), np.array([sd]), best)[0] == pytest.approx(expected, abs=1e-7)

    def test_it_is_the_mean_of_what_is_drawn(self):
        drawn = 0.3 + 0.7 * np.random.default_rng(3).normal(size=200_000)
        gains = np.maximum(0.1 - drawn, 0.0)
        found = expected_improvement(np.array([0.3]), np.array([0.7]), 0.1)[0]
        assert found == pytest.approx(gains.mean(), abs=4.0 * gains.std() / np.sqrt(len(gains)))

    def test_what_is_certain_gains_what_it_is_below_and_never_less_than_nothing(self):
        found = expected_improvement(np.array([1.0, 3.0]), np.zeros(2), 2.0)
        assert found.tolist() == [1.0, 0.0]


class TestSearch:
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_the_bottom_of_a_bowl_is_found_through_noise(self, seed):
        found = search(bowl(seed), GRID, 20, seed)
        assert BOWL[found.index] - BOWL.min() < 0.1
        assert found.index in found.tried
        assert found.cost == pytest.approx(BOWL[found.index], abs=4.0 * found.cost_sd + 0.03)
        assert len(found.tried) == len(found.values) == 20

    def test_what_is_known_needs_no_trial_and_moves_the_optimum(self):
        """Trials see a bowl about 1; with a known slope its bottom is where both together are lowest."""
        known = 0.6 * (GRID[:, 0] + 3.0)
        found = search(bowl(1, 0.0), GRID, 24, 1, known=known)
        total = BOWL + known
        assert total[found.index] - total.min() < 0.05
        assert GRID[found.index, 0] < -0.9
        np.testing.assert_allclose(found.values, BOWL[found.tried], atol=1e-12)

    def test_a_seed_repeats_a_search_and_another_does_not(self):
        one, again, other = (search(bowl(5), GRID, 12, seed) for seed in (4, 4, 5))
        np.testing.assert_array_equal(one.tried, again.tried)
        np.testing.assert_array_equal(one.values, again.values)
        assert one.tried.tolist() != other.tried.tolist()

    def test_units_of_the_axes_change_nothing(self):
        """Only the order of an axis's values counts, unless features say otherwise; of those only the shape counts."""
        trial_of = dict(zip(map(tuple, GRID), BOWL, strict=True))
        stretched = np.exp(GRID / 10.0)
        one = search(lambda row: trial_of[tuple(row)], GRID, 12, 2)
        other = search(lambda row: trial_of[tuple(GRID[(stretched == row).all(1)][0])], stretched, 12, 2)
        featured = search(lambda row: trial_of[tuple(row)], GRID, 12, 2, features=GRID * [5.0, 0.1] + 3.0)
        np.testing.assert_array_equal(one.tried, other.tried)
        np.testing.assert_array_equal(one.tried, featured.tried)

    def test_no_row_is_tried_twice_and_a_whole_grid_can_be(self):
        found = search(bowl(3), GRID[:10], 10, 1)
        assert sorted(found.tried) == list(range(10))

    def test_features_tell_which_rows_are_alike(self):
        """What matters is the product of both axes; told so, it takes half the trials."""
        grid = np.array(list(product(2.0 ** np.arange(8), 2.0 ** np.arange(8))))
        charge = np.log2(grid.prod(1))
        told = search(lambda row: (np.log2(row.prod()) - 9.0) ** 2, grid, 9, 1, features=charge[:, None])
        assert charge[told.index] == 9.0

    @pytest.mark.parametrize(
        ("changed", "match"),
        [
            ({"grid": GRID[0]}, "grid is"), ({"grid": np.full((9, 2), np.nan)}, "finite"),
            ({"known": np.zeros(3)}, "known is"), ({"known": np.full(len(GRID), np.inf)}, "known is.*finite"),
            ({"features": np.zeros((3, 2))}, "features is"), ({"features": np.zeros(len(GRID))}, "features is"),
            ({"one": 0.0}, "one is 0"), ({"n": 6}, "expected 7 to"), ({"n": len(GRID) + 1}, "tried twice"),
            ({"evaluate": lambda row: np.nan}, "gave nan"),
        ],
    )  # fmt: skip
    def test_what_makes_no_sense_is_refused(self, changed, match):
        with pytest.raises(ContractError, match=match):
            search(**{"evaluate": bowl(1), "grid": GRID, "n": 8, "seed": 1, **changed})


class TestProgrammes:
    def test_energy_is_that_of_the_published_programme_at_one_and_200_microampere_take_four_ninths(self):
        assert energy(PUBLISHED) == 1.0
        assert energy(PUBLISHED._replace(density_ua_cm2=200.0)) == pytest.approx(4.0 / 9.0)
        assert energy(Programme(65.0, 150.0, 600e-6)) == pytest.approx(0.25)

    def test_the_stored_landscape_is_what_the_model_gives(self):
        """One entry, run again."""
        found = landscape()
        row = int(np.flatnonzero((found.grid == [100.0, 250.0, 150e-6]).all(1))[0])
        assert trial(Programme(*found.grid[row]), int(found.seeds[2])) == pytest.approx(found.error[row, 2], abs=1e-6)

    def test_a_search_runs_the_model_itself(self):
        """Ten amplitudes at 130 Hz, half a second each: every trial is a run, what fails is not returned."""
        grid = np.array([[30.0], [60.0], [100.0], [150.0], [200.0], [250.0], [300.0]])
        known = 0.1 * np.array([energy(PUBLISHED._replace(density_ua_cm2=row[0])) for row in grid])
        runs = []

        def evaluate(row):
            runs.append(PUBLISHED._replace(density_ua_cm2=row[0]))
            return trial(runs[-1], len(runs), seconds=0.6)

        found = search(evaluate, grid, 6, 1, known=known, one=0.02)
        assert len(runs) == 6
        assert found.values.max() > 0.1
        assert found.values[list(found.tried).index(found.index)] < 0.1
        again = [trial(programme, i + 1, seconds=0.6) for i, programme in enumerate(runs)]
        np.testing.assert_array_equal(found.values, again)
