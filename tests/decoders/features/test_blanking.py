"""Artefact blanking: what leaps everywhere at once goes, spikes and drifts stay, and little time is lost."""

import numpy as np
import pytest
import reference_broadband as twin
from figures import measured
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi.errors import ContractError
from bmi.signals import Chunk
from bmi.testing.stages import check_stage
from decoders.features.blanking import Blank
from decoders.features.crossings import Crossings
from decoders.features.filters import Bandpass
from decoders.features.reference import CommonReference


def quiet(n, n_channels, seed=0, sd=10.0):
    return sd * np.random.default_rng(seed).standard_normal((n, n_channels))


def crossings(X, chain, onsets, window=210):
    """Crossings within 7 ms after the onsets, all channels together."""
    chain = [*chain, Bandpass(low_hz=300, high_hz=6000), CommonReference(), Crossings(step_s=1 / twin.RATE)]
    _, seqs, rows = twin.run(chain, X.astype(np.float32))
    after = np.zeros(len(X), bool)
    for onset in onsets:
        after[onset : onset + window] = True
    return np.nansum(rows[after[seqs]])


def counted(colour, every_s, n_channels, seconds, seed, **settings):
    """Return crossings after pulses, of noise alone, with artefacts, with those blanked; and the ms lost a pulse."""
    rng = np.random.default_rng(seed)
    n = int(seconds * twin.RATE)
    noise = np.stack([twin.noise(rng, n, colour) for _ in range(n_channels)], axis=1)
    noise *= 10 / twin.bandpass(noise[:, 0]).std()
    artefact, onsets = twin.pulses(rng, n, n_channels, every_s)
    stage = Blank(**settings)
    background, without = crossings(noise, [], onsets), crossings(noise + artefact, [], onsets)
    blanked = crossings(noise + artefact, [stage], onsets)
    return background, without, blanked, 1e3 * stage.n_blanked / twin.RATE / len(onsets)


def holds_the_bar(background, without, blanked, lost_ms):
    measured("artefacts removed, %", 100 * (without - blanked) / (without - background))
    measured("blanked per pulse, ms", lost_ms)
    assert without > 20 * background
    assert blanked - background <= 0.01 * (without - background)
    assert lost_ms <= 1.5


@pytest.mark.parametrize("colour", ["white", "pink"])
def test_it_takes_99_percent_of_the_artefact_crossings_for_less_than_one_and_a_half_ms_a_pulse(colour):
    holds_the_bar(*counted(colour, 0.05, 24, 4, seed=1))


@pytest.mark.bars
@pytest.mark.parametrize("colour", ["white", "mixed", "pink"])
@pytest.mark.parametrize("every_s", [0.1, 0.02, 1 / 130])
def test_so_on_256_channels_at_every_pace(colour, every_s):
    holds_the_bar(*counted(colour, every_s, 256, 3, seed=2))


def test_holding_instead_of_mirroring_fools_the_noise_estimate_at_130_pulses_a_second():
    """Why mirroring is the default: with a fifth of the time silent, sigma is too low and noise crosses it."""
    background, _, mirrored, _ = counted("white", 1 / 130, 12, 5, seed=3)
    held = counted("white", 1 / 130, 12, 5, seed=3, fill="hold")[2]
    assert mirrored < 2 * background
    assert held > 2.5 * background


def test_without_an_artefact_not_a_bit_changes():
    X = (quiet(40000, 8) + 3000).astype(np.float32)
    X[20000:, 0] += 400 * np.arange(20000, dtype=np.float32) / twin.RATE
    X[30000:30020, :2] -= 200  # two of eight: spikes, not an artefact
    stage = Blank()
    np.testing.assert_array_equal(twin.run([stage], X)[2], X)
    assert (stage.n_artefacts, stage.n_blanked) == (0, 0)


def test_one_leap_is_one_artefact_and_the_baseline_is_held():
    X = (quiet(30000, 8, sd=1.0) + 500).astype(np.float32)
    X[20000:20010] += 4000
    stage = Blank(fill="hold", blank_s=0.001)
    out = twin.run([stage], X)[2]
    assert (stage.n_artefacts, stage.n_blanked) == (1, 30)
    np.testing.assert_array_equal(out[:20000], X[:20000])
    assert (np.ptp(out[20000:20030], axis=0) == 0).all()
    assert np.abs(out[20000:20030] - 500).max() < 1.5
    np.testing.assert_allclose(out[20030:], X[20030:], atol=1.5)


def test_the_mirror_is_the_past_backward_and_upside_down():
    X = (quiet(30000, 8, sd=1.0)).astype(np.float32)
    X[20000:20010] += 4000
    out = twin.run([Blank(blank_s=0.001)], X)[2].astype(float)
    assert np.corrcoef(out[20000:20030].ravel(), -X[19970:20000][::-1].ravel())[0, 1] > 0.95
    assert out[20000:20030].std() == pytest.approx(1.0, abs=0.15)


def test_an_exponential_tail_is_subtracted():
    tail = 2000 * np.exp(-np.arange(300) / twin.RATE / 4e-4)
    X = quiet(30000, 8, sd=1.0)
    clean = X.astype(np.float32)
    X[20000:20300] += tail[:, None]
    stage = Blank()
    out = twin.run([stage], X.astype(np.float32))[2]
    assert stage.n_artefacts == 1
    assert tail[36] > 90
    np.testing.assert_allclose(out[20036:], clean[20036:], atol=4)


def test_a_lasting_jump_is_given_back_slowly():
    X = quiet(45000, 8, sd=1.0)
    X[20000:] += 300
    stage = Blank(settle_s=0.05)
    out = twin.run([stage], X.astype(np.float32))[2]
    assert stage.n_artefacts == 1
    assert np.abs(out[20000:20100]).max() < 25
    assert np.abs(np.diff(out[19900:20200], axis=0)).max() < 12
    assert np.abs(out[-100:] - 300).max() < 8


def test_noise_that_grows_for_good_is_not_blanked_for_good():
    X = quiet(90000, 8)
    X[20000:] *= 12
    stage = Blank()
    twin.run([stage], X.astype(np.float32))
    before = stage.n_blanked
    assert 0 < before < 15000
    twin.run([stage], X[60000:].astype(np.float32))
    assert stage.n_blanked == 0


def test_a_missing_channel_has_no_say_and_stays_missing():
    X = quiet(30000, 10).astype(np.float32)
    X[18000:25000, :7] = np.nan
    X[20000:20010, 7:] += 5000
    stage = Blank()
    out = twin.run([stage], X)[2]
    assert stage.n_artefacts == 1
    np.testing.assert_array_equal(np.isnan(out), np.isnan(X))
    np.testing.assert_array_equal(out[25000:, :7], X[25000:, :7])


def test_it_does_sample_by_sample_what_its_description_says():
    rng = np.random.default_rng(6)
    artefacts, onsets = twin.pulses(rng, 4500, 4, 1 / 170, start_s=0.06)
    X = quiet(4500, 4, 7) + artefacts
    X[3000:, 0] += 300
    X = np.clip(X, -4000, 4000).astype(np.float32)
    stage = Blank(warmup_s=0.05)
    out = twin.run([stage], X)[2]
    expected, begins = twin.blanked(X, warmup_s=0.05)
    assert set(onsets) <= set(begins)
    assert stage.n_artefacts == len(begins)
    np.testing.assert_allclose(out, expected, atol=1e-3)


@pytest.mark.parametrize("every_s", [1 / 20, 1 / 130, 1 / 185])
def test_once_the_decay_is_known_hardly_more_crosses_than_noise(every_s):
    """Large pulses, at paces of deep brain stimulation, of the slowest tails: a tenth of a percent is left."""
    rng = np.random.default_rng(8)
    n = 3 * int(twin.RATE)
    noise = quiet(n, 8, seed=9, sd=7.0)
    onsets = np.arange(900, n - 400, int(every_s * twin.RATE))
    size = 2e4 * np.exp(0.5 * rng.standard_normal(8))
    artefact = np.zeros_like(noise)
    for onset in onsets:
        artefact[onset : onset + 150] += size * np.exp(-np.arange(150)[:, None] / 9)
    X, counted = np.clip(noise + artefact, -6400, 6400), onsets[onsets > 1.5 * twin.RATE]
    background, without, blanked = (crossings(Y, c, counted, 150) for Y, c in ((noise, []), (X, []), (X, [Blank()])))
    assert without > 200
    assert blanked <= background + 3 * np.sqrt(background + 1) + 0.001 * without


def test_artefacts_that_begin_before_the_noise_is_known_do_not_hide_those_after():
    """The estimate of the noise begins at them, and begins anew; it must not end there."""
    n = 5 * int(twin.RATE)
    for seed in range(3):
        X, onsets = quiet(n, 6, seed, sd=7.0), np.arange(100, n - 400, 231)
        for onset in onsets:
            X[onset : onset + 120] += 2e4 * np.exp(-np.arange(120)[:, None] / 9)
        stage = Blank()
        twin.run([stage], np.clip(X, -6400, 6400).astype(np.float32)[:45000])
        seen = stage.n_artefacts
        later = Blank()
        twin.run([later], np.clip(X, -6400, 6400).astype(np.float32))
        assert later.n_artefacts - seen == (onsets >= 45000).sum()


def test_it_goes_on_from_its_state_in_the_middle_of_a_blank():
    X = quiet(4000, 4, 3)
    for onset in range(2000, 3900, 231):
        X[onset : onset + 90] += 3000 * np.exp(-np.arange(90)[:, None] / 9)
    X = X.astype(np.float32)
    first, second = Blank(warmup_s=0.05), Blank(warmup_s=0.05)
    twin.run([first], X[:3186])
    assert 0 < 3186 - (2000 + 5 * 231) < 36
    second.bind(twin.spec(4))
    for own, other in zip(second.state(), first.state(), strict=True):
        own[...] = other
    ends = [s.step(Chunk(X[3186:], np.arange(814) / twin.RATE, 0.0, 3186)).data.copy() for s in (first, second)]
    np.testing.assert_array_equal(*ends)


@given(cuts=st.lists(st.integers(1, 300), min_size=10, max_size=30), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_cuts_leave_no_trace(cuts, seed):
    X = quiet(sum(cuts), 4, seed).astype(np.float32)
    for onset in range(700, len(X), 333):
        X[onset : onset + 60] += 1000 * np.exp(-np.arange(min(60, len(X) - onset)) / 9)[:, None].astype(np.float32)
    X[len(X) // 2, 1] = np.nan
    stages = [Blank(warmup_s=0.01) for _ in range(2)]
    stream = twin.spec(4, max_samples=9000)
    whole, pieces = (twin.run([s], X, c, stream=stream)[2] for s, c in zip(stages, (9000, cuts), strict=True))
    np.testing.assert_array_equal(whole.view(np.uint32), pieces.view(np.uint32))
    assert stages[0].n_blanked == stages[1].n_blanked


def test_counts_are_refused():
    with pytest.raises(ContractError, match="blank: stream 'raw' is in counts"):
        Blank().bind(twin.spec(unit="count"))


@pytest.mark.parametrize("fill", ["mirror", "hold"])
def test_it_keeps_the_contract_of_a_stage(fill):
    check_stage(lambda: Blank(fill=fill, warmup_s=0.02), twin.spec(4), n_samples=2000, n_steps=2000)
