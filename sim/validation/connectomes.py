"""Acceptance figures of connectomes and their files, I5."""

from __future__ import annotations

from sim.validation import Check

CHECKS: tuple[Check, ...] = ()
