"""The table of a sweep: one row a run, in the order of the plan, and what the seeds of a point say together.

The table is made from the files of the runs alone. It holds no time and no host, and floats are written so that
they read back as the same bits; so the same plan gives the same bytes, however often it was interrupted.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bmi.bootstrap import Estimate, interval
from bmi.errors import PluginError, RecordingError
from bmi.extras import extra
from bmi.sweep.folder import read_run, write
from bmi.sweep.plan import NOTICE, Plan

METRICS = ("success_rate", "acquisition_s", "bits_s", "fitts_bits_s", "path_efficiency")
"""What is told of every point, if the runs know it."""
SEED = 0
"""Of the resampling of seeds."""
Row = dict[str, Any]


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a summary with dots between keys; the two ends of an interval are low and high."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        ends = len(value) == 2 and (path.startswith("intervals.") or path.endswith("_ci"))
        for i, inner in enumerate(value):
            yield from flat(inner, f"{path}.{('low', 'high')[i] if ends else i}")
    else:
        yield path, value


def rows(plan: Plan, out: Path) -> list[Row]:
    """Return the table: every column in every row, None where a run has no such figure.

    Raises
    ------
    RecordingError
        If a run has no result.
    """
    table = []
    for i in range(len(plan)):
        record = read_run(out, i, plan.sha256)
        if record is None:
            raise RecordingError(f"{out}: run {i} has no result; go on with the sweep with --resume")
        row: Row = {"run": i, **record["values"], "seed": record["seed"]}
        row |= {"status": record["status"], "error": record["error"]}
        summary = {k: v for k, v in flat(record["summary"]) if k != "seed"}
        table.append(row | {f"summary.{k}" if k in row else k: v for k, v in summary.items()})
    columns = dict.fromkeys(key for row in table for key in row)
    return [{key: row.get(key) for key in columns} for row in table]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)  # floats as repr, exactly


def to_csv(table: Sequence[Row]) -> bytes:
    """Return the table as CSV, UTF-8; nothing stands where there is no figure."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(table[0])
    lines.writerows([_cell(value) for value in row.values()] for row in table)
    return text.getvalue().encode()


def to_parquet(table: Sequence[Row], plan: Plan) -> bytes:
    """Return the table as Parquet, with the plan's hash in its metadata.

    Raises
    ------
    PluginError
        If pyarrow is not installed.
    """
    pa, pq = extra("pyarrow", "table.parquet"), extra("pyarrow.parquet", "table.parquet")
    columns, fields = [], []
    for key in table[0]:
        values = [row[key] for row in table]
        kinds = {type(v) for v in values} - {type(None)}
        if kinds <= {bool}:
            kind = pa.bool_() if kinds else pa.null()
        elif kinds <= {int, float}:
            kind = pa.float64() if float in kinds else pa.int64()
        else:
            kind, values = pa.string(), [None if v is None else _cell(v) for v in values]
        columns.append(pa.array(values, kind))
        fields.append(pa.field(key, kind))
    schema = pa.schema(fields, metadata={"plan_sha256": plan.sha256, "notice": NOTICE})
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), sink)
    return sink.getvalue()


def save(table: Sequence[Row], plan: Plan, out: Path) -> list[str]:
    """Write ``table.csv``, and ``table.parquet`` where pyarrow is installed; return what is missing, in words."""
    write(out / "table.csv", to_csv(table))
    try:
        write(out / "table.parquet", to_parquet(table, plan))
    except PluginError as e:
        (out / "table.parquet").unlink(missing_ok=True)  # of an earlier time, it would tell of another table
        return [str(e)]
    return []


class PointFigures(NamedTuple):
    """What the seeds of one point of the grid say together."""

    values: dict[str, Any]
    n: int
    """Runs that came to an end."""
    n_failed: int
    metrics: dict[str, Estimate]
    """Mean over seeds and its 95 % bootstrap interval, NaN from fewer than two."""
    seen: dict[str, list[float]]
    """The figure of each run that has one."""
    chance: float
    """Mean success by chance; NaN where unknown."""

    def as_dict(self) -> dict[str, Any]:
        """Return what the command prints as JSON."""
        metrics = {
            name: {"mean": e.value, "low": e.low, "high": e.high, "n": len(self.seen[name])}
            for name, e in self.metrics.items()
        }
        return {"values": self.values, "n": self.n, "n_failed": self.n_failed, "chance": self.chance, **metrics}


def figures(plan: Plan, table: Sequence[Row]) -> list[PointFigures]:
    """Return what each point's seeds say; seeds are what is resampled, for they alone are independent."""
    n = len(plan.seeds)
    told = [name for name in METRICS if any(_number(row.get(name)) for row in table)]
    out = []
    for i, point in enumerate(plan.points):
        good = [row for row in table[i * n : (i + 1) * n] if row["status"] == "ok"]
        seen = {name: [float(row[name]) for row in good if _number(row[name])] for name in told}
        chances = [float(row["chance"]) for row in good if _number(row.get("chance"))]
        chance = math.fsum(chances) / len(chances) if chances else math.nan
        metrics = {name: _estimate([row[name] for row in good]) for name in told}
        out.append(PointFigures(point.values, len(good), n - len(good), metrics, seen, chance))
    return out


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _estimate(values: Sequence[Any]) -> Estimate:
    """Return the mean over seeds; runs without the figure are drawn like the others and left out of the mean."""
    known = [float(v) if _number(v) else math.nan for v in values]
    estimate = interval(known, SEED)
    enough = sum(map(math.isfinite, known)) > 1
    return estimate if enough else Estimate(estimate.value, math.nan, math.nan)
