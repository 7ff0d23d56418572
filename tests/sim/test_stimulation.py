"""Pulses and trains: charge that returns, limits that hold before anything is put out."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim.stimulation import Caps, Contact, Pulse, PulseTrain, UnsafeStimulus

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


@settings(max_examples=40, deadline=None)
@given(
    rate=st.floats(30.0, 200.0), width=st.floats(2e-5, 1e-3), gap=st.floats(0.0, 1e-3), dt=st.floats(3e-6, 3e-3),
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
        ({"n_pulses": 1.5}, "whole number"),
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
        ("charge_uc", Pulse(amplitude_ua=-90.2, width_s=2.22e-4, second_ua=89.4, second_width_s=2.22e-4), 100.0),
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
