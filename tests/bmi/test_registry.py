"""Parts are met by name, through the door strangers use."""

from importlib.metadata import EntryPoint

import pytest

from bmi import registry
from bmi.errors import PluginError

OURS = [
    (kind, name)
    for kind in registry.KINDS
    for name in registry.names(kind)
    if registry.origin(kind, name)[1] == "multiscale-bmi"
]


@pytest.mark.parametrize(("kind", "name"), OURS, ids=lambda v: v)
def test_everything_registered_imports(kind, name):
    assert callable(registry.load(kind, name))


def test_what_this_project_registers_is_there():
    promised = {("tasks", "centre-out"), ("decoders", "kalman"), ("devices", "cursor"), ("sources", "lsl")}
    assert promised <= set(OURS)


def test_the_origin_of_a_part_is_known_without_importing_it():
    assert registry.origin("decoders", "kalman") == ("decoders.kalman:Kalman", "multiscale-bmi")


def test_names_are_sorted():
    assert registry.names("stages") == sorted(registry.names("stages"))


def test_a_typo_is_met_with_the_nearest_name():
    with pytest.raises(PluginError, match=r"no decoder is called 'kalmann'; did you mean 'kalman'\?.*ridge"):
        registry.load("decoders", "kalmann")


def test_nothing_near_offers_everything_there_is():
    with pytest.raises(PluginError, match=r"no device is called 'qqq' \(registered: .*cursor.*null"):
        registry.load("devices", "qqq")


def test_an_unknown_kind_is_refused():
    with pytest.raises(PluginError, match="no such kind of plug-in: 'robots'"):
        registry.names("robots")


@pytest.mark.parametrize("reference", ["no_such_module_of_ours:Thing", "bmi.errors:NoSuchThing"])
def test_a_part_that_does_not_import_names_the_cause_and_where_it_is_from(reference, monkeypatch):
    broken = EntryPoint("broken", reference, "bmi.devices")
    monkeypatch.setitem(registry._group("devices"), "broken", broken)
    with pytest.raises(PluginError, match=f"'broken' \\({reference}, from .*does not import") as caught:
        registry.load("devices", "broken")
    assert isinstance(caught.value.__cause__, ImportError | AttributeError)
