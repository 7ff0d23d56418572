"""A small line on a clock of its own: eight tuned neurons, a fitted Kalman filter, a cursor, centre-out."""

import numpy as np

from bmi.assist import GoalDirected
from bmi.blocks import Block, Blocks
from bmi.clock import ManualClock
from bmi.gate import Gate
from bmi.line import Line
from bmi.pipeline import Pipeline, pack_into
from bmi.signals import Chunk, StreamSpec
from bmi.tasks.centre_out import CentreOut
from decoders.features.spikes import Bin
from decoders.kalman import Kalman
from devices.cursor import Cursor

N, PUSH, RATE_HZ, BIN_S, T0 = 8, 5, 1000.0, 0.02, 1000.0
SPEC = StreamSpec(name="m1", n_channels=N, rate_hz=RATE_HZ, unit="count", max_samples=PUSH)


def counts(n_samples, seed=0):
    """Return (n_samples, N) float32 spike counts per millisecond that mean nothing in particular."""
    return np.random.default_rng(seed).poisson(0.05, (n_samples, N)).astype(np.float32)


def fitted(decoder=None, seed=0, n_features=N, dt_s=BIN_S):
    """Return a decoder fitted to a linear encoder of velocity."""
    rng = np.random.default_rng(seed)
    velocity = 100.0 * np.stack([np.sin(np.arange(500) / 9), np.cos(np.arange(500) / 13)], axis=1)
    features = (
        1.0 + velocity @ (0.01 * rng.standard_normal((2, n_features))) + 0.3 * rng.standard_normal((500, n_features))
    )
    return (decoder or Kalman()).fit(features, velocity, dt_s=dt_s)


def chunks(data, lengths=None, t0=T0, seq=0):
    """Cut samples into chunks: of PUSH, or of the given lengths, over and over."""
    lengths = list(lengths or [PUSH])
    at, out = 0, []
    while at < len(data):
        n = min(lengths[len(out) % len(lengths)], len(data) - at)
        t = t0 + np.arange(seq + at + 1, seq + at + n + 1) / RATE_HZ
        out.append(Chunk(data[at : at + n].copy(), t, float(t[-1]), seq + at))
        at += n
    return out


def saved(part):
    """Return a snapshot of everything the next step of a pipeline or line depends on."""
    out = np.zeros(sum(a.nbytes for a in part.state()), np.uint8)
    pack_into(part.state(), out)
    return out


class Rig:
    """A line with its world: ``push`` brings the next samples, ``wait`` brings nothing."""

    def __init__(self, blocks=(Block(name="free"),), *, decoder=None, device=None, seed=0, **parts):
        self.clock = ManualClock(T0)
        self.device = device or Cursor()
        self.line = Line(
            pipeline=Pipeline({"m1": [Bin(bin_s=BIN_S)]}, decoder or fitted()),
            gate=parts.pop("gate", None) or Gate(),
            device=self.device,
            task=parts.pop("task", None) or CentreOut(distance_mm=40, radius_mm=8, timeout_s=1.0),
            blocks=Blocks(blocks),
            assist=GoalDirected(**parts),
        )
        self.line.bind((SPEC,), np.random.default_rng(seed))
        self.device.open()
        self.device.arm()
        self.data = counts(60_000, seed)
        self.seq = 0

    def push(self, *, age_s=0.0, **words):
        """Step with the next push; its newest sample is ``age_s`` old."""
        (chunk,) = chunks(self.data[self.seq : self.seq + PUSH], t0=T0 - age_s, seq=self.seq)
        self.seq += PUSH
        chunk.t_arrival += age_s
        self.clock.sleep_until(chunk.t_arrival)
        return self.line.step((chunk,), self.clock.now(), **words)

    def wait(self, seconds=0.005, **words):
        """Step without samples."""
        self.clock.sleep_until(self.clock.now() + seconds)
        return self.line.step((None,), self.clock.now(), **words)

    def run(self, seconds, **words):
        """Push for so long; return copies of every journal record."""
        records = []
        for _ in range(round(seconds * RATE_HZ / PUSH)):
            self.push(**words)
            records.append(self.line.record.row[0].copy())
        return np.array(records)
