"""XDF files: what a recorder wrote is read exactly as the format's own library reads it; damage is told in words."""

import contextlib
import os
import random
import time
from pathlib import Path

import numpy as np
import pytest
import pyxdf
import xdf_writer as xdf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bmi.errors import RecordingError
from bmi.formats import read, read_streams, xdf_chunks

DATA = Path(os.environ.get("BMI_DATA", Path(__file__).parents[4] / "shared" / "data")) / "xdf"
FILES = sorted(DATA.glob("*.xdf"))
real = pytest.mark.skipif(not FILES, reason=f"no recordings in {DATA}: set BMI_DATA to the folder of recordings")


def two_streams(path, n_chunks=6):
    """An EEG stream at 100 Hz, stamped once a chunk, on a clock 0.25 s behind, and markers; a boundary each chunk."""
    chunks = [
        xdf.file_header(),
        xdf.stream_header(1, channel_format="int16", source_id="amp", desc=xdf.channels(["C3", "C4"], "microvolts")),
        xdf.stream_header(2, name="m", type="Markers", channel_count=1, nominal_srate=0, channel_format="string"),
    ]
    for k in range(n_chunks):
        t = 10.0 + 0.1 * k
        rows = [(t if i == 0 else None, (10 * k + i, -i)) for i in range(10)]
        chunks += [xdf.samples(1, "h", rows), xdf.samples(2, "s", [(t + 0.3, (f"go {k}",))])]
        chunks += [xdf.clock_offset(1, t, 0.25), xdf.boundary()]
    return xdf.write(path, *chunks, xdf.footer(1, 10 * n_chunks), xdf.footer(2, n_chunks))


def test_what_was_written_is_read(tmp_path):
    recording = read_streams(two_streams(tmp_path / "a.xdf"))
    eeg, markers = recording.streams
    assert (eeg.name, eeg.type, eeg.stream_id, eeg.source_id, eeg.wire_format) == ("s", "EEG", 1, "amp", "int16")
    assert (eeg.labels, eeg.unit, eeg.rate_hz, eeg.n_samples) == (("C3", "C4"), "microvolts", 100.0, 60)
    np.testing.assert_array_equal(eeg.samples, [(10 * k + i, -i) for k in range(6) for i in range(10)])
    assert eeg.samples.dtype == np.int16
    np.testing.assert_allclose(eeg.t, 10.25 + np.arange(60) / 100, atol=1e-9)
    assert eeg.effective_rate_hz == pytest.approx(100.0)
    assert eeg.clock_offsets.shape == (6, 2)
    assert markers.texts == tuple((f"go {k}",) for k in range(6))
    np.testing.assert_allclose(markers.t, 10.3 + 0.1 * np.arange(6))
    assert (markers.rate_hz, markers.effective_rate_hz, markers.carries_texts) == (0.0, 0.0, True)
    assert (recording.stamps, recording.header) == ("synchronized and dejittered", {"version": "1.0"})
    assert recording.duration_s == pytest.approx(0.59)


def test_the_stamps_can_be_had_as_they_were_written(tmp_path):
    stamps = [1.0, 1.013, 1.018, 1.03]
    rows = [(t, (0.0, 0.0)) for t in stamps]
    path = xdf.write(
        tmp_path / "a.xdf", xdf.stream_header(1), xdf.samples(1, "f", rows), xdf.clock_offset(1, 1.0, 5.0)
    )
    written = read_streams(path, synchronize=False, dejitter=False)
    assert written.streams[0].t.tolist() == stamps
    assert written.stamps == "as written"
    moved = read_streams(path, dejitter=False)
    assert moved.streams[0].t.tolist() == pytest.approx(np.add(stamps, 5.0))
    assert moved.stamps == "synchronized"
    straight = np.diff(read_streams(path, synchronize=False).streams[0].t)
    np.testing.assert_allclose(straight, straight[0])


@pytest.mark.parametrize(("wire_format", "code"), xdf.CODES.items())
def test_every_number_format_is_kept(tmp_path, wire_format, code):
    header = xdf.stream_header(7, channel_format=wire_format, channel_count=1)
    stream = read_streams(xdf.write(tmp_path / "a.xdf", header, xdf.samples(7, code, [(1.0, (-3,))]))).streams[0]
    assert stream.samples.tolist() == [[-3]]
    assert stream.samples.dtype.itemsize == xdf_chunks.FORMATS[wire_format]


def test_a_gap_is_named_where_it_is(tmp_path):
    rows = [(t, (0.0, 0.0)) for t in [*np.arange(0, 2, 0.01), *np.arange(9, 10, 0.01)]]
    path = xdf.write(tmp_path / "a.xdf", xdf.stream_header(1), xdf.samples(1, "f", rows))
    ((before, after),) = read_streams(path).streams[0].gaps()
    assert (before, after) == (pytest.approx(1.99), pytest.approx(9.0))


@real
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
@pytest.mark.parametrize("switch", [True, False])
def test_real_files_load_with_the_counts_and_stamps_of_their_own_library(path, switch):
    ours = read_streams(path, synchronize=switch, dejitter=switch).streams
    theirs, _ = pyxdf.load_xdf(path, synchronize_clocks=switch, dejitter_timestamps=switch)
    assert len(ours) == len(theirs)
    for stream, known in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(stream.t, known["time_stamps"])
        values = stream.texts if stream.carries_texts else stream.samples
        assert stream.n_samples == len(values) == len(known["time_series"])
        np.testing.assert_array_equal(np.array(values), np.array(known["time_series"]).reshape(np.shape(values)))


@real
def test_real_files_hold_what_is_known_of_them():
    counts = {p.stem: [s.n_samples for s in read_streams(p).streams] for p in FILES}
    assert counts == {"empty_streams": [0, 10, 1, 0], "minimal": [9, 9], "openbci": [9520]}
    control = read_streams(DATA / "empty_streams.xdf").streams[2]
    assert control.texts == (('{"state": 2}',),)


# --- what does not fit ------------------------------------------------------------------------------------

ROW = [(1.0, (0.0, 0.0))]
HUGE = (1 << 62).to_bytes(8, "little")


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([b"\x03\x00"], r"byte 43: a length of 3 bytes at byte 43, expected 1, 4 or 8"),
        ([b"\x08" + HUGE + b"\x03\x00"], r"a chunk of 4611686018427387904 bytes, 2 are left"),
        ([xdf.chunk(9, b"")], r"a chunk with tag 9, expected 1 to 6"),
        ([xdf.samples(5, "f", ROW)], r"a chunk of stream 5, which was not announced"),
        ([xdf.stream_header(1, channel_count=3), xdf.samples(1, "f", ROW)], r"ends at byte 227, its samples at 231"),
        ([xdf.stream_header(1, channel_count=10**9)], r"stream 1 announces 1000000000 channels at 100.0 Hz"),
        ([xdf.stream_header(1, nominal_srate="nan")], r"announces 2 channels at nan Hz"),
        ([xdf.stream_header(1, nominal_srate="fast")], r"could not convert string to float"),
        ([xdf.stream_header(1, channel_format="float128")], r"format 'float128', expected one of int8"),
        ([xdf.stream_header(1, name="")], r"the header <info> of stream 1 lacks name"),
        ([xdf.stream_header(1, "<info><name>")], r"XML that cannot be read: no element found"),
        ([xdf.stream_header(1, "<a>" * 65 + "</a>" * 65)], r"XML nested deeper than 64"),
        ([xdf.stream_header(1, "<!DOCTYPE a [<!ENTITY b 'c'>]><info>&b;</info>")], r"XML with a document type"),
        ([xdf.stream_header(1), xdf.stream_header(1)], r"stream 1 is announced twice"),
        ([xdf.stream_header(1), xdf.samples(1, "f", [(np.nan, (0.0, 0.0))])], r"is stamped nan s"),
        ([xdf.stream_header(1), xdf.clock_offset(1, 1.0, np.inf)], r"a clock offset of inf s at 1.0 s"),
        ([xdf.stream_header(1), xdf.chunk(4, b"\1\0\0\0time")], r"a clock offset of 4 bytes, expected 16"),
        ([xdf.stream_header(1), xdf.chunk(6, b"\1\0\0\0<info>many</info>")], r"a footer with sample count None"),
        (
            [
                xdf.stream_header(1, channel_format="string", channel_count=1),
                xdf.chunk(3, b"\1\0\0\0\1\1\0\x08" + HUGE),
            ],
            r"a text of 4611686018427387904 bytes at byte",
        ),
    ],
)
def test_a_damaged_file_is_refused_with_place_cause_and_remedy(tmp_path, chunks, message):
    path = xdf.write(tmp_path / "a.xdf", xdf.file_header(), *chunks)
    with pytest.raises(RecordingError, match=message) as error:
        read_streams(path)
    assert str(error.value).startswith(f"{path}: damaged or cut off at byte ")
    assert "--partial" in str(error.value)


def test_what_is_no_xdf_file_or_holds_no_stream_is_refused(tmp_path):
    (tmp_path / "a.xdf").write_bytes(b"EDF: no")
    with pytest.raises(RecordingError, match=r"begins with b'EDF:', expected b'XDF:'"):
        read_streams(tmp_path / "a.xdf")
    with pytest.raises(RecordingError, match=r"no stream is announced in it"):
        read_streams(xdf.write(tmp_path / "b.xdf", xdf.file_header()))
    with pytest.raises(RecordingError, match=r"no such file"):
        read_streams(tmp_path / "c.xdf")


def test_streams_and_binned_counts_are_not_mistaken_for_each_other(tmp_path):
    with pytest.raises(RecordingError, match=r"holds streams, not counts.*bmi\.formats\.read_streams"):
        read(two_streams(tmp_path / "a.xdf"))
    np.savez(tmp_path / "b.npz", counts=np.zeros((3, 1)), kinematics=np.zeros((3, 1)), bin_s=1.0)
    with pytest.raises(RecordingError, match=r"holds binned counts, not streams"):
        read_streams(tmp_path / "b.npz")


@pytest.mark.parametrize("limit", ["MAX_SAMPLES", "MAX_TEXTS", "MAX_OFFSETS", "MAX_XML_BYTES", "MAX_STREAMS"])
def test_more_than_a_reader_can_take_is_refused_before_it_is_read(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(xdf_chunks, limit, 1)
    with pytest.raises(RecordingError, match=r"holds more than 1 .*export it in parts"):
        read_streams(two_streams(tmp_path / "a.xdf"), partial=True)


def test_a_clock_that_jumps_without_end_is_refused_with_the_way_around(tmp_path):
    offsets = [xdf.clock_offset(1, 5.0 * k, 100.0 * (k % 2)) for k in range(300)]
    path = xdf.write(tmp_path / "a.xdf", xdf.stream_header(1), xdf.samples(1, "f", ROW), *offsets)
    with pytest.raises(RecordingError, match=r"jump 149 times, .*synchronize=False"):
        read_streams(path)
    assert read_streams(path, synchronize=False).streams[0].n_samples == 1
    rows = [(7.0 * k, (0.0, 0.0)) for k in range(10_002)]
    path = xdf.write(tmp_path / "b.xdf", xdf.stream_header(1), xdf.samples(1, "f", rows))
    with pytest.raises(RecordingError, match=r"have 10001 gaps, .*dejitter=False"):
        read_streams(path)


def test_a_file_that_was_cut_off_gives_what_came_before_if_asked(tmp_path):
    whole = two_streams(tmp_path / "a.xdf").read_bytes()
    path = tmp_path / "b.xdf"
    path.write_bytes(whole[: whole.rindex(b"go 5") + 2])
    with pytest.raises(RecordingError, match=r"\d+ are left; 1 such place, 23 of \d+ bytes"):
        read_streams(path)
    recording = read_streams(path, partial=True)
    assert [s.n_samples for s in recording.streams] == [60, 5]
    assert recording.notes[0].startswith("damaged or cut off at byte")


def test_after_damage_reading_goes_on_behind_the_next_boundary(tmp_path):
    path = two_streams(tmp_path / "a.xdf")
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(b"go 2") - 20] ^= 0xFF
    path.write_bytes(damaged)
    eeg, markers = read_streams(path, partial=True).streams
    assert (eeg.n_samples, markers.n_samples) == (60, 5)
    assert [text for (text,) in markers.texts] == ["go 0", "go 1", "go 3", "go 4", "go 5"]


def test_stamps_that_would_follow_from_lost_ones_are_not_made_up(tmp_path):
    first = xdf.samples(1, "f", [(1.0, (0.0, 0.0))])
    lost = b"\x01\x07\x03\x00garbage"
    deduced, stamped = xdf.samples(1, "f", [(None, (1.0, 1.0))]), xdf.samples(1, "f", [(9.0, (2.0, 2.0))])
    path = xdf.write(
        tmp_path / "a.xdf", xdf.stream_header(1), first, lost, xdf.boundary(), deduced, stamped, deduced
    )
    recording = read_streams(path, partial=True, dejitter=False)
    assert recording.streams[0].samples[:, 0].tolist() == [0.0, 2.0, 1.0]
    assert recording.streams[0].t.tolist() == pytest.approx([1.0, 9.0, 9.01])


def read_or_refuse(path, data, **switches):
    """Whatever the bytes are: a recording whose stamps are numbers, or a RecordingError, and soon."""
    path.write_bytes(data)
    begun = time.monotonic()
    with contextlib.suppress(RecordingError):
        recording = read_streams(path, **switches)
        assert all(np.isfinite(s.t).all() and s.gaps() is not None for s in recording.streams)
    assert time.monotonic() - begun < 5.0


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    made = two_streams(tmp_path_factory.mktemp("xdf") / "a.xdf").read_bytes()
    return [made, *(p.read_bytes()[:20_000] for p in FILES)]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), partial=st.booleans(), fitted=st.booleans())
def test_flipped_bits_end_in_a_recording_or_in_words(tmp_path, originals, seed, partial, fitted):
    rng = random.Random(seed)
    data = bytearray(rng.choice(originals))
    for _ in range(rng.choice([1, 1, 2, 16])):
        data[rng.randrange(4, len(data))] ^= 1 << rng.randrange(8)
    read_or_refuse(tmp_path / "a.xdf", data, partial=partial, synchronize=fitted, dejitter=fitted)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), partial=st.booleans())
def test_a_file_cut_anywhere_ends_in_a_recording_or_in_words(tmp_path, originals, seed, partial):
    rng = random.Random(seed)
    data = rng.choice(originals)
    read_or_refuse(tmp_path / "a.xdf", data[: rng.randrange(len(data))], partial=partial)
