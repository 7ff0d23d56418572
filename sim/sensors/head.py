"""The head as a volume conductor: from dipoles in the brain to the lead fields of EEG and MEG.

Brain, fluid, skull and scalp are concentric spheres of 79, 80, 85 and 90 mm [1]_. Regions that lie farther out are
refused rather than moved.

References
----------
.. [1] Næss et al. (2017) Corrected four-sphere head model for EEG signals. Front Hum Neurosci 11:490.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F64
from sim.sensors.leadfield import LeadField
from sim.sensors.meg import Helmet, field_ft
from sim.sensors.montage import Montage
from sim.sensors.spheres import surface_potential


@dataclass(frozen=True, kw_only=True)
class Head:
    """Concentric spheres about the middle of the head.

    Raises
    ------
    ContractError
        If radii do not grow or a conductivity is not positive.
    """

    radii_mm: tuple[float, ...] = (79.0, 80.0, 85.0, 90.0)
    """Outer radius of brain, fluid, skull and scalp, mm; any number of shells."""
    conductivities_s_m: tuple[float, ...] = (0.3, 1.5, 0.015, 0.3)
    """Conductivity of each, S/m."""

    def __post_init__(self) -> None:
        radii, sigma = np.array(self.radii_mm, float), np.array(self.conductivities_s_m, float)
        if len(radii) != len(sigma) or not len(radii):
            raise ContractError(f"Head: {len(radii)} radii and {len(sigma)} conductivities, expected as many")
        if not (np.isfinite(radii).all() and radii[0] > 0.0 and (np.diff(radii) > 0.0).all()):
            raise ContractError(f"Head.radii_mm: expected positive radii from inside to outside, given {self.radii_mm}")
        if not (np.isfinite(sigma).all() and (sigma > 0.0).all()):
            raise ContractError(f"Head.conductivities_s_m: expected positive values, given {self.conductivities_s_m}")

    def eeg(
        self, montage: Montage, sources_mm: F64, *, normals: F64 | None = None, labels: Sequence[str] = ()
    ) -> LeadField:
        """Return the potentials against infinity of dipoles at ``sources_mm`` (n, 3) as µV/(nA·m).

        Parameters
        ----------
        montage : Montage
            Electrodes; each is taken where its direction meets the scalp.
        sources_mm : (n, 3) float64
            About the middle of the head: x to the right, y to the front, z upward.
        normals : (n, 3) float64, optional
            Unit vectors the dipoles point along; without them every source has three columns.
        labels : sequence of str, optional
            Names of the sources.

        Raises
        ------
        ContractError
            If a source is not in the brain, or shapes do not fit.
        """
        places = self._inside(sources_mm)
        found = surface_potential(
            montage.positions_mm, places, np.array(self.radii_mm), np.array(self.conductivities_s_m)
        )
        field = LeadField(
            matrix=found.reshape(len(found), -1), channels=montage.labels, sources=_names(labels, len(places)),
            unit="µV/(nA·m)", reference="infinity", positions_mm=montage.positions_mm,
        )  # fmt: skip
        return field if normals is None else field.along(normals)

    def meg(
        self, helmet: Helmet, sources_mm: F64, *, normals: F64 | None = None, labels: Sequence[str] = ()
    ) -> LeadField:
        """Return the magnetic fields at the magnetometers of ``helmet``, fT/(nA·m); as ``eeg``.

        Raises
        ------
        ContractError
            Likewise, and if a magnetometer is inside the head.
        """
        places = self._inside(sources_mm)
        least = float(np.sqrt((helmet.positions_mm**2).sum(axis=1)).min())
        if least <= self.radii_mm[-1]:
            raise ContractError(
                f"Head.meg: a magnetometer is {least:g} mm from the middle, expected beyond {self.radii_mm[-1]:g} mm"
            )
        found = field_ft(helmet.positions_mm, helmet.directions, places)
        field = LeadField(
            matrix=found.reshape(len(found), -1), channels=helmet.labels, sources=_names(labels, len(places)),
            unit="fT/(nA·m)", positions_mm=helmet.positions_mm,
        )  # fmt: skip
        return field if normals is None else field.along(normals)

    def _inside(self, sources_mm: F64) -> F64:
        places = np.atleast_2d(np.asarray(sources_mm, np.float64))
        if places.ndim != 2 or places.shape[1] != 3 or not np.isfinite(places).all():
            raise ContractError(f"Head: expected sources (n, 3), finite, mm, given shape {np.shape(sources_mm)}")
        far = np.sqrt((places**2).sum(axis=1))
        if far.max() >= self.radii_mm[0]:
            i = int(far.argmax())
            raise ContractError(
                f"Head: source {i} is {far[i]:.1f} mm from the middle, expected within the brain, "
                f"{self.radii_mm[0]:g} mm; scale the centres or take a larger head"
            )
        return places


def _names(labels: Sequence[str], n: int) -> tuple[str, ...]:
    if labels and len(labels) != n:
        raise ContractError(f"Head: {len(labels)} labels for {n} sources, expected as many")
    return tuple(labels) or tuple(f"s{i:03d}" for i in range(n))
