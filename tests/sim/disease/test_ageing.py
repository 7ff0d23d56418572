"""Schedules say what they promise on every day, are the healthy value before they begin, and only get worse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi.errors import ContractError
from sim.disease.ageing import LEAST_SNR, Ageing
from sim.disease.als import ALS
from sim.disease.timeline import Timeline
from sim.sensors.array import BASELINE, Array

DAYS = st.floats(-100.0, 4000.0)
WORSE = {"snr": -1, "impedance": 1, "turnover": 1, "dead": 1, "survival": -1, "mu_amplitude": -1}


def test_an_implant_after_a_year():
    found = Ageing(from_day=0.0).at(365.0)
    assert found["snr"] == pytest.approx(math.exp(-365 / 400))
    assert found["dead"] == pytest.approx(0.05)
    assert found["turnover"] == pytest.approx(1 - 0.99**365)
    assert found["impedance"] == pytest.approx(1.5, abs=0.002)
    assert Ageing(from_day=0.0).at(1.0)["turnover"] == pytest.approx(0.01)
    assert Ageing(from_day=0.0, rise_days=10.0).at(10.0)["impedance"] == pytest.approx(1 + 0.5 * (1 - math.exp(-1)))


def test_als_after_its_time_constants():
    als = ALS(from_day=100.0, survival_days=600.0, mu_days=300.0)
    assert als.at(700.0) == {"survival": pytest.approx(math.exp(-1)), "mu_amplitude": pytest.approx(math.exp(-2))}


@pytest.mark.parametrize("schedule", [Ageing(), ALS()], ids=["ageing", "als"])
class TestEverySchedule:
    def test_is_the_healthy_value_until_it_begins(self, schedule):
        healthy = {**BASELINE, "mu_amplitude": 1.0}
        for day in (-3.0, 0.0, schedule.from_day):
            assert dict(schedule.at(day)) == {k: healthy[k] for k in schedule.at(day)}

    @given(one=DAYS, other=DAYS)
    def test_only_gets_worse(self, schedule, one, other):
        early, late = schedule.at(min(one, other)), schedule.at(max(one, other))
        assert all(WORSE[k] * (late[k] - early[k]) >= 0.0 for k in early)

    def test_an_array_and_a_timeline_take_it_on_any_day(self, schedule):
        array = Array(n_channels=4)
        array.bind(1, n_neurons=30)
        for day in (0.0, 400.0, 1e5):
            theta = Timeline(schedules=(schedule,), n_regions=2).at(day)
            for name in BASELINE:
                array.receive(name, theta[name])
            assert np.isfinite(array.heard().snr).all()


def test_spikes_do_not_vanish_altogether():
    assert Ageing().at(1e6)["snr"] == LEAST_SNR


@pytest.mark.parametrize(("part", "wrong", "told"), [
    (Ageing, {"snr_days": 0.0}, "snr_days"), (Ageing, {"rise_days": math.nan}, "rise_days"),
    (Ageing, {"turnover_per_day": 1.0}, "below 1"), (Ageing, {"deaths_per_year": -0.1}, "at least 0"),
    (Ageing, {"plateau": 0.5}, "plateau"), (Ageing, {"from_day": math.inf}, "from_day"),
    (ALS, {"survival_days": -1.0}, "survival_days"), (ALS, {"mu_days": math.inf}, "mu_days"),
    (ALS, {"from_day": math.nan}, "from_day"),
])  # fmt: skip
def test_unsound(part, wrong, told):
    with pytest.raises(ContractError, match=told):
        part(**wrong)
