"""How fast the benchmark networks are, beside Brian2's C++ standalone programs, and whether they fire alike.

Each round runs a network with a seed of its own and then the peer, equally often, on the same core, so that what else
the machine does falls on both; a ratio is of neighbours in time. Times are of the simulated second alone: connecting
and compiling are outside on both sides.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F64

PEER = Path(__file__).parent / "peers" / "brian2_networks.py"
BARS = {"cuba": 2.0, "cobahh": 5.0}
"""How many times as fast as the peer."""
REPEATS = {"cuba": 3, "cobahh": 1}
"""Runs in a row that a side has in each round, of which the best counts: a run of 0.03 s is soon disturbed."""
SINGLE = 2
"""Rounds in which the peer computes in single precision too."""


class Peer:
    """A Brian2 program that has been built, and runs once for every ``run``."""

    def __init__(self, interpreter: str, workload: str, precision: str) -> None:
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [interpreter, str(PEER), workload, precision],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )
        self.name: str = self._line()["peer"]

    def _line(self) -> dict[str, Any]:
        for line in iter(self._process.stdout.readline, ""):
            if line.startswith("{"):
                return dict(json.loads(line))
        self._said.seek(0)
        said = self._said.read().strip().splitlines()[-1:]
        self.close()
        raise ContractError(
            f"bench simulator: {self._process.args[0]} could not run {PEER.name}; give an interpreter that has brian2 "
            f"and a C++ compiler. It said: {said}"
        )

    def run(self) -> tuple[float, float]:
        """Return seconds taken by a simulated second, and the mean rate, Hz."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        told = self._line()
        return told["wall_s"], told["rate_hz"]

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=60)
        self._said.close()


def networks(
    peers: Mapping[str, str], seeds: int, quick: bool = False, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Measure both networks over ``seeds`` rounds; ``peers["brian2"]`` is a Python interpreter that has Brian2.

    Returns
    -------
    dict
        A network each: ``ours`` and, with a peer, ``brian2`` (double precision, as it comes) and ``brian2_single``:
        best and median seconds a simulated second, rates (mean, sd, n); ``times``: how many times as fast, median,
        lowest and highest of the rounds; ``bar`` and whether it is ``reached``; ``rates_p``, Welch's test.
    """
    return {name: _network(name, peers, seeds, quick, progress) for name in BARS}


def _network(
    name: str, peers: Mapping[str, str], seeds: int, quick: bool, progress: Callable[[str], None]
) -> dict[str, Any]:
    from sim.circuits.vogels_abbott import COBAHH, cuba

    ours = cuba() if name == "cuba" else COBAHH()
    kinds = [] if "brian2" not in peers else [("brian2", "double")] if quick else [
        ("brian2", "double"), ("brian2_single", "single")
    ]  # fmt: skip
    found: dict[str, list[tuple[float, float]]] = {"ours": [], **{k: [] for k, _ in kinds}}
    running: dict[str, Peer] = {}
    try:
        for key, precision in kinds:
            progress(f"{name}: building {key}")
            running[key] = Peer(peers["brian2"], name, precision)
        for seed in range(seeds):
            progress(f"{name}: seed {seed}")
            ours.bind(seed)
            found["ours"].append(min(_once(ours) for _ in range(REPEATS[name])))
            for key, peer in running.items():
                if key == "brian2" or seed < SINGLE:
                    runs = [peer.run() for _ in range(REPEATS[name])]
                    found[key].append((min(runs)[0], runs[0][1]))
    finally:
        for peer in running.values():
            peer.close()
    return _told(name, {k: np.array(v) for k, v in found.items()}, {k: p.name for k, p in running.items()})


def _once(network: Any) -> tuple[float, float]:
    """Return seconds taken by a simulated second from the beginning, and the mean rate, Hz."""
    network.reset()
    began = time.perf_counter()
    spikes = network.step(round(1.0 / network.dt_s))[0]
    return time.perf_counter() - began, len(spikes) / network.n


def _told(name: str, found: Mapping[str, F64], peers: Mapping[str, str]) -> dict[str, Any]:
    out: dict[str, Any] = {"what": "4000 neurons, 2 % connected, dt 0.1 ms, 1 s"}
    for key, values in found.items():
        seconds, rates = values.T
        out[key] = {
            "simulator": peers.get(key, "multiscale-bmi"),
            "best_s": float(seconds.min()),
            "median_s": float(np.median(seconds)),
            "rate_hz": float(rates.mean()),
            "rate_sd_hz": float(rates.std(ddof=1)) if len(rates) > 1 else 0.0,
            "n_seeds": len(rates),
        }
        if key != "ours":
            times = seconds / found["ours"][: len(seconds), 0]
            out[key]["times"] = {"median": float(np.median(times)), "low": float(times.min()),
                                 "high": float(times.max())}  # fmt: skip
            out[key]["rates_p"] = _welch(found["ours"][:, 1], rates)
    if "brian2" in out:
        out["bar"] = BARS[name]
        out["reached"] = out["brian2"]["times"]["median"] >= BARS[name]
    return out


def _welch(a: F64, b: F64) -> float | None:
    """Return the p of Welch's test for a difference of means; none for fewer than three seeds."""
    from scipy.stats import ttest_ind

    return float(ttest_ind(a, b, equal_var=False).pvalue) if min(len(a), len(b)) > 2 else None
