"""The bench of the whole patient: what it tells is of real processes, and a sleeper's lateness is the measure."""

import json

import numpy as np
import pytest
import yaml
from figures import measured
from typer.testing import CliRunner

from bmi.cli import app
from bmi.clock import LSLClock
from bmi.control import Control
from bmi.errors import ContractError
from bmi.recipe import build
from bmi.session import Session
from bmi.world import TIMES
from sim import GRID_S
from sim.bench import living
from sim.bench._fixed_kernels import work
from sim.bench.again import compared
from sim.bench.beside import SLEPT, sleeper
from sim.bench.fixed import measured as fixed_work
from sim.bench.fixed import turns
from sim.bench.living import (
    Lived,
    _told,
    against,
    last_over,
    live,
    once_more,
    quantiles,
    ratios,
    show,
    slowest,
)

SMALL = {
    "session": {"name": "small", "seed": 7},
    "task": {"use": "centre-out", "targets": 8, "distance_mm": 80, "radius_mm": 12, "hold_s": 0.3, "timeout_s": 4.0},
    "world": {"use": "patient", "patient": {
        "tissue": {"n_neurons": 300, "contacts": 40}, "brain": {"n_regions": 20, "recruited": 2, "focus": "r.TP"},
        "ganglia": None, "probes": None}},
    "sources": [{"use": "lsl", "name": "m1", "type": "spikes", "unit": "count", "primary": True}],
    "stages": [{"use": "bin", "bin_s": 0.02}],
    "decoder": {"use": "kalman", "states": "velocity", "learner": {"use": "smoothbatch"}},
    "assist": {"speed_mm_s": 160},
    "blocks": [{"name": "calibrate", "seconds": 1, "assist": [1.0, 0.0], "learn": True},
               {"name": "centre-out", "trials": 4, "scored": True}],
    "device": {"use": "cursor"},
}  # fmt: skip


def written(folder, raw):
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return str(path)


N, FROM = 501, 20


def lived_of(folder, own_ms=3.0, late_ms=0.1, world=0.3):
    """Return 5 s in which every block took so long and the sleeper was 0.1 ms late at times."""
    session = Session.open(build(SMALL), out=folder / "out")
    chance = np.random.default_rng(3)
    rows = [np.stack([1e-3 * late * chance.exponential(size=N), 1e-3 * own * np.arange(N)], 1)
            for late, own in ((late_ms, own_ms), (0.1, 0.05))]  # fmt: skip
    rows[1][:100] = np.nan
    summary = {"samples": 5000, "lost": 0, "world_overruns": 0, "blocks": [{"name": "a", "won": [1, 0], "trials": 2}]}
    heard = {"lfp": {"samples": 5000, "lost": 0}}
    pushed = np.stack([np.full(N, -1.0), np.arange(N)], 1)
    before = np.zeros((FROM, 4))
    times = np.concatenate([before, np.concatenate([rows[0], pushed], 1), np.full((30, 4), np.nan)])
    kept = slice(FROM, FROM + N)
    return Lived(session, 5.0, {"world": world, "lane": 0.1, "sleeper": 0.01}, times, kept, rows[1], summary, heard)


def told_of(folder, **change):
    return _told(lived_of(folder, **change))


def test_bars_are_on_processor_slowest_block_and_lateness(tmp_path, capsys):
    fine = told_of(tmp_path)
    assert [bar["reached"] for bar in fine["bars"].values()] == [True, True, True]
    assert fine["core_s_s"]["session"] == pytest.approx(0.4), "what runs beside the session is not the session's"
    assert fine["block_cpu_ms"]["patient"]["n"] == 400, "only what both lived through is compared"
    assert fine["block_cpu_ms"]["patient"]["max"] == pytest.approx(3.0)
    missed = [told_of(tmp_path, **change)["bars"] for change in ({"world": 0.6}, {"own_ms": 10.1}, {"late_ms": 0.3})]
    assert [[bar["reached"] for bar in bars.values()] for bars in missed] == [
        [False, True, True], [True, False, True], [True, True, False]
    ]  # fmt: skip
    assert missed[1]["blocks over 10 ms"]["got"] == 400
    against(fine, np.array([3.0, 3.1, 12.0, 9.9]))
    assert fine["bars"]["blocks over 10 ms"]["control"] == {"got": 1, "of": 4}
    show(fine)
    out = capsys.readouterr().out
    assert "won a 1/2" in out
    assert "slowest blocks" in out
    assert "asked 0, got 0 of 400: reached; fixed work, alone: 1 of 4" in out


def held_up(lived, *blocks, ms=20.0):
    """Return the same life in which some blocks, counted from the first push on, took so much longer."""
    times = lived.times.copy()
    for k in blocks:
        times[k + 1 :, 1] += 1e-3 * ms
    return lived._replace(times=times)


def second_life(lived, last, *blocks, other=None):
    """Return the same pushes again, held up elsewhere; from ``other`` on something else was pushed."""
    times = held_up(lived, *blocks).times[: last + 1]
    if other is not None:
        times[other:, 3] += 0.5
    return compared(lived.times[: last + 1], times)


def test_what_a_block_took_again_is_told_beside_the_bar_and_does_not_move_it(tmp_path, capsys):
    usual = lived_of(tmp_path)
    assert last_over(usual) == 0, "nothing to compute again"
    lived = held_up(usual, 200, 300, 450)
    told, last = _told(lived), last_over(lived)
    assert last == 451
    once_more(told, lived, second_life(usual, last, 210, 300))
    bar = told["bars"]["blocks over 10 ms"]
    assert (bar["got"], bar["reached"]) == (3, False), "the bar is on what was lived"
    assert bar["again"] == {"got": 2, "both": 1, "of": last - FROM, "identical": last - FROM}, "block 300 both times"
    slow = {round(block["at_s"], 2): block["again_ms"] for block in told["slowest_blocks"] if block["own_ms"] > 10.0}
    assert slow == pytest.approx({2.0: 3.0, 3.0: 23.0, 4.5: 3.0})
    assert told["block_cpu_ms"]["the less of both"]["max"] == pytest.approx(23.0)
    show(told)
    out = capsys.readouterr().out
    assert "got 3 of 400: not reached; again 2, both times 1, 431 of 431 the same to the last bit" in out


def test_a_block_that_was_not_the_same_again_is_told_as_it_was_lived(tmp_path):
    usual = lived_of(tmp_path)
    lived = held_up(usual, 200, 450)
    told = _told(lived)
    once_more(told, lived, second_life(usual, 451, other=300))
    again = told["bars"]["blocks over 10 ms"]["again"]
    assert again["identical"] == 299 - FROM
    assert again["both"] == 1, "block 450 came after something else had been pushed"
    assert told["block_cpu_ms"]["the less of both"]["max"] == pytest.approx(23.0)


def test_a_sleeper_wakes_half_a_period_after_each_push(tmp_path):
    control, t0 = Control.create(tmp_path / "control"), LSLClock().now()
    pushes = np.full((30, 4), np.nan)
    pushes[0] = t0, 0.0, -1, 0
    np.save(tmp_path / TIMES, pushes)
    sleeper(tmp_path, tmp_path, control)  # to the last row that was laid
    times = np.load(tmp_path / SLEPT, allow_pickle=False)
    assert LSLClock().now() >= t0 + 29.5 * GRID_S
    assert np.isfinite(times).all()
    assert (times[:, 0] >= 0.0).all()
    assert 0.0 < times[-1, 0] < 1.0


def test_fixed_work_is_fixed_and_as_long_as_asked(tmp_path):
    x = np.ones(16, np.float32)
    work(32, x)  # the stride is odd: each of 16 numbers twice
    assert np.allclose(x, (1.0 * 0.999 + 1.0) * 0.999 + 1.0)
    assert turns(4.0, np.ones(1 << 16, np.float32)) > turns(1.0, np.ones(1 << 16, np.float32))
    shares = []
    taken = fixed_work(1.0, 1.0, None, tmp_path, shares.append)
    assert shares == sorted(shares)
    assert taken.shape == (100,)
    assert 0.3 < np.median(taken) < 5.0


@pytest.mark.bars
def test_a_small_patient_lives_and_is_measured_and_lives_the_same_again(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(living, "BLOCK_MS", 0.0)  # every block is over, so every block is computed again
    shares = []
    told = live(written(tmp_path, SMALL), 3.0, shares.append, again=True, control_s=0.5)
    assert shares == sorted(shares)
    again = told["bars"]["blocks over 10 ms"]["again"]
    assert again["identical"] == again["of"] > 150
    monkeypatch.undo()
    assert told["bars"]["blocks over 10 ms"]["control"]["of"] == 50
    assert json.loads(json.dumps(told)) == told
    roles = {"world", "lane", "recorder", "learner", "service", "sleeper", "listener", "session"}
    assert set(told["core_s_s"]) == roles
    assert 0.0 < told["core_s_s"]["sleeper"] < told["core_s_s"]["world"] < told["core_s_s"]["session"]
    own = told["block_cpu_ms"]
    assert own["patient"]["n"] == own["sleeper"]["n"] > 150
    assert own["sleeper"]["p50"] < own["patient"]["p50"] <= own["patient"]["max"]
    assert set(told["streams"]["heard"]) == {"lfp", "eeg", "bg"}
    assert told["streams"]["heard"]["lfp"]["samples"] > 1500
    assert told["streams"]["decoded"] == ["m1"]
    assert own["the same blocks again"]["n"] == again["of"]
    over = told["bars"]["blocks over 10 ms"]
    assert over["reached"] == (own["patient"]["max"] <= 0.0)
    assert over["got"] == own["patient"]["n"]
    show(told)
    assert "core-s/s of the patient: asked 0.55" in capsys.readouterr().out


def test_a_world_of_other_pushes_is_refused(tmp_path):
    raw = SMALL | {"world": {"use": "population", "n_neurons": 8, "chunk_s": 0.02}}
    with pytest.raises(ContractError, match="no world that pushes every 10 ms"):
        live(written(tmp_path, raw), 3.0)
    done = CliRunner().invoke(app, ["bench", "patient", "--seconds", "1"])
    assert done.exit_code == 2


def test_lateness_is_compared_second_by_second():
    late = np.random.default_rng(1).gamma(2.0, 0.05, 6000)
    same, twice = ratios(late, late), ratios(2.0 * late, late)
    for q in ("p50", "p99", "p99.9"):
        assert (same[q]["value"], same[q]["low"], same[q]["high"]) == (1.0, 1.0, 1.0)
        assert twice[q]["value"] == pytest.approx(2.0)
    chance = ratios(np.random.default_rng(2).gamma(2.0, 0.05, 6000), late)["p99"]
    assert chance["low"] < 1.0 < chance["high"]
    expected = {"p50": 500.0, "p99": 990.0, "p99.9": 999.0, "max": 1000.0, "n": 1001}
    assert quantiles(np.arange(1001.0)) == pytest.approx(expected)


def test_the_slowest_blocks_are_told_with_what_the_sleeper_met_just_then():
    own, late, slept = np.full(50, 3.0), np.full(51, 0.1), np.full(51, 0.2)
    own[[7, 30]], late[31], slept[[6, 32]] = (12.0, 20.0), 4.0, (9.0, 7.0)
    first, second = slowest(100 + np.arange(51), own, late, slept, 2)
    assert first == {"at_s": 1.07, "own_ms": 12.0, "push_late_ms": 0.1, "sleeper_late_ms": 9.0}
    assert second == {"at_s": 1.3, "own_ms": 20.0, "push_late_ms": 4.0, "sleeper_late_ms": 0.2}


@pytest.mark.bars
@pytest.mark.timeout(300)
def test_the_whole_patient_lives_in_real_time():
    told = live("patient_center_out", 120.0, again=True)
    measured("core-s/s of the patient beside the pipeline", told["core_s_s"]["world"])
    measured("slowest block of the patient, own ms", told["block_cpu_ms"]["patient"]["max"])
    measured("p99 lateness over a sleeper's", told["late_ratio"]["p99"]["value"])
    assert all(bar["reached"] for bar in told["bars"].values()), told["bars"]
