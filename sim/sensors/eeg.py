"""Electroencephalography: what electrodes on the scalp make of the currents in all regions.

The potential follows the sources without delay [1]_: channels are a lead field times the regions' dipole moments.
Moments come every millisecond; a sample is their mean since the sample before, which is causal, delays by half a
sample and holds back what lies beyond half the sampling rate. Added are the background of distant sources, heard
through the same lead field and so as smooth over the scalp as real ones, blinks, drift, mains and amplifier.

References
----------
.. [1] Nunez & Srinivasan (2006) Electric Fields of the Brain, 2nd ed. Quasi-static volume conduction.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import F32, F64, I64, AnyArray
from sim import GRID_S, SLOT_S
from sim.component import Noise, Port, checked
from sim.sensors.leadfield import LeadField
from sim.sensors.surroundings import Surroundings

N_DISTANT = 24
"""Patterns of the distant sources; the strongest ones of the lead field hold nearly all of its power."""
EYES_MM = ((-30.0, 60.0, -30.0), (30.0, 60.0, -30.0))


@dataclass(kw_only=True)
class Blinks:
    """The eyeball is a dipole, and the lid slides over it [1]_: frontal channels swing by 100 µV for 0.3 s.

    References
    ----------
    .. [1] Matsuo, Peters & Reilly (1975) Electrical phenomena associated with movements of the eyelid.
       Electroencephalogr Clin Neurophysiol 38:507.
    """

    per_min: Annotated[float, Ge(0)] = 12.0
    """Blinks a minute; 0 keeps the eyes open."""
    amplitude_uv: Annotated[float, Ge(0)] = 100.0
    """Median swing of the channel nearest the eyes, µV."""
    spread: Annotated[float, Ge(0)] = 0.2
    """Standard deviation over blinks of its logarithm."""
    duration_s: Annotated[float, Gt(0)] = 0.3


@dataclass(kw_only=True)
class EEG:
    """Scalp potentials as a sensor.

    *Realtime*: ``take`` of 10 ms, 64 channels and 90 sources, takes some 60 µs of one core.
    """

    name: str = "eeg"
    leadfield: LeadField
    """From dipole moments in nA·m to µV; sources that point somewhere (``along``), not three columns each."""
    rate_hz: Annotated[float, Gt(0)] = 500.0
    """Samples a second: 100, 200, 500 or 1000."""
    surroundings: Surroundings = field(default_factory=Surroundings)
    blinks: Blinks | None = None
    """None keeps them out."""

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What others do to it."""
        return _input_ports(len(self.leadfield.channels))

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the channels."""
        return self.leadfield.channels

    @property
    def unit(self) -> str:
        """Of the samples."""
        return self.leadfield.measures

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second."""
        return 0.006

    def bind(self, seed: int) -> None:
        """Draw what is random about the electrodes from ``seed``; allocate.

        Raises
        ------
        ContractError
            If a block is no whole number of samples, the lead field is none of potentials or leaves directions open,
            or blinks are wanted and nobody knows where the channels are.
        """
        every = 1.0 / (self.rate_hz * SLOT_S)
        n = round(self.rate_hz * GRID_S)
        if abs(every - round(every)) > 1e-9 or n < 1 or abs(n - self.rate_hz * GRID_S) > 1e-9:
            raise ContractError(f"{self.name}: rate_hz is {self.rate_hz:g}, expected 100, 200, 500 or 1000")
        if self.leadfield.free:
            raise ContractError(f"{self.name}: the lead field leaves directions open; give leadfield.along(normals)")
        if self.unit != "µV":
            raise ContractError(f"{self.name}: expected a lead field in µV/(nA·m), given {self.leadfield.unit}")
        self._every = round(every)
        n_channels, self._n_sources = self.leadfield.matrix.shape
        self._gain: F32 = np.ascontiguousarray(self.leadfield.matrix.T, np.float32)
        u, s, _ = np.linalg.svd(self.leadfield.matrix, full_matrices=False)
        self.surroundings.bind(self.name, seed, (u * s)[:, :N_DISTANT], rate_hz=self.rate_hz)
        self._average = self.leadfield.reference == "average"
        self._given = {p.name: np.zeros(p.shape) for p in self.inputs}
        self._alive: F32 = np.ones(n_channels, np.float32)
        self._at: I64 = np.zeros(1, np.int64)
        self._rows: F32 = np.zeros((n, n_channels), np.float32)
        self._mean: F32 = np.zeros((n, self._n_sources), np.float32)
        self._shut: F64 = np.zeros(2)  # time since the eyes began to close, s; swing of this blink, µV
        if self.blinks is not None:
            self._lid = Noise(seed, f"{self.name}.blinks", 2)
            self._swing = self._topography()
        self.reset()
        self.take(np.zeros((10, self._n_sources)))
        self.reset()

    def _topography(self) -> F32:
        """Return how a blink spreads over channels, 1 at most, from a dipole in each eye pointing forwards."""
        from sim.sensors.head import Head
        from sim.sensors.montage import Montage

        where = self.leadfield.positions_mm
        if where is None:
            raise ContractError(f"{self.name}: blinks need the channels' places; give LeadField.positions_mm")
        away = np.sqrt((where**2).sum(axis=1, keepdims=True))
        forward = np.array([[0.0, 0.8, 0.6]] * 2)
        eyes = Head().eeg(Montage(self.labels, 90.0 * where / away), np.array(EYES_MM), normals=forward)
        swing = eyes.matrix.sum(axis=1)
        swing /= np.abs(swing).max()
        return np.asarray(swing, np.float32)

    def receive(self, port: str, value: AnyArray) -> None:
        """Take an input; it holds from the next block on.

        Raises
        ------
        ContractError
            If there is no such input, or value or shape do not fit.
        """
        given = checked(self, port, value)
        if port == "dead" and not np.isin(given, (0.0, 1.0)).all():
            raise ContractError(f"{self.name}.dead: expected 0 or 1 for each channel, given {np.unique(given)[:5]}")
        if port == "stimulus_hz" and not 0.0 <= given <= self.rate_hz:
            raise ContractError(f"{self.name}.stimulus_hz: expected 0 to {self.rate_hz:g} Hz, given {given:g}")
        self._given[port][...] = given
        self._alive[:] = 1.0 - self._given["dead"]

    def take(self, moments: AnyArray) -> F32:
        """Return the samples of a block, (n_samples, n_channels) float32, µV; borrowed.

        Parameters
        ----------
        moments : (10, n_sources)
            Dipole moment of every source in each millisecond, nA·m.

        Raises
        ------
        ContractError
            If it has another shape.
        """
        if moments.shape != (10, self._n_sources):
            raise ContractError(
                f"{self.name}: expected the moments of 10 ms, shape (10, {self._n_sources}), nA·m, "
                f"given {moments.shape}"
            )
        step, rows, given = int(self._at[0]), self._rows, self._given
        np.mean(moments.reshape(len(rows), self._every, -1), axis=1, out=self._mean, dtype=np.float32)
        np.matmul(self._mean, self._gain, out=rows)
        self.surroundings.distant(step, rows)
        if self.blinks is not None:
            self._blink(self.blinks, step, rows)
        rows *= self._alive
        self.surroundings.own(step, rows)
        self.surroundings.limit(float(given["stimulus_uv"]), float(given["stimulus_hz"]), rows)
        if self._average:
            rows -= rows.mean(axis=1, keepdims=True)
        self._at[0] = step + 1
        return rows

    def _blink(self, b: Blinks, step: int, rows: F32) -> None:
        """Add the lids: a swing as a raised cosine, faster down than up."""
        if self._shut[1] == 0.0 and self._lid.uniform(0, step)[0] < b.per_min / 60.0 * GRID_S:
            self._shut[:] = 0.0, b.amplitude_uv * math.exp(b.spread * float(self._lid.normal(1, step)[0]))
        if self._shut[1] != 0.0:
            t = self._shut[0] + (np.arange(len(rows)) + 1.0) / self.rate_hz
            share = np.clip(t / b.duration_s, 0.0, 1.0)
            lid = np.where(share < 1 / 3, 1.5 * share, 0.5 + 0.75 * (share - 1 / 3))
            swing = (self._shut[1] * np.sin(np.pi * lid) ** 2).astype(np.float32)
            rows += swing[:, None] * self._swing
            self._shut[0] += GRID_S
            if self._shut[0] > b.duration_s - 1e-9:
                self._shut[:] = 0.0

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        own: dict[str, AnyArray] = {"step": self._at, "blink": self._shut, "alive": self._alive}
        own |= {f"input.{k}": v for k, v in self._given.items()}
        return own | dict(self.surroundings.state())

    def reset(self) -> None:
        """Forget state and inputs."""
        for array in (self._at, self._shut, *self._given.values()):
            array[...] = 0
        self._alive[:] = 1.0
        self.surroundings.reset()


@lru_cache(maxsize=64)
def _input_ports(n_channels: int) -> tuple[Port, ...]:
    """Return the inputs: made once, as they are asked for at every one that is received."""
    return (
        Port("dead", "", (n_channels,), about="1 for a channel that has lost its electrode"),
        Port("stimulus_uv", "µV", about="stimulation artefact at the pulse on a median channel, in this block"),
        Port("stimulus_hz", "Hz", about="pulses a second; 0 is one at the beginning of each block"),
    )
