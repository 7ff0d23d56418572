"""Acceptance figures of the neural masses W1 and the network of them W2."""

from __future__ import annotations

from sim.validation import Check

CHECKS: tuple[Check, ...] = ()
