"""What a stimulation lead in the basal ganglia records of them: their field, and the pulses it gives itself.

The field next to the pallidum follows the synaptic activation there; its beating between 13 and 35 Hz rises with the
loss of dopamine and is what adaptive stimulators sense [1]_. The same lead stimulates: a pulse leaves an artefact in
the record that is larger than the field and decays within milliseconds.

.. [1] Little et al. (2013) Ann Neurol 74:449. Adaptive deep brain stimulation in advanced Parkinson disease.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.compiled import direct
from bmi.errors import ContractError
from bmi.signals import F32, F64, AnyArray
from sim import GRID_S, SLOT_S
from sim.component import Noise
from sim.sensors._depth_kernels import Amplifier, record

N_MS = round(GRID_S / SLOT_S)


@dataclass(kw_only=True)
class DepthLead:
    """A bipolar lead beside the pallidum: one channel at 1 kHz, µV.

    *Realtime*: ``take`` is called 100 times a second and takes some 10 µs.
    """

    name: str = "field"
    uv: Annotated[float, Gt(0)] = 100.0
    """Field for a change of the mean synaptic activation by 1, µV."""
    noise_uv: Annotated[float, Ge(0)] = 1.0
    """Noise of electrode and amplifier in a sample, µV rms."""
    far_uv: Annotated[float, Ge(0)] = 1.0
    """Field of everything else, µV rms: a first-order process, so that power falls with f^-2."""
    far_s: Annotated[float, Gt(0)] = 0.03
    """Its time constant, s."""
    highpass_s: Annotated[float, Gt(0)] = 0.3
    """Time constant of the amplifier's high-pass, s."""
    artefact_uv: Annotated[float, Ge(0)] = 40.0
    """Height of the artefact of a pulse for each mA, µV: what bipolar sensing on either side does not cancel."""
    decay_s: Annotated[float, Gt(0)] = 0.001
    """Time constant with which it decays, s."""

    def bind(self, seed: int) -> None:
        """Allocate, compile; the noise is a function of ``seed`` and step."""
        self._noise = Noise(seed, self.name, 2 * N_MS)
        self._at = np.zeros(1, np.int64)
        self._held: F64 = np.zeros(3)
        self._still: F64 = np.zeros(N_MS)
        self._record = direct(record)
        self._rows: F32 = np.zeros((N_MS, 1), np.float32)
        keep = math.exp(-SLOT_S / self.far_s)
        self._amplifier = Amplifier(
            self.uv, math.exp(-SLOT_S / self.highpass_s), keep, math.sqrt(1.0 - keep**2) * self.far_uv,
            math.exp(-SLOT_S / self.decay_s), self.artefact_uv, self.noise_uv,
        )  # fmt: skip
        self.take(self._still)
        self.reset()

    def take(self, activation: AnyArray, pulses_ma: AnyArray | None = None) -> F32:
        """Return 10 ms of the record, (10, 1) float32, µV; borrowed.

        Parameters
        ----------
        activation : (10,) array
            Mean synaptic activation in the pallidum's target, a row a millisecond.
        pulses_ma : (10,) array, optional
            Summed amplitude of the pulses that begin in each millisecond, mA.
        """
        if np.shape(activation) != (N_MS,):
            raise ContractError(f"{self.name}: expected activation of shape ({N_MS},), given {np.shape(activation)}")
        pulses = self._still if pulses_ma is None else np.ascontiguousarray(pulses_ma, np.float64)
        if pulses.shape != (N_MS,):
            raise ContractError(f"{self.name}: expected pulses of shape ({N_MS},), mA, given {pulses.shape}")
        if self._at[0] == 0:
            self._held[1] = self.uv * float(activation[0])
        drawn, near = self._noise.normal(0, int(self._at[0])), np.ascontiguousarray(activation, np.float64)
        self._record(near, pulses, drawn, self._amplifier, self._held, self._rows)
        self._at += 1
        return self._rows

    def state(self) -> Mapping[str, AnyArray]:
        """Return block, and what filters and artefact hold."""
        return {"block": self._at, "held": self._held}

    def reset(self) -> None:
        """Forget everything seen."""
        self._at[:] = 0
        self._held[:] = 0.0
