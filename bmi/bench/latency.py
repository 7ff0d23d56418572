"""From a sample's stamp at the sender to the command datagram at the receiver, against bare LSL → UDP.

Four processes, as in a session: sender, live lane, recorder, and the service reading telemetry; a fifth
receives the datagrams. The lane alternates blocks: the *floor* pulls from a bare inlet and sends a datagram at
once; the *pipeline* is the real lane (band-pass of two biquads, power, 50 ms boxcar, 7-state Kalman filter in
information form, gate, UDP device, journal) at every push. Same sender, same thread, same receiver, same
minute; and, once the floor's datagram has left, the same rows for recorder and telemetry, so that both are as
busy in either block (``quiet_floor`` leaves them idle beside the floor). The ratio is ours, whatever the
machine does.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bmi.clock import LSLClock
from bmi.control import CONTROL_FILE, Control, LaneState, Word
from bmi.errors import BMIError
from bmi.lane import Journal, Lane
from bmi.line import Line
from bmi.lsl.bare import BareInlet
from bmi.lsl.config import private_lsl_config
from bmi.lsl.outlet import Outlet
from bmi.process import bind_line, keep_off, make_line, real_time
from bmi.recipe import build, read
from bmi.ring import Ring
from bmi.signals import AnyArray, Chunk, StreamSpec
from bmi.telemetry import TelemetryReader

FLOOR = struct.Struct("<4sIqddii3d")  # as long as the device's own datagram in three dimensions
BLOCK_S = 1.25
KEPT = ("command_seq", "now", "t", "t_written", "arrival", "clock_offset", "decode_ns", "gate_ns", "write_ns")
SKIP_S = 0.25
"""Left out at the beginning of each block, s: the inlet has just been opened."""


def _recipe(channels: int, rate_hz: float, chunk_s: float, port: int, folder: Path) -> dict[str, Any]:
    band = [15.0, 200.0] if rate_hz <= 2000 else [300.0, 3000.0]
    return {
        "session": {"name": "bench-latency", "seed": 0},
        "sources": [{"use": "lsl", "name": "bench", "unit": "µV", "n_channels": channels, "primary": True}],
        "stages": [
            {
                "use": "band-power",
                "low_hz": band[0],
                "high_hz": band[1],
                "window_s": 0.05,
                "every_s": chunk_s,
                "log": False,
            }
        ],
        "decoder": {"use": "kalman", "states": "position-velocity", "form": "information", "n_dims": 3},
        "task": {"use": "centre-out"},
        "gate": {"workspace_mm": [300, 300, 300]},
        "device": {"use": "udp", "port": port, "n_dims": 3},
        "record": {"dir": str(folder / "out")},
    }


def _instrument(cfg: dict[str, Any], priority: int) -> None:
    """Schedule sender and receiver as another machine would be: prompt, and not on the lane's processor."""
    keep_off(None if cfg["pin"] else -1)
    real_time(-1, cfg["fifo"], priority)


def sender(folder: Path, cfg: dict[str, Any]) -> None:
    """Push noise at the stream's rate until QUIT; each push is stamped with the moment before it leaves."""
    _instrument(cfg, 20)
    control, clock = Control.open(folder / CONTROL_FILE), LSLClock()
    n = max(1, round(cfg["rate_hz"] * cfg["chunk_s"]))
    spec = StreamSpec(
        name="bench", n_channels=cfg["channels"], rate_hz=cfg["rate_hz"], unit="µV", source_id=f"bench-{os.getpid()}"
    )
    noise = _noise(32, n, cfg["channels"])
    late = 0
    with Outlet(spec, samples_per_push=n) as outlet:
        gc.freeze()
        gc.disable()
        t, k = clock.now(), 0
        while not control.get(Word.QUIT):
            t += cfg["chunk_s"]
            clock.sleep_until(t)
            now = clock.now()
            late += now - t > cfg["chunk_s"]
            if now - t > 0.05:
                t = now
            outlet.push(noise[k & 31], clock.now())
            k += 1
            control.set(Word.WORLD_SAMPLES, outlet.n_pushed)
    control.set(Word.WORLD_OVERRUNS, late)


def receiver(folder: Path, cfg: dict[str, Any]) -> None:
    """Stamp every datagram at its arrival; keep all until QUIT."""
    _instrument(cfg, 30)
    control, clock = Control.open(folder / CONTROL_FILE), LSLClock()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        s.settimeout(0.2)
        (folder / "port").write_text(str(s.getsockname()[1]))
        kept: list[tuple[float, bytes]] = []
        buffer = bytearray(256)
        clock.now()
        gc.freeze()
        gc.disable()
        while not control.get(Word.QUIT):
            try:
                s.recv_into(buffer)
            except TimeoutError:
                continue
            kept.append((clock.now(), bytes(buffer[:32])))
    rows = [(*struct.unpack("<4sIqdd", b), t) for t, b in kept]
    np.savez(
        folder / "received.npz",
        floor=np.array([r[0] == b"FLOR" for r in rows]),
        seq=np.array([r[2] for r in rows]), t=np.array([r[3] for r in rows]), received=np.array([r[5] for r in rows]),
    )  # fmt: skip


def _noise(n_pushes: int, n: int, channels: int) -> AnyArray:
    """Return pushes of noise, (n_pushes, n, channels) float32, 20 µV."""
    return np.random.default_rng(0).standard_normal((n_pushes, n, channels)).astype(np.float32) * 20


def _fit(line: Line, spec: StreamSpec, dt_s: float) -> None:
    """Fit the decoder to features of the noise it will get and slow random movements: a plausible load."""
    line.pipeline.meet((spec,))
    pushes, rows = _noise(1500, spec.max_samples, spec.n_channels), []
    for k, data in enumerate(pushes):
        chunk = Chunk(data, np.full(len(data), k * dt_s), k * dt_s, k * len(data))
        out = line.pipeline.run_stages(0, chunk)
        if out is not None:
            rows.append(np.array(out.data[-1], np.float64))
    walk = np.cumsum(np.random.default_rng(1).standard_normal((len(rows), 3)), 0)
    line.pipeline.decoder.fit(np.array(rows), walk - walk.mean(0), dt_s=dt_s)


def lane(folder: Path, cfg: dict[str, Any]) -> None:
    """Alternate floor and pipeline blocks in the live thread."""
    scheduling = real_time(None if cfg["pin"] else -1, cfg["fifo"])
    control, clock = Control.open(folder / CONTROL_FILE), LSLClock()
    recipe = build(read(folder / "recipe.json"), "bench")
    line = make_line(recipe)
    source = recipe.sources[0]
    source.open()
    recipe.device.open()
    _fit(line, source.spec, cfg["chunk_s"])
    bind_line(recipe, line, (source.spec,))
    journal = Journal(folder, line, ring_s=recipe.record.ring_s, learns=False)
    live = Lane(line, [source], clock, control, journal)
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.connect(("127.0.0.1", cfg["port"]))
    source.close()
    control.set(Word.LANE_STATE, LaneState.READY)
    while not control.get(Word.ARM):
        time.sleep(0.01)
    recipe.device.arm()
    journal.parameters()
    gc.collect()
    gc.freeze()
    gc.disable()
    counts: dict[str, Any] = {"scheduling": scheduling, "read": 0, "lost": 0, "floor_pushes": 0, "loss_is_exact": True}
    for _ in range(max(1, round(cfg["seconds"] / (2 * BLOCK_S)))):
        counts["floor_pushes"] += _floor_block(link, source.name, clock, None if cfg["quiet_floor"] else journal)
        source.open()
        t_end = clock.now() + BLOCK_S + SKIP_S
        while clock.now() < t_end:
            live.once()
        counts["read"] += source.n_read
        counts["lost"] += source.n_lost
        counts["loss_is_exact"] = counts["loss_is_exact"] and not source.loss_is_estimate
        source.close()
    recipe.device.stop("the benchmark ended")
    (folder / "lane.json").write_text(json.dumps(counts))
    control.set(Word.LANE_STATE, LaneState.DONE)


def _floor_block(link: socket.socket, name: str, clock: LSLClock, journal: Journal | None) -> int:
    """Pull one push from a bare inlet, send one datagram; then give recorder and telemetry their usual work."""
    with BareInlet(name) as inlet:
        t_end, k = clock.now() + BLOCK_S + SKIP_S, 0
        idle = None if journal is None else journal.idle_step()
        while clock.now() < t_end:
            stamp = inlet.pull(0.1)
            if stamp:
                link.send(FLOOR.pack(b"FLOR", 3, k, stamp, 0.0, 0, 0, 0.0, 0.0, 0.0))
                k += 1
                if journal is not None and idle is not None:
                    n = len(inlet.data)
                    journal.samples[0].write(Chunk(inlet.data, np.full(n, stamp), stamp, k * n))
                    journal.steps.write(idle)
    return k


def bench_latency(
    *, channels: int, rate_hz: float, chunk_s: float, seconds: float, fifo: bool = True, pin: bool = True,
    quiet_floor: bool = False,
) -> dict[str, Any]:
    """Measure the live lane against the floor.

    Parameters
    ----------
    channels, rate_hz, chunk_s
        The stream: ``rate_hz * chunk_s`` samples a push.
    seconds : float
        Measured time of floor and pipeline together.
    fifo, pin : bool
        Ask for SCHED_FIFO; give the lane a processor of its own.
    quiet_floor : bool
        Let recorder and telemetry idle beside the floor.

    Returns
    -------
    dict
        ``floor`` and ``pipeline`` (µs: p50, p99, p99.9, max, n), ``ratio``, ``counts``, ``scheduling``.
    """
    cfg = {"channels": channels, "rate_hz": rate_hz, "chunk_s": chunk_s, "seconds": seconds, "fifo": fifo, "pin": pin,
           "quiet_floor": quiet_floor}  # fmt: skip
    shm = Path("/dev/shm")  # noqa: S108 - memory, not a temporary file
    with (
        tempfile.TemporaryDirectory(prefix="bmi-bench-", dir=shm if shm.is_dir() else None) as name,
        tempfile.TemporaryDirectory(prefix="bmi-bench-") as disk,
    ):
        return _run(Path(name), Path(disk), cfg)


def _run(folder: Path, disk: Path, cfg: dict[str, Any]) -> dict[str, Any]:
    control = Control.create(folder / CONTROL_FILE)
    control.set(Word.SERVICE_PID, os.getpid())
    env = {**os.environ, **private_lsl_config(folder), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

    def spawn(*args: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", *args], env=env, start_new_session=True)

    processes = []
    try:
        (folder / "cfg.json").write_text(json.dumps(cfg))
        processes.append(spawn("bmi.bench.latency", "receiver", str(folder)))
        port = folder / "port"
        _wait(lambda: port.exists() and bool(port.read_text()), processes)
        cfg["port"] = int(port.read_text())
        (folder / "cfg.json").write_text(json.dumps(cfg))
        raw = _recipe(cfg["channels"], cfg["rate_hz"], cfg["chunk_s"], cfg["port"], folder)
        (folder / "recipe.json").write_text(json.dumps(raw))
        (folder / "out.txt").write_text(str(disk / "out"))
        processes.append(spawn("bmi.bench.latency", "sender", str(folder)))
        processes.append(spawn("bmi.bench.latency", "lane", str(folder)))
        _wait(lambda: control.get(Word.LANE_STATE) == LaneState.READY, processes)
        processes.append(spawn("bmi.process", "record", str(folder)))
        _wait(lambda: control.get(Word.RECORDER_STATE) > 0, processes)
        steps, dropped = _telemetry(folder, control, processes)
        control.set(Word.QUIT, 1)
        for p in processes:
            p.wait(30)
        return _figures(folder, cfg, steps, control, dropped)
    finally:
        control.set(Word.QUIT, 1)
        for p in processes:
            if p.poll() is None:
                p.kill()
            p.wait()


def _wait(ready: Any, processes: list[subprocess.Popen[bytes]]) -> None:
    t_end = time.monotonic() + 120
    while not ready():
        for p in processes:
            if p.poll():
                raise BMIError(f"a process of the benchmark ended with {p.returncode}: {p.args!r}")
        if time.monotonic() > t_end:
            raise BMIError("the benchmark's processes are not ready after 120 s")
        time.sleep(0.05)


def _telemetry(folder: Path, control: Control, processes: list[subprocess.Popen[bytes]]) -> tuple[AnyArray, int]:
    """Do what the service does: read the journal 20 times a second and compute the picture."""
    reader, telemetry = Ring.open(folder / "steps.ring").reader("oldest"), TelemetryReader()
    kept = []
    control.set(Word.ARM, 1)
    while control.get(Word.LANE_STATE) != LaneState.DONE:
        rows = reader.read()
        telemetry.update(rows, {}, [])
        kept.append(rows[list(KEPT)])
        if processes[2].poll():
            raise BMIError(f"the lane ended with {processes[2].returncode}")
        time.sleep(0.05)
    return np.concatenate(kept), reader.dropped


def _figures(folder: Path, cfg: dict[str, Any], steps: AnyArray, control: Control, dropped: int) -> dict[str, Any]:
    got = np.load(folder / "received.npz", allow_pickle=False)
    counts = json.loads((folder / "lane.json").read_text())
    floor, seq = got["floor"], got["seq"]
    commands = steps[steps["command_seq"] >= 0]
    offset = dict(zip(commands["command_seq"].tolist(), commands["clock_offset"][:, 0].tolist(), strict=True))
    raw = got["t"] - np.array([0.0 if f else offset.get(int(s), np.nan) for f, s in zip(floor, seq, strict=True)])
    latency = (got["received"] - raw) * 1e6
    settled = _settled(got["received"], floor)
    sides = {
        "floor": latency[floor & settled],
        "pipeline": latency[~floor & settled & np.isfinite(latency) & (got["t"] > 0)],
    }
    result: dict[str, Any] = {
        "channels": cfg["channels"], "rate_hz": cfg["rate_hz"],
        "samples_per_push": round(cfg["rate_hz"] * cfg["chunk_s"]), "unit": "µs",
        "scheduling": counts.pop("scheduling"),
    }  # fmt: skip
    result |= {k: _percentiles(v) for k, v in sides.items()}
    result["parts"] = _parts(commands)
    result["ratio"] = {k: result["pipeline"][k] / result["floor"][k] for k in ("p50", "p99", "p99.9", "max")}
    result["counts"] = counts | {
        "commands": len(commands), "datagrams": len(seq), "sender_late": control.get(Word.WORLD_OVERRUNS),
        "recorder_bytes": control.get(Word.RECORDER_BYTES), "recorder_dropped": control.get(Word.RECORDER_DROPPED),
        "telemetry_dropped": dropped,
    }  # fmt: skip
    return result


def _parts(c: AnyArray) -> dict[str, dict[str, float]]:
    """Where the pipeline's time goes, µs: LSL hop, taking the chunk in, decoding, gate, write, what is between."""
    stamp, arrival = c["t"] - c["clock_offset"][:, 0], c["arrival"][:, 0]
    own = {k: c[f"{k}_ns"] / 1e3 for k in ("decode", "gate", "write")}
    parts = {"hop": (arrival - stamp) * 1e6, "take": (c["now"] - arrival) * 1e6, **own}
    parts["between"] = (c["t_written"] - c["now"]) * 1e6 - sum(own.values())
    return {k: _percentiles(v) for k, v in parts.items()}


def _settled(received: AnyArray, floor: AnyArray) -> AnyArray:
    """Leave out the beginning of each block."""
    edges = np.flatnonzero(np.diff(floor.astype(int), prepend=2))
    ok = np.ones(len(floor), bool)
    for a in edges:
        ok &= ~((np.arange(len(floor)) >= a) & (received < received[a] + SKIP_S) & (received >= received[a]))
    return ok


def _percentiles(x: AnyArray) -> dict[str, float]:
    p50, p99, p999 = np.percentile(x, [50, 99, 99.9])
    return {"p50": float(p50), "p99": float(p99), "p99.9": float(p999), "max": float(x.max()), "n": len(x)}


if __name__ == "__main__":
    where = Path(sys.argv[2])
    settings = json.loads((where / "cfg.json").read_text())
    {"sender": sender, "receiver": receiver, "lane": lane}[sys.argv[1]](where, settings)
