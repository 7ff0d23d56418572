"""Acceptance figures of seizures, D-EP1 to D-EP3."""

from __future__ import annotations

from sim.validation import Check

CHECKS: tuple[Check, ...] = ()
