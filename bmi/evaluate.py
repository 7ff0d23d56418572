"""Score a decoder on a recording with the very ``step`` that runs live; optionally through real LSL."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bmi import registry
from bmi.contracts import Decoder
from bmi.errors import BMIError, RecordingError
from bmi.formats import BinnedRecording, read
from bmi.schema import make
from bmi.signals import F64, AnyArray, Chunk, StreamSpec


def r2(x: F64, estimate: F64) -> list[float]:
    """Coefficient of determination of each column, ``1 - SS_residual / SS_total``."""
    residual = ((x - estimate) ** 2).sum(0)
    total = ((x - x.mean(0)) ** 2).sum(0)
    return [float(v) for v in 1.0 - residual / total]


def cc(x: F64, estimate: F64) -> list[float]:
    """Pearson correlation of each column."""
    return [float(np.corrcoef(a, b)[0, 1]) for a, b in zip(x.T, estimate.T, strict=True)]


def evaluate(
    path: Path,
    decoder: str,
    settings: Mapping[str, Any] | None = None,
    *,
    train_fraction: float = 0.8,
    lsl: bool = False,
    save: Path | None = None,
) -> dict[str, Any]:
    """Fit on the first trials of a recording, decode the rest bin by bin, score where the recording says.

    Parameters
    ----------
    path : Path
        A recording ``bmi.formats`` reads.
    decoder : str
        Registered name.
    settings : mapping
        Constructor arguments of the decoder; ``n_dims`` follows the recording unless given.
    train_fraction : float
        Share of the trials (of the bins, if there are no trials) to fit on; the later ones are scored.
    lsl : bool
        Send the test bins through a real outlet and inlet and decode them in the live lane.
    save : Path, optional
        Where to save the fitted parameters.

    Returns
    -------
    dict
        ``r2`` and ``cc`` per dimension, ``n_train``, ``n_test`` (scored bins), ``decoder``, ``seconds``; with
        ``lsl`` also ``lost`` and ``max_difference`` between live and offline intents.
    """
    start = time.perf_counter()
    recording = read(path)
    train = _train_bins(recording, train_fraction, path)
    n_dims = recording.kinematics.shape[1]
    part: Decoder = make("decoders", decoder, {**_fitting(decoder, n_dims), **(settings or {})}, "--set")
    groups = None if recording.trial is None else recording.trial[:train]
    # What is not scored is not learned from either: a NaN label lends its features as history only.
    labels = np.where(recording.score_mask[:train, None], recording.kinematics[:train], np.nan)
    part.fit(recording.counts[:train].astype(np.float64), labels, dt_s=recording.bin_s, groups=groups)
    spec = StreamSpec(
        name="recording", type="spikes", n_channels=recording.counts.shape[1], rate_hz=1.0 / recording.bin_s,
        unit=recording.counts_unit, source_id=f"bmi-eval-{time.time_ns()}",
    )  # fmt: skip
    test = recording.counts[train:]
    estimate = offline(part, spec, test)
    result: dict[str, Any] = {"recording": path.name, "decoder": decoder, "settings": dict(settings or {})}
    extra: dict[str, Any] = {}
    if lsl:
        live, lost = _through_lsl(part, spec, test)
        extra = {"lsl": True, "lost": lost, "max_difference": float(np.nanmax(np.abs(live - estimate)))}
        estimate = live
    scored = recording.score_mask[train:] & np.isfinite(estimate).all(1)
    if scored.sum() < 2:
        raise RecordingError(
            f"{path}: only {int(scored.sum())} of the {len(test)} test bins may be scored; expected 2 or more"
        )
    x = recording.kinematics[train:][scored]
    result |= {"r2": r2(x, estimate[scored]), "cc": cc(x, estimate[scored]), "n_train": int(train),
               "n_test": int(scored.sum()), "n_silent": int((~np.isfinite(estimate).all(1)).sum()),
               "dims": list(recording.dims), **extra}  # fmt: skip
    if save is not None:
        from bmi.params import save as save_

        notes = {"n_features": spec.n_channels, "settings": dict(settings or {}), "recording": path.name}
        save_(save, decoder, part.params_, notes)
        result["saved"] = str(save)
    result["seconds"] = round(time.perf_counter() - start, 3)
    return result


def _fitting(decoder: str, n_dims: int) -> dict[str, Any]:
    """Follow the recording's number of dimensions if the decoder has that setting."""
    import inspect

    return {"n_dims": n_dims} if "n_dims" in inspect.signature(registry.load("decoders", decoder)).parameters else {}


def _train_bins(recording: BinnedRecording, fraction: float, path: Path) -> int:
    """Return the number of bins before the first test trial."""
    if recording.trial is None:
        return round(len(recording.counts) * fraction)
    trials = list(dict.fromkeys(recording.trial.tolist()))
    n = round(len(trials) * fraction)
    if not 0 < n < len(trials):
        raise RecordingError(
            f"{path}: {len(trials)} trials cannot be split at {fraction}; expected at least one on each side"
        )
    return int(np.flatnonzero(recording.trial == trials[n])[0])


def offline(decoder: Decoder, spec: StreamSpec, counts: AnyArray) -> F64:
    """Loop over ``step``, one bin at a time; return the mean intents, NaN where the decoder was silent."""
    intent_spec = decoder.bind([spec])
    decoder.reset()
    out = np.full((len(counts), len(intent_spec.dims)), np.nan)
    for k, row in enumerate(np.ascontiguousarray(counts, np.float32)):
        t = k / spec.rate_hz
        intent = decoder.step((Chunk(row[None], np.array([t]), t, k),))
        if intent is not None:
            out[k] = intent.mean
    return out


def _through_lsl(decoder: Decoder, spec: StreamSpec, counts: AnyArray) -> tuple[F64, int]:
    """Play the bins over LSL as fast as they are taken and decode them in the live lane."""
    with tempfile.TemporaryDirectory(prefix="bmi-eval-") as folder:
        return _play_and_decode(decoder, spec, counts, Path(folder))


def _play_and_decode(decoder: Decoder, spec: StreamSpec, counts: AnyArray, folder: Path) -> tuple[F64, int]:
    from bmi.assist import GoalDirected
    from bmi.blocks import Block, Blocks
    from bmi.clock import LSLClock
    from bmi.control import Control
    from bmi.gate import Gate
    from bmi.lane import Lane
    from bmi.line import Line
    from bmi.lsl.inlet import LSLSource
    from bmi.lsl.outlet import Outlet
    from bmi.pipeline import Pipeline

    clock = LSLClock()
    intent_spec = decoder.bind([spec])
    decoder.reset()
    device = make("devices", "null", {"n_dims": len(intent_spec.dims), "unit": intent_spec.unit}, "eval")
    n_dims = len(intent_spec.dims)
    line = Line(
        pipeline=Pipeline({}, decoder), gate=Gate(workspace_mm=(300.0,) * n_dims), device=device,
        task=make("tasks", "centre-out", {}, "eval"), blocks=Blocks([Block(name="eval")]), assist=GoalDirected(),
    )  # fmt: skip
    with Outlet(spec, samples_per_push=1) as outlet:
        source = LSLSource(name=spec.name, source_id=spec.source_id, max_backlog_s=60.0)
        source.open()
        interval = sys.getswitchinterval()
        seen = _Seen(len(counts))
        try:
            line.bind((source.spec,), np.random.default_rng(0))
            device.open()
            device.arm()
            lane = Lane(line, [source], clock, Control.create(folder / "control"))
            sender = threading.Thread(target=_send, args=(outlet, counts, clock, seen), daemon=True)
            outlet.wait_for_consumers(10.0)
            sys.setswitchinterval(0.0002)  # sender and lane take turns in one interpreter here
            sender.start()
            out = np.full((len(counts), n_dims), np.nan)
            quiet = clock.now()
            while seen.n < len(counts) and clock.now() - quiet < 5.0:
                lane.once()
                if line.record.row["n_samples"][0, 0]:
                    quiet = clock.now()
                    seen.n = int(line.record.row["seq"][0, 0]) + 1
                    if line.intent is not None:
                        out[seen.n - 1] = line.intent.mean
            lost = source.n_lost
        finally:
            seen.over = True
            sys.setswitchinterval(interval)
            source.close()
    if seen.n < len(counts):
        raise BMIError(
            f"the live lane saw {seen.n} of {len(counts)} bins, then 5 s of silence; is LSL traffic blocked?"
        )
    return out, lost


class _Seen:
    """How far the lane is; the sender keeps close to it."""

    def __init__(self, total: int) -> None:
        self.n, self.total, self.over = 0, total, False


def _send(outlet: Any, counts: AnyArray, clock: Any, seen: _Seen) -> None:
    """Send without running more than 64 bins ahead: faster than real time, and nothing is lost."""
    for k, row in enumerate(np.ascontiguousarray(counts, np.float32)):
        while k - seen.n > 64 and not seen.over:
            time.sleep(0.0002)
        if seen.over:
            return
        outlet.push(row[None], clock.now())
