"""Multicast: the way LSL streams are found by those who know nothing but their name.

Every group of the configuration in force is joined and written to on every interface that says it can, as liblsl
does; the datagram has to come back on this machine. It has TTL 0 and leaves no host, so what lies between this
machine and others (switches that filter, their firewalls) is not tested and cannot be from here.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import struct
import time

from bmi.doctor.finding import Finding, State
from bmi.lsl.settings import LSLSettings, settings_in_force

_WAIT_S = 0.3
_GET_FLAGS, _GET_ADDRESS = 0x8913, 0x8915  # SIOCGIFFLAGS, SIOCGIFADDR of Linux
_UP, _MULTICAST = 0x1, 0x1000
_ANY = ("the default route", "0.0.0.0")  # noqa: S104 - where liblsl lets the system choose


def multicast(settings: LSLSettings | None = None) -> Finding:
    """Send to every multicast group in force and listen for it, interface by interface."""
    lsl = settings or settings_in_force()
    interfaces = multicast_interfaces() or [_ANY]
    tried = {(name, group): _loop(group, address, lsl) for name, address in interfaces for group in lsl.groups}
    works = sorted({name for (name, _), error in tried.items() if not error})
    errors = {f"{group} on {name}": error for (name, group), error in tried.items() if error}
    figures = {"works_on": works, "errors": errors, "groups": list(lsl.groups), "configuration": lsl.file or "defaults"}
    if works:
        state = State.WARN if lsl.problem else State.OK
        found = f"groups {', '.join(lsl.groups)} are heard on {', '.join(works)}"
        fix = "mend that file, or correct LSLAPICFG" if lsl.problem else ""
        return Finding(check="multicast", state=state, found=_with(found, lsl.problem), fix=fix, figures=figures)
    kinds = dict.fromkeys(errors.values())
    why = [f"{kind} ({', '.join(where for where, error in errors.items() if error == kind)})" for kind in kinds]
    found = f"multicast is off: {'; '.join(why) or 'the configuration names no group'}"
    if lsl.known_peers:
        found += f"; streams are found only on the known peers {', '.join(lsl.known_peers)}"
    return Finding(
        check="multicast",
        state=State.WARN if lsl.known_peers else State.FAIL,
        found=_with(found, lsl.problem),
        fix=how_to_be_found(lsl),
        figures=figures,
    )


def how_to_be_found(lsl: LSLSettings) -> str:
    """Return what makes streams findable, with the ports and the file in force."""
    name = next((n for n in _names() if n != "lo"), "eth0")
    place = lsl.file or "a file that the variable LSLAPICFG names"
    return (
        f"switch multicast on: ip link set dev {name} multicast on (for this machine alone: dev lo), and, if there is "
        f"no default route, ip route add 224.0.0.0/4 dev {name}; or do without it: in {place} write, under [lab], "
        "KnownPeers = {127.0.0.1, and every other machine}. "
        f"A firewall has to let UDP {lsl.multicast_port} and UDP and TCP {lsl.ports[0]} to {lsl.ports[-1]} pass"
    )


def multicast_interfaces() -> list[tuple[str, str]]:
    """Return (name, IPv4 address) of every interface that is up and can multicast."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for name in _names():
            request = struct.pack("256s", name.encode()[:15])
            try:
                flags = struct.unpack_from("H", fcntl.ioctl(s, _GET_FLAGS, request), 16)[0]
                if flags & _UP and flags & _MULTICAST:
                    address = fcntl.ioctl(s, _GET_ADDRESS, request)[20:24]
                    found.append((name, socket.inet_ntoa(address)))
            except OSError:  # it has no IPv4 address, or is just going
                continue
    return found


def _names() -> list[str]:
    return [name for _, name in socket.if_nameindex()]


def _loop(group: str, interface: str, lsl: LSLSettings) -> str:
    """Send one datagram to ``group`` through ``interface`` and wait for it; return what went wrong, or nothing."""
    token = f"bmi doctor {os.getpid()} {secrets.token_hex(8)}".encode()
    local = socket.inet_aton(interface)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth,
    ):
        try:
            ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                ear.bind(("", lsl.multicast_port))
            except OSError:  # `ports` has a word to say about that
                ear.bind(("", 0))
            ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + local)
            end = time.monotonic() + _WAIT_S
            mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, local)
            mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
            mouth.sendto(token, (group, ear.getsockname()[1]))
            heard = b""
            while heard != token:  # others may be asking meanwhile
                ear.settimeout(max(1e-3, end - time.monotonic()))
                heard = ear.recv(2048)
        except TimeoutError:
            return f"sent, but not heard within {_WAIT_S:g} s; a firewall may drop it"
        except OSError as e:
            return e.strerror or str(e)
    return ""


def _with(found: str, problem: str) -> str:
    return f"{found}; {problem}" if problem else found
