"""The simulator's bench: peers are found or said to be missing, figures have their parts, every component is in it."""

import ast
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from figures import measured
from typer.testing import CliRunner

from bmi.cli import app
from bmi.errors import ContractError
from sim.bench import PARTS, PEERS, chosen, interpreters, measure, show
from sim.bench.costs import FACTORIES, cost
from sim.bench.networks import Peer, _told
from sim.bench.scaling import INPUTS, size
from sim.component import Component

SIM = Path(__file__).parents[2] / "sim"

PEER = """
import json, sys
print(json.dumps({"peer": "Brian2 0", "precision": sys.argv[2]}), flush=True)
for i, _ in enumerate(sys.stdin):
    print("a warning", flush=True)
    print(json.dumps({"wall_s": 0.5 + i, "rate_hz": 5.0}), flush=True)
"""


def test_who_has_a_peer_is_told_or_found(tmp_path):
    assert interpreters(["brian2=" + sys.executable])["brian2"] == sys.executable
    for wrong, told in (
        ("neuron=" + sys.executable, "NAME brian2 or jaxley"),
        ("brian2", "expected NAME=PYTHON"),
        (f"jaxley={tmp_path / 'python'}", "is no program"),
    ):
        with pytest.raises(ContractError, match=told):
            interpreters([wrong])


def test_parts_are_in_order_and_known():
    assert chosen([]) == PARTS
    assert chosen(["costs", "cable"]) == ("cable", "costs")
    with pytest.raises(ContractError, match="there are networks"):
        chosen(["speed"])


def test_a_peer_runs_once_for_every_line(monkeypatch, tmp_path):
    script = tmp_path / "peer.py"
    script.write_text(PEER)
    monkeypatch.setattr("sim.bench.networks.PEER", script)
    peer = Peer(sys.executable, "cuba", "double")
    assert peer.name == "Brian2 0"
    assert [peer.run(), peer.run()] == [(0.5, 5.0), (1.5, 5.0)]
    peer.close()


def test_a_peer_that_cannot_run_says_why(monkeypatch, tmp_path):
    script = tmp_path / "peer.py"
    script.write_text("raise SystemExit('no compiler')")
    monkeypatch.setattr("sim.bench.networks.PEER", script)
    with pytest.raises(ContractError, match=r"could not run peer\.py.*no compiler"):
        Peer(sys.executable, "cuba", "double")


def test_a_ratio_is_of_neighbours_in_time():
    ours = np.array([[1.0, 5.0], [2.0, 5.2], [1.0, 5.1]])
    theirs = np.array([[3.0, 5.1], [6.0, 5.0], [5.0, 5.2]])
    told = _told("cuba", {"ours": ours, "brian2": theirs}, {"brian2": "Brian2 0"})
    assert told["brian2"]["times"] == {"median": 3.0, "low": 3.0, "high": 5.0}
    assert told["brian2"]["rates_p"] == pytest.approx(1.0)
    assert told["reached"]
    assert not _told("cobahh", {"ours": ours, "brian2": theirs}, {"brian2": "Brian2 0"})["reached"]
    alone = _told("cuba", {"ours": ours}, {})
    assert "reached" not in alone
    show({"peers": {"brian2": "not installed"}, "networks": {"cuba": told}})


def test_memory_is_counted():
    row = size(1000)
    assert row["synapses"] == 1000 * INPUTS
    assert 4.0 <= row["bytes_synapse"] < 4.2
    assert 24.0 <= row["bytes_neuron"] < 40.0
    assert row["ns_neuron_step"] > 0.0
    assert json.loads(json.dumps(row)) == row


def test_a_cost_is_of_blocks_of_ten_milliseconds():
    found = cost(FACTORIES["100 LIF with noise"](), 20)
    assert found["block_p99_ms"] >= found["block_p50_ms"] > 0.0
    assert found["measured"] == pytest.approx(0.1 * found["block_p50_ms"], rel=0.9)


def test_every_component_of_the_simulator_is_in_it():
    here = {type(factory()).__name__ for factory in FACTORIES.values()}
    assert all(isinstance(factory(), Component) for factory in FACTORIES.values())
    there = set()
    for path in SIM.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name != "Component":
                methods = {n.name for n in node.body if isinstance(n, ast.FunctionDef)}
                if {"bind", "receive", "step", "state", "reset"} <= methods:
                    there.add(node.name)
    assert there == here


def test_the_command_prints_one_json_and_gives_the_processor_back():
    allowed = os.sched_getaffinity(0)
    result = measure({}, (), 2, True)
    assert result["peers"] == dict.fromkeys(PEERS, "not installed")
    done = CliRunner().invoke(app, ["bench", "simulator", "--part", "none"])
    assert isinstance(done.exception, ContractError)
    assert os.sched_getaffinity(0) == allowed


@pytest.mark.bars
def test_every_component_costs_no_more_than_declared():
    for name, factory in FACTORIES.items():
        found = cost(factory(), 200)
        measured(f"cost of {name}, core-s/s", found["measured"])
        assert found["measured"] < 3.0 * found["declared"], name
