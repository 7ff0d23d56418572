"""Software: what is installed here, and whether a recording would repeat on it."""

from __future__ import annotations

import platform
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Metadata
from mcap.writer import MCAP0_MAGIC as MAGIC

from bmi.doctor.finding import Finding, State
from bmi.provenance import cpu
from bmi.provenance import versions as installed

_NEEDED = ("numpy", "scipy", "numba", "pylsl", "mcap", "pydantic", "safetensors")
_SYNC_BLOCKING = 118  # liblsl from which on a push can write to the sockets itself
_HEAD_BYTES = 1 << 20
_RECORD = struct.Struct("<BQ")  # opcode, length


def versions() -> Finding:
    """Name what a result rests on: Python, packages, liblsl, kernel."""
    found: dict[str, Any] = installed()
    lsl, error = _liblsl()
    found |= {"liblsl": f"{lsl // 100}.{lsl % 100}" if lsl else "absent", "kernel": platform.release()}
    realtime = "PREEMPT_RT" in platform.version()
    figures = {**found, "preempt_rt": realtime}
    said = ", ".join(f"{k} {found[k]}" for k in ("python", "multiscale-bmi", "numpy", "numba", "liblsl", "kernel"))
    said += " (PREEMPT_RT)" if realtime else ""
    absent = [name for name in _NEEDED if found.get(name) == "absent"]
    if absent or not lsl:
        what = ", ".join(absent) or f"liblsl, which does not load: {error}"
        fix = "pip install --force-reinstall multiscale-bmi pylsl; the wheel of pylsl carries liblsl"
        said = f"{what} is missing ({said})"
        return Finding(check="versions", state=State.FAIL, found=said, fix=fix, figures=figures)
    if lsl < _SYNC_BLOCKING:
        fix = "pip install --upgrade pylsl, and unset PYLSL_LIB if it names an older liblsl"
        said += "; this liblsl cannot write to the sockets itself, so that large pushes are slower"
        return Finding(check="versions", state=State.WARN, found=said, fix=fix, figures=figures)
    return Finding(check="versions", state=State.OK, found=said, figures=figures)


def _liblsl() -> tuple[int, str]:
    try:
        from bmi.lsl._clib import library_version
    except (ImportError, OSError, RuntimeError, AttributeError) as e:
        return 0, str(e)
    return int(library_version()), ""


def repeatable(folder: Path = Path("recordings")) -> Finding:
    """Compare processor and versions with those of the newest recording: on equal ones replay is bit-exact."""
    parts = folder.glob("*/part-000.mcap") if folder.is_dir() else ()
    newest = max((p for p in parts if p.is_file()), key=lambda p: p.stat().st_mtime, default=None)
    if newest is None:
        found = f"no recording in {folder.absolute()} to compare with"
        return Finding(check="repeatable", state=State.OK, found=found)
    told = metadata_of(newest)
    here = {**installed(), **cpu()}
    then = {**told.get("versions", {}), **told.get("machine", {})}
    changed = {k: [then[k], here[k]] for k in here if k in then and then[k] != here[k]}
    figures = {"recording": str(newest.parent), "changed": changed}
    if not then:
        found = f"{newest.parent} does not say what it was made with"
        return Finding(check="repeatable", state=State.OK, found=found, figures=figures)
    if not changed:
        found = f"processor and versions are those of {newest.parent.name}: it repeats bit by bit"
        return Finding(check="repeatable", state=State.OK, found=found, figures=figures)
    found = f"{newest.parent.name} was made with " + ", ".join(f"{k} {a} (here {b})" for k, (a, b) in changed.items())
    fix = "bmi replay --verify may differ in last bits; install those versions, or verify on the machine it was made on"
    return Finding(check="repeatable", state=State.WARN, found=found, fix=fix, figures=figures)


def metadata_of(part: Path) -> dict[str, dict[str, str]]:
    """Return the metadata at the front of a part, without going through the rest of it."""
    with part.open("rb") as f:
        head = f.read(_HEAD_BYTES)
    found: dict[str, dict[str, str]] = {}
    at = len(MAGIC)
    while at + _RECORD.size <= len(head):
        opcode, length = _RECORD.unpack_from(head, at)
        at += _RECORD.size + length
        if opcode == Opcode.METADATA and at <= len(head):
            try:
                told = Metadata.read(ReadDataStream(BytesIO(head[at - length : at])))
            except (McapError, ValueError, struct.error):
                break
            found[told.name] = told.metadata
    return found
