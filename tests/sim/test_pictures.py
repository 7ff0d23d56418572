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


def test_a_quick_one_is_drawn(tmp_path):
    path = tmp_path / "page.png"
    told = json.loads(RUNNER.invoke(app, ["sim", "show", "cable", "--out", str(path), "--json"]).output)
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
