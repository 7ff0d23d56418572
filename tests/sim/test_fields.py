"""Potentials outside cells and what a cable makes of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim.fields import activating_mv_ms, point_source_mv, polarisation_mv, positions, transfer_mv_ua, uniform_mv
from sim.validation import stored


def test_a_microampere_at_a_tenth_of_a_millimetre():
    assert point_source_mv(1.0, 100.0) == pytest.approx(1e-6 / (4 * np.pi * 0.3 * 1e-4) * 1e3, rel=1e-12)
    assert point_source_mv(1.0, 100.0) == pytest.approx(2.653, abs=5e-4)


@given(st.floats(-1e4, 1e4), st.floats(1.0, 1e5), st.floats(0.05, 2.0))
def test_the_potential_is_linear_in_current_and_inverse_in_distance_and_conductivity(current, distance, sigma):
    v = point_source_mv(current, distance, sigma_s_m=sigma)
    assert point_source_mv(-2 * current, distance, sigma_s_m=sigma) == pytest.approx(-2 * v)
    assert point_source_mv(current, 3 * distance, sigma_s_m=2 * sigma) == pytest.approx(v / 6)


def test_current_that_leaves_a_point_crosses_every_sphere_around_it():
    """Ohm and Gauss: σ times the gradient, over a sphere, is the current."""
    r = np.array([[250.0, 0, 0], [250.001, 0, 0]])
    v = transfer_mv_ua(r, [[0, 0, 0]], radius_um=1.0)[:, 0]
    gradient_v_m = -(v[1] - v[0]) / 0.001 * 1e3
    assert 0.3 * gradient_v_m * 4 * np.pi * (250e-6) ** 2 == pytest.approx(1e-6, rel=1e-4)


def test_sources_add_up_and_inside_a_contact_is_its_surface():
    places = positions([[0, 0, 0], [0.05, 0, 0], [0.001, 0, 0]], "mm")
    contacts = positions([[0, 0, 0], [100, 0, 0]], "um")
    t = transfer_mv_ua(places, contacts, radius_um=10.0)
    assert t.shape == (3, 2)
    surface = point_source_mv(1.0, 10.0)
    np.testing.assert_allclose(t[0], [surface, point_source_mv(1.0, 100.0)])
    assert t[2, 0] == pytest.approx(surface)
    bipolar = t @ [5.0, -5.0]
    assert bipolar[1] == pytest.approx(0.0, abs=1e-12), "halfway between a source and an equal sink"
    np.testing.assert_allclose(bipolar, 5 * t[:, 0] - 5 * t[:, 1], atol=1e-12)


def test_units_of_places_are_said():
    np.testing.assert_array_equal(positions([1.0, 2.0, 3.0], "mm"), [[1000.0, 2000.0, 3000.0]])
    np.testing.assert_array_equal(positions([[1.0, 2.0, 3.0]], "um"), [[1.0, 2.0, 3.0]])


def test_a_uniform_field_falls_a_volt_a_metre_and_excites_ends_only():
    x = np.linspace(-500, 500, 11)
    v = uniform_mv(np.c_[x, 0 * x, 0 * x], [2.0, 7.0, 0.0])
    np.testing.assert_allclose(v, -2e-3 * x)
    f = activating_mv_ms(v, 100.0, diameter_um=2.0, ra_ohm_cm=100.0)
    np.testing.assert_allclose(f[1:-1], 0.0, atol=1e-12)
    assert f[-1] > 0.0 > f[0], "depolarised where the field points to"


def test_rattays_function_in_si_units():
    x, dx, d, ra, c = np.arange(-2000, 2001, 20.0), 20e-6, 5e-6, 1.0, 0.02
    v = transfer_mv_ua(np.c_[x, 0 * x, 0 * x], [[0, 100.0, 0]], radius_um=5.0)[:, 0] * -10.0
    volts = v * 1e-3
    second = (volts[:-2] - 2 * volts[1:-1] + volts[2:]) / dx**2
    expected = d / (4 * ra * c) * second
    f = activating_mv_ms(v, 20.0, diameter_um=5.0, ra_ohm_cm=100.0, c_uf_cm2=2.0)
    np.testing.assert_allclose(f[1:-1], expected, rtol=1e-9)  # V/s are mV/ms
    assert f.argmax() == 100, "a cathode excites nearest to it"
    assert f.sum() == pytest.approx(0.0, abs=1e-9 * f.max()), "what enters a sealed cable leaves it"
    sides = f[np.abs(x) > 80]
    assert (sides[1:-1] < 0).all(), "and inhibits on both sides, beyond distance / √2"
    both = activating_mv_ms(np.c_[v, -v], 20.0, diameter_um=5.0, ra_ohm_cm=100.0, c_uf_cm2=2.0)
    np.testing.assert_array_equal(both, np.c_[f, -f])


def test_neurons_first_step_follows_from_the_activating_function():
    """One implicit step of a cable at rest, its membrane a mere capacitor: (1 - dt D ∂²) V = dt f."""
    a = stored("neuron_extracellular").arrays
    n, d, ra, dt_ms = len(a["x_um"]), float(a["diameter_um"]), float(a["ra_ohm_cm"]), 1e3 * float(a["dt_s"])
    dx = float(a["length_um"]) / n
    f = activating_mv_ms(-8.0 * a["mv_per_ua"], dx, diameter_um=d, ra_ohm_cm=ra)
    spread = np.stack([activating_mv_ms(column, dx, diameter_um=d, ra_ohm_cm=ra) for column in np.eye(n)], axis=1)
    first = np.linalg.solve(np.eye(n) - dt_ms * spread, dt_ms * f)[a["places"]]
    np.testing.assert_allclose(a["below_mv"][0] + 65.0, first, rtol=0.03, atol=2e-3)


def test_polarisation_is_a_length_times_a_field():
    assert polarisation_mv(1.0) == 0.12
    np.testing.assert_array_equal(polarisation_mv([-2.0, 0.0], lambda_mv_per_v_m=0.2), [-0.4, 0.0])
    for value in (0.09, 0.21, np.nan):
        with pytest.raises(ContractError, match="lambda_mv_per_v_m"):
            polarisation_mv(1.0, lambda_mv_per_v_m=value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: positions([[0, 0]], "um"), r"\(n, 3\), um, given \(1, 2\)"),
        (lambda: positions([[0, 0, np.nan]], "mm"), "finite"),
        (lambda: positions([[0, 0, 0]], "m"), "um or mm, given 'm'"),
        (lambda: point_source_mv(1.0, 0.0), "distance_um: expected a finite number above 0"),
        (lambda: point_source_mv(np.nan, 1.0), "current_ua"),
        (lambda: point_source_mv(1.0, 1.0, sigma_s_m=-0.3), "sigma_s_m"),
        (lambda: transfer_mv_ua([0, 0, 0], [0, 0, 0], radius_um=0.0), "radius_um"),
        (lambda: uniform_mv([0, 0, 0], [1.0, 0.0]), "three finite numbers"),
        (lambda: uniform_mv([0, 0, 0], [1.0, 0.0, np.inf]), "three finite numbers"),
        (lambda: polarisation_mv(np.inf), "field_v_m"),
        (lambda: activating_mv_ms(np.zeros(5), -1.0, diameter_um=1.0, ra_ohm_cm=100.0), "dx_um"),
        (lambda: activating_mv_ms(np.zeros(1), 1.0, diameter_um=1.0, ra_ohm_cm=100.0), "2 or more"),
        (lambda: activating_mv_ms(np.array([0, np.nan]), 1.0, diameter_um=1.0, ra_ohm_cm=100.0), "finite"),
    ],
)
def test_what_makes_no_field_is_refused(wrong, said):
    with pytest.raises(ContractError, match=said):
        wrong()
