"""Machines that lack something, really: other networks, full disks, fewer rights; and the doctor run on them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

BMI = str(Path(sys.executable).with_name("bmi"))
ROOT = Path(__file__).parents[1]


@cache
def may(*command: str) -> str:
    """Return an empty string if a command runs here, else why not."""
    if shutil.which(command[0]) is None:
        return f"there is no {command[0]} on this machine"
    done = subprocess.run(command, capture_output=True, text=True)
    return "" if done.returncode == 0 else f"{shlex.join(command)}: {done.stderr.strip() or done.returncode}"


def unshared(flag: str) -> tuple[str, ...]:
    """Return the command that gives a child namespaces of its own; skips the test where none may be made."""
    wanted = ("unshare", *(() if os.geteuid() == 0 else ("-r",)), flag)
    if reason := may(*wanted, "true"):
        pytest.skip(f"no namespace can be made here: {reason}")
    return wanted


def lsl_config(folder: Path, text: str) -> dict[str, str]:
    """Write an LSL configuration that logs nothing and is in force for whoever gets this environment."""
    path = folder / "lsl_api.cfg"
    path.write_text(text + "\n[log]\nlevel = -3\n", encoding="utf-8")
    return {"LSLAPICFG": str(path)}


def doctor(
    *checks: str, before: tuple[str, ...] = (), script: str = "", env: dict[str, str] | None = None, folder: Path
) -> tuple[dict[str, dict[str, Any]], int]:
    """Run ``bmi doctor CHECKS --json``, after ``before`` and a shell ``script``; return findings and exit code."""
    command: tuple[str, ...] = (BMI, "doctor", *checks, "--json", "--dir", str(folder))
    if script:
        command = ("sh", "-c", f"{script} && exec {shlex.join(command)}")
    done = subprocess.run(
        [*before, *command], capture_output=True, text=True, cwd=ROOT, env={**os.environ, **(env or {})}, timeout=60
    )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    return {f["check"]: f for f in report["checks"]}, done.returncode
