"""What liblsl goes by: the configuration in force, read as liblsl reads it, without touching liblsl.

liblsl takes the first file there is: the one LSLAPICFG names, ``lsl_api.cfg`` here, ``~/lsl_api/lsl_api.cfg``,
``/etc/lsl_api/lsl_api.cfg``. One mistake in it, and everything falls back to the built-in defaults, in silence
where the log is off (liblsl 1.16 to 1.18).
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_SCOPES = ("machine", "link", "site", "organization", "global")
_TTLS = (0, 1, 24, 32, 255)
_GROUPS = (
    ("MachineAddresses", "{127.0.0.1}"),
    ("LinkAddresses", "{255.255.255.255, 224.0.0.1, 224.0.0.183}"),
    ("SiteAddresses", "{239.255.172.215}"),
    ("OrganizationAddresses", "{}"),
    ("GlobalAddresses", "{}"),
)
"""Whom a question goes to in each scope, besides those of the narrower ones."""
_IPV6 = {"allow": True, "allowed": True, "disable": False, "disabled": False, "force": True, "forced": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class LSLSettings:
    """The part of a configuration that decides who finds whom."""

    file: str = ""
    """Where it was read; empty for the built-in defaults."""
    multicast_port: int = 16571
    base_port: int = 16572
    port_range: int = 32
    ipv6: bool = True
    scope: str = "site"
    ttl: int = 24
    addresses: tuple[str, ...] = ("127.0.0.1", "255.255.255.255", "224.0.0.1", "224.0.0.183", "239.255.172.215")
    """Where questions are sent, IPv4."""
    known_peers: tuple[str, ...] = ()
    session_id: str = "default"
    problem: str = ""
    """Why a file that is there is not in force."""

    @property
    def groups(self) -> tuple[str, ...]:
        """The multicast groups among the addresses."""
        return tuple(a for a in self.addresses if ipaddress.ip_address(a).is_multicast)

    @property
    def ports(self) -> range:
        """Where outlets listen."""
        return range(self.base_port, self.base_port + self.port_range)


def settings_in_force(environment: Mapping[str, str] | None = None) -> LSLSettings:
    """Return what a process started here with this ``environment`` (default: ours) goes by."""
    env = os.environ if environment is None else environment
    places = ["lsl_api.cfg", str(Path(env.get("HOME", "~")) / "lsl_api/lsl_api.cfg"), "/etc/lsl_api/lsl_api.cfg"]
    problems = []
    if named := env.get("LSLAPICFG"):
        places.insert(0, named)
        if not os.access(named, os.R_OK):
            problems.append(f"LSLAPICFG names {named}, which cannot be read")
    for place in places:
        try:
            text = Path(place).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        try:
            return _parsed(place, text, "; ".join(problems))
        except ValueError as e:
            problems.append(f"{place}: {e}; liblsl does not use it")
    return LSLSettings(problem="; ".join(problems))


def _parsed(place: str, text: str, problem: str) -> LSLSettings:
    values = _values(text)
    scope = values.get("multicast.ResolveScope", "site")
    ipv6 = values.get("ports.IPv6", "allow")
    if scope not in _SCOPES or ipv6 not in _IPV6:
        raise ValueError(f"ResolveScope = {scope}, IPv6 = {ipv6} is not understood")
    reach = _SCOPES.index(scope) + 1
    addresses = [a for key, default in _GROUPS[:reach] for a in _set(values.get(f"multicast.{key}", default))]
    addresses = _set(values.get("multicast.AddressesOverride", "{}")) or addresses
    ttl = int(values.get("multicast.TTLOverride", "-1"))
    return LSLSettings(
        file=place,
        multicast_port=int(values.get("ports.MulticastPort", "16571")),
        base_port=int(values.get("ports.BasePort", "16572")),
        port_range=int(values.get("ports.PortRange", "32")),
        ipv6=_IPV6[ipv6],
        scope=scope,
        ttl=ttl if ttl >= 0 else _TTLS[reach - 1],
        addresses=tuple(a for a in addresses if ipaddress.ip_address(a).version == 4),
        known_peers=tuple(_set(values.get("lab.KnownPeers", "{}"))),
        session_id=values.get("lab.SessionID", "default"),
        problem=problem,
    )


def _values(text: str) -> dict[str, str]:
    """Return ``section.key`` → value; comments begin a line with ``;``, nothing else is one."""
    values: dict[str, str] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(";") or not line.strip():
            continue
        if line.startswith("["):
            name, closed, _ = line[1:].partition("]")
            if not closed:
                raise ValueError(f"line {number} has no closing bracket")
            section = f"{name}."
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not (key and equals and value):
            raise ValueError(f"line {number} is not KEY = VALUE: {line.strip()!r}")
        if section + key in values:
            raise ValueError(f"line {number} says {section}{key} a second time")
        values[section + key] = value
    return values


def _set(text: str) -> list[str]:
    inner = text[1:-1] if text.startswith("{") and text.endswith("}") else ""
    return [word for part in inner.split(",") if (word := part.strip())]
