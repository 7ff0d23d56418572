"""The smallest honest component: damped oscillators kicked by an input and by noise, in plain NumPy.

A stochastic oscillator per element, semi-implicit Euler: v += dt (u - w^2 x - 2 v / tau) + sqrt(dt) s n; x += dt v.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.component import Noise, Port, checked


@dataclass(kw_only=True)
class Oscillators:
    """Two oscillators; an event whenever x passes 0 upwards."""

    name: str = "oscillators"
    dt_s: float = 0.001
    rate_hz: float = 500.0
    cost: float = 0.01
    inputs = (Port("force", "N", (2,), about="Pushes each."), Port("noise", "", (), about="Scales the noise."))

    @property
    def outputs(self):
        return (Port("position", "m", (2,), self.rate_hz), Port("crossing", "", (2,)))

    def bind(self, seed):
        self._noise = Noise(seed, self.name, 2)
        self._seed = seed
        self._force, self._scale = np.zeros(2), np.ones(())
        self._x, self._v, self._k = np.zeros(2), np.zeros(2), np.zeros(1, np.int64)

    def receive(self, port, value):
        {"force": self._force, "noise": self._scale}[port][...] = checked(self, port, value)

    def step(self, n):
        rows, events = [], []
        every = round(1.0 / (self.rate_hz * self.dt_s))
        for _ in range(n):
            k = int(self._k[0])
            before = self._x.copy()
            force = self._force - 900.0 * self._x - 4.0 * self._v
            self._v += self.dt_s * force + self._scale * np.sqrt(self.dt_s) * self._noise.normal(0, k)
            self._x += self.dt_s * self._v
            events += [(k, i) for i in range(2) if before[i] < 0 <= self._x[i]]
            self._k += 1
            if (k + 1) % every == 0:
                rows.append(self._x.copy())
        return np.array(rows).reshape(-1, 2), np.array(events, np.int64).reshape(-1, 2)

    def state(self):
        return {"x": self._x, "v": self._v, "steps": self._k, "force": self._force, "noise": self._scale}

    def reset(self):
        self.bind(self._seed)
