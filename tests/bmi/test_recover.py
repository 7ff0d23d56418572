"""Recovery: what is whole is kept, what is not is counted, the original stays."""

import os

import numpy as np
import pytest
from mcap.reader import make_reader

from bmi.errors import RecordingError
from bmi.journal import sample_dtype
from bmi.manifest import read_manifest, verify
from bmi.part import PartWriter
from bmi.recording import Recording
from bmi.recover import recover


def samples(first, n):
    out = np.zeros(n, sample_dtype(3))
    out["seq"] = np.arange(first, first + n)
    out["t"] = 50.0 + out["seq"] * 1e-3
    return out


def write_part(path, finish=True):
    part = PartWriter(path, {"session": {"seed": "7"}})
    for k in range(20):
        part.write_rows("/samples/m1", 10 * k, samples(10 * k, 10), {"unit": "count"})
        part.write_json("/counters", 50.0 + k, {"t": 50.0 + k})
    if finish:
        part.finish()
    else:
        part.abandon()
    return path


def test_a_part_without_footer_becomes_a_whole_file(tmp_path):
    path = write_part(tmp_path / "part-000.mcap", finish=False)
    before = path.read_bytes()
    report = recover(tmp_path)
    assert (report.rebuilt, report.rows, report.bytes_unreadable) == (1, 200, 0)
    assert report.seconds == pytest.approx(0.199)
    assert (tmp_path / "part-000.mcap.broken").read_bytes() == before
    with path.open("rb") as f:  # the stock seeking reader accepts it
        assert make_reader(f).get_summary().statistics.message_count == 40
    got = Recording.open(tmp_path)
    assert got.complete
    assert got.metadata["session"] == {"seed": "7"}
    assert got.meta("/samples/m1") == {"unit": "count"}
    assert len(got.counters()) == 20
    np.testing.assert_array_equal(got.read("/samples/m1"), samples(0, 200))
    assert verify(tmp_path) == []


def test_a_whole_recording_is_left_alone(tmp_path):
    path = write_part(tmp_path / "part-000.mcap")
    before = path.read_bytes()
    assert recover(tmp_path).rebuilt == 0
    assert path.read_bytes() == before
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["manifest.json", "part-000.mcap"]


def test_damage_is_cut_out_and_counted(tmp_path):
    path = write_part(tmp_path / "part-000.mcap")
    raw = bytearray(path.read_bytes())
    raw[raw.index(samples(50, 1).tobytes()) + 3] ^= 0xFF
    path.write_bytes(raw[:-30])
    report = recover(path)
    assert report.rows == 190
    assert report.bytes_unreadable >= samples(50, 10).nbytes
    assert Recording.open(path).gaps("/samples/m1") == [(50, 60)]
    assert recover(path).rebuilt == 0


@pytest.mark.parametrize("seed", range(5))
def test_a_file_cut_anywhere_gives_every_block_before_the_cut(tmp_path, seed):
    path = write_part(tmp_path / "part-000.mcap")
    raw = path.read_bytes()
    cut = int(np.random.default_rng(seed).integers(400, len(raw)))
    path.write_bytes(raw[:cut])
    ends = [raw.index(samples(10 * k + 9, 1).tobytes()) + samples(0, 1).nbytes for k in range(20)]
    assert recover(tmp_path).rows == 10 * sum(end <= cut for end in ends)


def test_one_hopeless_part_does_not_stop_the_others(tmp_path):
    (tmp_path / "part-000.mcap").write_bytes(b"x" * 77)
    write_part(tmp_path / "part-001.mcap", finish=False)
    report = recover(tmp_path)
    assert [(p.rebuilt, p.rows, p.bytes_unreadable) for p in report.parts] == [(False, 0, 77), (True, 200, 0)]
    assert len(read_manifest(tmp_path)["parts"]) == 2


def test_a_second_crash_during_recovery_leaves_nothing_half_done(tmp_path):
    write_part(tmp_path / "part-000.mcap", finish=False)
    (tmp_path / f".part-000.mcap.{os.getpid()}").write_bytes(b"left by an earlier attempt")
    assert recover(tmp_path).rows == 200


def test_errors_name_the_place(tmp_path):
    with pytest.raises(RecordingError, match="nothing to recover"):
        recover(tmp_path)
    with pytest.raises(RecordingError, match="cannot read"):
        recover(tmp_path / "nowhere.mcap")
