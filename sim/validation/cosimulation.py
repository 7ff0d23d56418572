"""Acceptance figures of spikes and masses side by side, W4."""

from __future__ import annotations

from sim.validation import Check

CHECKS: tuple[Check, ...] = ()
