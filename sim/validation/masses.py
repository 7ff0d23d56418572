"""Acceptance figures of the Jansen-Rit mass (W1); those of networks with delays (W2) are in ``delays``.

The table's frequencies and amplitudes are those of Euler's rule at 0.1 ms, which the rows use where they say so. The
equations themselves, that is Heun's rule and a small step, give 10.62, 10.78, 10.94 and 11.08 Hz and, at p = 220,
2.95 mV. Where rest and rhythm meet is derived here: along the curve of fixed points, which y1 - y2 parametrises,
eigenvalues of the Jacobian tell folds (a real one crosses zero) from Hopf bifurcations (a pair does).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from bmi.signals import F64
from sim.validation import Check, Row, between, holds, near

if TYPE_CHECKING:
    from sim.brain.connectome import Connectome
    from sim.brain.jansen_rit import JansenRit

A, B, RATE_E, RATE_I, C = 3.25, 22.0, 100.0, 50.0, 135.0
C1, C2, C3, C4 = C, 0.8 * C, 0.25 * C, 0.25 * C
STEEP, HALF, TOP = 0.56, 6.0, 5.0
TABLE = "models' table W1, recomputed; Euler, dt 0.1 ms"
CURVE = "continuation of fixed points, eigenvalues; agrees with Grimbert & Faugeras 2006"


def sigmoid(v: Any) -> Any:
    """Return the rate, Hz."""
    return TOP / (1.0 + np.exp(STEEP * (HALF - v)))


def slope(v: Any) -> Any:
    """Return its derivative, Hz/mV."""
    s = sigmoid(v)
    return STEEP * s * (1.0 - s / TOP)


def at_rest(v: float) -> tuple[float, float]:
    """Return p and y0 of the fixed point at which y1 - y2 is ``v``."""
    y0 = A / RATE_E * sigmoid(v)
    return (v + B / RATE_I * C4 * sigmoid(C3 * y0)) * RATE_E / A - C2 * sigmoid(C1 * y0), y0


def jacobian(y: F64) -> F64:
    """Return the Jacobian (6, 6) of one mass at (y0, y1, y2), without and before their slopes."""
    j = np.zeros((6, 6))
    j[:3, 3:] = np.eye(3)
    for k, rate in enumerate((RATE_E, RATE_E, RATE_I)):
        j[3 + k, k], j[3 + k, 3 + k] = -rate * rate, -2.0 * rate
    j[3, 1] = A * RATE_E * slope(y[1] - y[2])
    j[3, 2] = -j[3, 1]
    j[4, 0] = A * RATE_E * C2 * C1 * slope(C1 * y[0])
    j[5, 0] = B * RATE_I * C4 * C3 * slope(C3 * y[0])
    return j


def flow(y: F64, p: Any) -> F64:
    """Return the slopes of (y0, y1, y2, their slopes), (6,), at the drive ``p``."""
    y0, y1, y2, d0, d1, d2 = y
    return np.array([
        d0, d1, d2,
        A * RATE_E * sigmoid(y1 - y2) - 2.0 * RATE_E * d0 - RATE_E**2 * y0,
        A * RATE_E * (p + C2 * sigmoid(C1 * y0)) - 2.0 * RATE_E * d1 - RATE_E**2 * y1,
        B * RATE_I * C4 * sigmoid(C3 * y0) - 2.0 * RATE_I * d2 - RATE_I**2 * y2,
    ])  # fmt: skip


def fixed_point(v: float) -> F64:
    """Return (y0, y1, y2) at which y1 - y2 is ``v``."""
    y0 = at_rest(v)[1]
    y2 = B / RATE_I * C4 * sigmoid(C3 * y0)
    return np.array([y0, v + y2, y2])


def crossings() -> dict[str, list[tuple[float, float, float]]]:
    """Return p, frequency, Hz, and y1 - y2 of every fold (an eigenvalue crosses) and Hopf bifurcation (a pair)."""

    def growing(v: float) -> int:
        return int((np.linalg.eigvals(jacobian(fixed_point(v))).real > 0.0).sum())

    found: dict[str, list[tuple[float, float, float]]] = {"fold": [], "Hopf": []}
    grid = np.linspace(-6.0, 14.0, 2001)
    told = [growing(v) for v in grid]
    for k in np.flatnonzero(np.diff(told)):
        low, high = grid[k], grid[k + 1]
        for _ in range(40):
            mid = 0.5 * (low + high)
            low, high = (mid, high) if growing(mid) == told[k] else (low, mid)
        values = np.linalg.eigvals(jacobian(fixed_point(low)))
        hz = float(abs(values[np.abs(values.real).argmin()].imag) / (2.0 * np.pi))
        found["fold" if abs(told[k + 1] - told[k]) == 1 else "Hopf"].append((at_rest(low)[0], hz, float(low)))
    return found


def stability(v: F64) -> F64:
    """Return how much the step of the component itself stretches a disturbance of each fixed point (k,), less 1.

    The derivative of a step is taken by central differences, in as many masses as there are disturbances.
    """
    h, k = 1e-5, len(v)
    network = masses(connectome=alone(12 * k), drive_hz=np.repeat([at_rest(x)[0] for x in v], 12), dt_s=5e-5)
    rest = np.zeros((6, k, 12))
    rest[:3] = np.array([fixed_point(x) for x in v]).T[:, :, None]
    for i in range(6):
        rest[i, :, 2 * i] += h
        rest[i, :, 2 * i + 1] -= h
    state = network.state()
    state["y"][:], state["dy"][:] = rest[:3].reshape(-1), rest[3:].reshape(-1)
    network.step(1)
    after = np.concatenate([state["y"], state["dy"]]).reshape(6, k, 12)
    derivative = ((after[:, :, ::2] - after[:, :, 1::2]) / (2.0 * h)).transpose(1, 0, 2)
    return np.abs(np.linalg.eigvals(derivative)).max(1) - 1.0


def alone(n: int) -> Connectome:
    """Return regions without tracts: single masses side by side."""
    from sim.brain.connectome import Connectome

    return Connectome(
        labels=tuple(f"mass {k}" for k in range(n)), weights=np.zeros((n, n)), lengths_mm=np.zeros((n, n))
    )


def masses(**settings: Any) -> JansenRit:
    """Return a bound network."""
    from sim.brain.jansen_rit import JansenRit

    network = JansenRit(**({"dt_s": 1e-4} | settings))
    network.bind(0)
    return network


def ran(drive_hz: Any, settle_s: float, seconds: float, **settings: Any) -> F64:
    """Return psp, (n_ms, n), of single masses at these drives, after ``settle_s``."""
    drive = np.atleast_1d(drive_hz)
    network = masses(connectome=alone(len(drive)), drive_hz=drive, **settings)
    network.step(round(settle_s / network.dt_s))
    return network.step(round(seconds / network.dt_s))[0]


def rhythm_hz(psp: F64) -> float:
    """Return how often a trace a millisecond apart rises through its mean, Hz, crossings interpolated."""
    x = psp - psp.mean()
    up = np.flatnonzero((x[:-1] < 0.0) & (x[1:] >= 0.0))
    if len(up) < 2 or np.ptp(psp) < 1e-3:
        return 0.0
    at = up + x[up] / (x[up] - x[up + 1])
    return float(1e3 * (len(at) - 1) / (at[-1] - at[0]))


def single() -> Iterator[Row]:
    """Rest and rhythms of one mass as its drive grows."""
    psp = ran([80.0, 115.0, 120.0, 150.0, 180.0, 220.0, 270.0], 5.0, 20.0, method="euler")
    hz, mv = [rhythm_hz(x) for x in psp.T], np.ptp(psp, axis=0)
    yield near("W1", "p 80: fixed point of y1 - y2", 0.77, psp[-1, 0], 0.005, unit="mV", source=TABLE)
    yield between("W1", "p 80: peak to peak at rest", 0.0, 1e-6, mv[0], unit="mV", source=TABLE)
    yield near("W1", "p 115: large slow cycle", 1.5, hz[1], 0.05, unit="Hz", source=TABLE)
    yield near("W1", "p 120: spike-like cycle", 4.8, hz[2], 0.05, unit="Hz", source=TABLE)
    yield near("W1", "p 120: peak to peak", 10.1, mv[2], 0.05, unit="mV", source=TABLE)
    for k, (p, target) in enumerate(((150, 10.50), (180, 10.68), (220, 10.86), (270, 11.02)), 3):
        yield near("W1", f"p {p}: alpha", target, hz[k], 0.005, unit="Hz", source=TABLE)
    other = "tvb-library 2.10, JansenRit, Euler, dt 0.1 ms, as in models' table"
    yield near("W1", "p 220: frequency", 10.863, hz[5], 0.005, unit="Hz", source=other)
    yield near("W1", "p 220: peak to peak", 3.3605, mv[5], 0.005, unit="mV", source=other)
    beyond = ran([316.0, 320.0], 5.0, 60.0)
    early, late = np.ptp(beyond[:2000], axis=0), np.ptp(beyond[-2000:], axis=0)
    told = f"{early[0]:.3g} to {late[0]:.3g} mV, {early[1]:.3g} to {late[1]:.3g} mV"
    yield holds(
        "W1", "p 316 and 320: peak to peak of 2 s, after 5 s and after 63 s", "decays", told,
        bool((late < 0.3 * early).all()), source="Hopf bifurcation at 315.8; Heun, dt 0.1 ms",
    )  # fmt: skip
    for contacts, hz_, mv_ in ((68.0, 0.0, 0.0), (270.0, 5.1, 41.0)):
        x = ran(220.0, 5.0, 20.0, contacts=contacts, method="euler")[:, 0]
        what = f"p 220, C {contacts:g}:"
        if hz_ == 0.0:
            yield between("W1", f"{what} peak to peak", 0.0, 1e-6, np.ptp(x), unit="mV", source=TABLE)
            continue
        yield near("W1", f"{what} spikes", hz_, rhythm_hz(x), 0.05, unit="Hz", source=TABLE)
        yield near("W1", f"{what} peak to peak", mv_, np.ptp(x), 0.5, unit="mV", source=TABLE)


def bifurcations() -> Iterator[Row]:
    """Where rest ends and rhythm begins."""
    found = crossings()
    targets = {"fold": (-41.3, 113.6), "Hopf": (-12.15, 89.83, 315.7)}
    for kind, wanted in targets.items():
        at = sorted(p for p, *_ in found[kind])
        told = ", ".join(f"{p:.2f}" for p in at)
        what = f"{kind} bifurcations along the curve of fixed points"
        yield holds("W1", what, f"{len(wanted)}", f"{len(at)}: {told}", len(at) == len(wanted), source=CURVE)
        for target, p in zip(wanted, at, strict=False):
            yield near("W1", f"{kind}, p", target, p, 0.05, unit="/s", source=CURVE)
    for p, hz, v in found["Hopf"]:
        grid = np.linspace(v - 0.05, v + 0.05, 20)
        stretch, drive = stability(grid), [at_rest(x)[0] for x in grid]
        rising = stretch if stretch[-1] > stretch[0] else -stretch
        simulated = float(np.interp(0.0, rising, drive))
        what = f"p at which the component's step (Heun, 0.05 ms) neither damps nor swells {hz:.1f} Hz"
        yield near("W1", what, p, simulated, 0.05, unit="/s", source=CURVE)
    for p, target in ((89.83, 10.4), (315.7, 11.2)):
        hz = min(found["Hopf"], key=lambda f: abs(f[0] - p))[1]
        yield near("W1", f"frequency at the Hopf bifurcation, p {p:g}", target, hz, 0.05, unit="Hz", source=CURVE)
    fold = max(p for p, *_ in found["fold"])
    psp = ran([fold - 0.1, fold + 0.1], 10.0, 20.0)
    told = f"{np.ptp(psp[:, 0]):.1g} and {np.ptp(psp[:, 1]):.3g} mV peak to peak"
    yield holds("W1", f"p 0.1 below and above the fold at {fold:.2f}", "rest, and a cycle (SNIC)", told,
                bool(np.ptp(psp[:, 0]) < 1e-3 and np.ptp(psp[:, 1]) > 8.0), source=CURVE)  # fmt: skip


def driven() -> Iterator[Row]:
    """Alpha of ten noisy masses: p of 120 to 320 /s, uniform, has a standard deviation of 57.7 /s."""
    from scipy.signal import welch

    psp = ran(np.full(10, 220.0), 2.0, 60.0, noise_hz=200.0 / 12.0**0.5)
    f, power = welch(psp - psp.mean(0), 1000.0, nperseg=4000, axis=0)
    band = (f >= 2.0) & (f <= 40.0)
    peaks = f[band][power[band].argmax(0)]
    worst = peaks[np.abs(peaks - 10.5).argmax()]
    what = "p 220 ± 57.7 /s: peak of the spectrum, the worst of 10 masses x 60 s"
    yield near("W1", what, 10.5, worst, 0.5, unit="Hz", source="models' table W1; Jansen & Rit 1995")


CHECKS: tuple[Check, ...] = (
    Check("W1", "rest and rhythms of a Jansen-Rit mass", 3.0, single),
    Check("W1", "its bifurcations", 2.0, bifurcations),
    Check("W1", "its spectrum in noise", 2.0, driven),
)
