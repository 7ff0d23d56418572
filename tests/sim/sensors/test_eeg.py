"""Scalp potentials as a sensor, and what disturbs every field sensor."""

from __future__ import annotations

import numpy as np
import pytest
from reference_sensors import first_order

from bmi.errors import ContractError
from sim.sensors._surroundings_kernels import cascade
from sim.sensors.eeg import EEG, Blinks
from sim.sensors.head import Head
from sim.sensors.leadfield import LeadField
from sim.sensors.montage import montage
from sim.sensors.surroundings import Surroundings, power_law

QUIET = {"background_uv": 0.0, "amplifier_uv": 0.0, "line_uv": 0.0, "drift_uv": 0.0}
CAP = montage(19)


def sources(n: int) -> np.ndarray:
    ways = np.random.default_rng(1).standard_normal((n, 3))
    return ways / np.sqrt((ways**2).sum(axis=1, keepdims=True))


FIELD = Head().eeg(CAP, 65.0 * sources(12), normals=sources(12))


def eeg(seed: int = 1, *, leadfield: LeadField = FIELD, rate_hz: float = 500.0, blinks=None, **surroundings) -> EEG:
    sensor = EEG(
        leadfield=leadfield, rate_hz=rate_hz, blinks=blinks, surroundings=Surroundings(**(QUIET | surroundings))
    )
    sensor.bind(seed)
    return sensor


def run(sensor: EEG, blocks: int, moments=None) -> np.ndarray:
    still = np.zeros((10, len(sensor.leadfield.sources)))
    return np.concatenate([sensor.take(still if moments is None else moments).copy() for _ in range(blocks)])


def test_channels_are_the_lead_field_times_the_mean_moment():
    moments = np.random.default_rng(2).standard_normal((10, 12))
    for rate, every in ((1000.0, 1), (500.0, 2), (200.0, 5), (100.0, 10)):
        rows = run(eeg(rate_hz=rate), 1, moments)
        np.testing.assert_allclose(
            rows, moments.reshape(-1, every, 12).mean(axis=1) @ FIELD.matrix.T, rtol=1e-4, atol=1e-6
        )


def test_against_their_average_channels_sum_to_zero_whatever_disturbs_them():
    sensor = eeg(
        leadfield=FIELD.average_reference(), background_uv=8.0, amplifier_uv=1.0, line_uv=3.0, drift_uv=5.0,
        blinks=Blinks(per_min=600.0),
    )  # fmt: skip
    rows = run(sensor, 50, np.random.default_rng(3).standard_normal((10, 12)))
    assert rows.std() > 3.0
    assert np.abs(rows.sum(axis=1)).max() < 1e-3


def test_the_first_order_cascade_is_its_twin():
    coef = np.array([[0.7, -0.2, -0.8], [1.1, 0.3, 0.4]])
    rows = np.random.default_rng(4).standard_normal((20, 3)).astype(np.float32)
    expected = first_order(*coef[1], first_order(*coef[0], rows.astype(np.float64)))
    state = np.zeros((2, 3))
    cascade(coef, state, rows[:7])
    cascade(coef, state, rows[7:])
    np.testing.assert_allclose(rows, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_the_background_has_unit_variance_and_falls_with_its_slope(slope):
    coef = power_law(slope, 0.5, 500.0)
    f = np.geomspace(1.0, 60.0, 60)
    z = np.exp(-2j * np.pi * f / 500.0)
    gain = np.abs(np.prod([(b0 + b1 * z) / (1 + a1 * z) for b0, b1, a1 in coef], axis=0)) ** 2
    fitted = np.polyfit(np.log(f), np.log(gain), 1)[0]
    assert fitted == pytest.approx(-slope, abs=0.08)
    impulse = np.zeros((6000, 1))
    impulse[0] = 1.0
    for section in coef:
        impulse = first_order(*section, impulse)
    assert (impulse**2).sum() == pytest.approx(1.0, rel=1e-3)


def test_the_background_is_as_large_as_said_and_alike_in_neighbours():
    sensor = eeg(background_uv=10.0)
    rows = run(sensor, 6000)[500:]
    assert np.sqrt((rows.astype(np.float64) ** 2).mean()) == pytest.approx(10.0, rel=0.15)
    r = np.corrcoef(rows.T)
    at = CAP.labels.index
    assert r[at("C3"), at("P3")] > r[at("C3"), at("P4")] + 0.1


def test_white_noise_hum_and_drift_are_what_they_are_said_to_be():
    assert run(eeg(amplifier_uv=2.0), 300).std() == pytest.approx(2.0, rel=0.02)
    hum = run(eeg(line_uv=3.0, line_hz=60.0, line_spread=0.0), 100)
    spectrum = np.abs(np.fft.rfft(hum[:, 0])) / 250.0
    assert np.argmax(spectrum) == 60
    assert spectrum[60] == pytest.approx(3.0, rel=1e-3)
    drift = run(eeg(drift_uv=10.0, drift_s=0.1), 3000)
    assert drift.std() == pytest.approx(10.0, rel=0.1)
    assert np.abs(np.diff(drift, axis=0)).max() < 10.0  # no steps between blocks


def test_a_dead_channel_shows_amplifier_and_mains_alone():
    sensor, twin = (eeg(background_uv=8.0, amplifier_uv=0.5, blinks=Blinks(per_min=600.0)) for _ in range(2))
    dead = np.zeros(19)
    dead[3] = 1.0
    sensor.receive("dead", dead)
    moments = 50.0 * np.random.default_rng(5).standard_normal((10, 12))
    a, b = run(sensor, 100, moments), run(twin, 100, moments)
    np.testing.assert_array_equal(np.delete(a, 3, axis=1), np.delete(b, 3, axis=1))
    assert a[:, 3].std() == pytest.approx(0.5, rel=0.1)
    assert b[:, 3].std() > 5.0


def test_blinks_are_large_at_the_front_and_of_their_length():
    rows = run(eeg(0, blinks=Blinks(per_min=20.0, spread=0.0)), 3000)
    at = CAP.labels.index
    front, back = rows[:, at("Fp1")], rows[:, at("O1")]
    assert front.max() == pytest.approx(100.0, rel=0.02)
    assert np.abs(back).max() < 20.0
    onsets = np.flatnonzero((front[1:] > 1.0) & (front[:-1] <= 1.0))
    assert 6 <= len(onsets) <= 16  # 10 expected in 30 s
    first = front[onsets[0] : onsets[0] + 150]
    assert (first > 1.0).sum() / 500.0 == pytest.approx(0.28, abs=0.03)


def test_pulses_of_a_stimulator_decay_on_every_channel_at_their_rate():
    sensor = eeg(stimulus_spread=0.0, stimulus_s=0.003, rate_hz=1000.0)
    sensor.receive("stimulus_uv", np.array(200.0))
    sensor.receive("stimulus_hz", np.array(130.0))
    rows = run(sensor, 100)[:, 0]
    t = (np.arange(1000) + 1.0) / 1000.0
    since = t[:, None] - np.arange(130) / 130.0
    expected = 200.0 * np.where(since > 1e-9, np.exp(-np.abs(since) / 0.003), 0.0).sum(axis=1)
    np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=1e-2)
    sensor.receive("stimulus_uv", np.array(0.0))
    assert np.abs(run(sensor, 10)[-1]).max() == 0.0  # nothing is left for ever


def test_without_a_rate_there_is_a_pulse_in_each_block_and_the_amplifier_saturates():
    sensor = eeg(stimulus_spread=0.0, rail_uv=150.0)
    sensor.receive("stimulus_uv", np.array(-1000.0))
    rows = run(sensor, 2)
    assert rows.min() == -150.0
    np.testing.assert_allclose(rows[5:, 0], rows[:5, 0], rtol=0.01)


def test_the_same_seed_gives_the_same_bits_and_state_is_all_there_is():
    loud = {"background_uv": 8.0, "amplifier_uv": 0.5, "drift_uv": 5.0, "line_uv": 1.0}
    sensor = eeg(7, blinks=Blinks(per_min=200.0), **loud)
    dead = np.zeros(19)
    dead[2] = 1.0
    sensor.receive("dead", dead)
    sensor.receive("stimulus_uv", np.array(50.0))
    sensor.receive("stimulus_hz", np.array(97.0))
    run(sensor, 40)
    kept = {k: v.copy() for k, v in sensor.state().items()}
    ahead = run(sensor, 40)
    other = eeg(7, blinks=Blinks(per_min=200.0), **loud)
    for k, v in other.state().items():
        v[...] = kept[k]
    np.testing.assert_array_equal(run(other, 40), ahead)
    sensor.reset()
    fresh = run(eeg(7, blinks=Blinks(per_min=200.0), **loud), 30)
    np.testing.assert_array_equal(run(sensor, 30), fresh)
    assert (run(eeg(8, blinks=Blinks(per_min=200.0), **loud), 30) != fresh).all(axis=0).any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate_hz": 250.0}, "100, 200, 500 or 1000"),
        ({"rate_hz": 2000.0}, "100, 200, 500 or 1000"),
        ({"line_uv": 1.0, "rate_hz": 100.0}, "half the sampling rate"),
        ({"leadfield": Head().eeg(CAP, 65.0 * sources(12))}, "leaves directions open"),
        ({"leadfield": LeadField(matrix=np.ones((1, 1)), channels=("m",), sources=("s",), unit="fT/(nA·m)")}, "µV"),
        (
            {"leadfield": LeadField(matrix=np.ones((1, 1)), channels=("c",), sources=("s",), unit="µV/(nA·m)",
                                    reference="infinity"), "blinks": Blinks()}, "places"),
    ],
)  # fmt: skip
def test_what_cannot_be_sensed_is_refused(wrong, message):
    with pytest.raises(ContractError, match=message):
        eeg(**wrong)


@pytest.mark.parametrize(
    ("port", "value", "message"),
    [("dead", 0.5 * np.ones(19), "0 or 1"), ("dead", np.zeros(3), "shape"), ("stimulus_hz", np.array(-1.0), "0 to 500"),
     ("volume", np.array(1.0), "no input")],
)  # fmt: skip
def test_inputs_that_do_not_fit_are_refused(port, value, message):
    with pytest.raises(ContractError, match=message):
        eeg().receive(port, value)


def test_moments_of_another_number_of_sources_are_refused():
    with pytest.raises(ContractError, match=r"\(10, 12\), nA·m"):
        eeg().take(np.zeros((10, 11)))
