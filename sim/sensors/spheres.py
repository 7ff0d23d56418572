"""The potential of a current dipole on a head of concentric spheres, each with its own conductivity.

Within shell j the potential is a sum over n of (A_n r^n + B_n r^-(n+1)) times spherical harmonics; potential and
radial current are continuous from shell to shell, and no current leaves the head. In the innermost shell B_n is the
dipole's own. So A_n and B_n, carried inwards from the surface, give how much of each harmonic of the dipole
arrives there [1]_ [2]_, for any number of shells. The dipole p at distance r0 from the centre contributes the
harmonics

    p · ∇ (r0^n P_n(cos γ)) = r0^(n-1) [n p_r P_n(cos γ) + p · (e - cos γ r̂) P_n'(cos γ)]

γ being its angle with the electrode's direction e.

References
----------
.. [1] Srinivasan, Nunez & Silberstein (1998) Spatial filtering and neocortical dynamics. IEEE Trans Biomed Eng 45:814.
.. [2] Næss et al. (2017) Corrected four-sphere head model for EEG signals. Front Hum Neurosci 11:490.
"""

from __future__ import annotations

import numpy as np

from bmi.signals import F64

LOST = 1e-16
"""Harmonics are added until one is smaller than this share of the first."""


def surface_potential(
    electrodes: F64, sources_mm: F64, radii_mm: F64, conductivities_s_m: F64
) -> F64:
    """Return the potential at ``electrodes`` of unit dipoles along x, y and z at ``sources_mm``, µV/(nA·m).

    Parameters
    ----------
    electrodes : (n, 3) float64
        Directions from the centre, of any length; electrodes are on the outermost sphere.
    sources_mm : (m, 3) float64
        All inside the innermost sphere.
    radii_mm, conductivities_s_m : (k,) float64
        From the innermost shell to the outermost.

    Returns
    -------
    (n, m, 3) float64
    """
    outer = float(radii_mm[-1])
    r0 = np.sqrt((sources_mm**2).sum(axis=1))
    radial = np.where(r0[:, None] > 0.0, sources_mm / np.maximum(r0, 1e-300)[:, None], [0.0, 0.0, 1.0])
    e = electrodes / np.sqrt((electrodes**2).sum(axis=1, keepdims=True))
    x = np.clip(e @ radial.T, -1.0, 1.0)
    across = e[:, None, :] - x[:, :, None] * radial[None, :, :]
    ratio = r0 / outer
    arriving = arrivals(_harmonics(float(ratio.max(initial=0.0))), radii_mm, conductivities_s_m)
    along, aside = np.zeros_like(x), np.zeros_like(x)
    before, now, slope = np.zeros_like(x), np.ones_like(x), np.zeros_like(x)  # P_(n-1), P_n, P_n'
    power = np.ones_like(r0)
    for n, share in enumerate(arriving, start=1):
        slope = x * slope + n * now  # P_n' from P_(n-1)' and P_(n-1)
        before, now = now, ((2 * n - 1) * x * now - (n - 1) * before) / n
        along += share * n * power * now
        aside += share * power * slope
        power = power * ratio
    found = along[:, :, None] * radial[None, :, :] + aside[:, :, None] * across
    return np.asarray(1e3 / (4.0 * np.pi * float(conductivities_s_m[0]) * outer**2) * found, np.float64)


def arrivals(n_harmonics: int, radii_mm: F64, conductivities_s_m: F64) -> F64:
    """Return how large harmonics 1 to ``n_harmonics`` are on the surface, (n_harmonics,).

    In units of what they would be there in an unbounded medium of the innermost conductivity; a homogeneous sphere
    gives (2n + 1) / n.
    """
    n = np.arange(1.0, n_harmonics + 1.0)
    grows, falls = (n + 1.0) / (2.0 * n + 1.0), n / (2.0 * n + 1.0)  # potential 1 and no current at the surface
    for j in range(len(radii_mm) - 1, 0, -1):
        step = radii_mm[j - 1] / radii_mm[j]
        grows, falls = grows * step**n, falls * step ** -(n + 1.0)
        potential = grows + falls
        current = (n * grows - (n + 1.0) * falls) * (conductivities_s_m[j] / conductivities_s_m[j - 1])
        grows = ((n + 1.0) * potential + current) / (2.0 * n + 1.0)
        falls = (n * potential - current) / (2.0 * n + 1.0)
    return np.asarray((radii_mm[-1] / radii_mm[0]) ** (n + 1.0) / falls, np.float64)


def _harmonics(ratio: float) -> int:
    """Return how many harmonics a dipole at ``ratio`` of the outer radius needs."""
    return max(8, int(np.ceil(np.log(LOST) / np.log(ratio)))) + 4 if ratio > 0.0 else 2


def homogeneous_potential(electrodes_mm: F64, sources_mm: F64, conductivity_s_m: float) -> F64:
    """Return what ``surface_potential`` gives, (n, m, 3), on one homogeneous sphere: a closed form, no series.

    Electrodes must all be at the same distance from the centre, that of the surface [1]_.

    References
    ----------
    .. [1] Yao (2000) Electric potential produced by a dipole in a homogeneous conducting sphere. IEEE Trans Biomed
       Eng 47:964.
    """
    r = electrodes_mm[:, None, :]
    r0 = sources_mm[None, :, :]
    outer = np.sqrt((r * r).sum(axis=2, keepdims=True))
    d = r - r0
    dist = np.sqrt((d * d).sum(axis=2, keepdims=True))
    inner = (r * r0).sum(axis=2, keepdims=True)
    image = outer * dist + outer**2 - inner
    found = 2.0 * d / dist**3 + (r + outer * d / dist) / (outer * image)
    return np.asarray(1e3 / (4.0 * np.pi * conductivity_s_m) * found, np.float64)
