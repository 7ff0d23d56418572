"""How strong and how long a stimulus must be, and a stimulator beside an axon."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim.assembly import Assembly, Wire
from sim.cable import Cable
from sim.excitability import fit_weiss, from_outside, thresholds
from sim.fields import transfer_mv_ua
from sim.morphology import Site, cylinder
from sim.stimulation import Contact, Pulse, PulseTrain
from sim.stimulator import Stimulator
from sim.validation import stored

WIDTHS = np.array([5e-5, 1e-4, 2e-4, 5e-4, 1e-3])


@given(st.floats(0.1, 1e3), st.floats(3e-5, 1e-3))
def test_a_weiss_curve_is_found_again(rheobase, chronaxie):
    fitted = fit_weiss(WIDTHS, rheobase * (1 + chronaxie / WIDTHS))
    assert fitted.rheobase == pytest.approx(rheobase, rel=1e-9)
    assert fitted.chronaxie_s == pytest.approx(chronaxie, rel=1e-9)
    assert fitted.r2 == pytest.approx(1.0)
    assert fitted.threshold(chronaxie) == pytest.approx(2 * rheobase, rel=1e-9)


def test_thresholds_of_a_leaky_membrane_are_lapicques():
    """Many widths in one bisection; I = I_rh / (1 - exp(-PW / τ)), which is nearly but not quite Weiss."""
    tau = 3e-4
    exact = 2.0 / (1 - np.exp(-WIDTHS / tau))
    asked = []

    def fires(amplitude):
        asked.append(1)
        return amplitude * (1 - np.exp(-WIDTHS / tau)) >= 2.0

    found = thresholds(fires, np.full(5, 0.5), 1000.0, relative=1e-4)
    assert (found >= exact).all()
    np.testing.assert_allclose(found, exact, rtol=1e-4)
    assert len(asked) < 30
    fitted = fit_weiss(WIDTHS, found)
    assert 0.99 < fitted.r2 < 0.9999999
    assert tau * np.log(2) < fitted.chronaxie_s < 2 * tau, "the limits of long and of short pulses"


def test_the_first_threshold_is_found_where_a_stronger_stimulus_blocks():
    found = thresholds(lambda a: (a >= 3.0) & (a < 50.0), [1.0, 0.1], 1e4, relative=1e-3)
    np.testing.assert_allclose(found, 3.0, rtol=1e-3)


def test_where_there_is_no_threshold_it_says_so():
    with pytest.raises(ContractError, match=r"silence at low, not so at \[2\.\]"):
        thresholds(lambda a: a > 1.0, 2.0, 3.0)
    with pytest.raises(ContractError, match=r"excitation up to high, not so at \[3\.\] \(of place \[0\]\)"):
        thresholds(lambda a: a > 5.0, [1.0, 1.0], [3.0, 6.0])
    for low, high in ((3.0, 2.0), (0.0, 2.0), (np.nan, 2.0), (1.0, np.inf)):
        with pytest.raises(ContractError, match="0 < low < high"):
            thresholds(lambda a: a > 5.0, low, high)
    with pytest.raises(ContractError, match="relative"):
        thresholds(lambda a: a > 5.0, 1.0, 20.0, relative=0.0)


@pytest.mark.parametrize(
    ("widths", "found"),
    [
        ([1e-4, 2e-4], [2.0, 1.0]), ([1e-4, 1e-4, 2e-4], [2, 2, 1]), ([1e-4, 2e-4, 3e-4], [2.0, 1.0]),
        ([1e-4, -2e-4, 3e-4], [2, 1, 1]), ([1e-4, 2e-4, 3e-4], [2, np.nan, 1]), ([1e-4, 2e-4, 3e-4], [2, 0, 1]),
    ],
)  # fmt: skip
def test_what_is_no_curve_is_refused(widths, found):
    with pytest.raises(ContractError, match="fit_weiss: expected"):
        fit_weiss(widths, found)


# --- an axon beside a contact ---------------------------------------------------------------------

CONTACT = Contact(area_cm2=0.01)


def axon(n=151, length_um=6000.0, dt_s=1e-5, **more):
    """Return an axon 10 µm thick at 18.5 °C, and what 1 µA 100 µm beside its middle does, (1, n) mV."""
    branches = cylinder(length_um=length_um, diameter_um=10.0, compartments=n, ra_ohm_cm=35.4, e_leak_mv=-54.3)
    cable = Cable(
        branches=branches, sites=(Site(name="far", branch="cable", at=0.1),), celsius=18.5, dt_s=dt_s, **more
    )
    x = (np.arange(n) + 0.5) * length_um / n - length_um / 2
    field = transfer_mv_ua(np.c_[x, np.zeros((n, 2))], [[0.0, 100.0, 0.0]], radius_um=5.0)
    return cable, field.T


@pytest.mark.parametrize("k", [0, 2])
def test_thresholds_beside_a_point_source_are_neurons(k):
    a = stored("neuron_extracellular").arrays
    cable, field = axon()
    cable.bind(1)
    pulse = Pulse(amplitude_ua=-1.0, width_s=float(a["widths_s"][k]), gap_s=0.01)
    course = PulseTrain(contact=CONTACT, pulse=pulse, rate_hz=10.0, n_pulses=1).current(0.0, 1000, 1e-5)
    found = thresholds(from_outside(cable, field, course), 1.0, 1000.0)
    assert found[0] == pytest.approx(a["thresholds_ua"][k], rel=0.005)


def test_an_anode_needs_more_current_than_a_cathode():
    cable, field = axon(n=75)
    cable.bind(1)
    found = []
    for sign in (-1.0, 1.0):
        train = PulseTrain(
            contact=CONTACT, pulse=Pulse(amplitude_ua=sign, width_s=2e-4, gap_s=0.01), rate_hz=10.0, n_pulses=1
        )
        found.append(thresholds(from_outside(cable, field, train.current(0.0, 1000, 1e-5)), 1.0, 1000.0)[0])
    assert 2.0 < found[1] / found[0] < 8.0


@pytest.mark.parametrize(("amplitude_ua", "excites"), [(-10.0, False), (-60.0, True)])
def test_a_stimulator_drives_an_axon_a_block_later(amplitude_ua, excites):
    cable, field = axon(n=75, dt_s=2.5e-5)
    stimulator = Stimulator(contact=CONTACT, amplitude_ua=amplitude_ua, rate_hz=50.0, gap_s=1e-4)
    wire = Wire("stimulator", "current_ua", "cable", "stimulus", lambda rows: rows)
    assembly = Assembly([stimulator, cable], [wire], seed=1)
    assembly.parts["cable"].give("field_mv", 0.0, field)
    assembly.parts["cable"].give("stimulus", 0.0, np.zeros(400))
    shown = assembly.advance(11)
    begun = np.arange(0.01, 0.1, 0.02) / 2.5e-5
    spikes = shown["cable"]["spikes"][:, 0]
    assert len(spikes) == (5 if excites else 0)
    if excites:
        assert ((spikes - begun > 0) & (spikes - begun < 0.003 / 2.5e-5)).all(), "within 3 ms, each"
