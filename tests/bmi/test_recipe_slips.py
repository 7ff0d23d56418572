"""Slips of a recipe's author that would otherwise be accepted in silence."""

import pytest

from bmi import recipe
from bmi.errors import RecipeError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("session: {name: a}\nsession: {name: b}\n", "key 'session' is given twice"),
        ("gate: {max_age_s: 0.1, max_age_s: 0.2}\n", "key 'max_age_s' is given twice"),
    ],
)
def test_a_key_given_twice_is_refused(tmp_path, text, message):
    file = tmp_path / "twice.yaml"
    file.write_text(text)
    with pytest.raises(RecipeError, match=message):
        recipe.read(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"blocks.1.trials": True}, r"blocks\[1\]\.trials: expected another kind of value, given True \(bool\)"),
        ({"blocks.0.seconds": float("inf")}, r"blocks\[0\]\.seconds.*finite"),
        ({"session.name": "../escape"}, "session: name: names a folder"),
        ({"sources": [{"use": "lsl", "name": "m1"}] * 2}, "2 sources are called 'm1'"),
        (
            {"sources": [{"use": "lsl", "name": n, "primary": True} for n in ("m1", "m2")]},
            "more than one source is primary",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(change, message):
    with pytest.raises(RecipeError, match=message):
        recipe.load("center_out", change)


def test_a_file_that_is_not_there_is_not_replaced_by_a_shipped_one_of_that_name(tmp_path):
    with pytest.raises(RecipeError, match=r"no such recipe.*shipped: .*center_out"):
        recipe.read(tmp_path / "center_out.yaml")


def test_the_nearest_recipe_is_offered():
    with pytest.raises(RecipeError, match="did you mean 'center_out'"):
        recipe.read("centre_out")


def test_a_limit_too_loose_is_told_beside_a_mistyped_one():
    """Both stand in one node: the first is the constructor's to see, the second the schema's."""
    with pytest.raises(RecipeError) as caught:
        recipe.load("center_out", {"gate.max_age_s": 0.5, "gate.speed_limit_mm_s": "fast"})
    assert [p.path for p in caught.value.problems] == ["gate.speed_limit_mm_s", "gate"]
    assert "max_age_s" in caught.value.problems[1].message
