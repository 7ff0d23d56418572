"""From what a recipe asks for to the one stream that answers it, or a message that lists what was there."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from typing import Literal, NamedTuple

from bmi.errors import ContractError, StreamNotFound
from bmi.lsl.info import Offer, canonical_unit, difference, discover_offers, find, full_offer

_log = logging.getLogger(__name__)

_RIVALS_S = 0.15  # how long a second stream of the same description may take to show itself


class Rules(NamedTuple):
    """Whom a source may listen to."""

    hosts: tuple[str, ...] = ()
    """Machines allowed; empty: any at first, afterwards the one that was opened."""
    source_ids: tuple[str, ...] = ()
    """Source ids allowed; empty: likewise."""
    duplicates: Literal["refuse", "follow"] = "refuse"
    """What becomes of a sender that was there beside the one that was opened, when that one dies."""

    def refusal(self, offer: Offer) -> str:
        """Say why ``offer`` is not on the lists; empty if it is."""
        said = []
        if self.hosts and offer.spec.hostname not in self.hosts:
            said.append(f"host {offer.spec.hostname!r} is not among the allowed {', '.join(map(repr, self.hosts))}")
        if self.source_ids and offer.spec.source_id not in self.source_ids:
            known = ", ".join(map(repr, self.source_ids))
            said.append(f"source_id {offer.spec.source_id!r} is not among the allowed {known}")
        return "; ".join(said)

    def change(self, bound: Offer, found: Offer, *, described: bool) -> str:
        """Name what ``found`` is or promises otherwise than ``bound``, and why it is not allowed; empty if nothing."""
        free = [what for what, names in (("host", self.hosts), ("source_id", self.source_ids)) if names]
        words = (self.refusal(found), difference(bound, found, described=described, leave_out=free))
        return "; ".join(w for w in words if w)


def resolve(label: str, wanted: Mapping[str, str], timeout_s: float, rules: Rules) -> tuple[Offer, int]:
    """Return the stream that matches every word of ``wanted`` (``name``, ``type``, ``source_id``), and its twins.

    Streams equal in everything but their start are one sender started twice: the newest is taken, and the
    number of the others returned.

    Raises
    ------
    ContractError
        Nothing to look for, or the stream carries strings.
    StreamNotFound
        None that is allowed within ``timeout_s``, or several different ones; lists what was found.
    """
    words = ", ".join(f"{key} {value!r}" for key, value in wanted.items() if value)
    if not words:
        raise ContractError("an LSL source needs a name, a type or a source_id to look for")
    t_end = time.monotonic() + timeout_s
    offers = find(wanted, timeout_s)
    if not offers:
        raise StreamNotFound(
            f"source {label!r}: no LSL stream with {words} within {timeout_s:g} s. "
            f"On the network:{_listed(discover_offers(1.0))}\n"
            "Start the sender, or correct the recipe to one of these."
        )
    while True:
        offers = find(wanted, _RIVALS_S, minimum=len(offers) + 1) or offers
        allowed = [o for o in offers if not rules.refusal(o)]
        if allowed or time.monotonic() >= t_end:
            break
    if not allowed:
        refused = "".join(f"\n  {o}: {rules.refusal(o)}" for o in offers)
        raise StreamNotFound(
            f"source {label!r}: what answers to {words} is not allowed:{refused}\n"
            "Correct hosts or source_ids in the recipe, or find out who is sending there."
        )
    newest = max(allowed, key=lambda o: o.created_at)
    if len(allowed) > 1:
        described = [full_offer(o, 1.0) or o for o in allowed]
        if len(set(map(str, described))) > 1:
            raise StreamNotFound(
                f"source {label!r}: {len(allowed)} LSL streams with {words}; say which:{_listed(described)}\n"
                "Add name, type, source_id or hosts to the recipe until one remains."
            )
        _log.warning("source %r: %d identical streams, taking the newest: %s", label, len(allowed), newest)
    if newest.wire_format == "string":
        raise ContractError(
            f"source {label!r}: {newest} carries strings; samples must be numbers. "
            "Text is heard as markers: [{name: …}]"
        )
    return newest, len(allowed) - 1


def check(label: str, bound: Offer, unit: str | None, n_channels: int | None, rate_hz: float | None) -> None:
    """Compare a stream with what the recipe counts on. Raises ContractError naming both."""
    spec, where = bound.spec, f"source {label!r}"
    if unit and not spec.unit:
        _log.warning("%s: the stream declares no unit; taking the recipe's %r", where, unit)
    elif unit and canonical_unit(unit) != spec.unit:
        raise ContractError(
            f"{where}: the recipe counts on unit {unit!r}, the stream declares {spec.unit!r}; "
            "correct the recipe or the sender"
        )
    if n_channels is not None and n_channels != spec.n_channels:
        raise ContractError(
            f"{where}: the recipe counts on {n_channels} channels, the stream has {spec.n_channels}; "
            "correct the recipe or the sender"
        )
    if rate_hz is not None and not math.isclose(rate_hz, spec.rate_hz, rel_tol=1e-6):
        raise ContractError(
            f"{where}: the recipe counts on {rate_hz:g} Hz, the stream declares {spec.rate_hz:g} Hz; "
            "correct the recipe or the sender"
        )


def _listed(offers: list[Offer]) -> str:
    return "".join(f"\n  {o}" for o in offers) or " nothing"
