"""Acceptance figures of adaptive deep brain stimulation, C9."""

from __future__ import annotations

from sim.validation import Check

CHECKS: tuple[Check, ...] = ()
