"""A movement line and a therapy in one session: the recipe, the lock-step run, and a live one that repeats."""

import asyncio
import copy

import numpy as np
import pytest
from beta_world import BetaWorld, install
from live_rig import rewrite

from bmi import registry
from bmi.check import check
from bmi.errors import ContractError, RecipeError
from bmi.recipe import build
from bmi.recording import Recording
from bmi.replay import verify
from bmi.session import Session
from bmi.signals import GateState
from bmi.simulate import participant, prepare, simulate
from bmi.therapy import RECORD

RAW = {
    "session": {"name": "treated", "seed": 3},
    "world": {"use": "beta", "n_neurons": 12, "chunk_s": 0.01},
    "sources": [{"use": "lsl", "name": "m1", "primary": True}, {"use": "lsl", "name": "bg"}],
    "stages": [{"use": "bin", "bin_s": 0.02}],
    "decoder": {"use": "kalman", "learner": {"use": "smoothbatch"}},
    "blocks": [{"name": "calibrate", "seconds": 3, "assist": [1.0, 1.0], "learn": True}],
    "device": {"use": "cursor"},
}
THERAPY = {
    "source": "bg",
    "stages": [{"use": "band-power", "low_hz": 13, "high_hz": 35, "every_s": 0.02, "window_s": 0.1, "log": False}],
    "controller": {"use": "follow", "gain": 0.01},
    "gate": {"amplitude_limit_ma": 3.0, "ramp_ma_s": 12.0},
    "device": {"use": "stimulator", "site": "stn", "frequency_hz": 130, "pulse_us": 60, "electrode_area_mm2": 6},
}


@pytest.fixture(autouse=True)
def plugged(tmp_path, monkeypatch):
    """The participant with a deep lead is installed, for us and for the processes we start."""
    path = install(tmp_path / "plugin")
    monkeypatch.syspath_prepend(tmp_path / "plugin")
    monkeypatch.setenv("PYTHONPATH", path)
    registry._group.cache_clear()
    yield
    registry._group.cache_clear()


def raw(**change):
    """Return the recipe with its therapy, of which some keys are another way."""
    return copy.deepcopy({**RAW, "therapy": {**THERAPY, **change}})


def test_the_recipe_ships_all_parts():
    therapy = build(raw()).therapy
    assert (therapy.source, therapy.site, therapy.gate.ramp_ma_s) == ("bg", "stn", 12.0)
    assert therapy.program.pulse_us == 60.0
    assert build(RAW).therapy is None


def test_check_says_what_may_pass():
    said = check(build(raw()))
    assert said["therapy"] == "bg → 1, 50 Hz, µV² → stn: at most 3 mA (amplitude limit), 12 mA/s, 130 Hz of 60 µs"
    assert said["features"] == ["m1: 12, 50 Hz, count"], "the decoder does not meet the therapy's stream"


def test_the_decoder_meets_the_stream_too_if_stages_say_so():
    both = raw()
    both["stages"] = {"m1": RAW["stages"], "bg": THERAPY["stages"]}
    assert check(build(both))["features"] == ["m1: 12, 50 Hz, count", "bg: 1, 50 Hz, µV²"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"gait": {}}, r"therapy\.gait: unknown key 'gait'; did you mean 'gate'"),
        ({"source": "bgg"}, r"therapy\.source: no source is called 'bgg'; did you mean 'bg'"),
        ({"controller": {"use": "folow"}}, r"therapy\.controller\.use: no controller is called 'folow'"),
        ({"device": {"use": "cursor"}}, r"therapy\.device: 'cursor' moves something; expected a stimulator"),
        ({"device": {"use": "stimulator"}}, r"therapy\.device\.site: 'site' is required"),
        ({"device": {**THERAPY["device"], "site": "gpi"}}, r"therapy\.device\.site: .*no site 'gpi'.*sites: stn"),
        ({"gate": {"amplitude_limit_ma": 9.0}}, r"therapy\.gate: .*amplitude_limit_ma=9 mA.*only make .* stricter"),
        ({"gate": {"ramp_ma_s": 100.0}}, r"therapy\.gate: .*ramp_ma_s=100 mA/s.*only make .* stricter"),
        ({"gate": {"deadman_s": 1.0}}, r"therapy\.gate: .*deadman_s=1 s.*only make .* stricter"),
        ({"device": {**THERAPY["device"], "amplitude_limit_ma": 50}}, r"therapy\.device: .*beyond the house's 5 mA"),
        ({"stages": "none"}, r"therapy\.stages: expected a list"),
    ],
    ids=lambda x: str(x)[:40],
)
def test_a_slip_is_named_with_its_path(change, problem):
    with pytest.raises(RecipeError, match=problem):
        build(raw(**change))


def test_whoever_forgets_half_is_told_of_all_of_it():
    half = copy.deepcopy({**RAW, "therapy": {"gate": {}}})
    with pytest.raises(RecipeError) as caught:
        build(half)
    assert [p.path for p in caught.value.problems] == ["therapy.source", "therapy.controller", "therapy.device"]


def test_a_world_without_a_body_for_current_is_named():
    plain = raw(source="m1")
    plain["world"], plain["sources"] = {"use": "population"}, plain["sources"][:1]
    with pytest.raises(RecipeError, match=r"therapy: the world 'population' cannot be stimulated"):
        build(plain)


def test_a_program_that_may_not_run_is_refused_when_bound():
    with pytest.raises(ContractError, match="frequency of the program is 300 Hz, at most 250"):
        check(build(raw(device={**THERAPY["device"], "frequency_hz": 300})))


# --- lock-step ----------------------------------------------------------------------------------------


def lived(recipe, seconds=3.0):
    """Step through a recipe in lock-step; return the run, the therapy's records and the line's."""
    run = prepare(recipe)
    devices = [run.line.device] + ([run.therapy.device] if run.therapy else [])
    for device in devices:
        device.open()
        device.arm()
    treated, moved = [], []
    for _ in range(round(seconds / 0.01)):
        run.step()
        moved.append(run.line.record.row[0].copy())
        treated += [run.therapy.row[0].copy()] if run.therapy else []
    return run, np.array(treated, RECORD), np.array(moved)


def test_the_loop_closes_and_finds_its_balance():
    """Power asks for current and current takes power away: 1 % of 200 µV² e^(-2 mA) is what is wanted at 0.6 mA."""
    run, rows, _ = lived(build(raw()))
    late = rows[-100:]
    assert late["applied"].mean() == pytest.approx(0.6, abs=0.05)
    assert late["level"].mean() == pytest.approx(100.0 * late["applied"].mean(), rel=0.05)
    assert rows["level"][5] < rows["level"][rows["has_intent"] == 1].max(), "it was more before it was treated"
    felt = run.world.felt
    assert {site for _, site, _, _ in felt} == {"stn"}
    assert felt[0][3] == run.therapy.program
    changes = np.flatnonzero(np.diff(rows["applied"], prepend=0.0))
    assert [ma for _, _, ma, _ in felt] == rows["applied"][changes].tolist()


def test_what_moves_is_not_touched_by_what_stimulates():
    plain = {**RAW, "sources": RAW["sources"][:1]}
    _, _, alone = lived(build(plain))
    _, _, beside = lived(build(raw()))
    times = ("decode_ns", "gate_ns", "write_ns")
    for name in set(alone.dtype.names) - set(times):
        was, now = alone[name], beside[name]
        if was.shape != now.shape:
            now = now[:, : was.shape[1]]  # per stream
        assert was.tobytes() == np.ascontiguousarray(now).tobytes(), name


def test_the_summary_tells_the_dose():
    summary = simulate(build(raw())).summary
    told = summary["therapy"]
    assert (told["source"], told["site"], told["onsets"], told["trips"]) == ("bg", "stn", 1, 0)
    assert told["on_percent"] > 95.0
    assert 0.5 < told["mean_ma"] < 0.8
    assert told["charge_uc"] == pytest.approx(told["mean_ma"] * told["seconds"] * 130 * 0.06)
    assert simulate(build(raw())).summary == summary, "to the last bit, again"
    assert "therapy" not in simulate(build(RAW)).summary


def test_the_participant_is_the_recipes_own():
    assert isinstance(participant(build(raw())), BetaWorld)


# --- live ---------------------------------------------------------------------------------------------


async def _live(out):
    asked = raw()
    asked["blocks"] = [{**RAW["blocks"][0], "seconds": 2.5}]
    async with Session.open(build(asked), out=out) as s:
        seen = []
        summary = await s.run(lambda t: seen.append((t.site, t.stimulus_ma, t.stimulus_state)))
    return summary, seen


def test_a_live_session_stimulates_records_and_repeats(tmp_path):
    summary, seen = asyncio.run(_live(tmp_path / "out"))
    assert {site for site, _, _ in seen} == {"stn"}
    assert max(ma for _, ma, _ in seen) > 0.3
    assert seen[-1][2] == GateState.ACTIVE
    told = summary["therapy"]
    assert told["trips"] == 0
    assert told["on_percent"] > 50.0
    rows, steps = (Recording.open(tmp_path / "out").read(topic) for topic in ("/therapy", "/steps"))
    assert rows["step"].tolist() == steps["step"].tolist()
    assert rows["now"].tobytes() == steps["now"].tobytes()
    assert 0.0 <= rows["applied"].min() <= rows["applied"].max() <= 3.0
    power = rows["level"][rows["has_intent"] == 1]
    assert power[-20:].mean() < 0.8 * power.max(), "the participant felt it"

    report = verify(tmp_path / "out")
    assert report["n_differing"] == 0
    assert report["n_steps"] > 400, "at least from where the recorder had caught up"
    forged = rows.copy()
    forged["command"][np.flatnonzero(rows["command_seq"] >= 0)[-50]] += 1e-9
    report = verify(rewrite(tmp_path / "out", tmp_path / "forged", {"/therapy": forged}))
    assert report["n_differing"] == 1
    assert "therapy command" in report["first_difference"]
