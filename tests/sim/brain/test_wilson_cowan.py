"""Wilson-Cowan masses: their cycle, their twin, bad values."""

import numpy as np
import pytest
from reference_mean_fields import network, wilson_cowan

from bmi.errors import ContractError
from sim.brain.connectome import Connectome
from sim.brain.wilson_cowan import WilsonCowan

WEIGHTS = np.array([[0.0, 0.5], [0.3, 0.2]])
LENGTHS = np.array([[0.0, 10.0], [4.0, 0.0]])
TRACTS = Connectome(labels=("a", "b"), weights=WEIGHTS, lengths_mm=LENGTHS)


def bound(**fields):
    mass = WilsonCowan(**fields)
    mass.bind(1)
    return mass


@pytest.mark.parametrize(("drive", "size"), [(1.0, 0.0), (1.25, 0.170), (1.5, 0.139), (2.0, 0.0)])
def test_it_cycles_where_it_should(drive, size):
    mass = bound(drive=drive)
    mass.step(20_000)
    assert np.ptp(mass.step(1000)[0]) == pytest.approx(size, abs=2e-3)


def test_a_network_is_its_twin():
    e, i = bound(connectome=TRACTS, gain=0.7, drive=(0.8, 1.3)).step(300)
    delays = np.rint(LENGTHS * 1e-3 / 4.0 / 2e-4).astype(int)
    there = network(
        wilson_cowan, np.tile([[0.1], [0.05]], 2), lambda x: x[0], 0.7 * WEIGHTS, delays, 2e-4, 300,
        np.array([0.8, 1.3]),
    )[4::5]  # fmt: skip
    np.testing.assert_allclose(e, there[:, 0], rtol=1e-9)
    np.testing.assert_allclose(i, there[:, 1], rtol=1e-9)


def test_what_reaches_it_can_be_taken_away():
    cut, alone = bound(connectome=TRACTS, drive=1.25), bound(drive=1.25)
    cut.receive("afferent", np.zeros(2))
    np.testing.assert_array_equal(cut.step(500)[0][:, :1], alone.step(500)[0])


@pytest.mark.parametrize(("wrong", "told"), [({"c1": -1.0}, "c1"), ({"dt_s": 1e-3}, "fiftieth")])
def test_what_has_no_meaning_is_refused(wrong, told):
    with pytest.raises(ContractError, match=told):
        bound(**wrong)
