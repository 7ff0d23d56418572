"""Twin of the array's kernel: one millisecond and electrode after the other, in plain NumPy, from the description.

A spike crosses if noise leaves its trough beyond the threshold, noise crosses by itself as Rice's formula says, and of
everything that would cross in a millisecond the first moment at which the electrode is free counts.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from sim.component import Noise
from sim.sensors.crossings import LIFT, NOISE_HZ


class Twin:
    """The crossings of an array that is bound, at its present inputs; see ``Array`` for the parameters."""

    def __init__(self, array, seed):
        self.a, self.heard = array, array.heard()
        c, s = self.heard.neuron.shape
        self.noise = Noise(seed, array.name, c * (s + 1) + 1)
        self.free_ms = np.zeros(c)
        self.ms = 0

    def take(self, counts, artefact_uv):
        return np.array([self._ms(row, abs(float(uv))) for row, uv in zip(counts, artefact_uv, strict=True)])

    def _ms(self, row, artefact_uv):
        c, s = self.heard.neuron.shape
        drawn = self.noise.uniform(0, self.ms).astype(np.float64)
        hum_uv = self.a.line_uv * np.sin(2 * np.pi * self.a.line_hz * 1e-3 * (self.ms + 0.5))
        common = drawn[-1] / (self.a.common_hz * 1e-3) if self.a.common_hz else np.inf
        self.ms += 1
        found = np.zeros(c)
        for e in range(c):
            level = self.a.threshold - hum_uv / self.heard.noise_uv[e]
            moments = [common]
            for j in range(s):
                if self.heard.neuron[e, j] >= 0 and row[self.heard.neuron[e, j]] > 0:
                    moments.append(drawn[j * c + e] / ndtr(self.heard.snr[e, j] + LIFT - level))
            moments.append(drawn[s * c + e] / (1e-3 * NOISE_HZ * np.exp(-(level**2) / 2)))
            found[e] = self._electrode(e, np.array(moments), artefact_uv) if self.heard.live[e] else 0.0
            self.free_ms[e] = max(self.free_ms[e] - 1.0, 0.0)
        return found

    def _electrode(self, e, moments, artefact_uv):
        """Return 1 if electrode ``e`` counts in this millisecond; a moment of 1 or later is one that never comes."""
        a, counted = self.a, 0.0
        ratio = artefact_uv * a.gains_[e] / (a.threshold * self.heard.noise_uv[e])
        if ratio > 1.0 and a.blank_s:
            self.free_ms[e] = max(self.free_ms[e], 1e3 * a.blank_s)
        elif ratio > 1.0:
            counted = float(self.free_ms[e] <= 0.0)
            lasts = max(1e3 * a.refractory_s, 1e3 * a.decay_s * np.log(ratio))
            self.free_ms[e] = max(self.free_ms[e], lasts)
        heard = moments[(moments < 1.0) & (moments >= self.free_ms[e])]
        if len(heard) and not counted:
            self.free_ms[e] = heard.min() + 1e3 * a.refractory_s
            counted = 1.0
        return counted
