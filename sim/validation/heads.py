"""Acceptance figures of EEG and MEG, S1."""

from __future__ import annotations

from sim.validation import Check

CHECKS: tuple[Check, ...] = ()
