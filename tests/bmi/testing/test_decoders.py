"""The conformance kit for decoders finds each kind of liar. The honest ones stand in tests/decoders."""

from typing import NamedTuple

import numpy as np
import pytest

from bmi.errors import NotFittedError, PluginError
from bmi.signals import Intent, IntentSpec
from bmi.testing.decoders import check_decoder


class Weights(NamedTuple):
    W: np.ndarray
    b: np.ndarray


class Straight:
    """Honest: regression on the newest row, missing features at their mean."""

    params_version = 0

    def __init__(self):
        self.params_ = None

    def fit(self, Y, X, *, dt_s, groups=None):
        b = Y.mean(axis=0)
        self.params_ = Weights(np.linalg.lstsq(Y - b, X, rcond=None)[0], b)
        return self

    def cold_start(self, specs):
        m = sum(s.n_channels for s in specs)
        self.params_ = Weights(np.zeros((m, 2)), np.zeros(m))

    def bind(self, specs):
        if self.params_ is None:
            raise NotFittedError("fit first")
        self.starts = np.cumsum([0, *(s.n_channels for s in specs)])
        self.y_ = np.full(self.starts[-1], np.nan)
        return IntentSpec(dims=("x", "y"), unit="mm/s")

    def step(self, bundle):
        for i, chunk in enumerate(bundle):
            if chunk is not None:
                self.y_[self.starts[i] : self.starts[i + 1]] = chunk.data[-1]
        if bundle[0] is None:
            return None
        e = self.y_ - self.params_.b
        mean = np.nan_to_num(e) @ self.params_.W
        chunk = bundle[0]
        return Intent(
            mean, np.eye(2), float(chunk.t[-1]), chunk.t_arrival, self.params_version, not np.isfinite(e).any()
        )

    def state(self):
        return (self.y_,)

    def reset(self):
        self.y_[:] = np.nan


class Eager(Straight):
    def bind(self, specs):
        if self.params_ is None:
            self.cold_start(specs)
        return super().bind(specs)


class Guessing(Straight):
    def step(self, bundle):
        intent = super().step(bundle)
        if intent is not None:
            intent.mean = np.random.default_rng(int(intent.t * 50)).standard_normal(2)
        return intent


class Late(Straight):
    def step(self, bundle):
        intent = super().step(bundle)
        if intent is not None:
            intent.t = float(bundle[0].t[0])
        return intent


class Fragile(Straight):
    def step(self, bundle):
        intent = super().step(bundle)
        if intent is not None:
            intent.mean = intent.mean + 0 * self.y_.sum()
        return intent


class Overconfident(Straight):
    def step(self, bundle):
        intent = super().step(bundle)
        if intent is not None:
            intent.abstains = False
        return intent


class Stubborn(Straight):
    def bind(self, specs):
        spec = super().bind(specs)
        self.first = self.params_
        return spec

    def step(self, bundle):
        mine, self.params_ = self.params_, self.first
        try:
            return super().step(bundle)
        finally:
            self.params_ = mine


class Leaning(Straight):
    """Remembers what its state() does not say."""

    last = 0.0

    def step(self, bundle):
        intent = super().step(bundle)
        if intent is not None:
            intent.mean = intent.mean + 0.1 * self.last
            self.last = float(intent.mean[0])
        return intent


class Unanchored(Straight):
    def cold_start(self, specs):
        super().cold_start(specs)
        self.params_.W[:] = 1.0


def test_an_honest_decoder_passes():
    check_decoder(Straight, n_steps=500)


@pytest.mark.parametrize(
    ("liar", "promise"),
    [
        (Eager, "raises NotFittedError"),
        (Guessing, "decodes what it was fitted on"),
        (Late, "times of the newest sample"),
        (Fragile, "stays finite"),
        (Overconfident, "abstains without features"),
        (Stubborn, "a swap takes effect"),
        (Leaning, "equal|restores"),
        (Unanchored, "decodes to rest"),
    ],
)
def test_a_liar_is_caught_by_the_promise_it_breaks(liar, promise):
    with pytest.raises(PluginError, match=f"{liar.__name__} breaks its contract: .*({promise})"):
        check_decoder(liar, n_steps=500)
