"""Acceptance figures of connectomes and their files, I5.

Delays scale with size because all species have one shape; what a species' axons gain in speed is in its own field. Two
constants of the human rule, how fast weights fall and how widely they spread, were chosen for the rows about
tractograms. The decoder is the registered one, fitted and run as ``bmi eval`` does.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bmi.signals import F64
from sim.brain.species import AFFECTS, SPECIES, Species
from sim.validation import Check, Row, between, holds, near, stored

SEEDS = (1, 2, 3)
FIELDS = tuple(f.name for f in dataclasses.fields(Species) if f.name not in ("name", "sources"))
MASSES = "cube root of the ratio of brain masses: Herculano-Houzel et al. (2006, 2007), Azevedo et al. (2009)"
DECODED_S, BIN_S, HELD_S = 24.0, 0.05, 0.25


def presets() -> Iterator[Row]:
    """Yield whether sources are there, and how lengths and delays scale with size."""
    from sim.brain.generated import generated

    missing = [f"{s.name}.{f}" for s in SPECIES.values() for f in FIELDS if not s.sources.get(f)]
    n = len(SPECIES) * len(FIELDS)
    yield holds(
        "I5", "numbers of the human, macaque and mouse presets that carry a source", f"{n} of {n}",
        f"{n - len(missing)} of {n}", not missing, source="identity",
    )  # fmt: skip
    human = generated(species="human").delays_s(1.0)
    for name in ("macaque", "mouse"):
        here = generated(species=name).delays_s(1.0)
        between_regions = human > 0.0
        ratio = here[between_regions] / human[between_regions]
        worst = float(ratio[np.argmax(np.abs(ratio / SPECIES[name].size - 1.0))])
        masses = (SPECIES[name].brain_g / SPECIES["human"].brain_g) ** (1.0 / 3.0)
        yield near(
            "I5", f"delays of the {name} at equal speed, as share of the human's, the farthest of {ratio.size} tracts",
            masses, worst, 1e-9, relative=True, source=MASSES,
        )  # fmt: skip


def tractograms() -> Iterator[Row]:
    """Yield whether human connectomes made by rule are like measured ones."""
    from sim.brain.generated import generated
    from sim.circuits.structure import small_world

    peer = stored("human_tractograms")
    found: dict[str, list[float]] = {k: [] for k in ("density", "path_length", "sigma", "fall_mm")}
    for seed in SEEDS:
        c = generated(species="human", seed=seed)
        there = c.weights > 0.0
        graph = small_world(there.astype(float), seed=1, n_references=20)
        fall = -np.polyfit(c.lengths_mm[there], np.log(c.weights[there]), 1)[0]
        for k, v in zip(found, (c.density, graph.path_length, graph.sigma, float(fall)), strict=True):
            found[k].append(v)
    for k, what in (
        ("density", "density"), ("path_length", "path length"), ("sigma", "small-worldness σ"),
        ("fall_mm", "fall of ln weight with length, /mm"),
    ):  # fmt: skip
        known = peer.arrays[k]
        yield between(
            "I5", f"{what} of generated human connectomes, mean of seeds 1 to 3", float(known.min()),
            float(known.max()), float(np.mean(found[k])), source=f"range of three tractograms, {peer.source}",
        )  # fmt: skip
    for name, target in (("macaque", 0.66), ("mouse", 0.97)):
        yield near(
            "I5", f"density of the generated {name} connectome", target, generated(species=name).density, 0.01,
            source="Markov et al. (2014) Cereb Cortex 24:17" if name == "macaque" else
            "Gămănuț et al. (2018) Neuron 97:698",
        )  # fmt: skip


def _subject(kind: Species) -> dict[str, bytes]:
    """Return what a species makes of a simulated subject, as bytes."""
    from sim.brain.generated import generated

    c = generated(species=kind)
    tissue = kind.tissue()
    tissue.bind(1)
    a = tissue.anatomy_
    arrays: dict[str, Any] = {
        "places": c.centres_mm, "lengths": c.lengths_mm, "weights": c.weights,
        "delays": c.delays_s(kind.conduction_m_s),
        "tissue": np.concatenate([a.baselines_hz, a.drive_mv, tissue.state()["v"]]), "head": kind.head_mm,
        "neurons near an electrode": kind.neurons_near(50.0), "spike channels": kind.spike_channels,
        "EEG channels": kind.eeg_channels, "names": np.array(c.labels), "normals": c.normals,
    }  # fmt: skip
    return {k: np.asarray(v).tobytes() for k, v in arrays.items()}


def swaps() -> Iterator[Row]:
    """Yield whether each field changes what it is declared to and nothing else."""
    human = SPECIES["human"]
    before = _subject(human)
    wrong = []
    for field in FIELDS:
        now = getattr(human, field)
        after = _subject(dataclasses.replace(human, **{field: now + now // 4 if isinstance(now, int) else 1.25 * now}))
        changed = {k for k in before if before[k] != after[k]}
        if changed != AFFECTS[field]:
            wrong.append(f"{field}: {', '.join(sorted(changed ^ AFFECTS[field]))}")
    all_of = f"{len(FIELDS)} of {len(FIELDS)}"
    yield holds(
        "I5", "numbers of a species that, raised by a quarter, change just what they declare", all_of,
        "; ".join(wrong) or all_of, not wrong, source="bits compared, human, seed 1",
    )  # fmt: skip


def _recorded(kind: Species, seed: int) -> tuple[F64, F64]:
    """Return counts (n_bins, n_channels) of the species' implant and the intended velocity (n_bins, 2), mm/s."""
    from sim.preparation import Preparation

    rng = np.random.default_rng(seed)
    prepared = Preparation(kind.tissue(), seed)
    n_held = round(HELD_S / BIN_S)
    velocity = np.repeat(rng.normal(0.0, 100.0, (round(DECODED_S / HELD_S), 2)), n_held, axis=0)
    for k in range(0, len(velocity), n_held):
        prepared.give("velocity", k * BIN_S, velocity[k])
    n_ms = round(1000.0 * BIN_S)
    counts = []
    for _ in range(0, len(velocity), n_held):
        counts.append(prepared.advance_s(HELD_S)["counts"].reshape(n_held, n_ms, -1).sum(1))
    heard = rng.choice(counts[0].shape[1], kind.spike_channels, replace=False)
    return np.concatenate(counts)[:, heard].astype(np.float64), velocity


def decoders() -> Iterator[Row]:
    """Yield how one decoder does on each species."""
    from bmi.evaluate import evaluate

    with tempfile.TemporaryDirectory() as folder:
        for kind in SPECIES.values():
            counts, velocity = _recorded(kind, seed=1)
            path = Path(folder) / f"{kind.name}.npz"
            np.savez(path, counts=counts, kinematics=velocity, bin_s=BIN_S, unit="mm/s", dims=["x", "y"])
            result = evaluate(path, "ridge", train_fraction=0.7)
            yield between(
                "I5", f"correlation of the ridge decoder's velocity with the intended, {kind.name}, "
                f"{kind.spike_channels} neurons, {DECODED_S:g} s", 0.5, np.inf, float(np.mean(result["cc"])),
                source="the same decoder and settings for all; simulated, seed 1",
            )  # fmt: skip


CHECKS: tuple[Check, ...] = (
    Check("I5", "presets of species", 0.2, presets),
    Check("I5", "generated connectomes against measured ones", 8.0, tractograms, needs="networkx"),
    Check("I5", "what a species changes", 2.0, swaps),
    Check("I5", "one decoder for all species", 15.0, decoders),
)
