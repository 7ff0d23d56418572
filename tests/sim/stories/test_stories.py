"""Demonstrations: what they measure is measured right, what they tell has intervals, slips are told."""

import numpy as np
import pytest
from typer.testing import CliRunner

from bmi.errors import ContractError
from sim import stories
from sim.cli import app, several
from sim.stories import interval, live, molecule, sensors, three_patients


def test_a_seizure_is_where_the_focus_stays_beyond_a_fifth() -> None:
    level = np.zeros(6000)
    level[1000:1800] = 0.8
    level[1850:2200] = 0.7  # half a second of pause is within one seizure
    level[4000:4400] = 0.9
    level[5000:5008] = 1.0  # a discharge is none
    found = molecule.seizures(level)
    assert len(found) == 2
    assert found[0] == pytest.approx((10.0, 22.0), abs=0.3)
    assert found[1] == pytest.approx((40.0, 44.0), abs=0.3)


def test_what_is_linear_is_read_and_what_is_unrelated_is_not() -> None:
    rng = np.random.default_rng(1)
    Y = np.stack([np.convolve(rng.standard_normal(3000), np.ones(20), "same") for _ in range(2)], axis=1)
    X = Y @ rng.standard_normal((2, 12)) + 3.0 * rng.standard_normal((3000, 12))
    assert sensors.correlation(X, Y) > 0.8
    assert abs(sensors.correlation(rng.standard_normal((3000, 12)), rng.standard_normal((3000, 2)))) < 0.1


def test_features_are_causal_lagged_means() -> None:
    x = np.zeros((1000, 1))
    x[500:520] = 1.0
    found = sensors.features(x, 1000.0, None)
    assert found.shape == (50, 6)
    assert [int(np.argmax(found[:, k])) for k in range(6)] == [25, 27, 29, 31, 33, 35]


def test_an_interval_holds_its_mean_and_shrinks_with_numbers() -> None:
    assert interval([]) == "–"
    assert interval([0.5]) == "0.5"
    few, many = (interval(np.linspace(0.0, 1.0, n).tolist()) for n in (4, 400))
    width = [float(t.split("[")[1].split(",")[1][:-1]) - float(t.split("[")[1].split(",")[0]) for t in (few, many)]
    assert width[1] < 0.2 * width[0]


def participant(halved: bool, seed: int) -> dict:
    bouts = [[50.0 + 20 * k, 50.0 + 20 * k + (2.0 if halved else 6.0)] for k in range(3)]
    without = {"seizures": [[50.0, 56.0], [80.0, 88.0]], "pulses_s": [], "seconds": 120.0, "success": 1.0}
    treated = {"seizures": bouts, "pulses_s": [b + 0.5 for b, _ in bouts] + [110.0], "seconds": 120.0, "success": 1.0}
    shown = {k: [] for k in ("eeg_uv", "level", "amplitude_ma", "x0", "rates_hz")}
    return {"without": without | shown, "with": treated | shown,
            "healthy": {"false": seed % 2, "seconds": 360.0, "seizures": []}}  # fmt: skip


def test_shortened_seizures_are_counted_against_the_same_participant() -> None:
    told = molecule.tell({1: participant(True, 1), 2: participant(False, 2)})
    assert (told["halved"], told["n_seizures"]) == (0.5, 6)
    assert told["healthy_hours"] == pytest.approx(0.2)
    assert told["between_seizures"] == 2
    seconds = 2 * (360.0 + 120.0) - 3 * (2.0 + 1.0) - 3 * (6.0 + 1.0)
    assert told["hours_without_seizure"] == pytest.approx(seconds / 3600.0)
    assert told["false_per_hour"] == pytest.approx((2 + 1) * 3600.0 / seconds)
    assert np.allclose(told["delays_s"], 0.5)
    assert "50 % of 6 seizures" in molecule.said(told)


def test_patients_are_told_side_by_side() -> None:
    one = {"bits_s": 1.0, "success": 1.0, "acquisition_s": 0.8, "fidelity": 0.99, "time_on": 0.0, "path": [[0.0, 0.0]]}
    slow = {"bits_s": 0.7}
    found = {s: {c: one | (slow if c == "parkinson" else {}) for c in three_patients.CONDITIONS} for s in (1, 2)}
    told = three_patients.tell(found)
    assert told["bits_s"] == [[1.0, 1.0], [0.7, 0.7], [1.0, 1.0]]
    assert three_patients.said(told).startswith("Throughput, bits/s: healthy 1")


def test_slips_are_told() -> None:
    with pytest.raises(ContractError, match="none called 'molecules'; did you mean 'molecule'"):
        live("molecules", [1])
    with pytest.raises(ContractError, match="expected seeds"):
        live("year", [])
    assert several("0:3") == [0, 1, 2]
    assert several("4,7") == [4, 7]
    done = CliRunner().invoke(app, ["story", "year", "--seeds", "a:b"])
    assert done.exit_code == 2
    assert "expected seeds from 0 up" in done.output.replace("\n", " ").replace("│", " ")


def test_every_story_says_what_it_is() -> None:
    done = CliRunner().invoke(app, ["story"])
    assert done.exit_code == 0
    assert [line.split(":")[0] for line in done.output.splitlines()] == list(stories.stories())


def test_slow_parameters_are_printed_for_a_day() -> None:
    done = CliRunner().invoke(app, ["theta", "parkinson", "--day", "300", "--json"])
    assert done.exit_code == 0
    assert '"scenario": "parkinson"' in done.output


@pytest.mark.bars
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", list(stories.stories()))
def test_every_story_is_lived_and_drawn(name, tmp_path):
    done = live(name, [1], share=0.4)
    assert done["seeds"] == [1]
    assert stories.said(done)
    stories.draw(done, tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000
