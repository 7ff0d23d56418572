"""Cells fire as the papers' equations do, at every current at once, however a run is cut."""

import numpy as np
import pytest
import reference_cells as reference
from figures import measured
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim._cells_kernels import Membrane, advance, gates, voltage
from sim.cell_classes import CELL_CLASSES, gates_at, held, ionic_current, membrane, named, rest_mv, scales_of
from sim.cells import Cells, firing_rate, run
from sim.component import Component
from sim.exactness import exactness
from sim.preparation import Preparation
from sim.validation import checks, stored

ONES = np.ones(4)


def kit(name: str, dt_s: float = 2.5e-5) -> tuple[Membrane, float]:
    """Return a class's constants and its rest."""
    p = membrane(named(name), dt_s, None)
    return p, rest_mv(named(name), p, ONES)


class TestMembranes:
    @pytest.mark.parametrize("name", list(CELL_CLASSES))
    def test_ionic_current_is_the_papers(self, name):
        p, _ = kit(name)
        v = np.linspace(-95.0, 45.0, 29)
        state = gates_at(named(name), p, v)
        scales = np.array([0.7, 1.1, 2.0, 0.5])
        expected = [reference.currents(name, x, state[1:6, i], scales) for i, x in enumerate(v)]
        np.testing.assert_allclose(ionic_current(p, scales, state), expected, rtol=1e-10, atol=1e-10)

    @pytest.mark.parametrize("name", list(CELL_CLASSES))
    def test_at_rest_nothing_flows_and_nothing_moves(self, name):
        p, rest = kit(name)
        assert abs(ionic_current(p, ONES, gates_at(named(name), p, rest))[0]) < 1e-9
        assert np.ptp(run(name, [0.0], 0.02, every=80).v_mv) < 1e-9

    @pytest.mark.parametrize(("name", "current"), [("squid", 12.0), ("pv", 4.0), ("pyramidal", 3.0), ("relay", 5.0)])
    def test_a_spike_is_the_runge_kutta_twins(self, name, current):
        _, rest = kit(name)
        errors = []
        expected = reference.voltage(name, rest, current, 0.012, 0.01)[9::10]
        for dt_s in (1e-5, 5e-6):
            v = run(name, [current], 0.012, dt_s=dt_s, every=round(1e-4 / dt_s)).v_mv[:, 0]
            errors.append(np.abs(v - expected).max())
        assert expected.max() > 0.0
        assert errors[1] < 1.5
        assert errors[1] < 0.6 * errors[0]

    def test_two_kernels_take_one_step_as_the_equations_say(self):
        p, rest = kit("squid")
        state = gates_at(named("squid"), p, [rest, -40.0, 20.0])
        before, work, dt_ms = state.copy(), np.zeros((4, 3)), 0.025
        gates(p, state, work)
        for i, v in enumerate(before[0]):
            for k, (a, b) in enumerate(reference.squid_rates(v), start=1):
                moved = a / (a + b) + (before[k, i] - a / (a + b)) * np.exp(-(a + b) * dt_ms)
                assert state[k, i] == pytest.approx(moved, rel=1e-12)
        spiked = voltage(p, np.full(3, 1e3), np.ones((4, 3)), state, work)
        for i, v in enumerate(before[0]):
            m, h, n = state[1:4, i]
            g = np.array([120.0 * m**3 * h, 36.0 * n**4, 0.3])
            end = (1e3 + g @ [50.0, -77.0, -54.387]) / g.sum()
            assert state[0, i] == pytest.approx(end + (v - end) * np.exp(-g.sum() * dt_ms), rel=1e-11)
        assert spiked == bool(((before[0] < 0.0) & (state[0] >= 0.0)).any())

    def test_held_cells_are_where_a_long_clamp_leaves_them(self):
        of = named("relay")
        p, _ = kit("relay")
        np.testing.assert_allclose(held(of, p, [-60.0], [-80.0], 50.0), gates_at(of, p, [-80.0]), rtol=1e-12)
        np.testing.assert_array_equal(held(of, p, [-60.0], [-60.0], 0.3), gates_at(of, p, [-60.0]))
        (_, _, h, tau_h), (_, _, h0, _) = reference.t_gates(-80.0), reference.t_gates(-60.0)
        expected = h + (h0 - h) * np.exp(-200.0 * 3.0**1.2 / tau_h)
        assert held(of, p, [-60.0], [-80.0], 0.2)[5, 0] == pytest.approx(expected, rel=1e-12)

    @given(st.floats(-1e9, 1e9), st.sampled_from(list(CELL_CLASSES)), st.floats(0.0, 1e3))
    @settings(max_examples=40, deadline=None)
    def test_no_current_and_no_scale_makes_a_state_other_than_a_number(self, current, name, scale):
        p, rest = kit(name)
        state, n = gates_at(named(name), p, rest), 40
        room = (np.zeros((4, 1)), np.zeros((n, 2), np.int64), np.zeros(n), np.zeros((0, 1)))
        advance(p, np.array([current]), np.full((4, 1), scale), (0, n, 0), state, *room)
        assert np.isfinite(state).all()
        assert (state[1:6] >= 0.0).all()
        assert (state[1:6] <= 1.0).all()

    def test_a_membrane_without_channels_only_charges(self):
        none = {"na": 0.0, "k": 0.0, "leak": 0.0}
        of, start = named("squid"), gates_at(named("squid"), kit("squid")[0], [-65.0])
        assert of.c_uf_cm2 == 1.0
        v = run("squid", [2.0], 0.01, scales=none, state=start, every=400).v_mv
        assert v[-1, 0] == pytest.approx(-65.0 + 2.0 * 10.0, abs=1e-9)


class TestRates:
    def test_squid_axon_is_neurons(self):
        peer = stored("neuron_hh").arrays
        assert np.abs(firing_rate("squid", peer["current_ua_cm2"]) - peer["rate_hz_fine"]).max() < 0.1

    def test_fast_spiking_cell_is_brians_and_a_lack_of_sodium_silences_it(self):
        peer = stored("brian2_wang_buzsaki").arrays
        rows = [firing_rate("pv", peer["current_ua_cm2"], scales={"na": s}) for s in peer["na_scale"]]
        assert np.abs(rows - peer["rate_hz"]).max() < 1.0

    def test_euler_at_ten_microseconds_explains_the_figures_that_circulate(self):
        euler = stored("brian2_wang_buzsaki").arrays["rate_hz_euler_10us"]
        assert np.abs(euler[0] - [9.0, 32.0, 58.0, 185.0, 401.0]).max() < 1.0
        assert np.abs(euler[1] - [0.0, 21.0, 56.0, 187.0, 0.0]).max() < 1.0

    def test_between_rest_and_firing_it_matters_where_the_squid_axon_comes_from(self):
        p, _ = kit("squid")
        low, high = -65.0, -58.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            above = ionic_current(p, ONES, gates_at(named("squid"), p, middle))[0] > 9.0
            low, high = (low, middle) if above else (middle, high)
        steady = run("squid", [9.0], 0.3, state=gates_at(named("squid"), p, low))
        switched_on = run("squid", [9.0], 0.3)
        assert steady.t_s.size == 0
        assert (switched_on.t_s > 0.2).sum() >= 6

    def test_lanes_do_not_see_each_other(self):
        together = firing_rate("pv", [0.5, 3.0, 9.0], seconds=0.6, settle_s=0.1)
        alone = [firing_rate("pv", [i], seconds=0.6, settle_s=0.1)[0] for i in (0.5, 3.0, 9.0)]
        assert together.tolist() == alone

    def test_warmth_makes_the_squid_axon_fire_faster(self):
        cold, warm = (firing_rate("squid", [15.0], temperature_c=c, seconds=0.4, settle_s=0.1)[0] for c in (6.3, 12.0))
        assert warm > 1.2 * cold > 0.0

    def test_a_cell_that_stopped_is_silent(self):
        assert firing_rate("pv", [20.0], scales={"na": 0.65}, seconds=0.5, settle_s=0.0)[0] == 0.0

    def test_relay_cell_rebounds_like_neurons(self):
        peer = stored("neuron_t_current").arrays
        hold = peer["hold_mv"]
        p, _ = kit("relay")
        done = run("relay", 0.0 * hold, 0.1, state=held(named("relay"), p, 0.0 * hold - 60.0, hold, 0.2))
        assert np.bincount(done.cell, minlength=3).tolist() == peer["n_spikes"].tolist()
        assert np.abs(1e3 * done.t_s - peer["spikes_ms"]).max() < 0.05


class TestErrors:
    def test_unknown_class_and_channel_name_the_nearest(self):
        with pytest.raises(ContractError, match=r"no 'squit'; did you mean 'squid'\?"):
            firing_rate("squit", [1.0])
        with pytest.raises(ContractError, match=r"pv: has no channel 'nav'; did you mean 'na'\?"):
            firing_rate("pv", [1.0], scales={"nav": 0.5})
        with pytest.raises(ContractError, match="pv: has no channel 't'; there are na, k, leak"):
            Cells(cell_class="pv", scales={"t": 0.5}).bind(1)

    @pytest.mark.parametrize("scale", [-0.1, np.nan, np.inf])
    def test_a_scale_is_a_number_from_zero(self, scale):
        with pytest.raises(ContractError, match="scale of 'na'"):
            scales_of(named("pv"), {"na": scale})

    @pytest.mark.parametrize("dt_s", [0.0, 6e-5, 3e-5, np.nan])
    def test_a_step_too_long_or_off_the_grid_is_refused(self, dt_s):
        with pytest.raises(ContractError, match="dt_s"):
            Cells(dt_s=dt_s).bind(1)
        with pytest.raises(ContractError, match="dt_s"):
            firing_rate("pv", [1.0], dt_s=dt_s)

    def test_currents_are_finite(self):
        with pytest.raises(ContractError, match="finite currents"):
            firing_rate("pv", [1.0, np.nan])

    def test_voltage_is_shown_after_whole_steps(self):
        with pytest.raises(ContractError, match=r"whole number: give e\.g\. 20000"):
            Cells(voltage_rate_hz=17_000.0).bind(1)

    def test_inputs_are_looked_at(self):
        cells = Cells(cell_class="pv", n=2)
        cells.bind(1)
        for port, value in (("current", 1.0), ("na_scale", -1.0), ("t_scale", 1.0), ("current", [1.0, np.nan])):
            with pytest.raises(ContractError, match=port.removesuffix("_scale")):
                cells.receive(port, np.array(value))


class TestComponent:
    def test_it_is_one(self):
        assert isinstance(Cells(), Component)

    @pytest.mark.parametrize("name", ["pv", "relay"])
    def test_it_gives_the_same_bits_however_it_is_run(self, name):
        drive = (("current", 0.0, [1.0, 2.0, 6.0]), ("na_scale", 0.03, 0.7), ("leak_scale", 0.05, 1.5))
        counts = exactness(lambda: Cells(cell_class=name, n=3, voltage_rate_hz=500.0), drive, seconds=0.08)
        assert sum(c.values for c in counts) > 1000
        assert sum(c.differing for c in counts) == 0

    def test_it_fires_as_the_curve_says_and_a_scale_reaches_it(self):
        run_ = Preparation(Cells(cell_class="pv", n=2), 1)
        run_.give("current", 0.0, [0.5, 5.0])
        first = run_.advance_s(1.0)["spikes"]
        run_.give("na_scale", 1.0, 0.5)
        second = run_.advance_s(1.0)["spikes"]
        assert np.bincount(first[:, 1], minlength=2).tolist() == [32, 189]
        assert np.count_nonzero(second[:, 1] == 0) <= 1
        assert np.count_nonzero(second[:, 1] == 1) > 150

    def test_voltage_rows_are_due_at_their_rate(self):
        cells = Cells(cell_class="pyramidal", n=2, voltage_rate_hz=1000.0)
        cells.bind(1)
        cells.receive("current", np.array([0.0, 4.0]))
        _, rows = cells.step(399)
        assert rows.shape == (9, 2)
        assert rows.dtype == np.float32
        _, rows = cells.step(1)
        assert rows.shape == (1, 2)
        assert rows[0] == pytest.approx(cells.state()["state"][0], rel=1e-6)
        assert cells.step(0)[0].shape == (0, 2)

    def test_reset_is_as_freshly_bound(self):
        cells = Cells(cell_class="relay", n=2, scales={"t": 0.5})
        cells.bind(1)
        fresh = {k: v.copy() for k, v in cells.state().items()}
        cells.receive("current", np.array([3.0, 9.0]))
        cells.receive("t_scale", np.array(2.0))
        cells.step(1000)
        cells.reset()
        assert all(np.array_equal(v, fresh[k]) for k, v in cells.state().items())
        assert (fresh["scales"][3] == 0.5).all()


@pytest.mark.bars
@pytest.mark.parametrize("row", ["M1", "M2", "M3"])
def test_acceptance_rows_of_membranes(row):
    from sim.validation import membrane as topic

    rows = [r for check in checks([row]) if check in topic.CHECKS for r in check.run()]
    measured(f"{row}, rows that pass of those there are", [sum(r.passed for r in rows), len(rows)])
    assert [r.what for r in rows if not r.passed] == []
