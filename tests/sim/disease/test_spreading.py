"""Misfolded proteins along tracts: what is conserved, what is exact, and which states there are."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reference_disease import euler, fisher, heterodimer, spread
from scipy.linalg import expm

from bmi.errors import ContractError
from sim.disease.spreading import AMYLOID, TAU, Diffusion, FisherKPP, Heterodimer, Protein, laplacian

SEEDS = st.integers(0, 2**32 - 1)
PAIR = np.array([[0.0, 1.0], [1.0, 0.0]])


def tracts(seed, n):
    rng = np.random.default_rng(seed)
    w = np.triu(rng.random((n, n)) * (rng.random((n, n)) < 0.6), 1)
    return w + w.T


# --- diffusion --------------------------------------------------------------------------------------


@given(SEEDS, st.integers(1, 12), st.floats(0.0, 50.0))
@settings(max_examples=40)
def test_spreading_loses_nothing_and_evens_out(seed, n, years):
    load = np.random.default_rng(seed).random(n)
    after = Diffusion(weights=tracts(seed, n), rate_per_year=0.3).after(load, years)
    assert after.sum() == pytest.approx(load.sum(), rel=1e-12)
    assert after.min() >= load.min() - 1e-12
    assert after.max() <= load.max() + 1e-12


@given(SEEDS, st.floats(0.0, 5.0), st.floats(0.0, 5.0))
@settings(max_examples=20)
def test_spreading_is_the_matrix_exponential_and_takes_any_path_alike(seed, first, then):
    w, load = tracts(seed, 6), np.random.default_rng(seed).random(6)
    model = Diffusion(weights=w, rate_per_year=0.7)
    whole = model.after(load, first + then)
    np.testing.assert_allclose(whole, expm(-0.7 * laplacian(w) * (first + then)) @ load, atol=1e-12)
    np.testing.assert_allclose(whole, model.after(model.after(load, first), then), atol=1e-12)


def test_small_steps_of_the_sum_over_neighbours_come_to_the_same():
    w, load = tracts(3, 5), np.random.default_rng(3).random(5)
    slow = euler(lambda x: 0.5 * spread(w, x), load, 1e-3, 1000)
    np.testing.assert_allclose(Diffusion(weights=w, rate_per_year=0.5).after(load, 1.0), slow, atol=2e-4)


# --- growth -----------------------------------------------------------------------------------------


@given(st.floats(1e-4, 1.0), st.floats(0.0, 2.0), st.floats(0.0, 3.0))
@settings(max_examples=30)
def test_regions_alike_follow_the_logistic_curve(start, growth, rate):
    found = FisherKPP(weights=PAIR, rate_per_year=rate, growth_per_year=growth).run(np.full(2, start), 200)
    exact = 1.0 / (1.0 + (1.0 / start - 1.0) * np.exp(-growth * 0.02 * np.arange(201)))
    np.testing.assert_allclose(found, np.stack((exact, exact), 1), atol=1e-12)


def test_without_growth_load_only_spreads():
    w, load = tracts(5, 6), np.random.default_rng(5).random(6)
    found = FisherKPP(weights=w, rate_per_year=0.4, growth_per_year=0.0, dt_years=0.1).run(load, 30)[-1]
    np.testing.assert_allclose(found, Diffusion(weights=w, rate_per_year=0.4).after(load, 3.0), atol=1e-12)


def test_the_splitting_error_falls_with_the_square_of_the_step():
    w, load = tracts(7, 5), np.random.default_rng(7).random(5)
    fine, half = (euler(lambda x: fisher(x, w, 0.5, 1.0), load, 2.0 / n, n) for n in (2000, 4000))
    exact = 2.0 * half - fine
    coarse, finer = (
        np.abs(FisherKPP(weights=w, rate_per_year=0.5, dt_years=dt).run(load, round(2.0 / dt))[-1] - exact).max()
        for dt in (0.2, 0.1)
    )
    assert coarse < 1e-3
    assert 3.0 < coarse / finer < 5.0


# --- two proteins -----------------------------------------------------------------------------------


def named(p):
    return {"prod": p.production, "clr": p.clearance, "tr": p.misfolding, "clr_t": p.toxic_clearance}


def test_both_proteins_follow_the_papers_equations():
    w, rng = tracts(11, 4), np.random.default_rng(11)
    model = Heterodimer(weights=w, rate_per_year=0.2)
    load, activity = model.start(0.1 * rng.random(4), 0.1 * rng.random(4)), 0.5 * rng.random(4)
    slow = [
        euler(lambda x: heterodimer(x, w, 0.2, named(AMYLOID), named(TAU), 0.4, activity), np.array(load), dt, n)
        for dt, n in ((1e-3, 1000), (5e-4, 2000))
    ]
    for _ in range(20):
        load = model.step(load, activity=activity)
    np.testing.assert_allclose(np.array(load), 2.0 * slow[1] - slow[0], atol=2e-4)


def test_a_brain_without_toxic_protein_stays_healthy():
    model = Heterodimer(weights=tracts(1, 5), amyloid=Protein(2.0, 4.0, 3.0, 2.0), dt_years=0.25)
    course = model.run(model.start(np.zeros(5), np.zeros(5)), 100)
    np.testing.assert_allclose(course.amyloid, 0.5, atol=1e-12)
    np.testing.assert_allclose(course.tau, TAU.healthy, atol=1e-12)
    for toxic in course[1], course[3], course[4], course[5]:
        assert not toxic.any()


@given(st.floats(1.0, 4.0), st.floats(1.0, 4.0), st.floats(1.0, 4.0), st.floats(0.3, 1.8))
@example(1.0, 2.5, 1.5, 1.0)  # at the threshold to the last bit, where a quotient rounds over it
@settings(max_examples=50)
def test_the_toxic_state_is_a_fixed_point_and_there_iff_it_invades(production, clearance, misfolding, part):
    p = Protein(production, clearance, misfolding, part * misfolding * production / clearance)
    made, cleared = Fraction(p.misfolding) * Fraction(p.production), Fraction(p.toxic_clearance) * Fraction(p.clearance)
    if p.invades:
        assert made > cleared
    else:
        assert made <= cleared * (1 + Fraction(1, 2**51)), "beyond what two products round"
    assert (p.toxic > 0.0) == p.invades
    a = p.toxic_clearance / p.misfolding if p.invades else p.healthy
    model = Heterodimer(weights=PAIR, amyloid=p)
    x = np.zeros((6, 2))
    x[0], x[1] = a, p.toxic
    np.testing.assert_allclose(model.slopes(x, np.zeros(2))[:2], 0.0, atol=1e-9)


def test_toxic_amyloid_speeds_tau_and_activity_speeds_amyloid():
    model = Heterodimer(weights=tracts(2, 4))
    seeds, none = np.array([0.05, 0.0, 0.0, 0.0]), np.zeros(4)
    alone, helped = (model.run(model.start(a, seeds), 200) for a in (none, seeds))
    reached = alone.q_tau[-1] > 0.01
    assert reached.any()
    assert (helped.q_tau[-1] > 1.05 * alone.q_tau[-1])[reached].all()
    quiet = active = model.start(seeds, none)
    for _ in range(100):
        quiet, active = model.step(quiet), model.step(active, activity=np.full(4, 0.5))
    reached = Diffusion(weights=model.weights).joined[0]
    assert reached.sum() > 1
    assert not reached.all()
    assert (active.q_amyloid > 1.1 * quiet.q_amyloid)[reached].all()


def test_what_no_tract_leads_to_stays_healthy_for_all_time():
    """Rounding must not seed it: a toxic load of 1e-17 would be a whole one after a hundred years, of either sign."""
    model = Heterodimer(weights=tracts(2, 4))
    load = model.start(*(np.array([0.05, 0.0, 0.0, 0.0]) for _ in range(2)))
    late = model.run(load, 4000)
    apart = ~Diffusion(weights=model.weights).joined[0]
    assert apart.any()
    for found in (late.toxic_amyloid, late.toxic_tau, late.q_amyloid, late.q_tau):
        assert not found[:, apart].any()
        assert (found >= 0.0).all()


def test_damage_only_grows_and_never_passes_the_whole():
    model = Heterodimer(weights=tracts(4, 6))
    course = model.run(model.start(np.full(6, 0.2), np.full(6, 0.2)), 400)
    for q in course.q_amyloid, course.q_tau:
        assert (np.diff(q, axis=0) >= 0.0).all()
        assert (q <= 1.0).all()


# --- wrong input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: laplacian(np.ones((2, 3))), r"expected a square matrix of tracts, given shape \(2, 3\)"),
        (lambda: laplacian(-PAIR), "none negative"),
        (lambda: laplacian(np.array([[0.0, 1.0], [0.4, 0.0]])), "tracts are symmetric; given"),
        (lambda: laplacian(np.full((2, 2), np.nan)), "expected finite strengths"),
        (lambda: Diffusion(weights=PAIR, rate_per_year=-1.0), "rate_per_year: expected a finite number of at least 0"),
        (lambda: Diffusion(weights=PAIR).after(np.zeros(3), 1.0), r"a load for each of 2 regions, given shape \(3,\)"),
        (lambda: Diffusion(weights=PAIR).after(np.zeros(2), -1.0), "years: expected"),
        (lambda: FisherKPP(weights=PAIR).run(np.full(2, 1.5), 1), "load saturates at 1, given 1.5"),
        (lambda: FisherKPP(weights=PAIR, dt_years=0.0).run(np.zeros(2), 1), "dt_years: expected above 0"),
        (lambda: Heterodimer(weights=PAIR, dt_years=1.0), "at most 0.25 years, given 1"),
        (lambda: Heterodimer(weights=PAIR, tau=Protein(1.0, 0.0, 1.0, 1.0)), "clearance and misfolding above 0"),
        (lambda: Heterodimer(weights=PAIR).start(np.full(2, -0.1), np.zeros(2)), "none negative"),
    ],
)
def test_what_cannot_spread_is_refused(build, message):
    with pytest.raises(ContractError, match=message):
        build()
