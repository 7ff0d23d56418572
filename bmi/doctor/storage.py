"""Storage: how long can be recorded, can the disk keep up, and is there memory for the rings?"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bmi.doctor.finding import Finding, State

_MB = 1_000_000
LFP_MB_S, BROADBAND_MB_S = 256 * 1_000 * 4 / _MB, 256 * 30_000 * 4 / _MB
"""Signal alone, float32: 256 channels at 1 kHz and at 30 kHz."""
_LEAST_MIN, _FEW_MIN = 2.0, 10.0
_PIECE, _PIECES, _LONGEST_S = 1 << 20, 32, 2.0
_SLOW_MS = 200.0
_RINGS_MB = 64.0


def disk(folder: Path = Path("recordings")) -> Finding:
    """Measure the room under ``folder`` and how fast it takes what it must not lose.

    Writes up to 32 MiB, never more than a quarter of what is free, forces it to disk and takes it away again.
    Nearest existing folder is used where ``folder`` does not exist yet.
    """
    place = _existing(folder)
    room = os.statvfs(place)
    free_mb, share = room.f_bavail * room.f_frsize / _MB, room.f_bavail / max(1, room.f_blocks)
    minutes = {"256ch_30kHz": free_mb / BROADBAND_MB_S / 60, "256ch_1kHz": free_mb / LFP_MB_S / 60}
    figures: dict[str, Any] = {"folder": str(place), "free_mb": round(free_mb, 1), "free_share": share}
    figures["minutes_left"] = {k: round(v, 1) for k, v in minutes.items()}
    left = (
        f"{_mb(free_mb)} free in {place}: {_minutes(minutes['256ch_30kHz'])} of 256 channels at 30 kHz, "
        f"{_minutes(minutes['256ch_1kHz'])} at 1 kHz"
    )
    make_room = f"make room in {place}, or record elsewhere: record.dir in the recipe, --out; then --dir here"
    if room.f_favail == 0 and room.f_files:
        return _disk(State.FAIL, f"the disk is full: no file can be made in {place}", make_room, figures)
    if minutes["256ch_1kHz"] < _LEAST_MIN:
        return _disk(State.FAIL, f"the disk is full, or nearly: {left}", make_room, figures)
    try:
        speed = _write(place, min(_PIECES, int(free_mb * _MB / 4) // _PIECE))
    except OSError as e:
        fix = "have it mounted for writing (mount -o remount,rw), or own it (chown), or record elsewhere (--dir)"
        return _disk(State.FAIL, f"{place} cannot be written: {e.strerror}", fix, figures)
    figures |= speed
    said = f"{left}; takes {speed['mb_s']:.0f} MB/s, the slowest MiB {speed['slowest_ms']:.0f} ms"
    if speed["mb_s"] < 2 * LFP_MB_S:
        return _disk(State.WARN, f"the disk is too slow even for 1 kHz: {said}", "record to a local disk", figures)
    if minutes["256ch_1kHz"] < _FEW_MIN:
        return _disk(State.WARN, said, make_room, figures)
    if speed["mb_s"] < 1.5 * BROADBAND_MB_S:
        fix = "for 256 channels at 30 kHz record to a faster disk (a local SSD); at 1 kHz it will do"
        return _disk(State.WARN, said, fix, figures)
    if minutes["256ch_30kHz"] < _FEW_MIN:
        return _disk(State.WARN, f"{said}; little for broadband", make_room, figures)
    slow = speed["slowest_ms"] > _SLOW_MS
    fix = "the recorder's rings bridge such a pause; a disk of its own would not have it" if slow else ""
    return _disk(State.WARN if slow else State.OK, said, fix, figures)


def memory(place: Path = Path("/dev/shm")) -> Finding:  # noqa: S108 - where the rings are, not a temporary file
    """Look for room where the rings of a session are mapped."""
    if not place.is_dir():
        found = f"there is no {place}: rings lie in {tempfile.gettempdir()} and may wait for its disk"
        fix = f"mount -t tmpfs tmpfs {place}"
        return Finding(check="memory", state=State.WARN, found=found, fix=fix, figures={"free_mb": None})
    room = os.statvfs(place)
    size_mb, free_mb = room.f_blocks * room.f_frsize / _MB, room.f_bavail * room.f_frsize / _MB
    figures = {"size_mb": round(size_mb, 1), "free_mb": round(free_mb, 1)}
    found = f"{_mb(free_mb)} of {_mb(size_mb)} free in {place}, where samples wait for the recorder"
    if free_mb >= 4 * _RINGS_MB:
        return Finding(check="memory", state=State.OK, found=found, figures=figures)
    fix = f"mount -o remount,size=1G {place} (in a container: --shm-size=1g), or remove what is left in it"
    state = State.FAIL if free_mb < _RINGS_MB else State.WARN
    return Finding(check="memory", state=state, found=found, fix=fix, figures=figures)


def _disk(state: State, found: str, fix: str, figures: dict[str, Any]) -> Finding:
    return Finding(check="disk", state=state, found=found, fix=fix, figures=figures)


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next((p for p in (folder, *folder.parents) if p.is_dir()), Path("/"))


def _write(place: Path, n_pieces: int) -> dict[str, float]:
    """Write pieces of 1 MiB, each forced to disk, until all are or time is up; return MB/s and the slowest, ms."""
    piece = np.random.default_rng(0).bytes(_PIECE)  # nothing a file system could compress
    took: list[float] = []
    handle, name = tempfile.mkstemp(prefix=".bmi-doctor-", dir=place)
    try:
        end = time.perf_counter() + _LONGEST_S
        while len(took) < max(1, n_pieces) and time.perf_counter() < end:
            begun = time.perf_counter()
            left = memoryview(piece)
            while left:
                left = left[os.write(handle, left) :]
            os.fsync(handle)
            took.append(time.perf_counter() - begun)
    finally:
        os.close(handle)
        with contextlib.suppress(OSError):
            os.unlink(name)
    return {"mb_s": len(took) * _PIECE / _MB / sum(took), "slowest_ms": 1e3 * max(took), "n_mib": len(took)}


def _mb(mb: float) -> str:
    return f"{mb / 1000:.3g} GB" if mb >= 1000 else f"{mb:.3g} MB"


def _minutes(minutes: float) -> str:
    return f"{minutes / 60:.3g} h" if minutes >= 120 else f"{minutes:.3g} min"
