"""Acceptance figures of the alpha and mu rhythm, W5."""

from __future__ import annotations

from sim.validation import Check

CHECKS: tuple[Check, ...] = ()
