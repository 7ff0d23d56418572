"""Neural masses of Jansen and Rit, one or a whole brain of them: cortical columns that beat in the alpha band."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt

from bmi.compiled import direct
from bmi.errors import ContractError
from bmi.signals import F64, AnyArray
from sim.brain import _jansen_rit_kernels as kernels
from sim.brain.connectome import Connectome
from sim.brain.network import PerRegion, forget, lines, per_region, rows_each_ms, size, tract_count
from sim.component import Noise, Port, checked, whole_steps

SCALES = ("he", "cip", "cep", "afferent", "efferent", "local")
"""Inputs that are factors, 1 at rest and not negative."""


@dataclass(kw_only=True)
class JansenRit:
    """Regions of three populations each, pyramidal cells and excitatory and inhibitory interneurons [1]_.

    With S(v) = 2 e0 / (1 + exp(r (v0 - v))), and y1 - y2 the potential of pyramidal cells, which EEG shows::

        y0'' = A a S(y1 - y2)                          - 2 a y0' - a² y0
        y1'' = A a (p + C2 S(C1 y0) + G Σ w S(y1 - y2)) - 2 a y1' - a² y1
        y2'' = B b C4 S(C3 y0)                          - 2 b y2' - b² y2

    The sum runs over the regions that send tracts, each delayed by its length over the speed, rounded to whole steps.
    As in other simulators of this kind [2]_, what arrives is held during a step.

    Inputs: ``drive`` added to p; ``proxy``, the rate that regions in ``proxied`` send instead of their own; factors
    ``he`` on A, ``cip`` on C4 and ``cep`` on C2 (molecular load), ``local`` on all four C, ``afferent`` and
    ``efferent`` on what reaches and what leaves a region (lesions). Outputs at 1 kHz: ``psp`` = y1 - y2, and the
    ``rate`` each region fires at, that of a proxied region being the given one.

    *Realtime*: a step of 10 ms of 84 regions takes some 0.1 ms of one core; it allocates what it returns.

    References
    ----------
    .. [1] Jansen & Rit (1995) Electroencephalogram and visual evoked potential generation in a mathematical model of
       coupled cortical columns. Biol Cybern 73:357-366.
    .. [2] Sanz-Leon et al. (2015) Mathematical framework for large-scale brain network modeling in The Virtual Brain.
       NeuroImage 111:385-430.
    """

    name: str = "masses"
    connectome: Connectome | None = None
    """Regions and tracts; None is one region."""
    gain: Annotated[float, Ge(0)] = 1.0
    """G, of all tracts."""
    speed_m_s: Annotated[float, Gt(0)] = 4.0
    """At which tracts conduct."""
    drive_hz: PerRegion = 220.0
    """p, what a region receives from elsewhere, 1/s."""
    noise_hz: PerRegion = 0.0
    """Standard deviation of its fluctuation, white, averaged over 1 ms, 1/s."""
    proxied: tuple[int, ...] = ()
    """Regions whose rate is given from outside."""
    a_mv: PerRegion = 3.25
    """A, excitatory synaptic gain."""
    b_mv: PerRegion = 22.0
    """B, inhibitory synaptic gain."""
    a_hz: PerRegion = 100.0
    """a, inverse time constant of excitatory synapses, 1/s."""
    b_hz: PerRegion = 50.0
    """b, of inhibitory ones."""
    contacts: PerRegion = 135.0
    """C."""
    shares: tuple[float, float, float, float] = (1.0, 0.8, 0.25, 0.25)
    """C1 to C4 as shares of C: onto and from excitatory, onto and from inhibitory interneurons."""
    e0_hz: PerRegion = 2.5
    """Half the greatest rate."""
    v0_mv: PerRegion = 6.0
    """Potential of half the greatest rate."""
    r_per_mv: PerRegion = 0.56
    """Steepness of the sigmoid."""
    method: Literal["heun", "euler"] = "heun"
    dt_s: Annotated[float, Gt(0)] = 5e-4
    """Step, s: at most 1 ms, a whole part of it."""

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
            Port("psp", "mV", (self.n,), 1000.0, "potential of pyramidal cells above rest, y1 - y2"),
            Port("rate", "Hz", (self.n,), 1000.0, "at which they fire"),
        )

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second."""
        return (0.002 + 7e-5 * self.n + 8e-7 * tract_count(self.connectome)) * 5e-4 / self.dt_s

    def bind(self, seed: int) -> None:
        """Lay out the tracts; allocate; compile. ``seed`` draws the noise only.

        Raises
        ------
        ContractError
            If a parameter fits neither all regions nor each, or is out of its range, or a delay is absurd.
        """
        whole_steps(self.name, self.dt_s, 1e-3)
        self._n_ms = rows_each_ms(self.name, self.dt_s)
        n = self.n
        self._parameters = self._check(n)
        sd = per_region(self.name, "noise_hz", self.noise_hz, n, 0.0) * np.sqrt(1e-3 / self.dt_s)
        heun = self.method == "heun"
        self._clock = kernels.Clockwork(self.dt_s, self._n_ms, heun, bool(sd.any()))
        self.lines_ = lines(self.name, self.connectome, self.speed_m_s, self.dt_s)
        self._noise = Noise(seed, self.name, n)

        def zeros(k: int = 1) -> F64:
            return np.zeros(k * n)

        self._mass = kernels.Mass(*(zeros(k) for k in (3, 3, 1, 1, 1, 1, 3, 3)), noise=sd)
        self._region = kernels.Region(zeros(3), zeros(3))
        words, four = self._noise.words, self._noise.four
        self._scratch = kernels.Scratch(
            words, four, four.reshape(-1)[:n], zeros(), zeros(), *(zeros(3) for _ in range(6))
        )
        self._inputs = {p.name: np.zeros(p.shape) for p in self.inputs}
        self._given = kernels.Given(*(zeros() for _ in range(5)))
        self._given.proxied[list(self.proxied)] = 1.0
        self._at = np.zeros(1, np.int64)
        self._advance = direct(kernels.advance)
        self.reset()
        self.step(self._n_ms)
        self.reset()

    def _check(self, n: int) -> dict[str, F64]:
        wrong = [k for k in self.proxied if not 0 <= k < n]
        if wrong:
            raise ContractError(f"{self.name}.proxied: expected regions 0 to {n - 1}, given {wrong}")
        least = {"drive_hz": -np.inf, "v0_mv": -np.inf}
        fields = ("drive_hz", "a_mv", "b_mv", "a_hz", "b_hz", "contacts", "e0_hz", "v0_mv", "r_per_mv")
        found = {k: per_region(self.name, k, getattr(self, k), n, least.get(k, 0.0)) for k in fields}
        fastest = max(found["a_hz"].max(), found["b_hz"].max())
        if fastest * self.dt_s > 0.2:
            raise ContractError(
                f"{self.name}: dt_s is {self.dt_s * 1e3:g} ms for synapses of {fastest:g} /s, expected at most "
                f"{0.2 / fastest * 1e3:.3g} ms; beyond it the rhythm is wrong and nothing shows it"
            )
        return found

    def receive(self, port: str, value: AnyArray) -> None:
        """Take an input.

        Raises
        ------
        ContractError
            If there is no such input, the shape is another, a value is not finite, or a factor or rate is negative.
        """
        given = checked(self, port, value)
        if port != "drive" and (given < 0.0).any():
            k = int(given.argmin())
            raise ContractError(f"{self.name}.{port}: expected at least 0, given {given[k]:g} in region {k}")
        self._inputs[port][...] = given
        if port in ("drive", "proxy"):  # what another part says anew every 10 ms
            self._told()
        else:
            self._apply()

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` steps; return potentials and rates since."""
        t = int(self._at[0])
        rows = (t + n) // self._n_ms - t // self._n_ms
        psp, rate = np.empty((rows, self.n)), np.empty((rows, self.n))
        self._advance(
            self._noise.key, t, n, self._clock, self._mass, self._given, self.lines_, self._region, self._scratch,
            psp, rate,
        )  # fmt: skip
        self._at[0] = t + n
        return psp, rate

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        own: dict[str, AnyArray] = {
            "step": self._at, "y": self._region.y, "dy": self._region.dy, "sent": self.lines_.sent,
            "arriving": self.lines_.arriving,
        }  # fmt: skip
        own |= {f"input.{k}": v for k, v in self._inputs.items()}
        own |= {f"mass.{k}": v for k, v in self._mass._asdict().items() if k != "noise"}
        return own | {f"given.{k}": v for k, v in self._given._asdict().items() if k != "proxied"}

    def reset(self) -> None:
        """Start anew from zero potential, as if it had been so for all time."""
        for name, array in self._inputs.items():
            array[...] = 1.0 if name in SCALES else 0.0
        self._apply()
        self._at[0] = 0
        self._region.y[:] = 0.0
        self._region.dy[:] = 0.0
        n, mass = self.n, self._mass
        kernels.fire(self._region.y[:n], mass.half[:n], mass.steep[:n], self._scratch.sent)
        forget(self.lines_, self._scratch.sent * mass.top)

    def _apply(self) -> None:
        """Write what a region is and what it is given, for the present inputs."""
        p, given, mass, inputs = self._parameters, self._given, self._mass, self._inputs
        n, top, contacts = self.n, 2.0 * p["e0_hz"], p["contacts"] * inputs["local"]
        c1, c2, c3, c4 = (share * contacts for share in self.shares)
        excitatory, inhibitory = p["a_mv"] * p["a_hz"] * inputs["he"], p["b_mv"] * p["b_hz"]
        mass.pace[: 2 * n], mass.pace[2 * n :] = np.tile(p["a_hz"], 2), p["b_hz"]
        mass.gain[:n], mass.gain[n : 2 * n] = excitatory * top, excitatory
        mass.gain[2 * n :] = inhibitory * top * c4 * inputs["cip"]
        mass.push[:], mass.to_e[:], mass.to_i[:], mass.top[:] = c2 * inputs["cep"] * top, c1, c3, top
        mass.half[:], mass.steep[:] = np.tile(p["v0_mv"], 3), np.tile(p["r_per_mv"], 3)
        given.efferent[:] = inputs["efferent"]
        given.afferent[:] = self.gain * inputs["afferent"]
        self._told()

    def _told(self) -> None:
        """Write what reaches the regions from outside."""
        self._given.drive[:] = self._parameters["drive_hz"] + self._inputs["drive"]
        self._given.proxy[:] = self._inputs["proxy"]


@lru_cache(maxsize=64)
def _input_ports(n_regions: int) -> tuple[Port, ...]:
    """Return the inputs: made once, as they are asked for at every one that is received."""
    n = (n_regions,)
    return (
        Port("drive", "Hz", n, about="added to p"),
        Port("proxy", "Hz", n, about="rate that proxied regions send"),
        Port("he", "", n, about="factor on the excitatory synaptic gain A"),
        Port("cip", "", n, about="factor on C4, from inhibitory interneurons to pyramidal cells"),
        Port("cep", "", n, about="factor on C2, from excitatory interneurons to pyramidal cells"),
        Port("afferent", "", n, about="share of what others send that reaches a region"),
        Port("efferent", "", n, about="share of what a region sends that leaves it"),
        Port("local", "", n, about="factor on C1 to C4"),
    )
