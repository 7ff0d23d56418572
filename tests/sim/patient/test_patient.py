"""The whole patient: one component whose parts talk to each other every 10 ms, however its run is cut."""

import hashlib

import numpy as np
import pytest

from bmi.errors import ContractError
from sim.circuits.anatomy import Tuning
from sim.circuits.tissue import Tissue
from sim.patient import theta
from sim.patient.implants import Implants
from sim.patient.patient import Patient
from sim.patient.whole_brain import WholeBrain
from sim.preparation import Preparation
from sim.sensors.array import Array


def small(**parts: object) -> Patient:
    """A patient with few of everything and no basal ganglia."""
    settings = {
        "tissue": Tissue(n_neurons=300, contacts=40, tuning=Tuning(topography=0.9)),
        "brain": WholeBrain(n_regions=20, recruited=2, focus="r.TP"),
        "implants": Implants(array=Array(n_channels=16), n_lfp=4),
        "ganglia": None,
        "probes": None,
    }
    return Patient(**(settings | parts))


def digest(patient: Patient, give: dict, seconds: float = 0.5, seed: int = 3) -> str:
    preparation = Preparation(patient, seed)
    for name, value in give.items():
        preparation.give(name, 0.0, value)
    shown = preparation.advance_s(seconds)
    return hashlib.sha256(b"".join(shown[k].tobytes() for k in sorted(shown))).hexdigest()


@pytest.fixture(scope="module")
def healthy() -> str:
    return digest(small(), {})


def test_with_every_parameter_at_its_baseline_it_is_the_healthy_one(healthy: str) -> None:
    assert digest(small(), theta.baseline(20)) == healthy


def test_another_session_or_another_illness_is_not(healthy: str) -> None:
    assert digest(small(), {}, seed=4) != healthy
    assert digest(small(), {"snr": 0.9}) != healthy
    assert digest(small(), {"lesion": np.eye(20)[2] * 0.5}) != healthy


def test_it_is_the_same_in_pieces_and_after_a_snapshot() -> None:
    whole = Preparation(small(), 5)
    whole.give("velocity", 0.1, (150.0, 0.0))
    rows = whole.advance_s(0.4)
    pieces = Preparation(small(), 5)
    pieces.give("velocity", 0.1, (150.0, 0.0))
    found = [pieces.advance_s(s) for s in (0.003, 0.117, 0.08)]
    kept = pieces.snapshot()
    pieces.advance_s(0.05)
    pieces.restore(kept)
    found.append(pieces.advance_s(0.2))
    for name, expected in rows.items():
        assert np.array_equal(np.concatenate([f[name] for f in found]), expected), name


def test_streams_have_their_rates_and_only_sensors_are_sensed() -> None:
    patient = small()
    rows = Preparation(patient, 1).advance_s(0.5)
    assert {k: rows[k].shape for k in ("spikes", "lfp", "eeg", "field")} == {
        "spikes": (500, 16), "lfp": (500, 4), "eeg": (250, 64), "field": (500, 1)
    }  # fmt: skip
    assert {p.name for p in patient.outputs if p.sensed} == {"spikes", "lfp", "eeg", "field"}
    assert np.allclose(rows["eeg"].mean(axis=1), rows["eeg"].mean(axis=1)[0], atol=50.0)


def test_movement_quiets_the_hands_rhythm_and_excites_the_tissue() -> None:
    gates = []
    for speed in (0.0, 200.0):
        patient = small()
        preparation = Preparation(patient, 2)
        preparation.give("velocity", 0.0, (speed, 0.0))
        preparation.advance_s(0.1)
        gates.append(preparation.snapshot().state["brain.rhythm.gate"])
    assert not gates[0].any()
    assert gates[1][0] == pytest.approx(1.0)
    assert gates[1][1] == pytest.approx(0.4)


def test_a_push_at_the_focus_reaches_the_epileptor_with_its_sign() -> None:
    preparation = Preparation(small(), 2)
    preparation.give("focus", 0.0, 2.0)
    preparation.advance_s(0.05)
    assert preparation.snapshot().state["brain.focus.input.stimulus"][0] == -2.0


def test_weak_sodium_raises_the_excitability_of_the_focus() -> None:
    x0 = []
    for share in (1.0, 0.65):
        preparation = Preparation(small(), 2)
        preparation.give("nav11", 0.0, share)
        x0.append(preparation.advance_s(1.5)["x0"][-1])
    assert x0[1] > x0[0] + 0.1


@pytest.mark.parametrize(
    ("port", "value", "message"),
    [
        ("nav11", 0.2, r"theta.nav11: expected 0.5 to 1"),
        ("lesion", np.zeros(3), r"lesion: expected shape \(20,\)"),
        ("velocity", (1.0, np.nan), "finite"),
        ("dopamin", 1.0, "has no input 'dopamin'"),
    ],
)
def test_what_is_not_sound_is_refused(port: str, value: object, message: str) -> None:
    patient = small()
    patient.bind(1)
    with pytest.raises(ContractError, match=message):
        patient.receive(port, value)


def test_an_unknown_region_is_refused_with_the_nearest() -> None:
    with pytest.raises(ContractError, match=r"l\.M2.*did you mean"):
        small(brain=WholeBrain(n_regions=20, motor="l.M2")).bind(1)
