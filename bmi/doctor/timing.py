"""Time: does the clock LSL reads run evenly and finely, and how late does this machine wake a sleeper?"""

from __future__ import annotations

import ctypes
import os
import platform
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from bmi.doctor.finding import Finding, State

_SLOW_SOURCES = ("hpet", "acpi_pm", "jiffies", "refined-jiffies")
_UNSYNCHRONISED, _STA_UNSYNC = 5, 0x40  # adjtimex(2)
_LATE_MS, _VERY_LATE_MS = 1.0, 20.0
_NAP_S = 1e-3


def clock(seconds: float = 0.2) -> Finding:
    """Compare LSL's clock with the system's monotonic one, and ask whether the time of day is kept."""
    from bmi.clock import LSLClock

    now, pairs, steps = LSLClock().now, [], set()
    end = time.monotonic() + seconds
    while (t := time.monotonic()) < end:
        a, b = now(), now()
        pairs.append((t, a))
        steps.add(b - a)
    system, lsl = np.array(pairs).T
    offset = np.median((lsl - system)[-len(system) // 2 :]) - np.median((lsl - system)[: len(system) // 2])
    resolution_ns = 1e9 * min((s for s in steps if s > 0), default=float("nan"))
    backwards = min(steps) < 0
    source = _read("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    kept = _synchronised()
    figures = {
        "resolution_ns": resolution_ns, "drift_us": 1e6 * float(offset), "backwards": backwards,
        "source": source or None, "synchronised": kept,
    }  # fmt: skip
    found = f"LSL's clock can be read every {resolution_ns:.0f} ns, strays {abs(offset) * 1e9:.0f} ns from the kernel's"
    found += f", source {source}" if source else ""
    if backwards or abs(offset) > 1e-3:
        fix = "this machine's clock is not to be trusted: boot with clocksource=tsc or kvm-clock, or use another"
        return Finding(check="clock", state=State.FAIL, found=f"LSL's clock jumps: {found}", fix=fix, figures=figures)
    if source in _SLOW_SOURCES:
        fix = "boot with clocksource=tsc; see dmesg for why the kernel gave it up"
        return Finding(check="clock", state=State.WARN, found=found, fix=fix, figures=figures)
    if kept is False:
        fix = "start a time service: systemctl enable --now systemd-timesyncd, or chronyd"
        found += "; the time of day is not synchronised, so that dates in recordings may be wrong"
        return Finding(check="clock", state=State.WARN, found=found, fix=fix, figures=figures)
    found += {True: "; the time of day is synchronised", None: "; whether the time of day is kept cannot be told"}[kept]
    return Finding(check="clock", state=State.OK, found=found, figures=figures)


def jitter(seconds: float = 1.0) -> Finding:
    """Sleep 1 ms again and again, as an ordinary thread and with SCHED_FIFO, and see how late it wakes."""
    late = {"ordinary": _lateness_ms(seconds, fifo=False), "fifo": _lateness_ms(seconds, fifo=True)}
    figures = {name: _percentiles(values) for name, values in late.items() if values is not None}
    best = figures.get("fifo", figures["ordinary"])
    found = "; ".join(
        f"{'SCHED_FIFO' if name == 'fifo' else 'ordinary'} p50 {f['p50_ms']:.3f} p99 {f['p99_ms']:.3f} "
        f"max {f['max_ms']:.3f} ms late"
        for name, f in figures.items()
    )
    found += "" if "fifo" in figures else "; SCHED_FIFO is not permitted (see: fifo)"
    if best["p99_ms"] <= _LATE_MS and best["max_ms"] <= _VERY_LATE_MS:
        return Finding(check="jitter", state=State.OK, found=f"after 1 ms of sleep: {found}", figures=figures)
    fix = (
        "end what keeps the processors busy (top), permit SCHED_FIFO (see: fifo), keep a processor for the lane "
        "(see: processors); on a virtual machine ask for processors of its own. bmi bench latency shows what it costs"
    )
    return Finding(check="jitter", state=State.WARN, found=f"after 1 ms of sleep: {found}", fix=fix, figures=figures)


def governor(root: Path = Path("/sys/devices/system/cpu")) -> Finding:
    """Read how the processors' frequency is governed, where the machine says so."""
    found = sorted({_read(p) for p in root.glob("cpu[0-9]*/cpufreq/scaling_governor")} - {""})
    no_turbo, boost = _read(root / "intel_pstate/no_turbo"), _read(root / "cpufreq/boost")
    turbo = {"1": "off", "0": "on"}.get(no_turbo) or {"1": "on", "0": "off"}.get(boost, "")
    figures = {"governors": found, "turbo": turbo or None}
    said = f"governor {', '.join(found)}{f', turbo {turbo}' if turbo else ''}"
    if not found:
        said = "not to be read here, as in most virtual machines"
    if not found or found == ["performance"]:
        return Finding(check="governor", state=State.OK, found=said, figures=figures)
    fix = "cpupower frequency-set -g performance; another governor slows down while the lane waits for samples"
    return Finding(check="governor", state=State.WARN, found=said, fix=fix, figures=figures)


def _lateness_ms(seconds: float, fifo: bool) -> np.ndarray[Any, Any] | None:
    """Return how late each nap ended, ms, measured in a thread of its own; None if FIFO is refused."""
    late: list[float] = []
    refused = threading.Event()

    def sleep_on() -> None:
        if fifo:
            try:  # of this thread alone; it is gone with it
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
            except OSError:
                refused.set()
                return
        end = time.perf_counter() + seconds
        while (t := time.perf_counter()) < end:
            time.sleep(_NAP_S)
            late.append(time.perf_counter() - t - _NAP_S)

    thread = threading.Thread(target=sleep_on, name="bmi-doctor-jitter")
    thread.start()
    thread.join()
    return None if refused.is_set() else 1e3 * np.array(late)


def _percentiles(late_ms: np.ndarray[Any, Any]) -> dict[str, float]:
    p50, p99 = np.percentile(late_ms, [50, 99])
    return {"p50_ms": float(p50), "p99_ms": float(p99), "max_ms": float(late_ms.max()), "n": len(late_ms)}


def _synchronised() -> bool | None:
    """Ask the kernel whether something keeps its time of day; None where it does not say."""
    if platform.system() != "Linux" or ctypes.sizeof(ctypes.c_long) != 8:
        return None
    words = (ctypes.c_long * 64)()  # struct timex, 208 bytes of it; modes 0 asks only
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(words))
    status = ctypes.cast(ctypes.byref(words, 40), ctypes.POINTER(ctypes.c_int)).contents.value
    return None if state < 0 else state != _UNSYNCHRONISED and not status & _STA_UNSYNC


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
