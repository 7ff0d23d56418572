"""A decoder is scored on a recording with the very step that runs live, offline or through real LSL."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from bmi.errors import BMIError, ContractError, PluginError, RecipeError, RecordingError
from bmi.evaluate import cc, evaluate, offline, r2
from bmi.lsl.outlet import Outlet
from bmi.params import load
from bmi.schema import make
from bmi.signals import StreamSpec

N, BIN_S, TRIALS, PER_TRIAL = 20, 0.02, 10, 60


def made(path, **changes):
    """Write a recording of Poisson neurons that encode velocity linearly; return its path."""
    rng = np.random.default_rng(5)
    n = TRIALS * PER_TRIAL
    velocity = 100.0 * np.stack([np.sin(np.arange(n) / 7), np.cos(np.arange(n) / 11)], axis=1)
    rates = np.clip(4.0 + velocity @ (0.02 * rng.standard_normal((2, N))), 0.0, None)
    arrays = {
        "counts": rng.poisson(rates).astype(np.float32), "kinematics": velocity, "bin_s": BIN_S, "unit": "mm/s",
        "dims": ["x", "y"], "trial": np.repeat(np.arange(TRIALS), PER_TRIAL), **changes,
    }  # fmt: skip
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return made(tmp_path_factory.mktemp("recordings") / "linear.npz")


def co84():
    data = Path(os.environ.get("BMI_DATA", Path(__file__).parents[3] / "shared" / "data"))
    return data / "co84" / "center_out_data.mat"


# --- scores -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("decoder", ["ridge", "kalman"])
def test_what_was_encoded_linearly_is_decoded(recording, decoder):
    result = evaluate(recording, decoder)
    assert min(result["r2"]) > 0.8
    assert all(c**2 >= r for c, r in zip(result["cc"], result["r2"], strict=True))
    assert (result["n_train"], result["n_test"]) == (8 * PER_TRIAL, 2 * PER_TRIAL)
    assert (result["recording"], result["decoder"], result["dims"]) == ("linear.npz", decoder, ["x", "y"])


def test_what_was_not_encoded_is_not_decoded(tmp_path):
    noise = np.random.default_rng(0).poisson(4.0, (TRIALS * PER_TRIAL, N))
    assert max(evaluate(made(tmp_path / "n.npz", counts=noise), "ridge")["r2"]) < 0.1


def test_trials_it_was_fitted_on_are_not_scored(tmp_path, recording):
    """Counts of the last trials say nothing; were any trial of before scored, the score would be better than chance."""
    with np.load(recording) as npz:
        counts = npz["counts"].copy()
    counts[8 * PER_TRIAL :] = np.random.default_rng(1).permutation(counts[8 * PER_TRIAL :])
    assert max(evaluate(made(tmp_path / "s.npz", counts=counts), "ridge", {"history": 1})["r2"]) < 0.0


def test_the_same_twice_is_the_same(recording):
    one, two = (evaluate(recording, "kalman") for _ in range(2))
    assert {k: v for k, v in one.items() if k != "seconds"} == {k: v for k, v in two.items() if k != "seconds"}


@pytest.mark.parametrize(("share", "n_train"), [(0.5, 300), (0.1, 60), (0.9, 540)])
def test_the_share_to_fit_on_is_one_of_trials(recording, share, n_train):
    result = evaluate(recording, "ridge", {"history": 2}, train_fraction=share)
    assert (result["n_train"], result["n_test"]) == (n_train, 600 - n_train)


def test_without_trials_it_is_one_of_bins(tmp_path):
    result = evaluate(made(tmp_path / "t.npz", trial=None), "ridge", train_fraction=0.75)
    assert (result["n_train"], result["n_test"]) == (450, 150)


def test_only_bins_the_recording_wants_scored_are_learned_from_and_scored(tmp_path, recording):
    with np.load(recording) as npz:
        velocity = npz["kinematics"].copy()
    score = np.arange(600) % PER_TRIAL >= 20
    velocity[~score] *= -10.0  # whoever learned from these would decode the wrong way round
    result = evaluate(made(tmp_path / "m.npz", kinematics=velocity, score=score), "ridge", {"history": 3})
    assert result["n_test"] == 2 * 40
    assert min(result["r2"]) > 0.7


def test_the_decoder_follows_the_recordings_dimensions(tmp_path):
    with np.load(made(tmp_path / "x.npz")) as npz:
        speed = np.hypot(*npz["kinematics"].T)[:, None]
    result = evaluate(made(tmp_path / "one.npz", kinematics=speed, dims=["speed"]), "ridge")
    assert len(result["r2"]) == 1


def test_settings_reach_the_decoder(recording):
    short, long = (evaluate(recording, "ridge", {"history": h}) for h in (1, 10))
    assert short["settings"] == {"history": 1}
    assert short["r2"] != long["r2"]


def test_scores_are_what_they_are_called():
    x = np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 5.0], [3.0, 7.0]])
    assert r2(x, x) == [1.0, 1.0]
    assert cc(x, 2.0 * x + 1.0) == [pytest.approx(1.0)] * 2
    assert r2(x, np.broadcast_to(x.mean(0), x.shape)) == [0.0, 0.0]
    assert r2(x, x[::-1]) == [pytest.approx(-3.0)] * 2
    assert cc(x, x[::-1]) == [pytest.approx(-1.0)] * 2


def test_offline_is_a_loop_over_step_bin_by_bin(recording):
    with np.load(recording) as npz:
        counts, velocity = npz["counts"], npz["kinematics"]
    spec = StreamSpec(name="r", n_channels=N, rate_hz=1 / BIN_S, unit="count")
    decoder = make("decoders", "kalman", {}, "test").fit(counts.astype(float), velocity, dt_s=BIN_S)
    whole = offline(decoder, spec, counts)
    assert whole.shape == velocity.shape
    assert np.array_equal(offline(decoder, spec, counts[:50]), whole[:50])  # causal, and begins afresh


# --- through LSL ------------------------------------------------------------------------------------


@pytest.fixture
def same_environment(monkeypatch):
    """Keep later tests on the network of this run: liblsl has read its configuration before evaluate names another,
    and what child processes will read is put back."""
    with Outlet(StreamSpec(name="first", n_channels=1, rate_hz=1.0, unit="1")):
        pass
    monkeypatch.setenv("LSLAPICFG", os.environ["LSLAPICFG"])
    return os.environ["LSLAPICFG"]


@pytest.mark.parametrize("decoder", ["ridge", "kalman"])
def test_live_through_lsl_it_says_the_same_as_offline(recording, decoder, same_environment):
    live = evaluate(recording, decoder, lsl=True)
    plain = evaluate(recording, decoder)
    assert live["lost"] == 0
    assert live["max_difference"] <= 1e-9
    assert live["r2"] == pytest.approx(plain["r2"], abs=1e-9)
    assert live["n_test"] == plain["n_test"] == 2 * PER_TRIAL
    assert "max_difference" not in plain


def test_it_leaves_the_environment_as_it_was(recording, same_environment):
    evaluate(recording, "ridge", lsl=True)
    assert os.environ["LSLAPICFG"] == same_environment


def test_no_thread_is_left_behind(recording, same_environment):
    before = threading.active_count()
    evaluate(recording, "ridge", lsl=True)
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("changes", "settings", "why"),
    [({"bin_s": 0.1}, {}, "dead-man of 0.08 s"), ({}, {"unit": "cm/s"}, "cm/s")],
    ids=["bins", "unit"],
)
def test_what_the_gate_would_refuse_live_is_scored_offline_only(tmp_path, changes, settings, why, same_environment):
    file = made(tmp_path / "r.npz", **changes)
    assert evaluate(file, "ridge", settings)["n_test"] > 0
    with pytest.raises(ContractError, match=why):
        evaluate(file, "ridge", settings, lsl=True)


# --- saving -----------------------------------------------------------------------------------------


def test_fitted_parameters_are_saved_with_what_they_belong_to(recording, tmp_path):
    file = tmp_path / "ridge.safetensors"
    assert evaluate(recording, "ridge", {"history": 3}, save=file)["saved"] == str(file)
    loaded = load(file)
    assert loaded.decoder == "ridge"
    assert loaded.arrays["W"].shape == (2, 3, N)


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": None}, "no counts in it; there is bin_s, dims, kinematics, trial, unit"),
        ({"kinematics": None, "bin_s": None}, "no kinematics, bin_s in it"),
        ({"kinematics": np.zeros((599, 2))}, "kinematics has 599 bins, counts 600"),
        ({"counts": np.zeros(600)}, r"counts has shape \(600,\), expected \(n_bins, columns\)"),
        ({"bin_s": 0.0}, "bin_s must be one positive number of seconds"),
        ({"dims": ["x"]}, "2 dimensions, 1 names"),
        ({"trial": np.arange(7)}, "trial has 7 bins, counts 600"),
        ({"kinematics": np.full((600, 2), np.nan)}, "kinematics has NaN or Inf in 600 bins, first in bin 0"),
        ({"trial": np.zeros(600, int)}, "1 trials cannot be split at 0.8; expected at least one on each side"),
        ({"score": np.arange(600) < 400}, "only 0 of the 120 test bins may be scored; expected 2 or more"),
    ],
)
def test_a_recording_that_does_not_fit_is_refused_by_file_and_cause(changes, message, tmp_path):
    file = made(tmp_path / "bad.npz", **changes)
    with pytest.raises(RecordingError, match=rf"bad\.npz: {message}"):
        evaluate(file, "ridge")


@pytest.mark.parametrize("name", ["garbage.npz", "garbage.mat"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04" + bytes(200)], ids=["empty", "text", "torn"])
def test_an_unreadable_recording_is_refused(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RecordingError, match=f"{name}: cannot be read as"):
        evaluate(tmp_path / name, "ridge")


def test_a_file_that_is_not_there_or_of_no_known_kind_is_refused(tmp_path):
    with pytest.raises(RecordingError, match=r"none\.npz: no such file"):
        evaluate(tmp_path / "none.npz", "ridge")
    (tmp_path / "x.csv").write_text("1,2")
    with pytest.raises(RecordingError, match=r"no format for '\.csv' files \(known: \.mat, \.npz, \.xdf\)"):
        evaluate(tmp_path / "x.csv", "ridge")


def test_an_unknown_decoder_is_met_with_the_nearest(recording):
    with pytest.raises(PluginError, match="no decoder is called 'rigde'; did you mean 'ridge'"):
        evaluate(recording, "rigde")


def test_settings_are_checked_all_at_once(recording):
    with pytest.raises(RecipeError, match=r"--set: 2 problems") as caught:
        evaluate(recording, "ridge", {"histry": 3, "folds": 0})
    assert {p.path for p in caught.value.problems} == {"decoder.histry", "decoder.folds"}


def test_settings_against_the_recording_are_refused(recording):
    with pytest.raises(ContractError, match="X has 2 columns, n_dims is 3"):
        evaluate(recording, "ridge", {"n_dims": 3})


def test_a_setting_cannot_replace_the_decoder(recording):
    with pytest.raises(BMIError):
        evaluate(recording, "ridge", {"use": "kalman"})


# --- a real recording -------------------------------------------------------------------------------


@pytest.mark.skipif(not co84().is_file(), reason="needs the co84 recording (BMI_DATA or ../shared/data)")
@pytest.mark.parametrize(
    ("decoder", "settings", "at_least"),
    [("ridge", {"history": 10}, (0.87, 0.84)), ("kalman", {}, (0.64, 0.66))],
)
def test_a_monkeys_reaches_are_decoded_as_well_as_others_did(decoder, settings, at_least):
    result = evaluate(co84(), decoder, settings)
    assert result["r2"][0] >= at_least[0]
    assert result["r2"][1] >= at_least[1]
    assert result["n_test"] > 1000
