"""A loop on the bench: closed through names and the gate, repeatable, and never faster than the ramp."""

import numpy as np
import pytest

from bmi.stimulus import StimulusProgram
from sim.brain.epileptor import Epileptor
from sim.disease.closed_loop import ClosedLoop
from sim.validation.adaptive import CONTROLLERS, closed, sham_ma
from sim.validation.closed_loop import ON, Bout, Run, false_trains, seizures


def loop(controller, seed=1):
    return ClosedLoop(
        component=Epileptor(noise=0.03), senses="lfp", stages=[("ictal", {})], controller=controller,
        port="stimulus", drive=lambda ma: [-ma], amplitude_limit_ma=4.0, field_sd=0.01, seed=seed,
        program=StimulusProgram(frequency_hz=130.0, pulse_us=200.0, electrode_area_mm2=6.0),
    )  # fmt: skip


def excited(t):
    return {"x0": [-1.6 if 20.0 <= t < 23.0 else -2.2]}


def test_a_seizure_is_aborted_by_name_and_the_twin_goes_on():
    free, treated = loop(None).run(28.0, excited), loop(ON).run(28.0, excited)
    x0 = np.repeat([excited(0.01 * k)["x0"][0] for k in range(2800)], 10)
    natural, cut = (sum(b.end - b.begin for b in seizures(f.outputs["slow"][:, 0], x0, 0.01)) for f in (free, treated))
    assert cut < 0.5 * natural
    first = np.flatnonzero(treated.amplitude_ma)[0]
    np.testing.assert_array_equal(treated.outputs["lfp"][: first * 10], free.outputs["lfp"][: first * 10])
    assert np.abs(np.diff(treated.amplitude_ma)).max() <= 4.0 / 0.25 * 0.02 + 1e-9  # a command every 20 ms


def test_cutting_a_run_changes_nothing():
    whole, parts = loop(ON), loop(ON)
    at_once = whole.run(3.0, excited).outputs["lfp"]
    pieces = [parts.run(s, excited).outputs["lfp"] for s in (1.0, 0.01, 1.99)]
    np.testing.assert_array_equal(at_once, np.concatenate(pieces))


def test_sham_stimulation_is_given_whatever_the_controller_wants():
    found = loop(("constant", {"amplitude_ma": 0.0})).run(5.0, open_loop=sham_ma)
    np.testing.assert_allclose(found.amplitude_ma, [sham_ma(0.01 * k) for k in range(500)])
    assert found.amplitude_ma.max() == 3.0


def test_illness_turns_the_stimulator_on_and_it_does_not_hear_itself():
    """It looks when 0.65 s have passed since it began, finds reason, and measures nothing while it stimulates."""
    found = closed(3, CONTROLLERS["threshold"]).run(4.0, lambda t: {"dopamine_loss": 1.0})
    on, measured = found.amplitude_ma > 0.0, np.flatnonzero(np.isfinite(found.level))
    assert on.any()
    assert not on[measured].any()
    assert measured[0] == 67  # the first row at 0.02 s, rows 0.02 s apart, the end of a block


def test_seizures_are_found_from_the_permittivity_alone():
    """A planted x1 above 0 from 2 to 5 s gives the z it drives; the pause of half a second belongs to the seizure."""
    t = np.arange(8000) * 1e-3
    x1 = np.where((t >= 2.0) & (t < 5.0) & ~((t >= 3.0) & (t < 3.5)), 1.0, -1.6)
    x0, z = np.full(8000, -1.6), np.zeros(8000)
    z[0] = 3.0
    for k in range(7999):
        z[k + 1] = z[k] + 0.1 * (4.0 * (x1[k] + 1.6) - z[k]) / 2857.0
    (found,) = seizures(z, x0, 0.01)
    assert found.begin == pytest.approx(2.0, abs=2e-3)
    assert found.end == pytest.approx(5.0, abs=2e-3)
    assert seizures(np.full(8000, 3.0), x0, 0.01) == []


def test_a_train_outside_a_seizure_is_a_false_one():
    assert false_trains(Run([Bout(1.0, 2.0)], np.array([0.9, 1.5, 2.4, 2.6]))) == 2
