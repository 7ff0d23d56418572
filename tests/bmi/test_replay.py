"""Replay: every step of a recorded session repeats to the last bit, and a recording that was tampered with does not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from live_rig import recorded, rewrite

from bmi.errors import ContractError, RecipeError, RecordingError
from bmi.params import flatten, unflatten
from bmi.recording import Recording
from bmi.replay import COMPARED, Replay, recipe_of, verify


@pytest.fixture(scope="module")
def lived():
    return recorded()


@pytest.fixture(scope="module")
def steps(lived):
    return lived.recording.read("/steps")


def middle(where):
    """Return the place of the middle one of the rows for which ``where`` holds."""
    found = np.flatnonzero(where)
    return int(found[len(found) // 2])


# ------------------------------------------------------------------ what was lived repeats
def test_a_fresh_recording_repeats_bit_by_bit(lived, steps):
    report = verify(lived.out)
    assert (report["n_differing"], report["n_skipped"], report["first_difference"]) == (0, 0, None)
    assert report["n_steps"] == len(steps) > 1000
    spoken = int(steps["has_intent"].sum())
    assert report["n_values"] == len(steps) * 11 + spoken * (2 + 4 + 2)
    # It was worth repeating: parameters changed, commands were limited, STOP was pressed, the cursor moved.
    assert len(np.unique(steps["params_version"])) > 1
    assert len(np.unique(steps["gate_state"])) >= 3
    assert np.ptp(steps["position"], axis=0).min() > 10.0


def test_a_journal_that_knew_of_no_clicks_repeats_too(lived, steps, tmp_path):
    fields = [n for n in steps.dtype.names if "select" not in n]
    earlier = np.zeros(len(steps), [(n, steps.dtype[n]) for n in fields])
    for n in fields:
        earlier[n] = steps[n]
    report = verify(rewrite(lived.out, tmp_path / "earlier", {"/steps": earlier}))
    assert (report["n_steps"], report["n_differing"], report["n_skipped"]) == (len(steps), 0, 0)
    assert report["n_values"] == len(steps) * 8 + int(steps["has_intent"].sum()) * (2 + 4 + 2)


def test_replay_gives_recorded_and_repeated_side_by_side(lived, steps):
    replay = Replay(Recording.open(lived.out))
    n = 0
    for was, now in replay.repeat():
        assert was["step"] == now["step"] == n
        n += 1
    assert n == len(steps)
    assert replay.recipe.session.seed == 3
    assert replay.n_skipped == 0


def test_one_part_of_a_session_repeats_alone(lived, tmp_path):
    shutil.copy(lived.out / "part-000.mcap", tmp_path)
    assert verify(tmp_path / "part-000.mcap")["n_differing"] == 0


# ------------------------------------------------------------------ what was forged does not
def test_a_recording_written_again_unchanged_still_repeats(lived, tmp_path):
    report = verify(rewrite(lived.out, tmp_path / "copy"))
    assert (report["n_differing"], report["n_skipped"]) == (0, 0)


def test_one_changed_sample_is_found_from_its_bin_on(lived, steps, tmp_path):
    samples = lived.recording.read("/samples/m1")
    spoke = middle((steps["has_intent"] == 1) & (steps["params_version"] > 0))
    seq = int(steps["seq"][spoke, 0])
    samples["data"][np.searchsorted(samples["seq"], seq), 5] += 1.0
    report = verify(rewrite(lived.out, tmp_path / "forged", {"/samples/m1": samples}))
    assert report["n_differing"] > 2
    assert report["first_difference"].startswith(f"step {int(steps['step'][spoke])}, decoded: recorded [")


def test_the_last_bit_of_one_decoded_value_is_found(lived, steps, tmp_path):
    forged = steps.copy()
    k = middle(forged["has_intent"] == 1)
    forged["decoded"][k, 1] = np.nextafter(forged["decoded"][k, 1], np.inf)
    report = verify(rewrite(lived.out, tmp_path / "forged", {"/steps": forged}))
    assert report["n_differing"] == 1
    assert report["n_steps"] == len(steps)
    assert report["first_difference"].startswith(f"step {int(forged['step'][k])}, decoded: recorded [")


def test_the_sign_of_a_zero_is_a_difference(lived, steps, tmp_path):
    forged = steps.copy()
    k = middle((forged["command_seq"] >= 0) & (forged["command"][:, 0] == 0.0))
    forged["command"][k, 0] *= -1.0
    assert verify(rewrite(lived.out, tmp_path / "forged", {"/steps": forged}))["n_differing"] == 1


def test_every_output_of_a_step_is_compared(lived, steps, tmp_path):
    forged = steps.copy()
    places = np.flatnonzero(steps["has_intent"] == 1)[20 :: len(COMPARED)][: len(COMPARED)]
    silent = middle(steps["has_intent"] == 0)
    for place, name in zip(places, COMPARED, strict=True):
        k = silent if name == "has_intent" else place
        value = np.atleast_1d(forged[name][k]).copy()
        value.view("<i8").ravel()[0] ^= 1  # the last bit
        forged[name][k] = value if forged[name][k].shape else value[0]
    report = verify(rewrite(lived.out, tmp_path / "forged", {"/steps": forged}))
    assert report["n_differing"] == len(COMPARED)


@pytest.mark.parametrize("name", ["now", "position", "assist", "arm_word", "stop_word"])
def test_every_input_of_a_step_matters(lived, steps, tmp_path, name):
    forged = steps.copy()
    k = middle((steps["block"] == 0) & (steps["has_intent"] == 1) & (steps["gate_state"] == 2) & (steps["assist"] > 0))
    if name.endswith("_word"):
        forged[name][k:] = 1 - forged[name][k]
    elif name == "now":
        forged[name][k] += 1.0  # the samples of this step are a second old, then
    else:
        forged[name][k] += 0.25
    report = verify(rewrite(lived.out, tmp_path / "forged", {"/steps": forged}))
    assert report["n_differing"] > 0
    first = int(report["first_difference"].split(",")[0].removeprefix("step "))
    assert first >= steps["step"][k]


@pytest.mark.parametrize("name", ["A", "b", "G"])
def test_one_changed_parameter_is_found_from_its_version_on(lived, tmp_path, name):
    params = lived.recording.read("/params")
    assert len(params) > 1
    decoder = Replay(Recording.open(lived.out)).line.pipeline.decoder
    values = unflatten(decoder.params_, params["values"][1].copy())
    getattr(values, name).flat[np.argmax(np.abs(getattr(values, name)))] *= 1.0 + 1e-9
    params["values"][1] = flatten(values)
    report = verify(rewrite(lived.out, tmp_path / "forged", {"/params": params}))
    assert report["n_differing"] > 0
    first = int(report["first_difference"].split(",")[0].removeprefix("step "))
    assert first >= params["step"][1]


# ------------------------------------------------------------------ what is missing is skipped, and only that
def test_where_samples_are_missing_it_goes_on_from_the_next_snapshot(lived, steps, tmp_path):
    samples, snapshots = lived.recording.read("/samples/m1"), lived.recording.read("/snapshots")
    a = len(samples) // 3
    hurt = (steps["n_samples"][:, 0] > 0) & (steps["seq"][:, 0] + steps["n_samples"][:, 0] > samples["seq"][a])
    hurt &= steps["seq"][:, 0] < samples["seq"][a + 40]
    first, last = steps["step"][np.flatnonzero(hurt)[[0, -1]]]
    again = snapshots["step"][snapshots["step"] > last][0]
    out = rewrite(lived.out, tmp_path / "torn", without={"/samples/m1": (a, a + 40)})
    assert Recording.open(out).gaps("/samples/m1") == [(a, a + 40)]
    report = verify(out)
    assert report["n_differing"] == 0
    assert report["n_skipped"] == again - first
    assert report["n_steps"] == len(steps) - (again - first)


def test_where_steps_are_missing_it_goes_on_from_the_next_snapshot(lived, steps, tmp_path):
    snapshots = lived.recording.read("/snapshots")
    a = len(steps) // 3
    again = snapshots["step"][snapshots["step"] > steps["step"][a]][0]
    report = verify(rewrite(lived.out, tmp_path / "torn", without={"/steps": (a, a + 1)}))
    assert report["n_differing"] == 0
    assert report["n_skipped"] == again - steps["step"][a] - 1
    assert report["n_steps"] == len(steps) - (again - steps["step"][a])


# ------------------------------------------------------------------ what is no session of ours
def with_recipe(lived, tmp_path, change):
    """Return a copy of the recording that says it was run with another recipe."""
    metadata = json.loads(json.dumps(lived.recording.metadata))
    recipe = json.loads(metadata["recipe"]["json"])
    change(recipe)
    metadata["recipe"]["json"] = json.dumps(recipe)
    return rewrite(lived.out, tmp_path / "other", metadata=metadata)


def test_a_recipe_with_another_source_is_named(lived, tmp_path):
    out = with_recipe(lived, tmp_path, lambda r: r["sources"][0].update(name="m2") or r["world"].update(name="m2"))
    with pytest.raises(RecordingError, match=r"no topic '/samples/m2'.*did you mean|no topic '/samples/m2'.*m1"):
        verify(out)


def test_a_recipe_with_another_decoder_does_not_fit_its_parameters(lived, tmp_path):
    out = with_recipe(lived, tmp_path, lambda r: r["decoder"].update(states="position-velocity"))
    with pytest.raises(ContractError, match=r"decoder settings or number of features differ|another recipe"):
        verify(out)


def test_a_recipe_nobody_can_build_is_refused_with_its_problem(lived, tmp_path):
    out = with_recipe(lived, tmp_path, lambda r: r["decoder"].update(use="kalmann"))
    with pytest.raises(RecipeError, match=r"(?s)other.*decoder\.use.*kalman"):
        verify(out)


def test_a_recording_without_recipe_is_refused(lived, tmp_path):
    out = rewrite(lived.out, tmp_path / "plain", metadata={})
    with pytest.raises(RecordingError, match="holds no recipe"):
        recipe_of(Recording.open(out))


def test_a_recording_without_steps_is_refused(lived, steps, tmp_path):
    out = rewrite(lived.out, tmp_path / "empty", without={"/steps": (0, len(steps))})
    with pytest.raises(RecordingError, match="steps"):
        verify(out)


@pytest.mark.parametrize("content", [b"not a recording", bytes(range(256)) * 64])
def test_garbage_is_no_recording(tmp_path, content):
    (tmp_path / "part-000.mcap").write_bytes(content)
    with pytest.raises(RecordingError, match=r"part-000\.mcap"):
        verify(tmp_path)


def test_an_empty_part_holds_nothing_to_repeat(tmp_path):
    (tmp_path / "part-000.mcap").touch()
    with pytest.raises(RecordingError, match="holds no recipe"):
        verify(tmp_path)


def test_an_empty_folder_and_none_at_all_are_no_recording(tmp_path):
    with pytest.raises(RecordingError, match=r"expected part-000\.mcap"):
        verify(tmp_path)
    with pytest.raises(RecordingError, match="no such file or folder"):
        verify(tmp_path / "nowhere")


# ------------------------------------------------------------------ at the command line
def bmi(*words):
    return subprocess.run([sys.executable, "-c", "from bmi.cli import main; main()", *words],
                          capture_output=True, text=True, timeout=60)  # fmt: skip


def test_the_command_says_0_for_a_true_recording_and_3_for_a_forged_one(lived, steps, tmp_path):
    good = bmi("replay", str(lived.out), "--verify", "--json")
    assert good.returncode == 0, good.stderr
    assert json.loads(good.stdout) == verify(lived.out)

    forged = steps.copy()
    forged["command"][middle(forged["command_seq"] >= 0), 0] += 1.0
    out = rewrite(lived.out, tmp_path / "forged", {"/steps": forged})
    bad = bmi("replay", str(out), "--verify", "--json")
    assert bad.returncode == 3
    assert json.loads(bad.stdout)["n_differing"] == 1
    assert "Traceback" not in bad.stderr


def test_the_command_refuses_garbage_with_2_and_a_sentence(tmp_path):
    (tmp_path / "part-000.mcap").write_bytes(b"not a recording")
    refused = bmi("replay", str(tmp_path), "--verify")
    assert refused.returncode == 2
    assert refused.stderr.startswith("bmi: ")
    assert "Traceback" not in refused.stderr
