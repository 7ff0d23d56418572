"""How fast whole brains are beside vbi, cuBNM and tvboptim: not the same brains, so what differs is told with each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sim.bench.brain_blocks import alternate, network, write
from sim.bench.talking import Peer, peer
from sim.brain.connectome import Connectome


class Other(NamedTuple):
    """A way of a peer."""

    peer: str
    model: str
    """Ours beside it."""
    told: dict[str, Any]
    """What it is asked to prepare."""
    ms: int
    """Of a block."""
    theirs: str
    """What theirs is; ours is in double precision with delays, Heun's rule, new noise each step, a row each ms."""
    differs: str


OTHERS = (
    Other("tvboptim", "jansen_rit", {"kind": "listed", "double": False, "ms": 200.0}, 200,
          "Jansen-Rit, delays, single precision", "every step kept; compiled for a length of time"),
    Other("tvboptim", "jansen_rit", {"kind": "full", "double": False, "ms": 200.0}, 200,
          "the same, tracts a full matrix", "every step kept; compiled for a length of time"),
    Other("tvboptim", "jansen_rit", {"kind": "listed", "double": True, "ms": 200.0}, 200,
          "Jansen-Rit, delays, double precision", "every step kept; compiled for a length of time"),
    Other("vbi", "jansen_rit", {"kind": "delayed"}, 200,
          "Jansen-Rit, delays, C++", "delayed rates at both stages; noise drawn twice; every step kept"),
    Other("vbi", "jansen_rit", {"kind": "instant"}, 500,
          "Jansen-Rit, numba", "no delays; one sigmoid of the sum of potentials for all tracts of a region"),
    Other("vbi", "epileptor", {"kind": "vep"}, 200,
          "Epileptor of 2 variables, numba", "2 variables instead of 6; no delays; noise on both"),
    Other("cubnm", "wong_wang", {"kind": "rWW", "delays": True, "dt_ms": "0.1", "ms": 1000.0}, 1000,
          "reduced Wong-Wang, delays, C++", "Euler; noise drawn before, also on inhibition; BOLD"),
    Other("cubnm", "wong_wang", {"kind": "rWW", "delays": False, "dt_ms": "0.1", "ms": 1000.0}, 1000,
          "reduced Wong-Wang, C++", "no delays; Euler; noise drawn before, also on inhibition; BOLD"),
    Other("cubnm", "jansen_rit", {"kind": "JR", "delays": True, "dt_ms": "0.1", "ms": 1000.0}, 1000,
          "Jansen-Rit, delays, C++", "Euler; noise drawn before; BOLD"),
)  # fmt: skip
PAIRS = 5


def others(
    peers: Mapping[str, str], connectome: Connectome, folder: Path, quick: bool, progress: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Return a row for each way of each peer that is there; if ``quick`` only the first of each peer."""
    rows = []
    for name in dict.fromkeys(o.peer for o in OTHERS):
        ways = [o for o in OTHERS if o.peer == name][: 1 if quick else None]
        with peer(name, peers) as running:
            for way in ways if running else ():
                progress(f"brains: {name}, {way.theirs}")
                rows.append(_beside(way, running, connectome, folder))
    return rows


def _beside(way: Other, running: Peer, connectome: Connectome, folder: Path) -> dict[str, Any]:
    ours = network(way.model, connectome)
    ours.bind(0)
    told = running.ask("prepare", path=write(ours, folder / "brain.npz"), **way.told)
    return {
        "peer": running.name, "model": way.model, "theirs": way.theirs, "differs": way.differs,
        **alternate(ours, lambda: running.run(way.ms), PAIRS), **told,
    }  # fmt: skip
