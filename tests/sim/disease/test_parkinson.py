"""Loss of dopamine over months, and levodopa over a day."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_disease import body

from bmi.errors import ContractError
from sim.disease.medication import DAY_S, Medication
from sim.disease.parkinson import EDGE, Parkinson

DAYS = np.arange(0.0, 1.0, 1.0 / 1440.0)


def loss(course, day):
    return float(course.at(day)["dopamine_loss"])


# --- progression ------------------------------------------------------------------------------------


def test_progression_is_logistic_and_shows_when_it_says():
    course = Parkinson(first=0.2, last=0.8, from_day=50.0, days=100.0)
    assert loss(course, -1e5) == pytest.approx(0.2)
    assert loss(course, 50.0) == pytest.approx(0.2 + 0.6 * EDGE)
    assert loss(course, 100.0) == pytest.approx(0.5)
    assert loss(course, 150.0) == pytest.approx(0.8 - 0.6 * EDGE)
    assert loss(course, 1e5) == pytest.approx(0.8)
    share = (np.array([loss(course, d) for d in np.linspace(0.0, 200.0, 50)]) - 0.2) / 0.6
    np.testing.assert_allclose(np.diff(np.log(share / (1.0 - share)), 2), 0.0, atol=1e-9)


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(-1e3, 1e4), st.floats(0.0, 1e3))
def test_dopamine_never_comes_back_by_itself(a, b, day, later):
    course = Parkinson(first=min(a, b), last=max(a, b))
    assert course.first - 1e-12 <= loss(course, day) <= loss(course, day + later) <= course.last + 1e-12


@pytest.mark.parametrize(
    "fields", [{"first": 0.5, "last": 0.4}, {"last": 1.2}, {"days": 0.0}, {"from_day": np.nan}, {"first": -0.1}]
)
def test_what_is_no_progression_is_refused(fields):
    with pytest.raises(ContractError, match="Parkinson: expected"):
        Parkinson(**fields)


# --- levodopa ---------------------------------------------------------------------------------------


def test_blood_and_brain_solve_the_equations_of_doses_repeated_daily():
    drug = Medication(hours=(8.0, 13.0))
    ka, ke, k = drug.drug.absorption_per_s, drug.drug.elimination_per_s, np.log(2.0) / drug.equilibration_s
    doses = [day * DAY_S + hour * 3600.0 for day in range(2) for hour in drug.hours]
    slow = body(drug.dose_mg / drug.drug.volume_l, ka, ke, k, doses, 10.0, 2.0 * DAY_S)
    for hour in (7.0, 9.0, 10.5, 13.5, 16.0, 23.0):
        row = round((DAY_S + hour * 3600.0) / 10.0) - 1
        np.testing.assert_allclose(
            [drug.plasma_mg_l(hour / 24.0), drug.brain_mg_l(hour / 24.0)], slow[row], rtol=1e-2, atol=1e-4
        )


@given(st.floats(0.0, 400.0))
def test_every_day_is_like_the_first_and_the_loss_stays_within_the_swing(day):
    drug = Medication()
    assert loss(drug, day) == pytest.approx(loss(drug, day + 1.0), abs=1e-9)
    assert abs(loss(drug, day)) <= drug.swing


def test_the_effect_follows_the_blood_by_half_an_hour_to_an_hour():
    drug = Medication()
    morning = DAYS[(DAYS > 7.0 / 24.0) & (DAYS < 11.0 / 24.0)]
    blood = morning[np.argmax([drug.plasma_mg_l(d) for d in morning])]
    effect = morning[np.argmin([loss(drug, d) for d in morning])]
    assert 30.0 <= (effect - blood) * 1440.0 <= 60.0


def test_no_doses_leave_the_loss_up_all_day():
    for drug in (Medication(hours=()), Medication(dose_mg=0.0)):
        assert {loss(drug, d) for d in (0.0, 0.4, 0.9)} == {drug.swing}


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"dose_mg": 1e4}, "dose_mg: expected 0 to 300 mg of levodopa"), ({"hours": (24.0,)}, "hours of the day"),
     ({"swing": 0.7}, "swing: expected"), ({"equilibration_s": 5400.0}, "elimination and equilibration that differ"),
     ({"equilibration_s": 0.0}, "equilibration_s: expected above 0 s")],
)  # fmt: skip
def test_what_is_no_medication_is_refused(fields, message):
    with pytest.raises(ContractError, match=message):
        Medication(**fields)
