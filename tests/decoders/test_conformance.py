"""Every stage and decoder of the battery, against its contract, through the door strangers use."""

import pytest

from bmi import registry
from bmi.signals import StreamSpec
from bmi.testing.decoders import check_decoder
from bmi.testing.stages import check_stage

SPEC = StreamSpec(name="lfp", n_channels=5, rate_hz=1000.0, unit="µV")

STAGES = [
    ("bin", {"bin_s": 0.02}),
    ("bin", {"bin_s": 0.007}),
    ("smooth", {}),
    ("smooth", {"kind": "boxcar", "width_s": 0.03}),
    ("lags", {"n": 4}),
    ("zscore", {"warmup_s": 0.1}),
    ("bandpass", {"low_hz": 15, "high_hz": 200}),
    ("band-power", {"low_hz": 15, "high_hz": 200}),
    ("band-power", {"low_hz": 15, "high_hz": 200, "every_s": None, "log": False}),
    ("band-power", {"low_hz": 15, "high_hz": 200, "every_s": 0.001, "order": 1}),
]
DECODERS = [
    ("ridge", {}),
    ("ridge", {"history": 1}),
    *(
        ("kalman", {"form": form, "q": q, "states": states})
        for form in ("information", "steady")
        for q in ("diagonal", "full")
        for states in ("velocity", "position-velocity")
    ),
    ("kalman", {"states": "position-velocity-acceleration", "encode_position": True}),
]


@pytest.mark.parametrize(("name", "settings"), STAGES)
def test_stage(name, settings):
    check_stage(lambda: registry.load("stages", name)(**settings), SPEC)


@pytest.mark.parametrize(("name", "settings"), DECODERS)
def test_decoder(name, settings):
    check_decoder(lambda: registry.load("decoders", name)(**settings))


def test_the_form_for_comparison_keeps_every_promise_too():
    check_decoder(lambda: registry.load("decoders", "kalman")(form="covariance"), n_steps=500)


def test_one_and_three_dimensions():
    for d in (1, 3):
        check_decoder(lambda d=d: registry.load("decoders", "kalman")(n_dims=d), n_dims=d, n_steps=500)
