"""The null device: accepts, counts, moves nothing."""

import numpy as np
import pytest

from bmi.testing.devices import check_device, command_of
from devices.null import Null


@pytest.mark.parametrize("settings", [{}, {"n_dims": 5}, {"n_dims": 1, "speed_limit": 10.0}], ids=str)
def test_it_keeps_the_device_contract(settings):
    check_device(lambda: Null(**settings))


def test_it_counts_and_shows_the_last_command():
    device = Null(unit="rad/s")
    device.open()
    device.arm()
    for k in range(3):
        device.write(command_of(device, np.array([1.0, k]), float(k)), float(k))
    device.write(command_of(device, np.array([np.inf, 0.0]), 3.0), 3.0)
    assert (device.n_written, device.n_refused) == (3, 1)
    device.write(command_of(device, np.array([1.0, 2.0]), 4.0), 4.0)
    e = device.read(5.0)
    assert e.velocity.tolist() == [1.0, 2.0]
    assert e.position.tolist() == [0.0, 0.0]
    assert device.spec.unit == "rad/s"
