"""Acceptance figures of BOLD, S4."""

from __future__ import annotations

from sim.validation import Check

CHECKS: tuple[Check, ...] = ()
