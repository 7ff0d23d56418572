"""Kernels: can what numba compiles be kept, and what is compiled already?

Looked up in numba's cache files, without importing numba or a kernel.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import struct
import tempfile
from pathlib import Path

from bmi import registry
from bmi.doctor.finding import Finding, State


def kernels(modules: list[Path] | None = None) -> Finding:
    """See whether compiled kernels can be kept, and which are: what is not costs seconds at the first start."""
    files = kernel_files() if modules is None else modules
    places = {file: _cache_of(file) for file in files}
    homeless = [file for file, place in places.items() if place is None]
    cold: dict[str, int] = {}
    n = 0
    for file, place in places.items():
        compiled, total = _compiled(file, place)
        n += total
        if compiled < total:
            cold[f"{file.parent.name}/{file.stem}"] = total - compiled
    n_warm = n - sum(cold.values())
    kept = sorted({str(p) for p in places.values() if p is not None})
    figures = {"n_kernels": n, "n_compiled": n_warm, "cold": cold, "kept_in": kept}
    if homeless:
        fix = "let a folder that can be written keep them: export NUMBA_CACHE_DIR=$HOME/.cache/bmi-kernels"
        found = f"compiled kernels cannot be kept: neither beside {homeless[0]} nor in a user's cache can be written"
        return Finding(check="kernels", state=State.FAIL, found=found, fix=fix, figures=figures)
    found = f"{n_warm} of {n} kernels are compiled"
    if not cold:
        return Finding(check="kernels", state=State.OK, found=found, figures=figures)
    found += f"; not yet: {', '.join(f'{k} ({v})' for k, v in list(cold.items())[:4])}{', …' if len(cold) > 4 else ''}"
    fix = "bmi check RECIPE compiles what a recipe needs, before a participant waits for it"
    return Finding(check="kernels", state=State.OK if n_warm else State.WARN, found=found, fix=fix, figures=figures)


def kernel_files() -> list[Path]:
    """Return the kernel files of this framework and of everything registered with it; nothing is imported."""
    points = (registry.origin(kind, name)[0] for kind in registry.KINDS for name in registry.names(kind))
    roots = {"bmi", *(point.partition(":")[0].partition(".")[0] for point in points)}
    files: list[Path] = []
    for root in sorted(roots):
        spec = importlib.util.find_spec(root)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            files += sorted(Path(folder).rglob("_*_kernels.py"))
    return files


def _cache_of(file: Path) -> Path | None:
    """Return where numba keeps what it makes of a file: the first of its places that can be written, None if none."""
    nick = f"{file.parent.name}_{hashlib.sha1(str(file.parent).encode()).hexdigest()}"  # noqa: S324 - numba's name
    named = os.environ.get("NUMBA_CACHE_DIR")
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "numba" / nick
    for place in ([Path(named) / nick] if named else []) + [file.parent / "__pycache__", user]:
        try:
            place.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=place).close()
        except OSError:
            continue
        return place
    return None


def _compiled(file: Path, place: Path | None) -> tuple[int, int]:
    """Return (kernels of a file whose index is of this very source, all of them)."""
    source = file.read_bytes()
    wanted = [
        f"{file.stem}.{node.name}-{min(d.lineno for d in node.decorator_list)}."
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and any("njit" in ast.unparse(d) for d in node.decorator_list)
    ]
    # The stamp in an index is the source's SHA-256, before numba 0.62 its time of change.
    stamps = (hashlib.sha256(source).digest(), struct.pack(">d", file.stat().st_mtime))
    warm = 0
    for name in wanted if place is not None else ():
        assert place is not None  # noqa: S101 - for the type checker
        for index in place.glob(f"{name}*.nbi"):
            content = index.read_bytes()
            if any(stamp in content for stamp in stamps):
                warm += 1
                break
    return warm, len(wanted)
