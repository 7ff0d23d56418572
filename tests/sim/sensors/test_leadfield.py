"""Lead fields with their papers; what comes without them is refused."""

from __future__ import annotations

import numpy as np
import pytest

from bmi.errors import ContractError
from sim.sensors.leadfield import LeadField, read, save

CHANNELS, SOURCES = ("C3", "Cz", "C4"), ("left", "right")
FIXED = np.arange(6.0).reshape(3, 2) ** 2 + 1.0


def field(**changes) -> LeadField:
    return LeadField(**({
        "matrix": FIXED, "channels": CHANNELS, "sources": SOURCES, "unit": "µV/(nA·m)", "reference": "infinity",
    } | changes))  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"matrix": np.zeros((2, 3))}, r"3 channels and 2 sources need shape \(3, 2\) or \(3, 6\), given \(2, 3\)"),
        ({"matrix": np.full((3, 2), np.nan)}, "finite"),
        ({"unit": ""}, "given none"),
        ({"unit": "mV"}, "unit"),
        ({"reference": ""}, "reference"),
        ({"reference": "Oz"}, "Oz"),
        ({"channels": ("C3", "C3", "C4")}, "C3"),
        ({"sources": ()}, "sources"),
        ({"positions_mm": np.zeros((2, 3))}, "positions_mm"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ContractError, match=message):
        field(**changes)


def test_average_reference_sums_to_zero_and_keeps_differences():
    averaged = field().average_reference()
    np.testing.assert_allclose(averaged.matrix.sum(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.diff(averaged.matrix, axis=0), np.diff(FIXED, axis=0))
    assert averaged.reference == "average"


def test_sources_and_channels_are_taken_by_name():
    free = field(matrix=np.arange(18.0).reshape(3, 6))
    turned = free.for_sources(("right", "left"))
    np.testing.assert_array_equal(turned.matrix[0], [3.0, 4.0, 5.0, 0.0, 1.0, 2.0])
    np.testing.assert_array_equal(field().for_channels(("C4",)).matrix, FIXED[2:])


def test_a_lead_field_for_other_regions_or_channels_is_refused():
    with pytest.raises(ContractError, match="other regions: V1"):
        field().for_sources(("left", "V1"))
    with pytest.raises(ContractError, match="other channels: Oz"):
        field().for_channels(("Oz", "C3"))
    with pytest.raises(ContractError, match="against average"):
        field().average_reference().for_channels(("C3",))


def test_normals_turn_three_columns_into_one():
    matrix = np.arange(18.0).reshape(3, 6)
    along = field(matrix=matrix).along(np.array([[1.0, 0.0, 0.0], [0.0, 0.6, 0.8]]))
    np.testing.assert_allclose(along.matrix, np.c_[matrix[:, 0], 0.6 * matrix[:, 4] + 0.8 * matrix[:, 5]])
    with pytest.raises(ContractError, match="direction already"):
        along.along(np.eye(3)[:2])
    with pytest.raises(ContractError, match="unit vectors"):
        field(matrix=matrix).along(np.ones((2, 3)))


def test_a_file_gives_back_what_was_saved(tmp_path):
    whole = field(positions_mm=np.eye(3))
    save(tmp_path / "field.npz", whole)
    again = read(tmp_path / "field.npz")
    assert (again.channels, again.sources, again.unit, again.reference) == (CHANNELS, SOURCES, whole.unit, "infinity")
    np.testing.assert_array_equal(again.matrix, FIXED)
    np.testing.assert_array_equal(again.positions_mm, np.eye(3))


def test_a_table_names_unit_channels_and_directions(tmp_path):
    path = tmp_path / "field.csv"
    path.write_text("T/(A·m),a:x,a:y,a:z\nm1,1e-6,2e-6,3e-6\nm2,4e-6,5e-6,6e-6\n", encoding="utf-8")
    found = read(path)
    assert found.free
    assert found.sources == ("a",)
    assert found.unit == "fT/(nA·m)"
    np.testing.assert_allclose(found.matrix, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    path.write_text("V/(A·m),a,b\nCz,1000,2000\n", encoding="utf-8")
    np.testing.assert_allclose(read(path, reference="infinity").matrix, [[1.0, 2.0]])


@pytest.mark.parametrize(
    ("text", "said", "message"),
    [
        (",a,b\nCz,1,2\n", {"reference": "infinity"}, "unit is missing"),
        ("µV/(nA·m),a,b\nCz,1,2\n", {}, "reference is missing"),
        ("µV/(nA·m),a,b\nCz,1\n", {"reference": "infinity"}, "channel Cz"),
        ("µV/(nA·m),a,b\nCz,1,two\n", {"reference": "infinity"}, "numbers"),
        ("µV/(nA·m),a:x,a:z,a:y\nCz,1,2,3\n", {"reference": "infinity"}, "a:x, a:y, a:z"),
        ("µV/(nA·m),a,b\nCz,1,2\n", {"unit": "fT/(nA·m)"}, "was expected"),
    ],
)
def test_a_table_that_leaves_something_open_is_refused(tmp_path, text, said, message):
    path = tmp_path / "field.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ContractError, match=message):
        read(path, **said)


def test_an_archive_without_labels_or_of_another_kind_is_refused(tmp_path):
    np.savez(tmp_path / "field.npz", matrix=FIXED, channels=np.array(CHANNELS))
    with pytest.raises(ContractError, match="expected the array sources"):
        read(tmp_path / "field.npz")
    with pytest.raises(ContractError, match=r"\.npz or \.csv"):
        read(tmp_path / "field.mat")
