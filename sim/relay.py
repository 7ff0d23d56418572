"""How faithfully the thalamus passes on what cortex sends it, and how strongly the pallidum beats."""

from __future__ import annotations

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F64, AnyArray

WINDOW_S, DROPPED_S = 0.025, 0.2


def relay_error_index(
    spikes: AnyArray, pulses: AnyArray, *, dt_s: float, duration_s: float, n_cells: int = 10
) -> float:
    """Return errors a pulse: pulses missed, pulses answered by a burst, and spikes that answer none.

    A pulse is relayed if exactly one spike falls within 25 ms of its beginning. A spike after that and before the next
    pulse is spurious. Pulses of the first 200 ms and of the last 25 ms are left out. The mean over cells.

    Parameters
    ----------
    spikes : (n, 2) int64
        Step and cell; those of cells below ``n_cells`` count (the thalamus comes first in ``BasalGanglia``).
    pulses : (m, 2) int64
        Step of each pulse's beginning.
    dt_s, duration_s : float
        The step and the length of the run, s.
    n_cells : int

    References
    ----------
    So, Kent & Grill (2012) J Comput Neurosci 32: 499-519; Rubin & Terman (2004) J Comput Neurosci 16: 211-235.
    """
    start = pulses[:, 0] * dt_s
    counted = (start >= DROPPED_S) & (start <= duration_s - WINDOW_S)
    if not counted.any():
        raise ContractError(
            f"relay_error_index: no pulse between {DROPPED_S:g} s and {duration_s - WINDOW_S:g} s; run for longer"
        )
    end = np.append(start[1:], duration_s)[counted]
    start = start[counted]
    errors = 0
    for cell in range(n_cells):
        t = spikes[spikes[:, 1] == cell, 0] * dt_s
        first, answered, last = (np.searchsorted(t, at) for at in (start, np.minimum(start + WINDOW_S, end), end))
        errors += int((answered - first != 1).sum() + (last - answered).sum())
    return errors / (n_cells * len(start))


def rates_hz(spikes: AnyArray, *, dt_s: float, duration_s: float, n_cells: int = 40) -> F64:
    """Return the rate of every cell (n_cells,), Hz, over a whole run of ``duration_s``."""
    found: F64 = np.bincount(spikes[:, 1], minlength=n_cells)[:n_cells] / duration_s
    return found


def spectrum(signal: AnyArray, *, rate_hz: float, window_s: float = 1.0) -> tuple[F64, F64]:
    """Return frequencies, Hz, and one-sided power density of ``signal`` (n,): Welch's method [1]_.

    Hann windows of ``window_s`` that overlap by half, each without its mean; the first 200 ms are left out.

    Raises
    ------
    ContractError
        If there is not one window.

    References
    ----------
    .. [1] Welch (1967) The use of fast Fourier transform for the estimation of power spectra. IEEE Trans Audio
       Electroacoust 15: 70-73.
    """
    n = round(window_s * rate_hz)
    late = np.asarray(signal, np.float64)[round(DROPPED_S * rate_hz) :]
    if len(late) < n:
        raise ContractError(
            f"spectrum: {len(late) / rate_hz:g} s are left after the first {DROPPED_S:g} s; expected at least one "
            f"window of {window_s:g} s: run for longer"
        )
    windows = np.lib.stride_tricks.sliding_window_view(late, n)[:: n - n // 2]
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n) / n)
    power = np.abs(np.fft.rfft((windows - windows.mean(1, keepdims=True)) * hann)) ** 2
    density: F64 = 2.0 * power.mean(0) / (rate_hz * (hann**2).sum())
    density[0] /= 2.0
    if n % 2 == 0:
        density[-1] /= 2.0
    frequency = np.asarray(np.fft.rfftfreq(n, 1.0 / rate_hz), np.float64)
    return frequency, density


def band_power(signal: AnyArray, low_hz: float, high_hz: float, *, rate_hz: float) -> float:
    """Return the power of ``signal`` (n,) between two frequencies, in its unit squared; see ``spectrum``."""
    f, p = spectrum(signal, rate_hz=rate_hz)
    within = (f >= low_hz) & (f <= high_hz)
    return float(p[within].sum() * (f[1] - f[0]))
