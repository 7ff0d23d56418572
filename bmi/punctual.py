"""What the kernel grants anybody who sleeps for real-time work, without a right: to be woken at the moment asked for.

Two things keep an ordinary thread asleep longer than it asked. Timers of ordinary threads are put together in windows
of 50 µs, the timer slack. And a thread that runs may finish its slice, 1 ms and more, before one that wakes gets the
processor; since Linux 6.12 a thread may ask for a shorter slice of its own and then goes before those with longer ones.
It gets no larger share of the processor, only smaller pieces of it, sooner. See prctl(2), PR_SET_TIMERSLACK, and
sched_setattr(2), sched_runtime.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

SLACK_NS, SLICE_NS = 1, 100_000
"""The least the kernel accepts of each, ns."""
_PR_SET_TIMERSLACK = 29
_ATTR = struct.Struct("=IIQiIQQQII")
"""``struct sched_attr``: size, policy, flags, nice, priority, runtime (of an ordinary thread: its slice), deadline,
period, the least and most utilisation."""
_POLICY, _RUNTIME = 1, 5
_SET_GET = {"x86_64": (314, 315), "aarch64": (274, 275)}
"""Numbers of sched_setattr and sched_getattr; the C library wraps them only since glibc 2.41."""


def punctual() -> str:
    """Have the calling thread woken as exactly as an ordinary thread may be; return what came of it.

    Threads it starts later inherit both. A thread of another class, such as SCHED_FIFO, keeps it: it has more already.
    """
    if platform.system() != "Linux":
        return f"timer slack and slice are {platform.system()}'s"
    libc = ctypes.CDLL(None, use_errno=True)
    said = []
    if libc.prctl(_PR_SET_TIMERSLACK, SLACK_NS, 0, 0, 0) == 0:
        said.append(f"timer slack {SLACK_NS} ns")
    else:
        said.append(f"timer slack not shortened ({os.strerror(ctypes.get_errno())})")
    attr = _attr(libc)
    if attr is None:
        said.append("slice not shortened (the kernel does not say what it is)")
    elif attr[_POLICY] not in (os.SCHED_OTHER, os.SCHED_BATCH):
        said.append("slice left to another scheduling class")
    else:
        said.append(_shortened(libc, attr))
    return ", ".join(said)


def slice_ns(thread: int = 0) -> int | None:
    """Return a thread's slice, ns, by its number, 0 for the caller; None where the kernel does not say."""
    attr = _attr(ctypes.CDLL(None, use_errno=True), thread) if platform.system() == "Linux" else None
    return attr[_RUNTIME] or None if attr else None


def _shortened(libc: ctypes.CDLL, attr: list[int]) -> str:
    """Ask for a short slice, change nothing else, and say what the kernel made of it."""
    attr[_RUNTIME] = SLICE_NS
    if libc.syscall(_SET_GET[platform.machine()][0], 0, _ATTR.pack(*attr), 0) != 0:
        return f"slice not shortened ({os.strerror(ctypes.get_errno())})"
    got = slice_ns()
    return f"slice {1e-6 * got:g} ms" if got else "slice not shortened (Linux before 6.12)"


def _attr(libc: ctypes.CDLL, thread: int = 0) -> list[int] | None:
    """Return a thread's ``struct sched_attr``, None where it cannot be had."""
    if platform.machine() not in _SET_GET:
        return None
    raw = ctypes.create_string_buffer(_ATTR.size)
    if libc.syscall(_SET_GET[platform.machine()][1], thread, raw, _ATTR.size, 0) != 0:
        return None
    return list(_ATTR.unpack(raw.raw))
