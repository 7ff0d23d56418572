"""A Hodgkin-Huxley axon beside a point source, in NEURON: thresholds against pulse width, and a passive one in a field.

Axon: 10 µm thick, 6 mm long, 151 compartments, 35.4 Ω cm, 18.5 °C. Source: 100 µm beside its middle, 0.3 S/m; cathodic
first phase, the second 10 ms later, after the response. Excited means that 0 mV is crossed at a tenth of the length.

    <env>/bin/python tests/oracles/neuron_extracellular.py
"""

from __future__ import annotations

import neuron
import numpy as np
from neuron import h
from store import save

LENGTH_UM, DIAMETER_UM, N, RA, CELSIUS = 6000.0, 10.0, 151, 35.4, 18.5
DISTANCE_UM, SIGMA_S_M, DT_MS, WINDOW_MS = 100.0, 0.3, 0.01, 5.0
WIDTHS_MS = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.6])
FIELD_V_M = 10.0
X_UM = (np.arange(N) + 0.5) * LENGTH_UM / N - LENGTH_UM / 2
MV_PER_UA = 1e3 / (4 * np.pi * SIGMA_S_M * np.hypot(X_UM, DISTANCE_UM))


def axon(mechanism: str) -> h.Section:
    """Return the axon with ``mechanism`` in its membrane and the outside under control."""
    section = h.Section(name=mechanism)
    section.L, section.diam, section.nseg, section.Ra, section.cm = LENGTH_UM, DIAMETER_UM, N, RA, 1.0
    section.insert(mechanism)
    section.insert("extracellular")
    h.celsius, h.dt = CELSIUS, DT_MS
    return section


def outside(section: h.Section, potential_mv: np.ndarray) -> None:
    for segment, v in zip(section, potential_mv, strict=True):
        segment.e_extracellular = v


def responses(section: h.Section, amplitude_ua: float, width_ms: float, places: list[int]) -> np.ndarray:
    """Return the membrane potential at ``places`` after every step of pulse and window, (steps, places), mV."""
    outside(section, np.zeros(N))
    h.finitialize(-65.0)
    segments = [list(section)[i] for i in places]
    rows = []
    for i in range(round((width_ms + WINDOW_MS) / DT_MS)):
        if i == 0:
            outside(section, amplitude_ua * MV_PER_UA)
        if i == round(width_ms / DT_MS):
            outside(section, np.zeros(N))
        h.fadvance()
        rows.append([s.v for s in segments])
    return np.array(rows)


def threshold(section: h.Section, width_ms: float) -> float:
    """Return the least magnitude of a cathodic phase that excites, µA, to 1e-4 of itself."""
    far, low, high = [N // 10], 1.0, 1.0
    while responses(section, -high, width_ms, far).max() < 0.0:
        low, high = high, 2.0 * high
    while high - low > 1e-4 * high:
        middle = 0.5 * (low + high)
        if responses(section, -middle, width_ms, far).max() < 0.0:
            low = middle
        else:
            high = middle
    return high


def in_a_field() -> np.ndarray:
    """Return how far a passive axon (1 mS/cm²) is from rest in a uniform field along it, settled, (N,) mV."""
    section = axon("pas")
    for segment in section:
        segment.pas.g, segment.pas.e = 1e-3, -65.0
    outside(section, -1e-3 * FIELD_V_M * X_UM)
    h.finitialize(-65.0)
    for _ in range(round(50.0 / DT_MS)):
        h.fadvance()
    return np.array([s.v for s in section]) + 65.0


hh = axon("hh")
thresholds = [threshold(hh, w) for w in WIDTHS_MS]
places = [N // 2, N // 2 + 2, N // 2 + 5, N // 2 + 15]
below = responses(hh, -8.0, 0.2, places)[::5]
del hh
save(
    "neuron_extracellular", f"NEURON {neuron.__version__}", "thresholds and responses of an axon beside a point source",
    widths_s=1e-3 * WIDTHS_MS, thresholds_ua=thresholds, places=places, below_mv=below, below_every=5,
    below_ua=-8.0, below_width_s=0.2e-3, dt_s=1e-3 * DT_MS, x_um=X_UM, mv_per_ua=MV_PER_UA, field_v_m=FIELD_V_M,
    field_mv=in_a_field(), length_um=LENGTH_UM, diameter_um=DIAMETER_UM, ra_ohm_cm=RA, celsius=CELSIUS,
    distance_um=DISTANCE_UM, sigma_s_m=SIGMA_S_M,
)  # fmt: skip
print(thresholds)
