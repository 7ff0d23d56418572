"""One picture of a session: where the cursor is, what was decoded, how late, how safe.

A pure function of a `Telemetry` snapshot, drawn with rich on whatever console it meets.
Colours are Okabe and Ito's (2008), told apart with any colour vision; nothing is said by colour alone.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from bmi.canvas import Canvas
from bmi.latency import LatencySummary
from bmi.signals import F64, GateState
from bmi.telemetry import Telemetry

ORANGE, SKY, GREEN, YELLOW, RED, PINK = "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#D55E00", "#CC79A7"
FAINT = "#767676"
GATE_STYLE = {
    GateState.DISARMED: ("– DISARMED", FAINT),
    GateState.NEUTRAL: ("○ NEUTRAL", YELLOW),
    GateState.ACTIVE: ("● ACTIVE", GREEN),
    GateState.TRIPPED: ("▲ TRIPPED", f"bold {RED}"),
    GateState.STOPPED: ("■ STOPPED", f"bold black on {RED}"),
}
_BARS = " ▁▂▃▄▅▆▇█"


def sparkline(values: F64, width: int, top: float) -> str:
    """Return ``width`` block characters for the newest of ``values`` (n,), full height at ``top``."""
    shown = np.full(width, np.nan)
    newest = values[-width:]
    shown[width - len(newest) :] = newest
    level = np.nan_to_num(np.clip(shown / top if top > 0 else shown * 0.0, 0.0, 1.0))
    # What was decoded is never shown as nothing: the lowest bar means "still", a blank means "silent".
    bars = np.where(np.isnan(shown), 0, 1 + np.rint(level * 7).astype(np.int64))
    return "".join(_BARS[int(k)] for k in bars)


def duration(ns: float) -> str:
    """Return a latency with its unit in at most seven characters: ``86 µs``, ``5.1 ms``, ``1.20 s``."""
    if ns < 1e6:
        return f"{ns / 1e3:.0f} µs"
    if ns < 1e9:
        return f"{ns / 1e6:.1f} ms" if ns < 1e8 else f"{ns / 1e6:.0f} ms"
    return f"{ns / 1e9:.2f} s"


def size(n_bytes: float) -> str:
    """Return a byte count in kB, MB or GB."""
    for unit in ("B", "kB", "MB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.2f} GB"


def _workspace(v: Telemetry, columns: int, rows: int) -> Text:
    canvas = Canvas(columns, rows, v.workspace_mm)
    canvas.box(v.workspace_mm, FAINT)
    for target in v.targets[:, :2]:
        canvas.circle(target, v.goal_radius, FAINT)
    trail = v.trail[:, :2] if v.trail.size else np.zeros((0, 2))
    canvas.line(trail[:: max(1, len(trail) // 100)], SKY)
    if v.goal_active and v.goal.size >= 2:
        canvas.circle(v.goal[:2], v.goal_radius, f"bold {ORANGE}")
        canvas.circle(v.goal[:2], v.goal_radius * 0.55, f"bold {ORANGE}")
    if v.position.size >= 2:
        canvas.circle(v.position[:2], max(3.0, 1.6 / canvas.dots_per_mm), "bold white", filled=True)
    return canvas.text()


def _progress(v: Telemetry) -> Text:
    planned = f"/{v.block_trials_planned}" if v.block_trials_planned else ""
    out = Text()
    out.append(f"{v.block or '–'}", "bold")
    if v.n_blocks:
        out.append(f"  {min(v.block_index + 1, v.n_blocks)}/{v.n_blocks}", FAINT)
    out.append(f"\ntrials {v.block_trials}{planned}  ")
    out.append(f"✓ {v.block_successes}", GREEN)
    if v.block_trials:
        out.append(f"  {100 * v.block_successes / v.block_trials:.0f} %")
    out.append(f"\nassist {100 * v.assist:.0f} %  parameters v{v.params_version}")
    return out


def _speed(v: Telemetry, width: int) -> Text:
    both = np.concatenate([v.decoded_speed, v.command_speed])
    known = both[np.isfinite(both)]
    top = max(50.0, float(known.max())) if known.size else 50.0
    bars = max(8, width - 9)
    speed = math.hypot(*v.decoded)
    out = Text("decoded ", no_wrap=True)
    out.append(f"{speed:.0f} mm/s" if speed < 1e6 else "not finite", PINK)
    out.append(f"   0–{top:.0f}", FAINT)
    out.append("\nintent  ").append(sparkline(v.decoded_speed, bars, top), PINK)
    out.append("\ncommand ").append(sparkline(v.command_speed, bars, top), SKY)
    return out


def _latency(v: Telemetry) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_row(Text("latency", FAINT), Text("sample age", FAINT), Text("our own", FAINT))
    rows: tuple[tuple[str, Callable[[LatencySummary], float]], ...] = (
        ("p50", lambda s: s.p50),
        ("p99", lambda s: s.p99),
        ("p99.9", lambda s: s.p999),
        ("max", lambda s: s.max),
    )
    for label, pick in rows:
        age, own = (duration(pick(s)) if s.n else "–" for s in (v.age, v.own))
        table.add_row(label, age, own)
    now = (duration(x) if x else "–" for x in (v.age_recent_max, v.own_recent_max))
    table.add_row(Text("last s", FAINT), *now)
    return table


def _counts(v: Telemetry) -> Text:
    out = Text(no_wrap=True)
    rows = (
        (("samples", v.samples, False), ("lost", v.lost, True)),
        (("commands", v.commands, False), ("stale", v.stale_commands, True)),
        (("late steps", v.missed_deadlines, True), ("dropped", v.dropped, True)),
        (("withheld", v.stale_withheld, False), ("overruns", v.world_overruns, True)),
    )
    for i, row in enumerate(rows):
        for label, n, bad in row:
            out.append(f"{label} ", FAINT)
            out.append(f"{n}".ljust(15 - len(label)), f"bold {RED}" if bad and n else "")
        out.append("" if i == len(rows) - 1 else "\n")
    return out


def _gate(v: Telemetry) -> Text:
    label, style = GATE_STYLE[v.gate_state]
    out = Text(no_wrap=True, overflow="ellipsis")
    out.append(label, style)
    if v.gate_state is GateState.DISARMED and v.armed:
        out.append("  arming", FAINT)
    why = " · ".join(v.gate_flags)
    out.append(f"\n{why or 'no limit acting'}", "" if why else FAINT)
    if v.site:
        label, style = GATE_STYLE[v.stimulus_state]
        out.append("\n").append(label[0], style).append(f" {v.site} ").append(f"{v.stimulus_ma:.2f} mA", YELLOW)
        out.append(f"  {' · '.join(v.stimulus_flags)}", FAINT)
    return out


def _recorder(v: Telemetry) -> Text:
    out = Text(no_wrap=True, overflow="ellipsis")
    if not (v.recording or v.recorder_bytes):
        return out.append("not recording", FAINT)
    out.append("● ", RED).append(size(v.recorder_bytes))
    if v.recorder_dropped:
        out.append(f"  {v.recorder_dropped} not recorded", f"bold {RED}")
    return out.append(f"  {v.recording}", FAINT)


class Frame:
    """One picture of a session, as large as the console it is drawn on; a rich renderable."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.telemetry = telemetry

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        v = self.telemetry
        width, height = options.max_width, max(options.height or console.size.height, 12)
        side = 34 if width < 100 else 44
        head = Text(f" {v.name or 'session'}", "bold", no_wrap=True, overflow="ellipsis")
        head.append(f"   {int(v.elapsed_s) // 60:02d}:{v.elapsed_s % 60:04.1f}", "not bold")
        head.append(f"   {v.last_event}", f"not bold {FAINT}")
        foot = Text(" q quit   ", no_wrap=True, overflow="ellipsis")
        foot.append(" space STOP ", f"bold black on {ORANGE}").append("   a arm")
        foot.append("     Research use only. Not a medical device.", FAINT)
        middle = Layout()
        stage = Layout(
            Panel(_workspace(v, width - side - 2, height - 4), border_style=FAINT, padding=0), name="stage"
        )
        sections: list[RenderableType] = [
            _progress(v),
            _gate(v),
            _speed(v, side - 4),
            _latency(v),
            _counts(v),
            _recorder(v),
        ]
        spaced = height >= 4 + 3 + 2 + bool(v.site) + 3 + 6 + 4 + 1 + len(sections)
        rows: list[RenderableType] = []
        for section in sections:
            rows += [section, Text("")] if spaced else [section]
        panel = Panel(Group(*rows), border_style=FAINT, padding=(0, 1))
        middle.split_row(stage, Layout(panel, size=side, name="side"))
        whole = Layout()
        whole.split_column(Layout(head, size=1), middle, Layout(foot, size=1))
        yield from console.render(whole, options.update(width=width, height=height))


def render(telemetry: Telemetry) -> Frame:
    """Return the picture of ``telemetry``; print it on any rich console of 80 x 24 or more."""
    return Frame(telemetry)


def one_line(v: Telemetry) -> str:
    """Return the state of a session in one line, for logs and pipes."""
    planned = f"/{v.block_trials_planned}" if v.block_trials_planned else ""
    stimulus = f"  {v.site} {v.stimulus_ma:.2f} mA {v.stimulus_state.name}" if v.site else ""
    return (
        f"{v.elapsed_s:6.1f} s  {v.block or '–'}  trials {v.block_trials}{planned} "
        f"({v.block_successes} reached)  gate {v.gate_state.name}  "
        f"age p50 {duration(v.age.p50)} p99.9 {duration(v.age.p999)}  "
        f"own p99.9 {duration(v.own.p999)}  samples {v.samples}  lost {v.lost}  stale {v.stale_commands}{stimulus}"
    )


_THEME = TerminalTheme(
    (16, 18, 22),
    (226, 228, 232),
    [
        (16, 18, 22),
        (213, 94, 0),
        (0, 158, 115),
        (240, 228, 66),
        (0, 114, 178),
        (204, 121, 167),
        (86, 180, 233),
        (226, 228, 232),
    ],
)
# rich's own template loads a font from a server; a picture in a README must stand alone.
_SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def export_svg(telemetry: Telemetry, path: Path, *, columns: int = 100, rows: int = 34) -> None:
    """Write the picture of ``telemetry`` to ``path`` as an SVG that needs no network."""
    console = Console(
        record=True,
        width=columns,
        height=rows,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
    )
    console.print(render(telemetry))
    svg = console.export_svg(title="bmi run", theme=_THEME, code_format=_SVG, unique_id="bmi")
    path.write_text(svg, encoding="utf-8")
