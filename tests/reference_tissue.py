"""Twin of the tissue's kernel: the same circuit in plain NumPy, a step at a time, from the equations.

tau dV/dt = -V + drive + noise + AMPA + NMDA - GABA; a spike resets V and holds it; after a delay each of its contacts
adds its weight to a current that decays, scaled by what the terminal has left to release (Tsodyks & Markram); pairs of
spikes make contacts eligible (Song, Miller & Abbott), dopamine turns that into weight (Izhikevich).
"""

from __future__ import annotations

import numpy as np

from sim.component import Noise


def dense(contacts, n_sources, n):
    """Return weights as a matrix [source, target] and whether there is a contact."""
    weight, there = np.zeros((n_sources, n)), np.zeros((n_sources, n), bool)
    for j in range(n_sources):
        for k in range(contacts.first[j], contacts.first[j + 1]):
            weight[j, contacts.to[k]] = contacts.weight[k]
            there[j, contacts.to[k]] = True
    return weight, there


class Twin:
    """A tissue at rest but for a steady drive and a reward; float64."""

    def __init__(self, tissue, seed, reward=0.0, drive_mv=0.0):
        a = tissue.anatomy_
        self.t, self.part, self.a, self.reward = tissue, tissue, a, reward
        n, e = tissue.n_neurons, a.n_exc
        self.n, self.e = n, e
        self.noise = Noise(seed, tissue.name, n)
        self.fixed, _ = dense(a.fixed, n, n)
        self.plastic, self.there = dense(a.plastic, e, e)
        self.drive = a.drive_mv + drive_mv
        cells = [tissue.excitatory] * e + [tissue.inhibitory] * (n - e)
        self.tau = np.array([c.tau_s for c in cells])
        self.threshold = np.array([c.threshold_mv for c in cells])
        self.reset = np.array([c.reset_mv for c in cells])
        self.hold = np.array([round(c.refractory_s / tissue.dt_s) for c in cells])
        self.v = self.reset * self.noise.uniform(1, 0).astype(float)
        self.wait = np.zeros(n, int)
        self.ampa, self.nmda, self.gaba = np.zeros(n), np.zeros(n), np.zeros(n)
        self.u, self.x = np.zeros(e), np.ones(e)
        self.pre, self.post = np.zeros(e), np.zeros(e)
        self.eligible = np.zeros((e, e))
        self.dopamine = 0.0
        self.travelling = [np.zeros(0, int)] * round(tissue.delay_s / tissue.dt_s)

    def run(self, n_steps):
        """Advance from the beginning; return spikes as (step, neuron) and the plastic weights."""
        spikes = []
        for step in range(n_steps):
            spikes += [(step, i) for i in self.step(step)]
            if (step + 1) % round(0.01 / self.part.dt_s) == 0:
                self.learn()
        return np.array(spikes), self.plastic

    def step(self, step):
        p, dt, e = self.part, self.part.dt_s, self.e
        if step % round(0.001 / dt) == 0:
            self.fresh = self.noise.normal(0, step // round(0.001 / dt)).astype(float)
        rule = p.reward_rule_
        self.pre *= np.exp(-dt / rule.tau_plus_s) if step else 1.0
        self.post *= np.exp(-dt / rule.tau_minus_s) if step else 1.0
        self.eligible *= np.exp(-dt / rule.tau_eligibility_s)
        arrived = self.travelling.pop(0)
        excited, inhibited = np.zeros(self.n), np.zeros(self.n)
        self.u *= np.exp(-dt / p.facilitate_s) if p.facilitate_s else 0.0
        self.x = 1.0 - (1.0 - self.x) * np.exp(-dt / p.recover_s)
        for j in arrived:
            if j >= e:
                inhibited += self.fixed[j]
                continue
            self.u[j] += p.release * (1.0 - self.u[j])
            out = self.u[j] * self.x[j]
            self.x[j] -= out
            excited += out / p.release * self.fixed[j]
            excited[:e] += out / p.release * self.plastic[j]
            self.eligible[j] -= rule.a_minus * self.post * self.there[j]
            self.pre[j] += 1.0
        keep = {s: np.exp(-dt / s) for s in (p.ampa_s, p.nmda_s, p.gaba_s)}
        self.ampa = keep[p.ampa_s] * self.ampa + excited
        self.nmda = keep[p.nmda_s] * self.nmda + excited * (1 - keep[p.nmda_s]) / (1 - keep[p.ampa_s])
        self.gaba = keep[p.gaba_s] * self.gaba + inhibited
        toward = self.drive + self.a.noise_mv * self.fresh - self.gaba
        toward += (1.0 - p.nmda_share) * self.ampa + p.nmda_share * self.nmda
        free = self.wait == 0
        self.v = np.where(free, toward + (self.v - toward) * np.exp(-dt / self.tau), self.reset)
        self.wait = np.maximum(self.wait - 1, 0)
        fired = np.flatnonzero(self.v >= self.threshold)
        self.v[fired], self.wait[fired] = self.reset[fired], self.hold[fired]
        for i in fired[fired < e]:
            self.eligible[:, i] += rule.a_plus * self.pre * self.there[:, i]
            self.post[i] += 1.0
        self.travelling.append(fired)
        return fired

    def learn(self):
        tau, block = self.part.reward.tau_dopamine_s, 0.01
        level = self.reward * tau
        now = level + (self.dopamine - level) * np.exp(-block / tau)
        area = level * block + tau * (self.dopamine - now)
        self.dopamine = now
        eligible = self.eligible * np.exp(-self.part.dt_s / self.part.reward_rule_.tau_eligibility_s)
        low, high = self.part.pairs.low, self.part.pairs.high
        mean = self.a.plastic.weight.astype(float).mean()
        changed = np.clip(self.plastic + area * eligible, low * mean, high * mean)
        self.plastic = np.where(self.there, changed, 0.0)
