"""Spike-band power: the mean square of 300 to 1000 Hz, on the grid of the bins."""

import numpy as np
import pytest
import reference_broadband as twin
from scipy.signal import butter, sosfilt, sosfilt_zi

from bmi import registry
from bmi.testing.stages import check_stage
from decoders.features.bands import BandPower, SpikeBandPower
from decoders.features.crossings import Crossings
from decoders.features.filters import Bandpass
from decoders.features.spikes import Bin


def test_it_is_the_mean_square_of_the_band_in_each_bin():
    X = (10 * np.random.default_rng(0).standard_normal((9000, 2))).astype(np.float32)
    out, _, rows = twin.run([SpikeBandPower()], X)
    sos = butter(2, [300, 1000], "bandpass", fs=twin.RATE, output="sos")
    band = sosfilt(sos, X, axis=0, zi=sosfilt_zi(sos)[:, :, None] * X[0].astype(float))[0]
    np.testing.assert_allclose(rows, (band**2).reshape(-1, 600, 2).mean(axis=1), rtol=1e-4)
    assert (out.rate_hz, out.unit) == (50.0, "µV²")


def test_its_rows_fall_on_the_bins_of_the_crossings():
    X = (10 * np.random.default_rng(1).standard_normal((30000, 2))).astype(np.float32)
    _, power, _ = twin.run([SpikeBandPower()], X, 30)
    _, bins, _ = twin.run([Bandpass(low_hz=300, high_hz=6000), Crossings(), Bin(bin_s=0.02)], X, 30)
    np.testing.assert_array_equal(power, bins)


def test_it_follows_the_rate_of_cells_no_threshold_sees():
    """Spikes of SNR 2: power tells 100/s from 20/s."""
    rng = np.random.default_rng(2)
    X, _, _ = twin.planted(rng, colour="white", snr=2, measured="raw", rates_hz=[20, 100], seconds=10)
    power = twin.run([SpikeBandPower()], X)[2][10:].mean(axis=0)
    assert power[1] > 1.2 * power[0]


def test_it_is_band_power_with_other_defaults():
    X = (10 * np.random.default_rng(3).standard_normal((3000, 2))).astype(np.float32)
    same = BandPower(low_hz=300, high_hz=1000, window_s=0.02, every_s=0.02, log=False)
    np.testing.assert_array_equal(twin.run([SpikeBandPower()], X)[2], twin.run([same], X)[2])
    assert registry.load("stages", "spike-band-power")(log=True).low_hz == 300


def test_cuts_leave_no_trace():
    X = (10 * np.random.default_rng(4).standard_normal((6000, 3))).astype(np.float32)
    one, thirty = (twin.run([SpikeBandPower()], X, cut)[2] for cut in (1, 30))
    np.testing.assert_array_equal(one.view(np.uint32), thirty.view(np.uint32))


@pytest.mark.parametrize("log", [False, True])
def test_it_keeps_the_contract_of_a_stage(log):
    check_stage(lambda: SpikeBandPower(every_s=0.01, window_s=0.01, log=log), twin.spec(3), n_samples=1500,
                n_steps=2000)  # fmt: skip
