"""Brian2's STDP with trace equations on given spike trains, and the same with eligibility and dopamine.

Spikes lie on the grid of 0.1 ms; some pre- and postsynaptic ones at equal times, where Brian2 runs the presynaptic
pathway first.
"""

from __future__ import annotations

import brian2 as b2
import numpy as np
from store import save

b2.prefs.codegen.target = "numpy"
DT_S, SECONDS, N_PRE = 1e-4, 10.0, 30
A_PLUS, A_MINUS, TAU_S = 0.05, 0.0525, 0.020
TAU_C_S, TAU_D_S = 1.0, 0.2
TRACES = """
w : 1
dx/dt = -x / tau : 1 (event-driven)
dy/dt = -y / tau : 1 (event-driven)
"""

rng = np.random.default_rng(2000)
n = round(SECONDS / DT_S)
pre = np.stack(np.nonzero(rng.random((n, N_PRE)) < 12.0 * DT_S), 1)
post = np.flatnonzero(rng.random(n) < 15.0 * DT_S)
post = np.unique(np.concatenate([post, rng.choice(pre[:, 0], 20)]))  # equal times
reward = np.zeros(round(SECONDS / 0.010))
reward[rng.choice(len(reward), 12)] = rng.choice([-900.0, 1500.0], 12)
"""1/s, held for 10 ms."""

tau, tauc, taud = TAU_S * b2.second, TAU_C_S * b2.second, TAU_D_S * b2.second
b2.defaultclock.dt = DT_S * b2.second
sources = b2.SpikeGeneratorGroup(N_PRE, pre[:, 1], pre[:, 0] * DT_S * b2.second)
target = b2.SpikeGeneratorGroup(1, np.zeros(len(post), int), post * DT_S * b2.second)

pair = b2.Synapses(
    sources, target, TRACES,
    on_pre="x += 1\nw = clip(w - A_MINUS * y, 0, 1)", on_post="y += 1\nw = clip(w + A_PLUS * x, 0, 1)",
)  # fmt: skip
pair.connect()
pair.w = 0.5

# The eligibility as it would be at t = 0: a clock-driven one would decay a step before it takes a spike in.
released = b2.TimedArray(reward / b2.second, dt=10 * b2.ms)
modulated = b2.Synapses(
    sources, target, TRACES + "c : 1\nd : 1 (shared)",
    on_pre="x += 1\nc -= A_MINUS * y * exp(t / tauc)", on_post="y += 1\nc += A_PLUS * x * exp(t / tauc)",
)  # fmt: skip
modulated.connect()
modulated.w = 0.5
keep = float(np.exp(-0.010 / TAU_D_S))
# At a grid line: dopamine after the 10 ms just past, then the weights.
modulated.run_regularly(
    "d = d * keep + int(t > 5*ms) * released(t - 5*ms) * taud * (1 - keep)\n"
    "w = clip(w + c * exp(-t / tauc) * d * 0.010, 0, 1)",
    dt=10 * b2.ms, when="start",
)  # fmt: skip

pair_seen = b2.StateMonitor(pair, "w", record=True, dt=0.5 * b2.second, when="start", order=1)
modulated_seen = b2.StateMonitor(modulated, "w", record=True, dt=0.5 * b2.second, when="start", order=1)
b2.run(SECONDS * b2.second)
save(
    "brian2_stdp", f"Brian2 {b2.__version__}", "pair STDP and reward-modulated STDP on given spike trains",
    dt_s=DT_S, a_plus=A_PLUS, a_minus=A_MINUS, tau_s=TAU_S, tau_eligibility_s=TAU_C_S, tau_dopamine_s=TAU_D_S,
    pre=pre.astype(np.int32), post=post.astype(np.int32), reward=reward,
    pair_w=pair_seen.w.T, modulated_w=modulated_seen.w.T, at_s=np.asarray(pair_seen.t / b2.second),
)  # fmt: skip
