"""The simulated stimulator: amplitudes in, current out, everything it gives counted."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi.errors import ContractError
from bmi.testing.devices import check_device, command_of
from devices.stimulator import Stimulator


def ready(**settings):
    device = Stimulator(site="stn", **settings)
    device.open()
    device.arm()
    return device


def give(device, amplitude_ma, now):
    return float(device.write(command_of(device, np.array([amplitude_ma]), now), now)[0])


@pytest.mark.parametrize(
    "settings",
    [{}, {"amplitude_limit_ma": 2.0, "pulse_us": 90.0}, {"polarity": "anodic", "electrode_area_mm2": 6.0}],
    ids=str,
)
def test_it_keeps_the_device_contract(settings):
    check_device(lambda: Stimulator(site="stn", **settings))


def test_it_says_what_its_pulses_are_without_being_opened():
    spec = Stimulator(site="gpi", frequency_hz=60.0, pulse_us=90.0, electrode_area_mm2=6.0).spec
    assert (spec.dims, spec.unit, spec.position_unit, spec.hardware) == (("gpi",), "mA", "mA", False)
    assert spec.program.frequency_hz == 60.0
    assert spec.program.charge_uc(2.0) == pytest.approx(0.18)
    assert spec.program.density_uc_cm2(2.0) == pytest.approx(3.0)


def test_an_amplitude_is_held_80_ms_and_not_longer():
    device = ready()
    assert give(device, 2.0, 10.0) == 2.0
    assert device.read(10.0799).position.tolist() == [2.0]
    assert device.read(10.0801).position.tolist() == [0.0]
    assert device.read(11.0).position.tolist() == [0.0]
    assert device.on_s == pytest.approx(0.080)


def test_it_counts_pulses_charge_energy_and_onsets():
    """2 mA for half a second, then none, then 1 mA for half a second, at 130 Hz of 60 µs through 1 kΩ."""
    device = ready()
    for k in range(25):
        give(device, 2.0, 10.0 + 0.02 * k)
    for k in range(25):
        give(device, 0.0, 10.5 + 0.02 * k)
    for k in range(25):
        give(device, 1.0, 11.0 + 0.02 * k)
    give(device, 0.0, 11.5)
    assert device.on_s == pytest.approx(1.0)
    assert device.n_pulses == pytest.approx(130.0)
    assert device.charge_uc == pytest.approx(65 * 0.12 + 65 * 0.06)
    assert device.energy_uj == pytest.approx(65 * 2 * 60e-6 * 1e3 * (4.0 + 1.0))
    assert device.n_onsets == 2


def test_more_than_its_cap_is_its_cap_and_less_than_nothing_is_nothing():
    device = ready(amplitude_limit_ma=1.5)
    assert give(device, 4.0, 10.0) == 1.5
    assert give(device, -4.0, 10.02) == 0.0
    assert device.n_refused == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_and_means_zero(bad):
    device = ready()
    give(device, 2.0, 10.0)
    assert give(device, bad, 10.02) == 0.0
    assert device.n_refused == 1


def test_a_command_of_another_shape_is_refused():
    device = ready()
    assert float(device.write(command_of(device, np.ones(2), 10.0), 10.0)[0]) == 0.0
    assert device.n_refused == 1


def test_stop_from_another_thread_ends_the_current_and_drops_late_commands():
    device = ready()
    give(device, 2.0, 10.0)
    stopping = threading.Thread(target=device.stop, args=("test",))
    stopping.start()
    stopping.join()
    assert device.read(10.01).position.tolist() == [0.0]
    assert give(device, 2.0, 10.02) == 0.0
    assert device.n_refused == 1


@given(st.lists(st.tuples(st.floats(0.001, 0.3), st.floats(-2.0, 9.0)), min_size=1, max_size=30), st.integers(0, 5))
def test_looking_more_often_changes_nothing(commands, n_looks):
    seen = []
    for looks in (0, n_looks):
        device, now = ready(), 10.0
        for gap, amplitude in commands:
            for k in range(looks):
                device.read(now + gap * (k + 1) / (looks + 2))
            now += gap
            give(device, amplitude, now)
        device.read(now + 0.05)
        seen.append((device.on_s, device.charge_uc, device.energy_uj, device.n_onsets, device.effector.position[0]))
        assert 0.0 <= device.effector.position[0] <= 5.0
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"site": ""}, "site"),
        ({"site": "stn", "amplitude_limit_ma": 6.0}, "amplitude_limit_ma"),
        ({"site": "stn", "frequency_hz": np.nan}, "frequency_hz"),
        ({"site": "stn", "pulse_us": 0.0}, "pulse_us"),
        ({"site": "stn", "frequency_hz": 200.0, "pulse_us": 3000.0}, "does not fit"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_errors(settings, words):
    with pytest.raises(ContractError, match=words):
        Stimulator(**settings)
