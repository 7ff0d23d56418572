"""Neurons that prefer one direction lie together: columns, as in motor cortex [1]_.

Without them the field at an electrode, which sums hundreds of cells, would tell nothing of direction. The map is a sum
of plane waves of one wavelength in random directions and phases, the simplest with pinwheels and no seams; its
angle says which direction is preferred at a place [2]_.

.. [1] Georgopoulos, Merchant, Naselaris & Amirikian (2007) PNAS 104:11068. Mapping of the preferred direction in the
   motor cortex.
.. [2] Swindale (1982) Proc R Soc B 215:211. A model for the formation of orientation columns.
"""

from __future__ import annotations

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F64

WAVES = 8


def arranged(rng: np.random.Generator, positions_um: F64, directions: F64, share: float, period_um: float) -> F64:
    """Return the same places, handed out anew so that neighbours prefer like directions.

    Parameters
    ----------
    rng : Generator
    positions_um : (n, 2) float64
        Where there is a neuron.
    directions : (n, n_dims) float64
        What each neuron prefers; the first two dimensions are mapped.
    share : float
        0 leaves every place, 1 follows the map exactly; between, preferred directions scatter about it by up to
        (1 - share) half turns.
    period_um : float
        Wavelength of the map.

    Returns
    -------
    (n, 2) float64
        Place of each neuron.

    Raises
    ------
    ContractError
        If there is one dimension only: nothing to map.
    """
    if directions.shape[1] < 2:
        raise ContractError(f"tissue: topography needs 2 dimensions, given {directions.shape[1]}; set it to 0")
    heading, phase = rng.uniform(0.0, 2.0 * np.pi, (2, WAVES))
    wave = 2.0 * np.pi / period_um * np.stack([np.cos(heading), np.sin(heading)])
    mapped = np.angle(np.exp(1j * (positions_um @ wave + phase)).sum(axis=1))
    preferred = np.arctan2(directions[:, 1], directions[:, 0])
    preferred = preferred + (1.0 - share) * np.pi * rng.uniform(-1.0, 1.0, len(preferred))
    preferred = np.angle(np.exp(1j * preferred))
    placed = np.empty_like(positions_um)
    placed[np.argsort(preferred, kind="stable")] = positions_um[np.argsort(mapped, kind="stable")]
    return placed
