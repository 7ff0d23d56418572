"""Checks for authors of plug-ins: does a part keep the promises of ``bmi.contracts``?

Each raises with the broken promise in words, so a plug-in's whole test file can be three lines::

    from bmi.testing import check_device

    def test_my_hand():
        check_device(MyHand)
"""

from bmi.testing.clicks import check_click
from bmi.testing.controllers import check_controller
from bmi.testing.decoders import check_decoder
from bmi.testing.devices import check_device
from bmi.testing.sources import check_source
from bmi.testing.stages import check_stage

__all__ = ["check_click", "check_controller", "check_decoder", "check_device", "check_source", "check_stage"]
