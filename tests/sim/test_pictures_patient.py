"""Pages of the patient, its brain and the demonstrations: really drawn, and what is drawn is what was simulated."""

from __future__ import annotations

import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from bmi.errors import ContractError
from sim import pictures, pictures_patient, pictures_sensors, pictures_stories
from sim.brain.generated import generated
from sim.pictures_brain import Mark, head_from_above

PNG = b"\x89PNG\r\n\x1a\n"
STORIES = ("three-patients", "year", "molecule", "sensors")


def told(story: str, n: int = 4) -> dict[str, object]:
    """Return what a demonstration of ``n`` seeds might tell, through JSON as it is kept."""
    rng = np.random.default_rng(3)
    bouts = [[5.0, 9.0], [12.0, 13.0]]
    example = {"eeg_uv": rng.standard_normal(2500).tolist(), "level": [0.0] * 400, "amplitude_ma": [0.0, 1.5] * 200,
               "x0": [-2.2] * 40, "rates_hz": [[4.0, 12.0]] * 40, "seizures": bouts, "pulses_s": []}  # fmt: skip
    conditions = ["healthy", "parkinson", "parkinson + aDBS"]
    of = {
        "three-patients": {
            "conditions": conditions, "traces": {c: rng.standard_normal((50, 2)).tolist() for c in conditions},
            **{k: rng.random((3, n)).tolist() for k in ("bits_s", "success", "acquisition_s", "fidelity", "time_on")},
        },
        "year": {
            "days": [45.0, 75.0, 105.0], "theta": {"snr": [0.9, 0.8, 0.7], "dead": [0.0, 0.01, 0.02]},
            "events": [[30.0, "the implant begins to age"]],
            **{k: rng.random((n, 3)).tolist() for k in ("success", "targets_per_s", "yield")},
        },
        "sensors": {
            "conditions": ["spikes", "LFP", "EEG"], **{k: rng.random((3, n)).tolist() for k in ("r", "chance", "null")}
        },
        "molecule": {
            "nav11": 0.65, "natural_s": [[9.0, 10.0]] * (n - 1) + [[]], "aborted_s": [[2.0]] * n, "false_per_hour": 0.5,
            "delays_s": [0.4, 0.6, None], "healthy_hours": 0.4, "example": {"without": example, "with": example},
        },
    }  # fmt: skip
    return json.loads(json.dumps({"story": story, "seeds": list(range(1, n + 1)), **of[story]}))


def test_marked_regions_stand_where_they_are_on_the_head():
    brain = generated(seed=1)
    axes = Figure().subplots()
    head_from_above(axes, brain, {"motor": Mark("red", "*", ("l.M1",), ("l.M1",))})
    marked = next(c for c in axes.collections if c.get_label() == "motor")
    np.testing.assert_allclose(marked.get_offsets()[0], brain.centres_mm[brain.index("l.M1"), :2])
    assert [t.get_text() for t in axes.texts] == ["l.M1"]


def test_as_many_tracts_are_drawn_as_asked_for():
    brain = generated(seed=1)
    axes = Figure().subplots()
    head_from_above(axes, brain, {}, share=0.1)
    pairs = np.count_nonzero(np.triu(brain.weights, 1))
    assert len(axes.collections[0].get_segments()) == round(0.1 * pairs)


def test_a_tuning_curve_is_found_again():
    angles = 2.0 * np.pi * np.arange(8) / 8
    values = 20.0 + 7.0 * np.cos(angles - 1.1)
    a, b, c = pictures_patient.cosine(angles, values[:, None])[:, 0]
    assert [np.hypot(a, b), np.arctan2(b, a), c] == pytest.approx([7.0, 1.1, 20.0])


def test_the_year_shows_every_parameter_that_moves():
    axes = Figure().subplots()
    pictures_patient.theta(axes, generated(seed=1), "parkinson")
    assert [t.get_text() for t in axes.get_yticklabels()] == ["dopamine_loss"]


def test_a_page_of_a_sensor_is_drawn(tmp_path):
    figure = Figure(layout="constrained")
    pictures_sensors.array(figure, 1, seconds=0.5)
    figure.savefig(tmp_path / "page.png", dpi=40)
    assert (tmp_path / "page.png").read_bytes().startswith(PNG)


def test_a_demonstration_of_one_seed_is_drawn_and_says_what_it_is(tmp_path):
    pictures_stories.page(tmp_path / "page.svg", told("year", 1))
    assert "simulated, seeds 1; research use only" in (tmp_path / "page.svg").read_text(encoding="utf-8")


@pytest.mark.bars
@pytest.mark.parametrize("story", STORIES)
def test_every_demonstration_is_drawn(story, tmp_path):
    for n in (1, 4, 12):
        pictures_stories.page(tmp_path / f"{n}.png", told(story, n))
        assert (tmp_path / f"{n}.png").read_bytes().startswith(PNG)


def test_a_demonstration_without_a_page_is_told(tmp_path):
    with pytest.raises(ContractError, match="no page for 'yaer'; did you mean 'year'"):
        pictures_stories.page(tmp_path / "page.png", {"story": "yaer"})


@pytest.mark.parametrize("missing", ["days", "theta", "events", "seeds"])
def test_what_is_missing_in_a_result_is_told(missing, tmp_path):
    result = told("year")
    del result[missing]
    with pytest.raises(ContractError, match=f"expected '{missing}' in the result, there are"):
        pictures_stories.page(tmp_path / "page.png", result)


def test_a_page_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(ContractError, match=r"cannot write .*; give a png, svg or pdf in a folder there is"):
        pictures_stories.page(tmp_path / "page.docx", told("year"))


def test_every_page_there_is_has_a_name():
    pages = {"patient", "connectome", "connectivity", "masses", "rhythm", "seizures", "head", "array", "year"}
    assert pages <= set(pictures.names())
    assert set(pictures_stories.PAGES) == set(STORIES)


@pytest.mark.bars
def test_the_patient_lives_as_long_as_is_shown():
    lived = pictures_patient.live(1, rest_s=1.0, reaches=4)
    assert len(lived.velocity) == len(lived.reach["fidelity"]) == 300
    assert lived.rest["spikes"].shape == (1000, 96)
    _, depth, rate = pictures_patient.tuned(lived)
    assert rate.shape == (4, 96)
    assert depth.max() > 5.0
