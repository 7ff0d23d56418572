"""Proof that a controller of stimulation keeps its promises; for plug-in authors as for our own batteries."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bmi.contracts import Controller
from bmi.limits import DEADMAN_S
from bmi.signals import F32, F64, Chunk, Intent, IntentSpec, StreamSpec
from bmi.testing.stages import GROWTH_BYTES, growth, require, restore, snapshot, spawned

RATE_HZ = 50.0


def waxing(n_channels: int, n_rows: int = 600, seed: int = 0) -> F32:
    """Return positive features (n_rows, n_channels) that wax and wane tenfold in some seconds, as beta power does."""
    rng = np.random.default_rng(seed)
    slow = np.zeros(n_rows)
    for i in range(1, n_rows):
        slow[i] = 0.98 * slow[i - 1] + 0.2 * rng.standard_normal()
    return np.exp(slow[:, None] + 0.3 * rng.standard_normal((n_rows, n_channels))).astype(np.float32)


def control(
    controller: Controller, X: F32, cut: int = 1, *, start: int = 0, lost: int = 0, told_ma: F64 | None = None
) -> dict[float, tuple[float, bool]]:
    """Step through rows of ``X`` from ``start`` on, ``cut`` at a time; return (wanted mA, abstains) by time.

    ``told_ma`` (n_rows,) is what the stimulator is said to do before each step, 0 if left out; ``lost`` rows precede.
    """
    out: dict[float, tuple[float, bool]] = {}
    X = X.copy()
    X.flags.writeable = False
    for i in range(start, len(X), cut):
        rows = X[i : i + cut]
        t: F64 = (1.0 + np.arange(i, i + len(rows), dtype=np.float64)) / RATE_HZ
        controller.told(0.0 if told_ma is None else float(told_ma[i]), float(t[-1]))
        intent = controller.step(Chunk(rows, t, float(t[-1]) + 0.001, i, lost if i == start else 0))
        if intent is not None:
            out[intent.t] = (float(intent.mean[0]), bool(intent.abstains))
    return out


def check_controller(
    factory: Callable[[], Controller],
    spec: StreamSpec | None = None,
    *,
    features: F32 | None = None,
    n_steps: int = 10_000,
) -> None:
    """Check every promise of the Controller contract.

    Says a level in mA often enough, never less than none, with the times of the newest row; 1 x 20 rows = 20 x 1;
    reset equals fresh; snapshot and restore; NaN, Inf, loss and silence of features never make it want what is not
    finite, and features that are nothing but NaN make it abstain; hearing what the stimulator does alone keeps it
    sane; arrives whole in another process; no allocation growth over ``n_steps``.

    Parameters
    ----------
    factory : callable
        Makes the controller, unbound.
    spec : StreamSpec, optional
        A feature stream it accepts, 50 Hz; by default one channel. ``max_samples`` is raised to 20.
    features : (n_rows, n_channels) float32, optional
        Rows on which it says something other than zero at least once; by default power that waxes and wanes.

    Raises
    ------
    PluginError
        Naming the first promise broken.
    """
    if spec is None:
        spec = StreamSpec(name="power", n_channels=1, rate_hz=RATE_HZ, unit="µV²")
    spec = StreamSpec(**{**{f: getattr(spec, f) for f in spec.__slots__}, "max_samples": 20, "rate_hz": RATE_HZ})
    X = waxing(spec.n_channels) if features is None else features

    def bound() -> Controller:
        controller = spawned(factory())
        controller.bind(spec)
        return controller

    _speaks(factory(), spec, X)
    _time(bound(), bound(), X)
    _harm(bound(), X)
    controller, chunk = bound(), Chunk(X[:1].copy(), np.ones(1), 1.0)

    def step(k: int) -> None:
        chunk.seq, chunk.t[0] = k, 1.0 + k / RATE_HZ
        controller.told(1.0, 1.0 + k / RATE_HZ)
        controller.step(chunk)

    require(growth(step, n_steps) < GROWTH_BYTES, controller, "memory does not grow")


def _speaks(controller: Controller, spec: StreamSpec, X: F32) -> None:
    require(isinstance(controller, Controller), controller, "it has every method of bmi.contracts.Controller")
    said = controller.bind(spec)
    require(isinstance(said, IntentSpec), controller, "bind returns an IntentSpec")
    require((said.kind, said.unit, len(said.dims)) == ("level", "mA", 1), controller, "it says one level, in mA")
    require(said.rate_hz > 1.0 / DEADMAN_S, controller, f"it speaks more than {1.0 / DEADMAN_S:g} times a second")
    intent = None
    for i in range(0, len(X) - 2, 3):
        t = 1.0 + np.arange(i, i + 3) / RATE_HZ
        controller.told(0.0, float(t[-1]))
        intent = controller.step(Chunk(X[i : i + 3].copy(), t, float(t[-1]) + 0.5, i))
        if intent is None:
            continue
        require(isinstance(intent, Intent), controller, "step returns an Intent or None")
        require(intent.mean.shape == (1,) and intent.mean.dtype == np.float64, controller, "mean is (1,) float64")
        require(intent.cov.shape == (1, 1), controller, "cov is (1, 1)")
        times = (float(t[-1]), float(t[-1]) + 0.5)
        require((intent.t, intent.t_arrival) == times, controller, "an intent has the times of the newest row")
        require(isinstance(controller.level_, float), controller, "level_ is a float")
    require(intent is not None, controller, "it says something while features come")
    said_ma = np.array([ma for ma, _ in _fresh(controller, X).values()])
    require(bool(np.isfinite(said_ma).all()), controller, "it wants finite amplitudes")
    require(bool((said_ma >= 0.0).all()), controller, "it never wants less than nothing")
    require(bool((said_ma > 0.0).any()), controller, "it wants something at least once (give features it acts on?)")


def _fresh(controller: Controller, X: F32, cut: int = 1) -> dict[float, tuple[float, bool]]:
    controller.reset()
    return control(controller, X, cut)


def _time(controller: Controller, other: Controller, X: F32) -> None:
    """Cutting, reset, snapshot, another process."""
    held = controller.state()
    one = control(controller, X)
    require(
        all(a is b for a, b in zip(held, controller.state(), strict=True)),
        controller, "state() is always the same arrays",
    )  # fmt: skip
    twenty = _fresh(controller, X, 20)
    require(len(twenty) > 0 and all(one[t] == v for t, v in twenty.items()), controller, "1 x 20 rows equal 20 x 1")
    require(_fresh(controller, X) == one, controller, "reset equals fresh")
    controller.reset()
    half = len(X) // 2 + 3
    told = np.abs(np.sin(np.arange(len(X)) / 40.0)) * 2.0
    control(controller, X[:half], told_ma=told)
    saved = snapshot(controller.state())
    rest = control(controller, X, start=half, told_ma=told)
    for c in (controller, other):
        restore(c.state(), saved)
        require(control(c, X, start=half, told_ma=told) == rest, controller, "state() restores everything")


def _harm(controller: Controller, X: F32) -> None:
    """NaN, Inf, loss, silence, and amplitudes that are none."""
    for bad in (np.nan, np.inf, -np.inf):
        hurt = X.copy()
        hurt[50:60] = bad
        controller.reset()
        wanted = np.array([ma for ma, _ in control(controller, hurt).values()])
        require(bool(np.isfinite(wanted).all() and (wanted >= 0.0).all()), controller, f"{bad} features stay harmless")
        require(not any(np.isnan(a).any() for a in controller.state()), controller, f"{bad} leaves no NaN in the state")
    silence = np.full((40, X.shape[1]), np.nan, np.float32)
    said = _fresh(controller, silence)
    require(all(abstains for _, abstains in said.values()), controller, "abstains where features were never finite")
    controller.reset()
    control(controller, X[:100])
    wanted = np.array([ma for ma, _ in control(controller, X, start=110, lost=10).values()])
    require(bool(np.isfinite(wanted).all()), controller, "stays finite after a gap")
    for k in range(200):
        controller.told(1.0, 100.0 + 0.005 * k)
    wanted = np.array([ma for ma, _ in control(controller, X, start=300).values()])
    require(bool(np.isfinite(wanted).all()), controller, "stays finite after hearing without features")
