"""What each source adds to each channel: the lead field, computed here or brought from elsewhere.

A lead field is a matrix with its papers: which channels, which sources, what unit, what reference. One without them is
refused, because a matrix that does not fit still multiplies.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bmi.errors import ContractError
from bmi.signals import F64, I64

UNITS = {"µV/(nA·m)": "µV", "fT/(nA·m)": "fT"}
"""Units a lead field may be in, and what its channels then measure for sources in nA·m."""
SPELLINGS = {
    "uV/(nA·m)": ("µV/(nA·m)", 1.0), "uV/nAm": ("µV/(nA·m)", 1.0), "µV/nAm": ("µV/(nA·m)", 1.0),
    "μV/(nA·m)": ("µV/(nA·m)", 1.0), "V/(A·m)": ("µV/(nA·m)", 1e-3), "V/Am": ("µV/(nA·m)", 1e-3),
    "fT/nAm": ("fT/(nA·m)", 1.0), "T/(A·m)": ("fT/(nA·m)", 1e6), "T/Am": ("fT/(nA·m)", 1e6),
}  # fmt: skip
"""Other ways to write a unit, and the factor to ours."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LeadField:
    """Channels times sources; arrays are read, never written.

    Raises
    ------
    ContractError
        If shape and labels do not fit each other, a label comes twice, a value is not finite or the unit is unknown.
    """

    matrix: F64
    """(n_channels, n_sources), or (n_channels, 3 n_sources): x, y, z of the first source, then of the second."""
    channels: tuple[str, ...]
    """Name of each row, unique."""
    sources: tuple[str, ...]
    """Name of each source, unique."""
    unit: str
    """µV/(nA·m) or fT/(nA·m)."""
    reference: str = ""
    """"infinity", "average" or the channel that is subtracted from all; "" for a magnetic field."""
    positions_mm: F64 | None = None
    """(n_channels, 3) where the channels are; None if that is not known."""

    def __post_init__(self) -> None:
        for what, names in (("channels", self.channels), ("sources", self.sources)):
            twice = sorted({name for name in names if names.count(name) > 1})
            if not names or twice:
                raise ContractError(f"LeadField.{what}: expected unique names, given {twice or 'none'}")
        n, m = len(self.channels), len(self.sources)
        if self.matrix.shape not in ((n, m), (n, 3 * m)):
            raise ContractError(
                f"LeadField.matrix: {n} channels and {m} sources need shape ({n}, {m}) or ({n}, {3 * m}), "
                f"given {self.matrix.shape}"
            )
        if not np.isfinite(self.matrix).all():
            raise ContractError("LeadField.matrix: expected finite values, given NaN or infinity")
        if self.unit not in UNITS:
            raise ContractError(
                f"LeadField.unit: expected {' or '.join(UNITS)}, given {self.unit or 'none'}; "
                "a lead field in volts or tesla is converted by LeadField.read"
            )
        if self.unit.startswith("µV") and self.reference not in ("infinity", "average", *self.channels):
            raise ContractError(
                f"LeadField.reference: expected infinity, average or one of its channels, given {self.reference!r}"
            )
        if self.positions_mm is not None and np.shape(self.positions_mm) != (n, 3):
            raise ContractError(
                f"LeadField.positions_mm: expected shape ({n}, 3), given {np.shape(self.positions_mm)}"
            )

    @property
    def free(self) -> bool:
        """Whether each source has three columns."""
        return bool(self.matrix.shape[1] == 3 * len(self.sources))

    @property
    def measures(self) -> str:
        """Unit of the channels, for sources in nA·m."""
        return UNITS[self.unit]

    def along(self, normals: F64) -> LeadField:
        """Return the field of sources that point along ``normals`` (n_sources, 3), unit vectors.

        Raises
        ------
        ContractError
            If the field has no three columns for each source, or the normals are not unit vectors of that number.
        """
        n = len(self.sources)
        if not self.free:
            raise ContractError(f"LeadField.along: the {n} sources have a direction already")
        if np.shape(normals) != (n, 3) or not np.allclose((np.asarray(normals) ** 2).sum(axis=1), 1.0, atol=1e-6):
            raise ContractError(
                f"LeadField.along: expected {n} unit vectors, shape ({n}, 3), given {np.shape(normals)} of lengths "
                f"{np.sqrt((np.atleast_2d(normals) ** 2).sum(axis=-1)).ravel()[:3]}"
            )
        fixed = np.einsum("csk,sk->cs", self.matrix.reshape(-1, n, 3), normals)
        return replace(self, matrix=fixed)

    def average_reference(self) -> LeadField:
        """Return the field against the mean of all channels; what they then show sums to 0.

        Raises
        ------
        ContractError
            If it is a magnetic field, which has no reference.
        """
        if not self.reference:
            raise ContractError("LeadField.average_reference: a magnetic field has no reference")
        return replace(self, matrix=self.matrix - self.matrix.mean(axis=0), reference="average")

    def for_sources(self, sources: Sequence[str]) -> LeadField:
        """Return the field of exactly ``sources``, in their order.

        Raises
        ------
        ContractError
            If one is not among its own.
        """
        at = _where("sources", "regions", self.sources, sources)
        columns = (3 * at[:, None] + np.arange(3)).ravel() if self.free else at
        return replace(self, matrix=self.matrix[:, columns], sources=tuple(sources))

    def for_channels(self, channels: Sequence[str]) -> LeadField:
        """Return the field at exactly ``channels``, in their order.

        Raises
        ------
        ContractError
            If one is not among its own, or the reference is none of them and not infinity.
        """
        at = _where("channels", "channels", self.channels, channels)
        if self.reference not in ("", "infinity", *channels):
            raise ContractError(
                f"LeadField.for_channels: the field is against {self.reference}, which other channels make; "
                "take channels from a field against infinity, then average_reference()"
            )
        where = None if self.positions_mm is None else self.positions_mm[at]
        return replace(self, matrix=self.matrix[at], channels=tuple(channels), positions_mm=where)


def _where(what: str, theirs: str, own: tuple[str, ...], wanted: Sequence[str]) -> I64:
    """Return where ``wanted`` are among ``own``. Raises ContractError naming those that are not."""
    index = {name: i for i, name in enumerate(own)}
    missing = [name for name in wanted if name not in index]
    if missing:
        raise ContractError(
            f"LeadField.{what}: it is for other {theirs}: {', '.join(missing[:5])}{' …' if len(missing) > 5 else ''} "
            f"({len(missing)} of {len(wanted)}) are not among its {len(own)}: {', '.join(own[:5])} …"
        )
    return np.array([index[name] for name in wanted], np.int64)


def read(path: str | Path, *, unit: str | None = None, reference: str | None = None) -> LeadField:
    """Return the lead field in ``path``.

    ``.npz``: arrays ``matrix``, ``channels``, ``sources``, and ``unit`` and ``reference`` as strings; ``positions_mm``
    may be there. ``.csv``: first row ``unit,source,source …``, its first cell being the unit; then a row for each
    channel, beginning with its name. Three columns for each source are named ``a:x, a:y, a:z``.

    Parameters
    ----------
    path : path
    unit : str, optional
        Of a file that does not say; one that says otherwise is refused.
    reference : str, optional
        Likewise. A potential needs one: "infinity", "average" or a channel.

    Raises
    ------
    ContractError
        If something is missing or does not fit; the message names it.
    """
    where = Path(path)
    if where.suffix not in (".npz", ".csv"):
        raise ContractError(f"{where.name}: expected a lead field in .npz or .csv, given {where.suffix or 'no suffix'}")
    found = _npz(where) if where.suffix == ".npz" else _csv(where)
    for key, said in (("unit", unit), ("reference", reference)):
        inside = found.get(key)
        if said is not None and inside not in (None, "", said):
            raise ContractError(f"{where.name}: {key} in the file is {inside}, {said} was expected")
        found[key] = said if said is not None else inside
    if not found["unit"]:
        raise ContractError(f"{where.name}: the unit is missing; say unit='µV/(nA·m)' or whatever it is in")
    name, factor = SPELLINGS.get(str(found["unit"]), (str(found["unit"]), 1.0))
    if name.startswith("µV") and not found["reference"]:
        raise ContractError(
            f"{where.name}: the reference is missing; say reference='infinity', 'average' or a channel's name"
        )
    return LeadField(
        matrix=factor * np.asarray(found["matrix"], np.float64), channels=found["channels"], sources=found["sources"],
        unit=name, reference=str(found["reference"] or ""), positions_mm=found.get("positions_mm"),
    )  # fmt: skip


def _npz(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        missing = [k for k in ("matrix", "channels", "sources") if k not in file.files]
        if missing:
            raise ContractError(f"{path.name}: expected the array {missing[0]}, there are {', '.join(file.files)}")
        found: dict[str, Any] = {k: str(file[k]) for k in ("unit", "reference") if k in file.files}
        found |= {k: tuple(map(str, file[k])) for k in ("channels", "sources")}
        found |= {k: np.asarray(file[k], np.float64) for k in ("matrix", "positions_mm") if k in file.files}
        return found


def _csv(path: Path) -> dict[str, Any]:
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = [row for row in csv.reader(file) if row]
    columns = [c.strip() for c in head[1:]]
    names = list(dict.fromkeys(c.rsplit(":", 1)[0] for c in columns)) if any(":" in c for c in columns) else columns
    if names != columns and columns != [f"{name}:{k}" for name in names for k in "xyz"]:
        raise ContractError(f"{path.name}: expected columns a:x, a:y, a:z for each source a, given {columns[:4]} …")
    ragged = [row[0] for row in rows if len(row) != len(head)]
    if ragged:
        raise ContractError(f"{path.name}: expected {len(head)} cells in each row, not so for channel {ragged[0]}")
    try:
        matrix = np.array([[float(v) for v in row[1:]] for row in rows])
    except ValueError as error:
        raise ContractError(f"{path.name}: expected numbers beside the channels' names: {error}") from None
    return {"unit": head[0].strip(), "channels": tuple(row[0].strip() for row in rows), "sources": tuple(names),
            "matrix": matrix}  # fmt: skip


def save(path: str | Path, field: LeadField) -> None:
    """Write ``field`` to ``path``, an ``.npz`` that ``read`` reads."""
    where: dict[str, Any] = {} if field.positions_mm is None else {"positions_mm": field.positions_mm}
    np.savez(path, matrix=field.matrix, channels=np.array(field.channels), sources=np.array(field.sources),
             unit=np.array(field.unit), reference=np.array(field.reference), **where)  # fmt: skip
