"""The comparison finds nothing where nothing differs, and finds every way of cheating."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from oscillator import Oscillators

from bmi import registry
from sim.exactness import exactness
from sim.validation.exact import SEED, SUBJECTS

DRIVE = [("force", 0.0, (1.0, 0.0)), ("force", 0.213, (0.0, 40.0))]


def found(make) -> dict[str, int]:
    counts = exactness(make, DRIVE, seconds=0.5, seed=2)
    assert all(c.values > 100 for c in counts)
    return {c.how.split(" at ")[0]: c.differing for c in counts}


def test_an_honest_component_differs_nowhere():
    assert set(found(Oscillators).values()) == {0}
    assert len(found(Oscillators)) == 7


@dataclass(kw_only=True)
class Sequential(Oscillators):
    """Draws its noise from a generator whose state it hides."""

    def bind(self, seed):
        super().bind(seed)
        self._hidden = np.random.default_rng(seed)

    def step(self, n):
        self._force[0] = self._hidden.normal()
        return super().step(n)


SHARED = np.random.default_rng(0)


@dataclass(kw_only=True)
class Global(Oscillators):
    """Draws from a generator all share."""

    def step(self, n):
        self._force[1] += SHARED.normal()
        return super().step(n)


CHEATS = [(Sequential, "snapshot"), (Sequential, "fork"), (Global, "1 and 2 threads")]


@pytest.mark.parametrize(("make", "where"), CHEATS)
def test_hidden_state_is_found(make, where):
    assert found(make)[where] > 0


def test_every_registered_component_is_examined():
    assert set(SUBJECTS) == set(registry.names("components"))


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_component_differs_nowhere(name):
    make, drive, _ = SUBJECTS[name]()
    early = [(port, t / 10.0, value) for port, t, value in drive]
    counts = exactness(make, early, seconds=0.2, seed=SEED)
    assert {c.how: c.differing for c in counts if c.differing} == {}
    assert min(c.values for c in counts) > 200
