"""What a recipe says about the session itself: who, where it is recorded, how its processes run."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt

from bmi.limits import DEADMAN_S


@dataclass(kw_only=True)
class SessionNode:
    """Who and what this session is."""

    name: str
    """Name of the session; recordings are filed under it."""
    seed: Annotated[int, Ge(0)] = 0
    """Seed of everything random."""
    permute_channels: bool = False
    """Negative control: the decoder learns with its channels permuted and must fail."""

    def __post_init__(self) -> None:
        if not self.name or self.name in (".", "..") or set(self.name) & set("/\\\0"):
            raise ValueError(f"name: names a folder, so it holds no slash, backslash or NUL; given {self.name!r}")


@dataclass(kw_only=True)
class RecordNode:
    """Where recordings go."""

    dir: str = "recordings"
    """Folder; one sub-folder a session."""
    ring_s: Annotated[float, Gt(0)] = 4.0
    """How long the recorder may be away before samples are lost (and counted), s."""


@dataclass(kw_only=True)
class LaneNode:
    """How the live thread runs."""

    cpu: int | None = None
    """Processor to pin the live process to; None pins to the last one allowed, -1 does not pin."""
    fifo: bool = True
    """Ask for SCHED_FIFO where permitted."""
    poll_s: Annotated[float, Gt(0), typing.Any] = 0.005
    """How long a read may wait before STOP and the watchdogs are looked at, s; at most 0.005."""

    def __post_init__(self) -> None:
        if self.poll_s > 0.005:
            raise ValueError(f"poll_s is at most 0.005 s (STOP must act within 50 ms), given {self.poll_s}")


@dataclass(kw_only=True)
class GuardNode:
    """The process that stops the device when the live one cannot."""

    deadman_s: Annotated[float, Gt(0)] = DEADMAN_S
    """Silence of the live process after which the device is stopped, s; at most 0.08."""

    def __post_init__(self) -> None:
        if self.deadman_s > DEADMAN_S:
            raise ValueError(
                f"deadman_s={self.deadman_s:g} s: configuration can only make the house's limit of {DEADMAN_S:g} s "
                "stricter. Lower it or leave it out"
            )


@dataclass(kw_only=True)
class MarkersNode:
    """A marker stream to hear: text without a rate, e.g. from a stimulus program. It is recorded and announced."""

    name: str = ""
    """LSL name to look for; may stay empty if ``type`` or ``source_id`` is enough."""
    type: str = "Markers"
    """LSL content type to look for."""
    source_id: str = ""
    """LSL source id to look for."""
