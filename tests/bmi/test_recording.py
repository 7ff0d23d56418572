"""Recordings: whole, torn, damaged or foreign, a reader gets rows or a RecordingError, nothing else."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bmi.errors import RecordingError
from bmi.journal import EVENT_DTYPE, sample_dtype
from bmi.part import PartWriter
from bmi.recording import Recording

META = {"session": {"seed": "7"}}


def samples(first, n):
    out = np.zeros(n, sample_dtype(3))
    out["seq"] = np.arange(first, first + n)
    out["t"] = 50.0 + out["seq"] * 1e-3
    out["data"] = np.sin(out["seq"][:, None] + np.arange(3))
    return out


def write_part(path, blocks, *, finish=True, meta=META):
    part = PartWriter(path, meta)
    for first, n in blocks:
        part.write_rows("/samples/m1", first, samples(first, n), {"unit": "count"})
    part.write_json("/counters", 50.0, {"t": 50.0})
    if finish:
        part.finish()
    else:
        part.abandon()
    return path


BLOCKS = [(10 * k, 10) for k in range(30)]


def is_faithful(rows):
    """Whether every row is one that was written: no invented, no altered, no reordered row."""
    return np.array_equal(rows, np.concatenate([samples(0, 0), *(samples(int(s), 1) for s in rows["seq"])]))


def test_without_footer_it_reads_the_same(tmp_path):
    whole = Recording.open(write_part(tmp_path / "a.mcap", BLOCKS))
    open_ended = Recording.open(write_part(tmp_path / "b.mcap", BLOCKS, finish=False))
    np.testing.assert_array_equal(whole.read("/samples/m1"), samples(0, 300))
    np.testing.assert_array_equal(open_ended.read("/samples/m1"), samples(0, 300))
    assert (whole.complete, open_ended.complete) == (True, False)
    assert (whole.duration_s, open_ended.unreadable_bytes) == (pytest.approx(0.299), 0)


def test_rows_recorded_twice_come_once_and_missing_ones_are_gaps(tmp_path):
    write_part(tmp_path / "part-000.mcap", [(0, 10), (10, 10), (30, 5)], finish=False)
    write_part(tmp_path / "part-001.mcap", [(10, 15), (33, 7), (50, 5)])
    got = Recording.open(tmp_path)
    expected = np.r_[0:25, 30:40, 50:55]
    np.testing.assert_array_equal(got.read("/samples/m1")["seq"], expected)
    np.testing.assert_array_equal(got.index("/samples/m1"), expected)
    assert got.gaps("/samples/m1") == [(25, 30), (40, 50)]


def test_parts_past_999_keep_their_order(tmp_path):
    write_part(tmp_path / "part-999.mcap", [(0, 10)])
    write_part(tmp_path / "part-1000.mcap", [(10, 10)], meta={"session": {"seed": "8"}})
    assert Recording.open(tmp_path).metadata == META


def test_a_flipped_byte_costs_at_most_its_block(tmp_path):
    path = write_part(tmp_path / "a.mcap", BLOCKS)
    good = path.read_bytes()
    for at in range(
        good.index(samples(100, 1).tobytes()) - 60, good.index(samples(120, 1).tobytes()) - 60, 7
    ):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x41]) + good[at + 1 :])
        rows = Recording.open(path).read("/samples/m1")
        assert is_faithful(rows)
        assert len(rows) >= 290


def test_a_damaged_description_is_taken_from_the_end(tmp_path):
    path = write_part(tmp_path / "a.mcap", BLOCKS)
    path.write_bytes(path.read_bytes().replace(b'"descr"', b'"d\x00scr"', 1))
    assert len(Recording.open(path).read("/samples/m1")) == 300


def test_damage_in_one_part_leaves_the_others(tmp_path):
    write_part(tmp_path / "part-000.mcap", [(0, 10)])
    (tmp_path / "part-001.mcap").write_bytes(b"garbage, not a recording")
    (tmp_path / "part-002.mcap").write_bytes(b"")
    write_part(tmp_path / "part-003.mcap", [(20, 10)])
    got = Recording.open(tmp_path)
    assert got.gaps("/samples/m1") == [(10, 20)]
    assert "part-001.mcap" in got.problems[0]
    assert not got.complete


FLIPS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=6)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=FLIPS, keep=st.floats(0, 1), finish=st.booleans())
def test_damaged_and_torn_files_give_rows_that_were_written_or_a_recording_error(
    tmp_path, flips, keep, finish
):
    path = tmp_path / "fuzz.mcap"
    path.unlink(missing_ok=True)
    raw = bytearray(write_part(path, BLOCKS, finish=finish).read_bytes())
    raw = raw[: round(keep * len(raw))]
    for where, xor in flips if raw else ():
        raw[int(where * len(raw))] ^= xor
    path.write_bytes(raw)
    try:
        got = Recording.open(path)
        rows = got.read("/samples/m1")
    except RecordingError:
        return
    assert is_faithful(rows)
    assert len(rows) + sum(b - a for a, b in got.gaps("/samples/m1")) <= 300


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tail=st.binary(max_size=400))
def test_any_bytes_behind_the_magic_are_survived(tmp_path, tail):
    path = tmp_path / "fuzz.mcap"
    path.write_bytes(b"\x89MCAP0\r\n" + tail)
    assert Recording.open(path).topics == ()


def test_events_that_are_not_json_are_kept_as_text(tmp_path):
    part = PartWriter(tmp_path / "a.mcap", {})
    rows = np.array([(2.0, b"not json"), (1.0, b'{"kind": "late"}'), (3.0, b"[1]")], EVENT_DTYPE)
    part.write_rows("/events/lane", 0, rows, {})
    part.finish()
    events = Recording.open(tmp_path / "a.mcap").events()
    assert [(e.t, e.kind) for e in events] == [(1.0, "late"), (2.0, "unreadable"), (3.0, "unreadable")]


def test_errors_say_what_was_expected_and_found(tmp_path):
    with pytest.raises(RecordingError, match="no such file"):
        Recording.open(tmp_path / "nowhere")
    with pytest.raises(RecordingError, match=r"expected part-000\.mcap and so on, found nothing"):
        Recording.open(tmp_path)
    (tmp_path / "x.mcap").write_bytes(b"Something else entirely")
    with pytest.raises(RecordingError, match=r"not an MCAP recording .* given b'Somethin'"):
        Recording.open(tmp_path / "x.mcap")
    got = Recording.open(write_part(tmp_path / "a.mcap", BLOCKS))
    with pytest.raises(RecordingError, match=r"no topic '/sample/m1'; did you mean '/samples/m1'\?"):
        got.read("/sample/m1")


def test_parts_of_different_recordings_are_not_mixed(tmp_path):
    write_part(tmp_path / "part-000.mcap", BLOCKS)
    part = PartWriter(tmp_path / "part-001.mcap", {})
    part.write_rows("/samples/m1", 0, np.zeros(3, sample_dtype(9)), {})
    part.finish()
    with pytest.raises(RecordingError, match="not of one recording"):
        Recording.open(tmp_path)
