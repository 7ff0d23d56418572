"""A region of spiking neurons whose mean field is known exactly: quadratic integrate-and-fire, all to all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import F64, AnyArray
from sim.brain._qif_kernels import Cells, Numbers, advance
from sim.brain.network import rows_each_ms
from sim.component import Noise, Port, checked, whole_steps


@dataclass(kw_only=True)
class QIF:
    """Neurons tau V' = V² + eta + J r + I that fire at infinity and come back from minus infinity [1]_.

    The inputs eta are Lorentzian, centre ``eta`` and half width ``width``, one for each of N equal shares of them.
    Each spike is heard by all as a kick of J / N one step later. Between kicks the flow is solved exactly; a spike is
    one when the potential passes infinity, so that no threshold stands in for it. Mean field: ``sim.brain.montbrio``.

    Inputs: ``drive``, added to I of all. Outputs at 1 kHz: ``counts``, spikes of the population in the millisecond, and
    ``rate``, Hz.

    *Realtime*: a step of 10 ms of 10 000 neurons takes some 1 ms of one core.

    References
    ----------
    .. [1] Montbrió, Pazó & Roxin (2015) Macroscopic description for networks of spiking neurons. Phys Rev X 5:021028.
    """

    name: str = "qif"
    n_neurons: Annotated[int, Gt(0)] = 10_000
    width: Annotated[float, Gt(0)] = 1.0
    """Delta, half width at half height of the distribution of eta."""
    eta: float = -5.0
    """Its centre."""
    coupling: float = 15.0
    """J."""
    drive: float = 0.0
    """I, what all receive from elsewhere."""
    noise: Annotated[float, Ge(0)] = 0.0
    """Standard deviation of its fluctuation, white, averaged over 1 ms; common to all."""
    tau_s: Annotated[float, Gt(0)] = 0.010
    """Membrane time constant."""
    start: Annotated[float, Ge(0)] = 0.0811
    """Rate per time constant in whose stationary state all begin."""
    dt_s: Annotated[float, Gt(0)] = 1e-4
    """Step, s: a whole part of 1 ms, at most a fiftieth of ``tau_s``."""

    inputs = (Port("drive", "", (), about="added to what all neurons receive"),)
    outputs = (
        Port("counts", "count", (), 1000.0, about="spikes of the population"),
        Port("rate", "Hz", (), 1000.0, about="of a neuron, mean over the population"),
    )

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second."""
        return 0.11 * self.n_neurons / 10_000 * 1e-4 / self.dt_s

    def bind(self, seed: int) -> None:
        """Lay out the inputs; draw the potentials from ``seed``; compile.

        Raises
        ------
        ContractError
            If the step does not fit or a neuron could fire twice in one.
        """
        whole_steps(self.name, self.dt_s, 1e-3)
        self._n_ms = rows_each_ms(self.name, self.dt_s)
        n, h = self.n_neurons, self.dt_s / self.tau_s
        self._eta = self.eta + self.width * spread(n)
        fastest = math.sqrt(max(float(self._eta[-1]), 0.0))
        if h > 0.02 * (1.0 + 1e-9) or h * fastest >= math.pi:
            longest = self.tau_s * min(0.02, math.pi / max(fastest, 1e-9))
            raise ContractError(
                f"{self.name}: dt_s is {self.dt_s:g} s, expected at most {longest:.3g} s, beyond which the mean field "
                "is missed or a neuron may fire twice in a step"
            )
        root = np.sqrt(np.abs(self._eta)) * h
        over = np.maximum(np.sqrt(np.abs(self._eta)), 1e-12)
        cosine = np.where(self._eta > 0.0, np.cos(root), np.cosh(np.minimum(root, 80.0)))
        sine = np.where(self._eta > 0.0, np.sin(root), np.sinh(np.minimum(root, 80.0))) / over
        pull = self._eta * sine
        self._cells = Cells(*(a.astype(np.float32) for a in (np.zeros(n), cosine, sine, pull, np.zeros(n))))
        self._numbers = Numbers(h, self.coupling / n, self.noise * math.sqrt(1e-3 / self.dt_s), self._n_ms)
        self._noise, self._rng = Noise(seed, self.name, 1), np.random.SeedSequence([seed, 0x71F])
        self._kept, self._at = np.zeros(2), np.zeros(1, np.int64)
        self._given, self._drive = np.zeros(()), np.zeros(1)
        self.reset()
        self.step(1)
        self.reset()

    def receive(self, port: str, value: AnyArray) -> None:
        """Take the drive. Raises ContractError if it is no finite number."""
        self._given[...] = checked(self, port, value)
        self._drive[0] = self.drive + self._given

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` steps; return counts and rates since."""
        t = int(self._at[0])
        shown = np.empty((t + n) // self._n_ms - t // self._n_ms)
        noise = self._noise
        advance(t, n, self._numbers, self._cells, self._drive, self._kept, noise.key, noise.words, noise.four, shown)
        self._at[0] = t + n
        return shown, shown / (self.n_neurons * 1e-3)

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        return {
            "v": self._cells.v, "kept": self._kept, "step": self._at, "input.drive": self._given, "drive": self._drive
        }

    def reset(self) -> None:
        """Begin again in the stationary state of the rate ``start``."""
        rng = np.random.default_rng(self._rng)
        current = self._eta + self.coupling * self.start + self.drive
        root = np.sqrt(np.abs(current))
        turning = root * np.tan(math.pi * (rng.random(self.n_neurons) - 0.5))
        self._cells.v[:] = np.where(current > 0.0, turning, -root)
        self._kept[:] = self.start * self.n_neurons * self._numbers.h, 0.0
        self._at[0] = 0
        self._given[...] = 0.0
        self._drive[0] = self.drive


def spread(n: int) -> F64:
    """Return (n,) values that stand for a Cauchy distribution, ascending: one for each of n equal shares of it.

    Each is the square of the mean square root within its share. Rates of strongly driven neurons go with the root of
    what drives them, and a few very fast ones make up much of the mean: at the middles of the shares they would be too
    slow by a few per cent of a low rate.
    """
    at, weight = np.polynomial.legendre.leggauss(8)
    edges = np.sqrt(np.append(np.arange(n // 2), 0.5 * n))  # roots: the integrand is smooth in them where it is steep
    if n % 2:
        edges = np.insert(edges, len(edges) - 1, math.sqrt(n // 2))
    low, high = edges[:-1, None], edges[1:, None]
    x = 0.5 * (low + high) + 0.5 * (high - low) * at
    roots = np.sqrt(1.0 / np.tan(math.pi * x * x / n)) * 2.0 * x
    share = (0.5 * (high - low) * (roots * weight)).sum(axis=1, keepdims=True) / (high**2 - low**2)
    upper = share[: n // 2, 0] ** 2
    return np.concatenate([-upper, np.zeros(n % 2), upper[::-1]])
