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
    """Return the least amplitudes that excite, by bisection, many at once.

    Parameters
    ----------
    fires : callable
        Takes amplitudes (n,) and says of each whether it excites, (n,) bool. Each has a preparation of its own:
        another pulse width, another distance.
    low, high : array, shape (n,)
        Amplitudes above zero that do not excite, and such that do.
    relative : float
        Width at the end of the bracket, as a share of its upper end.

    Returns
    -------
    array, shape (n,)
        Upper ends of the brackets: amplitudes that excite.

    Raises
    ------
    ContractError
        If a bracket holds no threshold.
    """
    number("thresholds: relative", relative, above=1e-12)
    below, above = np.atleast_1d(np.array(low, np.float64)), np.atleast_1d(np.array(high, np.float64))
    below, above = (a.copy() for a in np.broadcast_arrays(below, above))
    if not (np.isfinite(above).all() and (below >= 0.0).all() and (below < above).all()):
        raise ContractError(f"thresholds: expected 0 <= low < high, finite, given {below} and {above}")
    for end, expected, amplitudes in (("low", False, below), ("high", True, above)):
        wrong = np.flatnonzero(np.asarray(fires(amplitudes), bool) != expected)
        if len(wrong):
            told = "silence" if end == "low" else "excitation"
            raise ContractError(
                f"thresholds: expected {told} at {end}, not so at {amplitudes[wrong][:4]} (of place {wrong[:4]}); "
                "widen the bracket"
            )
    while (above - below > relative * above).any():
        middle = 0.5 * (below + above)
        excited = np.asarray(fires(middle), bool)
        above, below = np.where(excited, middle, above), np.where(excited, below, middle)
    return above
