"""Chemical synapses: what a spike releases, and what receptors make of it.

Release is depressed and facilitated by the spikes before it [1]_: of the resource x, which recovers with ``tau_rec_s``,
a spike uses the share u, which it first raises by U (1 - u) and which falls back with ``tau_fac_s``. Both are known in
closed form at every spike, so a synapse costs nothing between spikes. Receptors answer with a double exponential,
exact at any step; the NMDA receptor's conductance is blocked by magnesium [2]_::

    open share = 1 / (1 + [Mg] / 3.57 mM  exp(-0.062 V / mV))

U comes from the calcium sensor (``sim.release``), so what changes the influx of calcium changes U and nothing else.

.. [1] Tsodyks, Pawelzik & Markram (1998) Neural Comput 10:821. Neural networks with dynamic synapses.
.. [2] Jahr & Stevens (1990) J Neurosci 10:3178. Voltage dependence of NMDA-activated conductances.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt, Le

from bmi.errors import ContractError
from bmi.signals import F64, AnyArray
from sim import _synapses_kernels as kernels
from sim.component import Noise, Port, checked, whole_steps
from sim.release import Release

N_AT_ONCE = 100
"""Steps a kernel call takes, so that the room for its spikes stays small."""
DT_MAX_S = 1e-3


@dataclass(frozen=True, kw_only=True)
class ShortTerm:
    """Depression and facilitation of one kind of terminal."""

    release: Annotated[float, Gt(0), Le(1)] = 0.5
    """U: share of the resource that a spike after long rest releases."""
    tau_rec_s: Annotated[float, Ge(0)] = 0.8
    """Recovery of the resource, s."""
    tau_fac_s: Annotated[float, Ge(0)] = 0.0
    """Decay of facilitation, s; 0 for none."""

    def __post_init__(self) -> None:
        if not (0.0 < self.release <= 1.0 and 0.0 <= self.tau_rec_s < math.inf and 0.0 <= self.tau_fac_s < math.inf):
            raise ContractError(
                f"ShortTerm: expected a release above 0, at most 1, and times of at least 0 s, given {self.release:g}, "
                f"{self.tau_rec_s:g} and {self.tau_fac_s:g}"
            )

    def train(self, times_s: F64) -> F64:
        """Return what each spike at ``times_s`` (n,), s, ascending, of a rested terminal releases, (n,).

        Raises
        ------
        ContractError
            If the times are not finite and ascending.
        """
        times = np.ascontiguousarray(times_s, np.float64)
        if times.ndim != 1 or not np.isfinite(times).all() or (np.diff(times) < 0).any():
            raise ContractError("ShortTerm: expected spike times (n,), s, finite and ascending; sort them")
        released = np.zeros(len(times))
        kernels.tm_train(times, self.release, self.tau_rec_s, self.tau_fac_s, released)
        return released

    def steady(self, rate_hz: float) -> float:
        """Return what a spike of an endless regular train at ``rate_hz`` releases."""
        if not (rate_hz > 0.0 and math.isfinite(rate_hz)):
            raise ContractError(f"ShortTerm: rate_hz is {rate_hz!r}, expected above 0")
        stays, left = (math.exp(-1.0 / (rate_hz * tau)) if tau else 0.0 for tau in (self.tau_fac_s, self.tau_rec_s))
        u = self.release / (1.0 - (1.0 - self.release) * stays)
        return u * (1.0 - left) / (1.0 - (1.0 - u) * left)


DEPRESSING = ShortTerm(release=0.5, tau_rec_s=0.8)
FACILITATING = ShortTerm(release=0.05, tau_rec_s=0.1, tau_fac_s=1.0)


@dataclass(frozen=True, kw_only=True)
class Receptor:
    """Conductance of a receptor after a release at time 0: (e^(-t / decay) - e^(-t / rise)) over its own peak."""

    tau_rise_s: Annotated[float, Gt(0)]
    """Rise, s; shorter than the decay."""
    tau_decay_s: Annotated[float, Gt(0)]
    """Decay, s."""
    reversal_mv: float
    """Potential at which its current turns, mV."""

    def peak_s(self, decay: float = 1.0) -> float:
        """Return the time of the peak, s; the decay lasts ``decay`` times as long as usual."""
        rise, fall = self.tau_rise_s, self.tau_decay_s * decay
        if not 0.0 < rise < fall * (1.0 - 1e-6):
            raise ContractError(f"Receptor: tau_rise_s is {rise:g}, expected below the decay of {fall:g} s")
        return rise * fall / (fall - rise) * math.log(fall / rise)

    def gain(self, decay: float = 1.0) -> float:
        """Return the factor that makes the double exponential's peak 1."""
        t = self.peak_s(decay)
        return 1.0 / (math.exp(-t / (self.tau_decay_s * decay)) - math.exp(-t / self.tau_rise_s))


AMPA = Receptor(tau_rise_s=0.2e-3, tau_decay_s=2e-3, reversal_mv=0.0)
NMDA = Receptor(tau_rise_s=2e-3, tau_decay_s=80e-3, reversal_mv=0.0)
GABA_A = Receptor(tau_rise_s=0.5e-3, tau_decay_s=8e-3, reversal_mv=-75.0)


def mg_block(v_mv: float, mg_mm: float = 1.0) -> float:
    """Return the share of NMDA conductance that ``mg_mm`` mM of magnesium leave open at ``v_mv`` mV."""
    return float(kernels.mg_block(v_mv, mg_mm))


@dataclass(kw_only=True)
class Synapse:
    """A pathway of ``n`` alike terminals onto one cell under voltage clamp, or onto one that is passive."""

    name: str = "synapse"
    n: Annotated[int, Ge(1)] = 1
    """Terminals."""
    train: Literal["poisson", "regular"] = "poisson"
    """Terminals fire independently at random, or together at even intervals, first at once."""
    short_term: ShortTerm = field(default_factory=ShortTerm)
    """Its ``release`` holds at a calcium influx of 1."""
    release: Release = field(default_factory=Release)
    """How U follows the calcium influx."""
    ampa_ns: Annotated[float, Ge(0)] = 0.5
    """Peak AMPA conductance if a terminal released all it has, nS."""
    nmda_ns: Annotated[float, Ge(0)] = 0.25
    """The same for NMDA, without magnesium, nS."""
    gaba_ns: Annotated[float, Ge(0)] = 0.0
    """The same for GABA-A, nS."""
    receptors: tuple[Receptor, Receptor, Receptor] = (AMPA, NMDA, GABA_A)
    """AMPA, NMDA, GABA-A."""
    mg_mm: Annotated[float, Ge(0)] = 1.0
    """Magnesium outside the cell, mM."""
    target: Literal["clamp", "passive"] = "clamp"
    """Held at ``v_hold_mv``, or a leaky capacitance."""
    capacitance_pf: Annotated[float, Gt(0)] = 200.0
    """Of the passive target, pF."""
    g_leak_ns: Annotated[float, Gt(0)] = 10.0
    """Its leak, nS."""
    e_leak_mv: float = -70.0
    """Its resting potential, mV."""
    dt_s: Annotated[float, Gt(0)] = 1e-4
    """Step, s; at most 1 ms."""

    inputs = (
        Port("rate_hz", "Hz", about="firing rate of each terminal"),
        Port("v_hold_mv", "mV", about="potential of the clamp"),
        Port("ampa", "", about="scale of the AMPA conductance, from drugs"),
        Port("nmda", "", about="scale of the NMDA conductance, from drugs"),
        Port("gaba", "", about="scale of the GABA-A conductance, from drugs"),
        Port("gaba_decay", "", about="scale of the GABA-A decay time; the peak stays"),
        Port("calcium", "", about="scale of the calcium influx: channel drugs, toxins, mutations"),
    )

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second: 0.4 µs a step, and 3 ns a terminal and step."""
        return (4e-7 + 3e-9 * self.n) / self.dt_s

    @property
    def outputs(self) -> tuple[Port, ...]:
        rate = 1.0 / self.dt_s
        return (
            Port("conductance_ns", "nS", (3,), rate, "AMPA, NMDA (unblocked) and GABA-A"),
            Port("current_pa", "pA", (), rate, "synaptic current, outward positive"),
            Port("v_mv", "mV", (), rate, "potential of the target"),
            Port("spikes", "", about="step and terminal of presynaptic spikes"),
        )

    def bind(self, seed: int) -> None:
        """Allocate, compile, and fix what is random by ``seed``.

        Raises
        ------
        ContractError
            If the step, a receptor or U is outside its range.
        """
        whole_steps(self.name, self.dt_s, DT_MAX_S)
        if self.n < 1 or self.train not in ("poisson", "regular") or self.target not in ("clamp", "passive"):
            raise ContractError(
                f"{self.name}: expected n of at least 1, train poisson or regular, target clamp or passive, "
                f"given {self.n}, {self.train!r}, {self.target!r}"
            )
        for key in ("ampa_ns", "nmda_ns", "gaba_ns", "mg_mm", "capacitance_pf", "g_leak_ns"):
            value, least = getattr(self, key), 1e-6 if key in ("capacitance_pf", "g_leak_ns") else 0.0
            if not least <= value < math.inf:
                raise ContractError(f"{self.name}.{key}: expected at least {least:g}, given {value:g}")
        for receptor in self.receptors:
            receptor.gain()
        self._rest_um = self.release.ca_peak_um(self.short_term.release)
        self._noise = Noise(seed, self.name, self.n)
        self._terminals = kernels.Terminals(np.zeros(self.n), np.ones(self.n), np.zeros(self.n, np.int64))
        self._target = kernels.Target(np.zeros((3, 2)), np.ones(1), np.full(1, self.e_leak_mv))
        self._step = np.zeros(1, np.int64)
        self._given = {p.name: np.zeros(()) for p in self.inputs}
        self._draws = kernels.Draws(self._noise.key, self._noise.words, self._noise.four, np.zeros((2, 3)))
        self._events = np.zeros((self.n * N_AT_ONCE, 2), np.int64)
        self._matrix = np.zeros((3, 4))
        self.reset()
        self.step(1)
        self.reset()

    def receive(self, port: str, value: AnyArray) -> None:
        """Take an input. Raises ContractError if it is of another shape, not finite or outside its range."""
        number = checked(self, port, value)
        given = float(number)
        if port == "rate_hz" and not 0.0 <= given * self.dt_s <= 0.1:
            raise ContractError(f"{self.name}.rate_hz: expected 0 to {0.1 / self.dt_s:g} Hz, given {given:g}")
        if port == "v_hold_mv" and not -200.0 <= given <= 200.0:
            raise ContractError(f"{self.name}.v_hold_mv: expected -200 to 200 mV, given {given:g}")
        if port in ("ampa", "nmda", "gaba", "calcium") and given < 0.0:
            raise ContractError(f"{self.name}.{port}: expected a scale of at least 0, given {given:g}")
        if port == "calcium":
            self.release.probability(given * self._rest_um)
        if port == "gaba_decay":
            self.receptors[2].peak_s(given)
        self._given[port][...] = number

    @property
    def utilisation(self) -> float:
        """U at the calcium influx of this moment."""
        calcium = float(self._given["calcium"])
        if calcium == 1.0:
            return self.short_term.release
        return self.release.probability(calcium * self._rest_um)

    def step(self, n: int) -> tuple[AnyArray, ...]:
        """Advance by ``n`` steps; conductances (n, 3), current (n,), potential (n,), spikes (k, 2)."""
        conductance, current, v = (np.zeros(shape, np.float32) for shape in ((n, 3), n, n))
        spikes: list[npt.NDArray[np.int64]] = [np.zeros((0, 2), np.int64)]
        course = self._course()
        for k in range(0, n, N_AT_ONCE):
            rows = slice(k, min(k + N_AT_ONCE, n))
            m = kernels.advance(
                int(self._step[0]), course, self._matrix, self._draws, self._terminals, self._target, self._events,
                conductance[rows], current[rows], v[rows],
            )  # fmt: skip
            spikes.append(self._events[:m].copy())
            self._step[0] += rows.stop - rows.start
        return conductance, current, v, np.concatenate(spikes)

    def _course(self) -> kernels.Course:
        g = {k: float(v) for k, v in self._given.items()}
        peaks = (self.ampa_ns * g["ampa"], self.nmda_ns * g["nmda"], self.gaba_ns * g["gaba"])
        slower = (1.0, 1.0, g["gaba_decay"])
        for row, r, peak, decay in zip(self._matrix, self.receptors, peaks, slower, strict=True):
            row[0] = math.exp(-self.dt_s / r.tau_rise_s)
            row[1] = math.exp(-self.dt_s / (r.tau_decay_s * decay))
            row[2:] = peak * r.gain(decay), r.reversal_mv
        return kernels.Course(
            self.dt_s, self.utilisation, float(self.short_term.tau_rec_s), float(self.short_term.tau_fac_s),
            g["rate_hz"], self.train == "regular", self.target == "clamp", g["v_hold_mv"], float(self.mg_mm),
            float(self.capacitance_pf), float(self.g_leak_ns), float(self.e_leak_mv),
        )  # fmt: skip

    def state(self) -> Mapping[str, AnyArray]:
        """Return the arrays that make up its state."""
        return {"step": self._step, **self._terminals._asdict(), **self._target._asdict(), **self._given}

    def reset(self) -> None:
        """Forget everything since ``bind``; inputs are back at 0 Hz, -70 mV and scales of 1."""
        self._step[0] = 0
        self._terminals.u[:], self._terminals.x[:], self._terminals.last[:] = 0.0, 1.0, 0
        self._target.gates[:], self._target.phase[:], self._target.v_mv[:] = 0.0, 1.0, self.e_leak_mv
        for name, value in self._given.items():
            value[...] = {"rate_hz": 0.0, "v_hold_mv": -70.0}.get(name, 1.0)
