"""The conformance kit for click decoders finds each kind of liar. The honest ones stand in tests/decoders."""

from typing import NamedTuple

import numpy as np
import pytest

from bmi.errors import NotFittedError, PluginError
from bmi.testing.clicks import check_click


class Weights(NamedTuple):
    w: np.ndarray
    b: np.ndarray


class Straight:
    """Honest: a logistic function of what is seen, held where it is missing."""

    params_version = 0

    def __init__(self):
        self.params_ = None

    def fit(self, Y, clicked, *, dt_s, groups=None):
        w = Y[clicked].mean(axis=0) - Y[~clicked].mean(axis=0)
        self.params_ = Weights(w, np.array([-w @ Y.mean(axis=0) - 1.0]))
        return self

    def params_like(self, n_features):
        return Weights(np.zeros(n_features), np.zeros(1))

    def cold_start(self, specs):
        m = sum(s.n_channels for s in specs)
        self.params_ = self.params_like(m)._replace(b=np.array([-40.0]))

    def bind(self, specs):
        if self.params_ is None:
            raise NotFittedError("fit first")
        self.y = np.zeros(sum(s.n_channels for s in specs))

    def step(self, y):
        self.y[:] = np.where(np.isfinite(y), y, self.y)
        return float(1 / (1 + np.exp(-(self.y @ self.params_.w + self.params_.b.item()))))

    def state(self):
        return (self.y,)

    def reset(self):
        self.y[:] = 0.0


class Unfitted(Straight):
    def bind(self, specs):
        self.y = np.zeros(sum(s.n_channels for s in specs))


class Percent(Straight):
    def step(self, y):
        return 100.0 * super().step(y)


class Deaf(Straight):
    def step(self, y):
        super().step(y)
        return 0.1


class Eager(Straight):
    def cold_start(self, specs):
        super().cold_start(specs)
        self.params_ = self.params_._replace(b=np.zeros(1))


class Forgetful(Straight):
    """Holds a step back, and keeps it from its state."""

    last = 0.0

    def step(self, y):
        self.last, last = super().step(y), self.last
        return 0.5 * (self.last + last)


class Strict(Straight):
    def step(self, y):
        return float(1 / (1 + np.exp(-(y @ self.params_.w + self.params_.b.item()))))


class Stuck(Straight):
    """Keeps the parameters of the day it was bound."""

    def bind(self, specs):
        super().bind(specs)
        self.first = self.params_

    def step(self, y):
        now, self.params_ = self.params_, self.first
        said = super().step(y)
        self.params_ = now
        return said


class Hoarder(Straight):
    def bind(self, specs):
        super().bind(specs)
        self.seen = []

    def step(self, y):
        self.seen.append(y.copy())
        return super().step(y)


def test_the_honest_one_passes():
    check_click(Straight, min_gap=0.2)


@pytest.mark.parametrize(
    ("liar", "promise"),
    [
        (Unfitted, "NotFittedError"),
        (Percent, "a probability, 0 to 1"),
        (Deaf, "what it was fitted on"),
        (Eager, "never selects"),
        (Forgetful, "reset equals fresh|restores everything"),
        (Strict, "where features are missing"),
        (Stuck, "a swap takes effect"),
        (Hoarder, "memory does not grow"),
    ],
)
def test_each_liar_is_found(liar, promise):
    with pytest.raises(PluginError, match=promise):
        check_click(liar, min_gap=0.2)
