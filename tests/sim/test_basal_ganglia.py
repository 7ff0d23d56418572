"""The basal ganglia compute what the paper's tables say, however a run is cut, and refuse what makes no sense."""

from __future__ import annotations

import numpy as np
import pytest
import reference_ganglia as reference
from figures import measured
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim import _basal_ganglia_kernels as cells
from sim.basal_ganglia import NUCLEI, BasalGanglia
from sim.component import Component
from sim.exactness import exactness
from sim.preparation import Diverged, Preparation
from sim.relay import band_power, rates_hz, relay_error_index, spectrum
from sim.validation import checks, stored
from sim.validation.ganglia import lone

DBS = np.array([300.0, 130.0, 300e-6])


def bound(seed=1, *, loss=0.0, dbs=None, **settings_) -> BasalGanglia:
    circuit = BasalGanglia(**settings_)
    circuit.bind(seed)
    circuit.receive("dopamine_loss", np.array(loss))
    if dbs is not None:
        circuit.receive("dbs", np.array(dbs))
    return circuit


class TestEquations:
    @pytest.mark.parametrize(("loss", "dbs_hz"), [(0.0, 0.0), (1.0, 200.0)])
    def test_25_milliseconds_equal_the_tables(self, loss, dbs_hz):
        circuit = bound(3, loss=loss, dbs=[300.0, dbs_hz, 300e-6])
        v = np.concatenate([circuit.state()[f"{nucleus}.v_mv"].copy() for nucleus in NUCLEI])
        circuit.receive("smc_rate_hz", np.array(40.0))
        spikes, pulses, shown, _ = circuit.step(1000)
        smc, dbs = np.zeros(1000), np.zeros(1000)
        for begin in pulses[:, 0]:
            smc[begin : begin + 200] = 3.5
        if dbs_hz:
            for begin in range(0, 1000, 200):
                dbs[begin : begin + 12] = 300.0
        bias = circuit._drive.bias
        expected, voltages = reference.run(v, bias, smc, dbs, loss, 0.025)
        assert len(pulses) >= 1
        assert len(expected) > 60
        assert np.array_equal(spikes, expected)
        assert np.abs(shown - voltages[39::40, :10]).max() < 1e-4
        now = np.concatenate([circuit.state()[f"{nucleus}.v_mv"] for nucleus in NUCLEI])
        assert np.abs(now - voltages[-1]).max() < 1e-6

    @pytest.mark.parametrize("name", ["thalamus", "stn", "gp"])
    def test_a_lone_cells_spike_is_that_of_another_simulator(self, name):
        found = stored("ganglia_cells").arrays
        traces = [lone(name, found[f"{name}_current"], 0.005, dt_s, int(found["kept"]))[1] for dt_s in (1e-6, 2e-6)]
        extrapolated = 2.0 * traces[0] - traces[1]
        assert np.ptp(extrapolated) > 10.0
        assert np.abs(extrapolated - found[f"{name}_trace_mv"][:50]).max() < 0.3

    def test_an_alpha_function_peaks_five_milliseconds_after_the_spike(self):
        x = np.zeros(cells.SIZE)
        x[cells.STN_Z] = cells.KICK_STN
        course = []
        for _ in range(2000):
            cells.alpha(x, cells.STN_S, cells.STN_Z, 0.01, 1)
            course.append(x[cells.STN_S])
        assert 0.01 * (1 + np.argmax(course)) == pytest.approx(5.0, abs=0.02)
        assert max(course) == pytest.approx(0.43, rel=2e-3)

    def test_cells_begin_scattered_about_minus_62_and_pallidal_bias_about_nothing(self):
        drawn = [bound(seed) for seed in range(12)]
        v = np.array([[c.state()[f"{nucleus}.v_mv"] for nucleus in NUCLEI] for c in drawn])
        bias = np.array([c._drive.bias for c in drawn])
        assert v.mean() == pytest.approx(-62.0, abs=3 * 5 / np.sqrt(480))
        assert v.std() == pytest.approx(5.0, rel=3 / np.sqrt(960))
        assert bias.std() == pytest.approx(2.0, rel=3 / np.sqrt(240))


class TestDrive:
    def test_the_cortex_comes_at_its_rate_with_a_gamma_distributed_frequency(self):
        circuit = bound(5, dt_s=25e-6)
        circuit.receive("smc_rate_hz", np.array(40.0))
        at = np.concatenate([circuit.step(40_000)[1][:, 0].copy() for _ in range(4)]) * 25e-6
        frequency = 1.0 / np.diff(at)
        n = len(frequency)
        assert frequency.mean() == pytest.approx(40.0, abs=4 * 8 / np.sqrt(n))
        assert frequency.std() / frequency.mean() == pytest.approx(0.2, rel=4 / np.sqrt(2 * n))

    def test_stimulation_entrains_the_subthalamus_and_keeps_its_phase_when_the_amplitude_drops(self):
        part = Preparation(bound(), 2)
        part.give("dopamine_loss", 0.0, 1.0)
        part.give("dbs", 0.0, [300.0, 100.0, 300e-6])
        part.give("dbs", 0.2, [0.0, 100.0, 300e-6])
        part.give("dbs", 0.3, [300.0, 100.0, 300e-6])
        spikes = part.advance_s(0.4)["spikes"]
        at = spikes[(spikes[:, 1] >= 10) & (spikes[:, 1] < 20), 0]
        early, late = at[at < 8000] % 400, at[at >= 12_000] % 400
        assert np.bincount(early[40:], minlength=400)[:40].sum() > 0.9 * len(early[40:])
        assert np.bincount(late, minlength=400)[:40].sum() > 0.9 * len(late)
        assert len(early) >= 190

    @pytest.mark.parametrize("width_s", [60e-6, 90e-6, 300e-6, 450e-6])
    def test_a_pulse_carries_its_whole_charge_whatever_the_step(self, width_s):
        from sim._relay_kernels import stimulator

        dbs, clock = np.array([100.0, 130.0, width_s]), np.array([1.0, 0.0])
        given_ = sum(stimulator(dbs, clock, 0.025) for _ in range(40_000)) * 25e-6
        assert given_ == pytest.approx(100.0 * 130 * width_s, rel=1e-9)

    def test_a_run_is_declared_as_the_contract_asks(self):
        assert isinstance(BasalGanglia(), Component)


class TestExactness:
    @settings(max_examples=5, deadline=None)
    @given(cuts=st.lists(st.integers(1, 1500), min_size=1, max_size=6))
    def test_a_run_does_not_depend_on_how_it_is_cut(self, cuts):
        whole, parts = bound(7, loss=1.0, dbs=DBS), bound(7, loss=1.0, dbs=DBS)
        expected = [rows.copy() for rows in whole.step(sum(cuts))]
        found = [[rows.copy() for rows in parts.step(n)] for n in cuts]
        for rows, pieces in zip(expected, zip(*found, strict=True), strict=True):
            assert np.array_equal(rows, np.concatenate(pieces))
        for name, value in whole.state().items():
            assert np.array_equal(value, parts.state()[name]), name

    def test_chunks_snapshots_forks_and_threads_change_no_value(self):
        given_ = [("dopamine_loss", 0.01, 1.0), ("dbs", 0.03, DBS), ("smc_scale", 0.04, 1.3)]
        counts = exactness(BasalGanglia, given_, seconds=0.1, seed=11)
        assert len(counts) >= 7
        assert all(c.values > 1000 and c.differing == 0 for c in counts), counts

    def test_reset_is_freshly_bound(self):
        circuit, fresh = bound(9, loss=1.0, dbs=DBS), bound(9)
        circuit.step(4000)
        circuit.reset()
        assert all(np.array_equal(v, fresh.state()[k]) for k, v in circuit.state().items())

    def test_seeds_and_names_differ(self):
        runs = [bound(1), bound(2), bound(1, name="other")]
        first = [c.step(400)[2].copy() for c in runs]
        assert not np.array_equal(first[0], first[1])
        assert not np.array_equal(first[0], first[2])


class TestRefusals:
    @pytest.mark.parametrize("dt_s", [26e-6, 50e-6, 1e-3])
    def test_a_step_beyond_the_methods_range_is_refused_with_the_reason(self, dt_s):
        with pytest.raises(ContractError, match=r"at most 0.025 ms.*Euler"):
            BasalGanglia(dt_s=dt_s).bind(1)

    @pytest.mark.parametrize("dt_s", [0.0, -1e-5, 15e-6, 10e-3 / 404])
    def test_a_step_that_does_not_divide_the_grids_is_refused(self, dt_s):
        with pytest.raises(ContractError, match="dt_s"):
            BasalGanglia(dt_s=dt_s).bind(1)

    @pytest.mark.parametrize(
        ("value", "match"),
        [
            ([301.0, 130.0, 3e-4], "dbs_limit_ua_cm2"), ([300.0, 251.0, 3e-4], "dbs_limit_hz"),
            ([300.0, 130.0, 5e-4], "dbs_limit_s"), ([-1.0, 130.0, 3e-4], "expected 0 to 300"), ([1.0, 2.0], "shape"),
            ([np.nan, 130.0, 3e-4], "finite"),
        ],
    )  # fmt: skip
    def test_stimulation_over_a_cap_is_refused_and_changes_nothing(self, value, match):
        circuit = bound(dbs=DBS)
        with pytest.raises(ContractError, match=match):
            circuit.receive("dbs", np.array(value))
        assert np.array_equal(circuit.state()["drive.dbs"], DBS)

    def test_pulses_may_not_overlap(self):
        circuit = bound(dbs_limit_s=5e-3)
        with pytest.raises(ContractError, match="overlap"):
            circuit.receive("dbs", np.array([10.0, 250.0, 4e-3]))

    @pytest.mark.parametrize(
        ("port", "value"), [("dopamine_loss", 1.01), ("dopamine_loss", -0.1), ("smc_rate_hz", 41), ("smc_scale", -1)]
    )
    def test_inputs_out_of_range_are_refused(self, port, value):
        with pytest.raises(ContractError, match=f"{port}: expected"):
            bound().receive(port, np.array(value))

    def test_a_number_lost_stops_the_run_and_names_cell_variable_and_time(self):
        part = Preparation(BasalGanglia(), 1)
        part.advance_s(0.02)
        part.component.state()["thalamus.h"][3] = np.nan
        with pytest.raises(Diverged, match=r"basal_ganglia: thalamus\.v_mv \[\(3,\)\].*between 0\.020 s and 0\.030 s"):
            part.advance_s(0.01)


class TestRelay:
    PULSES = np.array([[0.1, 0], [0.3, 0], [0.5, 0], [0.7, 0], [0.99, 0]])

    def index(self, *times, n_cells=1):
        spikes = np.array([[t, 0] for t in times]).reshape(-1, 2)
        return relay_error_index(spikes, self.PULSES, dt_s=1.0, duration_s=1.0, n_cells=n_cells)

    def test_one_spike_within_25_ms_of_each_pulse_is_no_error(self):
        assert self.index(0.3, 0.51, 0.724) == 0.0

    @pytest.mark.parametrize(
        ("times", "errors"),
        [((), 3), ((0.31, 0.51), 1), ((0.31, 0.32, 0.51, 0.71), 1), ((0.31, 0.4, 0.45, 0.51, 0.71), 2), ((0.326,), 4)],
    )
    def test_missed_bursting_and_spurious_count(self, times, errors):
        assert self.index(*times) == pytest.approx(errors / 3)

    def test_it_equals_a_count_pulse_by_pulse(self):
        rng = np.random.default_rng(2)
        pulses = np.cumsum(rng.uniform(0.03, 0.12, 40))
        spikes = np.sort(rng.uniform(0.0, 3.0, 60))
        expected = reference.error_index(spikes, pulses, 3.0)
        found = relay_error_index(
            np.c_[spikes, np.zeros(60)], np.c_[pulses, np.zeros(40)], dt_s=1.0, duration_s=3.0, n_cells=1
        )
        assert found == pytest.approx(expected)

    def test_a_run_without_a_pulse_has_no_index(self):
        with pytest.raises(ContractError, match="run for longer"):
            relay_error_index(np.zeros((0, 2)), np.array([[0.1, 0]]), dt_s=1.0, duration_s=1.0)

    def test_rates_and_power_are_those_of_what_was_put_in(self):
        spikes = np.array([[s, s % 4] for s in range(80)])
        assert rates_hz(spikes, dt_s=0.01, duration_s=0.8, n_cells=4).tolist() == [25.0] * 4
        t = np.arange(5000) / 1000.0
        beat = 3.0 * np.sin(2 * np.pi * 20.0 * t) + 7.0
        assert band_power(beat, 13.0, 35.0, rate_hz=1000.0) == pytest.approx(4.5, rel=0.01)
        f, p = spectrum(beat, rate_hz=1000.0)
        assert f[p.argmax()] == 20.0

    def test_the_spectrum_is_that_of_scipy(self):
        from scipy.signal import welch

        noise = np.random.default_rng(4).normal(size=3001)
        for window_s in (0.25, 0.333):
            f, p = spectrum(noise, rate_hz=1000.0, window_s=window_s)
            g, q = welch(noise[200:], 1000.0, nperseg=len(f) * 2 - 2 + round(window_s * 1000) % 2)
            assert np.allclose(f, g)
            assert np.allclose(p, q, rtol=1e-9, atol=1e-12)

    def test_too_short_a_run_has_no_spectrum(self):
        with pytest.raises(ContractError, match="run for longer"):
            spectrum(np.zeros(1100), rate_hz=1000.0)


class TestPatient:
    def test_loss_of_dopamine_breaks_the_relay_and_fast_stimulation_mends_it(self):
        index = {}
        for name, loss, dbs in (("healthy", 0.0, None), ("ill", 1.0, None), ("stimulated", 1.0, DBS)):
            spikes, pulses, _, _ = bound(1, loss=loss, dbs=dbs).step(80_000)
            index[name] = relay_error_index(spikes, pulses, dt_s=25e-6, duration_s=2.0)
        assert index["healthy"] < 0.05
        assert index["stimulated"] < 0.05
        assert index["ill"] > 0.15

    @pytest.mark.bars
    @pytest.mark.timeout(600)
    def test_every_figure_is_within_its_tolerance(self):
        rows = [row for check in checks(["C8"]) for row in check.run()]
        assert [row.what for row in rows if not row.passed] == []
        assert len(rows) > 30

    @pytest.mark.bars
    def test_it_costs_less_than_a_fifth_of_a_core(self):
        import time

        circuit = bound(1, loss=1.0, dbs=DBS)
        spent = []
        for _ in range(300):
            begin = time.process_time()
            circuit.step(400)
            spent.append((time.process_time() - begin) / 0.01)
        measured("basal ganglia, core-s per s", spent)
        assert np.median(spent) <= 0.18
