"""A real recording: macaque motor cortex, centre-out reaching; fit on the first trials, decode the last ones."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from bmi.signals import Chunk, StreamSpec
from decoders.kalman import Kalman
from decoders.linear import Ridge
from decoders.metrics import r2

DATA = Path(os.environ.get("BMI_DATA", Path(__file__).parents[3] / "shared" / "data"))
FILE = DATA / "co84" / "center_out_data.mat"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason=f"no {FILE}: set BMI_DATA to the folder of recordings")


@pytest.fixture(scope="module")
def trials():
    """(counts, velocity mm/s, bins from go cue to end) of each trial; 50 ms bins."""
    data = loadmat(FILE, squeeze_me=True, struct_as_record=False)["trial_data"]
    return [(t.M1_spikes.astype(np.float32), 10.0 * t.vel, slice(t.idx_go_cue - 1, t.idx_trial_end)) for t in data]


def score(decoder, trials):
    """R² per dimension on the last fifth of the trials, decoded bin by bin."""
    n = int(0.8 * len(trials))
    taught = []
    for _, velocity, scored in trials[:n]:
        X = np.full_like(velocity, np.nan)  # rest before the go cue lends history, no lesson
        X[scored] = velocity[scored]
        taught.append(X)
    groups = np.concatenate([np.full(len(X), i) for i, X in enumerate(taught)])
    Y = np.concatenate([t[0] for t in trials[:n]]).astype(float)
    decoder.fit(Y, np.concatenate(taught), dt_s=0.05, groups=groups)
    decoder.bind([StreamSpec(name="m1", n_channels=Y.shape[1], rate_hz=20.0, unit="count")])
    truth, decoded = [], []
    for counts, velocity, scored in trials[n:]:
        decoder.reset()
        rows = [decoder.step((Chunk(y[None], np.zeros(1), 0.0),)).mean.copy() for y in counts]
        truth.append(velocity[scored])
        decoded.append(np.array(rows)[scored])
    return r2(np.concatenate(truth), np.concatenate(decoded))


def test_ridge_reaches_the_published_protocols_figure(trials):
    assert (score(Ridge(), trials) >= [0.87, 0.84]).all()


@pytest.mark.parametrize("form", ["information", "steady"])
def test_velocity_kalman_reaches_the_published_protocols_figure(trials, form):
    assert (score(Kalman(form=form), trials) >= [0.65, 0.67]).all()


def test_position_and_acceleration_help(trials):
    full = Kalman(states="position-velocity-acceleration", encode_position=True)
    assert (score(full, trials) >= [0.74, 0.74]).all()
