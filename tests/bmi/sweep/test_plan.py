"""A sweep is planned before it runs: every run has its place, and everything wrong with it is said at once."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi import recipe
from bmi.errors import RecipeError
from bmi.sweep.check import check
from bmi.sweep.plan import Plan, make_plan

GRID = ["stages.bin.bin_s=0.01,0.02", "decoder.states=velocity,position-velocity"]


def plan(*grid, seeds="0:3", **overrides):
    raw = recipe.read("center_out", {k.replace("__", "."): v for k, v in overrides.items()})
    return make_plan(raw, grid, seeds, "center_out")


def problems(*grid, **more):
    with pytest.raises(RecipeError) as caught:
        check(plan(*grid, **more))
    return [f"{p.path}: {p.message}" for p in caught.value.problems]


def values(*grid):
    return [list(axis.values) for axis in plan(*grid).axes]


# --- runs ---------------------------------------------------------------------------------------------


def test_the_first_key_turns_slowest_and_seeds_fastest():
    p = plan(*GRID, seeds="4,5")
    assert len(p) == 8
    told = [(*point.values.values(), seed) for point, seed in map(p.run, range(8))]
    assert told[:4] == [
        (0.01, "velocity", 4), (0.01, "velocity", 5), (0.01, "position-velocity", 4), (0.01, "position-velocity", 5)
    ]  # fmt: skip
    assert told[4][0] == 0.02


def test_a_runs_recipe_has_its_values_and_its_seed():
    raw = plan(*GRID, seeds="4,5").recipe_of(7)
    assert raw["stages"] == [{"use": "bin", "bin_s": 0.02}]
    assert raw["decoder"]["states"] == "position-velocity"
    assert raw["session"] == {"name": "center-out", "seed": 5}


def test_points_share_nothing():
    p = plan("blocks.0.assist=[1.0, 0.0],[0.5, 0.0]")
    p.points[0].raw["blocks"][0]["assist"].append("changed")
    p.points[0].raw["decoder"]["learner"].clear()
    assert p.points[1].raw["blocks"][0]["assist"] == [0.5, 0.0]
    assert p.points[1].raw["decoder"]["learner"]


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("0:4", (0, 1, 2, 3)), ("0:10:5", (0, 5)), ("1,4,7", (1, 4, 7)), ("3", (3,)), ("0:2,9", (0, 1, 9)),
        ("3:0:-1", (3, 2, 1)),
    ],
)  # fmt: skip
def test_seeds_are_ranges_or_numbers(text, seeds):
    assert plan(seeds=text).seeds == seeds


def test_without_seeds_there_is_the_recipes_own():
    assert plan(*GRID, seeds=None).seeds == (7,)


@pytest.mark.parametrize(
    "text", ["", "a", "5:5", "-1", "-3:2", "0:4:0", "0:1:1:1", "1,,2", "0:9999999999", f"0:{10**30}"]
)
def test_seeds_that_are_none_are_refused(text):
    with pytest.raises(RecipeError, match="--seeds: expected"):
        plan(seeds=text)


def test_a_seed_is_given_once():
    with pytest.raises(RecipeError, match="--seeds: a seed is given twice in '0:5,3'"):
        plan(seeds="0:5,3")


# --- values -------------------------------------------------------------------------------------------


def test_values_are_yaml_and_commas_inside_brackets_braces_and_quotes_do_not_part_them():
    assert values("a=1,0.5,true,null,1e-3,-2E5") == [[1, 0.5, True, None, 0.001, -2e5]]
    assert values("a=[1,2],[3, [4, 5]]") == [[[1, 2], [3, [4, 5]]]]
    assert values("a={use: grid},{use: centre-out, targets: 8}") == [
        [{"use": "grid"}, {"use": "centre-out", "targets": 8}]
    ]
    assert values("a='x,y',\"z\",plain") == [["x,y", "z", "plain"]]


@given(
    st.lists(
        st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans()),
        min_size=1,
        unique_by=repr,
    )
)
@settings(max_examples=50, deadline=None)
def test_every_number_survives(numbers):
    assert values("a=" + ",".join(map(json.dumps, numbers))) == [numbers]


@pytest.mark.parametrize("pair", ["a", "=1", "a=", "a=[1", "a=1,,2", "a.=1", "a=2020-01-01"])
def test_what_is_no_list_of_values_is_refused(pair):
    with pytest.raises(RecipeError, match=r"--grid .*: expected"):
        plan(pair)


def test_slips_are_told_together():
    with pytest.raises(RecipeError) as caught:
        plan("a=1,1.0,1", "b=[1", "gate.x=1", "gate.x=2", "session.seed=1,2", seeds="x")
    told = [p.path for p in caught.value.problems]
    assert told == ["--grid a", "--grid b", "--grid gate.x", "--grid session.seed", "--seeds"]
    assert "1 is given twice" in str(caught.value)
    assert "seeds are given with --seeds" in str(caught.value)


def test_a_sweep_too_long_to_be_meant_is_refused():
    with pytest.raises(RecipeError, match="are 200,000 runs; expected at most 100,000"):
        plan("stages.bin.bin_s=0.01,0.02", seeds="0:100000")


# --- places -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["stages.bin.bin_s", "stages.0.bin_s", "stages[0].bin_s"])
def test_an_item_of_a_list_is_named_by_its_place_or_by_its_name(key):
    assert plan(f"{key}=0.05").recipe_of(0)["stages"] == [{"use": "bin", "bin_s": 0.05}]


def test_blocks_are_named_as_they_are_called():
    raw = plan("blocks.calibrate.seconds=5", "blocks.centre-out.trials=3").recipe_of(0)
    assert (raw["blocks"][0]["seconds"], raw["blocks"][1]["trials"]) == (5, 3)


def test_a_node_left_to_its_defaults_comes_into_being():
    assert plan("lane.fifo=false").recipe_of(0)["lane"] == {"fifo": False}


def test_two_items_of_one_name_are_told_apart_by_their_place():
    twice = [{"use": "smooth", "width_s": 0.1}, {"use": "smooth", "width_s": 0.2}]
    (said,) = problems("stages.smooth.width_s=0.1,0.3", stages=[{"use": "bin", "bin_s": 0.02}, *twice])
    assert said.startswith("--grid stages.smooth.width_s: 2 items are called 'smooth'; say which: stages.1, stages.2;")


def test_a_key_without_a_place_is_refused_and_its_right_place_named():
    assert problems("stages.bins.bin_s=0.01") == [
        "--grid stages.bins.bin_s: nothing in stages is called 'bins' (bin); 'bin_s' is known at stages.bin.bin_s"
    ]
    assert "stages has 1 items, numbered from 0 (bin)" in problems("stages.3.bin_s=0.01")[0]
    assert "session.name is 'center-out', and nothing is inside it" in problems("session.name.x=1")[0]


def test_one_place_under_two_names_is_refused():
    assert problems("stages.0.bin_s=0.01,0.02", "stages.bin.bin_s=0.05") == [
        "--grid stages.bin.bin_s: is the same place as stages.0.bin_s"
    ]


# --- other parts --------------------------------------------------------------------------------------


def test_a_bare_use_keeps_what_the_new_class_knows_and_says_what_it_leaves_out():
    p = plan("decoder.use=kalman,ridge")
    kalman, ridge = (point.raw["decoder"] for point in p.points)
    assert kalman == recipe.read("center_out")["decoder"]
    assert ridge == {"use": "ridge", "learner": kalman["learner"]}
    assert p.notes == [
        "decoder.use=ridge: keeps learner; leaves out states=velocity, prior_speed_mm_s=75, which ridge does not know"
    ]


def test_what_the_grid_itself_gives_is_never_left_out():
    assert any("unknown key 'states'" in p for p in problems("decoder.states=velocity", "decoder.use=ridge"))


def test_a_whole_node_is_replaced_before_what_is_inside_it():
    p = plan("task.radius_mm=9,10", "task={use: centre-out, targets: 4}")
    assert [point.raw["task"] for point in p.points] == [
        {"use": "centre-out", "targets": 4, "radius_mm": r} for r in (9, 10)
    ]
    assert list(p.points[0].values) == ["task.radius_mm", "task"]  # columns stay as they were given


# --- all problems at once -----------------------------------------------------------------------------


def test_a_good_plan_is_content():
    check(plan(*GRID))


def test_every_problem_of_every_point_is_told_with_the_point():
    said = problems("decoder.workspace_mm=3,4", "task.use=centre-out,gird", "gate.max_age_s=0.1,-1")
    assert len(said) == 3
    assert said[0].startswith("--grid decoder.workspace_mm: unknown key 'workspace_mm'")
    assert said[0].endswith("'workspace_mm' is known at gate.workspace_mm")
    assert any("gate.max_age_s: " in s and "gate.max_age_s=-1 and 3 more points)" in s for s in said)
    assert any("no task is called 'gird'" in s for s in said)


def test_a_key_that_only_one_other_place_knows_is_taken_for_that_one_and_said():
    made = plan("decoder.bin_s=0.01,0.05")
    assert [recipe.build(p.raw).stages["m1"][0].bin_s for p in made.points] == [0.01, 0.05]
    assert any("decoder.bin_s: taken for stages.bin.bin_s" in note for note in made.notes)


def test_what_does_not_fit_when_bound_or_would_never_end_is_a_problem_of_its_point():
    (said,) = problems("device.n_dims=2,3")
    assert said.startswith("(bind): ")
    assert said.endswith("(at device.n_dims=3)")
    assert "never ends" in problems("blocks.1.trials=3,null")[0]
    assert "needs a simulated participant" in problems("lane.fifo=true", world=None)[0]


def test_a_learner_that_cannot_teach_the_decoder_is_found_before_anything_runs():
    assert "(bind): smoothbatch adapts a 'kalman' decoder" in problems("decoder.use=kalman,ridge")[0]


# --- the name of a plan -------------------------------------------------------------------------------


def test_an_equal_plan_has_an_equal_name_and_is_read_back_as_itself():
    p = plan(*GRID)
    assert p.sha256 == plan(*GRID).sha256
    again = Plan.from_dict(json.loads(json.dumps(p.to_dict())))
    assert again == p
    assert again.sha256 == p.sha256


@pytest.mark.parametrize(
    "other",
    [
        {"seeds": "0:4"},
        {"gate__speed_limit_mm_s": 200},
        {"grid": [GRID[0]]},
        {"grid": GRID[::-1]},
        {"grid": [GRID[0], "decoder.states=velocity"]},
    ],
    ids=str,
)
def test_another_plan_has_another_name(other):
    grid = other.pop("grid", GRID)
    assert plan(*grid, **other).sha256 != plan(*GRID).sha256


def test_a_plan_rests_on_versions_the_processor_and_the_files_the_recipe_names(tmp_path):
    saved = tmp_path / "day3.safetensors"
    saved.write_bytes(b"one")
    first = plan(decoder__params=str(saved))
    assert {"numpy", "numba", "multiscale-bmi"} <= first.versions.keys()
    assert first.machine["cpu_features_sha256"]
    saved.write_bytes(b"other")
    assert plan(decoder__params=str(saved)).sha256 != first.sha256
    assert list(first.files) == [str(saved)]


def test_a_recipe_that_is_no_mapping_is_refused():
    with pytest.raises(RecipeError, match="expected a mapping of nodes, given list"):
        make_plan([], [], "0", "x.yaml")
