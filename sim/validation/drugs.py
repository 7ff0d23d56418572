"""Acceptance figures of pharmacology (M10)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bmi.signals import F64
from sim.validation import Check, Row, holds, near

THETAS = (0.0, 0.25, 0.5, 0.75, 1.0)
SEEDS = range(6)
BANDS = {"2-8 Hz": (2.0, 8.0, 1), "8-13 Hz": (8.0, 13.0, 1), "30-60 Hz": (30.0, 60.0, -1),
         "60-120 Hz": (60.0, 120.0, -1)}  # fmt: skip
"""Band and the sign its power moves with occupancy, frozen at the first run. 13-30 Hz lies between: see below."""


def body() -> Iterator[Row]:
    """Absorption, elimination and binding against the equations they solve."""
    from scipy.integrate import quad
    from scipy.linalg import expm
    from scipy.optimize import brentq

    from sim.pharmacology import DRUGS

    late, area, half = 0.0, 0.0, 0.0
    for drug in DRUGS.values():
        flow = np.array([[-drug.absorption_per_s, 0.0], [drug.absorption_per_s, -drug.elimination_per_s]])

        def slope(t_s: float, flow: F64 = flow) -> float:
            return float((flow @ expm(flow * t_s))[1, 0])

        peak_s = drug.peak_s
        found = brentq(slope, 0.1 * peak_s, 10.0 * peak_s, xtol=1e-9, rtol=1e-14)
        late = max(late, abs(found / peak_s - 1.0))
        edges = [0.0, peak_s, *(k / drug.elimination_per_s for k in (0.5, 1, 2, 4, 8, 16, 40))]
        parts = [quad(lambda t, d=drug: d.concentration(1.0, t), a, b, epsrel=1e-10)[0]
                 for a, b in zip(sorted(edges), sorted(edges)[1:], strict=False)]  # fmt: skip
        area = max(area, abs(sum(parts) * drug.volume_l * drug.elimination_per_s - 1.0))
        half = max(half, abs(drug.occupancy(drug.ec50_mg_l) - 0.5))
    told = f"all {len(DRUGS)} named drugs"
    yield near("M10", f"time of the peak against gut and blood solved by matrix exponential, relative, {told}", 0.0,
               late, 1e-9, source="ln(ka/ke)/(ka-ke)")  # fmt: skip
    yield near("M10", f"area under the curve over D/(V ke), minus 1, by quadrature, {told}", 0.0, area, 1e-6,
               source="D/(V ke)")  # fmt: skip
    yield near("M10", f"occupancy at the EC50 from a half, {told}", 0.0, half, 1e-12, source="Hill (1910)")


def benzodiazepine() -> Iterator[Row]:
    """Longer inhibition in a simulated network of excitatory and inhibitory neurons, and its field potential."""
    from sim.pharmacology import drug

    diazepam = drug("diazepam")
    decay = [diazepam.effect(theta)["gaba_decay"] for theta in THETAS]
    powers = np.array([[_network(seed, slower) for slower in decay] for seed in SEEDS])  # (seed, theta, band + 2)
    mean = powers.mean(0)
    source = "sign frozen at the first run"
    what = f"inhibitory decay x (1 + theta), theta 0, .25 … 1, mean of {len(SEEDS)} seeds x 6 s:"
    for k, (band, (_, _, sign)) in enumerate(BANDS.items()):
        yield _monotone(f"{what} power at {band}", mean[:, k], sign, source)
    yield _monotone(f"{what} rate of excitatory neurons, Hz", mean[:, -1], -1, source)
    beta = mean[:, -2]
    yield holds("M10", f"{what} power at 13-30 Hz, first to last (its steps are within the spread of seeds)", "rises",
                " ".join(f"{v:.3g}" for v in beta), bool(beta[-1] > beta[0]), source=source)  # fmt: skip


def _monotone(what: str, values: F64, sign: int, source: str) -> Row:
    target = "rises with every step" if sign > 0 else "falls with every step"
    told = " ".join(f"{v:.3g}" for v in values)
    return holds("M10", what, target, told, bool((sign * np.diff(values) > 0).all()), source=source)


def _network(seed: int, slower: float) -> F64:
    """Return the power of ``BANDS`` and of 13-30 Hz, mV², and the rate of excitatory neurons, Hz.

    800 excitatory and 200 inhibitory LIF neurons with gamma rhythm. The field potential is the sum of the absolute
    synaptic currents onto excitatory cells (Mazzoni et al. 2008), their mean here; the peak of an inhibitory
    current keeps its height while it lasts longer.
    """
    from scipy.signal import welch

    from sim.circuits.connectivity import Probability
    from sim.circuits.lif import LIF

    n_e, settle, n = 800, 500, 6500
    network = LIF(
        n_excitatory=n_e, n_inhibitory=200, wiring=Probability(p=0.1), synapses="exponential", weight_e_mv=2.0,
        weight_i_mv=-12.0, delay_s=1e-3, tau_e_s=2e-3, tau_i_s=8e-3 * slower, external_hz=6000.0, external_mv=2.5,
    )  # fmt: skip
    network.bind(seed)
    state = network.state()
    field, fired = np.zeros(n), np.zeros(n)
    for k in range(n):
        (spikes,) = network.step(10)
        fired[k] = np.count_nonzero(spikes[:, 1] < n_e)
        field[k] = state["ge"][:n_e].mean() - state["gi"][:n_e].mean()
    f, density = welch(field[settle:], 1000.0, nperseg=500)
    edges = [(low, high) for low, high, _ in BANDS.values()] + [(13.0, 30.0)]
    power = [float(density[(f >= low) & (f < high)].sum() * f[1]) for low, high in edges]
    return np.array([*power, 1000.0 * fired[settle:].mean() / n_e])


CHECKS: tuple[Check, ...] = (
    Check("M10", "Concentration and occupancy", 1.0, body),
    Check("M10", "Benzodiazepine on a network", 20.0, benzodiazepine),
)
