"""A recipe is checked whole: every problem at once, each with its path, what was expected, and the nearest name."""

import copy
import json
import re
from pathlib import Path

import pytest
import yaml

from bmi import recipe, schema
from bmi.errors import RecipeError

MINIMAL = {
    "session": {"name": "small"},
    "sources": [{"use": "lsl", "name": "m1", "primary": True}],
    "decoder": {"use": "kalman"},
    "device": {"use": "cursor"},
}
FULL = yaml.safe_load(recipe.shipped("center_out").read_text(encoding="utf-8"))


def with_(changes, base=FULL):
    """Return a copy of a recipe with ``{"dotted.key": value}`` laid over it."""
    raw = copy.deepcopy(base)
    for key, value in changes.items():
        recipe._override(raw, key, value, "test")
    return raw


def problems(raw):
    """Return {path: message} of everything wrong with a recipe."""
    with pytest.raises(RecipeError) as caught:
        recipe.build(raw, "mine.yaml")
    assert str(caught.value).startswith("mine.yaml: ")
    assert len({p.path for p in caught.value.problems}) == len(caught.value.problems)
    return {p.path: p.message for p in caught.value.problems}


# --- what is good -----------------------------------------------------------------------------------


def test_the_smallest_recipe_says_who_what_how_and_where_to():
    built = recipe.build(copy.deepcopy(MINIMAL))
    assert [b.name for b in built.blocks] == ["run"]
    assert built.stages == {"m1": []}
    assert built.learner is None
    assert built.world is None
    assert built.names == {"sources[0]": "lsl", "decoder": "kalman", "task": "centre-out", "device": "cursor"}


def test_the_primary_source_comes_first_and_a_plain_list_of_stages_is_its_own():
    raw = with_({"stages": [{"use": "bin"}]}, MINIMAL)
    raw["sources"] = [{"use": "lsl", "name": "lfp"}, *raw["sources"]]
    built = recipe.build(raw)
    assert [s.label for s in built.sources] == ["m1", "lfp"]
    assert [type(s).__name__ for s in built.stages["m1"]] == ["Bin"]


def test_stages_can_be_given_stream_by_stream():
    raw = with_({"stages": {"lfp": [{"use": "zscore"}], "m1": [{"use": "bin"}]}}, MINIMAL)
    raw["sources"].append({"use": "lsl", "name": "lfp"})
    assert {n: len(chain) for n, chain in recipe.build(raw).stages.items()} == {"lfp": 1, "m1": 1}


def test_what_is_not_given_keeps_the_constructors_default():
    built = recipe.build(with_({"world.user": {"reaction_s": 0.3}}))
    assert built.world.user.reaction_s == 0.3
    assert built.world.user.speed_mm_s == type(built.world.user)().speed_mm_s


def test_two_builds_share_no_part():
    one, other = recipe.build(copy.deepcopy(FULL)), recipe.build(copy.deepcopy(FULL))
    assert one.decoder is not other.decoder
    assert one.world.user is not other.world.user


def test_it_goes_to_the_other_processes_as_json_and_comes_back_the_same(tmp_path):
    built = recipe.build(with_({"session.name": "µ — 😀", "gate.max_age_s": 1e-05}))
    file = tmp_path / "recipe.json"
    file.write_text(built.to_json(), encoding="utf-8")
    again = recipe.load(file)
    assert again.raw == built.raw
    assert again.session == built.session
    assert again.blocks == built.blocks
    assert again.gate.max_age_s == 1e-05
    assert json.loads(again.to_json()) == built.raw


def test_a_number_without_a_dot_in_its_mantissa_is_a_number(tmp_path):
    """YAML 1.1 reads 1e-3 as text; nobody who writes it means text."""
    file = tmp_path / "r.yaml"
    file.write_text(yaml.safe_dump(MINIMAL) + "record: {ring_s: 1e1}\n", encoding="utf-8")
    assert recipe.load(file).record.ring_s == 10.0


# --- unknown keys and names -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "key", "meant"),
    [
        ("", "sesion", "session"),
        ("session.", "sed", "seed"),
        ("gate.", "max_age", "max_age_s"),
        ("record.", "ring", "ring_s"),
        ("lane.", "cpus", "cpu"),
        ("assist.", "speed_mm", "speed_mm_s"),
        ("blocks[0].", "second", "seconds"),
        ("sources[0].", "nam", "name"),
        ("stages[0].", "bin", "bin_s"),
        ("decoder.", "form_", "form"),
        ("decoder.learner.", "batch", "batch_s"),
        ("task.", "target", "targets"),
        ("device.", "n_dim", "n_dims"),
        ("world.", "neurons", "n_neurons"),
        ("world.user.", "reaction", "reaction_s"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_name(path, key, meant):
    found = problems(with_({path + key: 1, **({"world.user": {key: 1}} if "user" in path else {})}))
    assert list(found) == [path + key]
    assert found[path + key].startswith(f"unknown key {key!r}; did you mean {meant!r}? (known: ")


def test_a_key_near_to_nothing_is_refused_with_everything_there_is():
    assert re.fullmatch(
        r"unknown key 'qqq' \(known: n_dims, speed_limit_mm_s\)",
        problems(with_({"device.qqq": 1}))["device.qqq"],
    )


@pytest.mark.parametrize(
    ("path", "kind", "typo", "meant"),
    [
        ("decoder", "decoder", "kalmann", "kalman"),
        ("device", "device", "cursr", "cursor"),
        ("task", "task", "center-out", "centre-out"),
        ("world", "world", "populaton", "population"),
        ("sources[0]", "source", "lls", "lsl"),
        ("stages[0]", "stage", "bim", "bin"),
        ("decoder.learner", "learner", "smothbatch", "smoothbatch"),
    ],
)
def test_an_unknown_part_is_refused_with_the_nearest_name(path, kind, typo, meant):
    found = problems(with_({f"{path}.use": typo}))
    assert list(found) == [f"{path}.use"]
    assert found[f"{path}.use"].startswith(f"no {kind} is called {typo!r}; did you mean {meant!r}? (registered: ")


@pytest.mark.parametrize("use", [None, 3, ["cursor"]])
def test_a_part_is_named_by_a_text(use):
    raw = copy.deepcopy(FULL)
    raw["device"] = {"use": use}
    told = problems(raw)["device.use"]
    assert re.fullmatch(rf"expected the name of a device \(.*cursor, .*\), given {re.escape(repr(use))}", told)


def test_stages_for_a_stream_nobody_brings_are_refused():
    assert problems(with_({"stages": {"m2": []}})) == {
        "stages.m2": "no source is called 'm2'; did you mean 'm1'? (sources: m1)"
    }


# --- wrong types, out of range, missing -------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("gate.max_age_s", "soon", r"expected a valid number.*, given 'soon' \(str\)"),
        ("session.seed", 1.5, r"expected a valid integer.*, given 1\.5 \(float\)"),
        ("session.seed", -1, r"expected greater than or equal to 0, given -1 \(int\)"),
        ("session.name", 7, r"expected a valid string, given 7 \(int\)"),
        ("sources.0.primary", "perhaps", r"expected a valid boolean.*, given 'perhaps' \(str\)"),
        ("decoder.states", "velocty", r"expected 'velocity', 'position-velocity' or .*, given 'velocty' \(str\)"),
        ("decoder.n_dims", 17, r"expected less than or equal to 16, given 17 \(int\)"),
        ("world.user", {"forward_model": 1.1}, r"expected less than or equal to 1, given 1\.1 \(float\)"),
        ("world.user", 3, r"expected .*dictionary.*, given 3 \(int\)"),
        ("blocks.1.trials", 0, r"expected greater than 0, given 0 \(int\)"),
        ("gate.workspace_mm", "wide", r"expected a valid tuple, given 'wide' \(str\)"),
        ("blocks.0.assist", [1.0], r"one more value is required, given \[1\.0\]"),
        ("blocks.0.assist", [1.0, 0.5, 0.0], r"expected at most 2 items.*, given \[1\.0, 0\.5, 0\.0\] \(list\)"),
        ("gate", [1], r"expected a mapping, given \[1\] \(list\)"),
        ("device", "cursor", r"expected a mapping with 'use: <name>', given 'cursor' \(str\)"),
        ("sources", {"use": "lsl"}, r"expected a list of nodes, given .*\(dict\)"),
        ("sources", [], r"expected at least one source.*"),
        ("stages", "bin", r"expected a list, or a mapping from stream name to list, given 'bin'"),
        ("blocks", [], r"expected a list of blocks, given \[\]"),
        ("blocks", None, r"expected a list of blocks, given None"),
        ("prior", {"use": "x"}, r"no prior is registered yet; remove this node"),
    ],
)
def test_a_wrong_value_is_refused_saying_what_was_expected_and_given(key, value, message):
    found = problems(with_({key: value}))
    (path,) = found
    as_written = re.sub(r"\.(\d+)", r"[\1]", key)
    assert path.startswith(as_written)
    assert re.fullmatch(message, found[path])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("gate.max_age_s", 0.5, "max_age_s=0.5 s must lie in (0, 0.15] s"),
        ("gate.workspace_mm", [300, 5000], "workspace_mm[1]=5000 mm must lie in"),
        ("lane.poll_s", 0.01, "poll_s is at most 0.005 s (STOP must act within 50 ms), given 0.01"),
        ("task.radius_mm", 100, "radius_mm=100 reaches the centre at distance_mm=80"),
        ("blocks.0.assist", [2.0, 0.0], "assist goes from 0 to 1, given (2.0, 0.0)"),
        ("blocks.1.assist", [0.5, 0.5], "a scored block takes no assist, given (0.5, 0.5)"),
    ],
)
def test_what_the_part_itself_refuses_stands_at_the_part(key, value, message):
    (path, told), *others = problems(with_({key: value})).items()
    assert not others
    assert path == re.sub(r"\.(\d+)", r"[\1]", key.rpartition(".")[0])
    assert message in told


@pytest.mark.parametrize("key", ["session", "sources", "decoder", "device"])
def test_what_every_recipe_needs_is_asked_for(key):
    raw = copy.deepcopy(MINIMAL)
    del raw[key]
    assert problems(raw) == {key: f"'{key}' is required"}


def test_a_required_argument_is_asked_for():
    assert problems(with_({"session": {"seed": 1}})) == {"session.name": "'name' is required"}
    assert problems(with_({"blocks": [{"seconds": 1}]})) == {"blocks[0].name": "'name' is required"}


def test_learning_needs_a_learner():
    assert problems(with_({"decoder": {"use": "kalman"}})) == {
        "blocks": "a block has 'learn: true' but decoder.learner is not given (e.g. {use: smoothbatch})"
    }


def test_all_problems_are_told_at_once_each_with_its_path():
    raw = with_(
        {
            "sesion": {},
            "gate.max_age": 1,
            "world.user": {"reaction_s": -1, "speed": 2},
            "blocks.1.assist": [0.5, 0.5],
            "blocks.0.seconds": "long",
            "device.use": "cursr",
            "decoder.learner.batch_s": 0,
            "sources.0.resolve_timeout_s": 0,
            "stages.0.bin_s": None,
        }
    )
    del raw["session"]
    found = problems(raw)
    assert set(found) == {
        "session", "sesion", "gate.max_age", "world.user.reaction_s", "world.user.speed", "blocks[1]",
        "blocks[0].seconds", "device.use", "decoder.learner.batch_s", "sources[0].resolve_timeout_s",
        "stages[0].bin_s",
    }  # fmt: skip
    with pytest.raises(RecipeError, match=f"mine.yaml: {len(found)} problems") as caught:
        recipe.build(raw, "mine.yaml")
    assert all(f"\n  {path}: {message}" in str(caught.value) for path, message in found.items())


@pytest.mark.parametrize("raw", [None, "text", 3, [1, 2]])
def test_a_recipe_is_a_mapping(raw):
    assert problems(raw) == {"(top)": f"expected a mapping of nodes, given {type(raw).__name__}"}


# --- files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"a: [1\n", b"\ta: 1", b"\xff\xfe\x00", b"!!python/object:os.system {}", b"2024-13-45"]
)
def test_an_unreadable_file_is_refused_in_words(content, tmp_path):
    file = tmp_path / "broken.yaml"
    file.write_bytes(content)
    with pytest.raises(RecipeError, match=r"broken\.yaml: 1 problem\n  \(file\): is not readable YAML: "):
        recipe.read(file)


def test_a_missing_file_is_answered_with_those_that_are_there(tmp_path):
    (tmp_path / "other.yaml").write_text("a: 1", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"mine\.yaml: 1 problem\n  \(file\): no such recipe; .*other\.yaml"):
        recipe.read(tmp_path / "mine.yaml")


def test_a_folder_is_no_recipe(tmp_path):
    with pytest.raises(RecipeError, match="no such recipe"):
        recipe.read(tmp_path)


@pytest.mark.parametrize("name", ["center_out", "center_out.yaml", "configs/center_out.yaml"])
def test_a_shipped_recipe_is_found_by_its_name_from_anywhere(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert recipe.load(name).session.name == "center-out"


def test_a_file_of_ones_own_goes_before_a_shipped_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("center_out.yaml").write_text(yaml.safe_dump(MINIMAL), encoding="utf-8")
    assert recipe.load("center_out.yaml").session.name == "small"


# --- overrides --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "get"),
    [
        ("gate.max_age_s", 0.1, lambda r: r.gate.max_age_s),
        ("blocks.0.seconds", 5.0, lambda r: r.blocks[0].seconds),
        ("blocks[1].trials", 3, lambda r: r.blocks[1].trials),
        ("sources[0].resolve_timeout_s", 2.0, lambda r: r.sources[0].resolve_timeout_s),
        ("lane.fifo", False, lambda r: r.lane.fifo),  # a node the recipe does not have
        ("world.user.speed_mm_s", 150.0, lambda r: r.world.user.speed_mm_s),  # nested, likewise
    ],
)
def test_any_place_can_be_overridden(key, value, get):
    assert get(recipe.load("center_out", {key: value})) == value


@pytest.mark.parametrize(
    "key", ["blocks.9.name", "blocks.first.name", "session.name.x", "session.name.x.y", "blocks.0.assist.7"]
)
def test_an_override_of_no_place_is_refused_by_its_name(key):
    with pytest.raises(RecipeError, match=re.escape(f"{key}: cannot be set: no such place in the recipe")):
        recipe.load("center_out", {key: 1})


def test_an_item_of_a_list_may_be_named_where_only_one_can_be_meant():
    named = recipe.load("center_out", {"stages.bin.bin_s": 0.05, "blocks.calibrate.seconds": 7})
    assert named.stages["m1"][0].bin_s == 0.05
    assert named.blocks[0].seconds == 7


def test_an_override_is_checked_like_the_recipe_itself():
    with pytest.raises(RecipeError, match=r"gate\.max_age: unknown key 'max_age'; did you mean 'max_age_s'\?"):
        recipe.load("center_out", {"gate.max_age": 0.1})


@pytest.mark.parametrize(
    ("text", "value"), [("0.1", 0.1), ("[1, 0]", [1, 0]), ("true", True), ("null", None), ("a b", "a b"), ("", None)]
)
def test_the_right_side_of_set_keeps_its_type(text, value):
    assert recipe.parse_value(text) == value


@pytest.mark.parametrize("text", ["{", "'", "a: b: c", "!!python/object:os.system x", "2024-13-45"])
def test_an_unreadable_right_side_of_set_is_refused_in_words(text):
    with pytest.raises(RecipeError, match=r"--set: 1 problem\n.*is not readable YAML"):
        recipe.parse_value(text)


# --- one part at a time -----------------------------------------------------------------------------


def test_a_part_alone_is_checked_like_a_node():
    assert schema.make("decoders", "ridge", {"history": 3}, "eval").history == 3
    with pytest.raises(RecipeError, match=r"eval: 2 problems(?s:.)*decoder\.histry: unknown key.*'history'") as caught:
        schema.make("decoders", "ridge", {"histry": 3, "folds": 1}, "eval")
    assert {p.path for p in caught.value.problems} == {"decoder.histry", "decoder.folds"}
