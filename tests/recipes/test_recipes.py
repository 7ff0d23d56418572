"""Every recipe that ships runs as it ships."""

from pathlib import Path

import pytest

from bmi import recipe
from bmi.check import check
from bmi.simulate import simulate

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
FEW = 2
LIGHT = {"world.patient": {"ganglia": None, "probes": None}, "blocks.0.seconds": 14}
SMALLER = {
    "broadband": {"world.n_channels": 32, "world.chunk_s": 0.005, "blocks.0.seconds": 15},
    "patient_center_out": LIGHT,
    "adaptive_dbs": {"world.patient": {"probes": None}, "blocks.0.seconds": 14},
    "molecule_to_command": LIGHT | {"blocks.1.seconds": None},
    "seizure_abort": LIGHT | {"blocks.1.seconds": None},
    "year_in_ten_minutes": LIGHT | {"blocks.1.seconds": None},
}
"""What a recipe is cut down to here; as it ships it runs under ``-m bars``."""


def test_there_are_recipes():
    assert "center_out" in {p.stem for p in CONFIGS}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_it_binds(path):
    assert check(recipe.load(path))["bound"] == "yes"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_it_is_found_by_its_name(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert recipe.read(path.stem) == recipe.read(path)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_it_says_what_it_is_and_what_it_is_not(path):
    head = path.read_text(encoding="utf-8").partition("session:")[0]
    assert head.startswith("# ")
    assert "Research use only; not a medical device." in head.replace("\n# ", " ")


WORLDS = [p for p in CONFIGS if recipe.read(p).get("world")]


@pytest.mark.parametrize("path", WORLDS, ids=lambda p: p.stem)
def test_it_runs_in_lock_step(path):
    run(path, SMALLER.get(path.stem, {}))


@pytest.mark.bars
@pytest.mark.parametrize("path", [p for p in WORLDS if p.stem in SMALLER], ids=lambda p: p.stem)
def test_it_runs_in_lock_step_as_it_ships(path):
    run(path, {})


def run(path, smaller):
    raw = recipe.read(path)
    few = {f"blocks.{i}.trials": FEW for i, b in enumerate(raw["blocks"]) if b.get("scored")}
    assert few, "nothing in it is scored"
    done = simulate(recipe.load(path, few | smaller))
    assert done.summary["n_trials"] == FEW * len(few)
    assert done.summary["success_rate"] >= 0.5
    assert done.summary["commands"] > 100
    assert done.summary["lost"] == 0
