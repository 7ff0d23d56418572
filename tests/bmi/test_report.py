"""The report says the same to people and machines, and tolerates what it was not told."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_face import reaches
from rich.console import Console

from bmi.errors import PluginError
from bmi.latency import Histogram
from bmi.report import histogram_bars, plot_latency, plot_reaches, plot_speed, summary_table, to_json

SUMMARY = {
    "name": "center-out", "seed": 7, "block": "free", "n_trials": 50, "success_rate": 0.94,
    "success_ci": (0.838, 0.979), "acquisition_s": 1.234, "path_efficiency": 0.81, "fitts_bits_s": 1.4,
    "bits_s": 0.9, "chance": 0.03, "age_ms": {"p50": 4.9, "p99": 8.0, "p999": 11.0, "max": 14.0},
    "own_us": {"p50": 49.0, "p99": 80.0, "p999": 110.0, "max": 1400.0}, "samples": 123456, "lost": 0,
    "stale": 0, "commands": 2500, "recording": Path("recordings/center-out"),
}  # fmt: skip


def text_of(renderable, width=100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(renderable)
    return console.file.getvalue()


def test_the_table_names_every_figure_with_its_unit():
    text = text_of(summary_table(SUMMARY))
    for words in (
        "94 %", "84–98 %", "by chance 3 %", "1.23 s", "0.81", "1.40 bit/s", "p50 4.9 ms", "p99.9 110 µs",
        "max 1.4 ms", "123,456", "recordings/center-out",
    ):  # fmt: skip
        assert words in text, words


@pytest.mark.parametrize("missing", list(SUMMARY))
def test_a_missing_figure_costs_its_row_only(missing):
    whole, part = text_of(summary_table(SUMMARY)), {k: v for k, v in SUMMARY.items() if k != missing}
    assert text_of(summary_table(part)) != whole
    assert set(text_of(summary_table(part)).split()) <= set(whole.split())


def test_nothing_at_all_is_an_empty_table():
    assert text_of(summary_table({})).strip() == ""
    assert text_of(summary_table(dict.fromkeys(SUMMARY))).strip() == ""


def test_what_could_not_be_computed_is_left_out_not_shown_as_nan():
    text = text_of(summary_table(SUMMARY | {"acquisition_s": np.nan, "fitts_bits_s": np.inf})).lower()
    assert "nan" not in text
    assert "inf" not in text


def test_json_is_one_strict_object():
    odd = SUMMARY | {"x": np.float64(2.5), "y": np.array([1, 2]), "z": np.nan, "s": Path("a/b")}
    back = json.loads(to_json(odd), parse_constant=pytest.fail)
    assert back["success_rate"] == 0.94
    assert (back["x"], back["y"], back["z"], back["s"]) == (2.5, [1, 2], None, "a/b")
    assert back["age_ms"]["p999"] == 11.0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values))
def test_plain_summaries_pass_through_json_unchanged(summary):
    assert json.loads(to_json(summary)) == summary


def test_bars_show_every_row_even_one_in_a_million():
    h = Histogram()
    h.add(np.full(1_000_000, 80_000))
    h.add([5_000_000])
    lines = text_of(histogram_bars(h, rows=10, width=30)).splitlines()
    assert len(lines) <= 10
    assert lines[0].endswith(" 1000000")
    assert "█" * 30 in lines[0]
    assert lines[-1].endswith(" 1")
    assert lines[-1].count("█") >= 1


def test_bars_of_nothing_say_so():
    assert "nothing measured" in text_of(histogram_bars(Histogram()))


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_plots_are_written_and_the_same_every_time(tmp_path, suffix):
    steps, results = reaches(8)
    for draw in (
        lambda p: plot_reaches(steps, results, p),
        lambda p: plot_latency(steps, p),
        lambda p: plot_speed(steps, results, p),
    ):
        draw(tmp_path / f"a{suffix}")
        head = (tmp_path / f"a{suffix}").read_bytes()
        assert len(head) > 5_000
        assert head.startswith(b"\x89PNG" if suffix == ".png" else b"<?xml")
        if suffix == ".png":
            draw(tmp_path / f"b{suffix}")
            assert (tmp_path / f"b{suffix}").read_bytes() == head


def test_only_the_trials_asked_for_are_drawn(tmp_path):
    steps, results = reaches(8)
    plot_reaches(steps, results[:3], tmp_path / "three.svg", title="three")
    plot_reaches(steps, results, tmp_path / "eight.svg")
    three, eight = ((tmp_path / f"{n}.svg").read_text() for n in ("three", "eight"))
    assert three.count('id="patch_') < eight.count('id="patch_')


def test_no_trials_is_an_empty_picture(tmp_path):
    steps, _ = reaches(1)
    plot_reaches(steps, [], tmp_path / "none.png")
    plot_speed(steps, [], tmp_path / "speed.png")
    assert (tmp_path / "none.png").exists()


def test_latency_of_a_lock_step_session_has_no_age_and_is_drawn(tmp_path):
    steps, _ = reaches(1)
    steps["t"] = steps["t_arrival"] = steps["t_written"]
    plot_latency(steps, tmp_path / "x.png")
    assert (tmp_path / "x.png").exists()


def test_latency_of_nothing_is_refused(tmp_path):
    steps, _ = reaches(1)
    with pytest.raises(ValueError, match="recording empty"):
        plot_latency(steps[:0], tmp_path / "x.png")


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    steps, results = reaches(1)
    with pytest.raises(PluginError, match=r"multiscale-bmi\[plot\]"):
        plot_reaches(steps, results, tmp_path / "x.png")
