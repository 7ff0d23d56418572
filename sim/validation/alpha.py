"""Acceptance figures of the alpha and mu rhythm, W5: the loop of cortex and thalamus, simulated.

Band power is that of Welch spectra between 8 and 12 Hz, of several nodes that differ in their noise only. The estimator
of the last row is an instrument of this file: a rotating oscillator behind a steady Kalman filter, which sees the past
only. It is asked for the phase of a planted oscillation, known exactly, whose frequency wanders about 10 Hz (0.5 Hz
rms, within a second), in 1/f noise from 1 to 45 Hz of the same power. The phase of the simulated rhythm, which noise
drives, is less predictable: its peak is 1.2 Hz wide, and such an instrument is off by 60 degrees on all samples of it
at that noise, by 44 on those of the larger half of amplitudes; without noise still by 45, because what the drive will
do next is not in the past.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bmi.signals import F64
from sim.validation import Check, Row, between, near

SEED, N, SECONDS = 5, 8, 60.0
NFTSIM = "eirs configuration of Abeysuriya et al. (2014), NFTsim"
GATE_MU = 0.5
"""How far the intention to move opens the gate in the row on mu."""


def spectrum(gate: float, *, n: int = N, seconds: float = SECONDS, seed: int = SEED) -> tuple[F64, F64]:
    """Return frequencies, Hz, and the mean power spectrum over nodes, mV²/Hz."""
    from scipy.signal import welch

    from sim.brain.thalamocortical import Rhythm

    rhythm = Rhythm(n=n)
    rhythm.bind(seed)
    rhythm.receive("gate", np.full(n, gate))
    psp = rhythm.step(round((seconds + 3.0) / rhythm.dt_s))[0][3000:]
    f, power = welch(psp, 1000.0, nperseg=4000, axis=0)
    return f, power.mean(axis=1)


def alpha(f: F64, power: F64) -> float:
    """Return the power between 8 and 12 Hz, mV²."""
    return float(power[(f >= 8.0) & (f <= 12.0)].sum() * (f[1] - f[0]))


def rest() -> Iterator[Row]:
    """Rates at rest."""
    from sim.brain.thalamocortical import Rhythm

    rhythm = Rhythm(n=1)
    rhythm.bind(0)
    for what, target, obtained in zip(
        ("cortex", "reticular nucleus", "relay nuclei"), (7.591590455, 19.85307944, 5.055302), rhythm.rest_hz_,
        strict=True,
    ):  # fmt: skip
        yield near("W5", f"rate at rest, eyes closed, {what}", target, obtained, 1e-6, relative=True, unit="Hz",
                   source=NFTSIM)  # fmt: skip


def states() -> Iterator[Row]:
    """Peak and power with the gate closed, half open and open."""
    about = f"{N} nodes x {SECONDS:g} s, seed {SEED}"
    f, closed = spectrum(0.0)
    here = f > 5.0
    peak = float(f[here][closed[here].argmax()])
    yield between("W5", f"spectral peak, eyes closed, {about}", 8.0, 12.0, peak, unit="Hz", source="acceptance of W5")
    _, opened = spectrum(1.0)
    ratio = alpha(f, closed) / alpha(f, opened)
    yield between("W5", f"alpha power, eyes closed over open (gate 1, one gain), {about}", 2.0, np.inf, ratio, unit="x",
                  source="acceptance of W5")  # fmt: skip
    _, moving = spectrum(GATE_MU)
    change = 100.0 * (alpha(f, moving) / alpha(f, closed) - 1.0)
    yield between("W5", f"mu power with the intention to move (gate {GATE_MU:g}), {about}", -50.0, -20.0, change,
                  unit="%", source="acceptance of W5")  # fmt: skip


def wave() -> Iterator[Row]:
    """A travelling wave, planted as lags of common input, from the phases that blurring sensors see."""
    from scipy.signal import csd

    from sim.brain.thalamocortical import Rhythm

    n, spacing_mm, blur_mm = 12, 15.0, 20.0
    at_mm = spacing_mm * np.arange(n)
    seen = np.exp(-0.5 * ((at_mm[:, None] - at_mm) / blur_mm) ** 2)
    for speed_m_s in (3.0, 6.0, 12.0):
        rhythm = Rhythm(n=n, shared=0.8, lag_s=tuple(1e-3 * at_mm / speed_m_s))
        rhythm.bind(SEED)
        psp = rhythm.step(round(SECONDS / rhythm.dt_s))[0][3000:] @ seen.T
        f, cross = csd(psp[:, :1], psp, 1000.0, nperseg=2000, axis=0)
        band = (f >= 8.0) & (f <= 12.0)
        inner = slice(2, n - 2)
        phase = np.unwrap(np.angle(cross[band]), axis=1)[:, inner]
        weight = np.abs(cross[band]).mean(axis=1)
        slopes = np.polynomial.polynomial.polyfit(at_mm[inner], phase.T, 1)[1]
        found = -2e-3 * np.pi * float((weight * f[band] ** 2).sum() / (weight * f[band] * slopes).sum())
        yield near("W5", f"speed of a planted wave over {n} nodes, from the phases of sensors", speed_m_s, found, 0.1,
                   relative=True, unit="m/s", source=f"lags given; {SECONDS:g} s, seed {SEED}")  # fmt: skip


def causal_phase(signal: F64, *, centre_hz: float, rate_hz: float, decay_s: float, drift: float) -> F64:
    """Return the phase (n,), rad, of an oscillation in ``signal`` (n,), at each sample from those up to it.

    A rotating oscillator of which the sample is one coordinate, behind a Kalman filter in its steady state [1]_.
    ``drift`` is the variance of what pushes it in a step, over that of the noise of a sample.

    .. [1] Matsuda & Komaki (2017) Time series decomposition into oscillation components and phase estimation. Neural
       Comput 29:332-367; Wodeyar et al. (2021) A state space modeling approach to real-time phase estimation. eLife
       10:e68803.
    """
    from scipy.linalg import solve_discrete_are

    turn = 2.0 * np.pi * centre_hz / rate_hz
    c, s = np.cos(turn), np.sin(turn)
    a = np.exp(-1.0 / (decay_s * rate_hz)) * np.array([[c, -s], [s, c]])
    first = np.array([[1.0, 0.0]])
    p = solve_discrete_are(a.T, first.T, drift * np.eye(2), np.eye(1))
    gain = (p @ first.T / (p[0, 0] + 1.0))[:, 0]
    x, out = np.zeros(2), np.empty(len(signal))
    for k, y in enumerate(signal):
        x = a @ x
        x = x + gain * (y - x[0])
        out[k] = np.arctan2(x[1], x[0])
    return out


def phase() -> Iterator[Row]:
    """A causal estimate of phase at 0 dB."""
    from scipy.signal import lfilter

    rng, rate_hz, n = np.random.default_rng(SEED), 250.0, 30000
    t = np.arange(n) / rate_hz
    keep = np.exp(-1.0 / rate_hz)
    wander_hz = lfilter([np.sqrt(1.0 - keep**2)], [1.0, -keep], 0.5 * rng.normal(size=n))
    truth = 2.0 * np.pi * (10.0 * t + np.cumsum(wander_hz) / rate_hz)
    f = np.fft.rfftfreq(n, 1.0 / rate_hz)
    shape = np.where((f >= 1.0) & (f <= 45.0), np.maximum(f, 1e-9) ** -0.5, 0.0)
    noise = np.fft.irfft(shape * (rng.normal(size=len(f)) + 1j * rng.normal(size=len(f))), n)
    signal = np.cos(truth) + noise * np.sqrt(0.5) / noise.std()
    found = causal_phase(signal, centre_hz=10.0, rate_hz=rate_hz, decay_s=0.5, drift=0.003)
    error = np.exp(1j * (found - truth))[500:].mean()
    spread = float(np.degrees(np.sqrt(-2.0 * np.log(np.abs(error)))))
    what = "causal phase of a planted, wandering 10 Hz in 1/f noise of its power (0 dB, 1-45 Hz), circular SD"
    yield between("W5", what, 0.0, 30.0, spread, unit="°",
                  source=f"acceptance of W5; phase given; 120 s, seed {SEED}")  # fmt: skip


CHECKS: tuple[Check, ...] = (
    Check("W5", "rates at rest", 0.1, rest),
    Check("W5", "eyes closed, eyes open, intention", 0.5, states),
    Check("W5", "a travelling wave", 1.0, wave),
    Check("W5", "causal phase", 0.5, phase),
)
