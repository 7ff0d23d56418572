"""Electrodes among neurons: who is heard where, how large, and in what shape.

Every channel hears the same number of neurons, each of which is heard on that channel alone, as on arrays whose
electrodes are 400 µm apart. A spike is a trough followed by a slower hump of equal area, about a millisecond in
all; its width differs from neuron to neuron [1]_. Depth falls with the distance d between electrode and soma as
1 / (1 + d / 28 µm) [2]_, neurons being spread evenly in a sphere, or is drawn as a signal-to-noise ratio.

Firing is that of the population within milliseconds, but a neuron that has just fired is silent for
``refractory_s`` (a dead time τ): where the population says r, it fires at r / (1 + r τ). Spikes fall anywhere
between two samples, to an eighth of one. The waveform begins with the spike, so that its trough comes
``BEFORE_S`` later.

.. [1] Barthó et al. (2004) J Neurophysiol 92:600. Trough-to-peak times of cortical neurons.
.. [2] Pettersen & Einevoll (2008) Biophys J 94:784. Amplitude against distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import F32, F64, I64
from sim import SLOT_S
from sim._electrodes_kernels import TICKS, Sites, collect, plant

BEFORE_S, AFTER_S = 0.0003, 0.0010
"""Duration of a waveform before and after its trough, s."""
FALLOFF_UM = 28.0
NEAREST_UM = 10.0
N_SHAPES = 16


class Planted(NamedTuple):
    """Spikes that really happened, in order of sample."""

    sample: I64
    """(n,) sample nearest the trough, counted from the first."""
    neuron: I64
    """(n,) who fired."""
    channel: I64
    """(n,) where it is heard."""


@dataclass(kw_only=True)
class Electrodes:
    """Where neurons are, and how large they are on the channels."""

    neurons: Annotated[int, Ge(1)] = 1
    """Neurons heard on each channel."""
    law: Literal["distance", "snr"] = "distance"
    """What decides their amplitude."""
    near_uv: Annotated[float, Gt(0)] = 250.0
    """Depth of the trough next to the soma, µV."""
    reach_um: Annotated[float, Gt(NEAREST_UM)] = 100.0
    """Distance of the farthest neuron still heard as itself, µm."""
    snr: Annotated[float, Gt(0)] = 6.0
    """Median depth of the trough, in standard deviations of thermal noise and hash on the channel; lognormal."""
    snr_spread: Annotated[float, Ge(0)] = 0.3
    """Standard deviation of its logarithm."""
    peak_min_s: Annotated[float, Gt(0)] = 0.00025
    """Shortest time from trough to peak, s."""
    peak_max_s: Annotated[float, Gt(0)] = 0.00045
    """Longest, s; uniform over neurons."""
    refractory_s: Annotated[float, Ge(0.001)] = 0.0015
    """A neuron fires no other spike within, s."""

    def bind(
        self, array: np.random.Generator, spikes: np.random.Generator, *, noise_uv: F64, rate_hz: float
    ) -> None:
        """Place the neurons around electrodes whose noise is ``noise_uv`` (n_channels,), drawing from ``array``.

        Raises
        ------
        ContractError
            If the times to the peak are the wrong way round.
        """
        if self.peak_max_s < self.peak_min_s:
            raise ContractError(
                f"Electrodes: peak_max_s is {self.peak_max_s:g}, expected at least "
                f"peak_min_s = {self.peak_min_s:g}; exchange them"
            )
        n = len(noise_uv) * self.neurons
        self.channels_: I64 = np.repeat(np.arange(len(noise_uv)), self.neurons)
        """Channel on which each neuron is heard."""
        far, ratio, shape = array.random(n), array.standard_normal(n), array.integers(0, N_SHAPES, n)
        self.distances_um_: F64 = np.cbrt(NEAREST_UM**3 + far * (self.reach_um**3 - NEAREST_UM**3))
        self.depths_uv_: F64 = (
            self.near_uv / (1 + self.distances_um_ / FALLOFF_UM)
            if self.law == "distance"
            else self.snr * np.exp(self.snr_spread * ratio) * noise_uv[self.channels_]
        )
        """Depth of each neuron's trough, µV."""
        self._spikes, self._rate_hz = spikes, rate_hz
        self._n_samples = round(rate_hz * SLOT_S)
        self._before = round(BEFORE_S * rate_hz)
        bank = self._bank(rate_hz)
        self._sites = Sites(self.channels_, self.depths_uv_.astype(np.float32), shape, bank)
        self._refractory = round(self.refractory_s * rate_hz * TICKS)
        self._last: I64 = np.full(n, -self._refractory)
        self._ring: F32 = np.zeros((self._n_samples + bank.shape[2], len(noise_uv)), np.float32)
        self._uniform: F64 = np.zeros(n)
        self._found: I64 = np.zeros((n, 2), np.int64)
        self.n_found = 0
        """Spikes of the last slot."""
        self._slot = 0
        self._warm()

    def _warm(self) -> None:
        """Compile what ``step`` calls."""
        n, silence = self._n_samples, np.zeros(len(self.channels_), np.float32)
        plant(silence, self._uniform, 0, n, self._refractory, self._sites, self._last, self._ring, self._found)
        collect(0, self._ring, np.zeros((n, self._ring.shape[1]), np.float32))

    def _bank(self, rate_hz: float) -> F32:
        """Return the waveforms of every width and position between samples, (N_SHAPES, TICKS, n_waveform)."""
        n = self._before + round(AFTER_S * rate_hz) + 1
        late = np.arange(TICKS) / TICKS
        t = (np.arange(n) - self._before - late[:, None]) / rate_hz
        widths = np.linspace(self.peak_min_s, self.peak_max_s, N_SHAPES)
        return np.stack([waveform(t, w) for w in widths]).astype(np.float32)

    def step(self, counts: F32, rows: F32) -> None:
        """Add the next millisecond's spikes to ``rows`` (n_samples, n_channels), µV, given ``counts`` (n_neurons,).

        *Realtime*: 1000 times a second, 256 neurons ~7 µs, allocates nothing.
        """
        self._spikes.random(out=self._uniform)
        n = self._n_samples
        self.n_found = plant(
            counts, self._uniform, self._slot, n, self._refractory, self._sites, self._last, self._ring, self._found
        )
        collect(self._slot * n, self._ring, rows)
        self._slot += 1

    def found(self) -> I64:
        """Return the last slot's spikes, (n, 2): sample nearest the trough and neuron; the caller's to keep."""
        new: I64 = self._found[: self.n_found].copy()
        new[:, 0] = (new[:, 0] + TICKS * self._before + TICKS // 2) // TICKS
        return new


def waveform(t: F64, peak_s: float) -> F64:
    """Return a spike of depth 1 at times ``t``, s after its trough, whose hump peaks at ``peak_s``.

    Trough and hump are Gaussian and of equal area; the ends are brought to zero within a tenth of the whole.
    """
    narrow, wide = 0.25 * peak_s, 0.55 * peak_s
    both = -np.exp(-0.5 * (t / narrow) ** 2) + narrow / wide * np.exp(-0.5 * ((t - peak_s) / wide) ** 2)
    edge = 0.1 * (BEFORE_S + AFTER_S)
    ends = np.clip(np.minimum(t + BEFORE_S, AFTER_S - t) / edge, 0.0, 1.0)
    depth = 1.0 - narrow / wide * np.exp(-0.5 * (peak_s / wide) ** 2)  # at the trough
    shaped: F64 = both / depth * np.sin(0.5 * np.pi * ends) ** 2
    return shaped
