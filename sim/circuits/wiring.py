"""How a cortical circuit is wired: who reaches whom, like to like, with a few directions of its own.

Every neuron receives the same number of contacts, from sources drawn at random. The weights upon excitatory neurons
follow what the neurons are tuned to: contacts between neurons of like preferred direction are stronger [1]_, and a
sum of a few outer products makes the network remember and turn a latent state [2]_. Neither may turn what a neuron
prefers, so what the recurrent contacts would carry at a right angle to it is taken out (``without_turning``).

.. [1] Ko et al. (2011) Nature 473:87. Like neurons connect; in motor cortex, Georgopoulos, Taira & Lukashin (1993)
   Science 260:47.
.. [2] Mastrogiuseppe & Ostojic (2018) Neuron 99:609. Low-rank connectivity and latent dynamics.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bmi.errors import ContractError
from bmi.signals import F32, F64, AnyArray

I32 = npt.NDArray[np.int32]


class Contacts(NamedTuple):
    """Contacts in the order of their presynaptic neuron."""

    first: I32
    """Those of neuron j are ``first[j]`` to ``first[j + 1]``."""
    to: I32
    weight: F32


def sources(rng: np.random.Generator, n_targets: int, pool: range, k: int, *, same: bool) -> I32:
    """Draw ``k`` different sources out of ``pool`` for each of ``n_targets`` neurons, (n_targets, k).

    Parameters
    ----------
    rng : Generator
    n_targets : int
    pool : range
        Numbers of the neurons to draw from.
    k : int
    same : bool
        Whether the targets are the pool, so that target i must not be its own source.

    Raises
    ------
    ContractError
        If the pool has not that many.
    """
    if not 0 <= k <= len(pool) - same:
        raise ContractError(
            f"wiring: {k} contacts a neuron out of {len(pool)} neurons of a population, expected at most "
            f"{len(pool) - same}; fewer contacts or more neurons"
        )
    lots: F32 = rng.random((n_targets, len(pool)), np.float32)
    if same:
        np.fill_diagonal(lots, 2.0)
    drawn = np.argpartition(lots, k - 1, axis=1)[:, :k] if k else np.zeros((n_targets, 0))
    found: I32 = (np.sort(drawn, axis=1) + pool.start).astype(np.int32)
    return found


def outgoing(found: I32, weights: F64, n_sources: int, target: int = 0) -> Contacts:
    """Sort contacts (n_targets, k) upon neurons ``target``, ``target`` + 1, … by their source."""
    flat = found.reshape(-1)
    order = _order(flat, n_sources)
    first = np.searchsorted(flat[order], np.arange(n_sources + 1))
    to = order // max(found.shape[1], 1) + target
    return Contacts(first.astype(np.int32), to.astype(np.int32), weights.reshape(-1)[order].astype(np.float32))


def _order(source: AnyArray, n: int) -> AnyArray:
    """Return what sorts ``source``, equal ones as they come; small numbers are sorted by counting."""
    return np.argsort(source.astype(np.uint16) if n <= 2**16 else source, kind="stable")


def merged(parts: tuple[Contacts, ...]) -> Contacts:
    """Return all contacts of several sets with the same sources."""
    source = np.concatenate([np.repeat(np.arange(len(c.first) - 1), np.diff(c.first)) for c in parts])
    n = len(parts[0].first)
    order = _order(source, n)
    return Contacts(
        np.searchsorted(source[order], np.arange(n)).astype(np.int32),
        np.concatenate([c.to for c in parts])[order],
        np.concatenate([c.weight for c in parts])[order],
    )


def like_to_like(found: I32, directions: F64, strength: float) -> F64:
    """Return 1 + strength d_i·d_j for every contact (n_targets, k), targets and sources being the same neurons."""
    alike: F64 = np.einsum("ikd,id->ik", directions[found], directions)
    return 1.0 + strength * alike


def low_rank(found: I32, into: F64, out_of: F64) -> F64:
    """Return sum_r into_ir out_of_jr for every contact (n_targets, k)."""
    carried: F64 = np.einsum("ikr,ir->ik", out_of[found], into)
    return carried


def latent(rng: np.random.Generator, depths: F64, rank: int, gain: float, turn_rad: float) -> tuple[F64, F64]:
    """Draw directions into and out of which a latent state of ``rank`` dimensions is carried.

    Parameters
    ----------
    rng : Generator
    depths : (n, n_dims) array
        How far each neuron is modulated by velocity: what is read out is at right angles to it, so that the latent
        state is no second copy of the intended movement.
    rank : int
    gain : float
        Share of a latent state that returns after one passage, 0 to 1.
    turn_rad : float
        Angle by which pairs of latent dimensions turn meanwhile.

    Returns
    -------
    into, out_of : (n, rank) float64
    """
    n = len(depths)
    basis = np.column_stack([np.ones(n), depths])
    into = rng.standard_normal((n, rank))
    into -= basis @ np.linalg.lstsq(basis, into, rcond=None)[0]
    into /= np.sqrt(np.mean(into**2, axis=0))
    turning = np.eye(rank)
    for r in range(0, rank - 1, 2):
        c, s = np.cos(turn_rad), np.sin(turn_rad)
        turning[r : r + 2, r : r + 2] = [[c, -s], [s, c]]
    return into, gain * into @ turning


def without_turning(weights: F64, carried: F64, keep: F64 | None) -> F64:
    """Change ``weights`` as little as possible so that what contacts carry points along ``keep``, or nowhere.

    Parameters
    ----------
    weights : (n_targets, k) float64
    carried : (n_targets, k, n_dims) float64
        What a unit of each weight adds to the tuning of its target.
    keep : (n_targets, n_dims) float64, optional
        Unit vectors along which something may be added.
    """
    across = carried if keep is None else carried - np.einsum("ikd,id->ik", carried, keep)[..., None] * keep[:, None]
    excess = np.einsum("ik,ikd->id", weights, across)
    square = np.einsum("ikd,ike->ide", across, across)
    factors = np.einsum("ide,ie->id", np.linalg.pinv(square, hermitian=True), excess)
    changed: F64 = weights - np.einsum("ikd,id->ik", across, factors)
    return changed
