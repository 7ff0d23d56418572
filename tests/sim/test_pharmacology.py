"""Drugs: from a dose to a concentration, an occupancy and a knob of the simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm
from scipy.optimize import brentq

from bmi.errors import ContractError
from sim.pharmacology import DRUGS, HOUR_S, TARGETS, Drug, Regimen, combined, drug
from sim.synapses import Synapse

RATES = st.floats(1e-6, 1e-2)
LEVODOPA, DIAZEPAM = drug("levodopa"), drug("diazepam")


def made(**fields):
    plain = {
        "name": "test", "full": {"ampa": 0.5}, "ec50_mg_l": 2.0, "volume_l": 50.0, "absorption_per_s": 1e-3,
        "elimination_per_s": 1e-4, "max_dose_mg": 100.0,
    }  # fmt: skip
    return Drug(**{**plain, **fields})


def body(drug, dose_mg, t_s):
    """Amounts in gut and blood, mg, by the matrix exponential of the two equations."""
    flow = np.array([[-drug.absorption_per_s, 0.0], [drug.absorption_per_s, -drug.elimination_per_s]])
    return flow, expm(flow * t_s) @ [dose_mg, 0.0]


# --- the body ---------------------------------------------------------------------------------------


@given(RATES, RATES, st.floats(0.0, 1e5))
def test_concentration_solves_the_equations_of_gut_and_blood(ka, ke, t_s):
    d = made(absorption_per_s=ka, elimination_per_s=ke)
    assert d.concentration(80.0, t_s) == pytest.approx(body(d, 80.0, t_s)[1][1] / 50.0, rel=1e-9, abs=1e-12)


@given(RATES, st.floats(-1e-7, 1e-7))
def test_nothing_happens_where_both_rates_are_alike(ke, apart):
    close, equal = (made(absorption_per_s=ke * (1 + d), elimination_per_s=ke) for d in (apart, 0.0))
    t = np.linspace(0.0, 5.0 / ke, 50)
    np.testing.assert_allclose(close.concentration(50.0, t), equal.concentration(50.0, t), rtol=1e-6)
    np.testing.assert_allclose(equal.concentration(50.0, t), ke * t * np.exp(-ke * t), rtol=1e-12)
    assert close.peak_s == pytest.approx(1.0 / ke, rel=1e-6)


@pytest.mark.parametrize("name", DRUGS)
def test_the_peak_is_where_elimination_overtakes_absorption(name):
    d = drug(name)

    def slope(t_s):
        flow, amounts = body(d, 1.0, t_s)
        return (flow @ amounts)[1]

    assert d.peak_s == pytest.approx(brentq(slope, 0.1 * d.peak_s, 10 * d.peak_s, xtol=1e-9, rtol=1e-14), rel=1e-9)


def test_doses_add_up():
    two = Regimen(drug=LEVODOPA, doses=((0.0, 100.0), (4 * HOUR_S, 150.0)))
    t = np.linspace(0.0, 12 * HOUR_S, 100)
    one = LEVODOPA.concentration(100.0, t) + LEVODOPA.concentration(150.0, t - 4 * HOUR_S)
    np.testing.assert_allclose(two.concentration(t), one)
    assert two.concentration(0.0) == 0.0
    assert isinstance(two.concentration(60.0), float)


def test_long_before_a_dose_there_is_nothing_of_it():
    assert made(absorption_per_s=1e-2).concentration(50.0, -1e9) == 0.0


# --- the target -------------------------------------------------------------------------------------


@given(st.floats(0.1, 10.0), st.floats(0.01, 100.0))
def test_half_is_occupied_at_the_ec50(hill, ec50):
    assert made(ec50_mg_l=ec50, hill=hill).occupancy(ec50) == pytest.approx(0.5, abs=1e-15)


@given(st.floats(0.0, 1e4), st.floats(0.0, 1e4))
def test_more_drug_never_occupies_less(a, b):
    low, high = sorted((a, b))
    assert 0.0 <= LEVODOPA.occupancy(low) <= LEVODOPA.occupancy(high) <= 1.0


def test_extremes_neither_overflow_nor_miss():
    steep = made(hill=50.0)
    assert steep.occupancy(0.0) == 0.0
    assert steep.occupancy(1e-300) < 1e-300
    assert steep.occupancy(1e300) == 1.0


def test_a_benzodiazepine_lengthens_inhibition_by_one_plus_theta():
    regimen = Regimen(drug=DIAZEPAM, doses=((0.0, 10.0),))
    theta = DIAZEPAM.occupancy(regimen.concentration(HOUR_S))
    assert 0.1 < theta < 0.9
    assert regimen.effect(HOUR_S) == {"gaba_decay": pytest.approx(1.0 + theta)}
    assert regimen.effect(0.0) == {"gaba_decay": 1.0}


def test_levodopa_takes_the_loss_back_and_wears_off():
    regimen = Regimen(drug=LEVODOPA, doses=((0.0, 200.0),))
    loss = [0.8 * regimen.effect(h * HOUR_S)["dopamine_loss"] for h in (0.0, 1.0, 12.0)]
    assert loss[0] == 0.8
    assert loss[1] < 0.5
    assert loss[2] == pytest.approx(0.8, rel=0.01)


def test_a_use_dependent_blocker_spares_slow_cells():
    phenytoin = drug("phenytoin")
    slow, fast = (phenytoin.effect(0.5, rate_hz=f)["na"] for f in (2.0, 200.0))
    assert fast < slow < 1.0
    assert phenytoin.effect(0.5, rate_hz=0.0)["na"] == 1.0
    assert phenytoin.effect(1.0, rate_hz=20.0)["na"] == pytest.approx(0.75)
    with pytest.raises(ContractError, match="rate_hz"):
        phenytoin.effect(0.5)


def test_drugs_together_multiply_where_they_meet():
    blocker = made(full={"nmda": 0.5, "ampa": 0.5})
    regimens = [Regimen(drug=d, doses=((0.0, 50.0),)) for d in (blocker, drug("ketamine"))]
    together = combined(regimens, 1800.0)
    first, second = (r.effect(1800.0) for r in regimens)
    assert together == {"nmda": pytest.approx(first["nmda"] * second["nmda"]), "ampa": first["ampa"]}
    assert combined([], 0.0) == {}


def test_what_a_drug_does_is_an_input_of_a_synapse():
    ports = {p.name for p in Synapse.inputs}
    assert set(TARGETS) - ports == {"na", "dopamine_loss"}


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"full": {"gabba": 2.0}}, "unknown target 'gabba'"),
        ({"full": {}}, "acts on nothing"),
        ({"full": {"na": 1.5}}, "expected 0 to 1"),
        ({"ec50_mg_l": 0.0}, "ec50_mg_l"),
        ({"elimination_per_s": math.inf}, "elimination_per_s"),
        ({"use_half_hz": -1.0}, "use_half_hz"),
    ],
)
def test_a_drug_that_cannot_be_is_refused(fields, told):
    with pytest.raises(ContractError, match=told):
        made(**fields)


@pytest.mark.parametrize("dose", [(-1.0, 10.0), (math.nan, 10.0), (0.0, 1e4), (0.0, -1.0), (0.0, math.nan)])
def test_a_dose_too_early_or_too_large_is_refused(dose):
    with pytest.raises(ContractError, match="expected 0"):
        Regimen(drug=LEVODOPA, doses=(dose,))


@pytest.mark.parametrize("t_s", [-1.0, math.nan, [0.0, -2.0]])
def test_time_begins_at_zero(t_s):
    with pytest.raises(ContractError, match="0 s or later"):
        Regimen(drug=LEVODOPA, doses=((0.0, 100.0),)).concentration(t_s)


def test_an_unknown_drug_is_told_the_known_ones():
    with pytest.raises(ContractError, match="diazepam"):
        drug("placebo")


@pytest.mark.parametrize("theta", [-0.1, 1.1, math.nan])
def test_occupancy_is_a_share(theta):
    with pytest.raises(ContractError, match="0 to 1"):
        DIAZEPAM.effect(theta)


@pytest.mark.parametrize("c", [-0.1, math.nan])
def test_concentration_is_not_negative(c):
    with pytest.raises(ContractError, match="at least 0"):
        DIAZEPAM.occupancy(c)
