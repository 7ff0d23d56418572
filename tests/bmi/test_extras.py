"""Libraries beyond the core's: there, or told with the words that install them."""

import sys
import tomllib
from pathlib import Path

import pytest

from bmi.errors import PluginError
from bmi.extras import EXTRAS, extra

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("library", EXTRAS)
def test_the_extra_named_brings_the_library_and_the_core_does_not(library):
    assert any(wanted.startswith(library) for wanted in PROJECT["optional-dependencies"][EXTRAS[library]])
    assert not any(wanted.startswith(library) for wanted in PROJECT["dependencies"])


def test_a_module_of_an_installed_library_is_returned():
    assert extra("networkx.algorithms", "a test") is sys.modules["networkx.algorithms"]


@pytest.mark.parametrize("module", ["networkx", "networkx.algorithms"])
def test_a_missing_one_says_who_needs_what_and_how_to_install_it(module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(PluginError) as told:
        extra(module, "network measures")
    assert str(told.value) == (
        "network measures: expected networkx, found none; install it with: pip install 'multiscale-bmi[graphs]'"
    )
