"""Keeps what an independent simulator gave, with where it is from. Needs NumPy only."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path

import numpy as np

STORED = Path(__file__).parents[2] / "sim" / "validation" / "stored"


def save(name: str, simulator: str, about: str, **arrays: object) -> None:
    """Write ``arrays`` to ``sim/validation/stored/<name>.npz``, with simulator, version and script."""
    provenance = {
        "simulator": simulator,
        "script": f"tests/oracles/{Path(sys.argv[0]).name}",
        "about": about,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
    }
    path = STORED / f"{name}.npz"
    kept = {k: np.asarray(v) for k, v in arrays.items()}
    np.savez_compressed(path, provenance=np.array(json.dumps(provenance)), **kept)
    print(f"{path.name}: {path.stat().st_size} bytes, {simulator}")
