"""Sessions: is another one running on this machine, or has a killed one left something behind?"""

from __future__ import annotations

import os
import time
from pathlib import Path

from bmi.doctor.finding import Finding, State

_YOUNG_S = 60.0  # a session that is just starting has no process yet
_CONTROL = "control"


def sessions(rings: Path = Path("/dev/shm")) -> Finding:  # noqa: S108 - where the rings are, not a temporary file
    """Look for processes of other sessions, and for rings that belong to none."""
    running = _running()
    kept = [p for p in rings.glob("bmi-*") if (p / _CONTROL).is_file()] if rings.is_dir() else []
    alive = [word for _, words in running for word in words]
    left = [p for p in kept if str(p) not in alive and _age_s(p) > _YOUNG_S]
    held_mb = sum(_size(f) for p in left for f in p.iterdir()) / 1e6
    named = [f"{' '.join(words[:2])} ({pid})" for pid, words in running]
    figures = {"processes": named, "left_behind": [str(p) for p in left], "left_behind_mb": round(held_mb, 1)}
    said, fixes = [], []
    if running:
        said.append(f"processes of other sessions are running: {', '.join(named[:4])}{', …' if len(named) > 4 else ''}")
        fixes.append("they share processors and disk with yours: end that session (q in its view), or wait")
    if left:
        said.append(f"killed sessions left {held_mb:.1f} MB in {', '.join(map(str, left[:3]))}")
        fixes.append(f"rm -r {' '.join(map(str, left))}")
    return Finding(
        check="sessions",
        state=State.WARN if said else State.OK,
        found="; ".join(said) or "no other session is running",
        fix="; ".join(fixes),
        figures=figures,
    )


def _running() -> list[tuple[int, list[str]]]:
    """Return (process id, [module, arguments]) of every process of a session, not of this program."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = [w.decode("utf-8", "replace") for w in (entry / "cmdline").read_bytes().split(b"\0")]
        except OSError:
            continue
        ours = [k for k, word in enumerate(words[:-1]) if word == "-m" and words[k + 1] in ("bmi.process", "bmi.guard")]
        if ours and int(entry.name) != os.getpid():
            found.append((int(entry.name), [w for w in words[ours[0] + 1 :] if w]))
    return sorted(found)


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
