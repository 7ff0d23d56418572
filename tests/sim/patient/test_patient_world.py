"""The patient as a participant: four streams of one clock, sites to stimulate, days that pass, truth kept at home."""

import numpy as np
import pytest

from bmi.contracts import ManyStreams, Stimulated, World
from bmi.errors import ContractError
from bmi.signals import EffectorState, Goal
from bmi.stimulus import StimulusProgram
from bmi.streams import draw, sent
from sim.circuits.tissue import Tissue
from sim.patient.implants import Implants
from sim.patient.patient import Patient
from sim.patient.whole_brain import WholeBrain
from sim.patient.world import STREAMS, PatientWorld, stream
from sim.sensors.array import Array


def world(**settings: object) -> PatientWorld:
    patient = Patient(
        tissue=Tissue(n_neurons=300, contacts=40), brain=WholeBrain(n_regions=20, recruited=2, focus="r.TP"),
        implants=Implants(array=Array(n_channels=16), n_lfp=4), ganglia=None, probes=None,
    )  # fmt: skip
    found = PatientWorld(patient=patient, **settings)
    found.bind(np.random.default_rng(3), 0.0)
    return found


def test_it_is_a_world_of_many_streams_that_can_be_stimulated() -> None:
    found = world()
    assert isinstance(found, World)
    assert isinstance(found, ManyStreams)
    assert isinstance(found, Stimulated)
    assert [(s.name, s.n_channels, s.rate_hz, s.unit, s.max_samples) for s in sent(found)] == [
        ("m1", 16, 1000.0, "count", 10), ("lfp", 4, 1000.0, "µV", 10), ("eeg", 64, 500.0, "µV", 5),
        ("bg", 1, 1000.0, "µV", 10),
    ]  # fmt: skip
    assert sent(found)[2].labels[:2] == found.patient.labels("eeg")[:2]


def test_streams_may_be_drawn_in_any_pieces_and_belong_together() -> None:
    whole, pieces = world(), world()
    together = [draw(whole, i, n) for i, n in enumerate((60, 60, 30, 60))]
    cut = [np.concatenate([draw(pieces, i, n) for n in parts]) for i, parts in
           ((2, (7, 23)), (0, (1, 59)), (1, (25, 35)), (3, (60,)))]  # fmt: skip
    assert np.array_equal(cut[0], together[2])
    assert np.array_equal(cut[1], together[0])
    assert np.array_equal(cut[2], together[1])
    assert np.array_equal(cut[3], together[3])


@pytest.mark.parametrize("output", ["fidelity", "regions", "seizing", "rates", "vigour", "x0", "probes"])
def test_truth_never_becomes_a_stream(output: str) -> None:
    with pytest.raises(ContractError, match=rf"{output} is privileged: no sensor measures it"):
        stream(Patient(), "m1", output, "spikes", 0.01)


def test_every_stream_is_what_a_sensor_measures() -> None:
    ports = {p.name: p for p in Patient().outputs}
    assert all(ports[output].sensed for output, _ in STREAMS.values())
    with pytest.raises(ContractError, match="has no output 'spike'"):
        stream(Patient(), "m1", "spike", "spikes", 0.01)


def test_what_is_seen_becomes_an_intention() -> None:
    found = world()
    for k in range(60):
        found.see(0.01 * k, EffectorState.at_rest(2), Goal(np.array([80.0, 0.0]), 12.0, True, 0, 0.0))
        found.draw(10)
    assert found.intended[0] > 50.0
    assert found.truth["vigour"][0, 0] == pytest.approx(found.intended[0], rel=1e-5)


def test_current_reaches_its_site_and_no_other() -> None:
    found, program = world(), StimulusProgram(frequency_hz=130.0, pulse_us=60.0, electrode_area_mm2=6.0)
    found.stimulate(0.0, "stn", 2.0, program)
    found.stimulate(0.0, "focus", 1.5, program)
    found.draw(20)
    state = found.preparation.snapshot().state
    assert state["input.stn"].tolist() == [2.0, 130.0, pytest.approx(60e-6)]
    assert state["input.focus"] == 1.5
    with pytest.raises(ContractError, match=r"has no site 'stm'; did you mean 'stn'.*its sites are stn, focus"):
        found.stimulate(0.0, "stm", 1.0, program)


def test_slow_parameters_set_in_when_they_should() -> None:
    found = world(theta={"snr": 0.5}, theta_from_s=0.05)
    found.draw(40)
    assert found.preparation.snapshot().state["implants.array.input.snr"] == 1.0
    found.draw(30)
    assert found.preparation.snapshot().state["implants.array.input.snr"] == 0.5


def test_days_pass() -> None:
    found = world(scenario="ageing", day=300.0, days_per_s=30.0)
    before = float(found.preparation.snapshot().state["implants.array.input.snr"])
    found.draw(1020)
    assert before < 1.0
    assert float(found.preparation.snapshot().state["implants.array.input.snr"]) < before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scenario": "parkinsons"}, "there is none called 'parkinsons'; did you mean 'parkinson'"),
        ({"theta": {"nav12": 0.5}}, "no slow parameter 'nav12'; did you mean 'nav11'"),
        ({"theta": {"snr": 9.0}}, r"theta.snr: expected 0.05 to 2"),
        ({"chunk_s": 0.015}, "a whole number of 0.01 s"),
    ],
)
def test_slips_are_told(settings: dict, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        world(**settings)
