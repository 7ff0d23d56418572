"""Bad channels are masked within 100 ms and believed again when they have been good."""

import numpy as np
import pytest
import reference_broadband as twin
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from bmi.schema import Builder
from bmi.testing.stages import check_stage
from decoders.features.quality import Quality

GOOD_S = 0.2


def watched(X, cuts=3000, **settings):
    return twin.run([Quality(good_s=GOOD_S, **settings)], X, cuts)[2]


def sound(n=30000, n_channels=2, seed=0):
    return (10 * np.random.default_rng(seed).standard_normal((n, n_channels))).astype(np.float32)


def flat(x):
    x[:] = 3.25


def nan(x):
    x[:] = np.nan


def infinite(x):
    x[:] = -np.inf


def railed(x):
    x[:] = 8191.0 + np.arange(len(x)) % 2


FAULTS = [flat, nan, infinite, railed]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_masks_its_channel_within_100_ms_until_it_has_been_good(fault):
    X = sound()
    fault(X[9000:15000, 0])
    out = watched(X, rail=8191.0)
    bad = np.isnan(out[:, 0])
    assert not bad[:9000].any()
    assert 9000 <= bad.argmax() <= 9000 + 0.1 * twin.RATE
    last = len(bad) - bad[::-1].argmax()
    assert bad[bad.argmax() : last].all()
    assert last == 15000 + GOOD_S * twin.RATE - 1
    np.testing.assert_array_equal(out[~bad, 0], X[~bad, 0])
    np.testing.assert_array_equal(out[:, 1], X[:, 1])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_too_short_to_matter_passes_but_for_what_is_not_finite(fault):
    X = sound()
    fault(X[9000:9400, 0])
    out = watched(X, rail=8191.0)
    np.testing.assert_array_equal(np.isnan(out), ~np.isfinite(X))


def test_a_rail_nobody_named_is_found_because_nothing_moves_there():
    X = np.clip(sound() * 500, -3000, 3000)
    X[9000:20000, 1] = 3000
    out = watched(X)
    assert not np.isnan(out[:, 0]).any()
    assert np.isnan(out[9000 + 1500 : 20000, 1]).all()


def test_a_bit_that_flickers_is_still_flat_if_told_so():
    X = sound()
    X[9000:, 0] = 0.195 * (np.arange(21000) % 2)
    assert not np.isnan(watched(X)).any()
    assert np.isnan(watched(X, tolerance=0.2)[11000:, 0]).all()


def test_which_channels_are_masked_can_be_asked():
    stage = Quality()
    X = sound(6000)
    X[:, 1] = 0
    twin.run([stage], X)
    assert stage.masked.tolist() == [False, True]


@given(
    pieces=st.lists(st.tuples(st.sampled_from(["noise", "flat", "nan", "inf", "rail"]), st.integers(1, 60)),
                    min_size=1, max_size=12)
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_it_is_the_sequential_definition(pieces):
    rng = np.random.default_rng(1)
    make = {"noise": lambda n: rng.standard_normal(n), "flat": lambda n: np.full(n, 0.5), "nan": lambda n: n * [np.nan],
            "inf": lambda n: n * [np.inf], "rail": lambda n: 50 + rng.standard_normal(n) ** 2}  # fmt: skip
    x = np.concatenate([make[kind](n) for kind, n in pieces]).astype(np.float32)
    stage = Quality(rail=50.0, rail_s=10 / twin.RATE, flat_s=20 / twin.RATE, good_s=25 / twin.RATE)
    out = twin.run([stage], x[:, None], 7)[2][:, 0]
    expected = twin.masked(x, 50.0, (20, 10, 25)) | ~np.isfinite(x)
    np.testing.assert_array_equal(np.isnan(out), expected)


@given(cuts=st.lists(st.integers(1, 900), min_size=5, max_size=20))
@settings(max_examples=15, deadline=None)
def test_cuts_leave_no_trace(cuts):
    X = sound(sum(cuts), 3)
    X[len(X) // 4 :, 0] = 1.5
    X[len(X) // 2 :, 1] = np.nan
    np.testing.assert_array_equal(watched(X, len(X)) if len(X) <= 3000 else watched(X), watched(X, cuts))


def test_counts_are_refused_because_they_rest_without_being_broken():
    with pytest.raises(ContractError, match="in counts, which rest without being broken"):
        Quality().bind(twin.spec(unit="count"))


def test_masking_later_than_100_ms_cannot_be_asked_for():
    builder = Builder("recipe")
    assert builder.node("stages", {"use": "quality", "flat_s": 0.2}, "stages[0]") is None
    assert [problem.path for problem in builder.problems] == ["stages[0].flat_s"]
    assert isinstance(builder.node("stages", {"use": "quality", "flat_s": 0.1}, "stages[0]"), Quality)


def test_it_keeps_the_contract_of_a_stage():
    check_stage(lambda: Quality(good_s=0.01), twin.spec(4), n_samples=1500, n_steps=2000)
