"""A recording of several streams becomes live streams: everything arrives, with its times relative to the others."""

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pylsl
import pytest
import xdf_writer as xdf
from rich.console import Console

from bmi.errors import RecordingError
from bmi.lsl.inlet import LSLSource
from bmi.player import play_streams

BMI = str(Path(sys.executable).with_name("bmi"))
DATA = Path(os.environ.get("BMI_DATA", Path(__file__).parents[3] / "shared" / "data")) / "xdf"
rng = np.random.default_rng(5)
EEG = rng.integers(-1000, 1000, (120, 3))
GAZE_T, MARKER_T = [0.013, 0.4, 0.41, 0.9], [0.0, 0.25, 0.77, 1.1]
GAZE = rng.normal(size=(4, 2))


def mixed(folder, rate=100, n=120):
    """A regular stream from 50.1 s on, an irregular one, markers, and one that stayed empty."""
    headers = [
        xdf.stream_header(1, name="eeg", channel_count=3, nominal_srate=rate, channel_format="int32",
                          desc=xdf.channels(["a", "b", "c"], "microvolts")),
        xdf.stream_header(2, name="gaze", type="Gaze", nominal_srate=0, channel_format="double64"),
        xdf.stream_header(3, name="events", type="Stimuli", channel_count=2, nominal_srate=0, channel_format="string"),
        xdf.stream_header(4, name="empty", type="EEG"),
    ]  # fmt: skip
    chunks = [
        xdf.samples(1, "i", [(50.1 + k / rate, EEG[k % 120]) for k in range(n)]),
        xdf.samples(2, "d", [(50.0 + t, row) for t, row in zip(GAZE_T, GAZE, strict=True)]),
        xdf.samples(3, "s", [(50.0 + t, (f"é{k}", f"right {k}")) for k, t in enumerate(MARKER_T)]),
    ]
    return xdf.write(folder / f"{folder.name}.xdf", *headers, *chunks)


class Ear(threading.Thread):
    """Hears one stream, by its source id, until ``n`` samples have come."""

    def __init__(self, source_id, n):
        super().__init__()
        self.source_id, self.n, self.rows, self.stamps = source_id, n, [], []
        self.start()

    def run(self):
        (info,) = pylsl.resolve_byprop("source_id", self.source_id, 1, 10.0)
        inlet = pylsl.StreamInlet(info, recover=False)
        self.info = inlet.info(5.0)
        end = pylsl.local_clock() + 10.0
        while len(self.rows) < self.n and pylsl.local_clock() < end:
            rows, stamps = inlet.pull_chunk(0.1)
            self.rows += rows if isinstance(rows, list) else rows.tolist()
            self.stamps += list(stamps)


def played(path, ids, speed=2.0, **switches):
    """Play a recording to ears on the streams of ``ids``; return them, what was sent and what was said."""
    said, sent = io.StringIO(), {}
    console = Console(file=said, width=200)
    player = threading.Thread(target=lambda: sent.update(play_streams(path, speed, console, **switches)))
    player.start()
    ears = {key: Ear(f"bmi-player-{path.stem}-{key}", n) for key, n in ids.items()}
    for ear in ears.values():
        ear.join()
    player.join()
    return ears, sent, said.getvalue()


def test_every_sample_and_marker_arrives_with_its_time_relative_to_the_others(tmp_path):
    speed = 2.0
    ears, sent, said = played(mixed(tmp_path), {"1": 120, "2": 4, "3:ch0": 4, "3:ch1": 4}, speed)
    assert sent == {1: 120, 2: 4, 3: 4, 4: 0}
    eeg, gaze, left, right = ears["1"], ears["2"], ears["3:ch0"], ears["3:ch1"]
    np.testing.assert_array_equal(np.array(eeg.rows)[:, :3], EEG)
    np.testing.assert_array_equal(np.array(eeg.rows)[:, 3], np.arange(120), "the sequence channel")
    np.testing.assert_array_equal(np.array(gaze.rows)[:, :2], GAZE.astype(np.float32))
    assert [text for (text,) in left.rows] == ["é0", "é1", "é2", "é3"]
    assert [text for (text,) in right.rows] == ["right 0", "right 1", "right 2", "right 3"]
    t0 = left.stamps[0]
    np.testing.assert_allclose(np.array(left.stamps) - t0, np.array(MARKER_T) / speed, atol=1e-6)
    np.testing.assert_allclose(np.array(gaze.stamps) - t0, np.array(GAZE_T) / speed, atol=1e-6)
    np.testing.assert_allclose(np.array(eeg.stamps) - t0, (0.1 + np.arange(120) / 100) / speed, atol=1e-6)
    assert (eeg.info.nominal_srate(), eeg.info.type(), eeg.info.name()) == (200.0, "EEG", "eeg")
    assert (gaze.info.nominal_srate(), left.info.type(), left.info.name()) == (0.0, "Stimuli", "events:ch0")
    assert "stream 'eeg': 3 channels, 200 Hz, 120 samples" in said
    assert "4 streams are on the network for 0.6 s (stamps synchronized and dejittered)" in said


def test_the_sources_of_a_recipe_read_it(tmp_path):
    path = mixed(tmp_path)
    player = threading.Thread(target=lambda: play_streams(path, 4.0, Console(file=io.StringIO())))
    player.start()
    n = 0
    with LSLSource(name="eeg", type="EEG", unit="µV") as source:
        assert source.spec.labels == ("a", "b", "c")
        while n < 100 and (chunk := source.read(4.0)) is not None:
            n += len(chunk)
        assert source.n_lost == 0
    player.join()
    assert n >= 100


def test_fast_streams_travel_a_millisecond_at_a_time_and_what_is_left_over_is_told(tmp_path):
    ears, sent, said = played(mixed(tmp_path, rate=10_000, n=2_505), {"1": 2_500}, speed=1.0)
    assert sent[1] == 2_500
    assert "5 samples at the end of fast streams filled no whole push" in said
    assert [row[3] for row in ears["1"].rows] == list(range(2_500))
    np.testing.assert_allclose(np.diff(ears["1"].stamps), 1e-4, atol=1e-6)


def test_stamps_that_go_backwards_keep_their_order_and_their_value(tmp_path):
    times = [0.0, 0.2, 0.1, 0.3]
    header = xdf.stream_header(1, name="m", channel_count=1, nominal_srate=0, channel_format="string")
    rows = [(9.0 + t, (str(k),)) for k, t in enumerate(times)]
    path = xdf.write(tmp_path / f"{tmp_path.name}.xdf", header, xdf.samples(1, "s", rows))
    ears, _, _ = played(path, {"1": 4}, speed=1.0)
    assert [text for (text,) in ears["1"].rows] == ["0", "1", "2", "3"]
    np.testing.assert_allclose(np.array(ears["1"].stamps) - ears["1"].stamps[0], times, atol=1e-6)


def test_whole_numbers_that_are_rounded_and_damage_are_told(tmp_path):
    header = xdf.stream_header(1, channel_count=1, channel_format="int32")
    path = xdf.write(
        tmp_path / f"{tmp_path.name}.xdf", header, xdf.samples(1, "i", [(1.0, ((1 << 24) + 1,))]), b"\x01\x09\x03\x00"
    )
    with pytest.raises(RecordingError, match="cut off"):
        play_streams(path, 1.0, Console(file=io.StringIO()))
    ears, _, said = played(path, {"1": 1}, partial=True)
    assert ears["1"].rows[0][0] == 1 << 24
    assert "need more than float32's 24 bits and are rounded" in said
    assert "note: damaged or cut off at byte" in said


# --- the command line ---------------------------------------------------------------------------------------


def inspect(*arguments):
    return subprocess.run([BMI, "inspect", *map(str, arguments)], capture_output=True, text=True)


def test_inspect_lists_every_stream(tmp_path):
    path = mixed(tmp_path)
    told = json.loads(inspect(path, "--json").stdout)
    eeg, gaze, events, empty = told["streams"]
    assert (eeg["name"], eeg["channels"], eeg["unit"], eeg["labels"]) == ("eeg", 3, "microvolts", ["a", "b", "c"])
    assert (eeg["rate_hz"], eeg["effective_hz"], eeg["samples"], eeg["duration_s"]) == (100.0, 100.0, 120, 1.19)
    assert (gaze["rate_hz"], gaze["effective_hz"], events["samples"], empty["samples"]) == (0.0, None, 4, 0)
    assert (told["stamps"], told["duration_s"]) == ("synchronized and dejittered", 1.29)
    text = inspect(path, "--raw-stamps").stdout
    assert "4 streams, 1.3 s; stamps as written" in text
    assert "eeg: EEG, int32, 3 channels (a, b, c), microvolts" in text
    assert "120 samples, 1.19 s; nominal 100 Hz, in fact 100 Hz; no gaps; no clock offsets" in text


def test_a_damaged_file_ends_in_words_and_exit_code_two(tmp_path):
    path = mixed(tmp_path)
    path.write_bytes(path.read_bytes()[:-3])
    for command in (["inspect", path], ["replay", path]):
        done = subprocess.run([BMI, *map(str, command)], capture_output=True, text=True)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)
        assert done.stderr.startswith(f"bmi: {path}: damaged or cut off at byte ")
    assert "note: damaged" in inspect(path, "--partial").stdout


def test_what_a_file_calls_its_streams_cannot_command_the_terminal(tmp_path):
    header = xdf.stream_header(1, name="a\N{RIGHT-TO-LEFT OVERRIDE}b\N{CSI}31m")
    text = inspect(xdf.write(tmp_path / "a.xdf", header)).stdout
    assert "a�b�31m: EEG" in text


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no recordings in {DATA}: set BMI_DATA to the folder of recordings")
def test_a_real_recording_is_inspected_and_played(tmp_path):
    told = json.loads(inspect(DATA / "openbci.xdf", "--json").stdout)["streams"][0]
    assert (told["samples"], told["channels"], told["rate_hz"], told["effective_hz"]) == (9520, 8, 1000.0, 998.421)
    ears, sent, _ = played(DATA / "openbci.xdf", {"1": 9520}, speed=20.0)
    assert (sent, len(ears["1"].rows)) == ({1: 9520}, 9520)
