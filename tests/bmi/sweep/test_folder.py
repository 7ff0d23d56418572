"""What is on disk after a kill at any moment is a set of whole runs, and only their own plan goes on with them."""

import json

import pytest

from bmi.errors import RecordingError
from bmi.sweep.folder import log, opened, read_plan, read_run, run_path, write
from bmi.sweep.plan import Axis, Plan
from bmi.sweep.run import Runs
from bmi.sweep.worker import record


def plan(seeds=(0, 1), **more):
    settings = {"raw": {"session": {"name": "x"}}, "axes": (Axis("gate.a", [1, 2]),), "versions": {"numpy": "1"}}
    return Plan(recipe="x.yaml", seeds=seeds, **(settings | more))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "sweeps" / "out"


def test_a_new_folder_gets_the_plan(out):
    with opened(out, plan(), resume=False):
        assert read_plan(out) == plan()
        assert json.loads((out / "plan.json").read_text())["notice"].startswith("simulated; research use only")


def test_resuming_what_never_began_begins(out):
    with opened(out, plan(), resume=True):
        assert read_plan(out) == plan()


def test_a_folder_that_is_not_empty_is_refused_unless_it_is_to_be_resumed(out):
    with opened(out, plan(), resume=False):
        pass
    with (
        pytest.raises(RecordingError, match=r"expected a new or empty folder.*add --resume"),
        opened(out, plan(), resume=False),
    ):
        pass
    with opened(out, plan(), resume=True):
        pass


def test_somebody_elses_folder_is_left_alone(out):
    out.mkdir(parents=True)
    (out / "thesis.tex").write_text("words")
    with pytest.raises(RecordingError, match=r"or one with the plan.json of a sweep"), opened(out, plan(), resume=True):
        pass
    assert [p.name for p in out.iterdir()] == ["thesis.tex"]


def test_another_plan_is_refused_by_what_differs(out):
    with opened(out, plan(), resume=False):
        pass
    other = plan(seeds=(0, 1, 2), versions={"numpy": "2"}, raw={"session": {"name": "y"}})
    with pytest.raises(RecordingError) as caught, opened(out, other, resume=True):
        pass
    lines = str(caught.value).splitlines()[1:]
    assert lines == [
        '  raw.session.name: was "x", is "y"', "  seeds: was [0, 1], is [0, 1, 2]", '  versions.numpy: was "1", is "2"'
    ]  # fmt: skip


def test_two_sweeps_do_not_share_a_folder(out):
    with opened(out, plan(), resume=False):
        with pytest.raises(RecordingError, match="another sweep is running there"), opened(out, plan(), resume=True):
            pass
        assert read_plan(out) == plan()
    with opened(out, plan(), resume=True):
        pass


def test_a_place_that_is_no_folder_is_said(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(RecordingError, match="cannot be written"), opened(tmp_path / "out", plan(), resume=False):
        pass


def test_drafts_of_the_killed_are_swept_away_and_what_is_whole_stays(out):
    with opened(out, plan(), resume=False):
        write(run_path(out, 0), record(plan(), 0, summary={"a": 1}))
        draft = run_path(out, 1).with_name("00001.json.77.draft")
        draft.write_bytes(b'{"pl')
    with opened(out, plan(), resume=True):
        assert not draft.exists()
        assert read_run(out, 0, plan().sha256)["summary"] == {"a": 1}


def test_only_whole_good_runs_of_this_plan_are_done(out):
    p = plan()
    with opened(out, p, resume=False):
        write(run_path(out, 0), record(p, 0, summary={"a": 1}))
        write(run_path(out, 1), record(p, 1, error="ValueError: no"))
        write(run_path(out, 2), record(plan(seeds=(8, 9)), 2, summary={"a": 1}))
        run_path(out, 3).write_bytes(b'{"plan": "')
        assert Runs(p, out, jobs=1).todo == [1, 2, 3]


def test_a_line_of_the_log_that_was_cut_short_spoils_no_other(out):
    with opened(out, plan(), resume=False):
        log(out, {"run": 0})
        with (out / "run-log.jsonl").open("ab") as f:
            f.write(b'{"run": 1, "wal')
        log(out, {"run": 2})
        lines = (out / "run-log.jsonl").read_text().splitlines()
    assert [json.loads(lines[i]) for i in (0, 2)] == [{"run": 0}, {"run": 2}]


def test_a_file_that_cannot_be_written_says_so_and_how_to_go_on(out):
    with pytest.raises(RecordingError, match=r"cannot be written.*go on with --resume"):
        write(out / "missing" / "x", b"")
