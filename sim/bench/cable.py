"""How fast cables are: the squid's cable of 100 compartments, alone and sixteenfold, beside Jaxley.

Ours and theirs take turns in one run, on one pinned core, so that what else the machine does falls on both. Both
integrate implicitly at 0.025 ms with exponential Euler for the gates; ours in double, Jaxley in single precision, as
it comes. Speed is simulated seconds of a cell for each second on the clock, recording the potential at the far end
every step (Jaxley) or every millisecond (ours); spikes of the first cell say that it is the same physics.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bmi.errors import ContractError

PEER = Path(__file__).parent / "peers" / "jaxley_cable.py"
CELLS = 16


def cable(peers: Mapping[str, str], quick: bool = False) -> dict[str, Any]:
    """Measure; ``peers["jaxley"]`` is a Python interpreter that has Jaxley, without which only ours is measured.

    Returns
    -------
    dict
        ``one`` and ``sixteen``: simulated cell-seconds a second, ``spikes`` in 1 s; with a peer also its speeds, and
        ``times_one`` and ``times_sixteen``, ours over the peer's fastest way (medians over rounds).
    """
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        rounds = [_round(peers.get("jaxley"), quick) for _ in range(1 if quick else 3)]
    finally:
        os.sched_setaffinity(0, allowed)
    result: dict[str, Any] = {
        "what": "squid cable, 100 compartments, dt 0.025 ms, one thread",
        "spikes": rounds[0]["spikes"],
        "one": max(r["one"] for r in rounds),
        "sixteen": max(r["sixteen"] for r in rounds),
    }
    if "jaxley" in peers:
        result["jaxley"] = [r["jaxley"] for r in rounds]
        result["times_one"] = float(np.median([r["one"] / _fastest(r["jaxley"], "one") for r in rounds]))
        result["times_sixteen"] = float(np.median([r["sixteen"] / _fastest(r["jaxley"], "vmap") for r in rounds]))
    return result


def _fastest(found: Mapping[str, Any], way: str) -> float:
    """Return the peer's best speed alone or for sixteen, whatever solver, even if a lane was not a number."""
    names = [n for n in found if n.startswith(way) or (way == "vmap" and n == "network")]
    return max(float(found[n]["speed"]) for n in names)


def _round(interpreter: str | None, quick: bool) -> dict[str, Any]:
    one, spikes = _ours(1)
    sixteen, _ = _ours(CELLS)
    found: dict[str, Any] = {"one": one, "sixteen": sixteen, "spikes": spikes}
    if interpreter:
        found["jaxley"] = _theirs(interpreter, quick)
        found["one"] = max(one, _ours(1)[0])
        found["sixteen"] = max(sixteen, _ours(CELLS)[0])
    return found


def _ours(n_cells: int) -> tuple[float, int]:
    """Return cell-seconds a second, best of several, and the first cell's spikes in 1 s."""
    from sim.cable import Cable
    from sim.morphology import Site, cylinder

    cells = Cable(
        branches=cylinder(length_um=2000, diameter_um=2, compartments=100, e_leak_mv=-54.3),
        sites=(Site(name="near", branch="cable", at=0.0), Site(name="far", branch="cable", at=1.0)),
        n_cells=n_cells,
    )
    cells.bind(0)
    cells.receive("current_na", np.tile([0.3, 0.0], (n_cells, 1)))
    events, _ = cells.step(40_000)
    best = float("inf")
    steps = 20_000 if n_cells == 1 else 10_000
    for _ in range(5):
        began = time.perf_counter()
        cells.step(steps)
        best = min(best, time.perf_counter() - began)
    return n_cells * steps * cells.dt_s / best, int((events[:, 1] == 0).sum())


def _theirs(interpreter: str, quick: bool) -> dict[str, Any]:
    seconds = ("0.25", "0.1") if quick else ("1.0", "0.25")
    done = subprocess.run(
        [interpreter, str(PEER), *seconds], capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode:
        raise ContractError(
            f"bench cable: {interpreter} could not run {PEER.name}; give an interpreter that has jaxley. It said: "
            f"{done.stderr.strip().splitlines()[-1:]}"
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
