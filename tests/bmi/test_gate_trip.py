"""A sender's clock jumps ahead and back: simulated devices move again by themselves, hardware waits."""

import numpy as np
import pytest
from gate_rig import HARDWARE, PERIOD_S, Rig

from bmi.limits import DISARM_S
from bmi.signals import GateState


def tripped(**settings):
    rig = Rig(**settings)
    rig.cruise()
    rig.say(age=-5.0)
    assert rig.state == GateState.TRIPPED
    return rig


def steps_until_active(rig, most=200, **words):
    return next((k for k in range(1, most + 1) if rig.say(**words).state == GateState.ACTIVE), None)


def test_half_a_second_of_good_stamps_ends_the_trip_of_a_simulated_device():
    rig = tripped()
    assert steps_until_active(rig) * PERIOD_S == pytest.approx(DISARM_S, abs=1.5 * PERIOD_S)


@pytest.mark.parametrize("wrong", [{"age": -5.0}, {"age": 5.0}, {"mean": (np.nan, 0.0)}], ids=["ahead", "old", "nan"])
def test_whatever_is_wrong_meanwhile_begins_it_anew(wrong):
    rig = tripped()
    for _ in range(24):
        assert rig.say().state == GateState.TRIPPED
    rig.say(**wrong)
    assert steps_until_active(rig) * PERIOD_S == pytest.approx(DISARM_S, abs=1.5 * PERIOD_S)


def test_silence_is_not_good():
    rig = tripped()
    rig.silence(2.0, fresh=False)
    assert rig.state == GateState.TRIPPED
    assert steps_until_active(rig) * PERIOD_S == pytest.approx(DISARM_S, abs=2 * PERIOD_S)


@pytest.mark.parametrize("settings", [{"device": HARDWARE}, {"auto_rearm": False}], ids=["hardware", "by hand"])
def test_where_nothing_re_arms_by_itself_it_stays_latched(settings):
    rig = tripped(**settings)
    assert steps_until_active(rig) is None
    rig.say(arm=False)
    rig.say((0.0, 0.0))
    assert rig.say().state == GateState.ACTIVE


def test_a_disarmed_operator_is_not_overruled():
    rig = tripped()
    assert steps_until_active(rig, arm=False) is None
