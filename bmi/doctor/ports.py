"""The ports LSL needs: one of UDP for questions, and a range of UDP and TCP for outlets and answers.

Whoever holds one is named where ``/proc`` tells; without rights it tells about one's own processes only.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from bmi.doctor.finding import Finding, State
from bmi.lsl.settings import LSLSettings, settings_in_force

_FEW = 8  # streams and their readers on one machine soon need as many
Protocol = Literal["udp", "tcp"]
_KINDS = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}


def ports(settings: LSLSettings | None = None) -> Finding:
    """Bind every port LSL would use, as liblsl would, and let it go again."""
    lsl = settings or settings_in_force()
    question = lsl.multicast_port
    taken: dict[Protocol, list[int]] = {
        "udp": [p for p in lsl.ports if not _free("udp", p)],
        "tcp": [p for p in lsl.ports if not _free("tcp", p)],
    }
    shared = _free("udp", question, share=True)
    wanted: set[tuple[Protocol, int]] = {(kind, p) for kind in ("udp", "tcp") for p in taken[kind]}
    named = holders(wanted if shared else wanted | {("udp", question)})
    free = {kind: len(lsl.ports) - len(found) for kind, found in taken.items()}
    figures = {
        "multicast_port": question, "multicast_port_usable": shared, "ports": [lsl.ports[0], lsl.ports[-1]],
        "free_udp": free["udp"], "free_tcp": free["tcp"], "holders": named,
    }  # fmt: skip
    span = f"{lsl.ports[0]} to {lsl.ports[-1]}"
    found = f"UDP {question} can be shared; of {span}, {free['udp']} UDP and {free['tcp']} TCP ports are free"
    if not shared:
        found = f"UDP {question}, where LSL asks who is there, is held by a program that does not share it"
    elif not min(free.values()):
        found = f"no {' and no '.join(k.upper() for k, n in free.items() if not n)} port from {span} is free"
    if named:
        found += f" (held by {', '.join(named[:4])}{', …' if len(named) > 4 else ''})"
    bad = not shared or not min(free.values())
    few = min(free.values()) < min(_FEW, len(lsl.ports))
    fix = (
        "end the program that holds them (above; as root: ss -lunpt), or give LSL other ports, the same on every "
        f"machine: in {lsl.file or 'a file that the variable LSLAPICFG names'} write, under [ports], "
        "MulticastPort, BasePort and PortRange"
    )
    state = State.FAIL if bad else State.WARN if few else State.OK
    return Finding(check="ports", state=state, found=found, fix=fix if state != State.OK else "", figures=figures)


def holders(wanted: Iterable[tuple[Protocol, int]]) -> list[str]:
    """Return ``name (pid)`` of each process with a socket on one of these ports, as far as may be seen."""
    inodes = {inode for kind, port in set(wanted) for inode in _inodes(kind).get(port, ())}
    found: dict[str, None] = {}
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        with contextlib.suppress(OSError):  # gone meanwhile, or not ours to see
            if any(_link(entry) in inodes for entry in (process / "fd").iterdir()):
                found[f"{(process / 'comm').read_text().strip()} ({process.name})"] = None
    return list(found)


def _link(entry: Path) -> str:
    try:
        return os.readlink(entry)
    except OSError:  # closed meanwhile
        return ""


def _free(kind: Protocol, port: int, share: bool = False) -> bool:
    with socket.socket(socket.AF_INET, _KINDS[kind]) as s:
        if share:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("", port))
        except OSError as e:
            return e.errno not in (errno.EADDRINUSE, errno.EACCES)
    return True


def _inodes(kind: Protocol) -> dict[int, set[str]]:
    """Return port → ``socket:[inode]`` of every socket of a kind that is bound in this network."""
    found: dict[int, set[str]] = {}
    for table in (f"/proc/net/{kind}", f"/proc/net/{kind}6"):
        try:
            lines = Path(table).read_text(encoding="utf-8").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if len(words) > 9 and words[9] != "0":
                port = int(words[1].rpartition(":")[2], 16)
                found.setdefault(port, set()).add(f"socket:[{words[9]}]")
    return found
