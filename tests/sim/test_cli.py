"""``bmi sim``: figures with their verdict, as a table, as JSON, as a page; wrong rows are named."""

from __future__ import annotations

import json
import sys

import pytest
from typer.testing import CliRunner

from bmi.cli import app
from bmi.errors import ContractError, PluginError
from sim import validation
from sim.validation import Check, between, holds, near, said

RUNNER = CliRunner()
GOOD = near("Q1", "a rate", 10.0, 10.4, 0.5, unit="Hz", source="a paper")
BAD = between("Q2", "a share", 0.2, 0.3, 0.31, source="an identity")


@pytest.fixture
def figures(monkeypatch):
    """Put two small checks in the place of the simulator's own."""
    found = [Check("Q1", "good", 0.1, lambda: iter([GOOD])), Check("Q2", "bad", 0.1, lambda: iter([BAD]))]
    monkeypatch.setattr(validation, "_all", lambda: found)


@pytest.mark.usefixtures("figures")
class TestValidate:
    def test_within_tolerance_is_exit_0_and_out_of_it_1(self):
        assert RUNNER.invoke(app, ["sim", "validate", "Q1"]).exit_code == 0
        told = RUNNER.invoke(app, ["sim", "validate", "q1", "q2"])
        assert told.exit_code == 1
        assert "1 of 2 figures within tolerance" in told.output

    def test_json_holds_every_column(self):
        rows = json.loads(RUNNER.invoke(app, ["sim", "validate", "--json"]).output)
        assert [r["row"] for r in rows] == ["Q1", "Q2"]
        assert rows[0] == {
            "row": "Q1", "what": "a rate", "target": "10 Hz", "obtained": "10.4 Hz", "tolerance": "±0.5 Hz",
            "source": "a paper", "passed": True,
        }  # fmt: skip

    def test_the_page_holds_every_row(self, tmp_path):
        page = tmp_path / "validation.md"
        RUNNER.invoke(app, ["sim", "validate", "--markdown", str(page)])
        assert "| Q1 | a rate | 10 Hz | 10.4 Hz | ±0.5 Hz | a paper | ✓ |" in page.read_text()
        assert "**✗**" in page.read_text()

    def test_an_unknown_row_is_named_and_nothing_runs(self):
        told = RUNNER.invoke(app, ["sim", "validate", "Q9"])
        assert isinstance(told.exception, ContractError)
        assert "no row Q9; there are Q1, Q2" in str(told.exception)

    def test_a_library_that_is_missing_is_told_before_anything_runs(self, monkeypatch):
        ran = []
        monkeypatch.setitem(sys.modules, "networkx", None)
        found = [
            Check("Q1", "first", 0.1, lambda: iter([ran.append("Q1") or GOOD])),
            Check("Q2", "second", 0.1, lambda: iter([BAD]), needs="networkx"),
            Check("Q3", "third", 0.1, lambda: iter([GOOD]), needs="matplotlib"),
        ]
        monkeypatch.setattr(validation, "_all", lambda: found)
        told = RUNNER.invoke(app, ["sim", "validate"])
        assert isinstance(told.exception, PluginError)
        assert "sim validate Q2: expected networkx, found none" in str(told.exception)
        assert not ran
        assert RUNNER.invoke(app, ["sim", "validate", "Q1", "Q3"]).exit_code == 0


class TestRows:
    @pytest.mark.parametrize(("obtained", "passed"), [(9.0, True), (11.0, True), (11.01, False), (float("nan"), False)])
    def test_near_is_within_the_tolerance(self, obtained, passed):
        assert near("Q", "x", 10.0, obtained, 1.0, source="s").passed is passed
        assert near("Q", "x", 10.0, obtained, 0.1, source="s", relative=True).passed is passed

    @pytest.mark.parametrize(("low", "high", "target"), [(1, float("inf"), "at least 1 s"), (1, 2, "1 to 2 s")])
    def test_between_says_its_bounds(self, low, high, target):
        row = between("Q", "x", low, high, 1.5, unit="s", source="s")
        assert (row.target, row.passed) == (target, True)
        assert not between("Q", "x", low, high, 0.9, source="s").passed
        assert not between("Q", "x", low, high, float("nan"), source="s").passed

    def test_holds_is_what_it_is_told(self):
        assert not holds("Q", "x", "true", "false", False, source="s").passed

    def test_figures_have_six_digits_and_a_unit(self):
        assert (said(0.1234567, "mV"), said(3.0)) == ("0.123457 mV", "3")
