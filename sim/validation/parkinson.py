"""Acceptance figures of dopamine loss, D-PD."""

from __future__ import annotations

from sim.validation import Check

CHECKS: tuple[Check, ...] = ()
