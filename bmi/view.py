"""The live view of a session: full screen on a terminal, a line now and then everywhere else.

Runs in the service process, fed with `Telemetry` snapshots, so that a slow terminal can never slow decoding.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.live import Live

from bmi.frame import Frame, export_svg, one_line, render
from bmi.keys import Keyboard
from bmi.telemetry import Telemetry

__all__ = ["Frame", "View", "export_svg", "one_line", "render"]


class View:
    """Shows a session while it runs: full screen on a terminal, a line every few seconds elsewhere.

    Parameters
    ----------
    on_quit, on_stop, on_arm
        Called from the keyboard's thread for ``q``, space and ``a``.
    fps
        Pictures a second at most; calls to `show` in between return at once.
    console
        Where to draw; standard output by default.
    line_every_s
        Distance of the lines where there is no terminal, s.
    """

    def __init__(
        self,
        *,
        on_quit: Callable[[], None] | None = None,
        on_stop: Callable[[], None] | None = None,
        on_arm: Callable[[], None] | None = None,
        fps: float = 12.0,
        console: Console | None = None,
        line_every_s: float = 5.0,
    ) -> None:
        self.console = console or Console()
        utf = self.console.encoding.lower().replace("-", "").startswith("utf")
        self.live = self.console.is_terminal and utf and not self.console.is_dumb_terminal
        self.interval_s = 1.0 / fps if self.live else line_every_s
        self.n_drawn = 0
        self._next = 0.0
        self._live: Live | None = None
        wanted = {"q": on_quit, " ": on_stop, "a": on_arm}
        self._keys = Keyboard({k: f for k, f in wanted.items() if f is not None})

    def __enter__(self) -> View:
        if self.live:
            self._keys.__enter__()
            self._live = Live(console=self.console, screen=True, auto_refresh=False, redirect_stdout=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._live is not None:
                self._live.stop()
        finally:
            self._live = None
            self._keys.__exit__(kind, error, trace)

    def show(self, telemetry: Telemetry) -> None:
        """Draw ``telemetry`` if it is time to, else return at once."""
        now = time.monotonic()
        if now < self._next:
            return
        self.n_drawn += 1
        self._next = now + self.interval_s
        if self._live is not None:
            self._live.update(render(telemetry), refresh=True)
        else:
            self.console.print(one_line(telemetry), highlight=False, markup=False, soft_wrap=True)
