"""The device kit finds what it promises to find: each broken device fails, and by name."""

from dataclasses import replace

import numpy as np
import pytest

from bmi.errors import DeviceError, PluginError
from bmi.links import GuardLink
from bmi.testing.devices import check_device
from devices.cursor import Cursor
from devices.emulators.udp import UDPEmulator
from devices.null import Null
from devices.udp import UDPDevice


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


class Deaf(UDPDevice):
    """Hands out a link that is no link."""

    def guard_link(self):
        return super().guard_link()._replace(fd=10**6)


class OpenAlways(UDPDevice):
    """Hands out its link before there is one."""

    def guard_link(self):
        return GuardLink(0, b"stop")


@pytest.mark.parametrize(
    ("broken", "promise"), [(Deaf, "Bad file descriptor"), (OpenAlways, "refused while closed")]
)
def test_a_guard_link_that_is_none_is_noticed(broken, promise):
    with UDPEmulator() as there, pytest.raises(PluginError, match=promise):
        check_device(lambda: broken(port=there.port))


def test_a_device_with_a_link_passes():
    with UDPEmulator() as there:
        check_device(lambda: UDPDevice(port=there.port))


def test_hardware_must_have_a_link():
    class Bare(Cursor):
        def __post_init__(self):
            super().__post_init__()
            self._spec = replace(self._spec, hardware=True)

    with pytest.raises(PluginError, match="hardware hands out a guard_link"):
        check_device(Bare)
