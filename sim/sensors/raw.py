"""The same array before filter and detector: 30 000 samples a second of every electrode, in µV.

Thin and dear: the noise is drawn sample by sample (``sim.background`` has its spectrum), each spike of a neuron the
array hears is a waveform at a random moment of its millisecond (``sim.electrodes``, or ``sim.sensors.templates`` of
cells), artefacts decay and saturate. Behind a band-pass of 300 to 6000 Hz and a detector of amplitudes it gives the
yields of :class:`sim.sensors.array.Array`, not its very crossings: the noise is another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt

from bmi.errors import ContractError
from bmi.signals import F32, F64, I64, AnyArray
from sim import SLOT_S
from sim._background_kernels import add_outer, clip, colour
from sim._electrodes_kernels import TICKS, Sites, collect, plant
from sim.background import innovation
from sim.component import Noise
from sim.electrodes import AFTER_S, BEFORE_S, waveform
from sim.sensors.array import N_MS, Array

RATE_HZ = 30_000.0
N_SLOT = round(RATE_HZ * SLOT_S)
NOISE, MOMENT, EVENT = 0, 1, 2
"""Streams of random numbers."""
COMMON_UV = 500.0
"""Size of what all electrodes hear now and then, a cycle of a millisecond, µV."""
HASH_HZ = (300.0, 3000.0)
FILTER_HZ = 300.0
"""Mains hum is given as what a filter of second order from here on leaves of it."""
WIDTHS_S = tuple(np.linspace(0.00025, 0.00045, 16).tolist())
"""Times from trough to peak of the neurons' spikes, s."""


@dataclass(kw_only=True)
class Raw:
    """What amplifiers behind ``array`` show.

    *Realtime*: ``take`` is called 100 times a second and takes some 0.6 ms for 96 electrodes.
    """

    array: Array
    """Bound before; its inputs, set at any time, hold here as well."""
    bank: F32 | None = None
    """(n_shapes, 8, n_samples) waveforms of depth 1 at 30 kHz, each an eighth of a sample later than the one before;
    ``sim.sensors.templates.bank`` gives those of cells. None: troughs and humps of 0.25 to 0.45 ms."""
    rail_uv: Annotated[float, Gt(0)] = 6_400.0
    """The amplifier saturates beyond, µV."""

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second."""
        return 0.06 * self.array.n_channels / 96

    def bind(self, seed: int) -> None:
        """Draw the shape of every neuron's spike and the noise from ``seed``.

        Raises
        ------
        ContractError
            If the waveforms are of another shape.
        """
        a = self.array
        bank = waveforms() if self.bank is None else np.asarray(self.bank, np.float32)
        if bank.ndim != 3 or bank.shape[1] != TICKS or not bank.size:
            raise ContractError(f"Raw.bank: expected (n_shapes, {TICKS}, n_samples), given {bank.shape}")
        n = a.n_channels
        places = n * a.neurons
        drawn = np.random.default_rng([seed if a.subject is None else a.subject, 0x4A3]).integers(0, len(bank), places)
        channel: I64 = np.repeat(np.arange(n), a.neurons)
        self._sites = Sites(channel, np.zeros(places, np.float32), drawn, bank)
        self._noise = Noise(seed, f"{a.name} raw", N_SLOT * n)
        self._moments = Noise(seed, f"{a.name} spikes", places)
        self._gain: F32 = a.gains_.astype(np.float32)
        self._level: F32 = a.levels_.astype(np.float32)
        self._at, self._left = np.zeros(1, np.int64), np.zeros(1)
        self._z, self._last = np.zeros((2, n), np.float32), np.zeros(places, np.int64)
        self._ring: F32 = np.zeros((N_SLOT + bank.shape[2], n), np.float32)
        self._found: I64 = np.zeros((places, 2), np.int64)
        self._decay: F64 = np.exp(-np.arange(N_SLOT + 1) / (a.decay_s * RATE_HZ))
        self._cycle: F64 = -COMMON_UV * np.sin(2 * np.pi * np.arange(N_SLOT) / N_SLOT)
        self._rows: F32 = np.zeros((N_MS * N_SLOT, n), np.float32)
        self._aged: dict[str, float] = {}
        self.take(np.zeros((N_MS, a.n_neurons), np.float32), np.ones(N_MS, np.float32))
        self.reset()

    def _follow(self) -> None:
        """See what the array hears now."""
        a, aged = self.array, self.array.aged
        if aged == self._aged:
            return
        self._aged = aged
        heard = a.heard()
        neuron = heard.neuron.reshape(-1)
        self._who: I64 = np.maximum(neuron, 0)
        self._there: F32 = (neuron >= 0).astype(np.float32)
        self._sites.depth[:] = heard.depth_uv.reshape(-1)
        self._live: F32 = heard.live.astype(np.float32)
        b, coefs = innovation(a.thermal_uv * aged["impedance"], a.hash_uv, *HASH_HZ, RATE_HZ)
        self._coef: F32 = np.array([*b, *coefs[1:]], np.float32)

    def take(self, counts: F32, artefact_uv: F32 | None = None) -> F32:
        """Return the samples of a block, (300, n_channels) float32, µV; borrowed. Arguments as of ``Array.take``."""
        self._follow()
        heard = counts[:, self._who] * self._there
        for k in range(N_MS):
            pulse_uv = 0.0 if artefact_uv is None else float(artefact_uv[k])
            self._slot(heard[k], pulse_uv, self._rows[k * N_SLOT : (k + 1) * N_SLOT])
        return self._rows

    def _slot(self, heard: F32, pulse_uv: float, rows: F32) -> None:
        """Write the next millisecond."""
        slot, a = int(self._at[0]), self.array
        rows[:] = self._noise.normal(NOISE, slot).reshape(rows.shape)
        colour(self._coef, self._z, self._level, rows)
        moment = self._moments.uniform(MOMENT, slot).astype(np.float64)
        plant(heard, moment, slot, N_SLOT, 0, self._sites, self._last, self._ring, self._found)
        collect(slot * N_SLOT, self._ring, rows)
        if self._moments.uniform(EVENT, slot)[0] < a.common_hz * SLOT_S:
            rows += self._cycle[:, None].astype(np.float32)
        if a.line_uv:
            turns = (slot + np.arange(N_SLOT) / N_SLOT) * a.line_hz * SLOT_S
            hum = a.line_uv * (FILTER_HZ / a.line_hz) ** 2 * np.sin(2 * np.pi * (turns % 1.0))
            rows += hum[:, None].astype(np.float32)
        if pulse_uv or self._left[0]:
            series = (pulse_uv + self._left[0]) * self._decay
            self._left[0] = series[-1] if abs(series[-1]) > 1e-3 else 0.0
            add_outer(series[:-1], self._gain, rows)
        clip(np.float32(self.rail_uv), rows)
        rows *= self._live
        self._at[0] += 1

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name; the array's own are its own."""
        return {"step": self._at, "left_uv": self._left, "filter": self._z, "last": self._last, "to_come": self._ring}

    def reset(self) -> None:
        """Forget state; the filter's noise settles in a few milliseconds."""
        for array in self.state().values():
            array[...] = 0


def waveforms() -> F32:
    """Return the usual spikes in every width and position between samples, (16, 8, n_samples), of depth 1."""
    before = round(BEFORE_S * RATE_HZ)
    n = before + round(AFTER_S * RATE_HZ) + 1
    t = (np.arange(n) - before - np.arange(TICKS)[:, None] / TICKS) / RATE_HZ
    return np.stack([waveform(t, width) for width in WIDTHS_S]).astype(np.float32)
