"""A therapy in the live lane, how its current reaches a participant, and what an operator sees of it."""

import io

import numpy as np
import pytest
from reference_face import reaches
from rich.console import Console
from stimulus_rig import MACRO
from therapy_rig import Follow

from bmi.clock import LSLClock
from bmi.control import Control, LaneState, Word
from bmi.lane import Journal, Lane
from bmi.process import bind_line, make_line
from bmi.recipe import build
from bmi.ring import Ring
from bmi.signals import Chunk, GateState, StreamSpec
from bmi.stimulus_gate import StimulusGate
from bmi.telemetry import TelemetryReader
from bmi.therapy import RECORD, RING, TOPIC, Therapy
from bmi.view import one_line, render
from bmi.world import Contact
from decoders.features.spikes import Bin
from devices.stimulator import Stimulator

SPIKES = StreamSpec(name="spikes", n_channels=4, rate_hz=1000.0, unit="count", max_samples=20)
FIELD = StreamSpec(name="bg", n_channels=2, rate_hz=1000.0, unit="count", max_samples=10)


class Steady:
    """A source on the real clock: every sample adds 0.1, so that 20 of them are 2."""

    def __init__(self, spec, level=0.1):
        self.spec, self.label, self.clock_offset = spec, spec.name, 0.0
        self.clock, self.level = LSLClock(), level
        self.t, self.seq, self.silent = self.clock.now(), 0, False

    def read(self, timeout_s):
        n = self.spec.max_samples
        due = self.t + n / self.spec.rate_hz
        if self.silent or due > self.clock.now() + timeout_s:
            self.clock.sleep_until(self.clock.now() + timeout_s)
            return None
        self.clock.sleep_until(due)
        self.t = due
        t = due - np.arange(n)[::-1] / self.spec.rate_hz
        data = np.full((n, self.spec.n_channels), self.level, np.float32)
        self.seq += n
        return Chunk(data, t, self.clock.now(), self.seq - n)


class Living:
    """A lane with two streams: one moves a cursor, the other is treated."""

    def __init__(self, folder):
        self.sources = Steady(SPIKES), Steady(FIELD)
        recipe = build(
            {
                "session": {"name": "treated"},
                "sources": [{"use": "lsl", "name": s.label, "primary": s.label == "spikes"} for s in self.sources],
                "stages": [{"use": "bin", "bin_s": 0.02}],
                "decoder": {"use": "kalman", "q": "diagonal"},
                "device": {"use": "cursor"},
            }
        )
        self.therapy = recipe.therapy = Therapy(
            source="bg", stages=[Bin(bin_s=0.02)], controller=Follow(), gate=StimulusGate(), device=Stimulator(**MACRO)
        )
        rng, specs = np.random.default_rng(1), (SPIKES, FIELD)
        recipe.decoder.fit(rng.random((400, 4)), 60.0 * rng.standard_normal((400, 2)), dt_s=0.02)
        self.line = make_line(recipe)
        bind_line(recipe, self.line, specs)
        self.control = Control.create(folder / "control")
        self.journal = Journal(folder, self.line, ring_s=5.0, learns=False, therapy=self.therapy)
        self.clock = LSLClock()
        self.lane = Lane(self.line, self.sources, self.clock, self.control, self.journal, therapy=self.therapy)
        for device in (self.line.device, self.therapy.device):
            device.open()

    def live(self, seconds):
        t_end = self.clock.now() + seconds
        while self.clock.now() < t_end:
            self.lane.once()
        return self.journal.therapy.reader("oldest").read()


@pytest.fixture
def living(tmp_path):
    living = Living(tmp_path)
    for device in (living.line.device, living.therapy.device):
        device.arm()
    living.control.set(Word.ARM, 1)
    return living


def test_the_lane_treats_and_moves_in_the_same_steps(living):
    rows = living.live(0.6)
    steps = living.journal.steps.reader("oldest").read()
    assert rows["step"].tolist() == steps["step"].tolist()
    assert rows["now"].tobytes() == steps["now"].tobytes()
    assert rows["applied"].max() == 2.0
    assert (steps["command_seq"] >= 0).any()


def test_stop_ends_both(living):
    living.live(0.4)
    living.control.press_stop()
    rows = living.live(0.05)
    first = rows[np.argmax(rows["stop_word"] == 1)]
    assert (first["applied"], first["gate_state"]) == (0.0, GateState.STOPPED)
    assert living.line.gate.status == GateState.STOPPED


def test_a_silent_field_ends_the_current_and_not_the_movement(living):
    living.live(0.4)
    living.sources[1].silent = True
    rows = living.live(0.3)
    assert rows["applied"][-1] == 0.0
    assert living.line.gate.status in (GateState.NEUTRAL, GateState.ACTIVE)
    assert not living.journal.steps.reader("oldest").read()["gate_flags"][-10:].any()


def test_whatever_ends_the_lane_ends_the_current(tmp_path):
    living = Living(tmp_path)
    living.control.set(Word.ARM, 1)
    turns = 0

    class Broken(Follow):
        def step(self, chunk):
            nonlocal turns
            turns += 1
            if turns > 30:
                raise ZeroDivisionError
            return super().step(chunk)

    controller = Broken()
    controller.bind(FIELD)
    living.therapy.controller = controller
    with pytest.raises(ZeroDivisionError):
        living.lane.run()
    device = living.therapy.device
    assert device.on_s > 0.0
    assert device.effector.position.tolist() == [0.0]
    assert living.control.get(Word.LANE_STATE) == LaneState.READY


# --- how it reaches a participant ---------------------------------------------------------------------


class Body:
    sites = ("stn",)

    def __init__(self):
        self.felt = []

    def stimulate(self, t, site, amplitude_ma, program):
        self.felt.append((t, site, amplitude_ma, program))


def test_current_reaches_the_participant_while_the_stimulator_is_heard_of(tmp_path, living):
    contact, body = Contact(tmp_path / "world", living.therapy), Body()
    contact.touch(body, 1.0)
    (tmp_path / "world").mkdir()
    ring = Ring.create(tmp_path / "world" / RING, RECORD, 8, topic=TOPIC)
    contact.touch(body, 1.0)
    assert body.felt == [], "nothing before the lane's first step"
    row = np.zeros(1, RECORD)
    row["now"], row["applied"] = 10.0, 1.5
    ring.write(row)
    contact.touch(body, 10.05)
    contact.touch(body, 10.09)
    program = living.therapy.program
    assert body.felt == [(10.0, "stn", 1.5, program), (10.09, "stn", 0.0, program)]


# --- what an operator sees ----------------------------------------------------------------------------


def seen(site):
    steps, _ = reaches(2)
    reader = TelemetryReader(site=site)
    row = np.zeros(1, RECORD)[0]
    row["applied"], row["gate_state"], row["gate_flags"] = 1.25, GateState.ACTIVE, 8192
    if site:
        reader.treated(row)
    return reader.update(steps)


def test_the_view_shows_the_stimulator_within_80_by_24():
    console = Console(width=80, height=24, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(render(seen("stn")))
    text = console.file.getvalue()
    assert "● stn 1.25 mA  ramp" in text
    assert "not recording" in text, "and nothing is pushed off the screen"
    assert "stn 1.25 mA ACTIVE" in one_line(seen("stn"))


def test_without_a_therapy_nothing_of_it_is_shown():
    assert " mA" not in one_line(seen(""))
