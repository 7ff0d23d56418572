"""Silent spines that change because a neighbour was active: calcium through voltage alone, and two thresholds.

A spine without input still has voltage-gated calcium channels. A plateau elsewhere on the cell lets calcium in
wherever the potential arrives, which is further out rather than towards the soma [1]_. Calcium above one threshold
depresses, above a higher one potentiates; each region pulls the weight to a fixed point of its own [2]_.

Calcium is in units of its level with all channels open; half-activation and thresholds are chosen to lie on the way
between rest and a plateau, and are not measured in a particular cell.

.. [1] Moldwin, Kalmenson & Segev (2023) eNeuro 10: ENEURO.0014-23.2023. Asymmetric voltage attenuation in dendrites
   can enable hierarchical heterosynaptic plasticity.
.. [2] Shouval, Bear & Cooper (2002) PNAS 99:10831; Graupner & Brunel (2012) PNAS 109:3991.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le

from bmi.errors import ContractError
from bmi.signals import F64, AnyArray


@dataclass(kw_only=True)
class CalciumThresholds:
    """How a silent spine's weight follows the potential beneath it."""

    half_mv: float = -30.0
    """Potential at which half of the calcium channels are open, mV."""
    slope_mv: Annotated[float, Gt(0)] = 6.0
    """Slope of their activation, mV."""
    tau_s: Annotated[float, Gt(0)] = 0.020
    """Time constant of the spine's calcium, s."""
    theta_d: Annotated[float, Gt(0), Le(1)] = 0.3
    """Calcium above which the weight is depressed."""
    theta_p: Annotated[float, Gt(0), Le(1)] = 0.6
    """Calcium above which it is potentiated."""
    w_d: Annotated[float, Ge(0)] = 0.0
    w_p: Annotated[float, Ge(0)] = 1.0
    """Where depression and potentiation lead to."""
    tau_d_s: Annotated[float, Gt(0)] = 2.0
    tau_p_s: Annotated[float, Gt(0)] = 1.0
    """How fast, s."""

    def __post_init__(self) -> None:
        if self.theta_p <= self.theta_d:
            raise ContractError(
                f"CalciumThresholds: theta_p is {self.theta_p:g}, expected above theta_d = {self.theta_d:g}; "
                "exchange them"
            )

    def open(self, v_mv: AnyArray) -> F64:
        """Return the part of the channels that is open at ``v_mv``, same shape."""
        return np.asarray(1.0 / (1.0 + np.exp(-(np.asarray(v_mv, np.float64) - self.half_mv) / self.slope_mv)))

    def calcium(self, v_mv: AnyArray, dt_s: float) -> F64:
        """Return the calcium after each of the rows of ``v_mv`` (n_rows, n_spines), ``dt_s`` apart.

        It relaxes to what is open, exactly for a potential that is constant between rows, and begins in equilibrium
        with the first.
        """
        from scipy.signal import lfilter

        reached = self.open(v_mv)
        keep = np.exp(-dt_s / self.tau_s)
        out, _ = lfilter([1.0 - keep], [1.0, -keep], reached, axis=0, zi=keep * reached[:1])
        return np.asarray(out)

    def learn(self, calcium: F64, weight: F64, dt_s: float) -> F64:
        """Return the weights (n_spines,) after ``calcium`` (n_rows, n_spines), rows ``dt_s`` apart."""
        w = np.array(weight, np.float64)
        for row in calcium:
            up, down = row > self.theta_p, row > self.theta_d
            goal = np.where(up, self.w_p, self.w_d)
            w += np.where(down, (goal - w) * -np.expm1(-dt_s / np.where(up, self.tau_p_s, self.tau_d_s)), 0.0)
        return w
