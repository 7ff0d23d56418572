"""A therapy on a clock of its own: a plain controller, the gate, a stimulator, and a stream that is handed to it."""

import numpy as np
from stimulus_rig import MACRO

from bmi.contracts import State
from bmi.signals import Chunk, Intent, IntentSpec, StreamSpec
from bmi.stimulus_gate import StimulusGate
from bmi.therapy import Therapy
from decoders.features.spikes import Bin
from devices.stimulator import Stimulator

SPEC = StreamSpec(name="bg", n_channels=2, rate_hz=1000.0, unit="count", max_samples=10)
T0 = 1000.0


class Follow:
    """Wants as many mA as its features' mean says; keeps what it was told and the mean of all it saw."""

    def __init__(self, gain=1.0, rate_hz=50.0):
        self.gain, self.rate_hz = gain, rate_hz
        self.level_ = float("nan")

    def bind(self, spec: StreamSpec) -> IntentSpec:
        self.memory = np.zeros(3)  # told mA, told when, rows seen
        self.mean = np.zeros(1)
        self.intent = Intent(self.mean, np.zeros((1, 1)), 0.0, 0.0)
        return IntentSpec(dims=("amplitude",), unit="mA", kind="level", rate_hz=self.rate_hz)

    def told(self, amplitude_ma: float, now: float) -> None:
        self.memory[:2] = amplitude_ma, now

    def step(self, chunk: Chunk) -> Intent | None:
        self.memory[2] += len(chunk)
        self.level_ = float(chunk.data[-1].mean())
        intent = self.intent
        intent.abstains = not np.isfinite(self.level_)
        self.mean[0] = 0.0 if intent.abstains else max(self.gain * self.level_, 0.0)
        intent.t, intent.t_arrival = float(chunk.t[-1]), chunk.t_arrival
        return intent

    def state(self) -> State:
        return (self.memory,)

    def reset(self) -> None:
        self.level_ = float("nan")
        self.memory[:] = 0.0


class Rig:
    """A therapy of one stream beside another: ``push`` brings 10 ms of it, ``wait`` brings nothing."""

    def __init__(self, controller=None, *, device=None, stages=None, **gate):
        self.therapy = Therapy(
            source="bg", stages=[Bin(bin_s=0.02)] if stages is None else stages, controller=controller or Follow(),
            gate=StimulusGate(**gate), device=device or Stimulator(**MACRO),
        )  # fmt: skip
        m1 = StreamSpec(name="m1", n_channels=4, rate_hz=1000.0, unit="count", max_samples=5)
        self.therapy.bind((m1, SPEC))
        self.therapy.device.open()
        self.therapy.device.arm()
        self.now, self.seq, self.n = T0, 0, 0
        self.chunks, self.rows = [], []

    def push(self, level=2.0, *, age_s=0.0, **words):
        """Step with 10 ms of samples of which 20 add up to ``level``."""
        self.now += 0.01
        data = np.full((10, 2), level / 20.0, np.float32)
        t = self.now - age_s + (np.arange(10) - 9) / 1000.0
        chunk = Chunk(data, t, self.now, self.seq)
        self.seq += 10
        return self._step(chunk, **words)

    def wait(self, seconds=0.005, **words):
        """Step without samples of it."""
        self.now += seconds
        return self._step(None, **words)

    def _step(self, chunk, **words):
        self.chunks.append(chunk)
        command = self.therapy.step((None, chunk), self.now, self.n, **words)
        self.rows.append(self.therapy.row[0].copy())
        self.n += 1
        return command

    @property
    def row(self):
        return self.therapy.row[0]
