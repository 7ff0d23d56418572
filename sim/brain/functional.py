"""Functional connectivity of a recording: which signals go together, and how much of it volume conduction explains.

Phase measures take complex samples: the analytic signal of a band (:func:`analytic`), or the spectra of epochs at one
frequency (:func:`epoch_spectra`). What two sensors see of one source at the same instant is real in their cross
spectrum; so imaginary coherence, PLI and wPLI see nothing of it, while coherence and PLV do.

References
----------
.. [1] Nolte et al. (2004) Clin Neurophysiol 115:2292. Imaginary coherence.
.. [2] Lachaux et al. (1999) Hum Brain Mapp 8:194. Phase locking value.
.. [3] Stam, Nolte & Daffertshofer (2007) Hum Brain Mapp 28:1178. Phase lag index.
.. [4] Vinck et al. (2011) NeuroImage 55:1548. Weighted phase lag index and its debiased square.
.. [5] Hipp et al. (2012) Nat Neurosci 15:884. Correlation of orthogonalised amplitudes.
.. [6] Hansen et al. (2015) NeuroImage 105:525. Dynamics of functional connectivity.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from bmi.errors import ContractError
from bmi.signals import F64

Complex = npt.NDArray[np.complex128]
ORDER = 4
"""Of the Bessel low-pass by which a band is cut out: of all, the one that delays the whole band alike, so that what
a causal filter shows is what one without delay does, later."""


def analytic(x: Any, rate_hz: float, low_hz: float, high_hz: float) -> Complex:
    """Return the analytic signal of ``x`` (n_samples, n_channels) in a band, without delay.

    The filter has the gain of the causal one that :class:`sim.brain.recursive.Running` runs, and no phase. The band is
    shifted down by its middle, which no measure here notices.

    Raises
    ------
    ContractError
        If the band does not lie between 0 and half the rate.
    """
    from scipy.fft import fft, fftfreq, ifft, next_fast_len
    from scipy.signal import freqz_sos

    x = real(x, "analytic")
    sos, centre = band(rate_hz, low_hz, high_hz)
    turn = np.exp(-2j * np.pi * (np.arange(len(x)) * (centre / rate_hz) % 1.0))
    n = next_fast_len(len(x) + int(8.0 * rate_hz / (high_hz - low_hz)))  # room for the filter to die away
    gain = np.abs(freqz_sos(sos, np.abs(fftfreq(n, 1.0 / rate_hz)), fs=rate_hz)[1])
    return np.asarray(ifft(gain[:, None] * fft(turn[:, None] * x, n, axis=0), axis=0)[: len(x)])


def band(rate_hz: float, low_hz: float, high_hz: float) -> tuple[F64, float]:
    """Return the low-pass (n_sections, 6) to which a band is shifted, and the middle of the band, Hz."""
    from scipy.signal import bessel

    if not 0.0 < low_hz < high_hz < 0.5 * rate_hz:
        raise ContractError(f"band: expected 0 < low < high < {0.5 * rate_hz:g} Hz, given {low_hz:g} to {high_hz:g} Hz")
    sos = bessel(ORDER, 0.5 * (high_hz - low_hz), norm="mag", fs=rate_hz, output="sos")
    return sos, 0.5 * (low_hz + high_hz)


def epoch_spectra(epochs: Any, rate_hz: float) -> tuple[F64, Complex]:
    """Return frequencies, Hz, and Hann-windowed spectra (n_epochs, n_freqs, n_channels) of epochs less their mean.

    Parameters
    ----------
    epochs : array, shape (n_epochs, n_samples, n_channels)
    rate_hz : float
    """
    e = np.asarray(epochs, np.float64)
    if e.ndim != 3 or e.shape[1] < 2:
        raise ContractError(f"epoch_spectra: expected epochs (n_epochs, n_samples, n_channels), given shape {e.shape}")
    window = np.hanning(e.shape[1])[:, None]
    spectra = np.fft.rfft((e - e.mean(1, keepdims=True)) * window, axis=1)
    return np.asarray(np.fft.rfftfreq(e.shape[1], 1.0 / rate_hz), np.float64), spectra


def real(x: Any, who: str) -> F64:
    """Return ``x`` as float64 (n_samples, n_channels) of two or more each. Raises ContractError if it is not."""
    a = np.asarray(x)
    if a.ndim != 2 or min(a.shape) < 2 or a.dtype.kind not in "fiu":
        raise ContractError(f"{who}: expected real samples (n_samples, n_channels), given {a.dtype} {a.shape}")
    if not np.isfinite(a).all():
        raise ContractError(f"{who}: expected finite samples, given {np.count_nonzero(~np.isfinite(a))} that are not")
    return a.astype(np.float64)


def _complex(x: Any, who: str) -> Complex:
    a = np.asarray(x)
    if a.ndim != 2 or min(a.shape) < 2 or a.dtype.kind != "c":
        raise ContractError(
            f"{who}: expected complex samples (n_samples, n_channels), given {a.dtype} {a.shape}; "
            "take analytic() or epoch_spectra() of the recording"
        )
    if not np.isfinite(a).all():
        raise ContractError(f"{who}: expected finite samples, given {np.count_nonzero(~np.isfinite(a))} that are not")
    return a.astype(np.complex128)


def ratio(above: Any, below: Any) -> Any:
    """Return above / below, and 0 where nothing is below: a channel without signal is connected to none."""
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0.0)


def pearson(x: Any) -> F64:
    """Return the correlation of each pair of channels, (n, n), of real samples (n_samples, n_channels)."""
    a = real(x, "pearson")
    a = a - a.mean(0)
    c = a.T @ a
    d = np.sqrt(np.diagonal(c))
    return np.asarray(ratio(c, d[:, None] * d))


def partial(x: Any) -> F64:
    """Return the correlation of each pair given all other channels, (n, n).

    Raises
    ------
    ContractError
        If channels are linearly dependent, as after a common average reference.
    """
    c = np.cov(real(x, "partial").T)
    if np.linalg.matrix_rank(c, hermitian=True) < len(c):
        raise ContractError(f"partial: expected {len(c)} independent channels, given dependent ones; leave one out")
    p = -np.linalg.inv(c)
    d = np.sqrt(-np.diagonal(p))
    p = p / (d[:, None] * d)
    np.fill_diagonal(p, 1.0)
    return np.asarray(p)


def coherency(x: Any) -> Complex:
    """Return the normalised cross spectrum E[x_i x_j*] / √(E|x_i|² E|x_j|²), (n, n) complex."""
    a = _complex(x, "coherency")
    s = a.T @ a.conj()
    d = np.sqrt(np.diagonal(s).real)
    return np.asarray(ratio(s, (d[:, None] * d).astype(np.complex128)))


def coherence(x: Any) -> F64:
    """Return the magnitude of coherency, (n, n), 0 to 1."""
    return np.abs(coherency(x))


def imaginary_coherence(x: Any) -> F64:
    """Return the imaginary part of coherency [1]_, (n, n), antisymmetric: positive if row leads column in phase."""
    return coherency(x).imag


def _pairs(x: Any, who: str, measure: Callable[[Complex], F64]) -> F64:
    """Return ``measure`` of the cross spectra (n_samples, n) of each channel with all."""
    a = _complex(x, who)
    found = np.array([measure(a[:, i : i + 1] * a.conj()) for i in range(a.shape[1])])
    return found


def plv(x: Any) -> F64:
    """Return |E[e^{i Δφ}]| [2]_, (n, n)."""
    return _pairs(x, "plv", lambda s: np.abs(ratio(s, np.abs(s).astype(np.complex128)).mean(0)))


def pli(x: Any) -> F64:
    """Return |E[sign Im s]| [3]_, (n, n)."""
    return _pairs(x, "pli", lambda s: np.abs(np.sign(imaginary(s)).mean(0)))


def wpli(x: Any) -> F64:
    """Return |E[Im s]| / E|Im s| [4]_, (n, n)."""

    def one(s: Complex) -> F64:
        im = imaginary(s)
        return np.asarray(ratio(np.abs(im.mean(0)), np.abs(im).mean(0)))

    return _pairs(x, "wpli", one)


def debiased_wpli(x: Any) -> F64:
    """Return the debiased estimate of wPLI² [4]_, (n, n); may be a little below 0."""

    def one(s: Complex) -> F64:
        im = imaginary(s)
        own = (im * im).sum(0)
        return np.asarray(ratio(im.sum(0) ** 2 - own, np.abs(im).sum(0) ** 2 - own))

    return _pairs(x, "debiased_wpli", one)


def imaginary(s: Complex) -> F64:
    """Return imaginary parts, 0 where rounding alone left them: of a channel with itself, or with a copy of it."""
    return np.where(np.abs(s.imag) <= 4.0 * np.finfo(float).eps * np.abs(s), 0.0, s.imag)


def aec(x: Any) -> F64:
    """Return the correlation of amplitudes after each pair is made orthogonal sample by sample [5]_, (n, n).

    Magnitude of the correlation of |x_j| with what of x_i is orthogonal to x_j, mean of both orders; diagonal 0.
    """
    a = _complex(x, "aec")
    amplitude = np.abs(a)
    away = amplitude - amplitude.mean(0)
    unit = ratio(a, amplitude.astype(np.complex128)).conj()
    found = np.zeros((a.shape[1],) * 2)
    for i in range(a.shape[1]):
        turned = a[:, i : i + 1] * unit
        left = np.abs(imaginary(turned))
        left = left - left.mean(0)
        scale = np.sqrt((left * left).sum(0) * (away * away).sum(0))
        found[i] = np.abs(ratio((left * away).sum(0), scale))
    return 0.5 * (found + found.T)


MEASURES: dict[str, Callable[[Any], F64]] = {
    "coherence": coherence, "imaginary_coherence": imaginary_coherence, "plv": plv, "pli": pli, "wpli": wpli,
    "debiased_wpli": debiased_wpli, "aec": aec,
}  # fmt: skip
"""Measures of complex samples, by name."""


def dynamics(x: Any, window: int, hop: int) -> F64:
    """Return how alike the correlations of any two windows are [6]_, (n_windows, n_windows).

    Parameters
    ----------
    x : array, shape (n_samples, n_channels)
        At least three channels.
    window, hop : int
        Samples of a window, and from one to the next.

    Raises
    ------
    ContractError
        If fewer than two windows fit.
    """
    a = real(x, "dynamics")
    if window < 2 or hop < 1 or len(a) < window + hop or a.shape[1] < 3:
        raise ContractError(
            f"dynamics: expected 3 or more channels and room for two windows of {window} samples {hop} apart, "
            f"given {a.shape}"
        )
    upper = np.triu_indices(a.shape[1], 1)
    starts = range(0, len(a) - window + 1, hop)
    return pearson(np.array([pearson(a[k : k + window])[upper] for k in starts]).T)
