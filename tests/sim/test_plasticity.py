"""Synapses learn as the pairs of spikes say, in any order, with or without reward, and within their bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference_plasticity as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim._plasticity_kernels import adapt_thresholds, fade, scale_synapses, track_rates
from sim.exactness import exactness
from sim.plastic import Plastic, Trigger
from sim.plasticity import Homeostasis, PairRule, Reward, backward, replay
from sim.validation import stored
from sim.validation.plasticity import all_pairs, brian, pair_kernel, trains

DT_S = 1e-4
NONE = np.zeros((0, 2), int)


def pair(lag_steps: int, **rule) -> float:
    """Return the change of a weight by one pair, post ``lag_steps`` after pre."""
    w = replay(PairRule(**rule), [[500, 0]], [500 + lag_steps], [0.5], n_blocks=20)
    return float(w[-1, 0]) - 0.5


# --- pair STDP ---------------------------------------------------------------------------------------


def test_every_row_of_the_kernel_and_of_brian2_passes():
    rows = [*pair_kernel(), *brian()]
    assert len(rows) == 5
    assert all(row.passed for row in rows), rows


def test_brian2s_weights_reach_both_bounds():
    w = stored("brian2_stdp").arrays
    assert (w["pair_w"].min(), w["pair_w"].max()) == (0.0, 1.0)
    assert (w["modulated_w"].min(), w["modulated_w"].max()) == (0.0, 1.0)


@given(st.integers(-400, 400))
@settings(max_examples=25, deadline=None)
def test_a_pair_changes_the_weight_by_the_exponential_of_its_lag(lag):
    expected = 0.005 * math.exp(-lag * DT_S / 0.020) if lag >= 0 else -0.00525 * math.exp(lag * DT_S / 0.020)
    assert pair(lag) == pytest.approx(expected, abs=1e-13)


def test_a_pair_at_equal_times_potentiates_whole():
    assert pair(0) == pytest.approx(0.005, abs=1e-15)


def test_amplitudes_are_shares_of_the_upper_bound():
    assert pair(10, high=2.0) == pytest.approx(2.0 * pair(10), rel=1e-12)


@pytest.mark.parametrize("pairs", ["all", "nearest"])
def test_the_rule_is_its_sum_over_history_and_stops_at_the_bounds(pairs):
    rule = PairRule(a_plus=0.1, a_minus=0.12, tau_plus_s=0.017, tau_minus_s=0.034, low=0.5, high=0.65, pairs=pairs)
    rng = np.random.default_rng(3)
    pre, post = np.argwhere(rng.random((10_000, 4)) < 4e-3), np.flatnonzero(rng.random(10_000) < 4e-3)
    w = replay(rule, pre, post, np.full(4, 0.6), n_blocks=100)
    synapses = [reference.Pairs(rule, 0.6) for _ in range(4)]
    for step, fired, j in sorted([(k, 0, j) for k, j in pre] + [(k, 1, 0) for k in post]):
        for synapse in synapses if fired else synapses[j : j + 1]:
            (synapse.post if fired else synapse.pre)(step * DT_S)
    assert np.abs(w[-1] - [s.w for s in synapses]).max() < 1e-12
    assert (w.min(), w.max()) == (0.5, 0.65)


def test_nearest_neighbours_give_other_weights_than_all_pairs():
    pre, post = trains(seed=5)
    sums = [replay(PairRule(pairs=p), pre, post, np.full(20, 0.5), n_blocks=500)[-1] for p in ("all", "nearest")]
    assert np.abs(sums[0] - 0.5 - all_pairs(PairRule(), pre, post, 20)).max() < 1e-12
    assert np.abs(sums[0] - sums[1]).min() > 1e-5


# --- reward --------------------------------------------------------------------------------------------


def test_eligibilities_are_the_sum_of_their_marks_and_dopamine_turns_them_into_weight():
    rule, reward = PairRule(a_plus=0.1, a_minus=0.12), Reward(tau_eligibility_s=0.4, tau_dopamine_s=0.1)
    rng = np.random.default_rng(4)
    pre, post = np.argwhere(rng.random((6000, 3)) < 3e-3), np.flatnonzero(rng.random(6000) < 3e-3)
    released = np.where(rng.random(60) < 0.2, rng.normal(0.0, 300.0, 60), 0.0)
    w = replay(rule, pre, post, np.full(3, 0.5), n_blocks=60, reward=reward, released=released)
    synapses, d = [reference.Marked(rule, 0.5, reward) for _ in range(3)], 0.0
    events = sorted([(k, 0, j) for k, j in pre] + [(k, 1, 0) for k in post])
    for b in range(60):
        for step, fired, j in (e for e in events if b * 100 <= e[0] < (b + 1) * 100):
            for synapse in synapses if fired else synapses[j : j + 1]:
                (synapse.post if fired else synapse.pre)(step * DT_S)
        d = reference.dopamine_after(d, released[b], reward.tau_dopamine_s)
        for synapse in synapses:
            synapse.fold((b + 1) * 0.010, d)
        assert np.abs(w[b + 1] - [s.w for s in synapses]).max() < 1e-12
    assert np.ptp(w) > 0.1


def test_without_dopamine_nothing_is_learned():
    pre, post = trains(seed=2)
    assert (replay(PairRule(), pre, post, np.full(20, 0.5), n_blocks=100, reward=Reward()) == 0.5).all()


# --- homeostasis ---------------------------------------------------------------------------------------


def test_rates_follow_counts_and_weights_follow_rates():
    counts, rates = np.array([0, 1], np.int32), np.array([4.0, 20.0])
    track_rates(0.010, 5.0, counts, rates)
    keep = math.exp(-0.002)
    assert np.allclose(rates, [4.0 * keep, 20.0 * keep + 100.0 * (1.0 - keep)], rtol=1e-14)
    assert not counts.any()
    back = backward([0, 2, 3], [0, 1, 1], 2)
    w = np.array([0.5, 0.5, 0.9], np.float32)
    scale_synapses(0.2, 8.0, np.array([4.0, 16.0]), back.offsets, back.synapses, 0.0, 1.0, w)
    assert np.allclose(w, [0.5 * math.exp(0.1), 0.5 * math.exp(-0.2), 0.9 * math.exp(-0.2)], rtol=1e-6)


def test_thresholds_rise_above_the_target_and_fall_below_it():
    threshold = np.array([-50.0, -50.0, -45.1])
    adapt_thresholds(0.1, 8.0, -60.0, -45.0, np.array([4.0, 10.0, 80.0]), threshold)
    assert np.allclose(threshold, [-50.4, -49.8, -45.0])


def test_what_is_next_to_nothing_becomes_nought():
    trace = np.array([1.0, -1e-19, 1e-30])
    fade(0.05, trace)
    assert trace.tolist() == [0.05, 0.0, 0.0]


def test_scaling_brings_a_neuron_back_to_its_target_after_its_inputs_doubled():
    neuron = Plastic(homeostasis=Homeostasis(target_hz=12.0, tau_rate_s=1.0, tau_scaling_s=4.0), start=0.4)
    neuron.bind(1)
    neuron.receive("plasticity", np.array(0.0))
    rates = []
    for input_hz in (10.0, 20.0):
        neuron.receive("inputs", np.full(1000, input_hz))
        neuron.step(200_000)
        spikes, _ = neuron.step(100_000)
        rates.append(len(spikes) / 10.0)
    assert rates == pytest.approx([12.0, 12.0], rel=0.15)


# --- the circuit ---------------------------------------------------------------------------------------

SMALL = {"dt_s": 5e-4, "n_inputs": 40, "n_neurons": 3, "peak": 0.06, "lateral": 0.4, "background_hz": 300.0,
         "background": 0.1, "inhibitory_hz": 200.0, "delay_s": 0.0015, "start": 0.5, "weights_hz": 100.0}  # fmt: skip
STRONG = PairRule(a_plus=0.05, a_minus=0.06)
REWARDED = {
    "pairs": STRONG, "reward": Reward(), "input_hz": 20.0,
    "homeostasis": Homeostasis(target_hz=20.0, tau_rate_s=0.2, tau_scaling_s=1.0),
}  # fmt: skip
HEARD = Trigger(recorded=(0,), stimulated=(1, 2), delay_s=0.020)
KINDS = {
    "weights change at once, with a trigger": {"pairs": STRONG, "trigger": HEARD, "input_hz": 20.0},
    "reward and scaling": REWARDED,
    "neurons teach each other": {"pairs": STRONG, "n_inputs": 0, "learns": "recurrent", "background_hz": 500.0},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_circuit_is_its_twin(kind):
    part = Plastic(**(SMALL | KINDS[kind]))
    part.bind(7)
    n, m = part.n_neurons, part.n_inputs
    twin = reference.Circuit(part, 7, np.full(m, part.input_hz), np.full(n, part.background_hz))
    part.receive("reward", np.array(40.0))
    part.receive("plasticity", np.array(0.8))
    twin.reward, twin.share = 40.0, 0.8
    spikes, rows = part.step(1000)
    for _ in range(1000):
        twin.step()
    assert len(spikes) > 15
    assert np.array_equal(spikes, np.argwhere(twin.fired))
    assert np.abs(part.w - twin.w[~np.isnan(twin.w)]).max() < 1e-5
    assert np.ptp(part.w) > 0.02
    assert np.array_equal(rows[-1], part.w)
    assert rows.shape == (50, part.n_synapses)


def test_no_run_depends_on_how_it_is_cut_forked_or_restored():
    drive = [("inputs", 0.05, np.linspace(0.0, 60.0, 40)), ("reward", 0.1, 50.0), ("plasticity", 0.13, 0.5)]
    kind = SMALL | REWARDED | {"trigger": Trigger(recorded=(0,), stimulated=(1,), delay_s=0.015)}
    counts = exactness(lambda: Plastic(**kind), drive, seconds=0.25, seed=3)
    assert [c.differing for c in counts] == [0] * len(counts)


def test_reset_equals_freshly_bound():
    part = Plastic(**(SMALL | REWARDED))
    part.bind(5)
    first = part.step(300)
    part.receive("reward", np.array(9.0))
    part.step(100)
    part.reset()
    again = part.step(300)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


# --- bad input -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"pairs": PairRule(tau_plus_s=-0.02)}, "tau_plus_s: expected a positive"),
        ({"pairs": PairRule(tau_minus_s=math.nan)}, "tau_minus_s: expected a positive"),
        ({"pairs": PairRule(a_plus=-1.0)}, "a_plus: expected a finite number from 0"),
        ({"pairs": PairRule(low=1.0, high=0.5)}, "bounds are 1 to 0.5"),
        ({"pairs": PairRule(pairs="some")}, "expected 'all' or 'nearest'"),
        ({"start": 1.5}, "start: expected a weight from 0 to 1"),
        ({"reward": Reward(tau_eligibility_s=0.0)}, "tau_eligibility_s: expected a positive"),
        ({"reward": Reward(tau_dopamine_s=-1.0)}, "tau_dopamine_s: expected a positive"),
        ({"homeostasis": Homeostasis(target_hz=0.0)}, "target_hz: expected a positive"),
        ({"tau_m_s": -0.02}, "tau_m_s: expected a positive"),
        ({"background": -0.1}, "background: expected a finite number from 0"),
        ({"n_inputs": 0}, "make no synapse"),
        ({"learns": "everything"}, "expected 'inputs' or 'recurrent'"),
        ({"dt_s": 3e-4}, "whole number"),
        ({"dt_s": 2e-3}, "at most 1 ms"),
        ({"delay_s": 7e-4}, "delay_s: 0.0007 s is no whole"),
        ({"weights_hz": 3.0}, "weights_hz"),
        ({"trigger": Trigger(recorded=(0,), stimulated=(3,))}, r"names neurons \[3\], of 3"),
    ],
)
def test_a_setting_outside_its_range_is_refused(settings, told):
    with pytest.raises(ContractError, match=told):
        Plastic(**(SMALL | settings)).bind(1)


@pytest.mark.parametrize(
    ("port", "value", "told"),
    [
        ("inputs", np.zeros(39), r"expected shape \(40,\)"),
        ("inputs", np.full(40, -1.0), "rates from 0 Hz"),
        ("inputs", np.full(40, 1e3), "shorter step"),
        ("background", np.full(3, 1e5), "shorter step"),
        ("plasticity", 1.1, "share from 0 to 1"),
        ("reward", np.nan, "finite"),
        ("dopamine", 1.0, "no input 'dopamine'"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(port, value, told):
    part = Plastic(**SMALL)
    part.bind(1)
    with pytest.raises(ContractError, match=told):
        part.receive(port, value)


def test_what_cannot_be_replayed_is_refused():
    for pre, post, w, told in (
        (NONE, [], [1.5], "weights from 0 to 1"),
        ([[3, 1]], [], [0.5], "beyond the 1 weights"),
        ([3], [], [0.5], "expected pre"),
        (NONE, [[1]], [0.5], "expected pre"),
    ):
        with pytest.raises(ContractError, match=told):
            replay(PairRule(), pre, post, w, n_blocks=1)
    with pytest.raises(ContractError, match="released"):
        replay(PairRule(), NONE, [], [0.5], n_blocks=3, reward=Reward(), released=np.zeros(2))


def test_a_graph_that_is_none_is_refused():
    for offsets, targets in (([0, 2], [0]), ([1, 1], [0]), ([0, 2, 1, 3], [0, 1, 1]), ([0, 1], [2]), ([0, 1], [-1])):
        with pytest.raises(ContractError, match="backward"):
            backward(offsets, targets, 2)
