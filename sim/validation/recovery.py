"""Acceptance figures of stroke and rehabilitation, D-STR."""

from __future__ import annotations

from sim.validation import Check

CHECKS: tuple[Check, ...] = ()
