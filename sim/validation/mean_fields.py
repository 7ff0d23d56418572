"""Acceptance figures of the other neural masses, W1."""

from __future__ import annotations

from sim.validation import Check

CHECKS: tuple[Check, ...] = ()
