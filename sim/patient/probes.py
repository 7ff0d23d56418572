"""A few cells with dendrites among the tissue's point neurons: what the current sodium makes of a whole cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.signals import F64, AnyArray
from sim import GRID_S
from sim.cable import Cable
from sim.component import Noise
from sim.morphology import Site, cylinder

COMPARTMENTS = 20


@dataclass(kw_only=True)
class Probes:
    """Cables of 20 Hodgkin-Huxley compartments, driven at one end as the tissue is: by its rate, and by noise.

    *Realtime*: 10 ms of 4 cells take some 0.4 ms of one core.
    """

    n_cells: Annotated[int, Gt(0)] = 4
    length_um: Annotated[float, Gt(0)] = 400.0
    diameter_um: Annotated[float, Gt(0)] = 2.0
    rest_na: float = 0.08
    """Current into each at the tissue's usual rate, nA."""
    per_hz_na: Annotated[float, Ge(0)] = 0.004
    """And for each Hz the tissue fires above it."""
    noise_na: Annotated[float, Ge(0)] = 0.03
    """Standard deviation of what else comes in, drawn every 10 ms."""

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second."""
        return 0.05 * self.n_cells / 4

    def bind(self, seed: int) -> None:
        """Allocate; the noise is a function of ``seed`` and block."""
        sites = (Site(name="near", branch="cable", at=0.0), Site(name="far", branch="cable", at=1.0))
        branches = cylinder(length_um=self.length_um, diameter_um=self.diameter_um, compartments=COMPARTMENTS)
        self._cable = Cable(branches=branches, sites=sites, n_cells=self.n_cells, name="probes")
        self._cable.bind(seed)
        self._noise = Noise(seed, "probes", self.n_cells)
        self._at = np.zeros(1, np.int64)
        self._current: F64 = np.zeros((self.n_cells, len(sites)))

    def advance(self, above_hz: float) -> AnyArray:
        """Advance by 10 ms with the tissue ``above_hz`` over its usual rate.

        Returns
        -------
        (10, n_cells) array
            Potential at the far ends, mV.
        """
        drawn = self._noise.normal(0, int(self._at[0]))
        self._current[:, 0] = self.rest_na + self.per_hz_na * above_hz + self.noise_na * drawn
        self._cable.receive("current_na", self._current)
        mv = self._cable.step(round(GRID_S / self._cable.dt_s))[1]
        self._at += 1
        return mv[:, :, 1]

    def sodium(self, share: float) -> None:
        """Set the sodium conductance of the fast-spiking cells, the second half, as a share of the healthy one."""
        scale = np.ones(self.n_cells)
        scale[self.n_cells - self.n_cells // 2 :] = share
        self._cable.receive("na", scale)

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        return {"block": self._at, "current": self._current} | dict(self._cable.state())

    def reset(self) -> None:
        """Begin anew."""
        self._cable.reset()
        self._at[:] = 0
        self._current[:] = 0.0
