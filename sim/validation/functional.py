"""Acceptance figures of functional connectivity, W7."""

from __future__ import annotations

from sim.validation import Check

CHECKS: tuple[Check, ...] = ()
