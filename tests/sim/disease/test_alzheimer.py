"""Proteins and activity that change each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim.disease.alzheimer import Alzheimer, ClosedLoop, driven, masses, thinned
from sim.disease.spreading import Heterodimer

SHARE = st.floats(0.0, 1.0)
WEIGHTS = np.ones((4, 4)) - np.eye(4)
MODEL = Heterodimer(weights=WEIGHTS, dt_years=0.25)
START = MODEL.start(np.array([0.05, 0.0, 0.0, 0.0]), np.array([0.0, 0.005, 0.0, 0.0]))


def schedule(**fields):
    return Alzheimer(**{"weights": WEIGHTS, "amyloid_seeds": (0,), "tau_seeds": (1,), **fields})


# --- damage and constants ---------------------------------------------------------------------------


def test_no_damage_is_the_healthy_region_and_full_damage_the_papers_ends():
    for factor in masses(np.zeros(3), np.zeros(3)):
        np.testing.assert_array_equal(factor, 1.0)
    he, cip, cep, afferent, efferent = (float(f[0]) for f in masses(np.ones(1), np.ones(1)))
    np.testing.assert_allclose(np.array([he * 3.25, cip * 33.75, cep * 108.0]), [3.6, 13.25, 28.0])
    assert afferent * efferent == pytest.approx(0.7)
    np.testing.assert_allclose(thinned(WEIGHTS, np.ones(4)), 0.7 * WEIGHTS)


@given(SHARE, SHARE, st.floats(1e-3, 1.0))
def test_amyloid_excites_and_disinhibits_tau_takes_excitation_inhibition_and_tracts(qa, qt, more):
    before = masses(np.array([qa]), np.array([qt]))
    with_amyloid = masses(np.array([qa + (1.0 - qa) * more]), np.array([qt]))
    with_tau = masses(np.array([qa]), np.array([qt + (1.0 - qt) * more]))
    assert with_amyloid.he >= before.he
    assert with_amyloid.cip <= before.cip
    assert with_amyloid.cep == before.cep
    assert with_amyloid.efferent == before.efferent
    assert with_tau.he == before.he
    for name in ("cip", "cep", "afferent", "efferent"):
        assert getattr(with_tau, name) <= getattr(before, name)


@given(SHARE, st.floats(0.0, 3.0))
def test_activity_above_the_first_drives_production_and_below_it_brakes(q, ratio):
    slope = float(driven(np.array([q]), np.array([ratio]))[0])
    assert np.sign(slope) == (np.sign(ratio - 1.0) if q < 1.0 else 0.0)


# --- the loop ---------------------------------------------------------------------------------------


def test_an_open_loop_is_the_proteins_alone_to_the_last_bit():
    course = ClosedLoop(proteins=MODEL, rates=None).run(START, 10.0)
    for a, b in zip(course.load, MODEL.run(START, 40), strict=True):
        assert a.tobytes() == b.tobytes()
    assert not course.activity.any()
    assert np.isnan(course.rate_hz).all()


def test_activity_that_never_changes_changes_nothing_but_thinned_tracts():
    looked = []

    def rates(m):
        looked.append(m)
        return np.full(4, 3.0)

    course = ClosedLoop(proteins=MODEL, rates=rates, every_years=2.0).run(START, 10.0)
    assert len(looked) == 5
    assert not course.activity.any()
    assert np.flatnonzero(~np.isnan(course.rate_hz[:, 0])).tolist() == [0, 8, 16, 24, 32]
    np.testing.assert_allclose(course.load.amyloid, MODEL.run(START, 40).amyloid, rtol=1e-2)


def test_hyperactivity_hastens_the_disease():
    course = ClosedLoop(proteins=MODEL, rates=lambda m: 3.0 * (2.0 - m.cip)).run(START, 15.0)
    alone = MODEL.run(START, 60)
    assert course.activity[-1].min() > 0.0
    assert (course.load.q_amyloid[-1] > alone.q_amyloid[-1]).all()


def test_a_loop_that_cannot_be_is_refused():
    with pytest.raises(ContractError, match="region 0 is silent"):
        ClosedLoop(proteins=MODEL, rates=lambda m: np.zeros(4)).run(START, 1.0)
    with pytest.raises(ContractError, match=r"at least a step of 0\.25 years"):
        ClosedLoop(proteins=MODEL, rates=None, every_years=0.1).run(START, 1.0)
    with pytest.raises(ContractError, match="damage of 0 to 1"):
        masses(np.array([1.2]), np.zeros(1))


# --- the schedule -----------------------------------------------------------------------------------


def test_nothing_before_it_begins_then_amyloid_first_then_tau_and_in_the_end_the_last_year():
    course = schedule(from_day=10.0, days_per_year=2.0, years=30.0)
    assert course.at(10.0) == {}
    days = np.linspace(10.1, 120.0, 40)
    qa, qt = (np.array([np.mean(course.at(d)[name]) for d in days]) for name in ("amyloid", "tau"))
    assert (np.diff(qa) >= 0.0).all()
    assert (np.diff(qt) >= 0.0).all()
    assert days[(qa > 0.5).argmax()] < days[(qt > 0.5).argmax()]
    np.testing.assert_array_equal(course.at(70.0)["tau"], course.course.q_tau[-1])
    np.testing.assert_array_equal(course.at(5000.0)["tau"], course.course.q_tau[-1])


def test_a_day_between_two_steps_lies_between_them():
    course = schedule(from_day=0.0, days_per_year=10.0, years=10.0)
    found = course.at(10.0 * 0.05 * 100.25)["amyloid"]
    a, b = course.course.q_amyloid[100], course.course.q_amyloid[101]
    np.testing.assert_allclose(found, 0.75 * a + 0.25 * b, rtol=1e-9)


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"tau_seeds": ()}, "tau_seeds: expected some regions of 0 to 3"), ({"amyloid_seeds": (4,)}, "amyloid_seeds"),
     ({"days_per_year": 0.0}, "days_per_year above 0"), ({"from_day": np.inf}, "finite from_day")],
)  # fmt: skip
def test_what_is_no_course_is_refused(fields, message):
    with pytest.raises(ContractError, match=message):
        schedule(**fields)
