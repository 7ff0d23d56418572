"""The doctor on machines that really lack something: it names it, says what to do, and what it says mends it."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from doctor_rig import BMI, doctor, lsl_config, may, unshared

from bmi import doctor as doctors
from bmi.doctor import Finding, State, examine
from bmi.doctor.ports import ports
from bmi.errors import ContractError
from bmi.lsl.settings import LSLSettings, settings_in_force

DEFAULTS = "[lab]\nSessionID = doctor\n"


# --- multicast off ------------------------------------------------------------------------------------------


def test_a_network_without_multicast_is_named_with_the_way_out(tmp_path):
    env = lsl_config(tmp_path, DEFAULTS)
    found, code = doctor("multicast", "discovery", before=unshared("-n"), env=env, folder=tmp_path)
    multicast, discovery = found["multicast"], found["discovery"]
    assert (multicast["state"], discovery["state"], code) == ("fail", "fail", 3)
    assert multicast["found"].startswith("multicast is off: No such device (224.0.0.1 on the default route")
    assert "ip link set dev" in multicast["fix"]
    assert f"in {env['LSLAPICFG']} write, under [lab], KnownPeers = {{127.0.0.1" in multicast["fix"]
    assert "UDP 16571 and UDP and TCP 16572 to 16603" in multicast["fix"]
    assert discovery["found"] == "0 of 2 streams of this machine were found within 2 s"
    assert discovery["fix"] == multicast["fix"]


def test_either_remedy_for_missing_multicast_works(tmp_path):
    up = "ip link set lo up"
    on, code = doctor(
        "multicast", "discovery", before=unshared("-n"), script=f"{up} && ip link set dev lo multicast on",
        env=lsl_config(tmp_path, DEFAULTS), folder=tmp_path,
    )  # fmt: skip
    assert ({f["state"] for f in on.values()}, code) == ({"ok"}, 0)
    assert "are heard on lo" in on["multicast"]["found"]
    peers = lsl_config(tmp_path, f"{DEFAULTS}KnownPeers = {{127.0.0.1}}\n[tuning]\nUnicastMinRTT = 0.2\n")
    known, code = doctor("multicast", "discovery", before=unshared("-n"), script=up, env=peers, folder=tmp_path)
    assert (known["multicast"]["state"], code) == ("warn", 0)
    assert "streams are found only on the known peers 127.0.0.1" in known["multicast"]["found"]
    assert known["discovery"]["figures"]["n_found"] == 2


def test_a_configuration_without_a_group_is_named(tmp_path):
    env = lsl_config(tmp_path, "[multicast]\nAddressesOverride = {127.0.0.1}\n")
    found, code = doctor("multicast", env=env, folder=tmp_path)
    assert (found["multicast"]["state"], code) == ("fail", 3)
    assert found["multicast"]["found"] == "multicast is off: the configuration names no group"


def test_a_configuration_that_is_not_used_is_named(tmp_path):
    path = tmp_path / "lsl_api.cfg"
    path.write_text("[ports]\nBasePort\n", encoding="utf-8")
    settings = settings_in_force({"LSLAPICFG": str(path), "HOME": str(tmp_path)})
    assert settings.problem == f"{path}: line 2 is not KEY = VALUE: 'BasePort'; liblsl does not use it"
    assert settings.base_port == 16572
    missing = settings_in_force({"LSLAPICFG": str(tmp_path / "none"), "HOME": str(tmp_path)})
    assert missing.problem.startswith(f"LSLAPICFG names {tmp_path / 'none'}, which cannot be read")


# --- a busy port --------------------------------------------------------------------------------------------


@pytest.fixture
def settings():
    """Settings whose 4 ports nobody uses: below the ephemeral range, found by asking."""
    for base in range(27000, 32000, 16):
        if ports(found := LSLSettings(multicast_port=base, base_port=base + 1, port_range=4)).state == State.OK:
            return found
    raise AssertionError("no five neighbouring ports are free")


def held(kind, port, share=False):
    s = socket.socket(socket.AF_INET, kind)
    if share:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("", port))
    if kind == socket.SOCK_STREAM:
        s.listen()
    return s


def test_the_port_for_questions_held_by_another_is_named_with_its_holder(tmp_path, settings):
    text = f"[ports]\nMulticastPort = {settings.multicast_port}\nBasePort = {settings.base_port}\nPortRange = 4\n"
    code = f"import socket, sys; s = socket.socket(2, 2); s.bind(('', {settings.multicast_port})); print(1, flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}; sys.stdin.read()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"1\n"
        found, exit_code = doctor("ports", env=lsl_config(tmp_path, text), folder=tmp_path)
        holder.stdin.close()
    assert (found["ports"]["state"], exit_code) == ("fail", 3)
    said = f"UDP {settings.multicast_port}, where LSL asks who is there, is held by a program that does not share it"
    assert found["ports"]["found"].startswith(said)
    assert re.search(rf"held by .* \({holder.pid}\)\)", found["ports"]["found"])
    assert "MulticastPort, BasePort and PortRange" in found["ports"]["fix"]
    assert "ss -lunpt" in found["ports"]["fix"]


def test_liblsl_itself_finds_no_stream_there(tmp_path, settings):
    """What the check says is so: with the port held, the questions of liblsl are not heard."""
    text = f"[ports]\nMulticastPort = {settings.multicast_port}\nBasePort = {settings.base_port}\n"
    with held(socket.SOCK_DGRAM, settings.multicast_port):
        found, _ = doctor("discovery", env=lsl_config(tmp_path, text), folder=tmp_path)
    assert found["discovery"]["state"] != "ok"


def test_a_port_for_questions_that_is_shared_is_no_trouble(settings):
    with held(socket.SOCK_DGRAM, settings.multicast_port, share=True):
        assert ports(settings).state == State.OK


@pytest.mark.parametrize(("kind", "word"), [(socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")])
def test_a_range_without_a_free_port_is_named(settings, kind, word):
    with contextlib.ExitStack() as stack:
        for port in settings.ports:
            assert ports(settings).state != State.FAIL
            stack.enter_context(held(kind, port))
        finding = ports(settings)
    assert finding.state == State.FAIL
    assert finding.found.startswith(f"no {word} port from {settings.ports[0]} to {settings.ports[-1]} is free")
    assert f"({os.getpid()})" in finding.found
    assert "BasePort" in finding.fix


# --- rights -------------------------------------------------------------------------------------------------

NOT_NICE = ("setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice") if os.geteuid() == 0 else ()
NO_RIGHTS = ("prlimit", "--rtprio=0:0", *NOT_NICE)


def test_missing_rights_for_fifo_are_named_with_what_grants_them(tmp_path):
    if reason := may(*NO_RIGHTS, "true"):
        pytest.skip(f"rights cannot be dropped here: {reason}")
    found, code = doctor("fifo", "jitter", before=NO_RIGHTS, folder=tmp_path)
    assert (found["fifo"]["state"], code) == ("warn", 0)
    assert found["fifo"]["found"].startswith("SCHED_FIFO is refused (Operation not permitted)")
    for remedy in ("@realtime - rtprio 50", "limits.d", "setcap cap_sys_nice=ep", "the limit is 0"):
        assert remedy in found["fifo"]["fix"]
    assert "SCHED_FIFO is not permitted (see: fifo)" in found["jitter"]["found"]
    assert list(found["jitter"]["figures"]) == ["ordinary"]


def test_a_limit_is_enough_for_fifo(tmp_path):
    grant = ("prlimit", "--rtprio=50:50")
    if reason := may(*grant, "true"):
        pytest.skip(f"rights cannot be granted here: {reason}")
    found, code = doctor("fifo", before=(*grant, *NOT_NICE), folder=tmp_path)
    assert (found["fifo"]["state"], code) == ("ok", 0)
    assert found["fifo"]["found"] == "SCHED_FIFO 10 is permitted (a limit of 50)"


def test_a_single_processor_is_named(tmp_path):
    if reason := may("taskset", "-c", "0", "true"):
        pytest.skip(reason)
    found, _ = doctor("processors", before=("taskset", "-c", "0"), folder=tmp_path)
    assert found["processors"]["state"] == "warn"
    assert found["processors"]["found"].startswith("1 of ")


# --- the whole ----------------------------------------------------------------------------------------------


def test_the_whole_examination_takes_less_than_ten_seconds_and_names_every_check(tmp_path):
    done = subprocess.run([BMI, "doctor", "--dir", str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 3), done.stderr
    rows = [line.split()[:3] for line in done.stdout.splitlines() if re.match(r"[✓!✗] (ok|warn|fail) ", line)]
    assert [name for _, _, name in rows] == list(doctors.CHECKS)
    assert all({"✓": "ok", "!": "warn", "✗": "fail"}[mark] == state for mark, state, _ in rows), "not by colour alone"
    assert (done.returncode == 3) == any(state == "fail" for _, state, _ in rows)
    seconds = re.search(r"failed; ([\d.]+) s", done.stdout)
    assert seconds
    assert float(seconds[1]) < 10.0


def test_every_finding_that_is_not_well_says_what_to_do(tmp_path):
    named = []
    quick = [name for name in doctors.CHECKS if name not in ("jitter", "discovery")]
    findings = examine(tmp_path, quick, named.append)
    assert [f.check for f in findings] == named == quick
    for finding in findings:
        assert isinstance(finding, Finding)
        assert finding.found
        assert bool(finding.fix) or finding.state == State.OK


def test_a_check_that_does_not_exist_is_named_with_the_nearest():
    with pytest.raises(ContractError, match=r"no check is called 'disks'; did you mean 'disk'\?"):
        examine(Path(), ["disks"])
    done = subprocess.run([BMI, "doctor", "disks"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_the_settings_in_force_are_those_liblsl_reads(tmp_path):
    text = textwrap.dedent("""\
        ; a comment
        [ports]
        MulticastPort = 1000
        BasePort=1001
        PortRange = 3
        IPv6 = disabled
        [multicast]
        ResolveScope = link
        LinkAddresses = {224.0.0.7, FF02::1}
        [lab]
        KnownPeers = {a, b}
        """)
    env = lsl_config(tmp_path, text)
    found = settings_in_force(env)
    assert (found.file, found.multicast_port, found.ipv6) == (env["LSLAPICFG"], 1000, False)
    assert found.ports == range(1001, 1004)
    assert (found.scope, found.ttl, found.addresses) == ("link", 1, ("127.0.0.1", "224.0.0.7"))
    assert (found.groups, found.known_peers, found.session_id) == (("224.0.0.7",), ("a", "b"), "default")
    assert settings_in_force({"HOME": str(tmp_path)}) == LSLSettings()
