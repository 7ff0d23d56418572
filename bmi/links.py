"""What a process needs to stop a device alone; imports nothing, so that whoever does stays small."""

from __future__ import annotations

from typing import NamedTuple


class GuardLink(NamedTuple):
    """How the guard process stops a device alone: write ``stop`` to ``fd``, ``repeat`` times.

    The descriptor is handed over to the guard when the session opens (it keeps its own copy), so it must take a whole
    stop in one ``write``: a connected datagram socket, a serial port, a pipe.
    """

    fd: int
    stop: bytes
    """Message after which the device rests, whatever it was told before."""
    repeat: int = 3
