"""Brian2's integration of Graupner and Brunel's synapse without noise, for pairs at seven lags and random trains."""

from __future__ import annotations

import brian2 as b2
import numpy as np
from store import save

b2.prefs.codegen.target = "numpy"
b2.defaultclock.dt = 0.02 * b2.ms
SECONDS = 5.0
PARAMETERS = {
    "theta_p": 1.3, "theta_d": 1.0, "gamma_p": 321.808, "gamma_d": 200.0,
    "tau": 150 * b2.second, "tau_ca": 20 * b2.ms,
}  # fmt: skip
EQUATIONS = """
drho/dt = (-rho * (1 - rho) * (0.5 - rho) + gamma_p * (1 - rho) * int(c > theta_p)
           - gamma_d * rho * int(c > theta_d)) / tau : 1 (clock-driven)
dc/dt = -c / tau_ca : 1 (clock-driven)
"""

rng = np.random.default_rng(2012)
lags_s = np.array([-0.060, -0.030, -0.010, 0.0, 0.010, 0.030, 0.060])
pre = [np.arange(0.2, SECONDS - 0.2, 0.5)] * len(lags_s) + [np.sort(rng.uniform(0.1, SECONDS - 0.1, 40))]
post = [p + lag for p, lag in zip(pre, lags_s, strict=False)] + [np.sort(rng.uniform(0.1, SECONDS - 0.1, 30))]
pre, post = ([np.unique(np.round(t / 2e-5)) * 2e-5 for t in side] for side in (pre, post))
n = len(pre)


def spikes(trains):
    which = np.concatenate([np.full(len(t), i) for i, t in enumerate(trains)])
    return b2.SpikeGeneratorGroup(n, which, np.concatenate(trains) * b2.second)


before, after = spikes(pre), spikes(post)
weak, strong = (
    b2.Synapses(before, after, EQUATIONS, on_pre="c += 1", on_post="c += 2", method="rk4", namespace=PARAMETERS)
    for _ in range(2)
)
for synapses, first in ((weak, 0.0), (strong, 1.0)):
    synapses.connect(j="i")
    synapses.pre.delay = 13.7 * b2.ms
    synapses.rho = first
b2.run(SECONDS * b2.second)
save(
    "brian2_calcium", f"Brian2 {b2.__version__}", "Graupner and Brunel's synapse without noise, from 0 and from 1",
    seconds=SECONDS, lags_s=lags_s, random_pre_s=pre[-1], random_post_s=post[-1],
    from_weak=np.asarray(weak.rho), from_strong=np.asarray(strong.rho),
)  # fmt: skip
