"""The patient above the circuit: masses on a connectome, a focus that may seize, rhythms that movement quiets.

All of it that makes a field is a dipole: every region by its mass, the focus and its neighbours by their seizing
part, the hands' and the eyes' cortex by their rhythms. ``advance`` gives their moments, from which heads are computed.

One region is the tissue, whose spikes speak for it; what reaches that region is what the tissue hears. The focus and
the regions wired to it most strongly are an Epileptor each; while they seize they drive their masses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Gt

from bmi.signals import F64, AnyArray
from sim import GRID_S
from sim.brain.connectome import Connectome
from sim.brain.cosimulation import ToRate, fitted_gain
from sim.brain.epileptor import Epileptor
from sim.brain.generated import generated
from sim.brain.jansen_rit import JansenRit
from sim.brain.thalamocortical import Rhythm
from sim.component import mean
from sim.disease.alzheimer import masses
from sim.disease.stroke import gain

MU = ("l.M1", "r.M1", "l.S1", "r.S1")
ALPHA = ("l.V1", "r.V1")
IPSILATERAL = 0.4
"""Share of the desynchronisation that the hemisphere of the other hand shows."""
MOVED = np.array([1.0, IPSILATERAL] * (len(MU) // 2) + [0.0] * len(ALPHA))
"""How far a movement desynchronises each rhythm."""
HEALTHY_X0 = -2.2
"""x0 of the focus's neighbours: they seize only if they are drawn in."""
QUIET, SEIZING = 0.7, -1.2
"""x2 - x1 of an Epileptor at rest, and its mean in a seizure."""


class Sources(NamedTuple):
    """Dipoles of the brain."""

    labels: tuple[str, ...]
    positions_mm: F64
    """(n, 3)"""
    normals: F64
    """(n, 3) unit vectors."""


class Shown(NamedTuple):
    """What 10 ms of the brain gave."""

    moments: F64
    """(10, n_sources) nA·m, a row a millisecond."""
    afferent_hz: float
    """What the tissue's region is sent, against its usual, mean over the block."""
    rate_hz: F64
    """(n_regions,) Hz, mean over the block. Privileged."""
    seizing: F64
    """(n_focus,) how far each region of the focus is in a seizure, 0 to 1. Privileged."""


@dataclass(kw_only=True)
class WholeBrain:
    """Regions, focus and rhythms, exchanging every 10 ms; the masses among themselves at every step.

    *Realtime*: 10 ms of 84 regions take some 0.3 ms of one core.
    """

    name: str = "brain"
    n_regions: Annotated[int, Gt(0)] = 84
    species: str = "human"
    subject: int = 1
    """Number of the connectome."""
    motor: str = "l.M1"
    """Region whose spikes the tissue gives."""
    focus: str = "r.MTG"
    """Where seizures begin, should excitability rise."""
    recruited: Annotated[int, Ge(0)] = 4
    """Regions that may be drawn in: those wired to the focus most strongly."""
    gain: Annotated[float, Ge(0)] = 10.0
    """Of tracts between masses, whose strengths sum to 1 at a region of the usual kind."""
    drive_hz: float = 200.0
    """What each mass receives besides, 1/s."""
    noise_hz: Annotated[float, Ge(0)] = 60.0
    """Fluctuation of each mass's input, 1/s."""
    rest_hz: Annotated[float, Gt(0)] = 3.4
    """Rate of a mass at rest, for which the tissue's at rest stands."""
    permittivity: Annotated[float, Ge(0)] = 0.5
    """Coupling of the focus's regions through their slow variables."""
    seizure_noise: Annotated[float, Ge(0)] = 0.02
    """Noise of the focus."""
    seizure_hz: Annotated[float, Ge(0)] = 100.0
    """Drive of a mass by a full seizure of its region, 1/s."""
    mass_na_m: Annotated[float, Ge(0)] = 4.0
    """Dipole moment of a region for each mV, nA·m."""
    seizure_na_m: Annotated[float, Ge(0)] = 120.0
    """Dipole moment of a seizing region for each unit of x2 - x1."""
    rhythm_na_m: Annotated[float, Ge(0)] = 40.0
    """Dipole moment of a rhythm's cortex for each mV."""
    usual_s: Annotated[float, Gt(0)] = 5.0
    """What the tissue's region is sent is taken against its mean over about so long, s."""
    rhythm: Rhythm = field(default_factory=lambda: Rhythm(n=len(MU) + len(ALPHA)))

    def bind(self, seed: int, *, tissue_rest_hz: float, n_neurons: int) -> None:
        """Draw connectome and noise; ``tissue_rest_hz`` is the rate at which ``n_neurons`` of the tissue rest.

        Raises
        ------
        ContractError
            If a region named is not in the connectome, offering the nearest.
        """
        self.connectome_: Connectome = generated(species=self.species, n=self.n_regions, seed=self.subject).normalised()
        usual = float(self.connectome_.weights.sum(axis=1).mean())
        self._motor = self.connectome_.index(self.motor)
        self._rhythmic = [self.connectome_.index(r) for r in MU + ALPHA]
        self.focus_ = self._focal()
        inside = self.connectome_.subset([self.connectome_.labels[i] for i in self.focus_]).normalised()
        self.masses = JansenRit(
            name=f"{self.name} masses", connectome=self.connectome_, gain=self.gain / usual, noise_hz=self.noise_hz,
            drive_hz=self.drive_hz, proxied=(self._motor,),
        )  # fmt: skip
        self.seizures = Epileptor(
            name=f"{self.name} focus", connectome=inside, gain=self.permittivity, noise=self.seizure_noise
        )
        self.rhythm.name = f"{self.name} rhythms"
        for part in (self.masses, self.seizures, self.rhythm):
            part.bind(seed)
        self._up = ToRate(
            n_neurons=n_neurons, gain=fitted_gain(tissue_rest_hz, self.rest_hz), rest_hz=tissue_rest_hz
        )
        self._up.bind(seed)
        self._x0: F64 = np.full(len(self.focus_), HEALTHY_X0)
        self._usual: F64 = np.zeros(2)
        self._drive: F64 = np.zeros(self.n_regions)
        self._proxy: F64 = np.zeros(self.n_regions)  # written before it is read: no state
        self._slow = {k: np.zeros(self.n_regions) for k in ("amyloid", "tau", "lesion")}
        self._mu: F64 = np.ones(1)
        self.reset()

    def _focal(self) -> list[int]:
        """Return the focus and the regions wired to it most strongly."""
        first = self.connectome_.index(self.focus)
        strength = self.connectome_.weights[:, first] + self.connectome_.weights[first]
        strength[[first, self._motor]] = -1.0
        nearest = np.argsort(-strength, kind="stable")[: self.recruited]
        return [first, *(int(i) for i in nearest)]

    @property
    def sources(self) -> Sources:
        """Every dipole: regions, then the focus's, then the rhythms'; known once bound."""
        c = self.connectome_
        at = [*range(self.n_regions), *self.focus_, *self._rhythmic]
        kinds = [""] * self.n_regions + [" seizure"] * len(self.focus_) + [" rhythm"] * len(self._rhythmic)
        labels = tuple(c.labels[i] + kind for i, kind in zip(at, kinds, strict=True))
        return Sources(labels, c.centres_mm[at], c.normals[at])

    def advance(self, spikes: AnyArray, movement: float) -> Shown:
        """Advance by 10 ms.

        Parameters
        ----------
        spikes : (10,) array
            Spikes of all the tissue's excitatory neurons in each millisecond.
        movement : float
            How much movement is intended, 0 to 1.
        """
        self._proxy[self._motor] = mean(self._up.step(spikes))
        self.masses.receive("proxy", self._proxy)
        seized, lfp = self._seize()
        psp, rate = self.masses.step(round(GRID_S / self.masses.dt_s))
        shown = self._beat(movement)
        moments = np.concatenate([self.mass_na_m * psp, self.seizure_na_m * lfp, self.rhythm_na_m * shown], axis=1)
        usual = mean(rate)
        return Shown(moments, self._afferent(usual), usual, seized)

    def _seize(self) -> tuple[F64, F64]:
        """Advance the focus; what it does now drives its masses in the next block."""
        lfp, _ = self.seizures.step(round(GRID_S / self.seizures.dt_s))
        level: F64 = np.minimum(np.maximum((QUIET - mean(lfp)) / (QUIET - SEIZING), 0.0), 1.0)
        self._drive[:] = 0.0
        self._drive[self.focus_] = self.seizure_hz * level
        self.masses.receive("drive", self._drive)
        return level, lfp

    def _beat(self, movement: float) -> F64:
        self.rhythm.receive("gate", MOVED * movement)
        shown: F64 = self.rhythm.step(round(GRID_S / self.rhythm.dt_s))[0]
        return shown

    def _afferent(self, rate: F64) -> float:
        """Return what the tissue's region is sent at rates (n_regions,), against its usual."""
        heard = self.masses.gain * float(self.connectome_.weights[self._motor] @ rate)
        if not self._usual[1]:
            self._usual[:] = heard, 1.0
        self._usual[0] += -math.expm1(-GRID_S / self.usual_s) * (heard - self._usual[0])
        return heard - float(self._usual[0])

    def excite(self, x0: float) -> None:
        """Set the excitability of the focus; its neighbours keep theirs."""
        self._x0[0] = x0
        self.seizures.receive("x0", self._x0)

    def push(self, stimulus: float) -> None:
        """Stimulate the focus from now on: added to x1', below zero against a seizure."""
        pushed = np.zeros(len(self.focus_))
        pushed[0] = stimulus
        self.seizures.receive("stimulus", pushed)

    def turn(self, name: str, value: F64) -> None:
        """Take a slow parameter: ``amyloid``, ``tau`` or ``lesion`` (n_regions,), or ``mu_amplitude``."""
        if name == "mu_amplitude":
            scale = np.array([float(value)] * len(MU) + [1.0] * len(ALPHA))
            self.rhythm.receive("amplitude", scale)
            return
        self._slow[name][:] = value
        left = 1.0 - self._slow["lesion"]
        for port, factor in masses(self._slow["amyloid"], self._slow["tau"])._asdict().items():
            self.masses.receive(port, factor * left if port in ("afferent", "efferent") else factor)
        self.masses.receive("local", gain(self._slow["lesion"]))
        for port in ("efferent", "afferent"):
            self.seizures.receive(port, left[self.focus_])

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by part and name."""
        own: dict[str, AnyArray] = {"x0": self._x0, "usual": self._usual, "drive": self._drive}
        own |= {f"slow.{k}": v for k, v in self._slow.items()}
        parts = {"masses": self.masses, "focus": self.seizures, "rhythm": self.rhythm, "up": self._up}
        return own | {f"{p}.{k}": v for p, part in parts.items() for k, v in part.state().items()}

    def reset(self) -> None:
        """Begin anew, healthy."""
        for part in (self.masses, self.seizures, self.rhythm, self._up):
            part.reset()
        self._x0[:] = HEALTHY_X0
        self._usual[:] = 0.0
        self._drive[:] = 0.0
        for array in self._slow.values():
            array[:] = 0.0
