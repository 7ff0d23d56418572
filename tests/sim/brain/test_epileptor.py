"""Epileptors rest, seize and stop as the paper's equations do, alone and in networks, however a run is cut."""

from __future__ import annotations

import numpy as np
import pytest
import reference_masses as reference
from figures import measured
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim.brain.connectome import Connectome
from sim.brain.epileptor import VARIABLES, Epileptor, rest
from sim.brain.network import forget
from sim.component import Component
from sim.exactness import exactness
from sim.validation import checks
from sim.validation.epilepsy import unlike_tvb

N = 5
WEIGHTS, LENGTHS = reference.network(8, N)
TRACTS = Connectome(labels=tuple("abcde"), weights=WEIGHTS, lengths_mm=LENGTHS)
X0 = np.linspace(-2.2, -1.6, N)


def bound(seed=1, **kept) -> Epileptor:
    network = Epileptor(**({"connectome": TRACTS, "gain": 0.5, "fast_gain": 0.1, "x0": X0} | kept))
    network.bind(seed)
    return network


def placed(network: Epileptor, values) -> np.ndarray:
    for name, value in zip(VARIABLES, values, strict=True):
        network.state()[name][:] = value
    forget(network.lines_, network.state()["x1"])
    return np.array([network.state()[name] for name in VARIABLES])


def now(network: Epileptor) -> np.ndarray:
    return np.array([network.state()[name] for name in VARIABLES])


class TestEquations:
    @pytest.mark.parametrize("method", ["heun", "euler"])
    def test_a_network_with_delays_is_the_papers(self, method):
        network = bound(method=method)
        rng = np.random.default_rng(3)
        start = placed(network, rng.uniform([-1.8, -12, 2.8, -1, 0, -0.2], [0.3, 0, 4, 1, 1, 0.1], (N, 6)).T)
        stimulus, afferent, efferent = rng.normal(size=N), rng.uniform(0.2, 1, N), rng.uniform(0.2, 1, N)
        for port, value in (("stimulus", stimulus), ("afferent", afferent), ("efferent", efferent)):
            network.receive(port, value)
        forget(network.lines_, efferent * network.state()["x1"])
        lfp, slow = network.step(400)
        path = reference.epileptor(
            start, X0, WEIGHTS, reference.steps_of_delay(LENGTHS, 4.0, 5e-4), 0.05, 400, gain=0.5, fast_gain=0.1,
            heun=method == "heun", stimulus=stimulus, afferent=afferent, efferent=efferent,
        )  # fmt: skip
        assert np.allclose(now(network), path[-1], rtol=0, atol=1e-9)
        assert np.allclose(lfp, (path[:, 3] - path[:, 0])[1::2], rtol=0, atol=1e-9)
        assert np.allclose(slow, path[1::2, 2], rtol=0, atol=1e-9)

    def test_another_simulator_gives_the_same(self):
        assert unlike_tvb("heun") < 1e-9

    def test_below_zero_permittivity_is_held_back(self):
        network = bound(connectome=None, x0=-2.2)
        start = placed(network, [-1.5, -10.0, -1.7, -0.8, 0.0, -0.1])
        network.step(1)
        path = reference.epileptor(start, np.array([-2.2]), np.zeros((1, 1)), np.zeros((1, 1), int), 0.05, 1)
        assert np.allclose(now(network), path[0], rtol=0, atol=1e-13)
        assert path[0, 2, 0] > -1.7 + 0.05 * 0.00035 * (4 * 0.7 + 1.7)

    def test_regions_of_equal_state_do_not_pull_at_one_another(self):
        network = bound(connectome=Connectome(labels=TRACTS.labels, weights=WEIGHTS, lengths_mm=0 * LENGTHS), x0=-1.8)
        alone = bound(connectome=None, x0=-1.8)
        assert np.allclose(network.step(4000)[0], alone.step(4000)[0], rtol=0, atol=1e-6)


class TestRest:
    @given(x0=st.floats(-3.0, -2.08))
    def test_it_is_where_every_slope_is_nothing(self, x0):
        y = rest(np.array([x0]))
        moved = reference.epileptor(y, np.array([x0]), np.zeros((1, 1)), np.zeros((1, 1), int), 0.05, 1, heun=False)
        assert np.abs(moved[0] - y).max() < 1e-12

    def test_a_region_that_is_not_excitable_stays_there(self):
        lfp, _ = bound(connectome=None, x0=-2.2).step(20_000)
        assert np.ptp(lfp) < 1e-9

    def test_an_excitable_region_has_a_seizure_that_a_pulse_ends(self):
        free, stopped = bound(connectome=None, x0=-1.6), bound(connectome=None, x0=-1.6)
        free.step(8000)
        stopped.step(8000)
        stopped.receive("stimulus", np.array([-2.0]))
        free.step(400)
        stopped.step(400)
        stopped.receive("stimulus", np.array([0.0]))
        going, ended = (np.ptp(network.step(8000)[0][3000:]) for network in (free, stopped))
        assert going > 2.0
        assert ended < 0.5

    def test_excitability_may_be_raised_and_lowered(self):
        network = bound(connectome=None, x0=-2.2)
        network.receive("x0", np.array([-1.5]))
        assert np.ptp(network.step(10_000)[0]) > 2.0


class TestExactness:
    @settings(max_examples=6, deadline=None)
    @given(cuts=st.lists(st.integers(1, 300), min_size=1, max_size=6))
    def test_a_run_may_be_cut_anywhere(self, cuts):
        whole, pieces = bound(noise=0.02), bound(noise=0.02)
        expected = whole.step(sum(cuts))
        found = [pieces.step(n) for n in cuts]
        for k in range(2):
            assert np.array_equal(expected[k], np.concatenate([f[k] for f in found]))
        for name, value in whole.state().items():
            assert np.array_equal(value, pieces.state()[name]), name

    def test_restored_forked_and_threaded_runs_are_the_same_run(self):
        drive = [("efferent", 0.05, np.linspace(0.0, 1.0, N)), ("stimulus", 0.11, np.full(N, 3.0))]
        for count in exactness(lambda: bound(noise=0.02), drive, seconds=0.3, seed=4):
            assert count.differing == 0, count.how

    def test_reset_is_a_fresh_start(self):
        network, fresh = bound(noise=0.02), bound(noise=0.02)
        network.receive("efferent", np.zeros(N))
        network.receive("x0", np.full(N, -1.0))
        network.step(333)
        network.reset()
        assert np.array_equal(network.step(400)[0], fresh.step(400)[0])

    def test_state_is_the_very_arrays_and_the_contract_holds(self):
        network = bound()
        assert isinstance(network, Component)
        before = network.state()
        network.step(7)
        assert all(np.shares_memory(before[k], v) for k, v in network.state().items())

    def test_noise_moves_x2_and_y2_by_its_standard_deviation_a_unit_of_time(self):
        start = bound(connectome=None, x0=-2.2, noise=0.0)
        moved = []
        for seed in range(300):
            network = bound(seed, connectome=None, x0=-2.2, noise=0.02)
            network.step(1)
            moved.append((now(network) - now(start))[:, 0])
        sd = np.std(moved, axis=0)
        assert sd[3:5] == pytest.approx(0.02 * np.sqrt(0.05), rel=0.15)
        assert sd[[0, 1, 2, 5]].max() < 1e-12


class TestRefusals:
    @pytest.mark.parametrize(
        ("settings_", "message"),
        [({"dt_s": 1e-3}, "dt_s"), ({"x0": (-2.0,) * 3}, "x0: expected a number or one for each of 5 regions"),
         ({"noise": -0.1}, "noise"), ({"speed_m_s": 0.0}, "speed_m_s")],
    )  # fmt: skip
    def test_settings_that_make_no_sense(self, settings_, message):
        with pytest.raises(ContractError, match=message):
            bound(**settings_)

    @pytest.mark.parametrize(
        ("port", "value", "message"),
        [("afferent", np.full(N, -0.1), r"epileptor\.afferent: expected at least 0, given -0\.1 in region 0"),
         ("x0", np.zeros(3), r"expected shape \(5,\)"), ("stimulus", np.full(N, np.nan), "finite")],
    )  # fmt: skip
    def test_inputs_that_make_no_sense(self, port, value, message):
        with pytest.raises(ContractError, match=message):
            bound().receive(port, value)


@pytest.mark.bars
@pytest.mark.parametrize("check", [c for c in checks(["D-EP1", "D-EP2", "D-EP3"])
                                   if c.run.__module__.endswith("epilepsy")], ids=lambda c: c.about)  # fmt: skip
def test_acceptance(check):
    rows = list(check.run())
    for row in rows:
        assert row.passed, row
    measured(f"rows of {check.row}", len(rows))
