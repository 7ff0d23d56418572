"""The view shows what matters at any size, gives the terminal back, and is quiet where there is none."""

import io
import os
import pty
import re
import select
import termios
import threading
import time
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from reference_face import reaches
from rich.console import Console

from bmi.canvas import Canvas
from bmi.frame import GATE_STYLE, duration, size, sparkline
from bmi.keys import Keyboard
from bmi.latency import LatencySummary
from bmi.signals import Event, GateState
from bmi.telemetry import Telemetry, TelemetryReader
from bmi.view import View, export_svg, one_line, render


@pytest.fixture
def telemetry():
    steps, _ = reaches(8)
    reader = TelemetryReader(
        name="center-out", blocks=("free",), block_trials=(50,), recording="recordings/x"
    )
    return reader.update(
        steps[:-20],
        {"recorder_bytes": 23_400_000, "lost": 7},
        [Event(101.0, "trial.end", {"outcome": "success"})],
    )


def drawn(telemetry, width=80, height=24) -> list[str]:
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(render(telemetry))
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", console.file.getvalue())
    return text.rstrip("\n").split("\n")


# --- the picture --------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (120, 40), (250, 70)])
def test_fills_the_terminal_exactly(telemetry, width, height):
    lines = drawn(telemetry, width, height)
    assert len(lines) == height
    assert all(len(line) <= width for line in lines)


def test_everything_an_operator_needs_fits_80_by_24(telemetry):
    text = "\n".join(drawn(telemetry))
    for words in (
        "center-out", "free", "trials 1/50", "● ACTIVE", "p50", "p99.9", "max", "sample age", "our own",
        "4.0 ms", "100 µs", "lost 7", "stale 0", "23.4 MB", "q quit", "space STOP", "a arm",
        "Research use only", "mm/s",
    ):  # fmt: skip
        assert words in text, words


def test_before_the_first_step_it_can_be_drawn():
    text = "\n".join(drawn(Telemetry()))
    assert "– DISARMED" in text
    assert "not recording" in text


@pytest.mark.parametrize("state", list(GateState))
def test_every_gate_state_has_its_own_words(telemetry, state):
    assert GATE_STYLE[state][0] in "\n".join(drawn(replace(telemetry, gate_state=state)))
    assert len({symbol for symbol, _ in GATE_STYLE.values()}) == len(GateState)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300, -1e18])
def test_absurd_figures_are_drawn_not_raised(telemetry, bad):
    broken = replace(
        telemetry,
        decoded=np.array([bad, 0.0]),
        position=np.array([bad, 0.0]),
        decoded_speed=np.full(60, bad),
        trail=np.array([[0.0, 0.0], [bad, 1.0], [2.0, 2.0]]),
        age=LatencySummary(1, 1e300, 1e300, 1e300, 1e300),
    )
    assert len(drawn(broken)) == 24


def test_names_are_shown_as_they_are_not_as_markup(telemetry):
    assert "[red]s[/red]" in "\n".join(drawn(replace(telemetry, name="[red]s[/red]")))


def test_the_svg_stands_alone(telemetry, tmp_path):
    export_svg(telemetry, tmp_path / "view.svg")
    text = (tmp_path / "view.svg").read_text(encoding="utf-8")
    ET.fromstring(text)  # well-formed
    assert "ACTIVE" in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_the_svg_is_the_same_every_time(telemetry, tmp_path):
    for name in "ab":
        export_svg(telemetry, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# --- its parts ----------------------------------------------------------------------------------


def dots(canvas: Canvas):
    return np.argwhere(canvas._dots)


def test_circles_are_round_whatever_the_shape_of_the_canvas():
    for columns, rows in ((40, 20), (90, 20), (30, 40)):
        canvas = Canvas(columns, rows, (300.0, 300.0))
        canvas.circle(np.zeros(2), 100.0, "white")
        height, width = np.ptp(dots(canvas), axis=0)
        assert abs(height - width) <= 1
        assert width == pytest.approx(200 * canvas.dots_per_mm, abs=1.5)


def test_up_is_up_and_right_is_right():
    canvas = Canvas(20, 10, (100.0, 100.0))
    canvas.points(np.array([[40.0, 40.0]]), "white")
    ((row, column),) = dots(canvas)
    assert row < 8
    assert column > 28


def test_what_lies_outside_is_not_drawn():
    canvas = Canvas(20, 10, (100.0, 100.0))
    canvas.points(np.array([[500.0, 0.0], [np.nan, 0.0], [0.0, -1e9]]), "white")
    assert not len(dots(canvas))
    assert canvas.text().plain == "\n".join([" " * 20] * 10)


def test_a_full_cell_is_a_full_braille_character():
    canvas = Canvas(1, 1, (1.0, 1.0))
    canvas._dots[:] = True
    assert canvas.text().plain == "⣿"


def test_sparkline_tells_still_from_silent():
    line = sparkline(np.array([np.nan, 0.0, 50.0, 100.0, 900.0]), 6, 100.0)
    assert line == "  ▁▅██"


@pytest.mark.parametrize(
    ("ns", "text"), [(0, "0 µs"), (86_400, "86 µs"), (5.14e6, "5.1 ms"), (1.5e8, "150 ms"), (1.2e9, "1.20 s")]
)
def test_durations_carry_their_unit(ns, text):
    assert duration(ns) == text


@pytest.mark.parametrize(
    ("n", "text"), [(12, "12 B"), (4200, "4.2 kB"), (2.34e7, "23.4 MB"), (5e9, "5.00 GB")]
)
def test_sizes_carry_their_unit(n, text):
    assert size(n) == text


# --- without a terminal --------------------------------------------------------------------------


def test_without_a_terminal_it_prints_a_line_now_and_then(telemetry):
    out = io.StringIO()
    with View(console=Console(file=out, width=60), line_every_s=60.0) as view:
        view.show(telemetry)
        view.show(telemetry)
    assert not view.live
    assert view.n_drawn == 1
    assert out.getvalue() == one_line(telemetry) + "\n"
    assert "\x1b" not in out.getvalue()


# --- with one ------------------------------------------------------------------------------------


@pytest.fixture
def terminal():
    """A real pseudo-terminal: (our end, its end)."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def modes(fd) -> list:
    return termios.tcgetattr(fd)


def test_on_a_terminal_it_draws_at_its_pace_and_gives_the_screen_back(terminal, telemetry):
    ours, theirs = terminal
    received = bytearray()
    done = threading.Event()

    def drain():
        while not done.is_set() or select.select([ours], [], [], 0)[0]:
            if select.select([ours], [], [], 0.02)[0]:
                received.extend(os.read(ours, 65536))

    reader = threading.Thread(target=drain)
    reader.start()
    try:
        with open(theirs, "w", closefd=False, encoding="utf-8") as tty:
            console = Console(file=tty, force_terminal=True, width=100, height=30, _environ={"TERM": "xterm"})
            with View(console=console, fps=10.0) as view:
                assert view.live
                for _ in range(3):
                    view.show(telemetry)
            assert view.n_drawn == 1
    finally:
        done.set()
        reader.join()
    text = received.decode()
    assert "Research use only" in text
    assert text.index("\x1b[?1049h") < text.index("\x1b[?1049l")  # entered and left the other screen
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # the cursor is visible again


def test_keys_act_at_once_and_the_terminal_is_restored(terminal):
    ours, theirs = terminal
    before = modes(theirs)
    pressed: list[str] = []
    stop = threading.Event()
    keys = {"q": lambda: pressed.append("q"), " ": stop.set}
    with Keyboard(keys, fd=theirs) as keyboard:
        assert keyboard.active
        assert modes(theirs) != before
        os.write(ours, b"xQ ")
        t = time.monotonic()
        assert stop.wait(2.0)
        assert time.monotonic() - t < 0.5  # no Enter was needed
    assert pressed == ["q"]
    assert modes(theirs) == before
    assert not keyboard.active


def test_the_terminal_is_restored_after_an_error(terminal):
    _, theirs = terminal
    before = modes(theirs)
    with pytest.raises(RuntimeError), Keyboard({}, fd=theirs):
        raise RuntimeError
    assert modes(theirs) == before


def test_without_a_terminal_keys_do_nothing():
    read, write = os.pipe()
    with Keyboard({"q": pytest.fail}, fd=read) as keyboard:
        os.write(write, b"q")
        assert not keyboard.active
    os.close(read)
    os.close(write)
