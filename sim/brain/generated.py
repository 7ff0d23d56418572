"""A connectome made from a rule instead of a person's data: no licence binds it, and a seed gives any number of them.

Strength falls exponentially with the length of a tract [1]_, around which weights are log-normal [2]_; regions are
tied to their homologue across the corpus callosum, cortex to its thalamus; weak tracts are left out until as many
remain as tracing or tractography finds in the species. Hemispheres mirror each other, to the last bit.

References
----------
.. [1] Ercsey-Ravasz et al. (2013) A predictive network model of cerebral cortical connectivity based on a distance
   rule. Neuron 80:184.
.. [2] Markov et al. (2014) Cereb Cortex 24:17.
.. [3] Rosen & Halgren (2021) eNeuro 8:ENEURO.0416-20.2020. Homologues are wired more strongly than their distance
   tells; weights are log-normal and fall exponentially in humans too.
"""

from __future__ import annotations

import numpy as np

from bmi.signals import F64, AnyArray
from sim.brain.atlas import Atlas, atlas
from sim.brain.connectome import Connectome
from sim.brain.species import Species, species

DETOUR = 1.2
"""Length of a tract within a hemisphere, as multiple of the straight line."""
CALLOSUM_MM = (-35.0, 30.0, 20.0)
"""Back end, front end and height of the corpus callosum, mm, human: where tracts cross."""
FAVOUR = 5.0
"""How much stronger homologues, and cortex and its thalamus, are connected than their distance tells: a choice."""


def generated(*, species: str | Species = "human", n: int = 84, seed: int = 1) -> Connectome:
    """Return a connectome of ``n`` regions, weights symmetric, the largest being 1; same seed, same bits.

    Parameters
    ----------
    species : str or Species
        A preset (human, macaque, mouse) or one of one's own.
    n : int
        Regions, even, at least 16: ``l.M1``, ``l.S1``, ``l.PMd``, ``l.SMA``, ``l.V1``, ``l.TH``, ``l.HC``, ``l.TP`` …
        and the same of the right, ``r.M1`` … (:data:`sim.brain.atlas.AREAS`).
    seed : int
        Draws the weights; places and lengths are the species'.

    Raises
    ------
    ContractError
        If the species is unknown, or ``n`` is odd or too small.
    """
    kind = _preset(species)
    regions = atlas(n)
    lengths = tract_lengths_mm(regions)
    strength = _strengths(regions, lengths * kind.size, kind, seed)
    kept = _kept(strength, kind.density)
    weights = np.where(kept, np.exp(strength - strength[kept].max()), 0.0)
    return Connectome(
        labels=regions.labels, weights=weights, lengths_mm=lengths * kind.size,
        centres_mm=regions.centres_mm * kind.size, normals=regions.normals,
    )  # fmt: skip


def _preset(kind: str | Species) -> Species:
    return kind if isinstance(kind, Species) else species(kind)


def tract_lengths_mm(regions: Atlas) -> F64:
    """Return how long the tract between any two regions is, (n, n), mm, human; through the callosum if it crosses."""
    places = regions.centres_mm
    half = len(places) // 2
    straight = np.linalg.norm(places[:half, None] - places[None, :half], axis=-1)
    back, front, height = CALLOSUM_MM
    middle = np.clip(0.5 * (places[:half, None, 1] + places[None, :half, 1]), back, front)
    way = np.hypot(np.hypot(places[:half, 0], places[:half, 2] - height)[:, None], places[:half, None, 1] - middle)
    across = way + way.T
    return np.block([[DETOUR * straight, across], [across, DETOUR * straight]])


def _strengths(regions: Atlas, lengths: F64, kind: Species, seed: int) -> F64:
    """Return the logarithm of the weight any two regions would have, (n, n); -inf for a region with itself."""
    half = len(lengths) // 2
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0xC0]))
    drawn = np.triu(rng.standard_normal((2, half, half)))
    within, between = kind.spread * (drawn + np.triu(drawn, 1).transpose(0, 2, 1))
    relay = np.array([x == "l.TH" for x in regions.labels[:half]])
    cortex = regions.deep[:half] == 0.0
    within = within + np.log(FAVOUR) * ((relay[:, None] & cortex) | (cortex[:, None] & relay))
    between = between + np.log(FAVOUR) * np.eye(half)
    log = np.block([[within, between], [between, within]]) - lengths / kind.decay_mm
    np.fill_diagonal(log, -np.inf)
    return log


def _kept(strength: F64, density: float) -> AnyArray:
    """Return which tracts there are: homologues, what connects a hemisphere at all, and the strongest of the rest."""
    from scipy.sparse.csgraph import minimum_spanning_tree

    n = len(strength)
    half = n // 2
    within = strength[:half, :half]
    cost = np.where(np.isfinite(within), within.max(where=np.isfinite(within), initial=-np.inf) + 1.0 - within, 0.0)
    tree = minimum_spanning_tree(cost).toarray() > 0.0
    tree |= tree.T
    must: AnyArray = np.block([[tree, np.eye(half, dtype=bool)], [np.eye(half, dtype=bool), tree]])
    left = np.triu_indices(half, 1)
    rest = np.concatenate([strength[:half, :half][left], strength[:half, half:][left]])
    rest[np.concatenate([tree[left], np.zeros(len(left[0]), bool)])] = np.inf
    # every tract but those between homologues has a mirror image, so they are kept by the pair
    pairs = max(int(tree[left].sum()), round((density * n * (n - 1) / 2.0 - half) / 2.0))
    chosen = np.zeros(len(rest), bool)
    chosen[np.argsort(-rest, kind="stable")[:pairs]] = True
    square = np.zeros((2, half, half), bool)
    square[:, left[0], left[1]] = chosen.reshape(2, -1)
    square |= square.transpose(0, 2, 1)
    return must | np.block([[square[0], square[1]], [square[1], square[0]]])
