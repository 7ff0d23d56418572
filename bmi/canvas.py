"""A drawing surface of braille characters: eight dots a terminal cell, one colour a cell.

A cell is about twice as high as wide and holds 2 x 4 dots, so dots are square and circles stay round.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from rich.style import Style
from rich.text import Text

from bmi.signals import F64

_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint8)


def _sane(xy_mm: F64) -> F64:
    """Drop what is not finite or a kilometre away: a view survives whatever a decoder says."""
    xy = np.asarray(xy_mm, np.float64).reshape(-1, 2)
    return xy[np.all(np.abs(xy) < 1e6, axis=1)]


class Canvas:
    """Draws in millimetres: x to the right, y up, the origin in the middle, nothing outside the frame.

    Later strokes take the colour of a cell they share with earlier ones, so draw the important last.
    """

    def __init__(self, columns: int, rows: int, extent_mm: tuple[float, float]) -> None:
        self.columns, self.rows = columns, rows
        self._dots = np.zeros((rows * 4, columns * 2), bool)
        self._style = np.zeros((rows, columns), np.int64)
        self._styles: list[Style] = [Style.null()]
        # One scale for both axes: a reach of 80 mm is as long upwards as sideways.
        self.dots_per_mm = min((columns * 2 - 1) / extent_mm[0], (rows * 4 - 1) / extent_mm[1])

    def points(self, xy_mm: F64, style: str) -> None:
        """Set one dot at each of ``xy_mm`` (n, 2)."""
        xy = _sane(xy_mm)
        height, width = self._dots.shape
        col = np.rint((width - 1) / 2 + xy[:, 0] * self.dots_per_mm)
        row = np.rint((height - 1) / 2 - xy[:, 1] * self.dots_per_mm)
        inside = (col >= 0) & (col < width) & (row >= 0) & (row < height)
        c, r = col[inside].astype(np.int64), row[inside].astype(np.int64)
        self._dots[r, c] = True
        self._style[r // 4, c // 2] = self._index(style)

    def line(self, xy_mm: F64, style: str) -> None:
        """Connect ``xy_mm`` (n, 2)."""
        xy = _sane(xy_mm)
        for a, b in pairwise(xy):
            n = 2 + int(np.hypot(*(b - a)) * self.dots_per_mm)
            self.points(a + np.linspace(0.0, 1.0, min(n, 512))[:, None] * (b - a), style)

    def circle(self, centre_mm: F64, radius_mm: float, style: str, *, filled: bool = False) -> None:
        """Draw a circle, or a disc; never smaller than one dot."""
        rings = np.linspace(0.0, radius_mm, 2 + int(radius_mm * self.dots_per_mm)) if filled else [radius_mm]
        for r in rings:
            angle = np.linspace(0.0, 2 * np.pi, 8 + int(8 * r * self.dots_per_mm), endpoint=False)
            self.points(centre_mm + r * np.column_stack([np.cos(angle), np.sin(angle)]), style)

    def box(self, extent_mm: tuple[float, float], style: str) -> None:
        """Outline a rectangle around the origin."""
        x, y = extent_mm[0] / 2, extent_mm[1] / 2
        self.line(np.array([[-x, -y], [x, -y], [x, y], [-x, y], [-x, -y]]), style)

    def text(self) -> Text:
        """Return what was drawn as ``rows`` lines."""
        cells = self._dots.reshape(self.rows, 4, self.columns, 2)
        codes = (cells * _BITS[None, :, None, :]).sum(axis=(1, 3))
        out = Text(no_wrap=True, end="")
        for r in range(self.rows):
            if r:
                out.append("\n")
            edges = np.flatnonzero(np.diff(self._style[r], prepend=-1, append=-1))
            for a, b in pairwise(edges):
                run = "".join(chr(0x2800 + int(k)) if k else " " for k in codes[r, a:b])
                out.append(run, self._styles[self._style[r, a]])
        return out

    def _index(self, style: str) -> int:
        wanted = Style.parse(style)
        if wanted not in self._styles:
            self._styles.append(wanted)
        return self._styles.index(wanted)
