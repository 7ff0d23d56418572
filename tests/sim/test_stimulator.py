"""The stimulator: settings in, samples out; whatever is set, charge returns and nothing unsafe is put out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim.assembly import Assembly
from sim.exactness import exactness
from sim.preparation import Preparation
from sim.stimulation import Contact, Pulse, PulseTrain
from sim.stimulator import Stimulator

DBS = Contact(area_cm2=0.06)
"""A ring of an electrode for deep brain stimulation."""


def prepared(**settings):
    given = {"contact": DBS, "amplitude_ua": -3000.0, "rate_hz": 130.0, "width_s": 60e-6}
    return Preparation(Stimulator(**(given | settings)), seed=1)


def test_left_alone_it_puts_out_a_train():
    pulse = Pulse(amplitude_ua=-3000.0, width_s=60e-6)
    there = PulseTrain(contact=DBS, pulse=pulse, rate_hz=130.0, n_pulses=200).current(0.0, 40000, 25e-6)
    np.testing.assert_allclose(prepared().advance_s(1.0)["current_ua"], there, atol=0.01)


def steered(p, cuts):
    """Run ``p`` for 60 ms in pieces of ``cuts`` steps, settings changing at 20, 30 and 50 ms."""
    p.give("rate_hz", 0.02, 185.0)
    p.give("width_s", 0.02, 90e-6)
    p.give("amplitude_ua", 0.03, -1500.0)
    p.give("rate_hz", 0.05, 0.0)
    return np.concatenate([p.advance(n)["current_ua"] for n in cuts])


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_the_stimulator_is_the_same_bits_however_it_is_cut(cuts):
    cuts = [*cuts, 2400 - sum(cuts)] if sum(cuts) < 2400 else [2400]
    np.testing.assert_array_equal(steered(prepared(), cuts), steered(prepared(), [2400]))


def test_however_it_is_run_no_value_differs():
    drive = [("amplitude_ua", 0.0, -1000.0), ("rate_hz", 0.013, 333.0), ("width_s", 0.1, 2e-4), ("rate_hz", 0.2, 77.7)]
    counts = exactness(lambda: Stimulator(contact=DBS, gap_s=5e-5), drive, seconds=0.3, seed=3)
    assert len(counts) == 7
    assert all(c.values > 1000 and c.differing == 0 for c in counts)


@pytest.mark.parametrize("cuts", [(3, 7), (1, 9), (9, 1)])
def test_steps_compose(cuts):
    a, b = (Stimulator(contact=DBS, amplitude_ua=-1000.0, rate_hz=2300.0, dt_s=1e-4) for _ in range(2))
    a.bind(1)
    b.bind(1)
    parts = np.concatenate([a.step(n)[0].copy() for n in cuts])
    np.testing.assert_array_equal(parts, b.step(10)[0])
    assert all(np.array_equal(a.state()[k], b.state()[k]) for k in a.state())


def test_a_snapshot_a_fork_and_a_reset_repeat_it():
    p = prepared(rate_hz=333.0)
    first = p.advance(700)["current_ua"]
    kept, fork = p.snapshot(), p.fork()
    then = p.advance(900)["current_ua"]
    np.testing.assert_array_equal(fork.advance(900)["current_ua"], then)
    p.restore(kept)
    np.testing.assert_array_equal(p.advance(900)["current_ua"], then)
    p.reset()
    np.testing.assert_array_equal(p.advance(700)["current_ua"], first)


def test_a_pulse_that_has_begun_ends_as_it_began():
    p = prepared(rate_hz=100.1, width_s=300e-6, dt_s=1e-4)
    p.give("amplitude_ua", 0.01, -500.0)
    p.give("rate_hz", 0.02, 0.0)
    current = p.advance_s(0.06)["current_ua"].astype(np.float64)
    second = 1e4 / 100.1
    assert math.floor(second) == 99, "the second pulse begins in the block before the change and ends after it"
    np.testing.assert_allclose(current[101:105], [-3000, -3000 * 0.9 + 3000 * 0.1, 3000, 3000], atol=2.0)
    assert abs(current.sum()) < 1e-3 * 3000
    assert not current[210:].any()


def test_a_faster_rate_waits_for_the_pulse_that_has_begun():
    p = prepared(rate_hz=100.1, width_s=1e-3, dt_s=1e-4, amplitude_ua=-500.0)
    p.give("rate_hz", 0.01, 1000.0)
    p.give("width_s", 0.01, 1e-4)
    current = p.advance_s(0.015)["current_ua"]
    np.testing.assert_allclose(current[101:109], -500.0, rtol=1e-5)
    np.testing.assert_allclose(current[110:119], 500.0, rtol=1e-5)
    assert np.abs(current).max() <= 500.0 * (1 + 1e-5), "two pulses never add up"
    assert (current[120:] < -400.0).sum() == 3


def test_a_new_rate_counts_from_the_last_pulse():
    p = prepared(rate_hz=10.0)
    p.give("rate_hz", 0.02, 20.0)
    began = np.flatnonzero(np.diff(p.advance_s(0.2)["current_ua"] < -1.0, prepend=False))[::2] * 25e-6
    np.testing.assert_allclose(began, [0.0, 0.05, 0.1, 0.15], atol=2.6e-5)


def test_whatever_is_set_meanwhile_charge_returns():
    rng, p = np.random.default_rng(4), prepared()
    for k in range(40):
        p.give("rate_hz", k * 0.01, rng.uniform(0.0, 300.0))
        p.give("amplitude_ua", k * 0.01, rng.uniform(-1300.0, 1300.0))
        p.give("width_s", k * 0.01, rng.uniform(30e-6, 1e-3))
    p.give("rate_hz", 0.4, 0.0)
    current = p.advance_s(0.42)["current_ua"].astype(np.float64)
    moved = np.abs(current).sum() * 25e-6
    assert moved > 10.0
    assert abs(current.sum() * 25e-6) < 1e-6 * moved


@pytest.mark.parametrize(
    ("port", "value", "said"),
    [
        ("amplitude_ua", -2e5, "Shannon k"), ("amplitude_ua", 2e5, "Shannon k"), ("width_s", 1e-2, "Shannon k|period"),
        ("rate_hz", 9000.0, "duration of a pulse"), ("width_s", -1e-4, "Pulse.width_s"), ("width_s", 0.0, "width_s"),
        ("rate_hz", -1.0, "rate_hz"),
    ],
)  # fmt: skip
def test_a_setting_beyond_a_limit_puts_out_nothing_until_it_is_mended(port, value, said):
    s = Stimulator(contact=DBS, amplitude_ua=-3000.0, rate_hz=130.0, width_s=60e-6)
    s.bind(1)
    s.step(400)
    before = {k: v.copy() for k, v in s.state().items()}
    good = float(before["settings"][["amplitude_ua", "rate_hz", "width_s"].index(port)])
    s.receive(port, np.array(value))
    for _ in range(2):
        with pytest.raises(ContractError, match=said):
            s.step(400)
    assert all(np.array_equal(s.state()[k], before[k]) for k in before if k != "settings")
    s.receive(port, np.array(good))
    assert s.step(400)[0].any()


def test_settings_that_are_safe_together_may_come_one_after_the_other():
    p = prepared(amplitude_ua=-1000.0, width_s=450e-6)
    p.give("amplitude_ua", 0.01, -20000.0)
    p.give("width_s", 0.01, 60e-6)
    assert p.advance_s(0.03)["current_ua"].min() == pytest.approx(-20000.0, rel=1e-3)


def test_what_does_not_fit_is_refused_at_bind_or_when_given():
    for settings_, said in [
        ({"dt_s": 3e-5}, "dt_s"), ({"dt_s": -1.0}, "dt_s"), ({"amplitude_ua": -2e5}, "stimulator: Shannon k"),
        ({"rate_hz": math.nan}, "rate_hz"), ({"gap_s": -1.0}, "gap_s"), ({"width_s": 0.0, "rate_hz": 0.0}, "width_s"),
    ]:  # fmt: skip
        with pytest.raises(ContractError, match=said):
            prepared(**settings_)
    with pytest.raises(ContractError, match="finite"):
        prepared().give("amplitude_ua", 0.0, math.nan)
    with pytest.raises(ContractError, match="shape"):
        prepared().give("amplitude_ua", 0.0, [1.0, 2.0])


def test_two_stimulators_run_side_by_side():
    two = [Stimulator(contact=DBS, amplitude_ua=-100.0, rate_hz=r, name=f"s{r}") for r in (100, 200)]
    shown = Assembly(two, seed=1).advance(10)
    assert [int((np.diff(np.sign(s["current_ua"])) == -1).sum()) + 1 for s in shown.values()] == [20, 40]
