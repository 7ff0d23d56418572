"""Acceptance figures of local field potentials, S2."""

from __future__ import annotations

from sim.validation import Check

CHECKS: tuple[Check, ...] = ()
