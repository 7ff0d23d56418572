"""Lock-step simulation: a seed gives a session to the byte, and the loop closes only with the right decoder."""

import json

import pytest

from bmi import recipe
from bmi.errors import ContractError, RecipeError
from bmi.report import to_json
from bmi.simulate import T0, simulate

SHORT = {"blocks.0.seconds": 12, "blocks.1.trials": 3}


def run(**more):
    overrides = {k.replace("__", "."): v for k, v in more.items()}
    return simulate(recipe.load("center_out", overrides))


@pytest.fixture(scope="module")
def shipped():
    """The shipped recipe with 16 trials."""
    return run(blocks__1__trials=16)


def short(**more):
    return to_json(simulate(recipe.load("center_out", {**SHORT, **more})).summary)


def test_the_participant_reaches_in_the_shipped_recipe(shipped):
    s = shipped.summary
    assert s["n_trials"] == 16
    assert s["success_rate"] >= 0.9
    assert s["n_success"] == round(16 * s["success_rate"])
    assert s["params_version"] >= 2
    assert s["lost"] == 0


def test_with_permuted_channels_the_same_participant_fails():
    s = run(blocks__1__trials=16, session__permute_channels=True).summary
    assert s["n_trials"] == 16
    assert s["success_rate"] <= 0.2
    assert s["params_version"] >= 2  # it learned, and learned the wrong channels


def test_the_same_seed_gives_the_same_summary_to_the_byte():
    assert short() == short()


def test_another_seed_gives_another_session():
    one, other = (json.loads(short(**{"session.seed": seed})) for seed in (1, 2))
    assert one["acquisition_s"] != other["acquisition_s"]


def test_how_it_is_watched_changes_nothing():
    seen = []
    checked = recipe.load("center_out", SHORT)
    done = simulate(checked, lambda name, share: seen.append((name, share)))
    assert to_json(done.summary) == short()
    assert list(dict.fromkeys(name for name, _ in seen)) == ["calibrate", "centre-out"]
    assert all(0.0 <= share <= 1.0 for _, share in seen)
    first = [share for name, share in seen if name == "calibrate"]
    assert first == sorted(first)


def test_simulated_time_is_the_samples_time_and_passes_faster_than_ours(shipped):
    assert shipped.simulated_s == pytest.approx(shipped.summary["samples"] / 1000.0)
    assert shipped.simulated_s > shipped.wall_s


def test_the_journal_of_the_scored_block_is_kept(shipped):
    steps = shipped.score.scored_steps()
    assert set(steps["block"].tolist()) == {1}
    assert (steps["command_seq"] >= 0).all()
    assert steps["now"][0] > T0 + 24.0
    assert not steps["assist"].any()
    assert len(shipped.score.results()) == 16


def test_the_device_is_at_rest_and_closed_afterwards():
    checked = recipe.load("center_out", SHORT)
    simulate(checked)
    assert not checked.device.effector.velocity.any()


def test_a_recipe_without_a_participant_cannot_be_simulated():
    checked = recipe.load("center_out", {"world": None})
    with pytest.raises(RecipeError, match=r"world: lock-step simulation needs a simulated participant"):
        simulate(checked)


@pytest.mark.parametrize("key", ["blocks.0.seconds", "blocks.1.trials"])
def test_a_block_without_an_end_cannot_be_simulated(key):
    checked = recipe.load("center_out", {key: None, "blocks.0.assist": [0.5, 0.5]})
    with pytest.raises(RecipeError, match=rf"blocks\[{key[7]}\]: never ends: give 'seconds' or 'trials'"):
        simulate(checked)


def test_both_are_told_at_once():
    checked = recipe.load("center_out", {"world": None, "blocks.1.trials": None})
    with pytest.raises(RecipeError) as caught:
        simulate(checked)
    assert [p.path for p in caught.value.problems] == ["world", "blocks[1]"]


def test_what_does_not_fit_is_said_before_anything_moves():
    checked = recipe.load("center_out", {"device.n_dims": 3})
    with pytest.raises(ContractError, match="the decoder gives 2 dimensions"):
        simulate(checked)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_without_calibration_nothing_is_reached(share):
    """Assist that never fades moves the cursor by itself; what is scored comes after it, without."""
    blocks = [
        {"name": "help", "seconds": 2, "assist": [share, share]},
        {"name": "alone", "trials": 4, "scored": True},
    ]
    s = run(blocks=blocks).summary
    assert (s["n_trials"], s["n_success"], s["params_version"]) == (4, 0, 0)


def test_a_session_nobody_scores_has_no_score_but_counts():
    s = run(blocks=[{"name": "help", "seconds": 3, "assist": [1.0, 1.0]}]).summary
    assert s["n_trials"] == 0
    assert s["success_rate"] is None
    assert 3000 <= s["samples"] <= 3005
    assert s["commands"] > 100


def test_a_recipe_that_was_simulated_can_be_simulated_again_with_the_same_result():
    checked = recipe.load("center_out", SHORT)
    assert to_json(simulate(checked).summary) == to_json(simulate(checked).summary)


def test_the_stream_the_stages_are_for_is_the_participants_whatever_its_name_in_the_recipe():
    """Else the stages would be left out without a word, and the decoder would see samples instead of bins."""
    told, other = (json.loads(short(**more)) for more in ({}, {"sources.0.name": "", "sources.0.type": "spikes"}))
    assert list(told.pop("streams").values()) == list(other.pop("streams").values())
    assert other == told


@pytest.mark.parametrize(
    "wrong", [{"name": "elsewhere"}, {"unit": "µV"}, {"n_channels": 7}, {"rate_hz": 500.0}], ids=str
)
def test_a_source_the_participant_does_not_provide_is_refused(wrong):
    (key,) = wrong
    with pytest.raises(RecipeError, match=rf"sources\[0\]\.{key}: is .*, but the world sends"):
        recipe.load("center_out", {**SHORT, f"sources.0.{key}": wrong[key]})
