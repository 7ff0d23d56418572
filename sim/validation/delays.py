"""Acceptance figures of networks of masses with conduction delays (W2).

The rule of integration holds what arrives during a step, as other simulators do, so that a network's error is of the
first order in the step. Where a figure is compared with exact mathematics it is extrapolated to a step of zero from
three steps, each half of the one before.

Two weakly coupled oscillators lock where the theory of phases says: with theta the time along a lone mass's cycle, its
phase response Z (the periodic solution of the adjoint equation) and the rate S it sends, ::

    theta_i' = 1 + G H(theta_j(t - tau) - theta_i),  H(x) = mean over the cycle of Z(theta) A a S(theta + x)

so that both run in phase where H has a positive slope at -tau, in antiphase where it has one at T / 2 - tau, at the
frequency (1 + G H) / T.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bmi.signals import F64
from sim.validation import Check, Row, between, holds, stored
from sim.validation.masses import RATE_E, A, at_rest, fixed_point, flow, jacobian, masses, rhythm_hz, sigmoid, slope

if TYPE_CHECKING:
    from sim.brain.connectome import Connectome

THEORY = "theory of weakly coupled phase oscillators; adjoint solved with SciPy's DOP853"


def extrapolated(run: Callable[[float], F64], dt_s: float) -> F64:
    """Return ``run`` at a step of zero, from three steps, errors of the first and second order removed."""
    one, two, four = run(dt_s), run(0.5 * dt_s), run(0.25 * dt_s)
    return (8.0 * four - 6.0 * two + one) / 3.0


def tracts_of(weights: F64, lengths_mm: F64) -> Connectome:
    """Return regions without names worth telling."""
    from sim.brain.connectome import Connectome

    return Connectome(labels=tuple(f"{k}" for k in range(len(weights))), weights=weights, lengths_mm=lengths_mm)


def arrivals() -> Iterator[Row]:
    """What a region receives is what was sent so many steps before, to the last bit."""
    from sim.brain._delay_kernels import deliver, post
    from sim.brain.network import lines

    n, dt_s = 301, 1e-4
    weights, lengths = np.zeros((n, n)), np.zeros((n, n))
    weights[:, 0], lengths[:, 0] = 1.0, 0.4 * np.arange(n)
    travelling = lines("delays", tracts_of(weights, lengths), 4.0, dt_s)
    sent = np.random.default_rng(1).normal(size=(1000, n))
    got, differing = np.zeros(n), 0
    for t in range(len(sent)):
        post(t, sent[t], travelling)
        deliver(t, travelling, got)
        expected = np.array([sent[t - d, 0] if t >= d else 0.0 for d in range(n)])
        differing += int((got != expected).sum())
    yield holds("W2", "delays of 0 to 300 steps, 1000 steps: values that differ from what was sent", "0",
                f"{differing} of {1000 * n}", differing == 0, source="identity")  # fmt: skip


def alone_with_itself() -> Iterator[Row]:
    """One mass whose own rate returns after 10 ms, against the delay equation solved by the method of steps."""
    from scipy.integrate import solve_ivp

    delay_s, gain, span_s = 0.010, 20.0, 0.1
    tract = tracts_of(np.ones((1, 1)), np.full((1, 1), 40.0))

    def run(dt_s: float) -> F64:
        network = masses(connectome=tract, gain=gain, speed_m_s=4.0, dt_s=dt_s)
        return network.step(round(span_s / dt_s))[0][:, 0]

    past: Callable[[float], F64] = lambda t: np.zeros(6)  # noqa: E731
    y, expected = np.zeros(6), []
    for k in range(round(span_s / delay_s)):

        def slopes(t: float, y: F64, past: Callable[[float], F64] = past) -> F64:
            then = past(t - delay_s)
            return flow(y, 220.0 + gain * sigmoid(then[1] - then[2]))

        begin = k * delay_s
        solved = solve_ivp(
            slopes, (begin, begin + delay_s), y, "DOP853", t_eval=begin + 1e-3 * np.arange(1, 11), rtol=1e-11,
            atol=1e-11, dense_output=True,
        )  # fmt: skip
        expected.append(solved.y[1] - solved.y[2])
        past, y = solved.sol, solved.y[:, -1]
    worst = np.abs(extrapolated(run, 2e-5) - np.concatenate(expected)).max()
    what = "one mass that hears itself after 10 ms, 0.1 s, step to zero: largest difference"
    yield between("W2", what, 0.0, 1e-6, worst, unit="mV", source="method of steps, SciPy's DOP853 at 1e-11")


def at_once() -> Iterator[Row]:
    """Tracts without delay, near rest, where the network is linear, against the matrix exponential."""
    from scipy.linalg import expm
    from scipy.optimize import fsolve

    n, gain, span_s = 6, 5.0, 0.05
    rng = np.random.default_rng(4)
    weights = rng.uniform(0.0, 1.0, (n, n))
    tracts = tracts_of(weights, np.zeros((n, n)))
    drive = rng.uniform(20.0, 60.0, n)

    def residual(v: F64) -> F64:
        return np.array([at_rest(x)[0] for x in v]) - drive - gain * weights @ sigmoid(v)

    v = fsolve(residual, np.zeros(n), xtol=1e-13)
    rest = np.array([fixed_point(x) for x in v])
    whole = np.zeros((6, n, 6, n))
    for i in range(n):
        whole[:, i, :, i] = jacobian(rest[i])
    whole[4, :, 1, :] += A * RATE_E * gain * weights * slope(v)
    whole[4, :, 2, :] -= A * RATE_E * gain * weights * slope(v)
    small = np.repeat([1e-5, 1e-3, 1e-3], n)  # C1 = 135 magnifies y0 before the sigmoid bends
    start = np.concatenate([small * rng.normal(size=3 * n), np.zeros(3 * n)])
    expected = expm(whole.reshape(6 * n, 6 * n) * span_s) @ start

    def run(dt_s: float, sign: float) -> F64:
        network = masses(connectome=tracts, gain=gain, drive_hz=drive, dt_s=dt_s)
        state = network.state()
        state["y"][:] = rest.T.reshape(-1) + sign * start[: 3 * n]
        network.step(round(span_s / dt_s))
        return np.concatenate([state["y"], state["dy"]])

    odd = extrapolated(lambda dt_s: 0.5 * (run(dt_s, 1.0) - run(dt_s, -1.0)), 1e-5)
    worst = np.abs(odd - expected)[: 3 * n].max() / np.abs(expected[: 3 * n]).max()
    what = "6 masses without delay, some 1 µV from rest, after 50 ms, step to zero: largest difference, as a share"
    yield between("W2", what, 0.0, 1e-6, worst, source="matrix exponential of the linearised network")


class Cycle(NamedTuple):
    """A lone mass's rhythm."""

    period_s: float
    sent: F64
    """Rate at equal steps along the cycle, Hz."""
    response: F64
    """How much a unit of drive there, 1/s, for a unit of time, advances the phase."""

    def slope_and_value(self, x_s: float) -> tuple[float, float]:
        """Return the derivative of H, 1/s, and H at ``x_s``, by Fourier series."""
        n = len(self.sent)
        k = np.fft.fftfreq(n, 1.0 / n)
        product = np.conj(np.fft.fft(self.response)) * np.fft.fft(self.sent) / n**2
        turned = product * np.exp(2j * np.pi * k * x_s / self.period_s)
        return float((turned * 2j * np.pi * k / self.period_s).sum().real), float(turned.sum().real)


def cycle(p: float, n: int = 512) -> Cycle:
    """Return the rhythm of a mass at the drive ``p``."""
    from scipy.integrate import solve_ivp

    def rises(t: float, y: F64) -> float:
        return float(y[4])  # y1 is at a minimum where its slope turns positive

    rises.direction = 1.0  # type: ignore[attr-defined]
    how = {"method": "DOP853", "rtol": 1e-10, "atol": 1e-10}
    settled = solve_ivp(lambda t, y: flow(y, p), (0.0, 20.0), np.zeros(6), **how).y[:, -1]
    turns = solve_ivp(lambda t, y: flow(y, p), (0.0, 0.5), settled, events=rises, **how)
    begin, period = turns.y_events[0][0], float(np.diff(turns.t_events[0])[0])

    def both(t: float, x: F64) -> F64:
        return np.concatenate([flow(x[:6], p), (jacobian(x[:3]) @ x[6:].reshape(6, 6)).reshape(-1)])

    at = np.arange(n) * period / n
    solved = solve_ivp(both, (0.0, period), np.append(begin, np.eye(6)), t_eval=np.append(at, period), **how).y
    stretch = solved[6:].T.reshape(-1, 6, 6)
    values, vectors = np.linalg.eig(stretch[-1].T)
    left = vectors[:, np.abs(values - 1.0).argmin()].real
    left /= left @ flow(begin, p)
    response = np.array([np.linalg.solve(m.T, left)[4] for m in stretch[:-1]]) * A * RATE_E
    return Cycle(period, sigmoid(solved[1, :-1] - solved[2, :-1]), response)


def pairs() -> Iterator[Row]:
    """Pairs of equal masses, weakly coupled: in phase or in antiphase, how fast, as the delay grows."""
    delays_ms, gain, n_s = np.array([8, 14, 20, 26, 32, 38, 54, 60, 66, 72, 78, 84]), 0.5, 40
    n = 2 * len(delays_ms)
    weights, lengths = np.zeros((n, n)), np.zeros((n, n))
    for k, delay in enumerate(delays_ms):
        for i, j in ((2 * k, 2 * k + 1), (2 * k + 1, 2 * k)):
            weights[i, j], lengths[i, j] = 1.0, 4.0 * delay
    network = masses(connectome=tracts_of(weights, lengths), gain=gain)
    network.receive("drive", np.tile([0.0, 100.0], len(delays_ms)))
    network.step(300)
    network.receive("drive", np.zeros(n))
    network.step(10000 * (n_s - 5))
    psp = network.step(50000)[0]
    lone = cycle(220.0)
    worst_phase, worst_shift, told = 0.0, 0.0, []
    for k, delay in enumerate(delays_ms):
        choices = {}
        for name, offset in (("in", 0.0), ("anti", 0.5 * lone.period_s)):
            steepness, h = lone.slope_and_value(offset - 1e-3 * delay)
            if steepness > 0.0:
                choices[name] = h
        ((name, h),) = choices.items()
        hz = rhythm_hz(psp[:, 2 * k])
        apart = abs(phase_apart(psp[:, 2 * k], psp[:, 2 * k + 1], hz))
        worst_phase = max(worst_phase, abs(apart - (0.0 if name == "in" else 0.5)))
        shift = hz * lone.period_s - 1.0
        worst_shift = max(worst_shift, abs(shift - gain * h))
        told.append(abs(gain * h))
    what = f"12 pairs, delays of 8 to 84 ms, {n_s} s: distance from the phase (0 or 1/2) that is due, the largest"
    yield between("W2", what, 0.0, 0.01, worst_phase, unit="cycles", source=THEORY)
    what = f"their frequency against a lone one's, shifts of up to {100 * max(told):.2f} %: largest error of theory"
    yield between("W2", what, 0.0, 0.05 * max(told), worst_shift, source=THEORY)


def phase_apart(a: F64, b: F64, hz: float) -> float:
    """Return by how much ``b`` rises through its mean after ``a``, cycles, -1/2 to 1/2, from traces a ms apart."""
    at = []
    for x in (a - a.mean(), b - b.mean()):
        up = np.flatnonzero((x[:-1] < 0.0) & (x[1:] >= 0.0))
        at.append(1e-3 * hz * (up + x[up] / (x[up] - x[up + 1])))
    turns = np.exp(2j * np.pi * (at[1][:20] - at[0][:20]))
    return float(np.angle(turns.mean()) / (2.0 * np.pi))


def peer() -> Iterator[Row]:
    """Eight regions, delays of 0 to 30 ms, against another simulator."""
    from sim.validation.epilepsy import unlike_tvb

    given = stored("tvb_masses")
    a = given.arrays
    source = f"{given.source}, its past kept in double precision"
    for method in ("heun", "euler"):
        network = masses(
            connectome=tracts_of(a["weights"], a["lengths_mm"]), gain=10.0, speed_m_s=float(a["speed_m_s"]),
            drive_hz=a["drive_hz"], method=method,
        )  # fmt: skip
        worst = np.abs(network.step(4000)[0][1::2][:, a["shown"]] - a[f"jansen_rit_{method}_psp_mv"]).max()
        what = f"Jansen-Rit, 8 regions with delays, 0.4 s, {method}: largest difference"
        yield between("W2", what, 0.0, 1e-6, worst, unit="mV", source=source)
        what = f"Epileptor, 8 regions with delays, 400 units, {method}: largest difference"
        yield between("W2", what, 0.0, 1e-6, unlike_tvb(method), source=source)


def cost() -> Iterator[Row]:
    """Processor time of dense networks at 0.5 ms, noise and outputs on; the least of ten runs of 0.1 s."""
    rng = np.random.default_rng(0)
    for n, most in ((76, 0.018), (84, 0.029), (200, 0.168), (400, 0.466)):
        tracts = tracts_of(rng.lognormal(size=(n, n)), rng.uniform(10.0, 150.0, (n, n)))
        network = masses(connectome=tracts, gain=1.0 / n, noise_hz=20.0, dt_s=5e-4)
        took = []
        for _ in range(10):
            began = time.thread_time()
            network.step(200)
            took.append(10.0 * (time.thread_time() - began))
        what = f"Jansen-Rit, {n} regions all connected, 0.5 ms, with noise: cost"
        yield between("W2", what, 0.0, most, min(took), unit="core-s/s", source="models' table W2, recomputed")


CHECKS: tuple[Check, ...] = (
    Check("W2", "delays are exact", 1.0, arrivals),
    Check("W2", "a delay equation", 1.0, alone_with_itself),
    Check("W2", "a linear network", 1.0, at_once),
    Check("W2", "two oscillators", 3.0, pairs),
    Check("W2", "another simulator", 1.0, peer),
    Check("W2", "cost", 2.0, cost),
)
