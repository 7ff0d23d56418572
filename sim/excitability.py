"""How much current excites, and how that depends on how long it flows.

Weiss found that the charge at threshold grows linearly with the duration of the pulse [1]_: the threshold is
I = I_rh (1 + c / PW), with the rheobase I_rh (threshold of an endless pulse) and the chronaxie c (duration at twice
the rheobase). Fibres have chronaxies of 50 to 700 µs [2]_.

References
----------
.. [1] Weiss (1901) Arch Ital Biol 35:413.
.. [2] Nowak & Bullier (1998) Exp Brain Res 118:477. Chronaxies of cortical axons; Ranck (1975) Brain Res 98:417.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bmi.errors import ContractError
from bmi.signals import F64
from sim import GRID_S
from sim.cable import Cable
from sim.stimulation import number


class StrengthDuration(NamedTuple):
    """A Weiss curve, and how well it fits."""

    rheobase: float
    """In the unit of the thresholds it was fitted to."""
    chronaxie_s: float
    r2: float
    """Share of the variance of the thresholds that it explains."""

    def threshold(self, width_s: F64 | float) -> F64:
        """Return the threshold of pulses of ``width_s``, in the unit of the rheobase."""
        return self.rheobase * (1.0 + self.chronaxie_s / np.asarray(width_s, np.float64))


def fit_weiss(width_s: Any, thresholds: Any) -> StrengthDuration:
    """Fit a Weiss curve by least squares on the thresholds.

    Parameters
    ----------
    width_s : array, shape (n,)
        Durations, s; three or more, not all equal.
    thresholds : array, shape (n,)
        Threshold of each, above zero, in any unit.

    Raises
    ------
    ContractError
        If shapes or values do not fit.
    """
    widths, found = np.array(width_s, np.float64), np.array(thresholds, np.float64)
    if widths.ndim != 1 or widths.shape != found.shape or len(np.unique(widths)) < 3:
        raise ContractError(
            f"fit_weiss: expected thresholds of three or more durations, given {widths.shape} and {found.shape}"
        )
    both = np.concatenate([widths, found])
    if not (np.isfinite(both).all() and (both > 0.0).all()):
        raise ContractError(f"fit_weiss: expected finite numbers above zero, given {both[~(both > 0.0)][:3]}")
    slope, rheobase = np.polyfit(1.0 / widths, found, 1)
    residual = found - (rheobase + slope / widths)
    r2 = 1.0 - float(residual @ residual) / float(((found - found.mean()) ** 2).sum())
    return StrengthDuration(float(rheobase), float(slope / rheobase), r2)


def thresholds(
    fires: Callable[[F64], npt.NDArray[np.bool_]], low: Any, high: Any, *, relative: float = 1e-3
) -> F64:
    """Return the least amplitudes that excite, by doubling and bisection, many at once.

    Amplitudes are raised from ``low`` on and not lowered from ``high``, because a strong field may block what it
    excites.

    Parameters
    ----------
    fires : callable
        Takes amplitudes (n,) and says of each whether it excites, (n,) bool. Each has a preparation of its own:
        another pulse width, another distance.
    low, high : array, shape (n,)
        Amplitudes above zero that do not excite, and those beyond which nobody looks.
    relative : float
        Width at the end of the bracket, as a share of its upper end.

    Returns
    -------
    array, shape (n,)
        Upper ends of the brackets: amplitudes that excite.

    Raises
    ------
    ContractError
        If ``low`` excites or nothing up to ``high`` does.
    """
    number("thresholds: relative", relative, above=1e-12)
    below, most = (np.array(a, np.float64, ndmin=1) for a in np.broadcast_arrays(low, high))
    if not (np.isfinite(most).all() and (below > 0.0).all() and (below < most).all()):
        raise ContractError(f"thresholds: expected 0 < low < high, finite, given {below} and {most}")
    excited = np.asarray(fires(below), bool)
    if excited.any():
        raise ContractError(f"thresholds: expected silence at low, not so at {below[excited][:4]}; begin lower")
    above = np.minimum(2.0 * below, most)
    while not (excited := np.asarray(fires(above), bool)).all():
        if (never := ~excited & (above == most)).any():
            raise ContractError(
                f"thresholds: expected excitation up to high, not so at {most[never][:4]} "
                f"(of place {np.flatnonzero(never)[:4]}); look further"
            )
        below = np.where(excited, below, above)
        above = np.where(excited, above, np.minimum(2.0 * above, most))
    while (above - below > relative * above).any():
        middle = 0.5 * (below + above)
        excited = np.asarray(fires(middle), bool)
        above, below = np.where(excited, middle, above), np.where(excited, below, middle)
    return above


def from_outside(cable: Cable, field_mv_ua: F64, course: F64) -> Callable[[F64], npt.NDArray[np.bool_]]:
    """Return what ``thresholds`` asks: do the cells of ``cable`` spike when a current flows outside them?

    Parameters
    ----------
    cable : Cable
        Bound; reset before every answer. Its spike site decides.
    field_mv_ua : array, shape (n_cells, n_compartments)
        Potential that a current of 1 µA makes outside each compartment, mV.
    course : array, shape (n,)
        The current in units of the amplitude, each step from the beginning of a block on; followed for whole blocks
        of 10 ms.
    """
    n = round(GRID_S / cable.dt_s)
    blocks = np.pad(np.asarray(course, np.float64), (0, -len(course) % n)).reshape(-1, n)

    def fires(amplitude: F64) -> npt.NDArray[np.bool_]:
        cable.reset()
        cable.receive("field_mv", amplitude[:, None] * field_mv_ua)
        fired = np.zeros(cable.n_cells, bool)
        for block in blocks:
            cable.receive("stimulus", block)
            fired[cable.step(n)[0][:, 1]] = True
        return fired

    return fires
