"""A therapy: from one stream's samples to a stimulator, journalled so that every step repeats."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stimulus_rig import MACRO
from therapy_rig import SPEC, T0, Follow, Rig

from bmi.dose import Dose
from bmi.errors import ContractError
from bmi.pipeline import pack_into, unpack
from bmi.signals import DeviceSpec, GateFlag, GateState, StreamSpec
from bmi.stimulus_gate import StimulusGate
from bmi.therapy import COMPARED, RECORD, Therapy
from decoders.features.spikes import Bin
from devices.stimulator import Stimulator


def test_what_is_measured_becomes_current():
    rig = Rig()
    for _ in range(40):
        rig.push(2.0)
    row = rig.row
    assert (row["level"], row["wanted"], row["command"], row["applied"]) == (2.0, 2.0, 2.0, 2.0)
    assert rig.therapy.amplitude_ma == 2.0
    assert row["gate_state"] == GateState.ACTIVE


def test_a_record_holds_inputs_and_outputs_of_its_step():
    rig = Rig()
    rig.push(), rig.push()
    assert (rig.rows[0]["command_seq"], rig.rows[0]["command"]) == (0, 0.0), "arming is said, and is no current"
    first = rig.rows[1]
    assert (first["step"], first["now"], first["arm_word"], first["stop_word"]) == (1, T0 + 0.02, 1, 0)
    assert (first["has_intent"], first["command_seq"], first["before"]) == (1, 1, 0.0)
    assert first["t"] == first["t_arrival"] == rig.now
    assert first["command"] == first["applied"] == pytest.approx(20.0 * 0.01)
    assert first["gate_flags"] == GateFlag.RAMP
    rig.push()
    between = rig.rows[2]
    assert (between["has_intent"], between["command_seq"], between["gate_flags"]) == (0, -1, 0)
    assert between["before"] == between["applied"] == first["applied"]


def test_the_controller_is_told_what_the_stimulator_does_in_every_step():
    rig = Rig()
    for _ in range(30):
        rig.push(2.0)
        assert rig.therapy.controller.memory[:2].tolist() == [float(rig.row["before"]), rig.now]
    rig.wait(0.2)
    assert rig.therapy.controller.memory[0] == 0.0, "it has let go, and the controller knows"


def test_stop_is_zero_in_its_very_step():
    rig = Rig()
    for _ in range(40):
        rig.push(2.0)
    command = rig.wait(stop=True)
    assert command.values.tolist() == [0.0]
    assert (rig.row["applied"], rig.row["gate_state"], rig.row["stop_word"]) == (0.0, GateState.STOPPED, 1)


@pytest.mark.parametrize("words", [{"age_s": 0.2}, {"level": math.nan}, {"arm": False}], ids=str)
def test_whatever_is_wrong_ends_at_zero(words):
    rig = Rig()
    for _ in range(40):
        rig.push(2.0)
    for _ in range(30):
        rig.push(**{"level": 2.0, **words})
    assert rig.row["applied"] == 0.0


def test_a_silent_stream_ends_at_zero_in_80_ms():
    rig = Rig()
    for _ in range(40):
        rig.push(2.0)
    since = rig.now
    while rig.row["applied"] > 0.0:
        rig.wait(0.005)
    assert 0.0749 <= rig.now - since <= 0.0851


def test_a_step_that_took_too_long_stimulates_nothing():
    rig = Rig()
    for _ in range(40):
        rig.push(2.0)
    late = rig.now + 0.02 + 0.2
    rig.push(2.0, clock=lambda: late)
    rig.push(2.0, clock=lambda: late)
    assert rig.row["applied"] == 0.0
    assert [e.kind for e in rig.therapy.events] == ["stimulus.withheld"]
    for _ in range(40):
        rig.push(2.0)
    assert rig.row["applied"] == 2.0


# --- it repeats ---------------------------------------------------------------------------------------

STEPS = st.tuples(
    st.sampled_from(["push", "wait"]), st.one_of(st.floats(0.0, 8.0), st.just(math.nan)), st.floats(-0.02, 0.2),
    st.booleans(), st.integers(0, 30),
)  # fmt: skip


@given(st.lists(STEPS, min_size=5, max_size=60), st.integers(0, 4))
@settings(max_examples=30)
def test_every_step_repeats_to_the_last_bit_from_any_snapshot(steps, at):
    rig = Rig(amplitude_limit_ma=3.0)
    snapshot = np.zeros(sum(a.nbytes for a in rig.therapy.state()), np.uint8)
    for k, (kind, level, age_s, arm, stop) in enumerate(steps):
        if k == at:
            pack_into(rig.therapy.state(), snapshot)
        words = {"arm": arm, "stop": stop == 0}
        rig.push(level, age_s=age_s, **words) if kind == "push" else rig.wait(0.01, **words)
    other = Rig(amplitude_limit_ma=3.0).therapy
    unpack(other.state(), snapshot)
    for was, chunk in list(zip(rig.rows, rig.chunks, strict=True))[at:]:
        again = other.again(chunk, was)
        for name in COMPARED:
            spoken = {"level": "has_intent", "wanted": "has_intent"}.get(name)
            if (spoken and not was[spoken]) or (name == "command" and was["command_seq"] < 0):
                continue
            assert was[name].tobytes() == again[name].tobytes(), name
        assert 0.0 <= was["applied"] <= 3.0


def test_a_forged_amplitude_does_not_repeat():
    rig = Rig()
    for _ in range(40):
        rig.push(2.0)
    other = Rig().therapy
    differing = 0
    for was, chunk in zip(rig.rows, rig.chunks, strict=True):
        forged = was.copy()
        forged["command"] += 1e-9
        differing += int(other.again(chunk, forged)["command"] != forged["command"] and was["command_seq"] >= 0)
    assert differing == sum(r["command_seq"] >= 0 for r in rig.rows)


# --- what it came to ----------------------------------------------------------------------------------


def test_the_dose_is_what_the_stimulator_counted_itself():
    rig = Rig()
    dose = Dose(rig.therapy)
    for k in range(400):
        rig.push(2.0 if k // 100 % 2 else 0.0)
    rows = np.array(rig.rows, RECORD)
    for piece in np.split(rows, [1, 7, 150, 151, 399]):
        dose.take(piece)
    told, device = dose.as_dict(live=False), rig.therapy.device
    assert told["onsets"] == device.n_onsets == 2
    assert told["seconds"] == pytest.approx(3.99)
    assert told["on_percent"] == pytest.approx(100 * device.on_s / 3.99, rel=1e-6)
    assert told["charge_uc"] == pytest.approx(device.charge_uc)
    assert told["energy_uj"] == pytest.approx(device.energy_uj)
    assert told["pulses"] == pytest.approx(device.n_pulses, abs=1)
    assert told["mean_ma"] == pytest.approx(device.charge_uc / (0.06 * 130) / 3.99)
    assert told["commands"] == 201
    assert "age_max_ms" not in told
    assert dose.as_dict(live=True)["age_max_ms"] == 0.0


def test_the_dose_begins_with_the_first_arming():
    rig = Rig()
    dose = Dose(rig.therapy)
    for k in range(100):
        rig.push(2.0, arm=k >= 60)
    for piece in np.split(np.array(rig.rows, RECORD), [30, 61]):
        dose.take(piece)
    told = dose.as_dict(live=False)
    assert told["seconds"] == pytest.approx(0.39)
    assert told["on_percent"] == pytest.approx(100 * rig.therapy.device.on_s / 0.39, rel=1e-6)


def test_trips_and_stops_are_counted_once_each():
    rig = Rig()
    dose = Dose(rig.therapy)
    for k in range(100):
        rig.push(2.0, age_s=-0.1 if k in (30, 31) else 0.0, stop=k in (70, 71))
    dose.take(np.array(rig.rows, RECORD))
    told = dose.as_dict(live=False)
    assert (told["trips"], told["stops"]) == (1, 1)


# --- what does not fit --------------------------------------------------------------------------------


def bind(specs=(SPEC,), **parts):
    parts = {"controller": Follow(), "gate": StimulusGate(), "device": Stimulator(**MACRO), "stages": [], **parts}
    Therapy(source="bg", **parts).bind(specs)


def test_it_needs_its_stream():
    with pytest.raises(ContractError, match=r"'bg': no such stream is bound \(streams: m1\)"):
        bind((StreamSpec(name="m1", n_channels=1, rate_hz=1000.0, unit="count"),))


def test_it_needs_a_rate():
    with pytest.raises(ContractError, match="irregular"):
        bind((StreamSpec(name="bg", n_channels=1, rate_hz=0.0, unit="µV"),))


def test_a_stage_that_does_not_fit_is_named():
    with pytest.raises(ContractError, match=r"stage 0 \(Bin\)"):
        bind(stages=[Bin(bin_s=0.0005)])


def test_a_controller_that_speaks_too_seldom_is_refused():
    with pytest.raises(ContractError, match="takes for silence"):
        bind(controller=Follow(rate_hz=10.0))


def test_a_real_stimulator_is_refused():
    device = Stimulator(**MACRO)
    spec = device.spec
    device._spec = DeviceSpec(**{**{f: getattr(spec, f) for f in spec.__slots__}, "hardware": True})
    with pytest.raises(ContractError, match="simulated stimulators only"):
        bind(device=device)
