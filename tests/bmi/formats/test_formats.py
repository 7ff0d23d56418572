"""Binned recordings from files: what fits is read exactly, what does not is refused in words."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bmi.errors import RecordingError
from bmi.formats import binned, read
from bmi.formats.mat import read_mat
from bmi.formats.mat5 import Unread, Variables
from bmi.formats.npz import read_npz

GOOD = {
    "counts": np.arange(12).reshape(6, 2),
    "kinematics": np.linspace(0, 1, 12).reshape(6, 2),
    "bin_s": 0.05,
}


def shared_data():
    root = Path(os.environ.get("BMI_DATA", Path(__file__).parents[3] / "../shared/data"))
    path = root / "co84" / "center_out_data.mat"
    if not path.exists():
        pytest.skip(f"no recording under {root} (set BMI_DATA)")
    return path


def trial_data(n_bins=(20, 30), **changes):
    rng = np.random.default_rng(1)
    trials = []
    for k, n in enumerate(n_bins):
        trial = {
            "M1_spikes": rng.poisson(1.0, (n, 5)).astype(np.uint8),
            "vel": rng.normal(size=(n, 2)),
            "pos": rng.normal(size=(n, 2)),
            "bin_size": 0.05,
            "idx_go_cue": 4,
            "idx_trial_end": n - 2,
            "target_direction": 0.5 * k,
        }
        trial.update(changes)
        trials.append({key: value for key, value in trial.items() if value is not None})
    return trials


def save_mat(path, trials):
    fields = list(trials[0])
    array = np.empty(len(trials), [(f, object) for f in fields])
    for k, trial in enumerate(trials):
        array[k] = tuple(trial[f] for f in fields)
    scipy.io.savemat(path, {"trial_data": array})
    return path


def test_npz_comes_back_as_it_was_saved(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(
        path,
        **GOOD,
        trial=[0, 0, 0, 1, 1, 1],
        score=np.array([0, 1, 1, 0, 1, 1], bool),
        unit="mm/s",
        dims=["a", "b"],
    )
    got = read(path)
    np.testing.assert_array_equal(got.counts, GOOD["counts"])
    np.testing.assert_array_equal(got.kinematics, GOOD["kinematics"])
    assert (got.counts.dtype, got.kinematics.dtype, got.trial.dtype) == (np.float32, np.float64, np.int64)
    assert (got.bin_s, got.unit, got.dims, got.n_bins) == (0.05, "mm/s", ("a", "b"), 6)
    assert got.counts_unit == "count"
    assert got.score_mask.tolist() == [False, True, True, False, True, True]
    assert got.duration_s == pytest.approx(0.3)


def test_without_a_mask_everything_is_scored(tmp_path):
    np.savez(tmp_path / "a.npz", **GOOD)
    got = read_npz(tmp_path / "a.npz")
    assert got.score_mask.all()
    assert (got.trial, got.position, got.dims) == (None, None, ("x", "y"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"counts": None}, r"no counts in it; there is bin_s, kinematics"),
        ({"kinematics": np.zeros((5, 2))}, r"kinematics has 5 bins, counts 6"),
        ({"counts": np.zeros(6)}, r"counts has shape \(6,\), expected \(n_bins, columns\), time first"),
        ({"counts": np.array([["a", "b"]])}, r"counts holds <U1, expected numbers"),
        ({"counts": np.zeros((0, 2)), "kinematics": np.zeros((0, 2))}, r"nothing in it"),
        ({"kinematics": np.full((6, 2), np.nan)}, r"kinematics has NaN or Inf in 6 bins, first in bin 0"),
        ({"counts": np.full((6, 2), 1e300)}, r"beyond the range of float32"),
        ({"bin_s": 0.0}, r"bin_s must be one positive number"),
        ({"bin_s": np.nan}, r"bin_s has NaN"),
        ({"bin_s": [0.1, 0.1]}, r"bin_s must be one positive number"),
        ({"trial": np.zeros(4)}, r"trial has 4 bins, counts 6"),
        ({"score": np.zeros((6, 2))}, r"score has shape \(6, 2\), expected \(n_bins,\)"),
        ({"dims": ["x"]}, r"2 dimensions, 1 names"),
        ({"unit": 3.0}, r"unit must be one text"),
        ({"counts": np.array([[object()]])}, r"cannot be read as a NumPy archive: .*pickle"),
    ],
)
def test_npz_that_does_not_fit_is_refused_in_words(tmp_path, change, message):
    content = {k: v for k, v in {**GOOD, **change}.items() if v is not None}
    np.savez(tmp_path / "a.npz", **content)
    with pytest.raises(RecordingError, match=message):
        read(tmp_path / "a.npz")


def test_an_archive_that_promises_too_much_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", **{**GOOD, "counts": np.zeros((100_000, 10))})
    assert (tmp_path / "a.npz").stat().st_size < 50_000
    monkeypatch.setattr("bmi.formats.npz.MAX_BYTES", 1_000_000)
    with pytest.raises(RecordingError, match=r"counts\.npy unpacks to 8000128 bytes"):
        read(tmp_path / "a.npz")
    monkeypatch.setattr(binned, "MAX_BYTES", 1000)
    with pytest.raises(RecordingError, match="exceeds"):
        binned.BinnedRecording.checked("here", **{**GOOD, "counts": np.zeros((1000, 2))})


def test_an_array_that_promises_more_than_is_there_is_refused_before_room_is_made(tmp_path):
    np.savez(tmp_path / "good.npz", **GOOD)
    with zipfile.ZipFile(tmp_path / "good.npz") as good, zipfile.ZipFile(tmp_path / "a.npz", "w") as bad:
        for name in good.namelist():
            bad.writestr(
                name,
                good.read(name).replace(b"'shape': (6, 2), }          ", b"'shape': (60000000000, 2), }"),
            )
    with pytest.raises(
        RecordingError, match=r"shape \(60000000000, 2\) takes 960000000000 bytes, 96 are there"
    ):
        read(tmp_path / "a.npz")


def test_mat_trials_are_joined_and_scored_from_cue_to_end(tmp_path):
    trials = trial_data()
    got = read(save_mat(tmp_path / "a.mat", trials))
    np.testing.assert_array_equal(got.counts, np.vstack([t["M1_spikes"] for t in trials]))
    np.testing.assert_array_equal(got.kinematics, np.vstack([t["vel"] for t in trials]))
    np.testing.assert_array_equal(got.position, np.vstack([t["pos"] for t in trials]))
    assert (got.unit, got.position_unit, got.bin_s) == ("cm/s", "cm", 0.05)
    assert np.bincount(got.trial).tolist() == [20, 30]
    assert np.flatnonzero(got.score_mask).tolist() == [*range(3, 18), *range(23, 48)]
    assert got.target_rad[[0, -1]].tolist() == [0.0, 0.5]


def test_mat_single_trial_single_neuron_and_aborted_trials(tmp_path):
    one = read(save_mat(tmp_path / "a.mat", trial_data((9,), M1_spikes=np.ones((9, 1)))))
    assert one.counts.shape == (9, 1)
    aborted = trial_data()
    aborted[0]["idx_go_cue"] = np.nan
    got = read(save_mat(tmp_path / "b.mat", aborted))
    assert not got.score_mask[:20].any()
    assert got.score_mask[20:].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"M1_spikes": None}, r"no <area>_spikes in it; there is .*vel"),
        ({"vel": None}, r"no vel in it; there is .*M1_spikes"),
        ({"vel": np.zeros((7, 2))}, r"trial 0: vel has 7 bins, its spikes 20"),
        ({"vel": "text"}, r"trial 0: vel is a MATLAB char, expected an array"),
        ({"bin_size": -1.0}, r"bin_s must be one positive number"),
        ({"bin_size": np.ones(3)}, r"bin_size is numbers of shape \(1, 3\), expected one number"),
        ({"idx_go_cue": 99}, r"trial 0: go cue in bin 99, end in bin 18, of 20"),
    ],
)
def test_mat_that_does_not_fit_is_refused_in_words(tmp_path, change, message):
    with pytest.raises(RecordingError, match=message):
        read(save_mat(tmp_path / "a.mat", trial_data(**change)))


def test_mat_trials_must_agree(tmp_path):
    trials = trial_data()
    trials[1]["M1_spikes"] = np.ones((30, 6))
    with pytest.raises(RecordingError, match=r"trials differ in columns of spikes: \[5, 6\]"):
        read(save_mat(tmp_path / "a.mat", trials))
    trials = trial_data()
    trials[1]["bin_size"] = 0.02
    with pytest.raises(RecordingError, match=r"bins of different width \(0\.02, 0\.05 s\)"):
        read(save_mat(tmp_path / "b.mat", trials))


def test_other_matlab_files_say_what_they_hold(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"spikes": np.ones(3)})
    with pytest.raises(RecordingError, match="no trial_data in it; there is spikes"):
        read(tmp_path / "a.mat")
    scipy.io.savemat(tmp_path / "b.mat", {"trial_data": np.ones(3)})
    with pytest.raises(RecordingError, match="expected a struct array"):
        read(tmp_path / "b.mat")
    (tmp_path / "c.mat").write_bytes(
        b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n" * 9
    )
    with pytest.raises(RecordingError, match="save it with -v7"):
        read(tmp_path / "c.mat")


def test_unknown_suffixes_and_missing_files_name_what_is_known(tmp_path):
    with pytest.raises(RecordingError, match=r"no such file.*\.mat, \.npz"):
        read(tmp_path / "a.npz")
    (tmp_path / "a.nzp").write_bytes(b"")
    with pytest.raises(RecordingError, match=r"no format for '\.nzp'.*\.mat, \.npz"):
        read(tmp_path / "a.nzp")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=4),
    keep=st.floats(0, 1),
    suffix=st.sampled_from([".npz", ".mat"]),
)
def test_damaged_files_are_refused_never_worse(tmp_path, flips, keep, suffix):
    path = tmp_path / f"fuzz{suffix}"
    np.savez(path, **GOOD) if suffix == ".npz" else save_mat(path, trial_data())
    raw = bytearray(path.read_bytes())
    raw = raw[: round(keep * len(raw))]
    for where, xor in flips if raw else ():
        raw[int(where * len(raw))] ^= xor
    path.write_bytes(raw)
    try:
        got = read(path)
    except RecordingError:
        return
    assert len(got.counts) == len(got.kinematics) == len(got.score_mask)


@pytest.mark.parametrize("compress", [False, True])
def test_matlab_values_are_those_scipy_wrote(tmp_path, compress):
    rng = np.random.default_rng(2)
    saved = {
        f"a_{t}": rng.integers(0, 100, (3, 4)).astype(t) for t in ("f8", "f4", "i1", "u1", "i2", "u4", "i8")
    }
    saved |= {"wide": rng.normal(size=(2, 3, 4)), "empty": np.zeros((0, 3)), "s": {"x": 1.5, "t": {"y": 2.0}}}
    scipy.io.savemat(
        tmp_path / "a.mat", saved | {"c": "text", "z": np.ones((2, 2)) * 1j}, do_compression=compress
    )
    variables = Variables((tmp_path / "a.mat").read_bytes())
    for name, value in saved.items():
        if isinstance(value, np.ndarray):
            got = variables.read(name)
            np.testing.assert_array_equal(got, value)
            assert got.dtype == value.dtype
    assert variables.read("s")[0]["t"][0]["y"].item() == 2.0
    assert (variables.read("c"), variables.read("z")) == (Unread("char"), Unread("complex"))


def test_a_compressed_variable_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    scipy.io.savemat(tmp_path / "a.mat", {"trial_data": np.zeros((1000, 1000))}, do_compression=True)
    monkeypatch.setattr("bmi.formats.mat5.MAX_UNPACKED", 100_000)
    with pytest.raises(RecordingError, match="torn or too large"):
        read(tmp_path / "a.mat")


def test_the_macaque_recording_agrees_with_scipy():
    path = shared_data()
    theirs = scipy.io.loadmat(path, squeeze_me=True)["trial_data"]
    ours = Variables(path.read_bytes()).read("trial_data")
    assert len(theirs) == len(ours)
    for a, b in zip(theirs, ours, strict=True):
        for field in a.dtype.names:
            np.testing.assert_array_equal(np.squeeze(b[field]), a[field])


def test_the_macaque_recording_is_what_its_description_says():
    got = read_mat(shared_data())
    assert (got.counts.shape, got.kinematics.shape) == ((22263, 84), (22263, 2))
    assert (got.bin_s, got.trial[-1], got.unit) == (0.05, 285, "cm/s")
    assert got.duration_s == pytest.approx(1113, abs=1)
    np.testing.assert_allclose(np.unique(got.target_rad), np.arange(-3, 5) * np.pi / 4, atol=1e-9)
    same = np.diff(got.trial) == 0
    mean_velocity = (got.kinematics[1:] + got.kinematics[:-1])[same] / 2
    moved = np.diff(got.position, axis=0)[same] / got.bin_s
    assert np.corrcoef(moved.ravel(), mean_velocity.ravel())[0, 1] > 0.999, "velocity is that of the position"
