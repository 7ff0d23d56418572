"""A gate in front of a cursor on a clock of its own, for the tests of the gate."""

import numpy as np

from bmi.gate import Gate
from bmi.signals import DeviceSpec, GateFlag, GateState, Intent, IntentSpec
from devices.cursor import Cursor

PERIOD_S = 0.02
DECODER = IntentSpec(dims=("x", "y"), unit="mm/s", rate_hz=50.0)
SIMULATED = DeviceSpec(name="cursor", dims=("x", "y"), unit="mm/s")
HARDWARE = DeviceSpec(name="arm", dims=("x", "y"), unit="mm/s", hardware=True)


class Rig:
    """A gate in front of a cursor, on a clock of its own."""

    def __init__(self, device=SIMULATED, chunk_s=PERIOD_S, *, selects=False, **settings):
        self.gate = Gate(**settings)
        self.gate.bind(DECODER, device, chunk_s, selects=selects)
        self.cursor = Cursor()
        self.cursor.open()
        self.cursor.arm()
        self.now = 1000.0
        self.newest = self.now

    def say(self, mean=(100.0, 0.0), *, after=PERIOD_S, age=0.0, abstains=False, select=0.0, **words):
        """A bin later the decoder speaks, about a sample ``age`` old."""
        self.now += after
        self.newest = self.now - age
        intent = Intent(np.asarray(mean), np.eye(2), self.newest, self.now, 0, abstains, select)
        return self._step(intent, newest_arrival=self.now, **words)

    def wait(self, after=0.005, *, fresh=True, **words):
        """A turn later the decoder has said nothing; samples still come, or not."""
        self.now += after
        if fresh:
            self.newest = self.now
        return self._step(None, newest_arrival=self.newest, **words)

    def _step(self, intent, *, newest_arrival, arm=True, stop=False, position=None):
        e = self.cursor.read(self.now)
        command = self.gate.step(
            intent,
            self.now,
            e.position if position is None else position,
            e.velocity,
            arm=arm,
            stop=stop,
            newest_t=self.newest,
            newest_arrival=newest_arrival,
        )
        if command is not None:
            self.cursor.write(command, self.now)
        return command

    def cruise(self, mean=(100.0, 0.0), steps=5):
        for _ in range(steps):
            command = self.say(mean)
        return command

    def silence(self, seconds, **words):
        """Turns of 5 ms; returns [(time since the last intent, values, flags)] of what was commanded."""
        start, said = self.now, []
        while self.now < start + seconds - 1e-9:
            command = self.wait(**words)
            if command is not None:
                said.append((self.now - start, command.values.copy(), GateFlag(command.flags)))
        return said

    @property
    def state(self):
        return GateState(self.gate.status)
