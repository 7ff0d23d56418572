"""Pulses, trains and the stimulator: charge that returns, limits that hold before anything is put out."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim.assembly import Assembly
from sim.preparation import Preparation
from sim.stimulation import Caps, Contact, Pulse, PulseTrain, UnsafeStimulus
from sim.stimulator import Stimulator

DBS = Contact(area_cm2=0.06)
"""A ring of an electrode for deep brain stimulation."""
WIDE = Caps(amplitude_ua=100.0, charge_uc=0.02, density_uc_cm2=1000.0, rate_hz=300.0, duty=0.5)
MICRO = Contact(area_cm2=2e-5, caps=WIDE)
"""A tip of 2000 µm²."""


def train(**changes):
    given = {"contact": DBS, "pulse": Pulse(amplitude_ua=-3000.0, width_s=60e-6), "rate_hz": 130.0, "n_pulses": 13}
    return PulseTrain(**(given | changes))


# --- pulses ---------------------------------------------------------------------------------------


def test_the_second_phase_takes_the_charge_back_however_it_is_said():
    a = Pulse(amplitude_ua=-50.0, width_s=2e-4)
    assert a.phases == ((-50.0, 2e-4), (50.0, 2e-4))
    b = Pulse(amplitude_ua=-50.0, width_s=2e-4, second_width_s=8e-4)
    assert b.phases[1] == (12.5, 8e-4)
    c = Pulse(amplitude_ua=-50.0, width_s=2e-4, second_ua=5.0, gap_s=1e-4)
    assert c.phases[1] == (5.0, pytest.approx(2e-3))
    assert c.duration_s == pytest.approx(2.3e-3)
    assert a.imbalance == b.imbalance == 0.0
    assert c.imbalance < 1e-15


def test_more_than_a_hundredth_of_the_charge_left_behind_is_refused_with_both_figures():
    Pulse(amplitude_ua=-100.0, width_s=2e-4, second_ua=99.0, second_width_s=2e-4)
    with pytest.raises(UnsafeStimulus, match=r"does not return is 1\.1 %, limit 1 %") as refused:
        Pulse(amplitude_ua=-100.0, width_s=2e-4, second_ua=98.9, second_width_s=2e-4)
    assert (refused.value.measured, refused.value.limit) == (pytest.approx(1.1), 1.0)
    with pytest.raises(UnsafeStimulus, match="limit 1 %"):
        Pulse(amplitude_ua=100.0, width_s=2e-4, second_ua=-101.2, second_width_s=2e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"width_s": -1e-4}, {"width_s": 0.0}, {"width_s": math.nan}, {"amplitude_ua": math.nan},
        {"amplitude_ua": math.inf}, {"gap_s": -1e-6}, {"second_width_s": -1e-4}, {"second_ua": math.nan},
        {"second_ua": -50.0}, {"second_ua": 0.0}, {"second_width_s": 0.0},
    ],
)  # fmt: skip
def test_what_is_no_pulse_is_refused(changes):
    with pytest.raises(ContractError, match=r"Pulse\.\w+: expected"):
        Pulse(**({"amplitude_ua": -50.0, "width_s": 2e-4} | changes))


# --- trains ---------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    rate=st.floats(1.0, 200.0), width=st.floats(2e-5, 1e-3), gap=st.floats(0.0, 1e-3), dt=st.floats(3e-6, 3e-3),
    start=st.floats(0.0, 0.01), longer=st.floats(1.0, 2.0),
)  # fmt: skip
def test_samples_hold_the_charge_of_the_pulses_at_any_rate_of_samples(rate, width, gap, dt, start, longer):
    pulse = Pulse(amplitude_ua=-100.0, width_s=width, gap_s=gap, second_width_s=width * longer)
    t = train(pulse=pulse, rate_hz=rate, start_s=start, n_pulses=5)
    n = math.ceil((start + 5 / rate) / dt) + 1
    current = t.current(0.0, n, dt)
    charge = pulse.charges_uc[1]
    assert abs(current.sum() * dt) < 1e-9 * charge
    through = np.cumsum(current) * dt
    edges = np.arange(1, n + 1) * dt
    np.testing.assert_allclose(through, t.charge(edges), atol=1e-9 * charge)
    assert np.abs(current).max() <= 100.0 * (1 + 1e-6)


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(1, 3000), min_size=1, max_size=8), dt=st.sampled_from([1e-5, 2.5e-5, 1 / 30000]))
def test_a_train_is_the_same_bits_however_it_is_cut(cuts, dt):
    t, ends = train(start_s=0.0003), np.cumsum([0, *cuts])
    whole = t.current(0.0, int(ends[-1]), dt)
    parts = [t.current(a * dt, int(b - a), dt) for a, b in itertools.pairwise(ends)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_where_edges_fall_on_samples_a_pulse_is_its_own_picture():
    t = train(pulse=Pulse(amplitude_ua=-100.0, width_s=2e-4, gap_s=1e-4), rate_hz=1000.0, n_pulses=2)
    once = [-100.0, -100.0, 0.0, 100.0, 100.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    np.testing.assert_allclose(t.current(0.0, 25, 1e-4), [*once, *once, 0, 0, 0, 0, 0], atol=1e-9)


def test_each_phase_keeps_its_charge_and_a_train_its_number():
    t = train(pulse=Pulse(amplitude_ua=-100.0, width_s=130e-6, gap_s=200e-6), rate_hz=100.0, n_pulses=7)
    current = t.current(0.0, 10000, 7e-6)
    assert (current[current < 0] * 7e-6).sum() == pytest.approx(-7 * 0.013)
    assert (current[current > 0] * 7e-6).sum() == pytest.approx(7 * 0.013)
    assert train(n_pulses=None, duration_s=1.0).n == 130
    assert train(n_pulses=None, duration_s=1.0, rate_hz=100.0).n == 100
    assert train(n_pulses=None, duration_s=120e-6).n == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rate_hz": -1.0}, "rate_hz"), ({"rate_hz": math.nan}, "rate_hz"), ({"start_s": -1.0}, "start_s"),
        ({"n_pulses": None}, "give one"), ({"duration_s": 1.0}, "give one"), ({"n_pulses": 0}, "n_pulses"),
        ({"n_pulses": None, "duration_s": 1e-6}, "duration_s"),
        ({"rate_hz": 9000.0}, "duration of a pulse is 1.08 of the period"),
    ],
)  # fmt: skip
def test_what_is_no_train_is_refused(changes, said):
    with pytest.raises(ContractError, match=said):
        train(**changes)


def test_samples_are_asked_for_on_their_grid():
    with pytest.raises(ContractError, match="whole number"):
        train().current(1.5e-5, 10, 1e-5)
    with pytest.raises(ContractError, match="dt_s"):
        train().current(0.0, 10, 0.0)


# --- limits ---------------------------------------------------------------------------------------


def test_shannons_k_is_the_sum_of_both_logarithms_and_its_limit_is_found_from_below():
    assert Contact(area_cm2=0.01).shannon_k(0.1) == pytest.approx(math.log10(10.0) + math.log10(0.1))
    most = math.sqrt(10**1.5 * 0.06)
    train(pulse=Pulse(amplitude_ua=-most / 60e-6 * 0.9999, width_s=60e-6))
    with pytest.raises(UnsafeStimulus, match=r"Shannon k is 1\.50009, limit 1\.5; nothing was put out") as refused:
        train(pulse=Pulse(amplitude_ua=-most / 60e-6 * 1.0001, width_s=60e-6))
    assert refused.value.rule == "Shannon k"


def test_a_micro_electrode_says_what_it_bears_and_is_not_asked_for_shannons_k():
    with pytest.raises(ContractError, match=r"micro-electrode.*caps of its own, given none"):
        Contact(area_cm2=2e-5)
    loud = Pulse(amplitude_ua=-100.0, width_s=2e-4)
    assert MICRO.shannon_k(0.02) > 1.0
    MICRO.check(loud, 100.0)
    beyond = Contact(area_cm2=1e-5, caps=Caps(amplitude_ua=1e4, charge_uc=1, density_uc_cm2=1e5, rate_hz=300, duty=1))
    assert beyond.shannon_k(0.8) > 1.5
    beyond.check(Pulse(amplitude_ua=-4000.0, width_s=2e-4), 100.0)


@pytest.mark.parametrize(
    ("cap", "pulse", "rate"),
    [
        ("amplitude_ua", Pulse(amplitude_ua=-101.0, width_s=1e-4), 100.0),
        ("amplitude_ua", Pulse(amplitude_ua=-60.0, width_s=2e-4, second_ua=120.0), 100.0),
        ("charge_uc", Pulse(amplitude_ua=-99.0, width_s=2.1e-4), 100.0),
        ("rate_hz", Pulse(amplitude_ua=-10.0, width_s=1e-4), 301.0),
        ("duty", Pulse(amplitude_ua=-10.0, width_s=1.9e-3), 140.0),
    ],
)
def test_every_cap_holds_and_is_named(cap, pulse, rate):
    said = {"amplitude_ua": "amplitude", "charge_uc": "charge per phase", "rate_hz": "rate", "duty": "duty"}[cap]
    with pytest.raises(UnsafeStimulus) as refused:
        MICRO.check(pulse, rate)
    assert refused.value.rule == said
    assert refused.value.limit == getattr(WIDE, cap)
    assert refused.value.measured > refused.value.limit


def test_charge_density_follows_from_the_area():
    caps = Caps(amplitude_ua=1e5, charge_uc=10.0, density_uc_cm2=30.0, rate_hz=200.0, duty=0.2)
    Contact(area_cm2=0.01, caps=caps).check(Pulse(amplitude_ua=-2990.0, width_s=1e-4), 130.0)
    with pytest.raises(UnsafeStimulus, match=r"charge density is 30\.1 µC/cm², limit 30"):
        Contact(area_cm2=0.01, caps=caps).check(Pulse(amplitude_ua=-3010.0, width_s=1e-4), 130.0)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_caps_and_areas_are_numbers_above_zero(value):
    with pytest.raises(ContractError, match=r"Caps\.rate_hz"):
        Caps(amplitude_ua=1, charge_uc=1, density_uc_cm2=1, rate_hz=value, duty=1)
    with pytest.raises(ContractError, match=r"Contact\.area_cm2"):
        Contact(area_cm2=value)
    with pytest.raises(ContractError, match="share of time"):
        Caps(amplitude_ua=1, charge_uc=1, density_uc_cm2=1, rate_hz=1, duty=1.1)


# --- the stimulator -------------------------------------------------------------------------------


def prepared(**settings):
    given = {"contact": DBS, "amplitude_ua": -3000.0, "rate_hz": 130.0, "width_s": 60e-6}
    return Preparation(Stimulator(**(given | settings)), seed=1)


def test_left_alone_it_puts_out_a_train():
    there = train(n_pulses=200).current(0.0, 40000, 25e-6)
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
