"""A whole session with a grid: calibrated with the click, kept for the next day, lived live and repeated to the bit."""

import asyncio

import numpy as np
import pytest

from bmi.errors import NotFittedError, RecipeError
from bmi.params import Both, load, save
from bmi.recipe import build, read
from bmi.recording import Recording
from bmi.replay import verify
from bmi.session import Session
from bmi.simulate import simulate

FREE = {"blocks": [{"name": "free", "trials": 12, "scored": True}]}


@pytest.fixture(scope="module")
def calibrated():
    """Calibrate for half a minute in lock-step, then select twelve cells (simulated participant, seed 7)."""
    return simulate(build(read("grid", {"blocks.0.seconds": 40, "blocks.1.trials": 12, "world.subject": 3}), "grid"))


@pytest.fixture(scope="module")
def learned(calibrated, tmp_path_factory):
    path = tmp_path_factory.mktemp("day") / "params.safetensors"
    return save(path, "kalman", calibrated.params, {"n_features": 96, "click": "hmm"})


def tomorrow(**more):
    raw = read("grid", {"world.subject": 3, "session.seed": 99, **more}) | FREE
    del raw["decoder"]["learner"]
    return raw


def test_it_selects_and_says_how_well(calibrated):
    s = calibrated.summary
    assert (s["n_trials"], s["n_targets"], s["n_correct"] + s["n_wrong"]) == (12, 36, 12)
    assert s["n_correct"] >= 9
    expected = np.log2(35) * (s["n_correct"] - s["n_wrong"]) / s["selections_s"]
    assert s["bits_s"] == pytest.approx(expected)
    assert s["bits_s_ci"][0] <= s["bits_s"] <= s["bits_s_ci"][1]
    assert s["intervals"]["bit_rate_bit_s"] == s["bits_s_ci"]
    assert (s["chance"], s["chance_bits_s"]) == (1 / 36, 0.0)
    assert s["bits_s"] > 2.0


def test_time_is_counted_from_the_first_target_to_the_last_selection(calibrated):
    results = calibrated.score.results()
    whole = results[-1].t_start_s + results[-1].acquire_s - results[0].t_start_s
    assert calibrated.summary["selections_s"] == pytest.approx(whole, abs=0.03)


def test_time_after_the_last_selection_is_time_to_select_in():
    """A block that ends by the clock, with a participant who stops selecting in it."""
    raw = read("grid", {"blocks.0.seconds": 1, "gate.select.threshold": 1.0}) | {
        "blocks": [{"name": "free", "seconds": 14, "scored": True}]
    }
    s = simulate(build(raw, "grid")).summary
    assert (s["n_wrong"], s["bits_s"]) == (1, 0.0), "ten seconds for one target, then four more"
    assert s["selections_s"] == pytest.approx(14.0, abs=0.05)


def test_clicks_that_are_learned_with_permuted_channels_select_nothing():
    s = simulate(
        build(
            read("grid", {"blocks.0.seconds": 30, "blocks.1.trials": 2, "session.permute_channels": True,
                          "task.timeout_s": 5.0}), "grid",
        )
    ).summary  # fmt: skip
    assert s["n_correct"] == 0


# --- the next day -----------------------------------------------------------------------------------------------


def test_one_file_brings_both_decoders_back(learned):
    recipe = build(tomorrow(**{"decoder.params": str(learned)}), "tomorrow")
    assert recipe.click.params_.w.any()
    assert simulate(recipe).summary["n_correct"] >= 8


def test_a_recipe_without_clicks_takes_the_decoder_from_the_same_file(learned):
    raw = read("center_out", {"world.subject": 3, "decoder.params": str(learned)})
    del raw["decoder"]["learner"]
    raw["blocks"] = [{"name": "free", "trials": 2, "scored": True}]
    recipe = build(raw, "reach")
    np.testing.assert_array_equal(recipe.decoder.params_.C, load(learned).arrays["C"])


def test_clicks_may_come_from_a_file_of_their_own(learned, calibrated, tmp_path):
    alone = save(tmp_path / "p.safetensors", "kalman", calibrated.params.decoder, {"n_features": 96})
    with pytest.raises(NotFittedError, match="hmm"):
        simulate(build(tomorrow(**{"decoder.params": str(alone)}), "tomorrow"))
    words = {"decoder.params": str(alone), "click.params": str(learned)}
    assert build(tomorrow(**words), "tomorrow").click.params_.w.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"click.params": "/nowhere.safetensors"}, "click.params: .*no such parameter file"),
        ({"click.params": 3}, "click.params: expected the path of a parameter file, given 3"),
        ({"click": {"use": "lda"}}, None),
        ({"click": {"use": "lda", "params": "LEARNED"}}, "click.params: .*of 'hmm', this click decoder is 'lda'"),
    ],
    ids=["missing", "no path", "another kind, in the decoder's file", "another kind, in its own"],
)
def test_parameters_that_do_not_fit_are_named_with_their_path(learned, change, message):
    change = {k: {a: str(learned) if b == "LEARNED" else b for a, b in v.items()} if k == "click" else v
              for k, v in change.items()}  # fmt: skip
    raw = tomorrow(**{"decoder.params": str(learned), **change})
    if message is None:
        assert build(raw, "tomorrow").click.params_ is None
        return
    with pytest.raises(RecipeError, match=message):
        build(raw, "tomorrow")


# --- live --------------------------------------------------------------------------------------------------------


async def live(out):
    more = {"blocks.0.seconds": 5.0, "blocks.1.seconds": 2.0, "blocks.0.assist": [1.0, 0.6], "session.seed": 3,
            "assist.select_after_s": 0.3, "decoder.learner.batch_s": 2.0, "decoder.learner.half_life_s": 4.0,
            "decoder.learner.min_samples": 30}  # fmt: skip
    async with Session.open("grid", more, out=out) as s:
        return await s.run()


def test_a_live_session_selects_and_repeats_to_the_bit(tmp_path):
    summary = asyncio.run(live(tmp_path / "out"))
    steps = Recording.open(tmp_path / "out").read("/steps")
    report = verify(tmp_path / "out")
    assert (report["n_differing"], report["n_skipped"], report["first_difference"]) == (0, 0, None)
    assert steps["select"].sum() >= 3
    assert steps["intended_select"].max() > 0.5
    assert len(np.unique(steps["params_version"])) > 1
    loaded = load(summary["params"])
    assert loaded.manifest["click"] == "hmm"
    assert {"C", "click.w", "click.transition"} <= loaded.arrays.keys()


def test_both_travel_as_one(calibrated):
    assert isinstance(calibrated.params, Both)
    assert calibrated.params.click.w.any()
    assert 0.0 < calibrated.params.click.transition[0] < calibrated.params.click.transition[1] < 1.0
