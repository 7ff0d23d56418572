"""MATLAB ``trial_data`` structs, as used for reaching recordings from macaque motor cortex.

A struct array ``trial_data`` (Perich, Gallego & Miller 2018), one element a trial: ``<area>_spikes``
(n_bins, n_neurons) counts, ``vel`` and ``pos`` (n_bins, 2) in cm/s and cm, ``bin_size`` in s,
``target_direction`` in rad, and events ``idx_*`` as bin numbers from 1. The trials are joined in order; the
bins from the go cue to the end of the trial are to be scored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bmi.errors import RecordingError
from bmi.formats.binned import BinnedRecording, require
from bmi.formats.mat5 import Unread, Variables
from bmi.signals import AnyArray

MAX_FILE_BYTES = 2 << 30
_NEEDED = ("vel", "bin_size")


def read_mat(path: Path | str) -> BinnedRecording:
    """Return the trials of a ``trial_data`` file, joined: counts against hand velocity, cm/s.

    Raises
    ------
    RecordingError
        If it is no MATLAB 5 file, lacks ``trial_data`` or a field of it, or shapes disagree.
    """
    path = Path(path)
    trials = _trials(path)
    fields = trials[0]
    require(f"{path}: trial_data", fields, _NEEDED)
    areas = sorted(f for f in fields if f.endswith("_spikes"))
    if not areas:
        require(f"{path}: trial_data", fields, ("<area>_spikes",))
    counts: list[AnyArray] = []
    vel: list[AnyArray] = []
    pos: list[AnyArray] = []
    score: list[AnyArray] = []
    target: list[AnyArray] = []
    widths = set()
    for k, trial in enumerate(trials):
        where = f"{path}: trial {k}"
        spikes = [_table(where, area, trial[area]) for area in areas]
        n = len(spikes[0])
        counts.append(np.hstack([_table(where, area, y, n) for area, y in zip(areas, spikes, strict=True)]))
        vel.append(_table(where, "vel", trial["vel"], n))
        if "pos" in fields:
            pos.append(_table(where, "pos", trial["pos"], n))
        score.append(_scored(where, trial, n))
        if "target_direction" in fields:
            target.append(np.full(n, _scalar(where, "target_direction", trial["target_direction"])))
        widths.add(_scalar(where, "bin_size", trial["bin_size"]))
    if len(widths) != 1:
        raise RecordingError(f"{path}: bins of different width ({', '.join(map(str, sorted(widths)))} s)")
    for key, tables in (("spikes", counts), ("vel", vel), ("pos", pos)):
        if len(columns := {t.shape[1] for t in tables}) > 1:
            raise RecordingError(f"{path}: trials differ in columns of {key}: {sorted(columns)}")
    return BinnedRecording.checked(
        path,
        counts=np.concatenate(counts),
        kinematics=np.concatenate(vel),
        bin_s=widths.pop(),
        trial=np.repeat(np.arange(len(counts)), [len(y) for y in counts]),
        score=np.concatenate(score),
        position=np.concatenate(pos) if pos else None,
        target_rad=np.concatenate(target) if target else None,
        unit="cm/s",
        position_unit="cm",
    )


def _trials(path: Path) -> list[dict[str, Any]]:
    """Return the fields of every trial in a file."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise RecordingError(f"{path}: larger than {MAX_FILE_BYTES >> 30} GiB")
        data = path.read_bytes()
    except OSError as e:
        raise RecordingError(f"{path}: cannot be read: {e}") from e
    try:
        variables = Variables(data)
        require(path, dict.fromkeys(variables.names), ("trial_data",))
        trials = variables.read("trial_data")
    except RecordingError as e:
        where = "" if str(e).startswith(str(path)) else f"{path}: cannot be read as a MATLAB file: "
        raise RecordingError(f"{where}{e}") from e
    if not isinstance(trials, list) or not trials:
        raise RecordingError(f"{path}: trial_data is {_said(trials)}, expected a struct array, one a trial")
    return trials


def _table(where: str, key: str, value: Any, n: int | None = None) -> AnyArray:
    """Return a numeric array (n_bins, columns)."""
    if not isinstance(value, np.ndarray) or value.ndim != 2:
        raise RecordingError(f"{where}: {key} is {_said(value)}, expected an array (n_bins, columns)")
    if n is not None and len(value) != n:
        raise RecordingError(f"{where}: {key} has {len(value)} bins, its spikes {n}")
    return value


def _scalar(where: str, key: str, value: Any) -> float:
    if not isinstance(value, np.ndarray) or value.size != 1:
        raise RecordingError(f"{where}: {key} is {_said(value)}, expected one number")
    return float(value.item())


def _scored(where: str, trial: dict[str, Any], n: int) -> AnyArray:
    """Return the bins (n,) bool from the go cue to the trial's end, both included; all if it has none."""
    mask = np.zeros(n, np.bool_)
    first = _scalar(where, "idx_go_cue", trial["idx_go_cue"]) if "idx_go_cue" in trial else 1.0
    last = _scalar(where, "idx_trial_end", trial["idx_trial_end"]) if "idx_trial_end" in trial else float(n)
    if np.isnan(first) or np.isnan(last):  # an aborted trial has no cue
        return mask
    if not 1 <= first <= last <= n:
        raise RecordingError(
            f"{where}: go cue in bin {first:g}, end in bin {last:g}, of {n} (counted from 1)"
        )
    mask[int(first) - 1 : int(last)] = True
    return mask


def _said(value: Any) -> str:
    if isinstance(value, Unread):
        return f"a MATLAB {value.kind}"
    return f"numbers of shape {value.shape}" if isinstance(value, np.ndarray) else "a struct"
