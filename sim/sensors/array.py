"""An array of electrodes in the cortex, heard through threshold crossings a thousand times a second.

Each electrode hears a few neurons near it. The depth of a trough falls with the distance d as 1 / (1 + d / 28 µm)
(``sim.sensors.templates`` says how near cells come to that), and a spike counts if trough and noise together cross
``threshold`` standard deviations of the noise. Two spikes within the dead time are one; noise crosses by itself, now
and then everything does; a stimulation pulse blinds the electrode (``sim.sensors.crossings`` has the mathematics).
It is what the chain of broadband, filter and detector gives, without the broadband.

An implant ages through inputs, set between blocks (``sim.disease.ageing`` has schedules): spikes shrink, electrodes
grow noisy or die, the neurons heard are replaced by others, tuned neurons are lost. Which ones is drawn once: a larger
share takes those of the smaller one and more, and a share that falls gives them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
from annotated_types import Ge, Gt

from bmi.compiled import direct
from bmi.compiled import rows as in_rows
from bmi.errors import ContractError
from bmi.signals import F32, F64, I64, AnyArray
from sim import GRID_S, SLOT_S
from sim.component import Noise, Port, checked
from sim.electrodes import FALLOFF_UM, NEAREST_UM
from sim.sensors._array_kernels import Ears, Law, Scratch, listen
from sim.sensors.crossings import LIFT, TROUGH_PASSES, detected, in_band_uv, noise_hz

BASELINE = {"snr": 1.0, "impedance": 1.0, "dead": 0.0, "turnover": 0.0, "survival": 1.0}
"""Value of each slow input on the day of the implant."""
SHARES = ("dead", "turnover", "survival")
N_MS = round(GRID_S / SLOT_S)


class Heard(NamedTuple):
    """What an electrode hears at present: C electrodes, S neurons each."""

    neuron: I64
    """(C, S) who; -1 one that was lost."""
    depth_uv: F64
    """(C, S) depth of its trough before the filter, µV."""
    snr: F64
    """(C, S) depth of its trough behind the filter, in standard deviations of the noise there."""
    detected: F64
    """(C, S) probability that a spike of it crosses the threshold; 0 on a dead electrode."""
    noise_uv: F64
    """(C,) standard deviation of the noise behind the filter, µV."""
    false_hz: F64
    """(C,) crossings of the noise alone, Hz; 0 on a dead electrode."""
    live: npt.NDArray[np.bool_]
    """(C,) whether the electrode works."""


@dataclass(kw_only=True)
class Array:
    """Electrodes in a sheet of neurons; ``take`` turns a block of counts into a block of crossings.

    *Realtime*: ``take`` is called 100 times a second, takes some 40 µs, and allocates nothing but array views.
    """

    name: str = "array"
    n_channels: Annotated[int, Ge(1)] = 96
    """Electrodes."""
    neurons: Annotated[int, Ge(1)] = 3
    """Neurons heard on each."""
    subject: int | None = None
    """Number of the participant, whose implant is the same in every session; None draws a new one with the seed."""
    near_uv: Annotated[float, Gt(0)] = 250.0
    """Depth of the trough next to the soma, µV."""
    reach_um: Annotated[float, Gt(NEAREST_UM)] = 100.0
    """Distance of the farthest neuron still heard as itself, µm; evenly spread in the sphere."""
    thermal_uv: Annotated[float, Ge(0)] = 4.0
    """Noise of electrode and amplifier, µV rms; grows with the impedance."""
    hash_uv: Annotated[float, Gt(0)] = 6.0
    """Hash of distant neurons, µV rms."""
    spread: Annotated[float, Ge(0)] = 0.1
    """Standard deviation over electrodes of the logarithm of both."""
    threshold: Annotated[float, Gt(0)] = 4.5
    """Threshold in standard deviations of the noise, downward; it follows the noise."""
    refractory_s: Annotated[float, Ge(SLOT_S)] = 0.0015
    """Dead time after a crossing, s: as long as a spike and its filtered tail last."""
    common_hz: Annotated[float, Ge(0)] = 0.02
    """Events, such as a cough, at which all electrodes cross together, a second."""
    line_uv: Annotated[float, Ge(0)] = 0.0
    """Amplitude of what the filter leaves of mains hum, µV."""
    line_hz: Annotated[float, Gt(0)] = 50.0
    """Its frequency, Hz."""
    blank_s: Annotated[float, Ge(0)] = 0.0012
    """Time blanked after a pulse of stimulation, s; 0 lets artefacts cross."""
    decay_s: Annotated[float, Gt(0)] = 0.0003
    """Time constant of an artefact, s."""
    artefact_spread: Annotated[float, Ge(0)] = 0.5
    """Standard deviation over electrodes of the logarithm of its size."""

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What ageing, disease and drugs change, between blocks."""
        return (
            Port("snr", "", about="scale of spike amplitudes"),
            Port("impedance", "", about="scale of the electrodes' own noise"),
            Port("dead", "", about="share of electrodes that hear nothing"),
            Port("turnover", "", about="share of recorded neurons replaced by others"),
            Port("survival", "", about="share of tuned neurons alive"),
        )

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What it shows."""
        return (Port("crossings", "count", (self.n_channels,), 1.0 / SLOT_S, "of the threshold", sensed=True),)

    @property
    def cost(self) -> float:
        """Core-seconds a simulated second."""
        return 0.004 * self.n_channels / 96

    def bind(
        self, seed: int, *, n_neurons: int, active: AnyArray | None = None, tuned: AnyArray | None = None,
        positions_um: AnyArray | None = None,
    ) -> None:  # fmt: skip
        """Put the electrodes among ``n_neurons``, drawing from ``subject`` if there is one, else from ``seed``.

        Parameters
        ----------
        seed : int
            Of the session: of the noise.
        n_neurons : int
            Columns of the counts.
        active : (n,) int64, optional
            Neurons that may be heard, those that fire; all unless given.
        tuned : (n,) int64, optional
            Neurons that ``survival`` counts; all unless given.
        positions_um : (n_neurons, 2) float64, optional
            Where they lie in the sheet: an electrode hears the nearest. Anywhere unless given.

        Raises
        ------
        ContractError
            If an index or position does not fit, or fewer neurons are active than an electrode and its later neurons
            need.
        """
        rng = np.random.default_rng([seed if self.subject is None else self.subject, 0xA77A])
        heard = self._indices("active", active, n_neurons)
        self._tuned = self._indices("tuned", tuned, n_neurons)
        if len(heard) < 2 * self.neurons:
            raise ContractError(
                f"{self.name}: {len(heard)} neurons are active, expected at least {2 * self.neurons}: {self.neurons} "
                f"for an electrode and as many to replace them; listen to fewer (neurons) or give more"
            )
        places = self._positions(positions_um, n_neurons, rng)
        self.n_neurons = n_neurons
        self._draw(rng, heard, places)
        self._allocate(seed)
        self.reset()
        self.take(np.ones((N_MS, n_neurons), np.float32), np.full(N_MS, 1e3, np.float32))
        self.reset()

    def _indices(self, what: str, given: AnyArray | None, n: int) -> I64:
        found: I64 = np.arange(n) if given is None else np.asarray(given)
        if found.dtype.kind not in "iu" or found.ndim != 1 or len(np.unique(found)) != len(found):
            raise ContractError(f"{self.name}: {what} is {found.dtype} {found.shape}, expected indices, each once")
        if len(found) and not 0 <= int(found.min()) <= int(found.max()) < n:
            raise ContractError(f"{self.name}: {what} has indices up to {found.max()}, expected 0 to {n - 1}")
        return found.astype(np.int64)

    def _positions(self, given: AnyArray | None, n: int, rng: np.random.Generator) -> F64:
        if given is None:
            return rng.uniform(0.0, 1000.0, (n, 2))
        found: F64 = np.asarray(given, np.float64)
        if found.shape != (n, 2) or not np.isfinite(found).all():
            raise ContractError(f"{self.name}: positions_um is {found.shape}, expected ({n}, 2), finite")
        return found

    def _draw(self, rng: np.random.Generator, heard: I64, places: F64) -> None:
        """Draw who is heard where and how loudly, then and later, and in which order things are lost."""
        n, s = self.n_channels, self.neurons
        self.places_um_: F64 = _grid(n, places[heard])
        """(C, 2) where the electrodes are in the sheet, µm."""
        near = _nearest(rng, self.places_um_, places[heard], 2 * s)
        self._who: I64 = heard[near].reshape(n, 2, s).swapaxes(0, 1).copy()
        far = rng.random((2, n, s))
        self.distances_um_: F64 = np.cbrt(NEAREST_UM**3 + far * (self.reach_um**3 - NEAREST_UM**3))
        """(2, C, S) distance of each neuron from the electrode, the first and those that come later, µm."""
        self._depth_uv: F64 = self.near_uv / (1.0 + self.distances_um_ / FALLOFF_UM)
        self.levels_: F64 = np.exp(self.spread * rng.standard_normal(n))
        """(C,) noise of each electrode, as a multiple of the usual."""
        self.gains_: F64 = np.exp(self.artefact_spread * rng.standard_normal(n))
        """(C,) size of a stimulation artefact there."""
        self._dies = _order(rng, n)
        self._leaves = _order(rng, n * s).reshape(n, s)
        self._lost_at = np.full(self.n_neurons, -1.0)
        self._lost_at[self._tuned] = _order(rng, len(self._tuned))

    def _allocate(self, seed: int) -> None:
        n, s = self.n_channels, self.neurons
        self._noise = Noise(seed, self.name, n * (s + 1) + 1)
        self._ears = Ears(
            np.zeros((n, s), np.int64), np.zeros((n, s)), np.zeros(n), np.zeros(n), self.gains_, np.zeros(n, np.uint8)
        )
        self._law = Law(
            self.threshold, LIFT, 1e-3 * float(noise_hz(0.0)), 1e-3 * self.common_hz, self.line_uv,
            1e-3 * self.line_hz, 1e3 * self.refractory_s, 1e3 * self.blank_s, 1e3 * self.decay_s,
        )  # fmt: skip
        self._given = {k: np.zeros(()) for k in BASELINE}
        self._at = np.zeros(1, np.int64)
        self._listen = direct(listen)
        self._clear: F64 = np.zeros(n)
        self._still: F32 = np.zeros(N_MS, np.float32)
        self._rows: F32 = np.zeros((N_MS, n), np.float32)

    def receive(self, port: str, value: AnyArray | float) -> None:
        """Take a slow input from the next block on.

        Raises
        ------
        ContractError
            If there is no such input, a value is not finite, a scale is not above 0, or a share not within 0 and 1.
        """
        given = float(checked(self, port, value))
        if port in SHARES and not 0.0 <= given <= 1.0:
            raise ContractError(f"{self.name}.{port}: expected a share, 0 to 1, given {given:g}")
        if port not in SHARES and given <= 0.0:
            raise ContractError(f"{self.name}.{port}: expected a scale above 0, given {given:g}")
        if given != self._given[port]:
            self._given[port][...] = given
            self._age()

    def _age(self) -> None:
        """Write what the electrodes hear at the present inputs."""
        given, ears = self.aged, self._ears
        ears.noise_uv[:] = self.levels_ * in_band_uv(self.thermal_uv * given["impedance"], self.hash_uv)
        later = self._leaves < given["turnover"]
        neuron = np.where(later, self._who[1], self._who[0])
        ears.neuron[:] = np.where(self._lost_at[neuron] < given["survival"], neuron, -1)
        depth_uv = given["snr"] * np.where(later, self._depth_uv[1], self._depth_uv[0])
        ears.snr[:] = TROUGH_PASSES * depth_uv / ears.noise_uv[:, None]
        ears.most[:] = 1e-3 * noise_hz(np.maximum(self.threshold - self.line_uv / ears.noise_uv, 0.0))
        ears.live[:] = self._dies >= given["dead"]

    def take(self, counts: F32, artefact_uv: F32 | None = None) -> F32:
        """Return the crossings of a block, (10, n_channels) float32, count; borrowed.

        Parameters
        ----------
        counts : (10, n_neurons) float32
            Spikes of every neuron in each ms; more than one count as one.
        artefact_uv : (10,) float32, optional
            Size of a stimulation artefact at the begin of each ms, on an electrode of median distance, µV; 0 none.
        """
        pulses = self._still if artefact_uv is None else np.ascontiguousarray(artefact_uv, np.float32)
        words, four = self._noise.words, self._noise.four
        scratch = Scratch(words, four, four.reshape(-1))  # a view made here: a copy of the array would cut it loose
        self._listen(
            self._noise.key, int(self._at[0]), in_rows(counts), pulses, self._law, self._ears, self._clear, scratch,
            self._rows,
        )  # fmt: skip
        self._at[0] += len(self._rows)
        return self._rows

    def heard(self) -> Heard:
        """Return who is heard where at present; the caller's to keep."""
        ears, live = self._ears, self._ears.live.astype(bool)
        found = np.where((ears.neuron >= 0) & live[:, None], detected(ears.snr, self.threshold), 0.0)
        false = np.where(live, noise_hz(np.full(self.n_channels, self.threshold)), 0.0)
        depth_uv = ears.snr * ears.noise_uv[:, None] / TROUGH_PASSES
        return Heard(ears.neuron.copy(), depth_uv, ears.snr.copy(), found, ears.noise_uv.copy(), false, live)

    @property
    def aged(self) -> dict[str, float]:
        """The slow inputs as they are."""
        return {k: float(v) for k, v in self._given.items()}

    def state(self) -> Mapping[str, AnyArray]:
        """Return every array that changes, by name."""
        heard = {k: v for k, v in self._ears._asdict().items() if k != "gain"}
        return {"step": self._at, "clear": self._clear} | {f"input.{k}": v for k, v in self._given.items()} | heard

    def reset(self) -> None:
        """Forget state; the implant is new again."""
        self._at[:] = 0
        self._clear[:] = 0.0
        for port, value in BASELINE.items():
            self._given[port][...] = value
        self._age()


def _order(rng: np.random.Generator, n: int) -> F64:
    """Return when each of ``n`` goes, as the share of all that has: a share p takes the nearest whole number."""
    return (rng.permutation(n) + 0.5) / max(n, 1)


def _grid(n: int, places: F64) -> F64:
    """Return the ``n`` innermost places of the smallest square grid over the sheet, (n, 2), row by row."""
    side = int(np.ceil(np.sqrt(n)))
    at = (np.arange(side) + 0.5) / side
    cells = np.stack(np.meshgrid(at, at, indexing="ij"), -1).reshape(-1, 2)
    inner = np.sort(np.argsort(((cells - 0.5) ** 2).sum(1), kind="stable")[:n])
    low, high = places.min(0), places.max(0)
    return np.asarray(low + cells[inner] * (high - low))


def _nearest(rng: np.random.Generator, electrodes: F64, places: F64, k: int) -> I64:
    """Return ``k`` neurons near each electrode in random order, (C, k); none twice while there are others."""
    used = np.zeros(len(places))
    found = np.zeros((len(electrodes), k), np.int64)
    for c in rng.permutation(len(electrodes)):
        away = np.hypot(*(places - electrodes[c]).T) + 1e9 * used
        nearest = np.argsort(away, kind="stable")[:k]
        used[nearest] += 1
        found[c] = rng.permutation(nearest)
    return found
