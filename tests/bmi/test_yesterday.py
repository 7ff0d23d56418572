"""What was learned yesterday is loaded today: saved parameters, named in a recipe, control the cursor at once."""

import numpy as np
import pytest

from bmi.errors import RecipeError
from bmi.params import load, save
from bmi.recipe import build, read
from bmi.simulate import simulate

FREE = {"blocks": [{"name": "free", "trials": 8, "scored": True}]}


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Calibrate in lock-step and save what came of it."""
    recipe = build(read("center_out", {"blocks.1.trials": 1, "world.subject": 3}), "yesterday")
    decoder = simulate(recipe).decoder
    path = tmp_path_factory.mktemp("yesterday") / "params.safetensors"
    save(path, "kalman", decoder.params_, {"n_features": 96})
    return path


def today(path, **more):
    raw = read("center_out", {"world.subject": 3, "session.seed": 99, "decoder.params": str(path), **more}) | FREE
    del raw["decoder"]["learner"]
    return raw


def test_saved_parameters_steer_without_calibration(learned):
    assert simulate(build(today(learned), "today")).summary["success_rate"] >= 0.75


def test_without_them_nothing_can_be_bound(learned):
    from bmi.errors import NotFittedError

    raw = today(learned)
    del raw["decoder"]["params"]
    with pytest.raises(NotFittedError, match="fit"):
        simulate(build(raw, "today"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decoder.params": "/nowhere/params.safetensors"}, "decoder.params: .*no such parameter file"),
        ({"decoder.params": 3}, "decoder.params: expected the path of a parameter file, given 3"),
        ({"decoder.states": "position-velocity"}, "decoder.params: .*do not fit"),
        ({"decoder.use": "ridge"}, "decoder.params: .*holds parameters of 'kalman', this decoder is 'ridge'"),
    ],
)
def test_parameters_that_do_not_fit_are_named_with_their_path(learned, change, message):
    raw = today(learned, **change)
    if change.get("decoder.use"):
        raw["decoder"] = {"use": "ridge", "params": str(learned)}
    with pytest.raises(RecipeError, match=message):
        build(raw, "today")


def test_the_file_says_what_it_holds(learned):
    loaded = load(learned)
    assert loaded.decoder == "kalman"
    assert loaded.manifest == {"n_features": 96}
    assert all(np.isfinite(a).all() for a in loaded.arrays.values())
