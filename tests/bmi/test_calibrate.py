"""Calibration: phases that end by rule, a judgement by trials nothing was learned from, and only then parameters."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from bmi.calibrate import calibrating, keep, report, run_lock_step
from bmi.calibration import Calibration
from bmi.errors import RecipeError, RecordingError
from bmi.params import load
from bmi.recipe import build, read
from bmi.simulate import simulate

BMI = Path(sys.executable).parent / "bmi"
GOOD = {
    "success_rate": 0.9, "success_ci": [0.75, 1.0], "chance": 0.1, "n_trials": 24, "acquisition_s": 1.1, "bits_s": 1.0
}  # fmt: skip


def calibrated(tmp_path, **more):
    raw = read("center_out", {"calibration.check_trials": 8, **more})
    checked, calibration = calibrating(raw, "center_out")
    return run_lock_step(checked, tmp_path / "out", lambda name, share: None), calibration


def test_the_phases_follow_one_another_and_help_fades(tmp_path):
    summary, calibration = calibrated(tmp_path)
    phases = {b["name"]: b for b in summary["blocks"]}
    assert list(phases) == ["open-loop", "assisted", "free", "check"]
    assert phases["open-loop"]["assist_at_end"] == 1.0
    assert phases["check"]["assist_at_end"] == 0.0
    assert phases["assisted"]["trials"] >= 10  # ten steps of a tenth from 1 to 0
    assert phases["free"]["trials"] >= calibration.stop_of
    assert phases["free"]["seconds"] < calibration.free_s  # it ended because it went well
    versions = [b["params_version"] for b in summary["blocks"]]
    assert versions == sorted(versions)
    assert versions[-1] > versions[0]
    assert summary["n_trials"] == 8
    assert report(summary, calibration)["passed"]


def test_the_check_learns_nothing():
    checked, _ = calibrating(read("center_out"), "center_out")
    assert [b.learn for b in checked.blocks] == [True, True, True, False]
    assert [b.scored for b in checked.blocks] == [False, False, False, True]


def test_a_decoder_whose_channels_are_permuted_does_not_pass(tmp_path):
    short = {"calibration.assisted_s": 20.0, "calibration.free_s": 10.0, "session.permute_channels": True}
    summary, calibration = calibrated(tmp_path, **short)
    told = report(summary, calibration)
    assert not told["passed"]
    assert "success" in told["fails"][0]


def test_what_was_learned_serves_another_session(tmp_path):
    summary, _ = calibrated(tmp_path)
    day = keep(Path(summary["params"]), tmp_path / "calib" / "day1.safetensors")
    assert load(day).decoder == "kalman"
    raw = read("center_out", {"decoder.params": str(day), "blocks": [{"name": "go", "trials": 6, "scored": True}]})
    del raw["decoder"]["learner"]
    assert simulate(build(raw)).summary["n_success"] == 6


def test_keep_refuses_what_is_no_parameter_file_and_leaves_the_old_one(tmp_path):
    old, bad = tmp_path / "old.safetensors", tmp_path / "bad.safetensors"
    old.write_bytes(b"old")
    bad.write_bytes(b"not parameters")
    with pytest.raises(RecordingError, match=r"bad\.safetensors"):
        keep(bad, old)
    assert old.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"success_rate": 0.5}, "success 50% of 24 check trials, wanted 70%"),
        ({"success_ci": [0.1, 1.0]}, "not above chance"),
        ({"n_trials": 0, "success_rate": None}, "no check trial"),
        ({"acquisition_s": 3.0}, "median acquisition 3.0 s, wanted at most 2 s"),
        ({"acquisition_s": None}, "median acquisition None s"),
        ({"bits_s": 0.2}, "wanted at least 0.5"),
    ],
)
def test_what_falls_short_is_named(change, words):
    gate = Calibration(max_acquisition_s=2.0, min_bits_s=0.5)
    assert gate.judge(GOOD) == []
    assert any(words in line for line in gate.judge({**GOOD, **change}))


def test_a_recipe_without_a_learner_has_nothing_to_calibrate():
    raw = read("center_out")
    del raw["decoder"]["learner"]
    raw["blocks"] = [{"name": "run", "trials": 1}]
    with pytest.raises(RecipeError, match=r"decoder\.learner: calibration needs one"):
        calibrating(raw, "x")


def test_settings_of_the_calibration_are_checked_with_the_recipe():
    with pytest.raises(RecipeError, match=r"calibration\.chek_trials: unknown key 'chek_trials'; did you mean 'check"):
        calibrating(read("center_out", {"calibration.chek_trials": 3}), "x")


@pytest.mark.parametrize(("more", "code"), [([], 0), (["--set", "calibration.max_acquisition_s=0.01"], 3)])
def test_the_command_saves_only_what_passed_and_says_so_in_its_exit_code(tmp_path, more, code):
    target = tmp_path / "day1.safetensors"
    command = [BMI, "calibrate", "center_out", "--lock-step", "--json", "--out", tmp_path / "out", "--save", target]
    done = subprocess.run([*command, "--set", "calibration.check_trials=6", *more], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    told = json.loads(done.stdout)
    assert told["passed"] is (code == 0)
    assert target.exists() is (code == 0)
    assert all(math.isfinite(b["seconds"]) for b in told["blocks"])
