"""The command line as it is installed: good is 0, yours to mend is 2, and nobody ever meets a traceback."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from bmi import recipe
from bmi.cli import main
from bmi.lsl.outlet import Outlet
from bmi.signals import StreamSpec

BMI = Path(sys.executable).with_name("bmi")
COMMANDS = ("demo", "run", "simulate", "check", "list", "replay", "inspect", "recover", "eval", "bench", "version")
QUICK = ["--trials", "2", "--set", "blocks.0.seconds=6"]
SHM = Path("/dev/shm")


@pytest.fixture
def bmi(tmp_path):
    """Run the installed command in an empty folder; return what came of it."""

    def run(*args, code=0, **env):
        env = {**os.environ, "COLUMNS": "160", "NO_COLOR": "1", "TERM": "dumb", **env}
        done = subprocess.run(
            [str(BMI), *map(str, args)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=90, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    run.folder = tmp_path
    return run


@pytest.fixture
def inside(tmp_path, monkeypatch, capsys):
    """Run the same command in this process, where a new interpreter would add nothing but time."""

    def run(*args, code=0):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["bmi", *map(str, args)])
        monkeypatch.setenv("COLUMNS", "160")
        monkeypatch.setenv("NO_COLOR", "1")
        with pytest.raises(SystemExit) as caught:
            main()
        done = subprocess.CompletedProcess(args, caught.value.code, *capsys.readouterr())
        assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
        return done

    run.folder = tmp_path
    return run


def mine(folder, name="mine.yaml", **changes):
    """Write the shipped recipe with changes into ``folder``."""
    raw = recipe.read("center_out", {k.replace("__", "."): v for k, v in changes.items()})
    (folder / name).write_text(yaml.safe_dump(raw), encoding="utf-8")
    return name


def runtime_folders():
    return set(SHM.glob("bmi-*"))


def left_behind(before, name):
    """Return new runtime folders that are of the session ``name``, or empty for longer than it takes to begin."""
    deadline = time.monotonic() + 1.0
    while True:
        new = runtime_folders() - before
        texts = {f: (f / "recipe.json").read_text() if (f / "recipe.json").exists() else "" for f in new if f.exists()}
        suspect = {f for f, text in texts.items() if not text or name in text}
        if not suspect or time.monotonic() > deadline:
            return suspect
        time.sleep(0.05)


# --- help -------------------------------------------------------------------------------------------


def test_help_names_every_command_and_what_this_is_for(bmi):
    out = bmi("--help").stdout
    assert set(COMMANDS) <= set(re.findall(r"^\W*(\w+)", out, re.MULTILINE))
    assert "Research use only; not a medical device" in out


def test_without_anything_it_helps(inside):
    assert "Usage: bmi" in inside(code=2).stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command, inside):
    out = inside(command, "--help").stdout
    assert f"Usage: bmi {command}" in out
    assert "Example" in out or command in ("version", "bench")


def test_an_unknown_command_is_refused(inside):
    assert "No such command 'simulat'" in inside("simulat", code=2).stderr


def test_the_shell_can_complete_commands(bmi):
    script = bmi("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1").stdout
    assert "complete -o default -F _bmi_completion bmi" in script
    words = {"COMP_WORDS": "bmi simu", "COMP_CWORD": "1", "_BMI_COMPLETE": "complete_bash"}
    assert bmi(**words).stdout.split() == ["simulate"]
    words |= {"COMP_WORDS": "bmi sim va", "COMP_CWORD": "2"}  # a battery's commands as well
    assert bmi(**words).stdout.split() == ["validate"]


# --- check, list, version ---------------------------------------------------------------------------


def test_check_of_a_good_recipe_binds_and_says_so(bmi):
    report = json.loads(bmi("check", "center_out", "--json").stdout)
    assert report["bound"] == "yes"
    assert "bound: yes" in bmi("check", "center_out").stdout


def test_check_of_a_bad_recipe_tells_everything_at_once_and_starts_nothing(bmi):
    before = runtime_folders()
    name = mine(bmi.folder, session__name="checked-only", gate={"max_age": 1}, device__use="cursr")
    done = bmi("check", name, code=2)
    assert done.stdout == ""
    assert done.stderr.startswith("bmi: mine.yaml: 2 problems\n")
    assert "gate.max_age: unknown key 'max_age'; did you mean 'max_age_s'?" in done.stderr
    assert "device.use: no device is called 'cursr'; did you mean 'cursor'?" in done.stderr
    assert sorted(p.name for p in bmi.folder.iterdir()) == [name]
    assert not left_behind(before, "checked-only")


def test_check_of_parts_that_do_not_fit_names_them(inside):
    done = inside("check", "center_out", "--set", "device.n_dims=3", code=2)
    assert "the decoder gives 2 dimensions" in done.stderr


def test_list_gives_parts_as_json(bmi):
    rows = json.loads(bmi("list", "decoders", "--json").stdout)
    assert {
        "kind": "decoders",
        "name": "kalman",
        "object": "decoders.kalman:Kalman",
        "package": "multiscale-bmi",
    } in rows
    assert {r["kind"] for r in rows} == {"decoders"}


def test_list_gives_every_kind_to_people(inside):
    out = inside("list").stdout
    assert all(name in out for name in ("kalman", "centre-out", "cursor", "population", "smoothbatch", "bin", "lsl"))


def test_list_of_an_unknown_kind_is_refused(inside):
    assert "no such kind of plug-in: 'robots'; there are sources, stages" in inside("list", "robots", code=2).stderr


def test_list_streams_finds_what_is_on_the_network(inside):
    spec = StreamSpec(name="listed", type="lfp", n_channels=3, rate_hz=250.0, unit="µV")
    with Outlet(spec):
        (row,) = [r for r in json.loads(inside("list", "streams", "--json").stdout) if r["name"] == "listed"]
    assert (row["type"], row["channels"], row["rate_hz"], row["unit"]) == ("lfp", 3, 250.0, "µV")


def test_version_gives_what_a_result_depends_on(bmi):
    found = json.loads(bmi("version", "--json").stdout)
    assert found["multiscale-bmi"] == "0.1.0"
    assert {"python", "numpy", "numba", "pylsl"} <= found.keys()


# --- simulate ---------------------------------------------------------------------------------------


def test_simulate_twice_is_the_same_on_standard_output_to_the_byte(bmi):
    one, two = (bmi("simulate", "center_out", *QUICK, "--seed", "3", "--json").stdout for _ in range(2))
    assert one == two
    summary = json.loads(one)
    assert (summary["n_trials"], summary["seed"]) == (2, 3)
    assert list(bmi.folder.iterdir()) == []  # it writes nothing unasked


def test_simulate_ends_in_a_table_for_people(inside):
    done = inside("simulate", "center_out", *QUICK)
    assert "center-out" in done.stdout
    assert re.search(r"simulated \d+\.\d s in \d+\.\d\d s", done.stderr)


def test_simulate_asks_for_what_a_plot_needs_before_it_works(inside, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = inside("simulate", "center_out", *QUICK, "--plot", "x.png", code=2)
    assert "simulate --plot: expected matplotlib, found none" in done.stderr
    assert "simulated" not in done.stderr


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("gate.max_age=1", "gate.max_age: unknown key 'max_age'; did you mean 'max_age_s'?"),
        ("nothing", "nothing: expected KEY=VALUE, e.g. gate.max_age_s=0.1"),
        ("=3", "=3: expected KEY=VALUE"),
        ("blocks.7.trials=3", "blocks.7.trials: cannot be set: no such place in the recipe"),
        ("gate.max_age_s={", "{: is not readable YAML"),
        ("blocks.1.trials=null", "blocks[1]: never ends: give 'seconds' or 'trials'"),
    ],
)
def test_a_bad_override_is_refused_in_words(pair, message, inside):
    assert message in inside("simulate", "center_out", "--set", pair, code=2).stderr


@pytest.mark.parametrize("content", ["just text", "- 1\n", "", "blocks: 5\n", "a: [1\n"])
def test_a_file_that_is_no_recipe_is_refused_in_words(content, inside):
    (inside.folder / "r.yaml").write_text(content, encoding="utf-8")
    assert inside("simulate", "r.yaml", "--trials", "3", code=2).stderr.startswith("bmi: r.yaml: ")


@pytest.mark.parametrize("option", [["--trials", "0"], ["--seed", "-1"], ["--nonsense"]])
def test_an_option_out_of_range_is_refused(option, inside):
    assert option[0] in inside("simulate", "center_out", *option, code=2).stderr


# --- recordings -------------------------------------------------------------------------------------


@pytest.fixture
def recording(tmp_path):
    rng = np.random.default_rng(0)
    velocity = 50.0 * np.stack([np.sin(np.arange(400) / 7), np.cos(np.arange(400) / 9)], axis=1)
    counts = rng.poisson(np.clip(4.0 + velocity @ (0.03 * rng.standard_normal((2, 12))), 0, None))
    np.savez(tmp_path / "r.npz", counts=counts, kinematics=velocity, bin_s=0.02, unit="mm/s")
    return "r.npz"


def test_eval_scores_a_decoder(inside, recording):
    result = json.loads(inside("eval", recording, "--decoder", "ridge", "--set", "history=3", "--json").stdout)
    assert min(result["r2"]) > 0.5
    assert result["settings"] == {"history": 3}
    assert re.search(r"^r2: \[0\.", inside("eval", recording, "--decoder", "ridge").stdout, re.MULTILINE)


def test_eval_through_lsl_is_the_same(bmi, recording):
    result = json.loads(bmi("eval", recording, "--decoder", "kalman", "--lsl", "--json").stdout)
    assert result["max_difference"] <= 1e-9
    assert result["lost"] == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["none.npz", "--decoder", "ridge"], "none.npz: no such file; expected a .mat or .npz recording"),
        (["garbage.npz", "--decoder", "ridge"], "garbage.npz: cannot be read as a NumPy archive"),
        (["garbage.mat", "--decoder", "ridge"], "garbage.mat: cannot be read as a MATLAB file"),
        (["r.npz", "--decoder", "rigde"], "no decoder is called 'rigde'; did you mean 'ridge'?"),
        (["r.npz", "--decoder", "ridge", "--set", "histry=1"], "unknown key 'histry'; did you mean 'history'?"),
        (["r.npz"], "Missing option '--decoder'"),
        (["r.npz", "--decoder", "ridge", "--train-fraction", "2"], "--train-fraction"),
    ],
)
def test_eval_refuses_in_words(args, message, inside, recording):
    for name in ("garbage.npz", "garbage.mat"):
        (inside.folder / name).write_bytes(b"garbage")
    assert message in inside("eval", *args, code=2).stderr


@pytest.mark.parametrize("command", [["inspect"], ["recover"], ["replay"], ["replay", "--verify"]], ids=" ".join)
def test_what_is_no_recording_is_refused_in_words(command, inside):
    (inside.folder / "garbage.mcap").write_bytes(b"garbage")
    assert "garbage.mcap: not an MCAP recording" in inside(*command, "garbage.mcap", code=2).stderr
    assert (inside.folder / "garbage.mcap").read_bytes() == b"garbage"


def test_a_folder_without_a_recording_is_refused_in_words(inside):
    (inside.folder / "empty").mkdir()
    assert "empty: expected part-000.mcap and so on, found nothing" in inside("inspect", "empty", code=2).stderr
    assert "nowhere: no such file or folder" in inside("inspect", "nowhere", code=2).stderr


# --- run --------------------------------------------------------------------------------------------


def test_a_missing_stream_is_answered_with_those_that_are_there(bmi):
    before = runtime_folders()
    name = mine(bmi.folder, session__name="no-stream", world=None, sources__0__resolve_timeout_s=1.0)
    with Outlet(StreamSpec(name="m2", type="lfp", n_channels=4, rate_hz=500.0, unit="µV")):
        done = bmi("run", name, code=2)
    assert "source 'm1': no LSL stream with name 'm1'" in done.stderr
    assert re.search(r"On the network:.*m2.* 4 channels, 500 Hz, unit µV", done.stderr, re.DOTALL)
    assert not left_behind(before, "no-stream")


def test_a_bad_recipe_starts_nothing(bmi):
    before = runtime_folders()
    name = mine(bmi.folder, session__name="never-started", gate__max_age_s=3)
    assert "max_age_s=3 s must lie in (0, 0.15] s" in bmi("run", name, "--out", "out", code=2).stderr
    assert sorted(p.name for p in bmi.folder.iterdir()) == [name]
    assert not left_behind(before, "never-started")


def test_a_device_that_cannot_be_reached_is_a_fault_of_the_session(bmi):
    device = {"use": "udp", "host": "host.invalid", "port": 9}
    name = mine(bmi.folder, session__name="no-device", device=device)
    assert "host.invalid" in bmi("run", name, code=3).stderr
