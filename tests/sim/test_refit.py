"""An integrate-and-fire neuron carries a membrane's f-I curve, and what a mutation does to it, into a network."""

import math

import numpy as np
import pytest

from bmi.errors import ContractError
from sim.cells import firing_rate
from sim.refit import LIFFit, fi_curve, lif_for


def simulated(fit: LIFFit, current: float, dt_s: float = 1e-5, seconds: float = 1.0) -> float:
    """Return the rate of the neuron as its equation has it, stepped through time, Hz."""
    v, wait, spikes = fit.rest_mv, 0.0, []
    toward = fit.rest_mv + fit.resistance_kohm_cm2 * current
    for step in range(round(seconds / dt_s)):
        if wait > 0.0:
            wait -= dt_s
            continue
        v = toward + (v - toward) * math.exp(-dt_s / fit.tau_m_s)
        if v >= fit.threshold_mv:
            spikes.append(step * dt_s)
            v, wait = fit.reset_mv, fit.refractory_s
    return (len(spikes) - 1) / (spikes[-1] - spikes[0]) if len(spikes) > 1 else 0.0


class TestCurve:
    def test_onset_and_block_are_the_cells(self):
        curve = fi_curve("pv", {"na": 0.65})
        on, off = curve.rheobase_ua_cm2, curve.block_ua_cm2
        at = firing_rate("pv", [0.99 * on, 1.01 * on, 0.99 * off, 1.01 * off], scales={"na": 0.65})
        assert (at > 0.0).tolist() == [False, True, True, False]

    def test_it_is_kept_and_nobody_can_write_to_it(self):
        curve = fi_curve("pv", {"na": 0.65})
        assert fi_curve("pv", {"na": 0.65, "k": 1.0}) is curve
        with pytest.raises(ValueError, match="read-only"):
            curve.rate_hz[0] = 1.0

    def test_less_sodium_later_onset_earlier_block(self):
        well, ill = fi_curve("pv"), fi_curve("pv", {"na": 0.65})
        assert ill.rheobase_ua_cm2 > 1.5 * well.rheobase_ua_cm2
        assert ill.block_ua_cm2 < 20.0 < well.block_ua_cm2


class TestNeuron:
    @pytest.mark.parametrize("share", [1.0, 0.65])
    def test_it_misses_the_curve_by_less_than_five_hertz(self, share):
        scales = {"na": share}
        fit, curve = lif_for("pv", scales), fi_curve("pv", scales)
        off = fit.rate(curve.current_ua_cm2) - curve.rate_hz
        assert math.sqrt(np.mean(off**2)) == pytest.approx(fit.error_hz, rel=1e-9)
        assert np.abs(off).max() == pytest.approx(fit.worst_hz, rel=1e-9)
        assert fit.error_hz < 5.0

    def test_its_rate_is_that_of_its_own_equation(self):
        fit = lif_for("pv")
        for current in (0.3, 2.0):
            assert simulated(fit, current) == pytest.approx(float(fit.rate(current)), rel=5e-3)

    def test_it_is_silent_below_onset_and_in_block(self):
        fit = lif_for("pv", {"na": 0.65})
        assert fit.rate([0.0, 0.99 * fit.rheobase_ua_cm2, fit.block_ua_cm2, 50.0]).tolist() == [0.0] * 4
        assert fit.threshold_mv == pytest.approx(fit.rest_mv + fit.resistance_kohm_cm2 * fit.rheobase_ua_cm2)
        assert -90.0 <= fit.reset_mv < fit.threshold_mv

    def test_a_cell_that_cannot_fire_becomes_a_neuron_that_cannot(self):
        fit = lif_for("pv", {"na": 0.1})
        assert math.isinf(fit.rheobase_ua_cm2)
        assert fit.rate([0.0, 1.0, 30.0]).tolist() == [0.0, 0.0, 0.0]

    def test_asked_again_it_is_the_same_object(self):
        assert lif_for("pv", {"na": 1.0}) is lif_for("pv") is lif_for("pv", {})

    def test_unknown_names_are_refused_with_the_nearest(self):
        with pytest.raises(ContractError, match="did you mean 'pv'"):
            lif_for("pvv")
        with pytest.raises(ContractError, match="did you mean 'leak'"):
            lif_for("pv", {"leek": 0.5})
