"""Markers: texts with a time, as LSL carries them: an irregular stream of one string channel."""

from __future__ import annotations

import pylsl

from bmi.errors import StreamError


class MarkerOutlet:
    """Publish texts, each with its own time.

    Parameters
    ----------
    name : str
        Name of the stream.
    source_id : str
        Stable across restarts; ``bmi:<type>:<name>`` if empty, for without one liblsl cannot reconnect.
    type : str
        LSL content type.
    """

    def __init__(self, name: str, source_id: str = "", *, type: str = "Markers") -> None:
        self.name = name
        info = pylsl.StreamInfo(name, type, 1, 0.0, pylsl.cf_string, source_id or f"bmi:{type}:{name}")
        try:
            self._outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(info)
        except RuntimeError as e:
            raise StreamError(
                f"markers {name!r}: liblsl could not create the outlet ({e}); bmi doctor ports tells why"
            ) from e

    def push(self, text: str, t: float) -> None:
        """Send one marker that happened at ``t``, s, LSL clock."""
        if self._outlet is None:
            raise StreamError(f"markers {self.name!r}: push() after close()")
        self._outlet.push_sample([text], t)

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """Return True once somebody listens, False after ``timeout_s``."""
        return self._outlet is not None and bool(self._outlet.wait_for_consumers(timeout_s))

    def close(self) -> None:
        """Leave the network; idempotent."""
        self._outlet = None

    def __enter__(self) -> MarkerOutlet:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
