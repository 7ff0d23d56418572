"""Labelled features kept to check new parameters against, and a copy of the decoder to do it with."""

from __future__ import annotations

import math
from dataclasses import is_dataclass, replace
from typing import Any

import numpy as np

from bmi.contracts import Decoder, Params
from bmi.errors import ContractError
from bmi.signals import F64, AnyArray, Chunk, StreamSpec


def labelled_dtype(n_features: int, n_dims: int) -> np.dtype[np.void]:
    """Return the record type of a reservoir: a feature vector and what is believed about it."""
    d = (n_dims,)
    return np.dtype(
        [
            ("t", "<f8"),
            ("taught", "<i8"),  # 1 if the learner got it, 0 if it only bridges
            ("label", "<f8", d),  # what the learner was told was intended, mm/s
            ("ideal", "<f8", d),  # what a goal-directed participant intends, mm/s
            ("aim", "<f8", d),  # direction to the goal, 0 inside the target
            ("y", "<f8", (n_features,)),
        ]
    )


class Reservoir:
    """The newest ``capacity`` labelled features; older ones are overwritten.

    Parameters
    ----------
    capacity, n_features, n_dims : int
    """

    def __init__(self, capacity: int, n_features: int, n_dims: int) -> None:
        self._rows = np.zeros(max(capacity, 1), labelled_dtype(n_features, n_dims))
        self._count = 0

    def __len__(self) -> int:
        return min(self._count, len(self._rows))

    def place(self) -> AnyArray:
        """Return the record to fill with the next feature, of the oldest one's memory."""
        row = self._rows[self._count % len(self._rows)]
        self._count += 1
        placed: AnyArray = row
        return placed

    def take(self, rows: AnyArray) -> None:
        """Add ``rows`` (n,), oldest first."""
        for row in rows[-len(self._rows) :]:
            self._rows[self._count % len(self._rows)] = row
            self._count += 1

    def rows(self, since: float = -math.inf) -> AnyArray:
        """Return a copy of what was added after time ``since``, oldest first, (n,)."""
        n, at = len(self), self._count % len(self._rows)
        ordered = np.concatenate([self._rows[at:n], self._rows[:at]]) if n == len(self._rows) else self._rows[:n]
        chosen: AnyArray = ordered[ordered["t"] > since].copy()
        return chosen

    def clear(self) -> None:
        """Forget everything."""
        self._count = 0


class Shadow:
    """A copy of a decoder that nobody's device listens to.

    Parameters
    ----------
    decoder : Decoder
        A dataclass, as all parts are, with parameters.
    n_features, n_dims : int
    dt_s : float
        Time between two features, s.

    Raises
    ------
    ContractError
        If the decoder cannot be copied from its settings.
    """

    def __init__(self, decoder: Decoder, n_features: int, n_dims: int, dt_s: float) -> None:
        original: Any = decoder
        if not is_dataclass(type(original)):
            raise ContractError(
                f"{type(decoder).__name__} is no dataclass: a learner's guards need a copy of the decoder made from "
                "its settings. Make it a keyword-only dataclass like every other part"
            )
        copy: Any = replace(original)
        copy.params_ = decoder.params_
        copy.bind([StreamSpec(name="shadow", n_channels=n_features, rate_hz=1.0 / dt_s, unit="1")])
        self._decoder: Any = copy
        self._n_dims, self._dt_s = n_dims, dt_s
        self._chunk = Chunk(np.zeros((1, n_features), np.float32), np.zeros(1), 0.0)

    def decode(self, params: Params, rows: AnyArray) -> tuple[F64, F64]:
        """Decode the features of ``rows`` (n,) in order, from rest at every seam.

        Returns
        -------
        mean : (n, n_dims) float64
        cov : (n, n_dims, n_dims) float64
        """
        decoder, chunk, d = self._decoder, self._chunk, self._n_dims
        decoder.params_ = params
        mean, cov = np.zeros((len(rows), d)), np.zeros((len(rows), d, d))
        last = -math.inf
        with np.errstate(all="ignore"):  # a bad candidate shows in the result
            for i, (t, y) in enumerate(zip(rows["t"].tolist(), rows["y"], strict=True)):
                if t - last > 1.5 * self._dt_s:
                    decoder.reset()
                last = t
                chunk.data[0] = y
                chunk.t[0] = t
                intent = decoder.step((chunk,))
                mean[i], cov[i] = intent.mean, intent.cov
        return mean, cov


def agreement(decoded: F64, wanted: F64) -> float:
    """Return how well velocities (n, n_dims) agree, whatever their scale: 1 wholly, 0 not at all, -1 opposite.

    It is the inner product over the norms, all samples together, so that fast moments weigh more. A decoder at
    rest agrees with nothing; NaN if nothing was wanted.
    """
    norm, own = float(np.sqrt((wanted**2).sum())), float(np.sqrt((decoded**2).sum()))
    if norm == 0.0:
        return math.nan
    return float((decoded * wanted).sum()) / (norm * own) if own > 0.0 else 0.0


def rms(v: F64) -> float:
    """Return the root mean square length of vectors (n, n_dims)."""
    return float(np.sqrt((v**2).sum(axis=1).mean())) if len(v) else 0.0
