"""``bmi sim show``: a page a component, really drawn; wrong names and places are told."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from bmi.cli import app
from bmi.errors import ContractError
from sim import pictures

RUNNER = CliRunner()
PNG = b"\x89PNG\r\n\x1a\n"


def test_without_a_name_it_says_what_there_is():
    told = RUNNER.invoke(app, ["sim", "show", "--json"])
    assert json.loads(told.output) == pictures.names()
    assert {"cells", "tissue", "basal-ganglia"} <= set(pictures.names())


@pytest.mark.parametrize("given", ["page.png", "page"])
def test_a_quick_one_is_drawn_where_it_says(given, tmp_path):
    path = tmp_path / "page.png"
    told = json.loads(RUNNER.invoke(app, ["sim", "show", "cable", "--out", str(tmp_path / given), "--json"]).output)
    assert told["file"] == str(path)
    assert path.read_bytes().startswith(PNG)
    assert path.stat().st_size > 20_000


@pytest.mark.bars
@pytest.mark.parametrize("name", pictures.names())
def test_every_one_is_drawn(name, tmp_path):
    assert pictures.show(name, tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 20_000


def test_a_wrong_name_gets_the_nearest(tmp_path):
    with pytest.raises(ContractError, match=r"no component 'tisue'; did you mean 'tissue'\?; there are cells, cable"):
        pictures.show("tisue", tmp_path / "page.png")


@pytest.mark.parametrize("where", ["page.docx", "nowhere/page.png"])
def test_a_file_that_cannot_be_written_is_told(where, tmp_path):
    with pytest.raises(ContractError, match=r"cannot write .*; give a png, svg or pdf in a folder there is"):
        pictures.show("drugs", tmp_path / where)


@pytest.mark.parametrize("where", ["page.docx", "nowhere/page.png", "nowhere/page"])
@pytest.mark.parametrize("command", [["show", "tissue"], ["story", "year"]])
def test_it_is_told_before_the_long_work(command, where, tmp_path):
    told = RUNNER.invoke(app, ["sim", *command, "--out", str(tmp_path / where)])
    assert isinstance(told.exception, ContractError)
    assert "give a png, svg or pdf in a folder there is" in str(told.exception)
