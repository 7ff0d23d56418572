"""Acceptance figures of the spike recording chain, S3."""

from __future__ import annotations

from sim.validation import Check

CHECKS: tuple[Check, ...] = ()
