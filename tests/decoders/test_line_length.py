"""Line length against its definition; line length and power side by side; one band in relation to another."""

import numpy as np
import pytest
import reference_control as twin
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi import registry
from bmi.errors import ContractError
from bmi.signals import Chunk, StreamSpec
from bmi.testing import check_stage
from decoders.features.bands import BandPower
from decoders.features.ictal import Ictal
from decoders.features.line_length import LineLength
from decoders.features.ratio import BandRatio

RATE = 1000.0


def spec(n=2):
    return StreamSpec(name="lfp", n_channels=n, rate_hz=RATE, unit="µV", max_samples=2000, labels=("a", "b")[:n])


def chunk(X, seq=0):
    return Chunk(np.ascontiguousarray(X, np.float32), (np.arange(seq, seq + len(X)) + 1.0) / RATE, 10.0, seq)


def noise(n=1000, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 2)).astype(np.float32)


def lengths(X, **settings):
    stage = LineLength(**{"window_s": 0.1, "log": False, **settings})
    stage.bind(spec())
    return stage.step(chunk(X)).data.copy()


def test_a_ramp_is_as_long_as_it_is_steep():
    """3 µV a sample at 1 kHz are 3 mV a second, whatever the window."""
    X = 3.0 * np.arange(1000)[:, None] * [1.0, -1.0]
    np.testing.assert_allclose(lengths(X), 3000.0, rtol=1e-6)


def test_a_sine_is_four_amplitudes_a_period():
    t = np.arange(1000) / RATE
    X = 5.0 * np.sin(2 * np.pi * 10.0 * t)[:, None] * [1.0, 2.0]
    np.testing.assert_allclose(lengths(X)[-1], [200.0, 400.0], rtol=1e-3)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), missing=st.lists(st.integers(0, 399), max_size=30))
def test_it_is_what_the_definition_says_with_samples_missing(seed, missing):
    X = noise(400, seed)
    X[missing, 0] = np.nan
    got = lengths(X)
    for c in range(2):
        np.testing.assert_allclose(got[:, c], twin.line_length(X[:, c].astype(float), 100, 20, RATE), rtol=2e-5)


def test_cuts_leave_no_trace():
    X, rows = noise(), []
    stage = LineLength(window_s=0.1)
    stage.bind(spec())
    for i in range(0, 1000, 7):
        out = stage.step(chunk(X[i : i + 7], i))
        rows += [] if out is None else [out.data.copy()]
    whole = LineLength(window_s=0.1)
    whole.bind(spec())
    np.testing.assert_array_equal(np.concatenate(rows), whole.step(chunk(X)).data)


def test_its_unit_is_a_speed():
    assert LineLength(log=False).bind(spec()).unit == "µV/s"
    out = LineLength(every_s=0.05).bind(spec())
    assert (out.unit, out.rate_hz) == ("ln(µV/s)", 20.0)


def test_a_grid_between_samples_is_refused():
    with pytest.raises(ContractError, match="whole number"):
        LineLength(every_s=0.0015).bind(spec())


def test_side_by_side_are_length_and_power():
    X = noise()
    both, length = Ictal(), LineLength()
    power = BandPower(low_hz=20.0, high_hz=60.0, window_s=0.5)
    out = both.bind(spec())
    length.bind(spec())
    power.bind(spec())
    assert (out.n_channels, out.labels) == (4, ("length a", "length b", "power a", "power b"))
    got = both.step(chunk(X))
    expected = [length.step(chunk(X)), power.step(chunk(X))]
    np.testing.assert_array_equal(got.data, np.hstack([e.data for e in expected]))
    np.testing.assert_array_equal(got.t, expected[0].t)


def test_a_ratio_of_bands_is_a_difference_of_logarithms_and_blind_to_gain():
    X, ratio = noise(), BandRatio()
    bands = [BandPower(low_hz=a, high_hz=b, window_s=0.5) for a, b in ((13.0, 35.0), (60.0, 120.0))]
    for stage in (ratio, *bands):
        stage.bind(spec())
    got = ratio.step(chunk(X)).data.copy()
    beta, gamma = (band.step(chunk(X)).data for band in bands)
    np.testing.assert_array_equal(got, beta - gamma)
    ratio.reset()
    np.testing.assert_allclose(ratio.step(chunk(7.0 * X)).data, got, atol=1e-5)


@pytest.mark.parametrize(("name", "given"), [
    ("line-length", {}), ("line-length", {"every_s": 0.001, "log": False, "window_s": 0.004}), ("ictal", {}),
    ("band-ratio", {}),
])  # fmt: skip
def test_it_keeps_the_contract_of_a_stage(name, given):
    check_stage(lambda: registry.load("stages", name)(**given), spec(), n_steps=2000)
