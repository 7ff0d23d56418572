"""One row a run, floats to the last bit, and what seeds say together."""

import csv
import io
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import RecordingError
from bmi.sweep.folder import opened, run_path, write
from bmi.sweep.plan import Axis, Plan
from bmi.sweep.table import figures, flat, rows, save, to_csv, to_parquet
from bmi.sweep.worker import record

RAW = {"session": {"name": "x"}, "gate": {}}
PLAN = Plan(
    recipe="x.yaml", raw=RAW, axes=(Axis("gate.speed", [1, 2.5]), Axis("task", [{"use": "a"}])), seeds=(0, 1, 2)
)


def filled(folder, summaries):
    """Write the runs of ``PLAN``; a text is what it failed of."""
    for i, summary in enumerate(summaries):
        failed = isinstance(summary, str)
        data = record(PLAN, i, error=summary) if failed else record(PLAN, i, summary=summary)
        write(run_path(folder, i), data)
    return rows(PLAN, folder)


@pytest.fixture
def folder(tmp_path):
    with opened(tmp_path / "out", PLAN, resume=False):
        yield tmp_path / "out"


def good(x, **more):
    return {"success_rate": x, "chance": 0.125, "intervals": {"success": [x, None]}, **more}


def read_csv(data):
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_nested_figures_have_dots_and_intervals_their_ends():
    nested = {"a": 1, "ci": [1, 2], "success_ci": [0, 1], "intervals": {"x": [None, 2.0]}, "deep": {"er": {"est": "y"}}}
    assert dict(flat(nested)) == {
        "a": 1, "ci.0": 1, "ci.1": 2, "success_ci.low": 0, "success_ci.high": 1, "intervals.x.low": None,
        "intervals.x.high": 2.0, "deep.er.est": "y",
    }  # fmt: skip


def test_rows_stand_in_the_order_of_the_plan_and_have_every_column(folder):
    table = filled(folder, [good(0.1), good(0.2, more=3), "ValueError: no", good(0.4), good(0.5), good(0.6)])
    assert [row["run"] for row in table] == list(range(6))
    assert [row["gate.speed"] for row in table] == [1, 1, 1, 2.5, 2.5, 2.5]
    assert [row["seed"] for row in table] == [0, 1, 2, 0, 1, 2]
    assert [row["status"] for row in table] == ["ok", "ok", "failed", "ok", "ok", "ok"]
    assert table[2]["error"] == "ValueError: no"
    assert table[2]["success_rate"] is None
    assert table[0]["more"] is None
    assert len({tuple(row) for row in table}) == 1


def test_a_value_and_a_figure_of_one_name_are_told_apart(folder):
    """Seconds asked of a block, and seconds it took."""
    table = filled(folder, [good(0.1, seed=0, gate={"speed": 99.0}), *[good(0.2)] * 5])
    assert (table[0]["gate.speed"], table[0]["summary.gate.speed"]) == (1, 99.0)
    assert "summary.seed" not in table[0]


def test_a_run_without_a_result_is_named(folder):
    with pytest.raises(RecordingError, match="run 2 has no result"):
        filled(folder, [good(0.1), good(0.2)])


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=6, max_size=6))
@settings(max_examples=30, deadline=None)
def test_floats_read_back_as_the_same_bits(tmp_path_factory, xs):
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "runs").mkdir()
    table = filled(folder, [good(x) for x in xs])
    assert [float(row["success_rate"]).hex() for row in read_csv(to_csv(table))] == [x.hex() for x in xs]


def test_csv_leaves_nothing_where_there_is_nothing_and_writes_mappings_as_json(folder):
    table = filled(folder, [good(1.0, ok=True, words='a "b", c'), *[good(0.5)] * 5])
    row = read_csv(to_csv(table))[0]
    assert row["error"] == row["intervals.success.high"] == ""
    assert json.loads(row["task"]) == {"use": "a"}
    assert (row["ok"], row["words"]) == ("true", 'a "b", c')
    assert b"\r" not in to_csv(table)


def test_parquet_says_what_the_csv_says(folder):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = filled(folder, [good(0.1, n=1, ok=True), good(0.2, n=2), "boom", good(0.4), good(0.5), good(0.6)])
    data = to_parquet(table, PLAN)
    read = parquet.read_table(io.BytesIO(data))
    kinds = {name: str(read.schema.field(name).type) for name in read.column_names}
    assert read.column_names == list(table[0])
    assert kinds["run"] == kinds["n"] == "int64"
    assert kinds["gate.speed"] == kinds["success_rate"] == "double"
    assert kinds["task"] == kinds["error"] == "string"
    assert kinds["ok"] == "bool"
    assert read.column("success_rate").to_pylist() == [0.1, 0.2, None, 0.4, 0.5, 0.6]
    assert json.loads(read.column("task")[0].as_py()) == {"use": "a"}
    assert read.schema.metadata[b"plan_sha256"] == PLAN.sha256.encode()
    assert b"not a medical device" in read.schema.metadata[b"notice"]
    assert to_parquet(table, PLAN) == data


def test_without_pyarrow_there_is_the_csv_and_a_word_of_how_to_get_the_other(folder, monkeypatch):
    table = filled(folder, [good(0.1)] * 6)
    (folder / "table.parquet").write_bytes(b"of an earlier time")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (said,) = save(table, PLAN, folder)
    assert "pip install 'multiscale-bmi[parquet]'" in said
    assert (folder / "table.csv").read_bytes() == to_csv(table)
    assert not (folder / "table.parquet").exists()


# --- points -------------------------------------------------------------------------------------------


def test_a_points_figure_is_the_mean_over_its_seeds_within_its_interval(folder):
    one, two = figures(PLAN, filled(folder, [good(x) for x in (0.1, 0.2, 0.6, 0.8, 0.8, 0.8)]))
    e = one.metrics["success_rate"]
    assert e.value == pytest.approx(0.3)
    assert 0.1 <= e.low < e.value < e.high <= 0.6
    assert two.metrics["success_rate"] == pytest.approx((0.8, 0.8, 0.8))
    assert (one.n, one.n_failed, one.chance) == (3, 0, 0.125)
    assert one.values == {"gate.speed": 1, "task": {"use": "a"}}


def test_failed_runs_and_runs_without_the_figure_are_counted_and_left_out(folder):
    table = filled(folder, [good(0.1, bits_s=None), "boom", good(0.3, bits_s=2.0), "a", "b", "c"])
    one, two = figures(PLAN, table)
    assert (one.n, one.n_failed, one.metrics["success_rate"].value) == (2, 1, pytest.approx(0.2))
    assert one.seen["bits_s"] == [2.0]
    assert one.metrics["bits_s"].value == 2.0
    assert math.isnan(one.metrics["bits_s"].low)  # one seed has no interval
    assert (two.n, two.n_failed) == (0, 3)
    assert math.isnan(two.metrics["success_rate"].value)
    assert "acquisition_s" not in one.metrics  # nobody knows it
