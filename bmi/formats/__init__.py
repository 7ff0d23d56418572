"""Binned recordings, from whatever file they come in; one file a format, found through `bmi.registry`."""

from bmi.formats.binned import BinnedRecording, read

__all__ = ["BinnedRecording", "read"]
