"""BOLD as a sensor."""

from __future__ import annotations

import numpy as np
import pytest
from reference_sensors import balloon

from bmi.errors import ContractError
from sim.sensors.bold import BOLD, SETS, Hemodynamics


def bold(n: int = 2, seed: int = 1, **changes) -> BOLD:
    sensor = BOLD(labels=tuple(f"r{i}" for i in range(n)), **({"tr_s": 0.01} | changes))
    sensor.bind(seed)
    return sensor


def run(sensor: BOLD, activity: np.ndarray) -> np.ndarray:
    return np.concatenate([sensor.take(block).copy() for block in activity.reshape(-1, 10, activity.shape[1])])


def test_a_region_is_the_balloon_of_its_twin():
    rng = np.random.default_rng(2)
    activity = np.repeat(rng.uniform(0.0, 1.5, (40, 2)), 100, axis=0)
    h = SETS["stephan-3t"]
    found, newer = run(bold(), activity), run(bold(hemodynamics="stephan-3t"), activity)
    for i in range(2):
        np.testing.assert_allclose(found[:, i], 100.0 * balloon(activity[:, i], 0.001)[9::10], rtol=1e-5, atol=1e-6)
        other = balloon(
            activity[:, i], 0.001, kappa=h.kappa, gamma=h.gamma, tau=h.tau_s, alpha=h.alpha, rho=h.rho, v0=h.v0,
            ks=(h.k1, h.k2, h.k3),
        )  # fmt: skip
        np.testing.assert_allclose(newer[:, i], 100.0 * other[9::10], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(SETS))
@pytest.mark.parametrize("rest", [0.0, 7.3, (0.1, 4.0)])
def test_at_rest_nothing_moves_to_the_last_bit(name, rest):
    sensor = bold(hemodynamics=name, rest=rest, gain=0.3)
    rows = run(sensor, np.broadcast_to(np.array(rest), (5000, 2)).copy())
    assert (rows == 0.0).all()
    np.testing.assert_array_equal(sensor.state()["balloon"], [[0.0] * 2, [1.0] * 2, [1.0] * 2, [1.0] * 2])


def test_steady_activity_settles_where_the_equations_say():
    """f = 1 + u / γ; v = f^α; q = v f^-1/α ... v E(f) / ρ."""
    u = 0.2
    found = run(bold(1, tr_s=0.5), np.full((60_000, 1), u))[-1, 0]
    f = 1.0 + u / 0.41
    v = f**0.32
    q = v * (1.0 - (1.0 - 0.34) ** (1.0 / f)) / 0.34
    expected = 2.0 * (2.38 * (1 - q) + 2.0 * (1 - q / v) + 0.48 * (1 - v))
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_sample_comes_each_tr_and_tells_what_is_then():
    activity = np.random.default_rng(3).uniform(0.0, 1.0, (3000, 2))
    fine, coarse = run(bold(), activity), run(bold(tr_s=0.72), activity)
    assert len(coarse) == 4
    np.testing.assert_array_equal(coarse, fine[71::72])


def test_flow_never_turns_negative_and_the_balloon_recovers():
    activity = np.full((40_000, 1), -20.0)
    activity[5000:] = 0.0
    rows = run(bold(1), activity)
    assert np.isfinite(rows).all()
    assert rows.min() < -1.0
    assert abs(rows[-1, 0]) < 0.05


def test_scanner_noise_is_as_large_as_said_and_a_matter_of_the_seed():
    quiet, a, b = (run(bold(200, s, noise_percent=n), np.zeros((500, 200))) for s, n in ((1, 0.0), (1, 0.5), (2, 0.5)))
    assert (quiet == 0.0).all()
    assert a.std() == pytest.approx(0.5, rel=0.03)
    assert (a != b).mean() > 0.99


def test_state_is_all_there_is():
    activity = np.random.default_rng(4).uniform(0.0, 2.0, (1000, 2))
    sensor = bold(noise_percent=0.1, tr_s=0.05)
    first = run(sensor, activity)
    kept = {k: v.copy() for k, v in sensor.state().items()}
    ahead = run(sensor, activity)
    other = bold(noise_percent=0.1, tr_s=0.05)
    for k, v in other.state().items():
        v[...] = kept[k]
    np.testing.assert_array_equal(run(other, activity), ahead)
    sensor.reset()
    np.testing.assert_array_equal(run(sensor, activity), first)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"tr_s": 0.725}, "multiple"), ({"tr_s": 0.001}, "multiple"), ({"hemodynamics": "7t"}, "friston-2003"),
     ({"rest": (1.0, 2.0, 3.0)}, "one number or 2")],
)  # fmt: skip
def test_scanners_that_cannot_be_are_refused(wrong, message):
    with pytest.raises(ContractError, match=message):
        bold(**wrong)


def test_activity_of_another_number_of_regions_is_refused():
    with pytest.raises(ContractError, match=r"\(10, 2\)"):
        bold().take(np.zeros((10, 3)))


def test_own_hemodynamics_can_be_given():
    stiff = run(bold(1, hemodynamics=Hemodynamics(alpha=0.2)), np.ones((3000, 1)))
    assert np.abs(stiff - run(bold(1), np.ones((3000, 1)))).max() > 0.1
