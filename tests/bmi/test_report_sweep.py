"""The page of a sweep: it stands alone, says what it is, and shows every seed beside the mean."""

import io
import itertools
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from bmi.errors import PluginError
from bmi.report_sweep import label, page, points_table
from bmi.sweep.plan import Axis, Plan
from bmi.sweep.table import METRICS, figures

N_SEEDS = 6
BINS = Axis("stages.bin.bin_s", [0.01, 0.02, 0.1])
TASKS = Axis("task.use", ["centre-out", "grid"])
USERS = Axis("world.user", [{"use": "a<b>", "delay_s": 0.1}, {"use": "c"}])


def plan(*axes):
    raw = {
        "session": {"name": "reach & <hold>"},
        "stages": [{"use": "bin"}],
        "task": {"use": "centre-out"},
        "world": {},
    }
    return Plan(recipe="x.yaml", raw=raw, axes=axes, seeds=tuple(range(N_SEEDS)), versions={"numpy": "2.0"})


def told(p, rng_seed=1, **more):
    """Points with figures drawn at random."""
    rng = np.random.default_rng(rng_seed)
    table = []
    for i in range(len(p)):
        point, seed = p.run(i)
        drawn = {name: float(rng.uniform(0.2, 0.9)) for name in METRICS}
        table.append({**point.values, "seed": seed, "status": "ok", "chance": 0.125, **drawn, **more})
    return figures(p, table)


def text_of(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<svg.*?</svg>", "", html)))


def pictures(html):
    return [ET.fromstring(svg) for svg in re.findall(r"(?s)<svg.*?</svg>", html)]


@pytest.fixture(scope="module")
def one_axis():
    p = plan(BINS)
    return page(p, told(p), {4: "ValueError: 1 < 2"}).decode()


def test_it_says_what_it_is_and_what_it_is_not(one_axis):
    assert "Simulated; research use only; not a medical device." in text_of(one_axis)


def test_it_says_how_many_seeds_and_how_the_intervals_were_made(one_axis):
    text = text_of(one_axis)
    assert "18 runs: 3 points × 6 seeds (0 to 5)" in text
    assert "means over seeds, bars their 95 % bootstrap intervals (percentile, 2000 resamples" in text
    assert "1 failed" in text


def test_names_and_errors_of_others_are_text_and_never_markup(one_axis):
    assert "reach &amp; &lt;hold&gt;, x.yaml" in one_axis
    assert "run 4 (stages.bin.bin_s = 0.01, seed 4): ValueError: 1 &lt; 2" in one_axis
    assert "<hold>" not in one_axis


def test_it_needs_nothing_but_itself(one_axis):
    assert "<script" not in one_axis
    outside = set(re.findall(r'(?:src|href)="([^"#][^"]*)"', one_axis))
    assert outside == set()


def test_there_is_one_picture_for_each_metric_with_its_name_and_unit(one_axis):
    names = [svg.get("aria-label") for svg in pictures(one_axis)]
    assert len(names) == len(METRICS)
    assert names[:2] == ["trials reached, share", "acquisition (median of a run), s"]


def test_every_seed_is_a_faint_dot(one_axis):
    dots = re.findall(r"fill-opacity: 0\.3|opacity: 0\.3", one_axis)
    assert len(dots) >= len(BINS.values) * N_SEEDS * len(METRICS)


def test_the_same_sweep_gives_the_same_bytes(one_axis):
    p = plan(BINS)
    assert page(p, told(p), {4: "ValueError: 1 < 2"}).decode() == one_axis


@pytest.mark.parametrize("axes", [(), (TASKS,), (TASKS, BINS), (USERS, TASKS, BINS)], ids=len)
def test_it_draws_whatever_number_of_keys_varies(axes):
    p = plan(*axes)
    points = told(p, **dict.fromkeys(METRICS[1:]))
    (svg,) = pictures(page(p, points, {}).decode())
    panels = [e for e in svg.iter() if re.fullmatch(r"axes_\d+", e.get("id", "")) and len(e)]
    assert len(panels) == (2 if len(axes) == 3 else 1)


def test_what_nobody_knows_is_no_picture():
    p = plan(BINS)
    html = page(p, told(p, **dict.fromkeys(METRICS)), {}).decode()
    assert not pictures(html)
    assert "No run has a figure to show" in html


def test_figures_that_are_missing_or_alone_are_said_to_be():
    p = plan(TASKS)
    rows = [{"status": "ok", "bits_s": v, "seed": 0} for v in (1.0, None, None, None, None, None, *[0.5] * 6)]
    html = page(p, figures(p, rows), {}).decode()
    assert "<td>1; (n = 1)</td>" in html
    assert "<td>0.5; 0.5–0.5</td>" in html


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(PluginError, match=r"pip install 'multiscale-bmi\[plot\]'"):
        page(plan(), told(plan()), {})


def test_values_are_labelled_in_few_words():
    assert [label(v) for v in (0.01, True, None, "grid", [1, 2])] == ["0.01", "true", "null", "grid", "[1, 2]"]
    assert label({"use": "grid", "cells": 6, "user": {"delay_s": 0.1}}) == "grid, cells 6, user delay_s 0.1"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_in_the_terminal_leaves_metrics_out_before_it_breaks_figures(width):
    from rich.console import Console

    p = plan(BINS, TASKS)
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(points_table(told(p), width))
    lines = console.export_text().splitlines()
    assert lines[0].split()[:4] == ["bin_s", "use", "seeds", "reached"]
    assert len(lines) == 1 + 2 * len(p.points)
    for line, (b, task) in zip(lines[1::2], itertools.product(BINS.values, TASKS.values), strict=True):
        assert line.split()[:3] == [str(b), task, str(N_SEEDS)]
    assert ("path" in lines[0]) == (width == 120)
