"""The bench of whole brains: peers talk line by line, ratios are of neighbours, brains that differ are said to."""

import json
import sys

import numpy as np
import pytest

from bmi.errors import ContractError
from sim.bench import show
from sim.bench.brain_blocks import STRENGTH, alternate, generated, network, state, write
from sim.bench.brains import BARS, beside, curve, equal, tables, verdicts
from sim.bench.others import OTHERS
from sim.bench.talking import PEERS, Peer, peer

ANSWERS = """
import json, sys
import numpy as np
print(json.dumps({"peer": "TVB 0"}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    print("a warning", flush=True)
    if asked["do"] == "end":
        raise SystemExit("no room")
    if asked["do"] == "follow":
        with np.load(asked["path"], allow_pickle=False) as file:
            n = len(file["weights"])
            start = file["start"]
        np.savez(asked["to"], shown=np.full((1, int(asked["ms"]), n), 3.0), state=start)
    print(json.dumps({"cpu_s": 0.5, "wall_s": 1.0, "finite": asked.get("ms") != 13.0}), flush=True)
"""


@pytest.fixture
def tvb(monkeypatch, tmp_path):
    (tmp_path / "tvb_brains.py").write_text(ANSWERS)
    monkeypatch.setattr("sim.bench.talking.PEERS", tmp_path)
    with peer("tvb", {"tvb": sys.executable}) as running:
        yield running


def test_a_peer_answers_line_by_line(tvb):
    assert tvb.name == "TVB 0"
    assert tvb.ask("prepare") == {"cpu_s": 0.5, "wall_s": 1.0, "finite": True}
    assert tvb.run(100.0).tolist() == [5.0, 10.0]


def test_a_peer_whose_values_are_not_finite_is_not_timed(tvb):
    with pytest.raises(ContractError, match="TVB 0 computed values that are not finite in 13 ms"):
        tvb.run(13.0)


def test_a_peer_that_ends_says_why(tvb):
    with pytest.raises(ContractError, match=r"could not run tvb_brains\.py.*has tvb.*no room"):
        tvb.ask("end")


def test_who_has_no_peer_is_measured_alone():
    with peer("tvb", {}) as none:
        assert none is None


def test_every_peer_has_its_script():
    assert {f"{o.peer}_brains.py" for o in OTHERS} | {"tvb_brains.py"} == {p.name for p in PEERS.glob("*_brains.py")}


def test_a_peer_that_cannot_be_imported_is_told(monkeypatch, tmp_path):
    (tmp_path / "tvb_brains.py").write_text("import tvb_that_is_nowhere")
    monkeypatch.setattr("sim.bench.talking.PEERS", tmp_path)
    with pytest.raises(ContractError, match=r"could not run tvb_brains\.py.*No module named"):
        Peer("tvb", sys.executable)


def test_ratios_are_of_neighbours(monkeypatch):
    monkeypatch.setattr("sim.bench.brain_blocks.block", lambda network: next(ours))
    ours = iter(np.array([[1.0, 1.0], [2.0, 4.0], [4.0, 4.0]]))
    theirs = iter(np.array([[3.0, 3.0], [6.0, 8.0], [20.0, 4.0]]))
    found = alternate(None, lambda: next(theirs), 3)
    assert found["times"] == {"median": 3.0, "low": 3.0, "high": 5.0}
    assert found["times_clock"] == 2.0
    assert (found["ours_s"], found["theirs_s"], found["pairs"]) == (2.0, 6.0, 3)


def test_generated_brains_are_as_strong_at_any_size():
    for n in (16, 76):
        assert generated(n).weights.sum(1).mean() == pytest.approx(STRENGTH)


@pytest.mark.parametrize(("model", "variables"), [("jansen_rit", 6), ("epileptor", 6), ("wong_wang", 2)])
def test_a_peer_gets_what_ours_begins_with(model, variables, tmp_path):
    ours = network(model, generated(16))
    ours.bind(0)
    ours.step(50)
    with np.load(write(ours, tmp_path / "brain.npz"), allow_pickle=False) as file:
        assert file["start"].shape == (variables, 16)
        assert np.array_equal(file["start"], state(ours))
        assert file["dt_ms"] == pytest.approx(ours.dt_s * 1e3)
        assert np.array_equal(file["weights"], ours.connectome.weights)


def test_brains_that_differ_are_said_to(tvb, tmp_path):
    told = equal("jansen_rit", generated(16), tvb, tmp_path, quick=True)
    assert told["largest"] > 1e-6
    assert not told["reached"]
    assert told["noise_adds_ours"] > 0.01
    assert json.loads(json.dumps(told)) == told


def test_ours_is_measured_beside_a_peer_or_alone(tvb, tmp_path):
    connectome = generated(16)
    found = beside("epileptor", connectome, tvb, tmp_path, 2)
    assert found["reached"] == (found["times"]["median"] >= BARS["epileptor"])
    assert found["theirs_s"] == pytest.approx(0.5 * 1e3 / 60.0)
    alone = beside("epileptor", connectome, None, tmp_path, 2)
    assert set(alone) == {"ours_s", "ours_clock_s"}


def test_a_curve_tells_what_regions_and_tracts_cost(tmp_path, capsys):
    rows = curve((16,), None, tmp_path, lambda _: None)
    assert [r["model"] for r in rows] == list(BARS)
    assert all(0.0 < r["ns_region_step"] < 1e5 for r in rows)
    told = {
        "connectome": {"what": "made", "regions": 16, "tracts": rows[0]["tracts"]}, "units": "s", "curve": rows,
        "others": [], **{m: {"ours_s": 0.1, "ours_clock_s": 0.1} for m in BARS},
    }  # fmt: skip
    assert len(tables(told)) == 2
    assert verdicts(told) == []
    show({"peers": {"tvb": "not installed"}, "brains": told})
    assert "jansen_rit 16" in capsys.readouterr().out


def test_a_bar_is_of_speed_and_of_sameness():
    row = {
        "ours_s": 1.0, "theirs_s": 40.0, "times": {"median": 40.0, "low": 39.0, "high": 41.0}, "peer": "TVB 0",
        "bar": 30.0, "reached": True, "equal": {"reached": False},
    }  # fmt: skip
    other = row | {"equal": {"reached": True}}
    said = verdicts({"jansen_rit": row, "epileptor": other})
    assert said[0].endswith("not reached")
    assert said[1].endswith(": reached")
