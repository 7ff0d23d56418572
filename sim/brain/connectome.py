"""Who is wired to whom in a whole brain, how strongly, and over what distance."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bmi import registry
from bmi.errors import ContractError
from bmi.signals import F64, I64, AnyArray

ASYMMETRY = 1e-9
"""Difference between a value and its mirror that rounding may leave, as a share of the largest."""
SIDES = (
    ("l.", "r."), ("L.", "R."), ("l_", "r_"), ("L_", "R_"), ("lh.", "rh."), ("lh-", "rh-"), ("lh_", "rh_"),
    ("ctx-lh-", "ctx-rh-"), ("Left-", "Right-"), ("l", "r"), ("L", "R"),
)  # fmt: skip
"""How atlases begin the names of the left and the right one of a pair; the more particular first."""
ENDS = (("_L", "_R"), (".L", ".R"), ("-L", "-R"), ("_l", "_r"), ("-lh", "-rh"), (" L", " R"))
"""How they end them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Connectome:
    """Regions and the tracts between them; arrays are read, never written.

    Checked when built: own copies, float64, read-only.

    Raises
    ------
    ContractError
        If shapes do not fit the labels, a label is there twice, or a value is not finite or negative; names the
        regions.
    """

    labels: tuple[str, ...]
    """Name of each region, unique."""
    weights: F64
    """(n, n) strength of the tract to region i (row) from region j (column); not negative, diagonal zero or a
    self-loop."""
    lengths_mm: F64
    """(n, n) length of that tract, mm; without meaning where there is no tract."""
    centres_mm: F64 | None = None
    """(n, 3) centre of each region, mm: x to the right, y to the front, z upward, about the middle of the head. None
    if a file does not tell: then no sensor can be set over it."""
    normals: F64 | None = None
    """(n, 3) unit vectors in which a region's dipoles point; None beside given centres: outward from the origin."""

    def __post_init__(self) -> None:
        labels = tuple(self.labels)
        object.__setattr__(self, "labels", labels)
        twice = sorted({x for x in labels if labels.count(x) > 1})
        if len(labels) < 1 or twice:
            raise ContractError(
                f"connectome: expected one or more regions with a name each, given {len(labels)}"
                + (f", of which {', '.join(twice)} more than once" if twice else "")
            )
        n = len(labels)
        for name in ("weights", "lengths_mm"):
            object.__setattr__(self, name, self._sound(name, (n, n), least=0.0))
        if self.centres_mm is None:
            if self.normals is not None:
                raise ContractError("connectome: normals are given without centres_mm; give both or neither")
            return
        object.__setattr__(self, "centres_mm", self._sound("centres_mm", (n, 3)))
        if self.normals is None:
            object.__setattr__(self, "normals", _outward(labels, self.centres_mm))
        object.__setattr__(self, "normals", self._sound("normals", (n, 3)))
        off = np.abs(np.linalg.norm(self.normals, axis=1) - 1.0) > 1e-6  # type: ignore[arg-type]
        if off.any():
            raise ContractError(
                f"connectome.normals: expected vectors of length 1, not so at {self._named(np.flatnonzero(off))}; "
                "divide each by its length"
            )

    def _sound(self, name: str, shape: tuple[int, ...], least: float = -np.inf) -> F64:
        """Return an own read-only copy of the field ``name``."""
        try:
            array = np.array(getattr(self, name), np.float64, order="C")
        except (TypeError, ValueError) as e:
            raise ContractError(f"connectome.{name}: expected numbers of shape {shape}: {e}") from e
        if array.shape != shape:
            raise ContractError(
                f"connectome.{name}: expected shape {shape} for {len(self.labels)} regions, given {array.shape}"
            )
        for wrong, wanted in ((~np.isfinite(array), "finite values"), (array < least, f"at least {least:g}")):
            if wrong.any():
                raise ContractError(f"connectome.{name}: expected {wanted}, given {self._places(array, wrong)}")
        array.flags.writeable = False
        return array

    def _places(self, array: AnyArray, wrong: AnyArray) -> str:
        """Say what stands at the first wrong places, with the names of the regions."""
        found = np.argwhere(wrong)
        square = array.shape == (len(self.labels), len(self.labels))
        told = [
            f"{array[i, j]:g} {f'to {self.labels[i]} from {self.labels[j]}' if square else f'at {self.labels[i]}'}"
            f" ({i}, {j})"
            for i, j in found[:3]
        ]
        return ", ".join(told) + (f" and {len(found) - 3} more" if len(found) > 3 else "")

    def _named(self, regions: AnyArray) -> str:
        more = f" and {len(regions) - 5} more" if len(regions) > 5 else ""
        return ", ".join(self.labels[i] for i in regions[:5]) + more

    @property
    def n(self) -> int:
        """How many regions there are."""
        return len(self.labels)

    @property
    def density(self) -> float:
        """Share of the possible tracts between two regions that there are."""
        between = self.weights[~np.eye(self.n, dtype=bool)]
        return float(np.count_nonzero(between) / max(1, between.size))

    def index(self, label: str) -> int:
        """Return where the region ``label`` is. Raises ContractError, with the nearest name, if there is none."""
        try:
            return self.labels.index(label)
        except ValueError:
            alike = [x for x in self.labels if x.lower() == label.lower()]
            hint = f"; did you mean {alike[0]!r}?" if alike else registry.nearest(label, list(self.labels))
            some = ", ".join(self.labels[:6]) + (" …" if self.n > 6 else "")
            raise ContractError(f"connectome: no region is called {label!r}{hint} ({self.n} regions: {some})") from None

    def indices(self, labels: Sequence[str]) -> I64:
        """Return where each of ``labels`` is, (k,); as ``index``."""
        return np.array([self.index(x) for x in labels], np.int64)

    def homologue(self, label: str) -> str:
        """Return the same region of the other hemisphere.

        Raises
        ------
        ContractError
            If there is no region ``label``, or its name does not tell of which side it is.
        """
        self.index(label)
        for a, b in (*SIDES, *(x[::-1] for x in SIDES)):
            if label.startswith(a) and (other := b + label[len(a) :]) in self.labels:
                return other
        for a, b in (*ENDS, *(x[::-1] for x in ENDS)):
            if label.endswith(a) and (other := label[: -len(a)] + b) in self.labels:
                return other
        raise ContractError(f"connectome: region {label!r} has no homologue among {self.n} regions, by its name")

    def require_symmetric(self, who: str) -> None:
        """Raise ContractError in the name of ``who`` unless weights and lengths of tracts are symmetric."""
        there = (self.weights > 0.0) | (self.weights.T > 0.0)
        for name, array in (("weights", self.weights), ("lengths_mm", np.where(there, self.lengths_mm, 0.0))):
            wrong = np.abs(array - array.T) > ASYMMETRY * array.max()
            if wrong.any():
                raise ContractError(
                    f"{who}: expected a connectome with symmetric {name}, given {self._places(array, wrong)}; "
                    "take connectome.symmetrised() if direction is not meant"
                )

    def require_places(self, who: str) -> tuple[F64, F64]:
        """Return centres and normals. Raises ContractError in the name of ``who`` if they are not known."""
        if self.centres_mm is None or self.normals is None:
            raise ContractError(
                f"{who}: expected a connectome whose regions have places, given one without; "
                "give centres_mm (dataclasses.replace) or read a file that has them"
            )
        return self.centres_mm, self.normals

    def symmetrised(self) -> Connectome:
        """Return the mean of both directions; a length is that of the directions there are."""
        there = np.stack([self.weights > 0.0, self.weights.T > 0.0]).astype(float)
        both = np.stack([self.lengths_mm, self.lengths_mm.T])
        known = np.maximum(1.0, there.sum(0))
        lengths = np.where(there.any(0), (there * both).sum(0) / known, both.mean(0))
        return dataclasses.replace(self, weights=0.5 * (self.weights + self.weights.T), lengths_mm=lengths)

    def normalised(self, by: Literal["largest", "incoming", "radius"] = "largest") -> Connectome:
        """Return this connectome with other weights.

        Parameters
        ----------
        by : {"largest", "incoming", "radius"}
            What is 1 afterwards: the largest weight, the sum of what each region receives, or the spectral radius
            (then a linear network of gain G < 1 is stable).

        Raises
        ------
        ContractError
            If ``by`` is another word, or there is nothing to divide by.
        """
        if by == "largest":
            scale = np.full((self.n, 1), self.weights.max())
        elif by == "incoming":
            total = self.weights.sum(1, keepdims=True)
            scale = np.where(total > 0.0, total, 1.0)
        elif by == "radius":
            scale = np.full((self.n, 1), np.abs(np.linalg.eigvals(self.weights)).max())
        else:
            raise ContractError(f"normalised: expected by largest, incoming or radius, given {by!r}")
        if not self.weights.any() or not (scale > 0.0).all():
            raise ContractError(f"normalised: expected tracts to divide by the {by}, given none")
        return dataclasses.replace(self, weights=self.weights / scale)

    def lesioned(self, shares: Mapping[str, float] | Any) -> Connectome:
        """Return this connectome after lesions; itself stays as it is.

        Parameters
        ----------
        shares : mapping of label to share, or array of shape (n,)
            Of in- and outgoing tracts lost, 0 to 1; a tract between two lesioned regions keeps the product of what
            both keep.

        Raises
        ------
        ContractError
            If a region is unknown, or a share is outside 0 to 1.
        """
        lost = np.zeros(self.n)
        if isinstance(shares, Mapping):
            for label, share in shares.items():
                lost[self.index(label)] = share
        else:
            lost = np.asarray(shares, np.float64)
        if lost.shape != (self.n,) or not ((lost >= 0.0) & (lost <= 1.0)).all():
            raise ContractError(
                f"lesioned: expected a share of 0 to 1 for each of {self.n} regions, given shape {lost.shape}"
                + (f", at most {lost.max():g}, at least {lost.min():g}" if lost.size else "")
            )
        return dataclasses.replace(self, weights=self.weights * (1.0 - lost)[:, None] * (1.0 - lost)[None])

    def subset(self, labels: Sequence[str]) -> Connectome:
        """Return the regions ``labels``, in that order, with the tracts among them."""
        k = self.indices(labels)
        places = None if self.centres_mm is None else self.centres_mm[k]
        normals = None if self.normals is None else self.normals[k]
        square = np.ix_(k, k)
        return Connectome(
            labels=tuple(labels), weights=self.weights[square], lengths_mm=self.lengths_mm[square],
            centres_mm=places, normals=normals,
        )  # fmt: skip

    def delays_s(self, speed_m_s: float) -> F64:
        """Return how long each tract takes at ``speed_m_s``, (n, n), s. Raises ContractError unless that is above 0."""
        if not (np.isfinite(speed_m_s) and speed_m_s > 0.0):
            raise ContractError(f"delays_s: expected a speed above 0 m/s, given {speed_m_s!r}")
        return self.lengths_mm * 1e-3 / speed_m_s


def _outward(labels: tuple[str, ...], centres_mm: F64) -> F64:
    away = np.linalg.norm(centres_mm, axis=1)
    if (away == 0.0).any():
        inside = [labels[i] for i in np.flatnonzero(away == 0.0)]
        raise ContractError(
            f"connectome.normals: {inside[0]} is in the middle of the head, from where nothing is outward; give them"
        )
    outward: F64 = centres_mm / away[:, None]
    return outward
