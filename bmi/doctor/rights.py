"""Rights: may the live lane have SCHED_FIFO, and a processor of its own?"""

from __future__ import annotations

import math
import os
import resource
import sys
import threading
from pathlib import Path

from bmi.doctor.finding import Finding, State

_CAP_SYS_NICE = 23
_PRIORITY = 10  # what the lane asks for


def fifo() -> Finding:
    """Ask for SCHED_FIFO as the lane does, in a thread that ends at once."""
    refusal: list[OSError] = []

    def ask() -> None:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
        except OSError as e:
            refusal.append(e)

    thread = threading.Thread(target=ask, name="bmi-doctor-fifo")
    thread.start()
    thread.join()
    limit = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
    capable = _capable(_CAP_SYS_NICE)
    figures = {"permitted": not refusal, "rlimit_rtprio": limit, "cap_sys_nice": capable}
    if not refusal:
        why = "CAP_SYS_NICE" if capable else f"a limit of {limit}"
        found = f"SCHED_FIFO {_PRIORITY} is permitted ({why})"
        return Finding(check="fifo", state=State.OK, found=found, figures=figures)
    found = f"SCHED_FIFO is refused ({refusal[0].strerror}): the lane's timing is best effort"
    if capable or limit == resource.RLIM_INFINITY or limit >= _PRIORITY:
        fix = "the right is there, but a control group has no real-time budget: give it one (cpu.rt_runtime_us)"
    else:
        fix = (
            f"the limit is {limit}: write '@realtime - rtprio 50' to /etc/security/limits.d/99-bmi.conf, run "
            "groupadd -f realtime && usermod -aG realtime $USER and log in again; or once, for this Python: "
            f"setcap cap_sys_nice=ep {os.path.realpath(sys.executable)}; in a container: --cap-add SYS_NICE"
        )
    return Finding(check="fifo", state=State.WARN, found=found, fix=fix, figures=figures)


def processors() -> Finding:
    """Count the processors this program may use, and those kept free for such as the lane."""
    allowed = sorted(os.sched_getaffinity(0))
    isolated = _text("/sys/devices/system/cpu/isolated")
    quota = _quota()
    n = os.cpu_count() or len(allowed)
    figures = {"n_cpus": n, "allowed": allowed, "isolated": isolated, "quota_cpus": quota}
    found = f"{len(allowed)} of {n} processors may be used"
    found += f", {isolated} isolated" if isolated else ", none isolated"
    if quota is not None and quota < len(allowed):
        found += f"; a control group stops this program beyond {quota:g} processors' time"
        fix = "lift the quota (docker --cpus, systemd CPUQuota): whoever used it up sleeps for the rest of 100 ms"
        return Finding(check="processors", state=State.WARN, found=found, fix=fix, figures=figures)
    if len(allowed) < 2:
        fix = "give it a second processor (taskset, cpuset, virtual machine): now the lane shares one with everything"
        return Finding(check="processors", state=State.WARN, found=found, fix=fix, figures=figures)
    if not isolated:
        last = allowed[-1]
        found += f"; for less jitter boot with isolcpus={last} nohz_full={last} and set lane.cpu: {last} in the recipe"
    return Finding(check="processors", state=State.OK, found=found, figures=figures)


def _capable(number: int) -> bool:
    for line in _text("/proc/self/status").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def _quota() -> float | None:
    """Return how many processors' time the control group grants, None if it does not limit it."""
    group = next((g.split(":", 2)[2] for g in _text("/proc/self/cgroup").splitlines() if g.startswith("0::")), "/")
    for folder in (f"/sys/fs/cgroup{group}", "/sys/fs/cgroup"):
        words = _text(f"{folder}/cpu.max").split()
        if len(words) == 2 and words[0] != "max":
            return int(words[0]) / int(words[1])
    quota, period = _text("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), _text("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
    granted = int(quota) / int(period) if quota and period else -1.0
    return granted if granted > 0 and math.isfinite(granted) else None


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
