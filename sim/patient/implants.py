"""Everything that is measured on the patient: an array and field electrodes in motor cortex, scalp, a deep lead."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Gt

from bmi.compiled import direct
from bmi.signals import F32, F64, I64, AnyArray
from sim import SLOT_S
from sim.brain.connectome import Connectome
from sim.circuits.anatomy import Anatomy
from sim.patient._patch_kernels import unusual
from sim.patient.whole_brain import Sources
from sim.sensors.array import Array
from sim.sensors.depth import DepthLead
from sim.sensors.eeg import EEG
from sim.sensors.head import Head
from sim.sensors.lfp import LFP, grid_um
from sim.sensors.montage import montage
from sim.sensors.surroundings import Surroundings

PATCHES = (4, 2)
"""Pieces the tissue's sheet makes on the scalp: its columns lie along the bank of a sulcus and around its crown."""
SPACING_MM = 5.0
SMOOTH_S = 0.02
"""Time constant of the postsynaptic currents whose sum a patch's dipole is, s."""


class Recorded(NamedTuple):
    """10 ms of every stream; borrowed."""

    spikes: F32
    """(10, n_spikes) count."""
    lfp: F32
    """(10, n_lfp) µV."""
    eeg: F32
    """(n, n_eeg) µV."""
    field: F32
    """(10, 1) µV."""


@dataclass(kw_only=True)
class Implants:
    """Sensors and where they are; the settings of each may be given."""

    array: Array = field(default_factory=Array)
    """Spikes: threshold crossings of 96 electrodes."""
    n_lfp: Annotated[int, Gt(0)] = 16
    """Field electrodes in a square grid over the tissue."""
    lfp_stands_for: Annotated[float, Gt(0)] = 8.0
    """Neurons of cortex that each of the tissue's stands for in the field."""
    eeg_rate_hz: Annotated[float, Gt(0)] = 500.0
    """EEG samples a second."""
    eeg: Surroundings = field(default_factory=lambda: Surroundings(background_uv=5.0))
    """What the scalp shows besides the brain."""
    lead: DepthLead = field(default_factory=DepthLead)
    patch_na_m: Annotated[float, Ge(0)] = 5.0
    """Dipole moment of a patch of the tissue for each Hz its mean rate is above its usual, nA·m."""
    usual_s: Annotated[float, Gt(0)] = 2.0
    """Its usual rate is the mean over about so long, s."""
    array_artefact_uv: Annotated[float, Ge(0)] = 100.0
    """Artefact of a pulse at the deep lead in motor cortex for each mA, µV."""
    scalp_artefact_uv: Annotated[float, Ge(0)] = 20.0
    """On the scalp, likewise."""

    @property
    def n_spikes(self) -> int:
        """Channels of the array."""
        return self.array.n_channels

    @property
    def n_eeg(self) -> int:
        """Channels of the EEG."""
        return 64

    def bind(
        self, seed: int, subject: int, anatomy: Anatomy, sources: Sources, active: I64, brain: Connectome, motor: str
    ) -> None:
        """Implant into the tissue of ``anatomy``, whose ``active`` neurons may be heard, and put a cap on the head."""
        n, n_exc = len(anatomy.baselines_hz), anatomy.n_exc
        self.array.subject = subject
        self.array.bind(
            seed, n_neurons=n, active=active, tuned=np.arange(n_exc), positions_um=anatomy.positions_um
        )
        self._lfp = LFP(
            positions_um=anatomy.positions_um, n_exc=n_exc, electrodes_um=grid_um(self.n_lfp),
            stands_for=self.lfp_stands_for,
        )  # fmt: skip
        self._lfp.bind(seed)
        patches = _patches(brain, motor)
        labels = sources.labels + patches.labels
        places = np.concatenate([sources.positions_mm, patches.positions_mm])
        normals = np.concatenate([sources.normals, patches.normals])
        leadfield = Head().eeg(montage(64), places, normals=normals, labels=labels).average_reference()
        self._eeg = EEG(leadfield=leadfield, rate_hz=self.eeg_rate_hz, surroundings=replace(self.eeg))
        self._eeg.bind(seed)
        self.lead.bind(seed)
        self._gather(anatomy)
        self._n_sources = len(sources.labels)
        self._smooth: F64 = np.zeros((2, len(patches.labels)))
        self._begun: I64 = np.zeros(1, np.int64)
        self._unusual = direct(unusual)
        self.reset()

    def _gather(self, anatomy: Anatomy) -> None:
        """Write who belongs to which patch, as what a spike adds to its mean rate, Hz."""
        places, n_exc = anatomy.positions_um, anatomy.n_exc
        low, high = places.min(axis=0), places.max(axis=0)
        at = ((places - low) / (high - low + 1e-9) * PATCHES).astype(np.int64)
        patch = at[:, 0] * PATCHES[1] + at[:, 1]
        self._member: F32 = np.zeros((len(places), math.prod(PATCHES)), np.float32)
        self._member[np.arange(n_exc), patch[:n_exc]] = 1.0
        self._member /= np.float32(SLOT_S) * np.maximum(self._member.sum(axis=0), 1.0)

    def labels(self, output: str) -> tuple[str, ...]:
        """Return the channel labels of ``spikes``, ``lfp``, ``eeg`` or ``field``."""
        match output:
            case "spikes":
                return tuple(f"n{i:03d}" for i in range(self.n_spikes))
            case "lfp":
                return tuple(f"lfp{i:02d}" for i in range(self.n_lfp))
            case "eeg":
                return montage(64).labels
            case _:
                return ("bg",)

    def take(self, counts: F32, moments: F64, activation: AnyArray, pulses_ma: F32) -> Recorded:
        """Return what 10 ms left on every sensor.

        Parameters
        ----------
        counts : (10, n_neurons) float32
            Spikes of the tissue.
        moments : (10, n_sources) float64
            Dipoles of the brain, nA·m.
        activation : (10,) array
            Synaptic activation in the basal ganglia's target.
        pulses_ma : (10,) float32
            Summed amplitude of the stimulation pulses that begin in each millisecond, mA.
        """
        strongest = float(pulses_ma.max())
        self._lfp.receive("stimulus_uv", np.array(self.array_artefact_uv * strongest))
        self._eeg.receive("stimulus_uv", np.array(self.scalp_artefact_uv * strongest))
        all_moments = np.concatenate([moments, self._patch_moments(counts)], axis=1)
        return Recorded(
            self.array.take(counts, np.float32(self.array_artefact_uv) * pulses_ma), self._lfp.take(counts),
            self._eeg.take(all_moments), self.lead.take(activation, pulses_ma),
        )  # fmt: skip

    def _patch_moments(self, counts: F32) -> F64:
        """Return the dipoles of the tissue's patches, (10, n_patches) nA·m: rates through synapses, less the usual."""
        rates = (counts @ self._member).astype(np.float64)
        if not self._begun[0]:
            self._smooth[:] = rates.mean(axis=0)
            self._begun[0] = 1
        out = np.empty_like(rates)
        share, slow = -math.expm1(-SLOT_S / SMOOTH_S), -math.expm1(-SLOT_S / self.usual_s)
        self._unusual(rates, share, slow, self._smooth, out)
        return self.patch_na_m * out

    def turn(self, name: str, value: F64) -> None:
        """Take a slow parameter: ``survival``, ``snr``, ``impedance``, ``dead`` or ``turnover``."""
        self.array.receive(name, value)
        if name in ("impedance", "dead"):
            self._lfp.receive(name, value)

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by sensor and name."""
        parts = {"array": self.array, "lfp": self._lfp, "eeg": self._eeg, "lead": self.lead}
        own: dict[str, AnyArray] = {"smooth": self._smooth, "begun": self._begun}
        return own | {f"{p}.{k}": v for p, part in parts.items() for k, v in part.state().items()}

    def reset(self) -> None:
        """Forget everything heard; the implants are new again."""
        for part in (self.array, self._lfp, self._eeg, self.lead):
            part.reset()
        self._smooth[:] = 0.0
        self._begun[0] = 0


def _patches(brain: Connectome, motor: str) -> Sources:
    """Return the dipoles of the tissue's patches: along the sulcus, turning from its bank over its crown."""
    i = brain.index(motor)
    centre, bank = brain.centres_mm[i], brain.normals[i]
    outward = centre / np.linalg.norm(centre)
    along = np.cross(bank, outward)
    along /= np.linalg.norm(along)
    labels, places, normals = [], [], []
    for a in range(PATCHES[0]):
        for b in range(PATCHES[1]):
            place = centre + SPACING_MM * (a - 0.5 * (PATCHES[0] - 1)) * along - SPACING_MM * b * outward
            turned = math.radians(20.0 + 50.0 * b)
            normal = math.cos(turned) * outward + math.sin(turned) * bank
            labels.append(f"{motor} patch {a}{b}")
            places.append(place)
            normals.append(normal / np.linalg.norm(normal))
    return Sources(tuple(labels), np.array(places), np.array(normals))
