"""The real command: killed, interrupted and resumed it comes to the same bytes; what fails is a row, not the end."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bmi import recipe
from bmi.cli import main
from bmi.simulate import simulate
from bmi.sweep.table import flat

BMI = Path(sys.executable).with_name("bmi")
SHORT = ["--trials", "2", "--set", "blocks.0.seconds=12"]
SWEEP = ["simulate", "center_out", *SHORT, "--grid", "stages.bin.bin_s=0.01,0.02", "--seeds", "0:3"]
RESULTS = ("table.csv", "table.parquet", "sweep.html")


STARTED = []


@pytest.fixture(autouse=True, scope="module")
def nothing_outlives_its_test():
    yield
    for process in STARTED:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def start(folder, *args, **env):
    """Start the installed command in a process group of its own."""
    env = {**os.environ, "COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb", **env}
    process = subprocess.Popen(
        [str(BMI), *map(str, args)], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    STARTED.append(process)
    return process


def finish(process, code=0):
    out, err = process.communicate()
    assert process.returncode == code, f"{out}\n{err}"
    return out, err


def bmi(folder, *args, code=0, **env):
    return finish(start(folder, *args, **env), code)


def until_runs(out, n, process):
    """Wait until ``n`` runs are over and the sweep is not."""
    while len(list(out.glob("runs/*.json"))) < n:
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)


def workers_of(out):
    """Processes that work for a sweep."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"bmi.sweep.worker" in words and str(out.name).encode() in words:
            found.append(int(path.parent.name))
    return found


def rows(out):
    with (out / "table.csv").open(newline="") as f:
        return list(csv.DictReader(f))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A sweep nobody interrupted, one run at a time."""
    folder = tmp_path_factory.mktemp("whole")
    told, said = bmi(folder, *SWEEP, "--jobs", "1", "--out", "out-whole", "--json")
    return folder / "out-whole", json.loads(told), said


@pytest.fixture
def inside(tmp_path, monkeypatch, capsys):
    """Run the command in this process, where a new interpreter would add nothing but time."""

    def run(*args, code=2):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["bmi", *map(str, args)])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        assert caught.value.code == code, f"{out}\n{err}"
        return err

    return run


# --- a sweep that is left alone -----------------------------------------------------------------------


def test_a_row_says_what_the_single_run_says(whole):
    out, _, _ = whole
    row = rows(out)[4]
    assert (row["run"], row["stages.bin.bin_s"], row["seed"], row["status"]) == ("4", "0.02", "1", "ok")
    alone = {"blocks.0.seconds": 12, "blocks.1.trials": 2, "stages.0.bin_s": 0.02, "session.seed": 1}
    for key, value in flat(simulate(recipe.load("center_out", alone)).summary):
        assert row[key] == ("" if value is None else str(value)), key
    assert row["subject"] == "simulated"


def test_it_tells_each_points_mean_and_interval_over_its_seeds(whole):
    out, told, said = whole
    assert "6 runs: 2 points x 3 seeds" in said
    assert (told["n_runs"], told["n_failed"], told["seeds"]) == (6, 0, [0, 1, 2])
    assert told["notice"] == "simulated; research use only; not a medical device"
    assert [point["values"] for point in told["points"]] == [{"stages.bin.bin_s": 0.01}, {"stages.bin.bin_s": 0.02}]
    for point, seeds in zip(told["points"], (rows(out)[:3], rows(out)[3:]), strict=True):
        each = [float(row["bits_s"]) for row in seeds]
        e = point["bits_s"]
        assert e["mean"] == pytest.approx(sum(each) / 3)
        assert min(each) <= e["low"] <= e["mean"] <= e["high"] <= max(each)
        assert e["n"] == 3


def test_times_and_hosts_stand_in_the_log_and_nowhere_else(whole):
    out, _, _ = whole
    entries = [json.loads(line) for line in (out / "run-log.jsonl").read_text().splitlines()]
    assert sorted(entry["run"] for entry in entries) == list(range(6))
    assert all(entry["wall_s"] > 0 and entry["host"] for entry in entries)
    assert not {"wall_s", "host", "finished"} & rows(out)[0].keys()


def test_without_out_it_has_a_folder_named_after_its_plan_and_the_same_words_go_on_with_it(inside, tmp_path):
    words = ["simulate", "center_out", "--trials", "2", "--set", "blocks.0.seconds=4", "--seeds", "1", "--resume"]
    inside(*words, code=0)
    (folder,) = (tmp_path / "sweeps").iterdir()
    plan = json.loads((folder / "plan.json").read_text())
    assert folder.name == f"center-out-{plan['sha256'][:8]}"
    before = (folder / "table.csv").read_bytes(), (folder / "run-log.jsonl").read_bytes()
    assert "1 are there" in inside(*words, code=0)
    assert before == ((folder / "table.csv").read_bytes(), (folder / "run-log.jsonl").read_bytes())


# --- interrupted --------------------------------------------------------------------------------------


def test_interrupted_and_killed_and_resumed_it_comes_to_the_same_bytes(whole, tmp_path):
    out = tmp_path / "out-killed"
    first = start(tmp_path, *SWEEP, "--jobs", "1", "--out", out.name)
    until_runs(out, 1, first)
    first.send_signal(signal.SIGINT)
    _, said = finish(first, 130)
    assert "of 6 runs are kept in out-killed. Go on with:\n  bmi simulate center_out" in said
    assert said.rstrip().endswith("--resume")
    assert not workers_of(out)
    assert not (out / "table.csv").exists()
    n = len(list(out.glob("runs/*.json")))
    assert n < 6

    second = start(tmp_path, *SWEEP, "--jobs", "2", "--out", out.name, "--resume")
    until_runs(out, n + 1, second)
    os.killpg(second.pid, signal.SIGKILL)
    finish(second, -signal.SIGKILL)
    deadline = time.monotonic() + 5.0
    while workers_of(out) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not workers_of(out), "workers outlive the sweep"
    assert len(list(out.glob("runs/*.json"))) < 6
    assert not (out / "table.csv").exists()

    bmi(tmp_path, *SWEEP, "--jobs", "1", "--out", out.name, "--resume")
    for name in RESULTS:
        assert (out / name).read_bytes() == (whole[0] / name).read_bytes(), name


# --- refused ------------------------------------------------------------------------------------------


def test_another_plan_is_refused_and_nothing_is_touched(whole, inside):
    out, _, _ = whole
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    said = inside(*SWEEP[:-1], "0:4", "--out", out, "--resume")
    assert "holds a sweep by another plan" in said
    assert "  seeds: was [0, 1, 2], is [0, 1, 2, 3]" in said
    assert "to go on with the sweep in it, add --resume" in inside(*SWEEP, "--out", out)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_every_bad_key_is_named_before_anything_begins(inside, tmp_path):
    said = inside(*SWEEP, "--grid", "decoder.workspace_mm=3,4", "--grid", "task.use=centre-out,gird", "--out", "new")
    assert said.startswith("bmi: center_out: 2 problems\n")
    assert "--grid decoder.workspace_mm: unknown key 'workspace_mm'" in said
    assert "'workspace_mm' is known at gate.workspace_mm" in said
    assert "task.use: no task is called 'gird'" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", [("--jobs", 2), ("--resume",), ("--out", "x")], ids=lambda o: o[0])
def test_what_belongs_to_a_sweep_is_refused_for_one_run(option, inside, tmp_path):
    assert f"{option[0]}: is for a sweep; give --grid or --seeds as well" in inside("simulate", "center_out", *option)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", [("--plot", "x.png"), ("--seed", 3)], ids=lambda o: o[0])
def test_what_belongs_to_one_run_is_refused_for_a_sweep(option, inside, tmp_path):
    assert f"{option[0]}: is for one run" in inside(*SWEEP, *option)
    assert not list(tmp_path.iterdir())


# --- parts that fail ----------------------------------------------------------------------------------

STUMBLING = """
import os, signal, sys
from dataclasses import dataclass
from pathlib import Path
from devices.cursor import Cursor

class Odd(Exception):
    pass

@dataclass(kw_only=True, eq=False)
class Stumbling(Cursor):
    how: str = "not"

    def __post_init__(self):
        super().__post_init__()
        if os.environ["STUMBLE"] == "no" or Path(sys.argv[0]).name != "worker.py":
            return
        print("a part talks")
        marker = Path(os.environ["STUMBLE"])
        if self.how == "fault":
            raise LookupError("it\\nstumbled")
        if self.how == "oddly":
            raise Odd("nobody knows this error")
        if self.how == "killed once" and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def stumbling(tmp_path):
    """Install a device that fails in every way there is; return the path to it."""
    place = tmp_path / "plugin"
    info = place / "stumbling-1.0.dist-info"
    info.mkdir(parents=True)
    (place / "stumbling.py").write_text(STUMBLING)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stumbling\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[bmi.devices]\nstumbling = stumbling:Stumbling\n")
    return str(place)


def test_what_fails_is_a_row_with_its_error_and_is_done_again_when_resumed(stumbling, tmp_path):
    words = [
        "simulate", "center_out", "--trials", "2", "--set", "blocks.0.seconds=4", "--set", "device.use=stumbling",
        "--grid", "device.how=not,fault,oddly,killed,killed once", "--seeds", "3", "--jobs", "2",
    ]  # fmt: skip
    out = tmp_path / "out-stumbling"
    env = {"PYTHONPATH": stumbling, "STUMBLE": str(tmp_path / "marker")}
    told, said = bmi(tmp_path, *words, "--out", out.name, "--json", code=3, **env)
    assert json.loads(told)["n_failed"] == 3
    table = rows(out)
    assert [row["status"] for row in table] == ["ok", "failed", "failed", "failed", "ok"]
    assert [row["error"] for row in table] == [
        "", "LookupError: it stumbled", "Odd: nobody knows this error", "the worker got SIGKILL", ""
    ]  # fmt: skip
    assert table[1]["samples"] == ""
    assert table[0]["samples"] == table[4]["samples"] != ""
    assert "run 3: the worker got SIGKILL; it is begun again" in said
    assert "run 4: the worker got SIGKILL; it is begun again" in said
    assert "3 of 5 runs failed; --resume does them again" in said
    assert "Odd: nobody knows this error" in (out / "sweep.html").read_text()
    entries = [json.loads(line) for line in (out / "run-log.jsonl").read_text().splitlines()]
    (fault,) = (entry for entry in entries if entry["run"] == 1)
    assert any("stumbling.py" in line for line in fault["trace"])

    bmi(tmp_path, *words[:-1], "1", "--out", out.name, "--resume", **{**env, "STUMBLE": "no"})
    told = [{k: v for k, v in row.items() if k not in ("run", "device.how")} for row in rows(out)]
    assert told == [told[0]] * 5  # a seed is a seed, whatever became of it at first
    assert told[0]["status"] == "ok"


# --- the bar ------------------------------------------------------------------------------------------


@pytest.mark.bars
@pytest.mark.timeout(1800)
def test_two_hundred_runs_on_two_jobs_killed_and_resumed_come_to_the_same_bytes(tmp_path):
    words = ["simulate", "center_out", *SHORT, "--grid", "stages.bin.bin_s=0.01,0.02", "--seeds", "0:100"]
    bmi(tmp_path, *words, "--jobs", "2", "--out", "out-whole")
    out = tmp_path / "out-killed"
    for n in (40, 90, 150):
        process = start(tmp_path, *words, "--jobs", "2", "--out", out.name, "--resume")
        until_runs(out, n, process)
        os.killpg(process.pid, signal.SIGKILL)
        finish(process, -signal.SIGKILL)
    assert len(list(out.glob("runs/*.json"))) < 200
    bmi(tmp_path, *words, "--jobs", "2", "--out", out.name, "--resume")
    for name in RESULTS:
        assert (out / name).read_bytes() == (tmp_path / "out-whole" / name).read_bytes(), name
