"""StreamSpec and pylsl's StreamInfo: what a stream says about itself on the network.

Our own outlets add a ``bmi`` node to the description, with the number of samples they push at a time, and a
last channel labelled ``bmi:seq`` that numbers the samples. Strangers' streams are read by the XDF
conventions: ``channels/channel/{label,unit}``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pylsl
from pylsl.lib import fmt2string

from bmi.signals import SEQ_LABEL, StreamSpec

_UNITS = {
    "microvolts": "µV", "microvolt": "µV", "uV": "µV", "μV": "µV",
    "millivolts": "mV", "millivolt": "mV", "volts": "V", "volt": "V",
    "counts": "count", "spikes": "count", "none": "1", "a.u.": "1", "au": "1",
}  # fmt: skip
"""Spellings met in the wild, and ours; the Greek mu and the micro sign look alike."""


class Offer(NamedTuple):
    """One stream as it was found on the network."""

    spec: StreamSpec
    wire_format: str
    """Number format on the wire: ``float32``, ``int16`` …"""
    n_wire_channels: int
    """Channels on the wire, the sequence channel included."""
    uid: str
    """Different at every start of the sender."""
    created_at: float
    """When its sender started it, s, the sender's clock."""
    samples_per_push: int
    """Samples that travel together; 0 if the sender does not say."""
    info: pylsl.StreamInfo

    def __str__(self) -> str:
        s = self.spec
        rate = f"{s.rate_hz:g} Hz" if s.rate_hz else "irregular"
        return (
            f"name {self.info.name()!r}, type {s.type!r}, source_id {s.source_id!r}, "
            f"{s.n_channels} channels, {rate}, unit {s.unit or 'not declared'}, {self.wire_format}, "
            f"on {s.hostname or '?'}"
        )


def canonical_unit(unit: str) -> str:
    """Return the house spelling of a unit: ``microvolts`` → ``µV``."""
    return _UNITS.get(unit, unit)


def to_info(spec: StreamSpec, samples_per_push: int, units: tuple[str, ...] = ()) -> pylsl.StreamInfo:
    """Return the StreamInfo our outlets publish for ``spec``, sequence channel included.

    ``units`` names a unit per channel where they differ; ``spec.unit`` then is ``mixed``.
    """
    source_id = spec.source_id or f"bmi:{spec.type}:{spec.name}"
    info = pylsl.StreamInfo(spec.name, spec.type, spec.n_channels + 1, spec.rate_hz, "float32", source_id)
    desc = info.desc()
    node = desc.append_child("bmi")
    node.append_child_value("samples_per_push", str(samples_per_push))
    node.append_child_value("unit", spec.unit)
    node.append_child_value("sequence", "1")
    channels = desc.append_child("channels")
    units = units or (spec.unit,) * spec.n_channels
    labels = spec.labels or tuple(f"ch{i}" for i in range(spec.n_channels))
    for label, unit in zip((*labels, SEQ_LABEL), (*units, "1"), strict=True):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
        channel.append_child_value("type", spec.type)
    return info


def to_offer(info: pylsl.StreamInfo) -> Offer:
    """Return what ``info`` says; labels and unit only if it is a full one (from an inlet)."""
    desc = info.desc()
    labels, units = _channels(desc)
    n_wire = info.channel_count()
    has_seq = len(labels) == n_wire and n_wire > 1 and labels[-1] == SEQ_LABEL
    n = n_wire - has_seq
    node = desc.child("bmi")
    push = node.child_value("samples_per_push")
    declared = {canonical_unit(u) for u in units[:n] if u}
    unit = canonical_unit(node.child_value("unit")) or (declared.pop() if len(declared) == 1 else "")
    spec = StreamSpec(
        name=info.name(),
        n_channels=n,
        rate_hz=info.nominal_srate(),
        unit=unit,
        type=info.type(),
        labels=tuple(labels[:n]) if len(labels) == n_wire else (),
        source_id=info.source_id(),
        hostname=info.hostname(),
        has_seq=has_seq,
    )
    per_push = int(push) if push.isdecimal() else 0
    return Offer(
        replace(spec, max_samples=max(1, per_push)),
        fmt2string[info.channel_format()],
        n_wire,
        info.uid(),
        info.created_at(),
        per_push,
        info,
    )


def _channels(desc: Any) -> tuple[list[str], list[str]]:
    labels, units = [], []
    channel = desc.child("channels").child("channel")
    while not channel.empty():
        labels.append(channel.child_value("label"))
        units.append(channel.child_value("unit"))
        channel = channel.next_sibling("channel")
    return labels, units


def full_offer(offer: Offer, timeout_s: float) -> Offer | None:
    """Ask the sender for its whole description; None if it does not answer within ``timeout_s``."""
    try:
        inlet = pylsl.StreamInlet(offer.info, max_buflen=1, recover=False)
        return to_offer(inlet.info(timeout_s))
    except (RuntimeError, OSError):  # pylsl's own TimeoutError and LostError are RuntimeErrors
        return None


def find(wanted: Mapping[str, str], timeout_s: float, minimum: int = 1) -> list[Offer]:
    """Return the streams that match every word of ``wanted`` that is not empty.

    Keys are fields of a StreamInfo (``name``, ``type``, ``source_id``). Returns once ``minimum`` are there.
    """
    query = " and ".join(f"{key}={_quoted(value)}" for key, value in wanted.items() if value)
    return [to_offer(i) for i in pylsl.resolve_bypred(query, minimum, timeout_s)]


def survey(wanted: Mapping[str, str], seconds: float) -> list[Offer]:
    """Return every stream that matches ``wanted`` and answers within ``seconds``; takes that long."""
    return find(wanted, seconds, minimum=1 << 20)


def _quoted(value: str) -> str:
    """Return ``value`` as an XPath string; XPath 1.0 cannot escape quotes, only choose the other kind."""
    return f'"{value}"' if "'" in value else f"'{value}'"


def discover(timeout_s: float = 1.0) -> list[StreamSpec]:
    """Return every stream the network shows within ``timeout_s``, sorted by name."""
    return [offer.spec for offer in discover_offers(timeout_s)]


def discover_offers(timeout_s: float = 1.0) -> list[Offer]:
    """Return every stream on the network with its description where the sender answers."""
    offers = [to_offer(i) for i in pylsl.resolve_streams(timeout_s)]
    return sorted((full_offer(o, 0.5) or o for o in offers), key=lambda o: (o.spec.name, o.spec.type, o.uid))


def difference(bound: Offer, found: Offer, *, described: bool, leave_out: Collection[str] = ()) -> str:
    """Name what ``found`` is or promises otherwise than ``bound``; empty if nothing.

    ``described`` says that ``found`` carries its description, so that labels and unit can be compared;
    ``leave_out`` names what may differ.
    """
    old, new = bound.spec, found.spec
    pairs: list[tuple[str, Any, Any]] = [
        ("name", bound.info.name(), found.info.name()),
        ("type", old.type, new.type),
        ("source_id", old.source_id, new.source_id),
        ("host", old.hostname, new.hostname),
        ("channels", bound.n_wire_channels, found.n_wire_channels),
        ("rate_hz", old.rate_hz, new.rate_hz),
        ("format", bound.wire_format, found.wire_format),
    ]
    if described:
        pairs += [
            ("unit", old.unit, new.unit),
            ("labels", old.labels, new.labels),
            ("sequence channel", old.has_seq, new.has_seq),
            ("samples per push", bound.samples_per_push, found.samples_per_push),
        ]
    changed = [(what, a, b) for what, a, b in pairs if a != b and what not in leave_out]
    return "; ".join(f"{what} was {_short(a, b)}, is now {_short(b, a)}" for what, a, b in changed)


def _short(value: Any, other: Any) -> str:
    """Return ``value`` in few words; of a long list, from where it begins to differ from the ``other``."""
    if isinstance(value, tuple) and isinstance(other, tuple):
        first = next((i for i, (a, b) in enumerate(zip(value, other, strict=False)) if a != b), 0)
        more = ", …" if len(value) > first + 3 else ""
        value = ", ".join(map(repr, value[first : first + 3])) + more
        text = f"{value or 'not declared'}" + (f" (from the {first + 1}. on)" if first else "")
    else:
        text = f"{value:g}" if isinstance(value, float) else repr(value) if value != "" else "not declared"
    return text if len(text) <= 80 else text[:79] + "…"
