"""Proof that a decoder keeps its promises; for plug-in authors as for our own batteries."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bmi.contracts import Decoder
from bmi.errors import NotFittedError
from bmi.params import flatten, unflatten
from bmi.signals import F32, F64, Bundle, Chunk, Intent, StreamSpec
from bmi.testing.stages import GROWTH_BYTES, growth, require, restore, same, snapshot, spawned

RATE_HZ = 50.0


def features(n_features: int, n_dims: int, n_bins: int = 2000, seed: int = 0) -> tuple[F64, F64]:
    """Return features (n_bins, n_features) tuned to a wandering velocity (n_bins, n_dims), and that."""
    rng = np.random.default_rng(seed)
    X = np.zeros((n_bins, n_dims))
    for i in range(1, n_bins):
        X[i] = 0.95 * X[i - 1] + 15.0 * rng.standard_normal(n_dims)
    C = rng.standard_normal((n_features, n_dims)) * 0.03
    return 4.0 + X @ C.T + 0.5 * rng.standard_normal((n_bins, n_features)), X


def spec_of(n_features: int, name: str = "features") -> StreamSpec:
    """Return a stream of features as a bin stage would give it."""
    return StreamSpec(name=name, n_channels=n_features, rate_hz=RATE_HZ, unit="count", max_samples=20)


def decode(decoder: Decoder, Y: F32, cut: int = 1, *, start: int = 0, lost: int = 0) -> dict[float, F64]:
    """Step through ``Y`` from row ``start``; return mean and covariance rows by time. ``lost`` precede it."""
    out: dict[float, F64] = {}
    Y = Y.copy()
    Y.flags.writeable = False
    for i in range(start, len(Y), cut):
        rows = Y[i : i + cut]
        t: F64 = (1.0 + np.arange(i, i + len(rows), dtype=np.float64)) / RATE_HZ
        intent = decoder.step((Chunk(rows, t, float(t[-1]) + 0.001, i, lost if i == start else 0),))
        if intent is not None:
            out[intent.t] = np.vstack([intent.mean, intent.cov])
    return out


def check_decoder(
    factory: Callable[[], Decoder],
    *,
    n_features: int = 12,
    n_dims: int = 2,
    min_cc: float = 0.5,
    n_steps: int = 10_000,
) -> None:
    """Check every promise of the Decoder contract on features linearly tuned to velocity.

    Refuses to bind unfitted; promised shapes and times; decodes what it was fitted on (correlation above
    ``min_cc``); a cold start decodes to rest; reset equals fresh; 1 x 20 = 20 x 1; snapshot and restore; gap,
    NaN and silence stay finite, and silence abstains; parameters swap mid-stream; other streams are held;
    arrives whole in another process; no allocation growth over ``n_steps``.

    Parameters
    ----------
    factory : callable
        Makes the decoder, unfitted and unbound, for ``n_dims`` dimensions.

    Raises
    ------
    PluginError
        Naming the first promise broken.
    """
    Y, X = features(n_features, n_dims)
    fitted = factory()
    try:
        fitted.bind([spec_of(n_features)])
    except NotFittedError:
        pass
    else:
        require(False, fitted, "bind raises NotFittedError without parameters")
    fitted.fit(Y, X, dt_s=1 / RATE_HZ)
    live = Y[:400].astype(np.float32)

    def bound() -> Decoder:
        decoder = spawned(factory())
        decoder.params_ = fitted.params_
        decoder.bind([spec_of(n_features)])
        return decoder

    _speaks(bound(), live, X[:400], n_dims, min_cc)
    _rest(factory(), live, n_dims)
    _time(bound(), bound(), live)
    _harm(bound(), live)
    _swap(bound(), bound(), live)
    _streams(factory(), bound(), fitted, live)
    decoder, chunk = bound(), Chunk(live[:1], np.ones(1), 1.0)
    bundle: Bundle = (chunk,)
    require(growth(lambda _: decoder.step(bundle), n_steps) < GROWTH_BYTES, decoder, "memory does not grow")


def _speaks(decoder: Decoder, Y: F32, X: F64, n_dims: int, min_cc: float) -> None:
    spec = decoder.bind([spec_of(Y.shape[1])])
    require(len(spec.dims) == n_dims and spec.unit != "", decoder, "bind names every dimension and the unit")
    intent = decoder.step((Chunk(Y[:3], np.array([1.0, 2.0, 3.0]), 4.0),))
    require(isinstance(intent, Intent), decoder, "a primary chunk makes an intent")
    assert intent is not None  # noqa: S101 - for the type checker
    require(
        intent.mean.shape == (n_dims,) and intent.mean.dtype == np.float64,
        decoder,
        "mean is (n_dims,) float64",
    )
    require(intent.cov.shape == (n_dims, n_dims), decoder, "cov is (n_dims, n_dims)")
    require((intent.t, intent.t_arrival) == (3.0, 4.0), decoder, "an intent has the times of the newest sample")
    require(decoder.y_.shape == (Y.shape[1],), decoder, "y_ is (n_features,)")
    require(same(decoder.y_.astype(np.float32), Y[2]), decoder, "y_ holds the features last used")
    decoder.params_version = 7
    intent = decoder.step((Chunk(Y[:1], np.ones(1), 1.0),))
    require(intent is not None and intent.params_version == 7, decoder, "an intent carries params_version")
    decoder.reset()
    rows = np.array(list(decode(decoder, Y).values()))
    require(bool((np.linalg.eigvalsh(rows[:, 1:]) > -1e-9).all()), decoder, "covariances are non-negative")
    for d in range(n_dims):
        cc = float(np.corrcoef(rows[:, 0, d], X[:, d])[0, 1])
        require(cc > min_cc, decoder, f"decodes what it was fitted on (dimension {d}: correlation {cc:.2f})")


def _rest(decoder: Decoder, Y: F32, n_dims: int) -> None:
    decoder.cold_start([spec_of(Y.shape[1])])
    decoder.bind([spec_of(Y.shape[1])])
    rows = np.array(list(decode(decoder, Y).values()))
    require(not rows[:, 0].any(), decoder, "a cold start decodes to rest")
    require(rows.shape[1:] == (n_dims + 1, n_dims), decoder, "a cold start has the same shapes")


def _time(decoder: Decoder, other: Decoder, Y: F32) -> None:
    """Reset, chunking, snapshot."""
    held = decoder.state()
    one = decode(decoder, Y)
    require(
        all(a is b for a, b in zip(held, decoder.state(), strict=True)),
        decoder,
        "state() is always the same arrays",
    )
    decoder.reset()
    twenty = decode(decoder, Y, 20)
    require(all(same(one[t], v) for t, v in twenty.items()), decoder, "1 x 20 rows equal 20 x 1")
    decoder.reset()
    again = decode(decoder, Y)
    require(all(same(one[t], v) for t, v in again.items()), decoder, "reset equals fresh")
    decoder.reset()
    decode(decoder, Y[:203])
    saved = snapshot(decoder.state())
    for d in (decoder, other):
        restore(d.state(), saved)
        rest = decode(d, Y, start=203)
        require(all(same(one[t], v) for t, v in rest.items()), decoder, "state() restores everything")


def _harm(decoder: Decoder, Y: F32) -> None:
    """Loss, NaN, silence."""
    decode(decoder, Y[:100])
    rows = np.array(list(decode(decoder, Y, start=110, lost=10).values()))
    require(bool(np.isfinite(rows).all()), decoder, "stays finite after a gap")
    bad = Y.copy()
    bad[50:60, 0] = np.nan
    decoder.reset()
    rows = np.array(list(decode(decoder, bad).values()))
    require(bool(np.isfinite(rows).all()), decoder, "stays finite with a NaN feature")
    silence = np.full((1, Y.shape[1]), np.nan, np.float32)
    intent = decoder.step((Chunk(silence, np.ones(1), 1.0),))
    require(intent is not None and bool(np.isfinite(intent.mean).all()), decoder, "stays finite without features")
    require(intent is not None and intent.abstains, decoder, "abstains without features")


def _swap(decoder: Decoder, other: Decoder, Y: F32) -> None:
    """Parameters as the double slot brings them: views into one vector."""
    template = decoder.params_
    whole = decode(other, Y)
    decode(decoder, Y[:200])
    vector = flatten(template)
    decoder.params_ = unflatten(template, vector)
    rest = decode(decoder, Y, start=200)
    require(all(same(whole[t], v) for t, v in rest.items()), decoder, "swapping equal parameters changes nothing")
    halved = unflatten(template, vector.copy())
    for name, array in zip(halved._fields, halved, strict=True):
        if name != "dt_s":
            array *= 0.5
    decoder.reset()
    decode(decoder, Y[:200])
    saved = snapshot(decoder.state())
    decoder.params_ = halved
    got = decode(decoder, Y, start=200)
    require(any(not same(whole[t], v) for t, v in got.items()), decoder, "a swap takes effect")
    other.params_ = halved
    restore(other.state(), saved)
    expected = decode(other, Y, start=200)
    require(all(same(expected[t], v) for t, v in got.items()), decoder, "a swap leaves nothing of the old behind")


def _streams(decoder: Decoder, single: Decoder, fitted: Decoder, Y: F32) -> None:
    """Two streams together equal one; a silent one is held, and unseen it is missing, not zero."""
    k = Y.shape[1] // 3
    decoder.params_ = fitted.params_
    decoder.bind([spec_of(Y.shape[1] - k), spec_of(k, "other")])
    a, b = np.ascontiguousarray(Y[:, :-k]), np.ascontiguousarray(Y[:, -k:])
    for i in range(100):
        t = np.array([i / RATE_HZ])
        both = decoder.step((Chunk(a[i : i + 1], t, t[0]), Chunk(b[i : i + 1], t, t[0])))
        one = single.step((Chunk(Y[i : i + 1], t, t[0]),))
        require(
            both is not None and one is not None and same(both.mean, one.mean),
            decoder,
            "features split over two streams decode like one",
        )
    require(decoder.step((None, Chunk(b[:1], t, t[0]))) is None, decoder, "no primary chunk, no intent")
    intent = decoder.step((Chunk(a[:1], t, t[0]), None))
    require(
        intent is not None and same(decoder.y_[-k:].astype(np.float32), b[0]),
        decoder,
        "other streams are held",
    )
    decoder.reset()
    intent = decoder.step((Chunk(a[:1], t, t[0]), None))
    require(intent is not None and bool(np.isfinite(intent.mean).all()), decoder, "waits for other streams")
