"""The conformance kit finds each kind of liar; a check that cannot fail protects nobody."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from bmi.errors import PluginError
from bmi.signals import Chunk, StreamSpec
from bmi.testing.stages import check_stage

SPEC = StreamSpec(name="s", n_channels=2, rate_hz=100.0, unit="µV")


@dataclass(kw_only=True)
class Total:
    """Honest: the sum since reset."""

    at_gap = "hold"

    def bind(self, spec):
        self.sum = np.zeros(spec.n_channels)
        return spec

    def step(self, chunk):
        rows = np.zeros(chunk.data.shape, np.float32)
        for i, x in enumerate(chunk.data):
            self.sum += np.nan_to_num(x)
            rows[i] = self.sum
        return Chunk(rows, chunk.t, chunk.t_arrival, chunk.seq, chunk.n_lost_before)

    def state(self):
        return (self.sum,)

    def reset(self):
        self.sum[:] = 0


class Shapeless(Total):
    def step(self, chunk):
        out = super().step(chunk)
        out.data = out.data.astype(np.float64)
        return out


class Timeless(Total):
    def step(self, chunk):
        out = super().step(chunk)
        out.t = out.t + 1e-3
        return out


class ChunkByChunk(Total):
    def step(self, chunk):
        out = super().step(chunk)
        out.data[:] = out.data[-1]
        return out


class Forgetless(Total):
    def reset(self):
        self.sum[:1] = 0


class Secretive(Total):
    def state(self):
        return ()


class Moving(Total):
    def step(self, chunk):
        out = super().step(chunk)
        self.sum = self.sum.copy()
        return out


class Deaf(Total):
    at_gap = "reset"


class Poisoned(Total):
    def step(self, chunk):
        clean = chunk.data
        out = super().step(chunk)
        self.sum += 0 * clean.sum()
        return out


class Mixing(Total):
    def step(self, chunk):
        out = super().step(chunk)
        out.data += 0 * chunk.data.sum(axis=1, keepdims=True)
        return out


class Hoarding(Total):
    def bind(self, spec):
        self.seen = []
        return super().bind(spec)

    def step(self, chunk):
        self.seen.append(bytes(100))
        return super().step(chunk)


class Vague(Total):
    at_gap = "shrug"


class Scribbling(Total):
    def step(self, chunk):
        chunk.data[0] = 0
        return super().step(chunk)


@dataclass(kw_only=True)
class Stuck(Total):
    handle: object = field(default_factory=lambda: (i for i in ()))


@pytest.fixture
def check():
    return lambda factory, **kw: check_stage(factory, SPEC, n_steps=1000, **kw)


def test_an_honest_stage_passes(check):
    check(Total)


@pytest.mark.parametrize(
    ("liar", "promise"),
    [
        (Shapeless, "float32"),
        (Timeless, "time is that of its newest sample"),
        (ChunkByChunk, "1 x 20"),
        (Forgetless, "1 x 20|reset equals fresh"),
        (Secretive, "restores everything"),
        (Moving, "same arrays"),
        (Deaf, "after a gap it is as fresh"),
        (Poisoned, "does not touch the others"),
        (Mixing, "does not touch the others"),
        (Hoarding, "memory does not grow"),
        (Vague, "at_gap says"),
    ],
)
def test_a_liar_is_caught_by_the_promise_it_breaks(check, liar, promise):
    with pytest.raises(PluginError, match=f"{liar.__name__} breaks its contract: .*({promise})"):
        check(liar)


def test_a_stage_that_writes_on_its_input_is_stopped(check):
    with pytest.raises((PluginError, ValueError), match=r"read-only|breaks"):
        check(Scribbling)


def test_a_stage_that_cannot_travel_is_stopped(check):
    with pytest.raises(TypeError, match="pickle"):
        check(Stuck)
