"""How well held-out spikes are foretold: co-smoothing bits per spike."""

from __future__ import annotations

import numpy as np
from scipy.special import xlogy

from bmi.bootstrap import Estimate, ratio_interval
from bmi.errors import ContractError
from bmi.signals import F64, AnyArray

LEAST_RATE = 1e-9
"""Expected counts below it are taken for it, so that one spike where none was expected costs 30 bit, not all."""


def co_bps(rates: F64, counts: AnyArray, *, null: F64 | None = None) -> float:
    """Co-smoothing bits per spike: Poisson log-likelihood gained over constant rates, ``/ (n_spikes ln 2)``.

    0 is as good as each neuron's mean rate, below 0 worse (Pei et al., *NeurIPS Datasets and Benchmarks*, 2021).

    Parameters
    ----------
    rates : (..., n_neurons) float64
        Expected counts a bin, from other neurons (or from the past).
    counts : (..., n_neurons)
        Counts of the held-out neurons; NaN are left out.
    null : (n_neurons,), optional
        Constant rates to beat; by default the mean of these very counts, as in the benchmark. Means of the
        training data make a weaker opponent and a larger figure.

    Returns
    -------
    float
        bit per spike; NaN if there was no spike.
    """
    gain, n = _gain(rates, counts, null)
    total = float(n.sum())
    return float(gain.sum()) / total if total > 0 else float("nan")


def co_bps_interval(
    rates: F64,
    counts: AnyArray,
    groups: AnyArray,
    seed: int,
    *,
    null: F64 | None = None,
    n_bootstrap: int = 2000,
) -> Estimate:
    """Co-smoothing bits per spike with its 95 % interval over trials; ``groups`` numbers each bin's, (n_bins,)."""
    gain, n = _gain(rates, counts, null)
    labels, which = np.unique(np.asarray(groups), return_inverse=True)
    if gain.ndim != 2 or which.shape != (len(gain),):
        raise ContractError(
            f"co_bps_interval: expected (n_bins, n_neurons) and one group a bin, given {gain.shape} and {which.shape}"
        )
    gained, spikes = (np.bincount(which, x.sum(axis=1), len(labels)) for x in (gain, n))
    return ratio_interval(gained, spikes, seed, n_bootstrap=n_bootstrap)


def _gain(rates: F64, counts: AnyArray, null: F64 | None) -> tuple[F64, F64]:
    """Return the gain of each bin and neuron over constant rates, bit, and its spikes; 0 where not counted."""
    rates, counts = np.asarray(rates, np.float64), np.asarray(counts, np.float64)
    if counts.ndim < 2 or rates.shape != counts.shape:
        raise ContractError(
            f"co_bps: expected two equal (..., n_neurons) arrays, given {rates.shape} and {counts.shape}"
        )
    counted = np.isfinite(counts)
    if not ((rates[counted] >= 0) & np.isfinite(rates[counted])).all():
        raise ContractError("co_bps: expected counts a bin must be finite and at least 0, not logarithms")
    n = np.where(counted, counts, 0.0)
    over = tuple(range(n.ndim - 1))
    constant = n.sum(over) / np.maximum(counted.sum(over), 1) if null is None else np.asarray(null, np.float64)
    if constant.shape != n.shape[-1:]:
        raise ContractError(f"co_bps: expected one null rate a neuron, given {constant.shape} for {n.shape[-1]}")
    model, flat = np.maximum(np.where(counted, rates, 1.0), LEAST_RATE), np.maximum(constant, LEAST_RATE)
    gain = (xlogy(n, model) - model) - (xlogy(n, flat) - flat)
    return np.where(counted, gain, 0.0) / np.log(2.0), n
