"""Local field potentials of an implant: what electrodes in cortex make of the spikes around them.

The postsynaptic currents of a spike in all its targets leave a field of their own, measured by averaging over spikes
of single cells in the human temporal cortex [1]_. At distance d it peaks 10.4 ms + d / v after the spike, is a
Gaussian in time and falls off as exp(-d / λ); excitatory and inhibitory neurons differ in size, width and, by layer,
sign [2]_. The potential is the sum over spikes. Far sources, such as a rhythm of the basal ganglia or of the whole
region, reach every electrode with a weight of its own.

An electrode is a resistance: its thermal noise has the density 4kTR, its shunt capacitance holds fast changes
back, the amplifier's coupling slow ones.

References
----------
.. [1] Teleńczuk et al. (2017) Local field potentials primarily reflect inhibitory neuron activity in human and monkey
   cortex. Sci Rep 7:40211.
.. [2] Teleńczuk, Teleńczuk & Destexhe (2020) A kernel-based method to calculate local field potentials from networks
   of spiking neurons. J Neurosci Methods 344:108871; amplitudes from the authors' program (Zenodo 3866253).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt

from bmi.compiled import direct
from bmi.errors import ContractError
from bmi.signals import F32, F64, I64, AnyArray
from sim.component import Noise, Port, checked
from sim.sensors._lfp_kernels import Field, arrive, unfold
from sim.sensors._surroundings_kernels import cascade
from sim.sensors.surroundings import Surroundings

BOLTZMANN_J_K = 1.380649e-23
LAYERS_UV = {"soma": (0.48, 3.0), "deep": (-0.16, -0.2), "superficial": (0.24, -1.2), "surface": (-0.08, 0.3)}
"""Field of one excitatory and one inhibitory spike at its peak, at no distance, µV [2]_."""
BLOCK_MS = 10
RATE_HZ = 1000.0
SMOOTH_UM = 1000.0
"""Distance over which the background of distant sources falls to 1/e in covariance."""
INPUTS = (
    Port("impedance", "", about="scale of the electrodes' resistance"),
    Port("dead", "", about="share of electrodes that have died; always the same ones first"),
    Port("stimulus_uv", "µV", about="stimulation artefact at the pulse on a median channel, in this block"),
    Port("stimulus_hz", "Hz", about="pulses a second; 0 is one at the beginning of each block"),
)


def grid_um(n: int = 16, *, width_um: float = 1000.0) -> F64:
    """Return ``n`` electrodes, a square number, in the middle of the cells of a square sheet, (n, 2) µm."""
    side = math.isqrt(n)
    if side * side != n:
        raise ContractError(f"grid_um: expected a square number of electrodes, given {n}; give e.g. {side * side}")
    at = (np.arange(side) + 0.5) * width_um / side
    return np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)


def shunt(seconds: float, rate_hz: float) -> tuple[float, float, float]:
    """Return b0, b1, a1 of a low-pass with time constant ``seconds`` at ``rate_hz``.

    Pole and gain at 0 are those of the circuit, and so is the gain at 0.45 of the rate, even where the corner lies far
    beyond; between, the gain is within 3 % for corners above half the sampling rate, within 6 % for all.
    """
    if not seconds:
        return 1.0, 0.0, 0.0
    a, turn = math.exp(-1.0 / (rate_hz * seconds)), 0.9 * math.pi
    power = (1.0 + a * a - 2.0 * a * math.cos(turn)) / (1.0 + (turn * rate_hz * seconds) ** 2)
    total = 1.0 - a
    product = (total * total - power) / (2.0 * (1.0 - math.cos(turn)))
    b0 = 0.5 * (total + math.sqrt(max(total * total - 4.0 * product, 0.0)))
    return b0, total - b0, -a


@dataclass(kw_only=True)
class LFP:
    """Field potentials in the tissue as a sensor, 1000 samples a second.

    *Realtime*: ``take`` of 10 ms, 1500 neurons at 8 Hz and 16 electrodes, takes some 80 µs of one core.
    """

    name: str = "lfp"
    positions_um: F64
    """(n_neurons, 2) where the neurons are in the sheet, excitatory ones first."""
    n_exc: Annotated[int, Ge(0)]
    """How many of them are excitatory."""
    electrodes_um: F64 = field(default_factory=grid_um)
    """(n_channels, 2)"""
    layer: Literal["soma", "deep", "superficial", "surface"] = "soma"
    """Depth of the electrodes."""
    stands_for: Annotated[float, Gt(0)] = 10.0
    """Neurons that each simulated one stands for, firing as it does: a square millimetre of cortex holds many more
    than are simulated. With 10 and 1500 neurons the potential is some tens of µV rms."""
    reach_um: Annotated[float, Gt(0)] = 200.0
    """The λ with which the field of a spike falls off, µm."""
    speed_m_s: Annotated[float, Gt(0)] = 0.2
    """The v with which it spreads, m/s."""
    peak_s: Annotated[float, Gt(0)] = 0.0104
    """From a spike to the peak of its field at no distance, s."""
    inhibitory_s: Annotated[float, Gt(0)] = 0.0021
    """Standard deviation of an inhibitory spike's field in time, s."""
    excitatory_s: Annotated[float, Gt(0)] = 0.00315
    """Likewise of an excitatory one's."""
    far_uv: float | tuple[float, ...] = 1.0
    """What a far source of 1 adds to each channel, µV; one number for all or one each."""
    resistance_ohm: Annotated[float, Ge(0)] = 300e3
    """Resistance of an electrode, Ω."""
    shunt_f: Annotated[float, Ge(0)] = 200e-12
    """Capacitance between it and ground, F."""
    coupling_hz: Annotated[float, Gt(0)] = 0.3
    """Corner of the amplifier's high-pass, Hz."""
    kelvin: Annotated[float, Gt(0)] = 310.15
    """Temperature of the electrode, K."""
    surroundings: Surroundings = field(
        default_factory=lambda: Surroundings(
            background_uv=5.0, background_slope=2.0, background_hz=2.0, amplifier_uv=1.0, drift_uv=0.0
        )
    )

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What others do to it."""
        return INPUTS

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the channels."""
        return tuple(f"lfp{i:02d}" for i in range(len(self.electrodes_um)))

    @property
    def unit(self) -> str:
        """Of the samples."""
        return "µV"

    @property
    def rate_hz(self) -> float:
        """Samples a second."""
        return RATE_HZ

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second."""
        return 0.001 + 0.008 * len(self.positions_um) / 1500

    def bind(self, seed: int) -> None:
        """Draw what is random about the electrodes from ``seed``; allocate.

        Raises
        ------
        ContractError
            If positions are not (n, 2), there are more excitatory neurons than neurons, or weights do not fit.
        """
        self._check()
        n = len(self.electrodes_um)
        away = np.hypot(*(self.positions_um[:, None, :] - self.electrodes_um[None, :, :]).transpose(2, 0, 1))
        peaks = np.where(np.arange(len(away)) < self.n_exc, *LAYERS_UV[self.layer])
        gain = self.stands_for * peaks[:, None] * np.exp(-away / self.reach_um)
        late = 1e-3 * away / self.speed_m_s
        m = np.arange(math.ceil(1e3 * (self.peak_s + 4.0 * max(self.inhibitory_s, self.excitatory_s))))
        widths = 1e3 * np.array([[self.excitatory_s], [self.inhibitory_s]])
        shape = np.exp(-0.5 * ((m - 1e3 * self.peak_s) / widths) ** 2)
        ring = np.zeros((2, len(m) + int(late.max(initial=0.0)) + 2 + BLOCK_MS, n))
        self._field = Field(self.n_exc, *(np.ascontiguousarray(a, np.float32) for a in (gain, late, shape, ring)))
        self._far: F32 = np.broadcast_to(np.asarray(self.far_uv, np.float32), (n,)).copy()
        apart = np.hypot(*(self.electrodes_um[:, None, :] - self.electrodes_um[None, :, :]).transpose(2, 0, 1))
        mixing = np.linalg.cholesky(np.exp(-apart / SMOOTH_UM) + 1e-9 * np.eye(n))
        self.surroundings.bind(self.name, seed, mixing, rate_hz=RATE_HZ)
        self._fate = np.random.default_rng(np.random.SeedSequence([seed, 0x1F9])).permutation(n)
        self._thermal = Noise(seed, f"{self.name}.thermal", BLOCK_MS * n)
        self._given = {p.name: np.zeros(p.shape) for p in self.inputs}
        self._alive: F32 = np.ones(n, np.float32)
        self._coef: F64 = np.zeros((2, 3))
        self._thermal_uv: F32 = np.zeros(1, np.float32)
        self._filter: F64 = np.zeros((2, n))
        self._rows: F32 = np.zeros((BLOCK_MS, n), np.float32)
        self._shape = BLOCK_MS, len(away)
        self._arrive, self._unfold, self._cascade = direct(arrive), direct(unfold), direct(cascade)
        self._at: I64 = np.zeros(1, np.int64)
        self.reset()
        self.take(np.ones(self._shape, np.float32))
        self.reset()

    def _check(self) -> None:
        for what, places in (("positions_um", self.positions_um), ("electrodes_um", self.electrodes_um)):
            if np.ndim(places) != 2 or np.shape(places)[1] != 2 or not np.isfinite(places).all():
                raise ContractError(f"{self.name}.{what}: expected shape (n, 2), µm, given {np.shape(places)}")
        if self.n_exc > len(self.positions_um):
            raise ContractError(
                f"{self.name}: {self.n_exc} of {len(self.positions_um)} neurons are said to be excitatory"
            )
        if np.size(self.far_uv) not in (1, len(self.electrodes_um)):
            raise ContractError(
                f"{self.name}.far_uv: expected one weight or {len(self.electrodes_um)}, given {np.size(self.far_uv)}"
            )

    def receive(self, port: str, value: AnyArray) -> None:
        """Take an input; it holds from the next block on.

        Raises
        ------
        ContractError
            If there is no such input, or value or shape do not fit.
        """
        given = checked(self, port, value)
        most = {"dead": 1.0, "stimulus_hz": RATE_HZ}.get(port, math.inf)
        if port != "stimulus_uv" and not 0.0 <= given <= most:
            raise ContractError(f"{self.name}.{port}: expected 0 to {most:g}, given {given:g}")
        self._given[port][...] = given
        if port in ("dead", "impedance"):
            self._settings()

    def _settings(self) -> None:
        """Write what the inputs amount to."""
        n = len(self._alive)
        self._alive[:] = 1.0
        self._alive[self._fate[: round(float(self._given["dead"]) * n)]] = 0.0
        ohm = self.resistance_ohm * float(self._given["impedance"])
        seconds = ohm * self.shunt_f
        keep = math.exp(-2.0 * math.pi * self.coupling_hz / RATE_HZ)
        self._coef[0] = shunt(seconds, RATE_HZ)
        self._coef[1] = 0.5 * (1.0 + keep), -0.5 * (1.0 + keep), -keep
        self._thermal_uv[0] = 1e6 * math.sqrt(4.0 * BOLTZMANN_J_K * self.kelvin * ohm * RATE_HZ / 2.0)

    def take(self, counts: AnyArray, far: AnyArray | None = None) -> F32:
        """Return the samples of a block, (10, n_channels) float32, µV; borrowed.

        Parameters
        ----------
        counts : (10, n_neurons)
            Spikes of every neuron in each millisecond.
        far : (10,), optional
            What the far source did, in its own unit.

        Raises
        ------
        ContractError
            If either has another shape.
        """
        if counts.shape != self._shape or (far is not None and far.shape != (BLOCK_MS,)):
            raise ContractError(
                f"{self.name}: expected the spikes of 10 ms, shape {self._shape}, and a far source (10,), "
                f"given {counts.shape} and {None if far is None else far.shape}"
            )
        step, rows = int(self._at[0]), self._rows
        self._arrive(BLOCK_MS * step, np.ascontiguousarray(counts, np.float32), self._field)
        self._unfold(BLOCK_MS * step, self._field, rows)
        if far is not None:
            rows += np.asarray(far, np.float32)[:, None] * self._far
        self.surroundings.distant(step, rows)
        rows += self._thermal_uv * self._thermal.normal(0, step).reshape(rows.shape)
        rows *= self._alive
        self._cascade(self._coef[:1], self._filter[:1], rows)
        self.surroundings.own(step, rows)
        self._cascade(self._coef[1:], self._filter[1:], rows)
        self.surroundings.limit(float(self._given["stimulus_uv"]), float(self._given["stimulus_hz"]), rows)
        self._at[0] = step + 1
        return rows

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        own: dict[str, AnyArray] = {
            "step": self._at, "arriving": self._field.ring, "filter": self._filter, "alive": self._alive,
            "coef": self._coef, "thermal_uv": self._thermal_uv,
        }  # fmt: skip
        own |= {f"input.{k}": v for k, v in self._given.items()}
        return own | dict(self.surroundings.state())

    def reset(self) -> None:
        """Forget state and inputs."""
        array: AnyArray
        for array in (self._at, self._field.ring, self._filter, *self._given.values()):
            array[...] = 0
        self._given["impedance"][...] = 1.0
        self._settings()
        self.surroundings.reset()
