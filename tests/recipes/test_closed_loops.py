"""Recipes that close a loop do what they say, and do it with the neurons: with permuted channels they must fail."""

import pytest

from bmi import recipe
from bmi.simulate import simulate

PERMUTED = {"session.permute_channels": True}


def summary(name, changes):
    return simulate(recipe.load(name, changes)).summary


def test_pursuit_reaches_target_after_target():
    s = summary("pursuit", {"blocks.1.trials": 20})
    assert s["n_trials"] == 20
    assert s["success_rate"] >= 0.9
    assert s["chance"] < 0.2
    assert s["path_efficiency"] > 0.6


def test_pursuit_fails_with_permuted_channels():
    s = summary("pursuit", {"blocks.1.trials": 6, "task.timeout_s": 2.0, **PERMUTED})
    assert s["success_rate"] < 0.5


@pytest.mark.bars
@pytest.mark.timeout(600)
@pytest.mark.parametrize("click", ["hmm", "lda"])
def test_the_grid_reaches_published_figures_over_20_seeds(click):
    """Simulated participants; people reached 1.4 to 4.2 bit/s by such means (Pandarinath et al. 2017)."""
    done = [summary("grid", {"session.seed": seed, "click.use": click}) for seed in range(20)]
    rates = sorted(s["bits_s"] for s in done)
    assert rates[0] > 2.5
    assert 3.0 < sum(rates) / 20 < 4.5
    assert sum(s["n_wrong"] for s in done) < 0.05 * sum(s["n_trials"] for s in done)
