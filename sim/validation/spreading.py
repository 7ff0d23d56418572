"""Acceptance figures of misfolded proteins and what they do to activity, D-AD1 and D-AD2."""

from __future__ import annotations

from sim.validation import Check

CHECKS: tuple[Check, ...] = ()
