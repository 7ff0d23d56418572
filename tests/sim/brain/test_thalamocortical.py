"""The rhythm of cortex and thalamus: at rest, to first order, step by step, desynchronised, travelling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_mean_fields import rhythm, spectrum
from scipy.signal import welch

from bmi.errors import ContractError
from sim.brain.thalamocortical import Rhythm
from sim.component import Noise
from sim.preparation import Preparation


def bound(seed=1, **fields):
    r = Rhythm(**fields)
    r.bind(seed)
    return r


def test_its_state_of_rest_is_the_published_one():
    np.testing.assert_allclose(bound().rest_hz_, [7.591590455, 19.85307944, 5.055302], rtol=1e-7)


def test_without_noise_it_rests_whatever_the_gate():
    r = bound(noise_hz_rs=0.0)
    r.receive("gate", np.linspace(0.0, 1.0, 6))
    assert np.abs(r.step(4000)[0]).max() < 1e-6


def test_it_is_its_twin():
    r = bound(n=3, shown_scale=1.0)
    gate = np.array([0.0, 0.5, 1.0])
    r.receive("gate", gate)
    noise = Noise(1, r.name, 4)
    scale = r.noise_hz_rs / np.sqrt(r.dt_s)
    there = rhythm(r, r.rest_mv_, r.rest_hz_, gate, lambda t: scale * noise.normal(0, t)[:3].astype(float), 400)
    np.testing.assert_allclose(r.step(400)[0], there[1::2] - r.rest_mv_[0], atol=1e-6)


@pytest.mark.parametrize("gate", [0.0, 1.0])
def test_its_spectrum_is_that_of_the_linear_loop(gate):
    r = bound(n=30, noise_hz_rs=0.1, shown_scale=1.0)
    r.receive("gate", np.full(30, gate))
    f, power = welch(r.step(120_000)[0][3000:], 1000.0, nperseg=2000, axis=0)
    band = (f >= 2.0) & (f <= 30.0)
    there = 2.0 * spectrum(r, r.rest_hz_, gate, f[band])
    assert np.abs(10.0 * np.log10(power.mean(1)[band] / there)).mean() < 0.3
    assert power.mean(1)[band].sum() == pytest.approx(there.sum(), rel=0.06)
    assert 8.0 <= f[band][5:][there[5:].argmax()] <= 12.0


def test_the_gate_desynchronises_and_the_amplitude_scales():
    r = bound(n=12)
    r.receive("gate", np.repeat([0.0, 0.5, 1.0], 4))
    closed, half, opened = r.step(40_000)[0].std(0).reshape(3, 4).mean(1)
    assert closed > 1.1 * half > 1.2 * opened
    a, b = bound(), bound()
    b.receive("amplitude", np.full(6, 0.3))
    np.testing.assert_allclose(b.step(200)[0], 0.3 * a.step(200)[0], rtol=1e-6)


def test_common_input_travels():
    r = bound(n=3, shared=1.0, lag_s=(0.0, 0.005, 0.012))
    psp = r.step(2000)[0]
    np.testing.assert_allclose(psp[5:, 1], psp[:-5, 0], atol=1e-6)
    np.testing.assert_allclose(psp[12:, 2], psp[:-12, 0], atol=1e-6)
    assert np.abs(psp).max() > 0.1
    assert np.corrcoef(bound(shared=0.0, n=2).step(20_000)[0].T)[0, 1] < 0.3


@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(1, 90), min_size=1, max_size=5))
def test_steps_compose(cuts):
    a, b = (bound(shared=0.5, lag_s=(0.0, 0.01, 0.02, 0.0, 0.0, 0.0)) for _ in range(2))
    np.testing.assert_array_equal(np.concatenate([a.step(n)[0] for n in cuts]), b.step(sum(cuts))[0])
    assert all(np.array_equal(a.state()[k], b.state()[k]) for k in a.state())


def test_a_snapshot_a_fork_and_a_reset_repeat_it():
    p = Preparation(Rhythm(), 1)
    p.give("gate", 0.05, np.full(6, 0.5))
    first = p.advance_s(0.2)["psp"]
    kept, fork = p.snapshot(), p.fork()
    then = p.advance_s(0.2)["psp"]
    np.testing.assert_array_equal(fork.advance_s(0.2)["psp"], then)
    p.restore(kept)
    np.testing.assert_array_equal(p.advance_s(0.2)["psp"], then)
    p.reset()
    p.give("gate", 0.05, np.full(6, 0.5))
    np.testing.assert_array_equal(p.advance_s(0.2)["psp"], first)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"dt_s": 1e-3}, "at most 0.5 ms"), ({"lag_s": (0.0,)}, "6 lags"), ({"lag_s": (-0.1,) * 6}, "none negative"),
     ({"nu_ei_mv_s": 0.0, "theta_mv": -9.0}, "no state of rest")],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(wrong, told):
    with pytest.raises(ContractError, match=told):
        Rhythm(**wrong).bind(1)


@pytest.mark.parametrize(("port", "value"), [("gate", 1.1), ("gate", -0.1), ("amplitude", -1.0)])
def test_values_out_of_range_are_refused(port, value):
    with pytest.raises(ContractError, match=port):
        bound().receive(port, np.full(6, value))
