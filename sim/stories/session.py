"""One session of a story: a shipped recipe with changes, lived through in lock-step, its truth kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from bmi.contracts import Params, World
from bmi.params import save
from bmi.recipe import build, read
from bmi.signals import AnyArray
from bmi.simulate import Simulated, simulate

LIGHT: Mapping[str, Any] = {"ganglia": None, "probes": None}
"""A patient without the parts a story is not about: a third of the cost."""


class Lived(NamedTuple):
    """What became of a session."""

    run: Simulated
    truth: dict[str, AnyArray]
    """Every output asked for, over the whole session, a row each 10 ms: privileged ones as well."""
    amplitude_ma: AnyArray
    """(n,) what the stimulator did, each 10 ms; zero without a therapy."""
    position_mm: AnyArray
    """(n, n_dims) where the cursor was."""


def recipe(name: str, seed: int, *, patient: Mapping[str, Any] | None = None, **world: Any) -> dict[str, Any]:
    """Return a shipped recipe for the participant ``seed``, with other settings of patient and world."""
    raw = read(name)
    raw["session"]["seed"] = seed
    raw["world"] |= world
    raw["world"]["patient"] = {**raw["world"].get("patient", {}), **(patient or {}), "subject": seed}
    return raw


def frozen(raw: dict[str, Any], params: Params, n_features: int, seconds: float, folder: str) -> dict[str, Any]:
    """Return the recipe with learned parameters that do not change, and one scored block after 10 s of settling."""
    path = save(Path(folder) / "params.safetensors", raw["decoder"]["use"], params, {"n_features": n_features})
    raw["decoder"] = {k: v for k, v in raw["decoder"].items() if k != "learner"} | {"params": str(path)}
    raw["blocks"] = [{"name": "settle", "seconds": 10},
                     {"name": "scored", "seconds": seconds, "scored": True, "rest_s": 0.5}]  # fmt: skip
    return raw


def lived(raw: dict[str, Any], outputs: Sequence[str] = ()) -> Lived:
    """Live through a recipe and keep ``outputs`` of the patient, each at 100 Hz or as blocks of 10 ms."""
    kept: dict[str, list[AnyArray]] = {name: [] for name in outputs}
    doses, places = [], []

    def observe(world: World, line: Any, therapy: Any) -> None:
        for name, rows in kept.items():
            rows.append(world.truth[name])  # type: ignore[attr-defined]  # the patient's world
        doses.append(0.0 if therapy is None else therapy.amplitude_ma)
        places.append(line.device.effector.position.copy())

    run = simulate(build(raw), observe=observe)
    truth = {name: np.concatenate(rows) for name, rows in kept.items()}
    return Lived(run, truth, np.array(doses), np.array(places))


def untreated(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe without its therapy and the stream that only the therapy hears."""
    raw = dict(raw)
    source = raw.pop("therapy", {}).get("source")
    raw["sources"] = [s for s in raw["sources"] if s["name"] != source]
    return raw


def calibrated(raw: dict[str, Any]) -> tuple[Params, int]:
    """Live through the first block of a recipe; return what its learner found, and for how many features."""
    run = simulate(build({**untreated(raw), "blocks": [raw["blocks"][0]]}))
    params = run.params
    return params, int(np.shape(run.decoder.y_)[0])


def temporary() -> TemporaryDirectory[str]:
    """Return a folder for parameters, gone when it is closed."""
    return TemporaryDirectory(prefix="bmi-story-")
