"""Recordings from whatever file they come in; one file a format, found through `bmi.registry`.

`read` gives binned counts beside kinematics, what an offline evaluation starts from; `read_streams` gives the
streams of a recording, samples and markers with their stamps.
"""

from bmi.formats.binned import BinnedRecording, read
from bmi.formats.streams import RecordedStream, StreamsRecording, read_streams

__all__ = ["BinnedRecording", "RecordedStream", "StreamsRecording", "read", "read_streams"]
