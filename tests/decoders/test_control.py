"""Controllers: what is wanted, when it is looked, and that a stimulator never steers itself."""

import numpy as np
import pytest

from bmi.errors import ContractError, RecipeError
from bmi.schema import make
from bmi.signals import Chunk, StreamSpec
from bmi.testing import check_controller

RATE = 50.0
LOOK = {"amplitude_ma": 2.0, "on_s": 2.0, "blank_s": 0.5, "smooth_s": 0.0}
QUICK = {"on_z": 2.0, "off_z": 1.0, "on_s": 0.1, "off_s": 0.2, "warmup_s": 1.0}
ABORT = {"amplitude_ma": 2.0, "train_s": 0.4, "rest_s": 1.0, "blank_s": 0.3, "detector": QUICK}
SETTINGS = {
    "constant": {"amplitude_ma": 2.0},
    "beta-threshold": {**LOOK, "threshold": 1.0},
    "dual-threshold": {**LOOK, "upper": 1.0, "lower": 0.5},
    "proportional": {**LOOK, "low": 0.5, "high": 2.0},
    "abort-pulse": ABORT,
}


def made(name, **settings):
    return make("controllers", name, {**SETTINGS[name], **settings}, "here")


def closed(controller, feature, n):
    """Let the controller drive an obedient stimulator; ``feature(k, amplitude)`` is row k, (m,). Return amplitudes."""
    controller.bind(StreamSpec(name="features", n_channels=len(feature(0, 0.0)), rate_hz=RATE, unit="ln"))
    amplitude, out = 0.0, []
    for k in range(n):
        t = np.array([(k + 1) / RATE])
        controller.told(amplitude, t[0])
        intent = controller.step(Chunk(np.array([feature(k, amplitude)], np.float32), t, t[0], k))
        amplitude = float(intent.mean[0])
        out.append(amplitude)
    return np.array(out)


@pytest.mark.parametrize("name", SETTINGS)
def test_it_keeps_the_contract(name):
    check_controller(lambda: made(name), n_steps=3000)


@pytest.mark.parametrize("name", SETTINGS)
def test_it_takes_several_features(name):
    check_controller(lambda: made(name), StreamSpec(name="power", n_channels=3, rate_hz=RATE, unit="1"), n_steps=500)


def test_illness_is_stimulated_with_pauses_to_look():
    """Without blanking it would be 2 s of 2.02; with it 0.5 s of silence are in each turn."""
    got = closed(made("beta-threshold"), lambda k, ma: [3.0], 1000)
    assert got[:24].max() == 0.0
    assert (got[30:] > 0).mean() == pytest.approx(2.0 / 2.5, abs=0.02)


def test_health_is_left_alone():
    assert closed(made("beta-threshold"), lambda k, ma: [0.5], 500).max() == 0.0


def test_what_stimulation_feeds_never_keeps_it_on():
    """The feature is high for 0.4 s after every current, and for no other reason than current, but for one look."""

    def fed(k, ma, last=[-1e9]):  # noqa: B006
        last[0] = k if ma > 0 else last[0]
        return [3.0 if k == 100 or k - last[0] < 0.4 * RATE else 0.0]

    got = closed(made("beta-threshold"), fed, 1000)
    assert (got > 0).sum() == 2.0 * RATE
    fed.__defaults__[0][0] = -1e9
    naive = closed(made("beta-threshold", blank_s=0.0), fed, 1000)
    assert (naive[100:] > 0).mean() > 0.9


def test_between_its_thresholds_it_stays_as_it_was():
    def waning(k, ma):
        return [2.0 if k < 200 else 0.7 if k < 600 else 0.2]

    dual, single = (closed(made(name), waning, 1000) for name in ("dual-threshold", "beta-threshold"))
    assert (dual[300:600] > 0).mean() > 0.7
    assert (single[300:] > 0).sum() == 0
    assert (dual[750:] > 0).sum() == 0
    assert closed(made("dual-threshold"), lambda k, ma: [0.7], 500).max() == 0.0


@pytest.mark.parametrize(("level", "expected"), [(0.4, 0.0), (0.5, 0.0), (1.25, 1.0), (2.0, 2.0), (9.0, 2.0)])
def test_amplitude_is_in_proportion(level, expected):
    assert closed(made("proportional"), lambda k, ma: [level], 60)[30] == pytest.approx(expected)


def test_what_is_too_little_to_help_is_not_given():
    assert closed(made("proportional", least_ma=1.5), lambda k, ma: [1.25], 60).max() == 0.0


def test_the_longer_it_looks_the_surer_it_is():
    """Noise of one standard deviation below the threshold: rows cross it, their mean does not."""
    noise = np.random.default_rng(0).standard_normal(2000)
    noise[:100] = 0.0

    def health(k, ma):
        return [noise[k]]

    assert closed(made("beta-threshold"), health, 2000).max() > 0
    assert closed(made("beta-threshold", smooth_s=4.0), health, 2000).max() == 0.0


def seizure(k, ma):
    return [(0.1 if k % 2 else -0.1) + (3.0 if 300 <= k < 800 else 0.0)]


def test_a_seizure_is_answered_by_a_train_and_after_a_rest_by_another():
    controller = made("abort-pulse")
    got = closed(controller, seizure, 1000)
    onsets = np.flatnonzero((got[1:] > 0) & (got[:-1] == 0)) + 1
    assert 300 <= onsets[0] <= 310
    np.testing.assert_array_equal(np.diff(onsets), round(1.4 * RATE))
    assert controller.count_ == len(onsets) == 8
    assert controller.detector.count_ == 1
    assert (got > 0).sum() == len(onsets) * 0.4 * RATE


def test_a_seizure_that_a_train_ended_gets_no_other_though_its_detection_is_not_over_yet():
    """Its first train ends it. Two standard deviations keep the detection on for as long as they stay."""
    controller = made("abort-pulse", detector={**ABORT["detector"], "off_s": 2.0})
    ended = []

    def aborted(k, ma):
        ended.extend([k] if ma > 0 and not ended else [])
        return seizure(k, ma) if not ended else [0.1 if k % 2 else -0.1]

    got = closed(controller, aborted, 1000)
    assert np.flatnonzero((got[1:] > 0) & (got[:-1] == 0)).size == controller.count_ == controller.detector.count_ == 1


def test_evidence_from_before_a_train_does_not_count_for_the_next():
    """One row above is left when features are trusted again: .2 s of them are asked for."""
    controller = made("abort-pulse", rest_s=0.0, blank_s=0.3)
    trains = []

    def nearly_over(k, ma):
        trains.extend([k] if ma > 0 else [])
        return seizure(k, ma) if not trains or k <= trains[-1] + 0.3 * RATE + 1 else [0.1 if k % 2 else -0.1]

    got = closed(controller, nearly_over, 600)
    assert np.flatnonzero((got[1:] > 0) & (got[:-1] == 0)).size == controller.count_ == 1


def test_no_hour_has_more_trains_than_allowed():
    assert np.flatnonzero(np.diff(closed(made("abort-pulse", per_hour=3), seizure, 1000)) > 0).size == 3


def test_without_features_it_lets_go():
    """It has no opinion a second after the last finite feature, also in the middle of what it held."""
    got = closed(made("beta-threshold", on_s=100.0), lambda k, ma: [3.0 if k < 100 else np.nan], 300)
    assert got[100] == 2.0
    assert got[152:].max() == 0.0


def test_features_that_come_too_seldom_are_refused():
    with pytest.raises(ContractError, match="shorter every_s"):
        made("constant").bind(StreamSpec(name="slow", n_channels=1, rate_hz=10.0, unit="1"))


@pytest.mark.parametrize(("name", "wrong", "told"), [
    ("dual-threshold", {"lower": 2.0}, "above upper"), ("proportional", {"low": 3.0}, "not below high"),
    ("abort-pulse", {"detector": {"on_z": 1.0, "off_z": 2.0}}, "cannot end below"),
    ("beta-threshold", {"on_s": -1.0}, "on_s"),
])  # fmt: skip
def test_settings_that_cannot_be_are_refused_with_their_path(name, wrong, told):
    with pytest.raises(RecipeError, match=told):
        made(name, **wrong)
