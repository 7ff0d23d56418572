"""The list of a recording's parts with their SHA-256, so that a changed byte is noticed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bmi.errors import RecordingError
from bmi.part import PART_GLOB, FinishedPart

MANIFEST_FILE = "manifest.json"


def parts_of(folder: Path) -> list[Path]:
    """Return the parts in ``folder``, in the order they were written."""
    return sorted(folder.glob(PART_GLOB), key=lambda p: (len(p.name), p.name))


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest; empty if there is none. Raises RecordingError if it is not one."""
    path = folder / MANIFEST_FILE
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as e:
        raise RecordingError(f"{path}: not a readable manifest: {e}") from e
    if not isinstance(manifest, dict):
        raise RecordingError(f"{path}: expected a JSON object, given {type(manifest).__name__}")
    return manifest


def write_manifest(folder: Path, known: Iterable[FinishedPart] = ()) -> dict[str, Any]:
    """Write the hashes of every part beside what the manifest already says; atomic. May raise OSError.

    Parameters
    ----------
    folder : Path
        Folder of the recording.
    known : iterable of FinishedPart
        Parts whose hash was computed while they were written; the others are read.
    """
    hashes = {p.name: p.sha256 for p in known}
    manifest = read_manifest(folder)
    manifest["parts"] = [
        {"name": p.name, "bytes": p.stat().st_size, "sha256": hashes.get(p.name) or sha256_of(p)}
        for p in parts_of(folder)
    ]
    draft = folder / f".{MANIFEST_FILE}.{os.getpid()}"
    draft.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    draft.replace(folder / MANIFEST_FILE)
    return manifest


def verify(folder: Path) -> list[str]:
    """Return what differs between the parts and the manifest, one line each; empty if nothing does."""
    listed = {p["name"]: p for p in read_manifest(folder).get("parts", [])}
    there = {p.name: p for p in parts_of(folder)}
    problems = [f"{name}: listed in the manifest, not there" for name in listed.keys() - there.keys()]
    problems += [f"{name}: not listed in the manifest" for name in there.keys() - listed.keys()]
    for name in sorted(listed.keys() & there.keys()):
        if (given := sha256_of(there[name])) != listed[name].get("sha256"):
            problems.append(f"{name}: SHA-256 is {given}, the manifest says {listed[name].get('sha256')}")
    return sorted(problems)
