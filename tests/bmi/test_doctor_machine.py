"""The doctor on disks, memory, caches and clocks: full, read-only, small, cold and slow ones are told as such."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from doctor_rig import doctor, unshared

from bmi.doctor import State, storage, timing
from bmi.doctor.kernels import kernel_files, kernels
from bmi.doctor.sessions import sessions
from bmi.doctor.software import metadata_of, repeatable, versions
from bmi.part import PartWriter
from bmi.provenance import cpu
from bmi.provenance import versions as installed

# --- disk and memory ----------------------------------------------------------------------------------------


def on_a_disk(tmp_path, size, then="true"):
    """Findings on a file system of its own of a given size, made and gone with the child."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = f"mount -t tmpfs -o size={size} tmpfs {place} && {then.format(place=place)}"
    found, code = doctor("disk", before=unshared("-m"), script=mount, folder=place / "recordings")
    return found["disk"], code, place


def test_a_full_disk_is_named_with_what_to_do(tmp_path):
    fill = "(dd if=/dev/zero of={place}/old-recording bs=1M count=9 2>/dev/null || true)"
    disk, code, place = on_a_disk(tmp_path, "8m", fill)
    assert (disk["state"], code) == ("fail", 3)
    assert disk["found"].startswith(f"the disk is full, or nearly: 0 MB free in {place}: 0 min of 256 channels at")
    assert disk["fix"].startswith(f"make room in {place}, or record elsewhere: record.dir in the recipe, --out")


def test_a_disk_without_room_for_another_file_is_full_too(tmp_path):
    disk, code, place = on_a_disk(tmp_path, "1g,nr_inodes=1")
    assert (disk["state"], code) == ("fail", 3)
    assert disk["found"] == f"the disk is full: no file can be made in {place}"


def test_a_disk_that_cannot_be_written_is_named_with_what_to_do(tmp_path):
    disk, code, place = on_a_disk(tmp_path, "4g", "mount -o remount,ro {place}")
    assert (disk["state"], code) == ("fail", 3)
    assert disk["found"] == f"{place} cannot be written: Read-only file system"
    assert "remount,rw" in disk["fix"]


def test_minutes_left_are_those_of_the_room_there_is(tmp_path):
    disk, code, _ = on_a_disk(tmp_path, "500m")
    assert (disk["state"], code) == ("warn", 0)
    free_b = 500 * 2**20
    minutes = {"256ch_30kHz": free_b / (256 * 30_000 * 4) / 60, "256ch_1kHz": free_b / (256 * 1_000 * 4) / 60}
    assert disk["figures"]["minutes_left"] == pytest.approx(minutes, abs=0.06)
    assert disk["figures"]["mb_s"] > 10


def test_what_is_written_to_measure_is_taken_away_again(tmp_path):
    before = os.statvfs(tmp_path).f_bavail
    finding = storage.disk(tmp_path / "not" / "yet" / "there")
    assert finding.figures["folder"] == str(tmp_path)
    assert finding.figures["n_mib"] >= 1
    assert list(tmp_path.iterdir()) == []
    assert finding.state != State.FAIL or before < 2**18


def test_little_memory_for_rings_is_named(tmp_path):
    found, code = doctor(
        "memory", before=unshared("-m"), script="mount -t tmpfs -o size=16m tmpfs /dev/shm", folder=tmp_path
    )
    assert (found["memory"]["state"], code) == ("fail", 3)
    assert "16.8 MB of 16.8 MB free in /dev/shm" in found["memory"]["found"]
    assert "--shm-size=1g" in found["memory"]["fix"]
    assert storage.memory(tmp_path / "none").state == State.WARN


# --- kernels ------------------------------------------------------------------------------------------------

KERNEL = """\
from numba import njit


@njit(cache=True)
def twice(x):
    return 2 * x


@njit(cache=True)
def thrice(x):
    return 3 * x
"""


def call(folder, what, **env):
    """Call kernels as numba itself does, in a process of its own; return what it wrote on standard error."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); import _a_kernels as k; {what}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **env})
    return done.stderr


def test_what_numba_has_compiled_is_seen_and_a_changed_source_is_not_taken_for_it(tmp_path):
    file = tmp_path / "_a_kernels.py"
    file.write_text(KERNEL)
    cold = kernels([file])
    assert (cold.state, cold.figures["n_compiled"], cold.figures["n_kernels"]) == (State.WARN, 0, 2)
    assert "bmi check RECIPE" in cold.fix
    assert call(tmp_path, "k.twice(1)") == ""
    warm = kernels([file])
    assert (warm.state, warm.figures["n_compiled"]) == (State.OK, 1)
    assert warm.figures["cold"] == {f"{tmp_path.name}/_a_kernels": 1}
    file.write_text(KERNEL.replace("2 * x", "4 * x"))
    assert kernels([file]).figures["n_compiled"] == 0


def test_kernels_that_cannot_be_kept_are_named_where_numba_itself_gives_up(tmp_path, monkeypatch):
    file, obstacle = tmp_path / "_a_kernels.py", tmp_path / "file"
    file.write_text(KERNEL)
    obstacle.touch()
    (tmp_path / "__pycache__").touch()  # a file where the folder should be stops even an administrator
    monkeypatch.setenv("XDG_CACHE_HOME", str(obstacle))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    finding = kernels([file])
    assert finding.state == State.FAIL
    assert "export NUMBA_CACHE_DIR=" in finding.fix
    assert "cannot cache function" in call(tmp_path, "k.twice(1)")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kept"))
    assert call(tmp_path, "k.twice(1)") == ""
    assert kernels([file]).figures["n_compiled"] == 1


def test_the_kernels_of_everything_registered_are_looked_at():
    found = {f"{f.parent.name}/{f.name}" for f in kernel_files()}
    assert {"bmi/_gate_kernels.py", "decoders/_kalman_kernels.py", "sim/_population_kernels.py"} <= found


# --- software, sessions, time -------------------------------------------------------------------------------


def test_versions_name_what_a_result_rests_on():
    finding = versions()
    assert finding.state == State.OK
    for word in ("python 3.", "numpy ", "numba ", "liblsl 1.", "kernel "):
        assert word in finding.found


def record(folder, **metadata):
    folder.mkdir(parents=True)
    part = PartWriter(folder / "part-000.mcap", metadata)
    part.write_rows("/x", 0, np.zeros(3, [("t", "f8")]), {})
    part.finish()
    return folder / "part-000.mcap"


def test_a_recording_of_this_machine_repeats_and_another_is_compared_with_it(tmp_path):
    assert repeatable(tmp_path).state == State.OK
    part = record(tmp_path / "a", versions=installed(), machine=cpu())
    assert metadata_of(part) == {"versions": installed(), "machine": cpu()}
    assert repeatable(tmp_path).found == "processor and versions are those of a: it repeats bit by bit"
    newer = record(tmp_path / "b", versions={**installed(), "numba": "0.1"}, machine=cpu())
    os.utime(newer, (time.time() + 9, time.time() + 9))
    finding = repeatable(tmp_path)
    assert finding.state == State.WARN
    assert finding.found == f"b was made with numba 0.1 (here {installed()['numba']})"
    newer.write_bytes(newer.read_bytes()[:40])
    assert repeatable(tmp_path).state == State.OK, "a torn recording says nothing and stops nobody"


def test_another_session_and_what_a_killed_one_left_are_named(tmp_path):
    rings, left = tmp_path / "rings", tmp_path / "rings" / "bmi-left"
    left.mkdir(parents=True)
    (left / "control").write_bytes(bytes(2_000_000))
    os.utime(left, (time.time() - 3600, time.time() - 3600))
    waits = "print(flush=True); input()"
    command = [sys.executable, "-c", waits, "-m", "bmi.process", "lane", str(rings / "bmi-alive")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as lane:
        lane.stdout.readline()
        found = sessions(rings)
        lane.communicate(b"\n")
    assert found.state == State.WARN
    assert f"bmi.process lane ({lane.pid})" in found.figures["processes"]
    assert (found.figures["left_behind"], found.figures["left_behind_mb"]) == ([str(left)], 2.0)
    assert f"rm -r {left}" in found.fix


def test_the_clock_is_fine_and_strays_less_than_a_millisecond():
    finding = timing.clock(0.05)
    assert finding.state != State.FAIL
    assert 0 < finding.figures["resolution_ns"] < 1e6
    assert abs(finding.figures["drift_us"]) < 1000
    assert finding.figures["backwards"] is False


def test_lateness_is_measured_and_a_late_machine_is_told(monkeypatch):
    finding = timing.jitter(0.1)
    ordinary = finding.figures["ordinary"]
    assert 0 <= ordinary["p50_ms"] <= ordinary["p99_ms"] <= ordinary["max_ms"]
    assert 1 <= ordinary["n"] <= 100
    monkeypatch.setattr(timing, "_LATE_MS", 0.0)
    assert timing.jitter(0.05).state == State.WARN


def test_a_governor_that_saves_power_is_named(tmp_path):
    for k, name in enumerate(("performance", "powersave")):
        folder = tmp_path / f"cpu{k}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(f"{name}\n")
    (tmp_path / "intel_pstate").mkdir()
    (tmp_path / "intel_pstate" / "no_turbo").write_text("0\n")
    finding = timing.governor(tmp_path)
    assert (finding.state, finding.found) == (State.WARN, "governor performance, powersave, turbo on")
    assert "cpupower frequency-set -g performance" in finding.fix
    assert timing.governor(tmp_path / "none").state == State.OK
