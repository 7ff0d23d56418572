"""Single keys from the terminal, at once and without Enter; the terminal is always given back as it was."""

from __future__ import annotations

import atexit
import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any


class Keyboard:
    """Calls a function for a key, from a thread of its own, while it is open.

    A thread and not a poll in the drawing loop: space is STOP and has to reach the STOP word within
    milliseconds, however slow the terminal draws. Callbacks must return quickly and be callable from any
    thread. Does nothing when ``fd`` is not a terminal.

    Parameters
    ----------
    actions
        Key, one character, to callback. Upper-case letters count as lower case.
    fd
        File descriptor to read; standard input by default.
    """

    def __init__(self, actions: Mapping[str, Callable[[], None]], fd: int | None = None) -> None:
        self._actions = dict(actions)
        self._fd = fd
        self._saved: list[Any] | None = None
        self._wake: tuple[int, int] | None = None
        self._thread: threading.Thread | None = None

    @property
    def active(self) -> bool:
        """True while keys are read."""
        return self._thread is not None

    def __enter__(self) -> Keyboard:
        if self._fd is None:
            try:
                self._fd = sys.stdin.fileno()
            except (OSError, ValueError, AttributeError):  # no stdin at all, or one without a descriptor
                return self
        if not os.isatty(self._fd):
            return self
        self._saved = list(termios.tcgetattr(self._fd))
        atexit.register(self._restore)
        tty.setcbreak(self._fd)  # Ctrl-C stays a signal
        self._wake = os.pipe()
        listen = (self._fd, self._wake[0])
        self._thread = threading.Thread(target=self._listen, args=listen, name="keyboard", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None and self._wake is not None:
            os.write(self._wake[1], b"x")
            self._thread.join()
            for end in self._wake:
                os.close(end)
        self._thread = self._wake = None
        self._restore()
        atexit.unregister(self._restore)

    def _restore(self) -> None:
        if self._saved is not None and self._fd is not None:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._saved)
            self._saved = None

    def _listen(self, fd: int, wake: int) -> None:
        while True:
            ready, _, _ = select.select([fd, wake], [], [])
            if wake in ready:
                return
            try:
                typed = os.read(fd, 64)
            except OSError:  # the terminal went away: there is nobody left to press keys
                return
            if not typed:
                return
            for key in typed.decode(errors="ignore").lower():
                action = self._actions.get(key)
                if action is not None:
                    action()
