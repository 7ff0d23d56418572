"""Causal filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le
from scipy.signal import butter, iirnotch, sosfilt_zi, sosfreqz

from bmi.contracts import State
from bmi.errors import ContractError
from bmi.signals import F64, Chunk, StreamSpec
from decoders.features import _filters_kernels as kernels
from decoders.features.rows import pass_times, regular, warm_rows


def biquads(stage: str, low_hz: float, high_hz: float, order: int, spec: StreamSpec) -> F64:
    """Return (order, 7) Butterworth band-pass sections for the kernel: b0 b1 b2 a1 a2 and the resting state.

    Raises
    ------
    ContractError
        Unless 0 < low < high < half the sampling rate.
    """
    regular(stage, spec)
    if not 0 < low_hz < high_hz < spec.rate_hz / 2:
        raise ContractError(
            f"{stage}: expected 0 < low_hz < high_hz < {spec.rate_hz / 2:g} Hz (half the rate of "
            f"{spec.name!r}), given {low_hz:g} and {high_hz:g}"
        )
    return sections(butter(order, [low_hz, high_hz], "bandpass", fs=spec.rate_hz, output="sos"))


def sections(sos: F64) -> F64:
    """Return scipy's second-order sections (n, 6) as the kernel takes them, (n, 7)."""
    return np.ascontiguousarray(np.hstack([sos[:, :3], sos[:, 4:], sosfilt_zi(sos)]))


def group_delay_s(coef: F64, frequency_hz: float, rate_hz: float) -> float:
    """Return the group delay of a cascade at one frequency, s: minus the slope of its phase."""
    sos = np.hstack([coef[:, :3], np.ones((len(coef), 1)), coef[:, 3:5]])
    step = 1e-4 * frequency_hz
    _, h = sosfreqz(sos, worN=[frequency_hz - step, frequency_hz + step], fs=rate_hz)
    return float(-np.angle(h[1] / h[0]) / (2 * np.pi * 2 * step))


class Cascade:
    """Biquads over the channels of a stream, with their state and the chunk they hand out.

    Parameters
    ----------
    coef : (n, 7) float64
        As ``sections`` returns them.
    spec : StreamSpec
        Of the stream.
    """

    def __init__(self, coef: F64, spec: StreamSpec) -> None:
        self.coef = coef
        self._z, self._held = np.zeros((len(coef), 2, spec.n_channels)), np.zeros((3, spec.n_channels))
        self._data = np.zeros((spec.max_samples, spec.n_channels), np.float32)
        self._out = Chunk(self._data, np.zeros(spec.max_samples), 0.0)

    def step(self, chunk: Chunk) -> Chunk:
        """Return the chunk, filtered."""
        out = pass_times(self._out, self._data, chunk)
        kernels.bandpass_rows(chunk.data, self.coef, self._z, self._held, out.data)
        return out

    def state(self) -> State:
        """State of the biquads, (n, 2, n_channels); last finite sample of each channel, (3, n_channels)."""
        return self._z, self._held

    def reset(self) -> None:
        """Forget everything seen."""
        self._z[:] = 0.0
        self._held[:] = 0.0


@dataclass(kw_only=True)
class Bandpass:
    """Causal Butterworth band-pass, as a cascade of biquads (transposed direct form II, float64 state).

    A channel's first sample sets the filter's state to rest at that value, so that an electrode's offset
    makes no transient. A sample that is not finite comes out NaN; the filter continues on the last finite
    value. At a gap the state is held: resetting would throw away what the filter knows of offset and drift,
    and its transient outlasts the one a phase jump makes.

    Notes
    -----
    *Realtime*: once a chunk; two sections, 256 channels ~0.4 µs a row; allocates nothing but array views.
    """

    low_hz: Annotated[float, Gt(0)]
    """Lower corner, -3 dB."""
    high_hz: Annotated[float, Gt(0)]
    """Upper corner, -3 dB."""
    order: Annotated[int, Ge(1), Le(8)] = 2
    """Order of each slope; as many biquads."""

    at_gap: ClassVar[str] = "hold"

    @property
    def delay_s(self) -> float:
        """Group delay at the centre frequency (geometric mean of the corners), s; known once bound."""
        return group_delay_s(self._cascade.coef, float(np.sqrt(self.low_hz * self.high_hz)), self._rate_hz)

    def bind(self, spec: StreamSpec) -> StreamSpec:
        """Design the filter for this sampling rate."""
        self._cascade = Cascade(biquads("bandpass", self.low_hz, self.high_hz, self.order, spec), spec)
        self._rate_hz = spec.rate_hz
        warm_rows(self, spec)
        return spec

    def step(self, chunk: Chunk) -> Chunk:
        """Return the chunk, filtered."""
        return self._cascade.step(chunk)

    def state(self) -> State:
        """State of the biquads; last finite sample of each channel."""
        return self._cascade.state()

    def reset(self) -> None:
        """Forget everything seen."""
        self._cascade.reset()


@dataclass(kw_only=True)
class Notch:
    """Causal notches at the mains frequency and its harmonics, a biquad each.

    Each notch is ``f / q`` wide (-3 dB), so that a mains frequency off by a per mille is as far off in each of
    them; it rings for ``q / (pi f)``. What is said of ``Bandpass`` about first samples, samples that are not finite
    and gaps holds here too.

    Notes
    -----
    *Realtime*: once a chunk; three notches, 256 channels ~0.8 µs a row; allocates nothing but array views.
    """

    hz: Annotated[float, Gt(0)] = 50.0
    """Mains frequency: 50 or 60."""
    harmonics: Annotated[int, Ge(1), Le(40)] = 3
    """How many notches: at hz, 2 hz, 3 hz …"""
    q: Annotated[float, Gt(0)] = 30.0
    """Frequency over width of each notch."""

    at_gap: ClassVar[str] = "hold"

    def bind(self, spec: StreamSpec) -> StreamSpec:
        """Design the notches. Raises ContractError unless all lie below half the sampling rate."""
        regular("notch", spec)
        fit = int(np.ceil(spec.rate_hz / 2 / self.hz)) - 1
        if self.harmonics > fit:
            raise ContractError(
                f"notch: {self.harmonics} harmonics of {self.hz:g} Hz reach {self.harmonics * self.hz:g} Hz; expected "
                f"less than {spec.rate_hz / 2:g} Hz (half the rate of {spec.name!r}): at most {max(fit, 0)} would fit"
            )
        notches = [np.hstack(iirnotch(n * self.hz, self.q, spec.rate_hz)) for n in range(1, self.harmonics + 1)]
        self._cascade = Cascade(sections(np.array(notches)), spec)
        warm_rows(self, spec)
        return spec

    def step(self, chunk: Chunk) -> Chunk:
        """Return the chunk without the hum."""
        return self._cascade.step(chunk)

    def state(self) -> State:
        """State of the biquads; last finite sample of each channel."""
        return self._cascade.state()

    def reset(self) -> None:
        """Forget everything seen."""
        self._cascade.reset()
