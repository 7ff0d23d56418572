"""What a stream says about itself survives the network."""

from __future__ import annotations

import subprocess
import sys

import pylsl
import pytest

from bmi.lsl.info import canonical_unit, difference, discover, to_info, to_offer
from bmi.lsl.outlet import Outlet


def test_a_spec_survives_the_way_to_a_stream_info_and_back(make_spec):
    spec = make_spec(labels=("a", "b", "ç", "d"), source_id="amp-1")
    offer = to_offer(to_info(spec, 30))
    assert offer.samples_per_push == offer.spec.max_samples == 30
    assert offer.n_wire_channels == 5
    assert offer.wire_format == "float32"
    assert offer.spec.has_seq
    for field in ("name", "n_channels", "rate_hz", "unit", "type", "labels", "source_id"):
        assert getattr(offer.spec, field) == getattr(spec, field), field


def test_a_source_id_is_made_up_when_missing_so_that_receivers_can_reconnect(make_spec, name):
    assert to_info(make_spec(), 1).source_id() == f"bmi:test:{name}"


def test_a_strangers_stream_is_read_by_the_xdf_conventions():
    info = pylsl.StreamInfo("eeg", "EEG", 2, 250.0, "int16", "amp")
    channels = info.desc().append_child("channels")
    for label in ("C3", "C4"):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", "microvolts")
    offer = to_offer(info)
    assert (offer.spec.labels, offer.spec.unit, offer.wire_format) == (("C3", "C4"), "µV", "int16")
    assert not offer.spec.has_seq
    assert offer.samples_per_push == 0


def test_a_stream_that_declares_nothing_is_still_described():
    offer = to_offer(pylsl.StreamInfo("bare", "", 3, 0.0, "double64", ""))
    assert (offer.spec.n_channels, offer.spec.unit, offer.spec.labels) == (3, "", ())
    assert "irregular" in str(offer)
    assert "unit not declared" in str(offer)


@pytest.mark.parametrize("spelling", ["microvolts", "uV", "μV", "µV"])
def test_spellings_of_a_unit_are_one(spelling):
    assert canonical_unit(spelling) == "µV"


def test_a_difference_is_named_and_equality_is_silent(make_spec):
    bound = to_offer(to_info(make_spec(), 1))
    assert difference(bound, to_offer(to_info(make_spec(), 1)), described=True) == ""
    other = to_offer(to_info(make_spec(rate_hz=500.0, unit="mV"), 1))
    assert difference(bound, other, described=True) == "rate_hz was 1000, is now 500; unit was 'µV', is now 'mV'"
    assert "unit" not in difference(bound, other, described=False)


def test_discover_lists_what_is_on_the_network(make_spec, name):
    with Outlet(make_spec(), 5):
        (found,) = [s for s in discover(0.5) if s.name == name]
    assert (found.n_channels, found.unit, found.rate_hz, found.has_seq) == (4, "µV", 1000.0, True)


def test_another_session_does_not_see_our_streams(make_spec, name, tmp_path):
    code = (
        "import os, sys, pathlib\n"
        "from bmi.lsl.config import private_lsl_config\n"
        "os.environ.update(private_lsl_config(pathlib.Path(sys.argv[1])))\n"
        "from bmi.lsl.info import discover\n"
        "print(len(discover(0.5)))\n"
    )
    with Outlet(make_spec()):
        argv = [sys.executable, "-c", code, str(tmp_path)]
        assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "0\n"
