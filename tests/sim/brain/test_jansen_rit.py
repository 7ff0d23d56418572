"""Jansen-Rit networks are the paper's equations with delays, whatever their inputs and however a run is cut."""

from __future__ import annotations

import numpy as np
import pytest
import reference_masses as reference
from figures import measured
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim.brain import _jansen_rit_kernels as kernels
from sim.brain.connectome import Connectome
from sim.brain.jansen_rit import JansenRit
from sim.component import Component
from sim.exactness import exactness
from sim.preparation import Preparation
from sim.validation import checks, stored

N = 6
WEIGHTS, LENGTHS = reference.network(5, N)
TRACTS = Connectome(labels=tuple("abcdef"), weights=WEIGHTS, lengths_mm=LENGTHS)
DRIVE = np.linspace(100.0, 300.0, N)


def bound(seed=1, **kept) -> JansenRit:
    network = JansenRit(**({"connectome": TRACTS, "gain": 20.0, "drive_hz": DRIVE, "dt_s": 5e-4} | kept))
    network.bind(seed)
    return network


def delay(dt_s=5e-4, speed=4.0):
    return reference.steps_of_delay(LENGTHS, speed, dt_s)


class TestEquations:
    @pytest.mark.parametrize("method", ["heun", "euler"])
    def test_a_network_with_delays_is_the_papers(self, method):
        psp, rate = bound(method=method).step(400)
        path = reference.jansen_rit(DRIVE, WEIGHTS, delay(), 5e-4, 400, gain=20.0, heun=method == "heun")[1::2]
        assert np.ptp(psp[50:], axis=0).max() > 1.0
        assert np.allclose(psp, path[:, 1] - path[:, 2], rtol=0, atol=1e-10)
        assert np.allclose(rate, 5.0 / (1.0 + np.exp(0.56 * (6.0 - psp))), rtol=0, atol=1e-11)

    def test_every_input_acts_where_the_equations_have_it(self):
        rng = np.random.default_rng(2)
        scales = {k: rng.uniform(0.5, 1.5, N) for k in ("he", "cip", "cep", "local", "afferent", "efferent")}
        rates, more = rng.uniform(0.0, 5.0, N), rng.uniform(-20.0, 20.0, N)
        at_once = Connectome(labels=TRACTS.labels, weights=WEIGHTS, lengths_mm=0.0 * LENGTHS)
        network = bound(connectome=at_once, proxied=(1, 4))
        for port, value in {**scales, "proxy": rates, "drive": more}.items():
            network.receive(port, value)
        given = np.full(N, np.nan)
        given[[1, 4]] = rates[[1, 4]]
        no_delay = np.zeros((N, N), int)
        path = reference.jansen_rit(DRIVE + more, WEIGHTS, no_delay, 5e-4, 400, gain=20.0, given=given, **scales)
        psp, rate = network.step(400)
        assert np.allclose(psp, (path[:, 1] - path[:, 2])[1::2], rtol=0, atol=1e-10)
        assert np.array_equal(rate[:, [1, 4]], np.tile(rates[[1, 4]], (len(rate), 1)))

    def test_another_simulator_gives_the_same(self):
        a = stored("tvb_masses").arrays
        tracts = Connectome(labels=tuple("abcdefgh"), weights=a["weights"], lengths_mm=a["lengths_mm"])
        network = JansenRit(connectome=tracts, gain=10.0, drive_hz=a["drive_hz"], dt_s=1e-4)
        network.bind(0)
        psp = network.step(4000)[0][1::2][:, a["shown"]]
        assert np.abs(psp - a["jansen_rit_heun_psp_mv"]).max() < 1e-9

    def test_firing_saturates_and_is_half_at_v0(self):
        s = np.zeros(4)
        kernels.fire(np.array([-1e3, 6.0, 7.0, 1e3]), np.full(4, 6.0), np.full(4, 0.56), s)
        assert np.allclose(s, [0.0, 0.5, 1.0 / (1.0 + np.exp(-0.56)), 1.0], rtol=0, atol=1e-13)


class TestLesions:
    def test_a_region_cut_off_no_longer_matters_to_others(self):
        paths = []
        for drive in (0.0, 100.0):
            network = bound()
            off = np.ones(N)
            off[3] = 0.0
            network.receive("efferent", off)
            network.receive("drive", np.where(np.arange(N) == 3, drive, 0.0))
            paths.append(network.step(600)[0])
        others = np.arange(N) != 3
        assert np.array_equal(paths[0][:, others], paths[1][:, others])
        assert not np.array_equal(paths[0][:, 3], paths[1][:, 3])

    def test_without_afferents_a_region_is_alone(self):
        network = bound()
        network.receive("afferent", np.zeros(N))
        alone = bound(gain=0.0)
        assert np.array_equal(network.step(400)[0], alone.step(400)[0])


class TestNoise:
    def test_it_depends_on_seed_and_moves_every_region_by_itself(self):
        a, b, c = (bound(seed, noise_hz=30.0, gain=0.0, drive_hz=220.0).step(2000)[0] for seed in (1, 1, 2))
        assert np.array_equal(a, b)
        assert not np.array_equal(a, c)
        assert np.abs(np.corrcoef(np.diff(a[100:], axis=0).T)[np.triu_indices(N, 1)]).max() < 0.99

    @pytest.mark.parametrize("dt_s", [1e-3, 2.5e-4])
    def test_its_strength_does_not_hang_on_the_step(self, dt_s):
        quiet = bound(connectome=None, noise_hz=30.0, gain=0.0, drive_hz=-200.0, dt_s=dt_s, contacts=0.0)
        psp = quiet.step(round(60.0 / dt_s))[0][500:, 0]
        # y1 is white noise of density (30 /s)² ms through A a t e^(-a t), whose square has the integral A² / (4 a)
        assert psp.std() == pytest.approx(30.0 * np.sqrt(1e-3 * 3.25**2 / 400.0), rel=0.08)


class TestExactness:
    @settings(max_examples=6, deadline=None)
    @given(cuts=st.lists(st.integers(1, 300), min_size=1, max_size=6))
    def test_a_run_may_be_cut_anywhere(self, cuts):
        whole, pieces = bound(noise_hz=20.0), bound(noise_hz=20.0)
        expected = whole.step(sum(cuts))
        found = [pieces.step(n) for n in cuts]
        for k in range(2):
            assert np.array_equal(expected[k], np.concatenate([f[k] for f in found]))
        for name, value in whole.state().items():
            assert np.array_equal(value, pieces.state()[name]), name

    def test_restored_forked_and_threaded_runs_are_the_same_run(self):
        drive = [("efferent", 0.05, np.linspace(0.0, 1.0, N)), ("proxy", 0.11, np.full(N, 3.0))]
        for count in exactness(lambda: bound(noise_hz=20.0, proxied=(2,)), drive, seconds=0.3, seed=4):
            assert count.differing == 0, count.how

    def test_reset_is_a_fresh_start(self):
        network, fresh = bound(noise_hz=20.0), bound(noise_hz=20.0)
        network.receive("he", np.full(N, 1.3))
        network.step(333)
        network.reset()
        assert np.array_equal(network.step(400)[0], fresh.step(400)[0])

    def test_state_is_the_very_arrays_and_the_contract_holds(self):
        network = bound()
        assert isinstance(network, Component)
        before = network.state()
        network.step(7)
        assert all(before[k] is v for k, v in network.state().items())
        assert Preparation(bound(), 1).advance_s(0.015)["psp"].shape == (15, N)


class TestRefusals:
    @pytest.mark.parametrize(
        ("settings_", "message"),
        [({"dt_s": 3e-4}, "dt_s"), ({"dt_s": 1e-3, "a_hz": 300.0}, "synapses of 300 /s, expected at most 0.667 ms"),
         ({"proxied": (6,)}, r"proxied: expected regions 0 to 5, given \[6\]"),
         ({"noise_hz": -1.0}, r"noise_hz: expected finite values of at least 0"),
         ({"contacts": (1.0, 2.0)}, "contacts: expected a number or one for each of 6 regions"),
         ({"drive_hz": np.nan}, "drive_hz")],
    )  # fmt: skip
    def test_settings_that_make_no_sense(self, settings_, message):
        with pytest.raises(ContractError, match=message):
            bound(**settings_)

    @pytest.mark.parametrize(
        ("port", "value", "message"),
        [("he", np.full(N, -0.1), r"masses\.he: expected at least 0, given -0\.1 in region 0"),
         ("drive", np.zeros(3), r"expected shape \(6,\)"), ("gain", np.zeros(N), "has no input 'gain'"),
         ("proxy", np.full(N, np.inf), "finite")],
    )  # fmt: skip
    def test_inputs_that_make_no_sense(self, port, value, message):
        with pytest.raises(ContractError, match=message):
            bound().receive(port, value)


@pytest.mark.bars
@pytest.mark.parametrize("check", [c for c in checks(["W1", "W2"]) if c.run.__module__.endswith(("masses", "delays"))],
                         ids=lambda c: c.about)  # fmt: skip
def test_acceptance(check):
    rows = list(check.run())
    for row in rows:
        assert row.passed, row
    measured(f"rows of {check.row}", len(rows))
