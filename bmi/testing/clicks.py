"""Proof that a click decoder keeps its promises; for plug-in authors as for our own batteries."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bmi.contracts import ClickDecoder
from bmi.errors import NotFittedError
from bmi.params import flatten, unflatten
from bmi.signals import F64, AnyArray
from bmi.testing.decoders import RATE_HZ, spec_of
from bmi.testing.stages import GROWTH_BYTES, growth, require, restore, same, snapshot, spawned


def clicking(n_features: int, n_bins: int = 3000, seed: int = 0, *, strength: float = 1.0) -> tuple[F64, AnyArray]:
    """Return features (n_bins, n_features) that change with a click, and whether one was intended, (n_bins,) bool.

    Clicks last 0.3 s, about one every 1.5 s. A nuisance moves all features slowly and another with every click.
    """
    rng = np.random.default_rng(seed)
    clicked = np.zeros(n_bins, bool)
    at = 20
    while at < n_bins:
        clicked[at : at + 15] = True
        at += 15 + int(rng.integers(30, 90))
    slow = np.zeros((n_bins, 2))
    for i in range(1, n_bins):
        slow[i] = 0.95 * slow[i - 1] + 0.3 * rng.standard_normal(2)
    tuned, nuisance = rng.standard_normal(n_features), rng.standard_normal((2, n_features))
    signal = strength * clicked[:, None] * tuned + slow @ nuisance
    return 4.0 + signal + rng.standard_normal((n_bins, n_features)), clicked


def probabilities(click: ClickDecoder, Y: F64) -> F64:
    """Step through rows of ``Y`` (n, n_features); return the probability after each, (n,)."""
    Y = Y.copy()
    Y.flags.writeable = False
    return np.array([click.step(y) for y in Y])


def check_click(
    factory: Callable[[], ClickDecoder], *, n_features: int = 12, min_gap: float = 0.3, n_steps: int = 10_000
) -> None:
    """Check every promise of the ClickDecoder contract on features that change with a click.

    Refuses to bind unfitted; says probabilities, higher by ``min_gap`` on average where a click is intended; a cold
    start never selects; reset equals fresh; snapshot and restore; NaN and silence stay probabilities; parameters
    swap mid-stream; arrives whole in another process; no allocation growth over ``n_steps``.

    Parameters
    ----------
    factory : callable
        Makes the click decoder, unfitted and unbound.

    Raises
    ------
    PluginError
        Naming the first promise broken.
    """
    Y, clicked = clicking(n_features)
    fitted = factory()
    try:
        fitted.bind([spec_of(n_features)])
    except NotFittedError:
        pass
    else:
        require(False, fitted, "bind raises NotFittedError without parameters")
    require(fitted.fit(Y[:2000], clicked[:2000], dt_s=1 / RATE_HZ) is fitted, fitted, "fit returns itself")
    live, truth = Y[2000:], clicked[2000:]

    def bound() -> ClickDecoder:
        click = spawned(factory())
        click.params_ = fitted.params_
        click.bind([spec_of(n_features)])
        return click

    _speaks(bound(), live, truth, min_gap)
    _never(factory(), live)
    _time(bound(), bound(), live)
    _harm(bound(), live)
    _swap(bound(), bound(), live)
    click, y = bound(), live[0].copy()
    require(growth(lambda _: click.step(y), n_steps) < GROWTH_BYTES, click, "memory does not grow")


def _probable(p: F64) -> bool:
    return bool(((p >= 0.0) & (p <= 1.0)).all())


def _speaks(click: ClickDecoder, Y: F64, truth: AnyArray, min_gap: float) -> None:
    p = probabilities(click, Y)
    require(_probable(p), click, "step returns a probability, 0 to 1")
    gap = float(p[truth].mean() - p[~truth].mean())
    require(gap > min_gap, click, f"says what it was fitted on (mean probability {gap:.2f} higher during clicks)")


def _never(click: ClickDecoder, Y: F64) -> None:
    click.cold_start([spec_of(Y.shape[1])])
    click.bind([spec_of(Y.shape[1])])
    require(float(probabilities(click, 100.0 * Y).max()) < 1e-6, click, "a cold start never selects")
    shapes = [a.shape for a in click.params_like(Y.shape[1])]
    require([a.shape for a in click.params_ or ()] == shapes, click, "params_like has the shapes of a cold start")


def _time(click: ClickDecoder, other: ClickDecoder, Y: F64) -> None:
    held = click.state()
    whole = probabilities(click, Y[:300])
    require(
        all(a is b for a, b in zip(held, click.state(), strict=True)), click, "state() is always the same arrays"
    )
    click.reset()
    require(same(probabilities(click, Y[:300]), whole), click, "reset equals fresh")
    click.reset()
    probabilities(click, Y[:103])
    saved = snapshot(click.state())
    for c in (click, other):
        restore(c.state(), saved)
        require(same(probabilities(c, Y[103:300]), whole[103:]), click, "state() restores everything")


def _harm(click: ClickDecoder, Y: F64) -> None:
    bad = Y[:300].copy()
    bad[50:80, 0] = np.nan
    bad[100:150] = np.nan
    require(_probable(probabilities(click, bad)), click, "stays a probability where features are missing")
    click.reset()
    require(_probable(np.array([click.step(np.full(Y.shape[1], np.nan))])), click, "stays a probability from the first")


def _swap(click: ClickDecoder, other: ClickDecoder, Y: F64) -> None:
    """Parameters as the double slot brings them: views into one vector."""
    template = click.params_
    whole = probabilities(other, Y[:300])
    probabilities(click, Y[:100])
    vector = flatten(template)
    click.params_ = unflatten(template, vector)
    require(same(probabilities(click, Y[100:300]), whole[100:]), click, "swapping equal parameters changes nothing")
    halved = unflatten(template, vector.copy())
    for name, array in zip(halved._fields, halved, strict=True):
        if name != "dt_s":
            array *= 0.5
    click.params_ = halved
    require(not same(probabilities(click, Y[100:300]), whole[100:]), click, "a swap takes effect")
