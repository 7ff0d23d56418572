"""The conformance kit for controllers finds what it says it finds."""

import numpy as np
import pytest
from therapy_rig import Follow

from bmi.errors import PluginError
from bmi.signals import IntentSpec
from bmi.testing import check_controller


def test_a_sound_controller_passes():
    check_controller(Follow, n_steps=200)


class Negative(Follow):
    def step(self, chunk):
        intent = super().step(chunk)
        self.mean[0] -= 1.0
        return intent


class Obstinate(Follow):
    """Keeps a count ``reset`` does not know, and acts on it."""

    def bind(self, spec):
        self.rows = np.zeros(1)
        return super().bind(spec)

    def step(self, chunk):
        intent = super().step(chunk)
        self.rows += len(chunk)
        self.mean[0] += 1e-3 * self.rows[0] * (self.mean[0] > 0)
        return intent


class Secret(Obstinate):
    """Its count is no part of ``state()``, but forgotten."""

    def reset(self):
        super().reset()
        self.rows[:] = 0.0


class Believing(Follow):
    """Takes NaN for a level."""

    def step(self, chunk):
        intent = super().step(chunk)
        self.mean[0] = self.level_
        return intent


class Sure(Follow):
    def step(self, chunk):
        intent = super().step(chunk)
        intent.abstains = False
        return intent


class Early(Follow):
    def step(self, chunk):
        intent = super().step(chunk)
        intent.t = float(chunk.t[0])
        return intent


class Driver(Follow):
    def bind(self, spec):
        super().bind(spec)
        return IntentSpec(dims=("x",), unit="mm/s", rate_hz=50.0)


class Seldom(Follow):
    def __init__(self):
        super().__init__(rate_hz=10.0)


class Unmoved(Follow):
    def __init__(self):
        super().__init__(gain=0.0)


class Hoarder(Follow):
    def told(self, amplitude_ma, now):
        super().told(amplitude_ma, now)
        self.kept = [*getattr(self, "kept", []), np.zeros(50)]


@pytest.mark.parametrize(
    ("controller", "promise"),
    [
        (Negative, "never wants less than nothing"),
        (Obstinate, "reset|1 x 20|state"),
        (Secret, "restores everything"),
        (Believing, "features stay harmless"),
        (Sure, "abstains where features were never finite"),
        (Early, "times of the newest row"),
        (Driver, "one level, in mA"),
        (Seldom, "more than 12.5 times a second"),
        (Unmoved, "wants something at least once"),
        (Hoarder, "memory does not grow"),
    ],
)
def test_a_broken_promise_is_named(controller, promise):
    with pytest.raises(PluginError, match=f"{controller.__name__} breaks its contract: .*({promise})"):
        check_controller(controller, n_steps=500)
