"""``bmi calibrate``: a recipe's own session, run through the phases of a calibration and judged at the end."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bmi.calibration import Calibration
from bmi.errors import Problem, RecipeError, RecordingError
from bmi.params import load, save
from bmi.recipe import Recipe, build


def calibrating(raw: Any, where: str) -> tuple[Recipe, Calibration]:
    """Return a recipe with the phases of its calibration as blocks, and the calibration.

    Parameters
    ----------
    raw : mapping
        Any recipe with a learner; its node ``calibration`` sets phases and gate, its blocks are left out.

    Raises
    ------
    RecipeError
        With every problem at once; without a learner there is nothing to calibrate.
    """
    checked = build(raw, where)
    if checked.learner is None:
        raise RecipeError(where, [Problem("decoder.learner", "calibration needs one, e.g. {use: smoothbatch}")])
    calibration = checked.calibration or Calibration()
    phases = copy.deepcopy(raw)
    phases["blocks"] = calibration.blocks()
    return build(phases, where), calibration


def report(summary: Mapping[str, Any], calibration: Calibration) -> dict[str, Any]:
    """Return a session's summary with the judgement: ``passed``, and ``fails`` in words."""
    fails = calibration.judge(summary)
    return {**summary, "passed": not fails, "fails": fails}


def run_lock_step(recipe: Recipe, out: Path | None, progress: Callable[[str, float], None]) -> dict[str, Any]:
    """Calibrate on the recipe's simulated participant, faster than real time; return the summary.

    With ``out``, the learned parameters are saved there as ``params.safetensors``.
    """
    from bmi.simulate import simulate

    done = simulate(recipe, progress)
    summary = dict(done.summary)
    if out is not None:
        decoder = done.decoder
        n_features = len(decoder.y_)
        notes = {"n_features": n_features, "version": decoder.params_version, "session": recipe.session.name}
        notes |= {"click": recipe.names["click"]} if recipe.click is not None else {}
        out.mkdir(parents=True, exist_ok=True)
        summary["params"] = str(save(out / "params.safetensors", recipe.names["decoder"], done.params, notes))
    return summary


def keep(source: Path, target: Path) -> Path:
    """Copy parameters to where recipes will look for them; what is there is replaced by a whole file or not at all.

    Raises
    ------
    RecordingError
        If the source is no parameter file, or the target cannot be written.
    """
    load(source)  # whole, and what it says it is
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, part)
        part.replace(target)
    except OSError as e:
        raise RecordingError(f"{target}: cannot be written ({e}); is there room, and permission?") from e
    return target
