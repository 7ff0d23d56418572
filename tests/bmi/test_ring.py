"""Rings: nothing is returned torn, everything lost is counted, the writer never waits."""

import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bmi.errors import ContractError, RecordingError
from bmi.journal import EVENT_DTYPE, feature_dtype, sample_dtype, step_dtype
from bmi.ring import Ring, dtype_from_json, dtype_to_json

ROW = np.dtype([("t", "<f8"), ("i", "<i8"), ("data", "<f4", (3,))])


def rows(first, n):
    out = np.zeros(n, ROW)
    out["i"] = np.arange(first, first + n)
    out["t"] = out["i"] * 1e-3
    out["data"] = out["i"][:, None] * np.ones(3)
    return out


def test_records_come_back_in_order_and_whole(tmp_path):
    ring = Ring.create(tmp_path / "a.ring", ROW, 8, topic="/a", unit="µV")
    reader = Ring.open(tmp_path / "a.ring").reader("oldest")
    ring.write(rows(0, 5))
    np.testing.assert_array_equal(reader.read(), rows(0, 5))
    ring.write(rows(5, 6))
    np.testing.assert_array_equal(reader.read(4), rows(5, 4))
    np.testing.assert_array_equal(reader.read(), rows(9, 2))
    assert (reader.read().size, reader.dropped, reader.lag, ring.count) == (0, 0, 0, 11)


def test_what_a_slow_reader_loses_is_the_oldest_and_is_counted(tmp_path):
    ring = Ring.create(tmp_path / "a.ring", ROW, 8, topic="/a")
    reader = ring.reader("oldest")
    ring.write(rows(0, 21))
    np.testing.assert_array_equal(reader.read(), rows(13, 8))
    assert reader.dropped == 13


def test_what_it_promises_survives_the_file(tmp_path):
    Ring.create(tmp_path / "a.ring", ROW, 8, topic="/samples/m1", unit="µV", rate_hz=1000.0)
    ring = Ring.open(tmp_path / "a.ring")
    assert (ring.topic, ring.capacity, ring.dtype) == ("/samples/m1", 8, ROW)
    assert ring.meta == {"unit": "µV", "rate_hz": 1000.0}


@pytest.mark.parametrize("dtype", [ROW, EVENT_DTYPE, step_dtype(2, 2), sample_dtype(96), feature_dtype(7, 2)])
def test_every_record_type_survives_json(dtype):
    assert dtype_from_json(dtype_to_json(dtype)) == dtype


def test_fast_lane_fills_rows_in_place(tmp_path):
    ring = Ring.create(tmp_path / "a.ring", ROW, 4, topic="/a")
    reader = ring.reader()
    for i in range(6):
        row = ring.reserve()
        ring.rows[row] = rows(i, 1)[0]
        assert reader.lag == 0, "a record is invisible until it is committed"
        ring.commit()
        np.testing.assert_array_equal(reader.read(), rows(i, 1))
    first = ring.reserve(3)
    for k in range(3):
        at = ring.offset((first + k) % ring.capacity)
        ring.buffer[at : at + ROW.itemsize] = rows(6 + k, 1).tobytes()
    ring.commit(3)
    np.testing.assert_array_equal(reader.read(), rows(6, 3))


def test_a_row_being_overwritten_is_dropped_not_returned(tmp_path):
    ring = Ring.create(tmp_path / "a.ring", ROW, 4, topic="/a")
    reader = ring.reader("oldest")
    ring.write(rows(0, 4))
    ring.reserve(2)  # rows of records 0 and 1 may already be half new
    np.testing.assert_array_equal(reader.read(), rows(2, 2))
    assert reader.dropped == 2


def test_latest_is_the_newest_and_leaves_the_reader_in_place(tmp_path):
    ring = Ring.create(tmp_path / "a.ring", ROW, 4, topic="/a")
    reader = ring.reader("oldest")
    assert reader.latest() is None
    ring.write(rows(0, 6))
    assert reader.latest()["i"] == 5
    assert reader.index == 0


def test_readers_start_where_they_are_told(tmp_path):
    ring = Ring.create(tmp_path / "a.ring", ROW, 4, topic="/a")
    ring.write(rows(0, 10))
    assert [ring.reader(s).index for s in ("now", "oldest", 7)] == [10, 6, 7]
    late = ring.reader(2)
    np.testing.assert_array_equal(late.read(), rows(6, 4))
    assert late.dropped == 4
    with pytest.raises(ContractError, match="no record 11; it has seen 10"):
        ring.reader(11)


def test_a_writer_continues_where_the_last_one_stopped(tmp_path):
    Ring.create(tmp_path / "a.ring", ROW, 8, topic="/a").write(rows(0, 5))
    again = Ring.open(tmp_path / "a.ring", write=True)
    again.write(rows(5, 2))
    np.testing.assert_array_equal(again.reader("oldest").read(), rows(0, 7))


def test_a_reader_cannot_write(tmp_path):
    Ring.create(tmp_path / "a.ring", ROW, 8, topic="/a")
    with pytest.raises(TypeError):
        Ring.open(tmp_path / "a.ring").write(rows(0, 1))


def test_errors_say_what_was_given(tmp_path):
    path = tmp_path / "a.ring"
    with pytest.raises(ContractError, match="0 records"):
        Ring.create(path, ROW, 0, topic="/a")
    with pytest.raises(ContractError, match="Python objects"):
        Ring.create(path, np.dtype([("o", "O")]), 4, topic="/a")
    with pytest.raises(RecordingError, match="cannot map"):
        Ring.open(path)
    ring = Ring.create(path, ROW, 8, topic="/a")
    with pytest.raises(ContractError, match="expected records of"):
        ring.write(np.zeros(3))
    with pytest.raises(RecordingError, match="exists"):
        Ring.create(path, ROW, 8, topic="/a")
    assert [p.name for p in tmp_path.iterdir()] == ["a.ring"]
    whole = path.read_bytes()
    for bad in (b"", b"x" * 9000, whole[:-1], whole[:4096], whole.replace(b"<f8", b"<q8"), b"X" + whole[1:]):
        path.write_bytes(bad)
        with pytest.raises(RecordingError, match=r"a\.ring|record type"):
            Ring.open(path)


@pytest.mark.parametrize(
    "descr",
    [
        "|O",
        "nonsense",
        ",",
        "(2,)<f8",
        "<M8[ns]",
        None,
        7,
        [],
        [["a"]],
        [["a", "|O"]],
        [["a", "<f8", [-3]]],
        [[1, 2, 3]],
    ],
)
def test_hostile_record_types_are_refused(descr):
    with pytest.raises(RecordingError):
        dtype_from_json(descr)


class RingMachine(RuleBasedStateMachine):
    """Two readers of different habits against a list of everything written."""

    @initialize(capacity=st.integers(1, 9))
    def make(self, capacity):
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.ring = Ring.create(f"{self.folder.name}/a.ring", ROW, capacity, topic="/a")
        self.readers = [Ring.open(f"{self.folder.name}/a.ring").reader("oldest") for _ in range(2)]
        self.seen = [0, 0]

    @rule(n=st.integers(0, 25))
    def write(self, n):
        self.ring.write(rows(self.ring.count, n))

    @rule()
    def write_in_place(self):
        self.ring.rows[self.ring.reserve()] = rows(self.ring.count, 1)[0]
        self.ring.commit()

    @rule(who=st.integers(0, 1), most=st.none() | st.integers(0, 12))
    def read(self, who, most):
        reader = self.readers[who]
        got = reader.read(most)
        self.seen[who] += len(got)
        np.testing.assert_array_equal(got, rows(reader.index - len(got), len(got)))

    @invariant()
    def everything_is_accounted_for(self):
        for reader, seen in zip(getattr(self, "readers", ()), getattr(self, "seen", ()), strict=True):
            assert self.ring.count == seen + reader.dropped + reader.lag

    def teardown(self):
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestRingMachine = RingMachine.TestCase
TestRingMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)

WRITER = """
import sys, zlib
import numpy as np
from bmi.ring import Ring
ring = Ring.open(sys.argv[1], write=True)
rng = np.random.default_rng(3)
rows = np.zeros(40, ring.dtype)
total = int(sys.argv[2])
while ring.count < total:
    n = min(int(rng.integers(1, 40)), total - ring.count)
    for k in range(n):
        rows["i"][k] = ring.count + k
        rows["data"][k] = rng.integers(0, 255, 64)
        rows["crc"][k] = zlib.crc32(rows["data"][k].tobytes(), int(rows["i"][k]) & 0xFFFFFFFF)
    ring.write(rows[:n])
"""


@pytest.mark.parametrize("capacity", [3, 64])
def test_two_processes_never_show_a_torn_record(tmp_path, capacity):
    import zlib

    dtype = np.dtype([("i", "<i8"), ("crc", "<i8"), ("data", "<i8", (64,))])
    ring = Ring.create(tmp_path / "a.ring", dtype, capacity, topic="/a")
    reader = Ring.open(tmp_path / "a.ring").reader("oldest")
    total, seen = 60_000, 0
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(ring.path), str(total)])
    deadline = time.monotonic() + 60
    while reader.index < total and time.monotonic() < deadline:
        got = reader.read()
        seen += len(got)
        np.testing.assert_array_equal(got["i"], np.arange(reader.index - len(got), reader.index))
        for record in got:
            assert record["crc"] == zlib.crc32(record["data"].tobytes(), int(record["i"]))
    assert writer.wait(10) == 0
    assert seen + reader.dropped == total
    assert seen > 0
