"""The device kit finds what it promises to find: each broken device fails, and by name."""

import numpy as np
import pytest

from bmi.errors import DeviceError, PluginError
from bmi.testing.devices import check_device
from devices.null import Null


class MovesOnOpen(Null):
    def open(self):
        super().open()
        self.arm()
        self.effector.velocity[:] = 1.0


class WritesUnarmed(Null):
    def open(self):
        super().open()
        self.arm()


class IgnoresItsLimit(Null):
    def write(self, command, now):
        applied = super().write(command, now)
        return np.minimum(applied * 1.5, command.values)


class TakesNaN(Null):
    def write(self, command, now):
        super().write(command, now)
        return command.values


class StopRaises(Null):
    def stop(self, reason):
        super().stop(reason)
        if reason == "again":
            raise DeviceError("busy")


class RunsOn(Null):
    def stop(self, reason):
        pass


class ForgetsState(Null):
    def write(self, command, now):
        self.bias = getattr(self, "bias", 0.0) + 1e-12
        applied = super().write(command, now)
        if applied.any():
            applied += self.bias
        return applied


class ArmsWhileClosed(Null):
    def arm(self):
        self._counts[2] = 1


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (WritesUnarmed, "before arm"),
        (MovesOnOpen, "before arm"),
        (IgnoresItsLimit, "slowed to the limit"),
        (TakesNaN, "before arm"),
        (StopRaises, "never raises"),
        (RunsOn, "late command|rests|moves nothing"),
        (ForgetsState, "bit-equal"),
        (ArmsWhileClosed, "arm.. while closed"),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_a_broken_device_is_found(broken, promise):
    with pytest.raises(PluginError, match=promise):
        check_device(lambda: broken(speed_limit=100.0))
