"""Keeping two sessions on one network apart.

liblsl reads its configuration once, from the file LSLAPICFG names, when it is first used. So the environment
returned here is for child processes, or must be set before this process touches LSL.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

_TEXT = """\
; Written by multiscale-bmi: this session is seen on this machine only.
[ports]
MulticastPort = {multicast}
BasePort = {base}
PortRange = 64
IPv6 = disable
[multicast]
ResolveScope = machine
AddressesOverride = {{239.255.172.215, 127.0.0.1}}
TTLOverride = 0
[tuning]
TimeProbeInterval = 0.005
TimeProbeMaxRTT = 0.05
MulticastMinRTT = 0.2
MulticastMaxRTT = 0.5
UnicastMinRTT = 0.2
UnicastMaxRTT = 0.5
[lab]
KnownPeers = {{127.0.0.1}}
SessionID = {session}
[log]
level = -2
"""
# With ResolveScope = machine alone, 127.0.0.1 is a unicast address: the question reaches only one of the
# outlets on this machine (measured: 2 of 4 found, after 0.5 s). A multicast group with TTL 0 reaches all of
# them and leaves no host (4 of 4 after 1 ms); the known peer is for machines without a multicast route.
# Round trips are short here: with the default of 5 s for peers, listing an empty network takes 5.5 s.


def private_lsl_config(folder: Path, session_id: str = "") -> dict[str, str]:
    """Write a configuration under which LSL stays on this machine and within one session.

    Parameters
    ----------
    folder : Path
        Where ``lsl_api.cfg`` is written; it must outlive the processes that use it.
    session_id : str
        Streams are found only by the same id; random if empty. Ports follow from it.

    Returns
    -------
    dict of str
        Environment to give to every process of the session: ``{"LSLAPICFG": …}``.
    """
    session = session_id or f"bmi-{secrets.token_hex(6)}"
    number = int.from_bytes(hashlib.sha256(session.encode()).digest()[:4], "big")
    base = 20000 + 80 * (number % 150)  # below the ephemeral range of Linux, 32768
    path = folder / "lsl_api.cfg"
    path.write_text(_TEXT.format(multicast=base - 1, base=base, session=session), encoding="utf-8")
    return {"LSLAPICFG": str(path)}
