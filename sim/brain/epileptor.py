"""Epileptors, one or a whole brain of them: how seizures begin, recruit other regions and end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt

from bmi.compiled import direct
from bmi.errors import ContractError
from bmi.signals import F64, AnyArray
from sim.brain import _epileptor_kernels as kernels
from sim.brain.connectome import Connectome
from sim.brain.network import PerRegion, forget, lines, per_region, rows_each_ms, size, tract_count
from sim.component import Noise, Port, checked, whole_steps

STEP = 0.05
"""Longest step, in units of the model's time."""
SILENT = -2.07
"""Excitability below which a lone region has a stable state of rest, with a margin."""
VARIABLES = ("x1", "y1", "z", "x2", "y2", "g")


@dataclass(kw_only=True)
class Epileptor:
    """Regions that may have seizures [1]_: fast discharges, spike and wave, and a slow permittivity between them.

    In units of the model's time, the sum over the regions that send tracts, delayed by their lengths::

        x1' = y1 - f1 - z + 3.1 + stimulus + Kf Σ w (x1_from - x1)
        y1' = 1 - 5 x1² - y1
        z'  = (4 (x1 - x0) - z - K Σ w (x1_from - x1)) / 2857
        x2' = -y2 + x2 - x2³ + 0.45 + 2 g - 0.3 (z - 3.5)
        y2' = (-y2 + f2) / 10
        g'  = -0.01 (g - 0.1 x1)

    f1 = x1³ - 3 x1² for x1 < 0, else (x2 - 0.6 (z - 4)²) x1; f2 = 6 (x2 + 0.25) for x2 > -0.25, else 0. Coupling by
    the permittivity, K, is that of difference of slow variables [2]_. A region whose excitability x0 is below about
    -2.06 stays silent if nobody pushes it. Regions start at rest, at the x0 given or, where that has none, just below.

    Inputs: ``x0``; ``stimulus``, added to x1'; ``afferent`` and ``efferent``, shares of what reaches and what leaves a
    region (lesions, cuts). Outputs at 1 kHz: ``lfp`` = x2 - x1, ``slow`` = z. The model has no physical unit of
    voltage, and its unit of time is a matter of convention: ``unit_s``.

    *Realtime*: a step of 10 ms of 84 regions takes some 0.1 ms of one core; it allocates what it returns.

    References
    ----------
    .. [1] Jirsa, Stacey, Quilichini, Ivanov & Bernard (2014) On the nature of seizure dynamics. Brain 137:2210-2230.
    .. [2] Proix, Bartolomei, Chauvel, Bernard & Jirsa (2014) Permittivity coupling across brain regions determines
       seizure recruitment in partial epilepsy. J Neurosci 34:15009-15021.
    """

    name: str = "epileptor"
    connectome: Connectome | None = None
    """Regions and tracts; None is one region."""
    gain: Annotated[float, Ge(0)] = 0.0
    """K, of all tracts, on the permittivity."""
    fast_gain: Annotated[float, Ge(0)] = 0.0
    """Kf, of all tracts, on the fast discharges."""
    speed_m_s: Annotated[float, Gt(0)] = 4.0
    """At which tracts conduct."""
    x0: PerRegion = -2.2
    """Excitability; initial value of the input."""
    noise: PerRegion = 0.0
    """Of x2 and y2: standard deviation that white noise adds in a unit of time."""
    rest1: PerRegion = 3.1
    """I_rest1."""
    rest2: PerRegion = 0.45
    """I_rest2."""
    unit_s: Annotated[float, Gt(0)] = 0.01
    """A unit of the model's time, s: at 0.01 a seizure of 1174 units lasts 12 s, and one is due each 20 s at most."""
    method: Literal["heun", "euler"] = "heun"
    dt_s: Annotated[float, Gt(0)] = 5e-4
    """Step, s: at most 0.05 units, a whole part of 1 ms."""

    @property
    def n(self) -> int:
        """How many regions."""
        return size(self.connectome)

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What others do to it."""
        return _input_ports(self.n)

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What it shows."""
        return (
            Port("lfp", "", (self.n,), 1000.0, "local field potential x2 - x1, in the model's units"),
            Port("slow", "", (self.n,), 1000.0, "permittivity z"),
        )

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second."""
        return (0.002 + 6e-5 * self.n + 8e-7 * tract_count(self.connectome)) * 5e-4 / self.dt_s

    def bind(self, seed: int) -> None:
        """Lay out the tracts; allocate; compile. ``seed`` draws the noise only.

        Raises
        ------
        ContractError
            If a parameter fits neither all regions nor each, the step is too long, or a delay is absurd.
        """
        whole_steps(self.name, self.dt_s, min(1e-3, STEP * self.unit_s))
        self._n_ms = rows_each_ms(self.name, self.dt_s)
        n, dt = self.n, self.dt_s / self.unit_s
        noise = per_region(self.name, "noise", self.noise, n, 0.0) * math.sqrt(dt)
        self._x0 = per_region(self.name, "x0", self.x0, n)
        self._rest1 = per_region(self.name, "rest1", self.rest1, n)
        self._clock = kernels.Clockwork(dt, self._n_ms, self.method == "heun", bool(noise.any()))
        self.lines_ = lines(self.name, self.connectome, self.speed_m_s, self.dt_s)
        self._weights = np.zeros((1, 1)) if self.connectome is None else self.connectome.weights
        self._noise = Noise(seed, self.name, 2 * n)

        def zeros(k: int = 1) -> F64:
            return np.zeros(k * n)

        self._x = zeros(6)
        words, four = self._noise.words, self._noise.four
        self._scratch = kernels.Scratch(
            words, four, four.reshape(-1)[: 2 * n], zeros(), zeros(), zeros(2), *(zeros(6) for _ in range(3))
        )
        rest2 = per_region(self.name, "rest2", self.rest2, n)
        self._given = kernels.Given(
            zeros(), zeros(), rest2, np.full(n, self.fast_gain), np.full(n, -self.gain), zeros(), zeros(), zeros(),
            noise,
        )  # fmt: skip
        self._stimulus = zeros()
        self._at = np.zeros(1, np.int64)
        self._advance = direct(kernels.advance)
        self.reset()
        self.step(self._n_ms)
        self.reset()

    def receive(self, port: str, value: AnyArray) -> None:
        """Take an input.

        Raises
        ------
        ContractError
            If there is no such input, the shape is another, a value is not finite, or a share is negative.
        """
        given = checked(self, port, value)
        if port in ("afferent", "efferent") and (given < 0.0).any():
            k = int(given.argmin())
            raise ContractError(f"{self.name}.{port}: expected at least 0, given {given[k]:g} in region {k}")
        if port == "stimulus":
            self._stimulus[:] = given
            self._given.rest1[:] = self._rest1 + given
        else:
            getattr(self._given, port)[:] = given
        if port == "efferent":
            self._given.total[:] = self._weights @ given

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` steps; return field potentials and permittivities since."""
        t = int(self._at[0])
        rows = (t + n) // self._n_ms - t // self._n_ms
        lfp, slow = np.empty((rows, self.n)), np.empty((rows, self.n))
        self._advance(
            self._noise.key, t, n, self._clock, self._given, self.lines_, self._x, self._scratch, lfp, slow
        )
        self._at[0] = t + n
        return lfp, slow

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        n, given = self.n, self._given
        own: dict[str, AnyArray] = {"step": self._at, "sent": self.lines_.sent, "arriving": self.lines_.arriving}
        own |= {name: self._x[k * n : (k + 1) * n] for k, name in enumerate(VARIABLES)}
        own |= {f"input.{k}": getattr(given, k) for k in ("x0", "afferent", "efferent")}
        return own | {"input.stimulus": self._stimulus, "rest1": given.rest1, "total": given.total}

    def reset(self) -> None:
        """Start anew, at rest, as if it had been so for all time."""
        self._at[0] = 0
        for port, value in (("x0", self._x0), ("stimulus", 0.0), ("afferent", 1.0), ("efferent", 1.0)):
            self.receive(port, np.broadcast_to(value, (self.n,)))
        self._x[:] = rest(np.minimum(self._x0, SILENT)).reshape(-1)
        forget(self.lines_, self._x[: self.n])


@lru_cache(maxsize=64)
def _input_ports(n_regions: int) -> tuple[Port, ...]:
    """Return the inputs: made once, as they are asked for at every one that is received."""
    n = (n_regions,)
    return (
        Port("x0", "", n, about="excitability; seizures come by themselves above about -2.06"),
        Port("stimulus", "", n, about="added to x1', per unit of the model's time"),
        Port("afferent", "", n, about="share of what others send that reaches a region"),
        Port("efferent", "", n, about="share of what a region sends that leaves it"),
    )


def rest(x0: F64) -> F64:
    """Return where a lone region rests, (6, n), for excitabilities (n,) below the threshold of seizures.

    There x1' = y1' = z' = 0 leave x1³ + 2 x1² + 4 (x1 - x0) = 4.1, of one real solution, and x2 sits on the lower
    branch of its cubic with y2 = 0.
    """
    x1 = np.array([_real(np.array([1.0, 2.0, 4.0, -4.0 * x - 4.1])) for x in x0])
    z = 4.0 * (x1 - x0)
    drive = 0.45 + 0.2 * x1 - 0.3 * (z - 3.5)
    x2 = np.array([_real(np.array([-1.0, 0.0, 1.0, d])) for d in drive])
    return np.stack([x1, 1.0 - 5.0 * x1**2, z, x2, np.zeros_like(x1), 0.1 * x1])


def _real(coefficients: F64) -> float:
    """Return the lowest real root of a polynomial."""
    roots = np.roots(coefficients)
    return float(roots[np.abs(roots.imag) < 1e-9].real.min())
