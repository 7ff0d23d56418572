"""Acceptance figures of dopamine loss, D-PD, on the circuit of So, Kent & Grill (C8), and of its schedules.

Power is compared between means over 40 seeds: its standard deviation over seeds of 3 s is a third of its mean, so that
ten, as in C8, leave the ratio open by a fifth. The interval beside the ratio is a percentile bootstrap over seeds; 120
other seeds, 1001 to 1120, gave 1.58, 1.51 to 1.66.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bmi.signals import F64
from sim.validation import Check, Row, between, holds, near

SECONDS, DT_S = 3.0, 25e-6
LEVELS = tuple(np.linspace(0.0, 1.0, 11).tolist())
FEW, MANY = tuple(range(301, 309)), tuple(range(301, 341))
SOURCE = "circuit of So, Kent & Grill 2012; bound of the table of models"
RESCUING_HZ = (100.0, 130.0, 185.0)


def runs(loss: float, seeds: tuple[int, ...], dbs_hz: float = 0.0) -> tuple[F64, F64]:
    """Return relay error index and 13-35 Hz power of GPi's synaptic output, one of each a seed."""
    from sim.basal_ganglia import BasalGanglia
    from sim.relay import band_power, relay_error_index

    error, beta = np.zeros(len(seeds)), np.zeros(len(seeds))
    for k, seed in enumerate(seeds):
        circuit = BasalGanglia(dt_s=DT_S)
        circuit.bind(seed)
        circuit.receive("dopamine_loss", np.array(loss))
        if dbs_hz:
            circuit.receive("dbs", np.array([300.0, dbs_hz, 300e-6]))
        spikes, pulses, _, synapse = circuit.step(round(SECONDS / DT_S))
        error[k] = relay_error_index(spikes, pulses, dt_s=DT_S, duration_s=SECONDS)
        beta[k] = band_power(synapse, 13.0, 35.0, rate_hz=1000.0)
    return error, beta


def interval(ill: F64, healthy: F64) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the ratio of two means over the same seeds."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(ill), (2000, len(ill)))
    low, high = np.percentile(ill[drawn].mean(1) / healthy[drawn].mean(1), (2.5, 97.5))
    return float(low), float(high)


def grades() -> Iterator[Row]:
    """The relay fails the more, the more dopamine is lost."""
    from scipy.stats import spearmanr

    errors = [float(runs(loss, FEW)[0].mean()) for loss in LEVELS]
    rank = float(spearmanr(LEVELS, errors).statistic)
    what = f"relay error index against loss of dopamine 0, .1 … 1, means of {len(FEW)} seeds x 3 s, Spearman's rho"
    yield between("D-PD", what, 0.9, 1.0, rank, source=SOURCE)


def beta() -> Iterator[Row]:
    """Beta grows with the loss of dopamine."""
    healthy, ill = (runs(loss, MANY)[1] for loss in (0.0, 1.0))
    low, high = interval(ill, healthy)
    what = (
        f"GPi synaptic power 13-35 Hz, dopamine loss 1 / healthy, means of {len(MANY)} seeds x 3 s, 95 % interval "
        f"{low:.2f} to {high:.2f}"
    )
    yield between("D-PD", what, 1.5, float("inf"), float(ill.mean() / healthy.mean()), unit="x", source=SOURCE)


def rescue() -> Iterator[Row]:
    """Stimulation from 100 Hz on gives the relay back; slow stimulation does not."""
    ill = float(runs(1.0, FEW)[0].mean())
    worst = max(float(runs(1.0, FEW, hz)[0].mean()) for hz in RESCUING_HZ)
    about = f"relay error index, dopamine loss 1, means of {len(FEW)} seeds x 3 s"
    yield between("D-PD", f"{about}, worst of 100, 130, 185 Hz", 0.0, 0.05, worst, source=SOURCE)
    slow = float(runs(1.0, FEW, 20.0)[0].mean())
    yield between("D-PD", f"{about}, 20 Hz as a share of none", 0.8, float("inf"), slow / ill, source=SOURCE)


def schedules() -> Iterator[Row]:
    """The loss of dopamine over a year and over a day."""
    from sim.disease.medication import Medication
    from sim.disease.parkinson import Parkinson

    course, days = Parkinson(), np.linspace(-2000.0, 3000.0, 20001)
    loss = np.array([course.at(day)["dopamine_loss"] for day in days])
    share = (loss - course.first) / (course.last - course.first)
    inner = (share > 1e-3) & (share < 1.0 - 1e-3)
    odds = np.log(share[inner] / (1.0 - share[inner]))
    bent = float(np.abs(np.diff(odds, 2)).max())
    yield near("D-PD", "progression: log odds of the share of its way against days, largest bend", 0.0, bent, 1e-9,
               source="logistic curve")  # fmt: skip
    ends = f"{loss[0]:.3f} to {loss[-1]:.3f}"
    yield holds("D-PD", "progression, long before and after", "0.300 to 0.900", ends, ends == "0.300 to 0.900",
                source="table of models, section 10")  # fmt: skip
    drug = Medication()
    day = np.arange(0.0, 1.0, 1.0 / 2880.0)
    blood, brain, swing = (
        np.array([f(d) for d in day])
        for f in (drug.plasma_mg_l, drug.brain_mg_l, lambda d: float(drug.at(d)["dopamine_loss"]))  # type: ignore[arg-type]
    )
    first = (day > 7.0 / 24.0) & (day < 11.0 / 24.0)
    late = float(day[first][brain[first].argmax()] - day[first][blood[first].argmax()]) * 1440.0
    source = "table of models, section 10: lag 30-60 min"
    yield between("D-PD", "levodopa: highest effect after highest plasma level", 30.0, 60.0, late, unit="min",
                  source=source)  # fmt: skip
    lags = np.fft.irfft(np.conj(np.fft.rfft(blood - blood.mean())) * np.fft.rfft(swing.mean() - swing))
    yield between("D-PD", "levodopa: lag of the effect by cross-correlation over a day", 30.0, 60.0,
                  float(lags.argmax()) * 0.5, unit="min", source=source)  # fmt: skip
    inside = bool((np.abs(swing) <= drug.swing).all())
    yield holds("D-PD", "levodopa: change of the loss of dopamine over a day", "within ±0.15",
                f"{swing.min():+.3f} to {swing.max():+.3f}", inside, source="table of models, section 10")  # fmt: skip


CHECKS: tuple[Check, ...] = (
    Check("D-PD", "graded loss of dopamine", 16.0, grades),
    Check("D-PD", "beta with and without dopamine", 13.0, beta),
    Check("D-PD", "stimulation gives the relay back", 8.0, rescue),
    Check("D-PD", "a year of progression, a day of levodopa", 1.0, schedules),
)
