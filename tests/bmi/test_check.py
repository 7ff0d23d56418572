"""``bmi check`` binds everything a recipe describes, and opens nothing."""

import pytest

from bmi import recipe
from bmi.check import check, specs_known
from bmi.errors import ContractError, NotFittedError

LIVE = {"world": None, "sources.0.n_channels": 32, "sources.0.rate_hz": 1000}


def told(**more):
    return check(recipe.load("center_out", {k.replace("__", "."): v for k, v in more.items()}))


def test_the_shipped_recipe_fits_together():
    report = told()
    assert report["bound"] == "yes"
    assert report["streams"] == ["m1: 96 channels, 1000 Hz, count"]
    assert report["features"] == ["m1: 96, 50 Hz, count"]
    assert report["blocks"] == ["calibrate", "centre-out"]
    assert (report["session"], report["seed"]) == ("center-out", 7)
    assert (report["decoder"], report["decoder.learner"], report["device"]) == ("kalman", "smoothbatch", "cursor")


def test_streams_the_recipe_describes_are_bound_without_a_participant():
    report = check(recipe.load("center_out", LIVE))
    assert report["bound"] == "yes"
    assert report["streams"] == ["m1: 32 channels, 1000 Hz, count"]


@pytest.mark.parametrize("key", ["n_channels", "rate_hz", "unit"])
def test_streams_it_does_not_describe_are_not_guessed(key):
    checked = recipe.load("center_out", {**LIVE, f"sources.0.{key}": None})
    assert specs_known(checked) is None
    report = check(checked)
    assert report["bound"].startswith("no: the streams' shapes are known only once they are open; give n_channels")
    assert "features" not in report


def test_a_declared_pull_sizes_the_buffers():
    (spec,) = specs_known(recipe.load("center_out", {**LIVE, "sources.0.samples_per_pull": 40}))
    assert spec.max_samples == 40


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"stages.0.bin_s": 0.0205}, r"stage 0 \(Bin\) of stream 'm1'.*expected a whole number"),
        ({"device.n_dims": 3}, r"the decoder gives 2 dimensions"),
        ({"device": {"use": "null", "unit": "deg/s"}}, r"the device takes 'deg/s', the decoder gives 'mm/s'"),
        ({"gate.workspace_mm": [300.0]}, r"workspace_mm has 1 widths, the device has 2 dimensions"),
        ({"stages.0.bin_s": 0.1}, r"speaks 10 times a second, which the dead-man of 0\.08 s takes for silence"),
        ({"world.chunk_s": 0.0025}, r"chunk_s = 0\.0025 holds 2\.5 samples at 1000 Hz"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(overrides, message):
    with pytest.raises(ContractError, match=message):
        check(recipe.load("center_out", overrides))


def test_a_decoder_nobody_will_ever_fit_is_refused():
    with pytest.raises(NotFittedError, match="no parameters; fit, load a calibration, or start cold with a learner"):
        told(decoder={"use": "kalman"}, blocks=[{"name": "run"}])
