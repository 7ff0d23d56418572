"""Acceptance figures."""

from __future__ import annotations

from sim.validation import Check

CHECKS: tuple[Check, ...] = ()
