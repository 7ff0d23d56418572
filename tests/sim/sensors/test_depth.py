"""A lead in the basal ganglia records their field, distant activity, noise, and the pulses it gives itself."""

import numpy as np
import pytest

from bmi.errors import ContractError
from sim.patient.pulses import Pulses
from sim.sensors._depth_kernels import Amplifier
from sim.sensors._depth_kernels import record as kernel
from sim.sensors.depth import DepthLead


def record(lead: DepthLead, activation: np.ndarray, pulses: np.ndarray | None = None, seed: int = 1) -> np.ndarray:
    lead.bind(seed)
    cuts = range(0, len(activation), 10)
    return np.concatenate([lead.take(activation[i : i + 10], None if pulses is None else pulses[i : i + 10]).copy()
                           for i in cuts])[:, 0]  # fmt: skip


def test_the_field_is_the_activation_without_its_slow_mean() -> None:
    t = np.arange(4000) / 1000.0
    wave = 0.2 + 0.05 * np.sin(2 * np.pi * 20.0 * t)
    found = record(DepthLead(noise_uv=0.0, far_uv=0.0), wave)[2000:]
    assert np.ptp(found) == pytest.approx(10.0, rel=0.01)
    assert abs(found.mean()) < 0.05


def test_noise_and_distant_activity_have_the_variance_stated() -> None:
    still = np.full(20_000, 0.3)
    white = record(DepthLead(noise_uv=2.0, far_uv=0.0), still)
    assert white.std() == pytest.approx(2.0, rel=0.03)
    far = record(DepthLead(noise_uv=0.0, far_uv=3.0, far_s=0.02), still)
    assert far.std() == pytest.approx(3.0, rel=0.1)
    assert np.corrcoef(far[:-20], far[20:])[0, 1] == pytest.approx(np.exp(-1.0), abs=0.1)


def test_a_pulse_leaves_an_artefact_that_decays() -> None:
    pulses = np.zeros(100)
    pulses[50] = 2.0
    found = record(DepthLead(noise_uv=0.0, far_uv=0.0), np.zeros(100), pulses)
    assert found[:50] == pytest.approx(np.zeros(50))
    assert found[50:53] == pytest.approx(80.0 * np.exp(-np.arange(3.0)), rel=1e-5)


def test_samples_are_those_of_the_seed_and_a_reset_begins_anew() -> None:
    lead, still = DepthLead(), np.full(100, 0.2)
    first = record(lead, still)
    lead.reset()
    again = np.concatenate([lead.take(still[:10]).copy() for _ in range(10)])[:, 0]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, record(lead, still, seed=2))


def test_a_block_of_another_length_is_refused() -> None:
    lead = DepthLead()
    lead.bind(1)
    with pytest.raises(ContractError, match=r"expected activation of shape \(10,\), given \(9,\)"):
        lead.take(np.zeros(9))


def test_a_train_keeps_its_rate_and_phase() -> None:
    train = Pulses()
    rows = np.concatenate([train.take(1.5, 130.0).copy() for _ in range(100)])
    assert rows.sum() == pytest.approx(1.5 * 130.0)
    onsets = np.flatnonzero(rows)
    assert set(np.diff(onsets)) == {7, 8}
    assert not train.take(0.0, 130.0).any()
    train.reset()
    assert np.array_equal(np.flatnonzero(train.take(1.0, 130.0)), onsets[:1])


def test_the_compiled_record_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(4)
    activation, pulses, drawn = rng.random(10), rng.random(10), rng.standard_normal(20).astype(np.float32)
    amplifier = Amplifier(100.0, 0.9, 0.8, 2.0, 0.4, 40.0, 1.5)
    held, rows = np.array([0.3, 20.0, 5.0]), np.zeros((10, 1), np.float32)
    distant, mean, artefact = held.tolist()
    wanted = []
    for k in range(10):
        near = 100.0 * activation[k]
        mean += (1.0 - 0.9) * (near - mean)
        distant = 0.8 * distant + 2.0 * float(drawn[10 + k])
        artefact = 0.4 * artefact + 40.0 * pulses[k]
        wanted.append(near - mean + distant + 1.5 * float(drawn[k]) + artefact)
    kernel(activation, pulses, drawn, amplifier, held, rows)
    assert np.array_equal(rows[:, 0], np.array(wanted, np.float32))
    assert held.tolist() == [distant, mean, artefact]


def test_pulses_of_another_length_are_refused() -> None:
    lead = DepthLead()
    lead.bind(1)
    with pytest.raises(ContractError, match=r"expected pulses of shape \(10,\), mA, given \(9,\)"):
        lead.take(np.zeros(10), np.zeros(9))


def test_a_silent_train_keeps_the_phase_of_one_that_pulses() -> None:
    silent, loud = Pulses(), Pulses()
    for rate in (130.0, 0.0, 77.7, 130.0) * 20:
        assert not silent.take(0.0, rate).any()
        loud.take(2.0, rate)
    assert np.array_equal(silent.take(2.0, 130.0), loud.take(2.0, 130.0))
