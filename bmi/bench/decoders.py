"""How long a decoder's step takes on this machine, and whether its forms agree."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bmi import registry
from bmi.contracts import Decoder
from bmi.signals import F32, F64, Bundle, Chunk, StreamSpec

FORMS = ("information", "covariance", "steady")
RATE_HZ = 50.0


def bench_decoders(n_states: int = 10, n_channels: int = 256, n_steps: int = 20_000, seed: int = 0) -> dict[str, Any]:
    """Time ``Kalman.step`` in its three forms, called from Python with one bin a call.

    Parameters
    ----------
    n_states : int
        Even: half velocities, half positions integrated from them.
    n_channels : int
    n_steps : int
        Timed calls per form; the covariance form gets a hundredth.

    Returns
    -------
    dict
        ``latency_us``: per form, and for ``bare call`` (a method that does nothing, the floor of this clock),
        p50, p99, p99.9, max. ``information_vs_covariance``: largest difference of means.
        ``gain_settled_step``: first step whose gain moved by less than 1e-12. ``steady_vs_full``: largest
        difference of means after that step, the steady form having started from the full filter's state.
    """
    d = n_states // 2
    rng = np.random.default_rng(seed)
    X = np.zeros((1500, d))
    for i in range(1, len(X)):
        X[i] = 0.95 * X[i - 1] + 15.0 * rng.standard_normal(d)
    C = 0.02 * rng.standard_normal((n_channels, d))
    Y = 4.0 + X @ C.T + rng.standard_normal((len(X), n_channels))
    spec = StreamSpec(name="bench", n_channels=n_channels, rate_hz=RATE_HZ, unit="count")
    kalman = registry.load("decoders", "kalman")
    decoders: dict[str, Decoder] = {}
    fitted = None
    for form in FORMS:
        decoder = kalman(states="position-velocity", form=form, n_dims=d)
        if fitted is None:
            fitted = decoder.fit(Y, X, dt_s=1 / RATE_HZ).params_
        decoder.params_ = fitted
        decoder.bind([spec])
        decoders[form] = decoder
    live = Y.astype(np.float32)
    bundles: list[Bundle] = [(Chunk(live[i : i + 1], np.array([i / RATE_HZ]), 0.0),) for i in range(len(live))]
    latency = {"bare call": _time(_Bare().step, bundles, n_steps)}
    for form, decoder in decoders.items():
        latency[form] = _time(decoder.step, bundles, n_steps if form != "covariance" else max(n_steps // 100, 50))
    return {
        "n_states": 2 * d,
        "n_channels": n_channels,
        "n_steps": n_steps,
        "latency_us": latency,
        **_agreement(decoders, live, fitted),
    }


class _Bare:
    """A method that does nothing."""

    def step(self, bundle: Bundle) -> None:
        return None


def _time(step: Callable[[Bundle], object], bundles: list[Bundle], n_steps: int) -> dict[str, float]:
    """Return quantiles of the time of one call, µs."""
    clock, n = time.perf_counter_ns, len(bundles)
    for i in range(min(200, n_steps)):
        step(bundles[i % n])
    taken = np.zeros(n_steps, np.int64)
    for i in range(n_steps):
        bundle = bundles[i % n]
        start = clock()
        step(bundle)
        taken[i] = clock() - start
    q = np.percentile(taken, [50, 99, 99.9]) / 1e3
    return {"p50": float(q[0]), "p99": float(q[1]), "p99.9": float(q[2]), "max": float(taken.max() / 1e3)}


def _agreement(decoders: dict[str, Decoder], live: F32, params: Any) -> dict[str, Any]:
    """Run the forms side by side from rest."""
    full, textbook, steady = (decoders[f] for f in FORMS)
    for decoder in decoders.values():
        decoder.reset()
    n = len(params.A)
    worst, worst_after, settled, gain = 0.0, 0.0, -1, np.zeros((len(params.C), n))
    for i in range(300):
        bundle: Bundle = (Chunk(live[i : i + 1], np.array([i / RATE_HZ]), 0.0),)
        mean = _mean(full, bundle)
        worst = max(worst, float(np.abs(mean - _mean(textbook, bundle)).max()))
        if settled >= 0:
            worst_after = max(worst_after, float(np.abs(mean - _mean(steady, bundle)).max()))
            continue
        P = full.state()[0][n : n + n * n].reshape(n, n)
        new = params.G @ P
        if np.abs(new - gain).max() < 1e-12:
            settled = i
            steady.state()[0][:] = full.state()[0]
        gain = new
    return {
        "information_vs_covariance": worst,
        "gain_settled_step": settled,
        "steady_vs_full": worst_after if settled >= 0 else float("nan"),
    }


def _mean(decoder: Decoder, bundle: Bundle) -> F64:
    intent = decoder.step(bundle)
    return np.zeros(0) if intent is None else intent.mean
