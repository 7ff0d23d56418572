"""Every acceptance figure of the simulator, measured: target, obtained, tolerance, source, verdict.

A figure is one of three: an analytic identity, a difference from an independent simulator whose arrays are stored
beside this file, or a printed value of a paper. ``bmi sim validate`` runs them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bmi.errors import ContractError
from bmi.extras import extra
from bmi.signals import AnyArray

STORED = Path(__file__).parent / "stored"
"""Arrays that independent simulators gave; ``tests/oracles`` has the scripts."""


class Row(NamedTuple):
    """One figure."""

    row: str
    """The model's number in the table of models: M1, C3 …"""
    what: str
    target: str
    obtained: str
    tolerance: str
    source: str
    """Where the target is from: paper, identity, or simulator with its version."""
    passed: bool


class Check(NamedTuple):
    """A simulation that gives one or more rows."""

    row: str
    about: str
    seconds: float
    """How long it takes, about, kernels compiled."""
    run: Callable[[], Iterator[Row]]
    needs: str = ""
    """Library of an extra (``bmi.extras``), if it needs one."""


def near(
    row: str, what: str, target: float, obtained: float, tolerance: float, *, unit: str = "", source: str,
    relative: bool = False,
) -> Row:  # fmt: skip
    """Return a row that passes if ``obtained`` is within ``tolerance`` of ``target``; a share of it if ``relative``."""
    allowed = abs(target) * tolerance if relative else tolerance
    told = f"±{100 * tolerance:.3g} %" if relative else f"±{tolerance:.3g} {unit}".rstrip()
    passed = bool(abs(obtained - target) <= allowed)
    return Row(row, what, said(target, unit), said(obtained, unit), told, source, passed)


def between(
    row: str, what: str, low: float, high: float, obtained: float, *, unit: str = "", source: str
) -> Row:
    """Return a row that passes if ``obtained`` is neither below ``low`` nor above ``high``; either may be infinite."""
    if math.isinf(low):
        target = f"at most {said(high, unit)}"
    elif math.isinf(high):
        target = f"at least {said(low, unit)}"
    else:
        target = f"{low:.6g} to {said(high, unit)}"
    return Row(row, what, target, said(obtained, unit), "as stated", source, bool(low <= obtained <= high))


def holds(row: str, what: str, target: str, obtained: str, passed: bool, *, source: str) -> Row:
    """Return a row for a statement that is true or not."""
    return Row(row, what, target, obtained, "exact", source, bool(passed))


def said(value: float, unit: str = "") -> str:
    """Return a figure with its unit, in at most six digits."""
    return f"{value:.6g} {unit}".rstrip()


class Stored(NamedTuple):
    """What an independent simulator gave."""

    arrays: dict[str, AnyArray]
    provenance: dict[str, str]
    """At least ``simulator`` (name and version), ``script`` and ``date``."""

    @property
    def source(self) -> str:
        """Name and version of the simulator."""
        return self.provenance["simulator"]


def stored(name: str) -> Stored:
    """Return the stored arrays called ``name``."""
    with np.load(STORED / f"{name}.npz", allow_pickle=False) as file:
        arrays = {k: file[k] for k in file.files if k != "provenance"}
        return Stored(arrays, json.loads(str(file["provenance"])))


def checks(rows: Sequence[str] = ()) -> list[Check]:
    """Return the checks of the models ``rows`` (M1, C3 …), or all, smallest scale first.

    Raises
    ------
    ContractError
        If a row is unknown; the message lists those there are.
    PluginError
        If a check needs a library that is not installed: better now than minutes into the work.
    """
    found: list[Check] = [*_all()]
    known = list(dict.fromkeys(c.row for c in found))
    wrong = [r for r in rows if r.upper() not in known]
    if wrong:
        raise ContractError(f"sim validate: no row {', '.join(wrong)}; there are {', '.join(known)}")
    wanted = {r.upper() for r in rows} or set(known)
    chosen = [c for c in found if c.row in wanted]
    for library in sorted({c.needs for c in chosen} - {""}):
        extra(library, "sim validate " + ", ".join(dict.fromkeys(c.row for c in chosen if c.needs == library)))
    return chosen


def _all() -> list[Check]:
    from sim.validation import (
        adaptive,
        adaptive_search,
        alpha,
        cable,
        channelopathy,
        closed_loop,
        connectomes,
        cosimulation,
        delays,
        drugs,
        epilepsy,
        exact,
        fields,
        functional,
        ganglia,
        graphs,
        heads,
        hemodynamics,
        implants,
        masses,
        mean_fields,
        membrane,
        networks,
        parkinson,
        patient,
        plasticity,
        potentials,
        recording,
        recovery,
        spreading,
        synapse,
        tissue,
    )  # fmt: skip

    topics = (
        membrane, synapse, plasticity, cable, drugs, networks, tissue, channelopathy, graphs, fields, ganglia, adaptive,
        adaptive_search, masses, delays, mean_fields, alpha, cosimulation, connectomes, functional, heads, potentials,
        recording, hemodynamics, epilepsy, closed_loop, parkinson, spreading, recovery, implants, patient, exact,
    )  # fmt: skip
    return [check for topic in topics for check in topic.CHECKS]
