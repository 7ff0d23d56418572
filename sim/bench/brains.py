"""How fast whole brains are, beside The Virtual Brain and others, and whether they are the same brains.

Jansen-Rit masses and Epileptors on a connectome with delays, Heun's rule, additive noise, and the potential of every
region each millisecond. A block of ours and one of a peer's take turns on one core, so that what else the machine does
falls on both; a ratio is of neighbours in time, of processor time (what waiting adds is left out) and of the clock.
Building and compiling are outside on both sides; what a peer takes to prepare is told.

Trajectories without noise are compared with The Virtual Brain's, its past kept in double precision, from the same
state: what regions show each millisecond, and the last state. And noise alike moves both alike.

The connectome of 76 regions is the one that comes with The Virtual Brain, read there and handed over by a temporary
file; without it, a generated one.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bmi.signals import F64
from sim.bench.brain_blocks import alternate, block, generated, network, state, write
from sim.bench.others import others
from sim.bench.talking import Peer, peer
from sim.brain.connectome import Connectome

BARS = {"jansen_rit": 30.0, "epileptor": 20.0}
"""How many times as fast as The Virtual Brain."""
ALIKE = 1e-6
"""Largest difference of trajectories, in the unit of what is shown."""
SIZES = (76, 150, 300, 600, 1000)
FOLLOWED_MS = {"jansen_rit": 1000, "epileptor": 2000}
KICKED_MS = 100
"""Time from the beginning in which noise spreads before both sides' deviations are compared."""


def brains(
    peers: Mapping[str, str], quick: bool = False, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Measure; ``peers`` are Python interpreters by what they have: tvb, vbi, cubnm, tvboptim.

    Returns
    -------
    dict
        ``connectome``: which, regions and tracts. A model each: seconds of the processor and of the clock for a
        simulated second, ours and ``tvb``'s; how many ``times`` as fast (median, lowest and highest of pairs);
        ``bar`` and whether it is ``reached``; ``equal``, the differences. ``curve``: rows of sizes. ``others``: rows
        of other peers.
    """
    with tempfile.TemporaryDirectory(prefix="brains_") as name:
        folder = Path(name)
        progress("brains: connectome")
        with peer("tvb", peers) as tvb:
            what, connectome = given(tvb, folder)
            result: dict[str, Any] = {
                "connectome": {"what": what, "regions": connectome.n, "tracts": int((connectome.weights > 0).sum())},
                "units": "s of the processor for a simulated second; dt 0.1 ms (Epileptor 0.05), Heun, noise, 1 kHz",
            }
            for model in BARS:
                progress(f"brains: {model}")
                result[model] = beside(model, connectome, tvb, folder, 5 if quick else 9)
                if tvb:
                    progress(f"brains: {model} compared")
                    result[model]["equal"] = equal(model, connectome, tvb, folder, quick)
            result["curve"] = curve(SIZES[:3:2] if quick else SIZES, tvb, folder, progress)
        result["others"] = others(peers, connectome, folder, quick, progress)
    return result


def given(tvb: Peer | None, folder: Path) -> tuple[str, Connectome]:
    """Return the connectome to measure on, and what it is."""
    if tvb is None:
        return "generated, human, seed 1", generated(76)
    path = folder / "connectome.npz"
    told = tvb.ask("connectome", path=str(path))
    with np.load(path, allow_pickle=False) as file:
        labels = tuple(f"r{k}" for k in range(told["regions"]))
        return told["what"], Connectome(labels=labels, weights=file["weights"], lengths_mm=file["lengths_mm"])


def beside(model: str, connectome: Connectome, tvb: Peer | None, folder: Path, pairs: int) -> dict[str, Any]:
    """Measure ``model`` beside The Virtual Brain, or alone."""
    ours = network(model, connectome)
    ours.bind(0)
    path = write(ours, folder / "brain.npz")
    ours.step(1000)
    if tvb is None:
        found = np.median([block(ours) for _ in range(pairs)], axis=0)
        return {"ours_s": float(found[0]), "ours_clock_s": float(found[1])}
    tvb.ask("prepare", model=model, path=path)
    ms = 100.0 if model == "jansen_rit" else 60.0
    found = alternate(ours, lambda: tvb.run(ms), pairs)
    reached = found["times"]["median"] >= BARS[model]
    return found | {"peer": tvb.name, "bar": BARS[model], "reached": reached}


def equal(model: str, connectome: Connectome, tvb: Peer, folder: Path, quick: bool) -> dict[str, Any]:
    """Return the largest differences without noise, and what noise does to either."""
    quiet, noisy = network(model, connectome, False), network(model, connectome)
    quiet.bind(0)
    noisy.bind(0)
    ms = FOLLOWED_MS[model] // (4 if quick else 1)
    path, to = write(noisy, folder / "brain.npz"), folder / "followed.npz"
    shown = _shown(quiet, ms)
    last = state(quiet)
    kicked = [_shown(noisy, KICKED_MS)[0] - shown[0, :KICKED_MS]]

    def follow(ms: int, noisy: bool, double: bool) -> tuple[F64, F64]:
        tvb.ask("follow", model=model, path=path, ms=float(ms), noisy=noisy, double=double, to=str(to))
        with np.load(to, allow_pickle=False) as file:
            return file["shown"], file["state"]

    theirs, there = follow(ms, False, True)
    single, _ = follow(ms, False, False)
    kicked.append(follow(KICKED_MS, True, True)[0][0] - theirs[0, :KICKED_MS])
    largest = float(np.abs(shown[: len(theirs)] - theirs).max())
    return {
        "simulated_s": ms / 1e3, "what": "psp" if model == "jansen_rit" else "lfp and z", "largest": largest,
        "largest_of_last_state": float(np.abs(last - there).max()), "varies_by": float(theirs[0].std(0).mean()),
        "largest_as_it_comes": float(np.abs(shown[: len(single)] - single).max()), "bar": ALIKE,
        "reached": largest < ALIKE, "noise_adds_ours": _spread(kicked[0]), "noise_adds_theirs": _spread(kicked[1]),
    }  # fmt: skip


def _shown(network: Any, ms: int) -> F64:
    network.reset()
    return np.stack(network.step(ms * round(1e-3 / network.dt_s)))


def _spread(deviation: F64) -> float:
    """Return the standard deviation (ms, n) of a region in the middle of all: some amplify what others damp."""
    return float(np.median(deviation.std(0)))


def curve(
    sizes: tuple[int, ...], tvb: Peer | None, folder: Path, progress: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Return a row a model and size, on generated connectomes: what a region and what a tract cost a step, ns."""
    rows = []
    for n in sizes:
        connectome = generated(n)
        alone = dataclasses.replace(connectome, weights=np.zeros((n, n)))
        tracts = int((connectome.weights > 0).sum())
        for model in BARS:
            progress(f"brains: {model}, {n} regions")
            row: dict[str, Any] = {"model": model, "regions": n, "tracts": tracts}
            ours, lone = network(model, connectome), network(model, alone)
            for one in (ours, lone):
                one.bind(0)
            path = write(ours, folder / "brain.npz")
            ms = max(20, round(3e4 / n))
            block(ours, ms)
            both = np.array([[block(one, ms)[0] for one in (ours, lone)] for _ in range(5)])
            seconds, without = np.median(both, axis=0)
            steps = 1.0 / ours.dt_s
            row |= {"ours_s": float(seconds), "ns_region_step": float(1e9 * without / steps / n)}
            row["ns_tract_step"] = float(1e9 * np.median(both[:, 0] - both[:, 1]) / steps / tracts)
            if tvb:
                tvb.ask("prepare", model=model, path=path)
                pairs = np.array([[tvb.run(min(50.0, 8e3 / n))[0], block(ours, ms)[0]] for _ in range(3)])
                row |= {"tvb_s": float(np.median(pairs[:, 0])), "times": float(np.median(pairs[:, 0] / pairs[:, 1]))}
            rows.append(row)
    return rows


def tables(told: dict[str, Any]) -> list[tuple[str, dict[str, dict[str, Any]]]]:
    """Return what ``brains`` found as titles and rows of figures."""
    where = told["connectome"]
    models = {
        model: {"s": row["ours_s"], "TVB, s": row.get("theirs_s"), **_times(row), **_same(row)}
        for model, row in ((m, told[m]) for m in BARS)
    }
    sizes = {
        f"{row['model']} {row['regions']}": {
            k: row.get(k) for k in ("tracts", "ours_s", "ns_region_step", "ns_tract_step", "tvb_s", "times")
        }
        for row in told["curve"]
    }
    rows = {
        f"{row['peer']}: {row['theirs']}": {
            "ours": row["model"], "s": row["ours_s"], "theirs, s": row["theirs_s"], **_times(row),
            "prepared s": row["prepared_s"], "differs": row["differs"],
        }
        for row in told["others"]
    }  # fmt: skip
    title = f"{where['what']}, {where['regions']} regions, {where['tracts']} tracts; {told['units']}"
    return [(t, r) for t, r in ((title, models), ("model and regions", sizes), ("other brains", rows)) if r]


def verdicts(told: dict[str, Any]) -> list[str]:
    """Return what was asked, and whether it was reached."""
    return [
        f"{m}: asked {told[m]['bar']:g} times as fast as {told[m]['peer']}, differences below {ALIKE:g}: "
        + ("reached" if told[m]["reached"] and told[m]["equal"]["reached"] else "not reached")
        for m in BARS
        if "bar" in told[m]
    ]


def _times(row: dict[str, Any]) -> dict[str, str]:
    if "times" not in row:
        return {}
    t = row["times"]
    return {"ours is faster by": f"{t['median']:.1f} [{t['low']:.1f}, {t['high']:.1f}]"}


def _same(row: dict[str, Any]) -> dict[str, Any]:
    if "equal" not in row:
        return {}
    e = row["equal"]
    return {"differs by": e["largest"], "in s": e["simulated_s"], "its past single": e["largest_as_it_comes"]}
