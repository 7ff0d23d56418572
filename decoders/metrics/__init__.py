"""How well was decoded, offline: kinematics, posteriors, selections, text, held-out spikes, and change over time.

Chance levels: 0 for R², correlation, co-bps, kappa and information transfer; 1/2 for AUC; for accuracies
``chance_accuracy``; word and character error rates have none, and may pass 1. Intervals resample trials, never the
samples within one; ``bmi.bootstrap.resampled`` gives one for any figure here that has none of its own.
"""

from bmi.trend import asymptote, slope, time_to_fraction
from decoders.metrics.kinematics import cc, r2, r2_interval, r2_mean, r2_weighted, rmse
from decoders.metrics.posterior import coverage, inside, nees, nees_bounds, nll
from decoders.metrics.selection import accuracy, auc, chance_accuracy, confusion, itr_bit, itr_interval, kappa
from decoders.metrics.spikes import co_bps, co_bps_interval
from decoders.metrics.text import cer, edits, error_rate_interval, wer

__all__ = [
    "accuracy", "asymptote", "auc", "cc", "cer", "chance_accuracy", "co_bps", "co_bps_interval", "confusion",
    "coverage", "edits", "error_rate_interval", "inside", "itr_bit", "itr_interval", "kappa", "nees", "nees_bounds",
    "nll", "r2", "r2_interval", "r2_mean", "r2_weighted", "rmse", "slope", "time_to_fraction", "wer",
]  # fmt: skip
