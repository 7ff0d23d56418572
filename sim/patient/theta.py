"""The patient's slow parameters, theta: what health, disease, drugs and ageing of the implant turn, over days.

Everything pathological about the patient is one of these numbers, and each says beforehand what it does to a signal
that a sensor measures. Nothing slow is hidden elsewhere: with every parameter at its baseline the patient is the
healthy one, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bmi.errors import ContractError
from bmi.registry import nearest
from bmi.signals import F64


class Combine(Enum):
    """How what several causes make of one parameter becomes one value; each alone would have given ``v``."""

    PRODUCT = "product"
    """Scales multiply."""
    SUM = "sum"
    """Distances from the baseline add up, and stay within the sound range: no brain loses more dopamine than it has."""
    SHARE = "share"
    """What one cause leaves over, the next takes its share of: 1 - (1 - v)(1 - v')."""


class Effect(NamedTuple):
    """A direction in which a parameter moves what a sensor shows."""

    sensor: str
    """Output of the patient: ``eeg``, ``lfp``, ``field`` (of the basal ganglia), ``spikes``."""
    statistic: str
    """Name in ``STATISTICS``."""
    sign: int
    """+1 if the statistic rises when the parameter leaves its baseline towards ``Slow.ill``, -1 if it falls."""


class Slow(NamedTuple):
    """One slow parameter."""

    baseline: float
    low: float
    high: float
    """Least and greatest sound value."""
    ill: float
    """A value of clear illness, at which the declared effects show."""
    unit: str
    per_region: bool
    """One value a region of the brain, or one for the whole patient."""
    combine: Combine
    about: str
    effects: tuple[Effect, ...]


STATISTICS: Mapping[str, str] = {
    "alpha_peak": "frequency of the highest power from 5 to 14 Hz, mean over channels, Hz",
    "beta_power": "power from 13 to 35 Hz",
    "crossings": "threshold crossings a second, mean over channels, Hz",
    "line_length": "mean absolute difference of neighbouring samples, channel nearest the focus",
    "modulation": "standard deviation over directions of the mean rate, mean over channels, Hz",
    "mu_power": "power from 8 to 13 Hz at rest, channels over the hand's area",
    "noise": "root mean square above 100 Hz, mean over channels",
    "silent": "channels without any crossing",
    "slow_power": "power from 1 to 9 Hz of the summed spike counts",
    "tuning_change": "1 - correlation of the channels' tuning with that of day 0",
}
"""What is read off a sensor, over a window of some seconds."""

P, S, R = Combine.PRODUCT, Combine.SUM, Combine.SHARE
THETA: Mapping[str, Slow] = {
    "nav11": Slow(
        1.0, 0.5, 1.0, 0.65, "", False, P, "sodium conductance of fast-spiking neurons, share of the healthy one",
        (Effect("spikes", "slow_power", 1), Effect("spikes", "crossings", 1)),
    ),
    "dopamine_loss": Slow(
        0.0, 0.0, 1.0, 1.0, "", False, S, "share of dopamine the basal ganglia have lost",
        (Effect("field", "beta_power", 1), Effect("spikes", "modulation", -1)),
    ),
    "ampa": Slow(
        1.0, 0.0, 2.0, 0.7, "", False, P, "scale of AMPA currents in the tissue", (Effect("spikes", "crossings", -1),),
    ),
    "nmda": Slow(
        1.0, 0.0, 2.0, 0.7, "", False, P, "scale of NMDA currents in the tissue", (Effect("spikes", "crossings", -1),),
    ),
    "gaba": Slow(
        1.0, 0.0, 2.0, 0.8, "", False, P, "scale of GABA currents in the tissue", (Effect("spikes", "crossings", 1),),
    ),
    "gaba_decay": Slow(
        1.0, 0.5, 4.0, 1.5, "", False, P, "scale of the decay time of GABA currents in the tissue",
        (Effect("spikes", "crossings", -1),),
    ),
    "amyloid": Slow(
        0.0, 0.0, 1.0, 1.0, "", True, S, "damage by toxic amyloid-beta, share of the greatest",
        (Effect("eeg", "alpha_peak", -1),),
    ),
    "tau": Slow(
        0.0, 0.0, 1.0, 1.0, "", True, S, "damage by toxic tau, share of the greatest",
        (Effect("eeg", "mu_power", -1),),
    ),
    "lesion": Slow(
        0.0, 0.0, 1.0, 0.5, "", True, R, "share of a region's tracts and of its gain that is lost",
        (Effect("eeg", "mu_power", -1),),
    ),
    "excitability": Slow(
        -2.2, -3.0, -1.2, -1.6, "", False, S, "x0 of the Epileptor at the focus; seizures begin above -2.0625",
        (Effect("eeg", "line_length", 1),),
    ),
    "mu_amplitude": Slow(
        1.0, 0.0, 2.0, 0.5, "", False, P, "scale of the mu rhythm", (Effect("eeg", "mu_power", -1),),
    ),
    "survival": Slow(
        1.0, 0.0, 1.0, 0.5, "", False, P, "share of tuned neurons that are alive",
        (Effect("spikes", "modulation", -1),),
    ),
    "snr": Slow(
        1.0, 0.05, 2.0, 0.5, "", False, P, "scale of spike amplitudes at the electrodes",
        (Effect("spikes", "crossings", -1),),
    ),
    "impedance": Slow(
        1.0, 0.2, 10.0, 3.0, "", False, P, "scale of the electrodes' own noise", (Effect("lfp", "noise", 1),),
    ),
    "dead": Slow(
        0.0, 0.0, 1.0, 0.3, "", False, R, "share of electrodes that record nothing", (Effect("spikes", "silent", 1),),
    ),
    "turnover": Slow(
        0.0, 0.0, 1.0, 0.5, "", False, R, "share of recorded neurons that others have replaced",
        (Effect("spikes", "tuning_change", 1),),
    ),
}  # fmt: skip
"""Every slow parameter of the patient, in the order of the causal chain: molecule, cell, circuit, brain, electrode."""


def slow(name: str) -> Slow:
    """Return the parameter called ``name``. Raises ContractError, offering the nearest."""
    if name not in THETA:
        raise ContractError(
            f"theta: there is no slow parameter {name!r}{nearest(name, list(THETA))}; there are {', '.join(THETA)}"
        )
    return THETA[name]


def shape(name: str, n_regions: int) -> tuple[int, ...]:
    """Return the shape of the parameter ``name``: () or (n_regions,)."""
    return (n_regions,) if slow(name).per_region else ()


def baseline(n_regions: int) -> dict[str, F64]:
    """Return the healthy patient: every parameter at its baseline, new arrays."""
    return {name: np.full(shape(name, n_regions), p.baseline) for name, p in THETA.items()}


def checked(name: str, value: npt.ArrayLike, n_regions: int) -> F64:
    """Return ``value`` of the parameter ``name`` as a new float64 array of its shape.

    Raises
    ------
    ContractError
        If there is no such parameter, the shape is another one, or a value is outside the sound range.
    """
    expected = shape(name, n_regions)
    array: F64 = np.array(value, np.float64)
    if array.shape != expected:
        each = "one value a region" if expected else "one number for the whole patient"
        raise ContractError(f"theta.{name}: expected shape {expected}, {each}, given {array.shape}")
    p = THETA[name]
    wrong = ~((array >= p.low) & (array <= p.high))
    if wrong.any():
        first = float(array[wrong].ravel()[0])
        where = f" in region {int(np.flatnonzero(wrong)[0])}" if expected else ""
        told = f"{first:g}" if math.isfinite(first) else str(first)
        raise ContractError(
            f"theta.{name}: expected {p.low:g} to {p.high:g} ({p.about}; healthy {p.baseline:g}), given {told}{where}"
        )
    return array
