"""What a result rests on: recipe, seed, versions, machine. Replay is bit-exact on the same of these."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bmi.recipe import Recipe

PACKAGES = ("multiscale-bmi", "numpy", "scipy", "numba", "llvmlite", "pylsl", "mcap", "pydantic", "safetensors")


def versions() -> dict[str, str]:
    """Return the installed version of each package a result depends on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def cpu() -> dict[str, str]:
    """Return the processor's name and a hash of its features: floating point is bit-exact on equal ones."""
    info = Path("/proc/cpuinfo")
    fields: dict[str, str] = {}
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            fields.setdefault(key.strip(), value.strip())
    flags = fields.get("flags", fields.get("Features", ""))
    name = fields.get("model name", platform.processor() or "unknown")
    return {"cpu": name, "cpu_features_sha256": hashlib.sha256(flags.encode()).hexdigest()[:16]}


def provenance(recipe: Recipe) -> dict[str, dict[str, str]]:
    """Return metadata of a session as groups of strings, as written into the recording.

    The machine is described, not named: a recording may be passed on.
    """
    text = recipe.to_json()
    return {
        "recipe": {
            "json": text,
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "where": Path(recipe.where).name,
            "name": recipe.session.name,
            "seed": str(recipe.session.seed),
        },
        "versions": versions(),
        "machine": {"system": platform.system(), "release": platform.release(), "arch": platform.machine(), **cpu()},
        "notice": {"use": "research use only; not a medical device"},
    }
