"""Plasticity by calcium: spikes of both sides raise it, two thresholds read it, a synapse ends strong or weak."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt

from bmi.errors import ContractError
from bmi.signals import F64, AnyArray
from sim._calcium_kernels import Thresholds, relax
from sim.plasticity import positive


@dataclass(kw_only=True)
class CalciumRule:
    """Graupner and Brunel's synapse [1]_, with the noise as corrected [2]_.

    tau drho/dt = -rho (1 - rho) (1/2 - rho) + gamma_p (1 - rho) [c > theta_p] - gamma_d rho [c > theta_d]
    + sigma sqrt(tau ([c > theta_p] + [c > theta_d])) xi; calcium c jumps by ``c_pre`` a delay after a presynaptic
    spike, by ``c_post`` at a postsynaptic one, and decays. Defaults: the depression-potentiation set "DP".

    References
    ----------
    .. [1] Graupner & Brunel (2012) Calcium-based plasticity model explains sensitivity of synaptic changes to spike
       pattern, rate, and dendritic location. PNAS 109:3991.
    .. [2] Correction, PNAS 110 (2013), doi 10.1073/pnas.1220044110.
    """

    tau_s: Annotated[float, Gt(0)] = 150.0
    tau_calcium_s: Annotated[float, Gt(0)] = 0.020
    delay_s: Annotated[float, Ge(0)] = 0.0137
    """From a presynaptic spike to its calcium."""
    c_pre: Annotated[float, Ge(0)] = 1.0
    c_post: Annotated[float, Ge(0)] = 2.0
    theta_d: Annotated[float, Gt(0)] = 1.0
    theta_p: Annotated[float, Gt(0)] = 1.3
    gamma_d: Annotated[float, Gt(0)] = 200.0
    gamma_p: Annotated[float, Gt(0)] = 321.808
    sigma: Annotated[float, Ge(0)] = 2.8284

    def evolve(
        self, rho: AnyArray, pre_s: AnyArray, post_s: AnyArray, *, seconds: float, rng: np.random.Generator
    ) -> F64:
        """Return the efficacies that given spikes leave, each synapse with noise of its own.

        Parameters
        ----------
        rho : (n_synapses,) array
            Efficacies at first, 0 weak to 1 strong.
        pre_s, post_s : arrays
            Times of spikes, s, the same at all synapses.
        seconds : float
            Until when.
        rng : numpy Generator
            Of the noise.

        Raises
        ------
        ContractError
            If a parameter is out of range, a spike before 0, or ``rho`` no row of finite numbers.
        """
        r = self._thresholds()
        now = np.array(rho, np.float64)
        jumps = sorted([(float(t) + self.delay_s, self.c_pre) for t in pre_s]
                       + [(float(t), self.c_post) for t in post_s])  # fmt: skip
        if now.ndim != 1 or not np.isfinite(now).all() or (jumps and not 0.0 <= jumps[0][0] < math.inf):
            raise ContractError(
                f"CalciumRule.evolve: expected efficacies (n,) and spikes from 0 s, given {now.shape} and "
                f"{jumps[:1] or 'none'}"
            )
        calcium, last = np.zeros_like(now), 0.0
        for t, c in [j for j in jumps if j[0] < seconds] + [(seconds, 0.0)]:
            relax(t - last, r, rng.standard_normal((2, len(now))), calcium, now)
            calcium += c
            last = t
        return now

    def shares_above(self, lag_s: float, period_s: float) -> tuple[float, float]:
        """Return the share of time calcium is above theta_p and theta_d while pairs repeat, post ``lag_s`` after pre.

        Transients are taken to be over when the next pair comes.
        """
        self._thresholds()
        apart = lag_s - self.delay_s
        first, second = (self.c_pre, self.c_post) if apart >= 0.0 else (self.c_post, self.c_pre)
        summed = first * math.exp(-abs(apart) / self.tau_calcium_s) + second

        def span(theta: float) -> float:
            early = self.tau_calcium_s * math.log(first / theta) if first > theta else 0.0
            late = self.tau_calcium_s * math.log(summed / theta) if summed > theta else 0.0
            return (min(early, abs(apart)) + late) / period_s

        return span(self.theta_p), span(self.theta_d)

    def expected(self, rho: float, lag_s: float, *, n_pairs: int, period_s: float) -> tuple[float, float]:
        """Return mean and deviation of the efficacy after ``n_pairs`` pairs from ``rho``, the double well left out.

        The paper's closed form: an Ornstein-Uhlenbeck process with the drives averaged over a period.
        """
        above_p, above_d = self.shares_above(lag_s, period_s)
        up, down = self.gamma_p * above_p, self.gamma_d * above_d
        if up + down == 0.0:
            return rho, 0.0
        keep = math.exp(-(up + down) * n_pairs * period_s / self.tau_s)
        target = up / (up + down)
        variance = self.sigma**2 * (above_p + above_d) / (2.0 * (up + down)) * (1.0 - keep**2)
        return target + (rho - target) * keep, math.sqrt(variance)

    def _thresholds(self) -> Thresholds:
        for name in ("tau_s", "tau_calcium_s", "theta_d", "theta_p", "gamma_d", "gamma_p"):
            positive("CalciumRule", name, getattr(self, name), "s" if name.startswith("tau") else "")
        for name in ("delay_s", "c_pre", "c_post", "sigma"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ContractError(f"CalciumRule.{name}: expected a finite number from 0, given {getattr(self, name)}")
        return Thresholds(*(float(getattr(self, name)) for name in Thresholds._fields))
