"""A stimulus gate in front of a stimulator on a clock of its own, for the tests of both and of the therapy."""

import numpy as np

from bmi.signals import GateFlag, GateState, Intent, IntentSpec
from bmi.stimulus_gate import StimulusGate
from devices.stimulator import Stimulator

PERIOD_S = 0.02
CONTROLLER = IntentSpec(dims=("amplitude",), unit="mA", kind="level", rate_hz=50.0)
MACRO = {"site": "stn", "electrode_area_mm2": 6.0}


class Rig:
    """Amplitudes wanted in, amplitudes applied out."""

    def __init__(self, *, device=None, chunk_s=0.01, **settings):
        self.device = Stimulator(**{**MACRO, **(device or {})})
        self.gate = StimulusGate(**settings)
        self.gate.bind(CONTROLLER, self.device.spec, chunk_s)
        self.device.open()
        self.device.arm()
        self.now = 1000.0
        self.newest = self.now

    def say(self, wanted=2.0, *, after=PERIOD_S, age=0.0, abstains=False, **words):
        """A row of features later the controller speaks, about a sample ``age`` old."""
        self.now += after
        self.newest = self.now - age
        intent = Intent(np.atleast_1d(np.asarray(wanted, float)), np.eye(1), self.newest, self.now, 0, abstains)
        return self._step(intent, newest_arrival=self.now, **words)

    def wait(self, after=0.005, *, fresh=True, **words):
        """A turn later the controller has said nothing; samples still come, or not."""
        self.now += after
        if fresh:
            self.newest = self.now
        return self._step(None, newest_arrival=self.newest, **words)

    def _step(self, intent, *, newest_arrival, arm=True, stop=False):
        does = self.device.read(self.now).position
        command = self.gate.step(
            intent, self.now, does, arm=arm, stop=stop, newest_t=self.newest, newest_arrival=newest_arrival
        )
        if command is not None:
            self.device.write(command, self.now)
        return command

    def settle(self, wanted=2.0, steps=20):
        for _ in range(steps):
            command = self.say(wanted)
        return command

    def silence(self, seconds, **words):
        """Turns of 5 ms; returns [(time since the last intent, mA applied, flags)] after each."""
        start, seen = self.now, []
        while self.now < start + seconds - 1e-9:
            command = self.wait(**words)
            flags = GateFlag(command.flags if command is not None else 0)
            seen.append((self.now - start, self.applied, flags))
        return seen

    @property
    def applied(self):
        return float(self.device.read(self.now).position[0])

    @property
    def state(self):
        return GateState(self.gate.status)
