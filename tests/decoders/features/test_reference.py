"""Common average reference: what every electrode sees comes from none of them."""

import numpy as np
import pytest
import reference_broadband as twin
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from bmi.testing.stages import check_stage
from decoders.features.reference import CommonReference


def samples(n=60, n_channels=7, seed=0):
    return (10 * np.random.default_rng(seed).standard_normal((n, n_channels))).astype(np.float32)


def referenced(X, **settings):
    return twin.run([CommonReference(**settings)], X)[2]


@pytest.mark.parametrize("kind", ["mean", "median"])
@pytest.mark.parametrize("n_channels", [2, 7, 8, 64, 129])
def test_it_is_minus_the_average_of_that_sample(kind, n_channels):
    X = samples(n_channels=n_channels)
    expected = twin.common_reference(X.astype(float), kind, [list(range(n_channels))])
    np.testing.assert_allclose(referenced(X, kind=kind), expected, atol=2e-5)


@given(
    rows=st.lists(st.lists(st.sampled_from([0.0, -0.0, 1.0, 1.0, -3.5, 1e-30, -1e30, np.nan, np.inf]), min_size=6,
                           max_size=6), min_size=1, max_size=4)
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_the_median_is_numpys_whatever_ties_and_holes_there_are(rows):
    X = np.array(rows, np.float32)
    expected = twin.common_reference(X.astype(float), "median", [list(range(6))])
    np.testing.assert_allclose(referenced(X, kind="median"), expected, rtol=1e-6)


@pytest.mark.parametrize("kind", ["mean", "median"])
def test_what_all_share_vanishes_and_what_one_has_stays(kind):
    X = samples(3000, 32)
    shared = 500 * np.sin(np.arange(3000) / 5)[:, None].astype(np.float32)
    clean, hum = referenced(X, kind=kind), referenced(X + shared, kind=kind)
    np.testing.assert_allclose(hum, clean, atol=2e-3)
    assert np.corrcoef(clean[:, 3], X[:, 3])[0, 1] > 0.97


def test_a_large_artefact_on_one_channel_reaches_the_others_through_the_mean_not_through_the_median():
    X = samples(200, 16)
    loud = X.copy()
    loud[:, 0] += 16000
    mean, median = (np.abs(referenced(loud, kind=k) - referenced(X, kind=k))[:, 1:].max() for k in ("mean", "median"))
    assert mean > 900
    assert median < 10


@pytest.mark.parametrize("kind", ["mean", "median"])
def test_banks_have_their_own_reference_and_channels_that_fail_no_part_in_it(kind):
    X = samples(50, 7)
    X[10, 1], X[20:30, 5], X[30, 0] = np.nan, np.inf, np.nan
    expected = twin.common_reference(X.astype(float), kind, [[0, 1, 2, 3], [4, 5, 6]])
    np.testing.assert_allclose(referenced(X, kind=kind, groups=2), expected, atol=2e-5)
    assert np.isnan(referenced(X, kind=kind, groups=2)[20:30, 5]).all()


def test_the_last_sound_channel_of_a_bank_is_handed_through():
    X = samples(20, 3)
    X[:, 1:] = np.nan
    np.testing.assert_array_equal(referenced(X)[:, 0], X[:, 0])


def test_excluded_labels_are_handed_through_and_do_not_count():
    X = samples(50, 5)
    X[:, 2] *= 1000
    got = referenced(X, exclude=("e2",))
    rest = [0, 1, 3, 4]
    np.testing.assert_array_equal(got[:, 2], X[:, 2])
    np.testing.assert_allclose(got[:, rest], twin.common_reference(X[:, rest].astype(float), "mean", [[0, 1, 2, 3]]),
                               atol=2e-5)  # fmt: skip


def test_banks_and_labels_that_make_no_sense_are_refused():
    with pytest.raises(ContractError, match="4 banks, 0 excluded, leave a bank with fewer than two"):
        CommonReference(groups=4).bind(twin.spec(7))
    with pytest.raises(ContractError, match="no channel of 'raw' is labelled 'ref'; its labels: e0, e1"):
        CommonReference(exclude=("ref",)).bind(twin.spec(2))


@pytest.mark.parametrize("kind", ["mean", "median"])
def test_it_keeps_the_contract_of_a_stage(kind):
    check_stage(lambda: CommonReference(kind=kind), twin.spec(5), n_steps=2000)
